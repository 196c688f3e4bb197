"""Authorising a key: when a command is sent, when it is not, and what its failures are called."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.connect import hostkeys, keys, nodes, push, remote_command
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.remote_command import Output
from sm_ssh_entry.errors import ConnectionLost, KeyRefused, SmSshError, TimedOut
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.world import Fleet, Laptop, counted, keygen


def tagged(fleet: Fleet, ssm: Any, tags: Mapping[str, str]) -> Node:
    return nodes.with_tags(ssm, Node(fleet.add("j", tags=tags)))


def test_nothing_is_sent_where_the_tags_list_the_key(fleet: Fleet, laptop: Laptop, ssm: Any) -> None:
    key = keys.candidates()[0]
    node = tagged(fleet, ssm, {"SSHKeyFingerprints": f"other {key.fingerprint.removeprefix('SHA256:')}"})
    calls = counted(ssm)
    assert push.authorize(ssm, node, [key]) == key
    assert not calls


def test_a_push_is_remembered_for_that_very_node_and_key(
    fleet: Fleet, laptop: Laptop, ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def run(_ssm: Any, node_id: str, script: str, **_: Any) -> Output:
        sent.append(script)
        return Output(node_id, "Success", 0, "authorized", "")

    monkeypatch.setattr(remote_command, "run_script", run)
    node = tagged(fleet, ssm, {"SSHHostKey": keygen(laptop.home / "host")})
    key = keys.candidates()[0]
    for _ in range(3):
        assert push.authorize(ssm, node, [key]) == key
    assert len(sent) == 1
    assert key.text in sent[0]
    other = keys.candidates(str(laptop.make_key()))[0]
    push.authorize(ssm, node, [other])
    assert len(sent) == 2
    restarted = tagged(fleet, ssm, {"SSHHostKey": keygen(laptop.home / "new-host")})
    push.authorize(ssm, Node(node.node_id, tags=restarted.tags), [key])
    assert len(sent) == 3
    without = tagged(fleet, ssm, {})
    push.authorize(ssm, without, [key])
    push.authorize(ssm, without, [key])
    assert len(sent) == 5


def test_a_refusal_says_what_the_node_said(
    fleet: Fleet, laptop: Laptop, ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "sm-ssh: not an Ed25519 key\nfailed to run commands: exit status 2"
    monkeypatch.setattr(remote_command, "run_script", lambda *_, **__: Output("mi-1", "Failed", 2, "", said))
    with pytest.raises(KeyRefused, match="not an Ed25519 key") as refused:
        push.authorize(ssm, tagged(fleet, ssm, {}), keys.candidates())
    assert refused.value.hint
    assert not (laptop.own / "authorized").exists()


def test_the_script_appends_once_and_keeps_modes(home: Path, tmp_path: Path) -> None:
    key = keygen(tmp_path / "k")
    script = push._SCRIPT.format(key=f"'{key}'")
    for _ in range(2):
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "authorized\n"
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == key + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_no_parameter_is_substituted_in_the_script() -> None:
    assert not re.search(r"\{\{.*\}\}", push._SCRIPT.format(key="ssh-ed25519 AAAA"))


def test_a_node_that_takes_no_commands(fleet: Fleet, ssm: Any) -> None:
    with pytest.raises(ConnectionLost, match="does not take commands"):
        remote_command.run_script(ssm, "mi-0123456789abcdef0", "true", comment="test")


def test_a_command_that_does_not_end_has_a_deadline(fleet: Fleet, ssm: Any, plane: PlaneThread) -> None:
    node_id = fleet.add("j")
    with pytest.raises(TimedOut, match=r"within 0\.3 s"):
        remote_command.run_script(ssm, node_id, "true", comment="test", timeout=0.3)
    assert plane.call(lambda running: len(running.store.commands)) == 1


@pytest.mark.parametrize(
    ("output", "expected", "text"),
    [
        (Output("mi-1", "Success", 0, "x", ""), None, ""),
        (Output("mi-1", "Failed", 3, "", ""), SmSshError, "mi-1 could not nap: exit status 3"),
        (Output("mi-1", "Failed", 3, "", "a\nb\nfailed to run commands: exit status 3"), SmSshError, "nap: b"),
        (Output("mi-1", "DeliveryTimedOut", -1, "", ""), ConnectionLost, "did not take the command"),
    ],
)
def test_what_a_scripts_end_means(output: Output, expected: type[SmSshError] | None, text: str) -> None:
    error = remote_command.refusal(output, "nap")
    assert type(error) is (expected or type(None))
    assert error is None or text in error.message


def test_notes_do_not_grow_for_ever(home: Path) -> None:
    key = keys.candidates()[0]
    host_key = keygen(home / "host")
    path = push._file()
    path.write_text("".join(f"mi-{number} x y\n" for number in range(1500)))
    push._remember(Node("mi-1", tags={"SSHHostKey": host_key}), key)
    lines = path.read_text().splitlines()
    assert len(lines) == 1001
    assert lines[-1] == f"mi-1 {key.fingerprint} {hostkeys.fingerprint(host_key)}"
