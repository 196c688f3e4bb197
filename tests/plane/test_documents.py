"""The AWS-owned documents: what the agent gets of each, and which values the service refuses."""

from __future__ import annotations

import pytest

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.documents import DOCUMENTS, check_version, find


def refused(name: str, kind: str, given: dict[str, list[str]]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        find(name, kind).arguments(given)
    return caught.value


@pytest.mark.parametrize(
    ("name", "session_type"),
    [
        ("SSM-SessionManagerRunShell", "Standard_Stream"),
        ("AWS-StartSSHSession", "Port"),
        ("AWS-StartPortForwardingSession", "Port"),
        ("AWS-StartPortForwardingSessionToRemoteHost", "Port"),
        ("AWS-StartInteractiveCommand", "InteractiveCommands"),
        ("AWS-StartNonInteractiveCommand", "NonInteractiveCommands"),
    ],
)
def test_session_documents_have_the_agents_schema_and_their_session_type(name: str, session_type: str) -> None:
    content = find(name, "Session").content
    assert (content["schemaVersion"], content["sessionType"]) == ("1.0", session_type)


def test_defaults_fill_what_the_caller_left_out() -> None:
    assert find("AWS-StartSSHSession", "Session").arguments({}) == {"portNumber": "22"}
    forwarding = find("AWS-StartPortForwardingSessionToRemoteHost", "Session").arguments({"host": ["db.internal"]})
    assert forwarding == {"host": "db.internal", "portNumber": "80", "localPortNumber": "0"}


def test_every_placeholder_of_every_document_is_a_parameter() -> None:
    import json
    import re

    for document in DOCUMENTS.values():
        used = set(re.findall(r"\{\{ (\w+) }}", json.dumps(document.content)))
        assert used == set(document.parameters), document.name


@pytest.mark.parametrize("port", ["1", "22", "65535"])
def test_a_port_is_accepted(port: str) -> None:
    assert find("AWS-StartSSHSession", "Session").arguments({"portNumber": [port]}) == {"portNumber": port}


@pytest.mark.parametrize("port", ["0", "65536", "022", "22\n", " 22", "ssh", "", "-1", "{{ portNumber }}"])
def test_what_is_no_port_is_refused_without_quoting_it(port: str) -> None:
    error = refused("AWS-StartSSHSession", "Session", {"portNumber": [port]})
    assert error.code == "InvalidParameters"
    assert error.message.startswith("portNumber: ")
    assert not port.strip() or f"'{port}'" not in error.message


@pytest.mark.parametrize("host", ["a b", "x;reboot", "$(id)", "", "a" * 254, "h`id`", "a/b"])
def test_what_is_no_host_is_refused(host: str) -> None:
    assert (
        refused("AWS-StartPortForwardingSessionToRemoteHost", "Session", {"host": [host]}).code == "InvalidParameters"
    )


@pytest.mark.parametrize(
    ("name", "kind", "given", "named"),
    [
        ("AWS-StartSSHSession", "Session", {"port": ["22"]}, "port"),
        ("AWS-StartSSHSession", "Session", {"portNumber": ["22", "23"]}, "portNumber"),
        ("AWS-StartSSHSession", "Session", {"portNumber": []}, "portNumber"),
        ("AWS-StartInteractiveCommand", "Session", {}, "command"),
        ("AWS-StartNonInteractiveCommand", "Session", {"command": ["ls"], "separateOutputStream": ["yes"]}, "separate"),
        ("AWS-RunShellScript", "Command", {}, "commands"),
        ("AWS-RunShellScript", "Command", {"commands": []}, "commands"),
        ("AWS-RunShellScript", "Command", {"commands": ["ls"], "executionTimeout": ["172801"]}, "executionTimeout"),
        ("AWS-RunShellScript", "Command", {"commands": ["ls"], "workingDirectory": ["x" * 4097]}, "workingDirectory"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(
    name: str, kind: str, given: dict[str, list[str]], named: str
) -> None:
    error = refused(name, kind, given)
    assert error.code == "InvalidParameters"
    assert named in error.message


def test_lists_stay_lists_and_strings_become_plain() -> None:
    values = find("AWS-RunShellScript", "Command").arguments({"commands": ["a", "b"], "executionTimeout": ["172800"]})
    assert values == {"commands": ["a", "b"], "workingDirectory": "", "executionTimeout": "172800"}


def test_a_document_is_found_by_arn_and_only_for_its_kind() -> None:
    arn = "arn:aws:ssm:us-east-1::document/AWS-StartSSHSession"
    assert find(arn, "Session").name == "AWS-StartSSHSession"
    for name, kind in ((arn, "Command"), ("AWS-RunShellScript", "Session"), ("AWS-Nothing", "Session")):
        with pytest.raises(AwsError) as caught:
            find(name, kind)
        assert caught.value.code == "InvalidDocument"


def test_each_document_has_one_version() -> None:
    for version in (None, "", "1", "$DEFAULT", "$LATEST"):
        check_version(version)
    with pytest.raises(AwsError) as caught:
        check_version("2")
    assert caught.value.code == "InvalidDocumentVersion"
