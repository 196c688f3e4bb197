"""SHA256SUMS: what the real sha256sum reads."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import sums


def put(folder: Path, **contents: str) -> dict[str, str]:
    found = {}
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        found[name.replace("__", "/")] = hashlib.sha256(content.encode()).hexdigest()
    return found


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = ["sha256sum", "--check", "--strict", "--quiet", sums.NAME]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_sha256sum_finds_all_good_and_names_one_flipped_byte(tmp_path: Path) -> None:
    sums.renew(tmp_path, put(tmp_path, wheels__a="1", wheels__b="2"), {"wheels"})
    assert (check(tmp_path).returncode, check(tmp_path).stdout) == (0, "")
    (tmp_path / "wheels" / "b").write_text("3")
    assert (check(tmp_path).returncode, check(tmp_path).stdout) == (1, "wheels/b: FAILED\n")


def test_what_an_earlier_fetch_left_in_the_same_folder_goes_and_the_rest_stays(tmp_path: Path) -> None:
    sums.renew(tmp_path, put(tmp_path, wheels__a="1", packages__x="2"), {"wheels", "packages"})
    (tmp_path / "wheels" / "mine").write_text("not from a fetch")
    assert sums.renew(tmp_path, put(tmp_path, wheels__b="3"), {"wheels"}) == ["wheels/a"]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "SHA256SUMS",
        "packages/x",
        "wheels/b",
        "wheels/mine",
    ]
    assert sorted(sums.read(tmp_path)) == ["packages/x", "wheels/b"]
    assert check(tmp_path).returncode == 0


@pytest.mark.parametrize("line", ["nonsense", "0" * 64 + "  ../x", "0" * 64 + " *x"])
def test_what_is_not_of_its_form_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / sums.NAME).write_text(line + "\n")
    with pytest.raises(BadInput, match="SHA256SUMS"):
        sums.read(tmp_path)
