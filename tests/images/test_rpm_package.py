"""The agent's .rpm, read without rpm."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.images.rpm_package import PACKED, package

LAYERS = Path(__file__).resolve().parents[2] / "images" / "layers"
FILES = {
    "./usr/bin/amazon-ssm-agent": (0o755, b"\x7fELF" + bytes(range(256)) * 9),
    "./etc/amazon/ssm/x.template": (0o644, b"{}"),
    "./empty": (0o600, b""),
}


@pytest.fixture(scope="module")
def rpm() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rpm_of_a_layer", LAYERS / "rpm.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("compressor", list(PACKED))
def test_regular_files_come_with_their_modes(rpm: ModuleType, compressor: str) -> None:
    found = {one.name: (one.mode & 0o7777, one.content) for one in rpm.files(package(FILES, compressor))}
    assert found == FILES


def test_a_package_that_names_no_compressor_uses_gzip(rpm: ModuleType) -> None:
    assert [one.name for one in rpm.files(package(FILES, named=False))] == list(FILES)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"", "header"),
        (b"!<arch>\ndebian-binary" + bytes(200), "header"),
        (package(FILES, "zstd"), "compressed with zstd"),
        (package(FILES, end=False), "breaks off"),
        (package(FILES)[:-40], "."),
        (package(FILES)[:120], "."),
    ],
    ids=["empty", "a .deb", "zstd", "no end", "cut payload", "cut header"],
)
def test_what_is_no_whole_package_is_refused(rpm: ModuleType, broken: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(rpm.files(broken))
