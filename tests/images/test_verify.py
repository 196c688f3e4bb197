"""verify as a user calls it: each bad file is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sm_ssh_entry.images import container_wheel
from tests.images.user import PURE, World


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_sums(path: Path) -> None:
    sums = path.parents[1] / "SHA256SUMS"
    lines = [("0" * 64 + line[64:] if line.endswith(path.name) else line) for line in sums.read_text().splitlines()]
    sums.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "act", "state"),
    [
        (f"wheels/app-1.0-{PURE}", damage, "not the locked file"),
        (f"wheels/app-1.0-{PURE}", Path.unlink, "missing"),
        (f"wheels/app-1.0-{PURE}", change_sums, "SHA256SUMS is not what is locked"),
        (f"wheel/{container_wheel.FILE}", damage, "not the locked file"),
        (f"wheels/extra-1.0-{PURE}", Path.touch, "not in SHA256SUMS"),
    ],
    ids=["flipped byte", "gone", "sums changed", "own product", "slipped in"],
)
def test_verify_names_each_bad_file(world: World, name: str, act: Callable[[Path], object], state: str) -> None:
    world.fetch()
    assert world.sm_ssh("verify")[0] == 0
    act(world.to / name)
    code, out = world.sm_ssh("verify")
    assert code == 29
    assert [line.split("  ")[0] for line in out.splitlines() if name in line] == [state]
    assert f"must not be built from: {name}" in world.said
    code, out = world.sm_ssh("verify", "--output", "json")
    assert [row["file"] for row in json.loads(out) if not row["good"]] == [name]


def test_verify_of_nothing_says_to_fetch(world: World) -> None:
    code, _ = world.sm_ssh("verify")
    assert code == 10
    assert "sm-ssh image fetch" in world.said


def test_what_an_interrupted_fetch_left_is_no_artifact(world: World) -> None:
    world.fetch()
    (world.to / "wheels" / "x.whl.part").write_bytes(b"half")
    assert world.sm_ssh("verify")[0] == 0
