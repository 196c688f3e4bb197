"""Host keys at first sight: pinned before ``ssh`` sees them, once for each container, and held to from then on."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sm_ssh_entry.connect import hostkeys, trust
from tests.connect.test_first_sight import reply
from tests.connect.world import keygen

ALIAS = "algo-7.j.training.sagemaker"


@pytest.fixture
def keys(home: Path) -> list[str]:
    return [keygen(home / name) for name in ("one", "two")]


def show(key: str, way: str, alias: str = ALIAS) -> list[str]:
    """Let a server show a key; return what the user was told."""
    told: list[str] = []
    said = reply(base64.b64decode(key.split()[1]))
    watch = trust.watcher(alias, way, told.append)
    for place in range(0, len(said), 9):
        watch(said[place : place + 9])
    return told


def pinned() -> list[str]:
    return hostkeys.known_hosts().read_text().splitlines()


def test_the_first_sight_is_pinned_and_told(keys: list[str]) -> None:
    told = show(keys[0], "mi-1")
    assert pinned() == [f"{ALIAS} {keys[0]}"]
    assert len(told) == 1
    assert hostkeys.fingerprint(keys[0]) in told[0]
    assert show(keys[0], "mi-1") == []


def test_another_key_by_the_same_way_is_left_to_ssh(keys: list[str]) -> None:
    show(keys[0], "mi-1")
    assert show(keys[1], "mi-1") == []
    assert pinned() == [f"{ALIAS} {keys[0]}"]


def test_a_new_container_behind_the_name_is_learned_anew(keys: list[str]) -> None:
    show(keys[0], "mi-1")
    assert show(keys[1], "mi-2")
    assert pinned() == [f"{ALIAS} {keys[1]}"]
    assert show(keys[0], "mi-1")


def test_names_do_not_mix(keys: list[str]) -> None:
    show(keys[0], "mi-1")
    show(keys[1], "mi-1", "x" + ALIAS)
    assert sorted(pinned()) == sorted([f"{ALIAS} {keys[0]}", f"x{ALIAS} {keys[1]}"])
    assert show(keys[1], "mi-1") == []
    assert f"{ALIAS} {keys[0]}" in pinned()


def test_a_line_that_the_user_has_removed_is_learned_again(keys: list[str]) -> None:
    show(keys[0], "mi-1")
    hostkeys.known_hosts().write_text("")
    assert show(keys[1], "mi-1")
    assert pinned() == [f"{ALIAS} {keys[1]}"]


def test_a_key_that_a_tag_has_told_meanwhile_is_not_held_against_the_new_way(keys: list[str]) -> None:
    show(keys[0], "mi-1")
    hostkeys.pin((ALIAS,), keys[1])
    assert show(keys[0], "mi-1")
    assert pinned() == [f"{ALIAS} {keys[0]}"]
