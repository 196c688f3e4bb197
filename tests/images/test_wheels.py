"""Wheels, resolved by the real pip from a real index of this test, whatever this machine's pip is set up for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.errors import ArtifactRefused, ToolMissing
from sm_ssh_entry.images import wheels
from sm_ssh_entry.images.manifest import StandIn, Wheels
from sm_ssh_entry.images.wheels import PipFailed
from tests.images import index
from tests.images.heard import Heard, network
from tests.images.index import wheel
from tests.images.publisher import Publisher

PURE = "py3-none-any.whl"
# What 3.10 needs, what a later one needs, and what is for none of them: pip would judge by the Python that runs it.
NEEDS = [
    'backport>=1; python_full_version < "3.11.0a6"',
    'later; python_version >= "3.14"',
    'ancient; python_version < "3.8"',
    'option; extra == "more" and python_version < "4"',
]


def resolved(address: str, *requirements: str) -> list[str]:
    found = wheels.resolve(Wheels(address, "3.10", requirements, ("tool",)), network(Heard()))
    return [one.file for one in found]


def test_pip_s_own_choice_with_size_and_checksum(site: Publisher) -> None:
    content = wheel("app", "2.0", ["lib<2"])
    address = index.publish(
        site,
        (f"app-1.0-{PURE}", wheel("app", "1.0")),
        (f"app-2.0-{PURE}", content),
        (f"lib-1.5-{PURE}", wheel("lib", "1.5", NEEDS)),
        (f"lib-2.0-{PURE}", wheel("lib", "2.0")),
        (f"backport-1.0-{PURE}", wheel("backport", "1.0")),
        (f"later-1.0-{PURE}", wheel("later", "1.0")),
        (f"tool-1.0-{PURE}", wheel("tool", "1.0")),
    )
    found = wheels.resolve(Wheels(address, "3.10", ("app",), ("tool",)), network(Heard()))
    assert [one.file.partition("-py3")[0] for one in found] == [
        "wheels/app-2.0",
        "wheels/backport-1.0",
        "wheels/later-1.0",
        "wheels/lib-1.5",
        "wheels/tool-1.0",
    ]
    assert found[0].size == len(content)
    assert found[0].url == f"{site.url}/files/app-2.0-{PURE}"
    assert (found[0].component, found[0].source, found[0].version) == ("wheels", "pypi", "2.0")


def test_no_setting_of_this_machine_gets_in(site: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer one in a local folder, which variables and a configuration file point to."""
    local = tmp_path / "local"
    local.mkdir()
    (local / f"app-9.0-{PURE}").write_bytes(wheel("app", "9.0"))
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nfind-links = {local}\nextra-index-url = {local.as_uri()}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("PIP_FIND_LINKS", str(local))
    address = index.publish(site, (f"app-1.0-{PURE}", wheel("app", "1.0")), (f"tool-1.0-{PURE}", wheel("tool", "1.0")))
    assert resolved(address, "app") == [f"wheels/app-1.0-{PURE}", f"wheels/tool-1.0-{PURE}"]


def test_what_is_compiled_for_one_machine_is_never_taken_for_all(site: Publisher) -> None:
    address = index.publish(
        site,
        ("app-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", wheel("app", "2.0")),
        (f"app-1.0-{PURE}", wheel("app", "1.0")),
        (f"tool-1.0-{PURE}", wheel("tool", "1.0")),
    )
    assert resolved(address, "app") == [f"wheels/app-1.0-{PURE}", f"wheels/tool-1.0-{PURE}"]


def test_what_cannot_be_resolved_is_said_in_pip_s_words(site: Publisher) -> None:
    address = index.publish(site, (f"app-1.0-{PURE}", wheel("app", "1.0")))
    with pytest.raises(PipFailed, match="No matching distribution found for app>=3"):
        resolved(address, "app>=3")


def test_an_index_whose_checksums_are_too_weak_is_refused(site: Publisher) -> None:
    address = index.publish(
        site, (f"app-1.0-{PURE}", wheel("app", "1.0")), (f"tool-1.0-{PURE}", wheel("tool", "1.0")), algorithm="md5"
    )
    with pytest.raises(ArtifactRefused, match="gives no sha256"):
        resolved(address, "app")


def test_an_index_may_be_mirrored_and_the_lock_names_the_public_one(site: Publisher) -> None:
    index.publish(site, (f"app-1.0-{PURE}", wheel("app", "1.0")), (f"tool-1.0-{PURE}", wheel("tool", "1.0")))
    mirrored = network(Heard(), {"https://index.example/": f"{site.url}/"})
    found = wheels.resolve(Wheels("https://index.example/simple", "3.10", ("app",), ("tool",)), mirrored)
    assert [one.url for one in found] == [f"https://index.example/files/{name}-1.0-{PURE}" for name in ("app", "tool")]


def test_the_stand_in_has_one_version_for_all_its_pythons(site: Publisher) -> None:
    """The lowest Python decides the version; what serves all comes once, what serves one for each."""
    platform = "manylinux_2_17_x86_64.whl"
    address = index.publish(
        site,
        (f"fast-1.0-cp310-cp310-{platform}", wheel("fast", "1.0")),
        (f"fast-1.0-cp312-cp312-{platform}", wheel("fast", "1.0")),
        (f"fast-2.0-cp312-cp312-{platform}", wheel("fast", "2.0")),
        (f"stable-3.0-cp39-abi3-{platform}", wheel("stable", "3.0", ["pure"])),
        (f"stable-3.0-cp312-abi3-{platform}", wheel("stable", "3.0", ["pure"])),
        (f"pure-4.0-{PURE}", wheel("pure", "4.0")),
    )
    wanted = StandIn(("3.10", "3.12"), ("fast", "stable"), {"amd64": ("manylinux_2_17_x86_64",)})
    found = wheels.resolve_stand_in(wanted, address, "amd64", network(Heard()))
    assert [one.file for one in found] == [
        f"stand-in/amd64/fast-1.0-cp310-cp310-{platform}",
        f"stand-in/amd64/fast-1.0-cp312-cp312-{platform}",
        f"stand-in/amd64/pure-4.0-{PURE}",
        f"stand-in/amd64/stable-3.0-cp39-abi3-{platform}",
    ]
    assert [wheels.serves_all(one) for one in found] == [False, False, True, True]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("echo 'no such option: --report' >&2; exit 2", "too old"),
        ("echo 'x: No module named pip' >&2; exit 1", "has no pip"),
    ],
)
def test_a_python_without_a_pip_that_will_do_says_so(
    site: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, error: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(ToolMissing, match=error):
        resolved(f"{site.url}/simple", "app")
