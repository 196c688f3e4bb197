from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import agent
from sm_ssh_entry.boot.activation import Activation
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, SmSshError, Throttled, ToolMissing, Unreachable

NODE = "mi-0123456789abcdef0"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(str(tmp_path))
    made.run.mkdir(parents=True)
    made.ssm_state.mkdir(parents=True)
    return made


def test_command_line() -> None:
    assert agent.argv("") == ("/usr/bin/amazon-ssm-agent",)
    assert agent.argv("a 'b c' -x") == ("a", "b c", "-x")
    with pytest.raises(SetupFailed, match="SM_SSH_AGENT"):
        agent.argv("a 'b")
    agent.check((sys.executable,))
    with pytest.raises(ToolMissing):
        agent.check(("/no/such/agent",))


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {}),
        (
            {"AWS_ENDPOINT_URL": "http://h:1"},
            {"Ssm": {"Endpoint": "http://h:1"}, "Mds": {"Endpoint": "http://h:1"}, "S3": {"Endpoint": "http://h:1"}},
        ),
        (
            {"AWS_ENDPOINT_URL_SSM": "http://h:2", "SM_SSH_MGS_ENDPOINT": "h:3"},
            {"Ssm": {"Endpoint": "http://h:2"}, "Mds": {"Endpoint": "http://h:2"}, "Mgs": {"Endpoint": "https://h:3"}},
        ),
    ],
)
def test_configuration(env: dict[str, str], expected: dict[str, object]) -> None:
    found = agent.configuration(env)
    assert found.pop("Identity") == {"ConsumptionOrder": ["OnPrem"]}
    assert found.pop("WrittenBy") == "sm-ssh"
    # Without it the official agent makes fifty logins at once wait for one another, and loses some.
    assert found["Mgs"].pop("SessionWorkerBufferLimit") == 200
    assert {"Mgs": {}} | found == {"Mgs": {}} | expected


def test_configuration_of_somebody_else_is_left_alone(paths: Paths) -> None:
    assert agent.configure(paths, {})
    assert agent.configure(paths, {"AWS_ENDPOINT_URL": "http://h:1"})
    assert json.loads(paths.agent_config.read_text())["Ssm"] == {"Endpoint": "http://h:1"}
    for text in ('{"Identity": {}}', "not json", "[]"):
        paths.agent_config.write_text(text)
        assert not agent.configure(paths, {})
        assert paths.agent_config.read_text() == text


def register(paths: Paths, script: str) -> str:
    words = ("sh", "-c", script, "agent")
    return agent.register(words, Activation("id", "CODE", "r"), {"PATH": "/usr/bin:/bin"}, paths)


def test_registers(paths: Paths) -> None:
    write = f"""printf '{{"ManagedInstanceID":"{NODE}","Region":"r"}}' > {paths.registration}"""
    assert register(paths, f'{write}; echo "$@" > {paths.run}/words') == NODE
    assert (paths.run / "words").read_text() == "-register -code CODE -id id -region r -y\n"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("echo ThrottlingException: Rate exceeded >&2; exit 1", Throttled),
        ("echo dial tcp 127.0.0.1:9: connection refused >&2; exit 1", Unreachable),
        ("echo ERROR InvalidActivation CODE >&2; exit 1", SetupFailed),
        ("exit 1", SetupFailed),
        ("exit 0", SetupFailed),
        ("kill -9 $$", SetupFailed),
    ],
)
def test_failed_registration_says_what_it_means_without_the_code(
    paths: Paths, script: str, kind: type[SmSshError]
) -> None:
    with pytest.raises(kind) as raised:
        register(paths, script)
    assert "CODE" not in raised.value.message


def test_an_agent_that_only_root_can_run(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    words = "Unable to save registration information. mkdir /var/lib/amazon/ssm/Vault/Store: permission denied"
    pauses: list[int] = []
    with pytest.raises(SetupFailed, match="needs root and this container runs as user 1000") as raised:
        agent.register_patiently(lambda: register(paths, f"echo 'ERROR {words}' >&2; exit 1"), pauses.append)
    assert "as root" in raised.value.hint
    assert pauses == []


def test_patience_with_registration() -> None:
    outcomes: list[str | SmSshError] = [SetupFailed("x"), SetupFailed("x"), "mi-1"]
    pauses: list[int] = []

    def attempt() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, SmSshError):
            raise outcome
        return outcome

    assert agent.register_patiently(attempt, pauses.append) == "mi-1"
    assert pauses == [1, 2]
    outcomes = [SetupFailed("InvalidActivation"), "never"]
    with pytest.raises(SetupFailed):
        agent.register_patiently(attempt, pauses.append)
    outcomes = [SetupFailed(str(number)) for number in range(9)]
    with pytest.raises(SetupFailed, match="3"):
        agent.register_patiently(attempt, pauses.append)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"ManagedInstanceID": 7}', '{"ManagedInstanceID": "i-123"}'])
def test_malformed_registration_is_none(paths: Paths, text: str) -> None:
    paths.registration.write_text(text)
    assert agent.registered(paths) == ""


def test_own_registration_works_until_it_is_forgotten(paths: Paths) -> None:
    paths.registration.write_text(json.dumps({"ManagedInstanceID": NODE}))
    vault = paths.ssm_state / "Vault" / "Store" / "RegistrationKey"
    vault.parent.mkdir(parents=True)
    vault.write_text(json.dumps({"instanceID": NODE}))
    assert agent.working_registration(paths) == ""
    assert agent.remember(paths, NODE, "r") == "r"
    assert agent.working_registration(paths) == NODE
    assert agent.remember(paths, NODE, "") == "r"
    vault.write_text(json.dumps({"instanceID": ""}))
    assert agent.working_registration(paths) == ""
    vault.write_text(json.dumps({"instanceID": NODE}))
    agent.forget(paths)
    assert agent.working_registration(paths) == ""
