"""Documents, filled in."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.plane.agent.expansion import InvalidDocument, command_steps, session_plan, substitute
from sm_ssh_entry.plane.documents import DOCUMENTS
from sm_ssh_entry.wire.payloads import SessionType


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ a }}", "1"),
        ("{{a}}-{{ a }}", "1-1"),
        ("{{ list }}", ["x", "y"]),
        ("run {{ list }}", "run x\ny"),
        ("{{ unknown }}", "{{ unknown }}"),
        ("{{ ssm:secret }}", "{{ ssm:secret }}"),
        ({"k": ["{{ a }}", 2, None, True]}, {"k": ["1", 2, None, True]}),
        ("{{ nested }}", "{{ a }}"),
        ("<{{ nested }}>", "<{{ a }}>"),
    ],
)
def test_substitution(value: Any, expected: Any) -> None:
    assert substitute(value, {"a": "1", "list": ["x", "y"], "nested": "{{ a }}"}) == expected


def test_the_documents_of_the_plane_are_understood() -> None:
    ssh = session_plan(DOCUMENTS["AWS-StartSSHSession"].content, {"portNumber": "2222"})
    assert (ssh.session_type, ssh.properties) == (SessionType.PORT, {"portNumber": "2222"})
    # A default of the document fills what nobody gave.
    assert session_plan(DOCUMENTS["AWS-StartSSHSession"].content, {}).properties == {"portNumber": "22"}
    shell = session_plan(DOCUMENTS["SSM-SessionManagerRunShell"].content, {})
    assert (shell.session_type, shell.properties) == (SessionType.STANDARD_STREAM, None)
    steps = command_steps(DOCUMENTS["AWS-RunShellScript"].content, {"commands": ["a", "b"], "executionTimeout": "7"})
    assert [(step.name, step.action) for step in steps] == [("aws:runShellScript", "aws:runShellScript")]
    assert (steps[0].scripts[0].text, steps[0].scripts[0].timeout) == ("a\nb\n", 7.0)


def test_steps_of_schema_2() -> None:
    document = {
        "schemaVersion": "2.2",
        "parameters": {"dir": {"type": "String", "default": "/tmp"}},
        "mainSteps": [
            {
                "action": "aws:runShellScript",
                "name": "one",
                "onFailure": "exit",
                "precondition": {"StringEquals": ["platformType", "Linux"]},
                "inputs": {"runCommand": ["echo {{ what }}", "{{ more }}"], "workingDirectory": "{{ dir }}"},
            },
            {
                "action": "aws:runPowerShellScript",
                "name": "two",
                "precondition": {"StringEquals": ["platformType", "Windows"]},
                "inputs": {"runCommand": ["dir"]},
            },
            {"action": "aws:other", "name": "three"},
        ],
    }
    one, two, three = command_steps(document, {"what": "hi", "more": ["x", "y"]})
    assert (one.scripts[0].text, one.scripts[0].directory, one.exit_on_failure) == ("echo hi\nx\ny\n", "/tmp", True)
    assert two.skipped
    assert (three.action, three.scripts, three.skipped) == ("aws:other", (), False)


def step(**inputs: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "2.2",
        "mainSteps": [{"action": "aws:runShellScript", "name": "s", "inputs": {"runCommand": "x", **inputs}}],
    }


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"schemaVersion": "0.3"},
        {"schemaVersion": "2.2"},
        {"schemaVersion": "2.2", "mainSteps": []},
        {"schemaVersion": "2.2", "mainSteps": ["x"]},
        {"schemaVersion": "2.2", "mainSteps": [{"name": "n"}]},
        {"schemaVersion": "2.2", "mainSteps": [{"name": "n", "action": "a"}] * 2},
        {"schemaVersion": "2.2", "mainSteps": [{"name": "n", "action": "a", "precondition": {"x": []}}]},
        {"schemaVersion": "1.2", "runtimeConfig": []},
        {"schemaVersion": "1.2", "runtimeConfig": {"aws:runShellScript": {"properties": "x"}}},
        step(runCommand=None),
        step(runCommand=[1]),
        step(workingDirectory=7),
        step(timeoutSeconds="soon"),
        step(timeoutSeconds="0"),
        step(timeoutSeconds="nan"),
        step(timeoutSeconds=10**9),
    ],
)
def test_a_command_document_that_makes_no_sense(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        command_steps(document, {})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"schemaVersion": "2.2", "sessionType": "Port"},
        {"schemaVersion": "1.0", "sessionType": "Telepathy"},
        {"schemaVersion": "1.0", "sessionType": "Port", "properties": []},
        {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {"kmsKeyId": "alias/k"}},
    ],
)
def test_a_session_document_that_makes_no_sense(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        session_plan(document, {})
