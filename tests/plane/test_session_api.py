"""Session Manager's operations as an AWS client sees them: answers, errors and their texts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.wire.message import MessageType
from tests.plane.scripted import Node, Session, aws, eventually, heard


@pytest.fixture(scope="module")
def plane() -> Iterator[PlaneThread]:
    with PlaneThread() as running:
        yield running


@pytest.fixture
def node(plane: PlaneThread) -> Iterator[Node]:
    yield Node.register(plane)
    plane.reset()


def error(call: Any, **params: Any) -> tuple[str, str]:
    """Return code and message of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_the_agent_gets_document_parameters_and_owner_and_the_caller_gets_the_opener(node: Node) -> None:
    async def scenario() -> None:
        session = await Session.start(node, "AWS-StartPortForwardingSession", attach=False, portNumber="8080")
        told = await node.told_to_start()
        sts_arn = node.plane.call(lambda running: running.credentials.user.caller.arn)
        assert (told.session_id, told.session_owner) == (session.session_id, sts_arn)
        assert told.parameters == {"portNumber": "8080", "localPortNumber": "0"}
        assert told.document["properties"]["portNumber"] == "{{ portNumber }}"
        assert told.document["sessionType"] == "Port"
        started = session.started
        assert re.fullmatch(r"moto-[0-9a-f]{17}", session.session_id)
        assert len(started["TokenValue"]) <= 300
        url = "ws" + node.plane.url.removeprefix("http") + f"/v1/data-channel/{session.session_id}"
        assert started["StreamUrl"] == url + "?role=publish_subscribe"
        await session.leave()

    asyncio.run(scenario())


def test_without_a_document_it_is_a_shell(node: Node) -> None:
    async def scenario() -> None:
        await node.open_control()
        await asyncio.to_thread(aws(node.plane).start_session, Target=node.node_id)
        told = await node.told_to_start()
        assert (told.document_name, told.document["sessionType"]) == ("SSM-SessionManagerRunShell", "Standard_Stream")
        assert told.document["inputs"]["cloudWatchStreamingEnabled"] is False
        await node.leave()

    asyncio.run(scenario())


def test_a_session_is_named_after_its_owner(node: Node) -> None:
    from sm_ssh_entry.plane.sessions import new_session_id

    assert new_session_id("arn:aws:iam::123456789012:user/eng/alice").startswith("alice-")
    assert new_session_id("arn:aws:sts::123456789012:assumed-role/Dev/bob@example.com").startswith("bob@example.com-")
    for odd in ("", "arn:aws:iam::1:user/" + "x" * 200, "a/..", "a/ü b%2f"):
        assert re.fullmatch(r"[A-Za-z0-9_@][A-Za-z0-9_.@-]{0,77}-[0-9a-f]{17}", new_session_id(odd))


def test_unknown_and_absent_targets_are_not_connected(plane: PlaneThread, node: Node) -> None:
    start = aws(plane).start_session
    unknown = "mi-00000000000000000"
    assert error(start, Target=unknown) == ("TargetNotConnected", f"{unknown} is not connected.")
    assert error(start, Target=node.node_id) == ("TargetNotConnected", f"{node.node_id} is not connected.")
    elsewhere = aws(plane, region="eu-west-1").start_session
    assert error(elsewhere, Target=node.node_id)[0] == "TargetNotConnected"


def test_the_standard_tier_refuses_hybrid_nodes_in_aws_words(plane: PlaneThread, node: Node) -> None:
    ssm = aws(plane)
    ssm.update_service_setting(SettingId="/ssm/managed-instance/activation-tier", SettingValue="standard")
    assert error(ssm.start_session, Target=node.node_id) == (
        "BadRequest",
        "Enable advanced-instances tier to use Session Manager with your on-premises instances",
    )


def test_documents_and_parameters_are_checked(plane: PlaneThread, node: Node) -> None:
    start = aws(plane).start_session
    assert error(start, Target=node.node_id, DocumentName="AWS-NoSuchThing")[0] == "InvalidDocument"
    assert error(start, Target=node.node_id, DocumentName="AWS-RunShellScript")[0] == "InvalidDocument"
    bad = {"portNumber": ["22; reboot"]}
    code, message = error(start, Target=node.node_id, DocumentName="AWS-StartSSHSession", Parameters=bad)
    assert code == "InvalidParameters"
    assert "portNumber" in message
    assert plane.call(lambda running: len(running.store.sessions)) == 0


def test_a_session_can_be_resumed_until_it_is_over(plane: PlaneThread, node: Node) -> None:
    ssm = aws(plane)
    assert error(ssm.resume_session, SessionId="nobody-00000000000000000")[0] == "DoesNotExistException"
    assert error(ssm.terminate_session, SessionId="nobody-00000000000000000")[0] == "DoesNotExistException"

    async def scenario() -> None:
        session = await Session.start(node)
        before = session.started
        await session.resume()
        assert session.started["SessionId"] == before["SessionId"]
        assert session.started["StreamUrl"] == before["StreamUrl"]
        assert session.started["TokenValue"] != before["TokenValue"]
        await session.terminate()
        await heard(session.client, MessageType.CHANNEL_CLOSED)
        await session.leave()
        await eventually(lambda: session.status() == "Terminated")
        over = await asyncio.to_thread(ssm.resume_session, SessionId=session.session_id)
        # The official plugin takes an answer without a token for "timed out".
        assert "TokenValue" not in over
        await session.terminate()

    asyncio.run(scenario())


def test_sessions_are_listed_by_state_filter_and_page(plane: PlaneThread, node: Node) -> None:
    ssm = aws(plane)

    async def scenario() -> None:
        other = Node.register(plane)
        sessions = [await Session.start(one, attach=False) for one in (node, node, node, other)]
        assert await asyncio.to_thread(ssm.terminate_session, SessionId=sessions[0].session_id)
        await eventually(lambda: sessions[0].status() == "Terminated")

        def listed(state: str, **filters: str) -> list[str]:
            given = [{"key": key, "value": value} for key, value in filters.items()]
            pages = ssm.get_paginator("describe_sessions").paginate(
                State=state, **({"Filters": given} if given else {}), PaginationConfig={"PageSize": 2}
            )
            return [one["SessionId"] for page in pages for one in page["Sessions"]]

        ids = [session.session_id for session in sessions]
        assert await asyncio.to_thread(listed, "Active") == [ids[3], ids[2], ids[1]]
        assert await asyncio.to_thread(listed, "History") == [ids[0]]
        assert await asyncio.to_thread(listed, "Active", Target=node.node_id) == [ids[2], ids[1]]
        assert await asyncio.to_thread(listed, "Active", SessionId=ids[1]) == [ids[1]]
        assert await asyncio.to_thread(listed, "Active", Status="Connected") == []
        assert len(await asyncio.to_thread(listed, "Active", InvokedAfter="2020-01-01T00:00:00Z")) == 3
        assert await asyncio.to_thread(listed, "Active", InvokedBefore="2020-01-01T00:00:00Z") == []
        bad = [{"key": "InvokedAfter", "value": "yesterday"}]
        assert error(ssm.describe_sessions, State="Active", Filters=bad)[0] == "ValidationException"
        assert error(ssm.describe_sessions, State="Active", NextToken="x")[0] == "InvalidNextToken"
        described = await asyncio.to_thread(ssm.describe_sessions, State="History")
        one = described["Sessions"][0]
        assert (one["Target"], one["Status"], one["DocumentName"]) == (
            node.node_id,
            "Terminated",
            "AWS-StartSSHSession",
        )
        assert one["EndDate"] >= one["StartDate"]
        await node.leave()
        await other.leave()

    asyncio.run(scenario())


def test_the_connection_status_is_that_of_the_control_channel(plane: PlaneThread, node: Node) -> None:
    def status() -> str:
        return str(aws(plane).get_connection_status(Target=node.node_id)["Status"])

    async def scenario() -> None:
        assert await asyncio.to_thread(status) == "notconnected"
        await node.open_control()
        assert await asyncio.to_thread(status) == "connected"
        await node.leave()

    asyncio.run(scenario())


def test_aws_documents_can_be_read(plane: PlaneThread) -> None:
    ssm = aws(plane)
    content = ssm.get_document(Name="AWS-StartSSHSession")
    assert '"sessionType": "Port"' in content["Content"]
    described = ssm.describe_document(Name="AWS-RunShellScript")["Document"]
    assert (described["DocumentType"], described["Owner"]) == ("Command", "Amazon")
    assert {one["Name"] for one in described["Parameters"]} == {"commands", "workingDirectory", "executionTimeout"}
    assert error(ssm.get_document, Name="AWS-StartSSHSession", DocumentVersion="7")[0] == "InvalidDocumentVersion"
    # A document of the user's own is kept by moto.
    ssm.create_document(
        Name="Mine", DocumentType="Command", Content='{"schemaVersion":"2.2","description":"d","mainSteps":[]}'
    )
    assert ssm.get_document(Name="Mine")["Name"] == "Mine"
