"""Which public key is sent along: the one that ``sm-ssh connect`` takes, found in the same places."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.connect import keys
from sm_ssh_entry.errors import KeyRefused
from sm_ssh_entry.sdk import enable_ssh, public_keys


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SSH_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh" / "sm-ssh").mkdir(parents=True)
    return tmp_path


def make(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "who", "-f", path], check=True, timeout=120)
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def sent(**more: Any) -> str:
    request: dict[str, Any] = {"TransformJobName": "a", "TransformInput": {}}
    return str(enable_ssh(request, owner="", **more)["Environment"].get("SSH_AUTHORIZED_KEYS", ""))


def test_without_a_key_none_is_sent_and_none_is_made(home: Path) -> None:
    assert sent() == ""
    assert list((home / ".ssh").rglob("*")) == [home / ".ssh" / "sm-ssh"]


def test_it_is_the_key_that_connect_takes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make(home / ".ssh" / "sm-ssh" / "id_ed25519")
    assert sent() == own == keys.candidates()[0].text
    users = make(home / ".ssh" / "id_ed25519")
    assert sent() == users == keys.candidates()[0].text
    named = make(home / "named")
    monkeypatch.setenv("SSH_KEY", "~/named")
    assert sent() == named == keys.candidates()[0].text
    assert sent(public_key="") == ""


def test_a_public_half_that_is_missing_is_made_if_no_passphrase_is_needed(home: Path) -> None:
    key = make(home / ".ssh" / "id_ed25519")
    (home / ".ssh" / "id_ed25519.pub").unlink()
    assert sent() == key
    locked = home / "locked"
    make(locked, passphrase="secret")
    (home / "locked.pub").unlink()
    with pytest.raises(KeyRefused, match=r"locked\.pub is missing and cannot be made"):
        sent(public_key=str(locked))


def test_a_usual_key_that_cannot_be_used_is_left_to_the_laptop(home: Path) -> None:
    (home / ".ssh" / "id_ed25519").write_text("rubbish")
    assert sent() == ""
    own = make(home / ".ssh" / "sm-ssh" / "id_ed25519")
    assert sent() == own


def test_keys_of_the_agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make(home / "elsewhere")
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True, timeout=120).stdout
    words = dict(part.split("=", 1) for part in agent.replace("\n", ";").split(";") if "=" in part)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", words["SSH_AUTH_SOCK"])
        assert sent() == ""
        subprocess.run(["ssh-add", "-q", home / "elsewhere"], check=True, timeout=120)
        assert sent() == key == keys.candidates()[0].text
    finally:
        subprocess.run(["kill", words["SSH_AGENT_PID"]], check=True, timeout=120)


@pytest.mark.parametrize("form", ["path", "public path", "text", "text with comment", "two"])
def test_forms_of_the_argument(home: Path, form: str) -> None:
    key = make(home / "mine")
    given = {
        "path": "~/mine",
        "public path": str(home / "mine.pub"),
        "text": key,
        "text with comment": f"{key} me@here\n",
        "two": f"{key} a\n\n{key} b\n",
    }[form]
    assert sent(public_key=given) == (f"{key},{key}" if form == "two" else key)


def test_a_key_of_another_type_goes_if_it_is_named(home: Path) -> None:
    key = make(home / "old", "ecdsa")
    assert sent(public_key="~/old") == key


def test_what_is_no_public_key_is_refused_without_a_word_of_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    make(home / "mine")
    secret = (home / "mine").read_text()
    for given in (secret, "~/nowhere", "ssh-ed25519 AAAA", "ssh-ed25519", "ssh-ed25519 !!"):
        with pytest.raises(KeyRefused) as raised:
            sent(public_key=given)
        assert raised.value.hint
        assert secret.splitlines()[1] not in raised.value.message
    (home / "ssh-ed25519-mine").write_text("not a key, though its name begins like one")
    with pytest.raises(KeyRefused, match="cannot be made from ssh-ed25519-mine"):
        sent(public_key="ssh-ed25519-mine")
    (home / "garbled.pub").write_bytes(b"\xff\xfe")
    with pytest.raises(KeyRefused, match="cannot be read"):
        sent(public_key="~/garbled")
    assert public_keys.usual() == ""
