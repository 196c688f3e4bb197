"""Which key is used: with real key files and a real ssh-agent."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.connect import keys
from sm_ssh_entry.errors import KeyRefused
from tests.connect.world import Laptop, public


@pytest.fixture
def here(home: Path) -> Laptop:
    return Laptop(home)


@pytest.fixture
def agent(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running ssh-agent."""
    path = tmp_path / "agent.sock"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()  # it says where it listens once it does
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield path
    process.terminate()
    process.wait(timeout=120)
    process.stdout.close()


def test_the_users_own_key_comes_first(here: Laptop) -> None:
    path = here.make_key()
    (found,) = keys.candidates()
    assert (found.text, found.identity) == (public(path), path)
    shown = here.call(["ssh-keygen", "-l", "-f", str(path)]).stdout.split()[1]
    assert found.fingerprint == shown


def test_a_key_is_made_where_there_is_none_and_only_once(here: Laptop) -> None:
    (first,) = keys.candidates()
    (second,) = keys.candidates()
    assert first == second
    assert first.identity == here.own / "id_ed25519"
    assert stat.S_IMODE(first.identity.stat().st_mode) == 0o600


def test_both_are_offered_when_the_users_key_came_later(here: Laptop) -> None:
    (own,) = keys.candidates()
    path = here.make_key()
    assert [key.identity for key in keys.candidates()] == [path, own.identity]


def test_a_named_key_is_the_only_one(here: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    here.make_key()
    named, other = here.make_key("work"), here.make_key("other")
    monkeypatch.setenv("SSH_KEY", str(named))
    assert [key.identity for key in keys.candidates()] == [named]
    assert [key.identity for key in keys.candidates(f"{other}.pub")] == [other]
    monkeypatch.setenv("SSH_KEY", "~/.ssh/work")
    assert [key.identity for key in keys.candidates()] == [named]


def test_a_missing_public_half_is_derived(here: Laptop) -> None:
    path = here.make_key()
    expected = public(path)
    path.with_name("id_ed25519.pub").unlink()
    assert keys.candidates()[0].text == expected


def test_a_passphrase_is_never_asked_for(here: Laptop) -> None:
    path = here.make_key(passphrase="geheim")
    assert keys.candidates()[0].identity == path
    path.with_name("id_ed25519.pub").unlink()
    with pytest.raises(KeyRefused, match="cannot be made") as refused:
        keys.candidates()
    assert "ssh-keygen -y" in refused.value.hint


@pytest.mark.parametrize("content", ["", "no key", "ssh-ed25519 AAAA\n", "\x00\xff"])
def test_a_broken_public_key_is_one_line(here: Laptop, content: str) -> None:
    path = here.make_key()
    path.with_name("id_ed25519.pub").write_text(content)
    path.write_text("broken")
    with pytest.raises(KeyRefused) as refused:
        keys.candidates()
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_other_types_and_missing_files_are_refused(here: Laptop) -> None:
    with pytest.raises(KeyRefused, match="ecdsa"):
        keys.candidates(str(here.make_key("id_ecdsa", kind="ecdsa")))
    with pytest.raises(KeyRefused, match="there is no key"):
        keys.candidates("/nowhere/key")


def test_keys_of_the_agent_are_used_by_their_public_half(here: Laptop, agent: Path) -> None:
    path = here.make_key("mine")
    here.call(["ssh-add", "-q", str(path)])
    (found,) = keys.candidates()
    assert found.text == public(path)
    assert found.identity.suffix == ".pub"
    assert public(found.identity.with_suffix("")) == found.text


def test_an_empty_or_dead_agent_means_a_key_of_our_own(here: Laptop, agent: Path) -> None:
    assert keys.candidates()[0].identity == here.own / "id_ed25519"
    (here.own / "id_ed25519").unlink()
    (here.own / "id_ed25519.pub").unlink()
    os.environ["SSH_AUTH_SOCK"] = "/nowhere"
    assert keys.candidates()[0].identity == here.own / "id_ed25519"


def test_known_by_the_nodes_tag(here: Laptop) -> None:
    first = keys.candidates(str(here.make_key("one")))[0]
    second = keys.candidates(str(here.make_key("two")))[0]
    bare = second.fingerprint.removeprefix("SHA256:")
    assert keys.known([first, second], f"abc {bare}") == second
    assert keys.known([first, second], f"SHA256:{bare}=") == second
    assert keys.known([first], bare) is None
    assert keys.known([first], "") is None
