"""The registration on disk."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import NotRegistered, SetupFailed
from sm_ssh_entry.plane.agent.identity import Identity, Vault, new_key, public_text

NODE = "mi-0123456789abcdef0"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return new_key()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path))


def test_what_is_saved_is_loaded(paths: Paths, key: RSAPrivateKey) -> None:
    Vault(paths).save(Identity(NODE, "eu-west-1", "print", key))
    found = Vault(paths).load()
    assert (found.node_id, found.region, found.fingerprint) == (NODE, "eu-west-1", "print")
    assert public_text(found.private_key) == public_text(key)
    assert json.loads(paths.registration.read_text()) == {"ManagedInstanceID": NODE, "Region": "eu-west-1"}


def test_nobody_else_can_read_it(paths: Paths, key: RSAPrivateKey) -> None:
    before = os.umask(0)
    try:
        Vault(paths).save(Identity(NODE, "eu-west-1", "print", key))
    finally:
        os.umask(before)
    files = [path for path in paths.ssm_state.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths.ssm_state.rglob("*") if path.is_dir()} == {0o700}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"instanceID":"mi-1","region":"r","privateKey":"AA=="}', "\xff"])
def test_what_cannot_be_read_is_no_registration(paths: Paths, key: RSAPrivateKey, content: str) -> None:
    Vault(paths).save(Identity(NODE, "eu-west-1", "print", key))
    (paths.ssm_state / "Vault" / "Store" / "RegistrationKey").write_bytes(content.encode("latin-1"))
    with pytest.raises(NotRegistered):
        Vault(paths).load()


def test_nothing_there_is_no_registration(paths: Paths) -> None:
    with pytest.raises(NotRegistered, match="not registered"):
        Vault(paths).load()
    assert not Vault(paths).clear()


def test_clear_leaves_nothing(paths: Paths, key: RSAPrivateKey) -> None:
    vault = Vault(paths)
    vault.save(Identity(NODE, "eu-west-1", "print", key))
    vault.propose(vault.load())
    assert vault.clear()
    assert [path for path in paths.ssm_state.rglob("*") if path.is_file()] == []


def test_a_rotation_survives_a_crash_at_any_point(paths: Paths, key: RSAPrivateKey) -> None:
    vault = Vault(paths)
    vault.save(Identity(NODE, "eu-west-1", "print", key))
    proposed = vault.propose(vault.load())
    assert public_text(proposed.private_key) != public_text(key)
    # Crash: both keys are there, the old one in force, and the next rotation offers the same new one.
    again = Vault(paths)
    assert public_text(again.load().private_key) == public_text(key)
    assert public_text(again.propose(again.load()).private_key) == public_text(proposed.private_key)
    again.settle(proposed)
    assert public_text(Vault(paths).load().private_key) == public_text(proposed.private_key)
    assert Vault(paths).proposed(proposed) is None


def test_a_key_of_another_node_is_not_proposed(paths: Paths, key: RSAPrivateKey) -> None:
    vault = Vault(paths)
    vault.save(Identity(NODE, "eu-west-1", "print", key))
    vault.propose(vault.load())
    assert vault.proposed(Identity("mi-fedcba98765432100", "eu-west-1", "print", key)) is None


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_spent(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where a folder should be")
    with pytest.raises(SetupFailed, match="cannot write"):
        Vault(Paths(str(tmp_path))).prepare()
