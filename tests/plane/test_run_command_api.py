"""Run Command from the API to a node's control channel and back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.wire.control import CancelCommand, JobAck, JobReply, JobReplyAck, JobStep, RunCommand, decode_job
from sm_ssh_entry.wire.message import MessageType
from tests.plane.scripted import Node, aws, eventually, frame, heard

STEP = "aws:runShellScript"


@pytest.fixture(scope="module")
def plane() -> Iterator[PlaneThread]:
    with PlaneThread() as running:
        yield running


@pytest.fixture
def node(plane: PlaneThread) -> Iterator[Node]:
    yield Node.register(plane, team="a", SSHOwner="me")
    plane.reset()


def error(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def send(plane: PlaneThread, *nodes: Node, **more: Any) -> dict[str, Any]:
    params: dict[str, Any] = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["echo hi"]}}
    if nodes:
        params["InstanceIds"] = [node.node_id for node in nodes]
    sent: dict[str, Any] = aws(plane).send_command(**(params | more))["Command"]
    return sent


def invocation(plane: PlaneThread, command: dict[str, Any], node: Node) -> dict[str, Any]:
    found: dict[str, Any] = aws(plane).get_command_invocation(CommandId=command["CommandId"], InstanceId=node.node_id)
    return found


async def next_job(node: Node) -> RunCommand | CancelCommand:
    assert node.control is not None
    return decode_job((await heard(node.control, MessageType.AGENT_JOB)).payload)


async def acknowledge(node: Node, job_id: str, code: int = 200) -> None:
    assert node.control is not None
    await node.control.send(frame(MessageType.AGENT_JOB_ACK, JobAck(job_id, "m", "", code).encode()))


async def report(node: Node, job_id: str, status: str, step: JobStep | None = None) -> JobReplyAck:
    """Send a report and return the receipt for it."""
    assert node.control is not None
    steps = {STEP: step} if step else {}
    await node.control.send(frame(MessageType.AGENT_JOB_REPLY, JobReply(job_id, status, steps).encode()))
    return JobReplyAck.decode((await heard(node.control, MessageType.AGENT_JOB_REPLY_ACK)).payload)


def test_a_command_goes_out_and_its_outcome_comes_back(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        await node.open_control()
        command = await asyncio.to_thread(send, plane, node, Comment="say hi")
        assert (command["Status"], command["TargetCount"]) == ("Pending", 1)
        assert (command["ExpiresAfter"] - command["RequestedDateTime"]).total_seconds() == 7200
        job = await next_job(node)
        assert isinstance(job, RunCommand)
        assert job.job_id == f"aws.ssm.{command['CommandId']}.{node.node_id}"
        assert job.parameters == {"commands": ["echo hi"], "workingDirectory": "", "executionTimeout": "3600"}
        assert job.document["runtimeConfig"][STEP]["properties"][0]["runCommand"] == "{{ commands }}"
        before = await asyncio.to_thread(invocation, plane, command, node)
        assert (before["Status"], before["ResponseCode"], before["PluginName"]) == ("Pending", -1, STEP)
        await acknowledge(node, job.job_id)
        assert (await report(node, job.job_id, "InProgress")).job_id == job.job_id
        assert (await asyncio.to_thread(invocation, plane, command, node))["Status"] == "InProgress"
        step = JobStep(
            "Failed",
            3,
            STEP,
            "hi\n----------ERROR-------\noh",
            "2026-01-01T10:00:00.5Z",
            "2026-01-01T10:00:02.123456789Z",
            "hi\n",
            "oh",
        )
        await report(node, job.job_id, "InProgress", step)
        await report(node, job.job_id, "Failed", step)
        await report(node, job.job_id, "Success", JobStep("Success"))
        after = await asyncio.to_thread(invocation, plane, command, node)
        assert (after["Status"], after["StatusDetails"], after["ResponseCode"]) == ("Failed", "Failed", 3)
        assert (after["StandardOutputContent"], after["StandardErrorContent"]) == ("hi\n", "oh")
        assert (after["ExecutionElapsedTime"], after["Comment"]) == ("PT1.623S", "say hi")
        listed = await asyncio.to_thread(aws(plane).list_command_invocations, Details=True)
        plugin = listed["CommandInvocations"][0]["CommandPlugins"][0]
        assert (plugin["Name"], plugin["Status"], plugin["ResponseCode"]) == (STEP, "Failed", 3)
        assert plugin["Output"].startswith("hi\n")
        assert (await asyncio.to_thread(aws(plane).list_commands))["Commands"][0]["ErrorCount"] == 1
        await node.leave()

    asyncio.run(scenario())


def test_long_output_is_cut_as_the_model_says(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        await node.open_control()
        command = await asyncio.to_thread(send, plane, node)
        job = await next_job(node)
        step = JobStep("Success", 0, STEP, "o" * 50_000, "", "", "o" * 40_000, "e" * 40_000)
        await report(node, job.job_id, "Success", step)
        after = await asyncio.to_thread(invocation, plane, command, node)
        assert (len(after["StandardOutputContent"]), len(after["StandardErrorContent"])) == (24_000, 8_000)
        listed = await asyncio.to_thread(aws(plane).list_command_invocations, Details=True)
        assert len(listed["CommandInvocations"][0]["CommandPlugins"][0]["Output"]) == 2_500
        await node.leave()

    asyncio.run(scenario())


def test_a_node_without_a_channel_gets_it_when_it_has_one(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        command = await asyncio.to_thread(send, plane, node)
        assert (await asyncio.to_thread(invocation, plane, command, node))["Status"] == "Pending"
        await node.open_control()
        job = await next_job(node)
        assert command["CommandId"] in job.job_id
        # The channel breaks before the node has acknowledged: it is told again.
        await node.leave()
        await node.open_control()
        again = await next_job(node)
        assert again.job_id == job.job_id
        await acknowledge(node, job.job_id)
        await eventually(lambda: invocation(plane, command, node)["Status"] == "InProgress")
        await node.leave()

    asyncio.run(scenario())


def test_a_job_that_the_agent_drops_is_sent_again(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        await node.open_control()
        command = await asyncio.to_thread(send, plane, node)
        first, second = await next_job(node), await next_job(node)
        assert first == second
        await acknowledge(node, first.job_id, 51405)
        await eventually(lambda: invocation(plane, command, node)["Status"] == "InProgress")
        await node.leave()

    asyncio.run(scenario())


def test_cancelling_reaches_the_node_and_its_last_word_counts(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        await node.open_control()
        command = await asyncio.to_thread(send, plane, node)
        job = await next_job(node)
        await acknowledge(node, job.job_id)
        await eventually(lambda: invocation(plane, command, node)["Status"] == "InProgress")
        await asyncio.to_thread(aws(plane).cancel_command, CommandId=command["CommandId"])
        assert invocation(plane, command, node)["Status"] == "Cancelling"
        cancel = await next_job(node)
        assert isinstance(cancel, CancelCommand)
        assert cancel.cancel_job_id == job.job_id
        await acknowledge(node, cancel.job_id)
        await report(node, job.job_id, "Cancelled", JobStep("Cancelled", 137))
        after = invocation(plane, command, node)
        assert (after["Status"], after["StatusDetails"], after["ResponseCode"]) == ("Cancelled", "Cancelled", 137)
        await node.leave()

    asyncio.run(scenario())


def test_cancelling_names_what_it_does_not_know(plane: PlaneThread, node: Node) -> None:
    cancel = aws(plane).cancel_command
    assert error(cancel, CommandId=str(uuid.uuid4())) == "InvalidCommandId"
    command = send(plane, node)
    other = Node.register(plane)
    assert error(cancel, CommandId=command["CommandId"], InstanceIds=[other.node_id]) == "InvalidInstanceId"
    assert error(cancel, CommandId=command["CommandId"], InstanceIds=[node.node_id] * 2) == "DuplicateInstanceId"
    cancel(CommandId=command["CommandId"])
    assert invocation(plane, command, node)["Status"] == "Cancelled"
    cancel(CommandId=command["CommandId"])


def test_nodes_are_chosen_by_tag(plane: PlaneThread, node: Node) -> None:
    twin = Node.register(plane, team="a", SSHOwner="you")
    Node.register(plane, team="b")

    def reached(*targets: dict[str, Any]) -> set[str]:
        command = send(plane, Targets=list(targets))
        listed = aws(plane).list_command_invocations(CommandId=command["CommandId"])
        return {one["InstanceId"] for one in listed["CommandInvocations"]}

    both = {node.node_id, twin.node_id}
    assert reached({"Key": "tag:team", "Values": ["a"]}) == both
    assert reached({"Key": "tag:team", "Values": ["a", "b"]}, {"Key": "tag-key", "Values": ["SSHOwner"]}) == both
    assert reached({"Key": "tag:team", "Values": ["a"]}, {"Key": "tag:SSHOwner", "Values": ["me"]}) == {node.node_id}
    assert reached({"Key": "InstanceIds", "Values": [twin.node_id]}) == {twin.node_id}
    nobody = send(plane, Targets=[{"Key": "tag:team", "Values": ["z"]}])
    assert (nobody["Status"], nobody["StatusDetails"], nobody["TargetCount"]) == ("Success", "NoInstancesInTag", 0)


def test_what_cannot_be_sent_is_refused(plane: PlaneThread, node: Node) -> None:
    call = aws(plane).send_command
    shell = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["x"]}}
    ids = {"InstanceIds": [node.node_id]}
    assert error(call, DocumentName="AWS-Nothing", **ids) == "InvalidDocument"
    assert error(call, DocumentName="AWS-StartSSHSession", **ids) == "InvalidDocument"
    assert error(call, DocumentName="AWS-RunShellScript", **ids) == "InvalidParameters"
    assert error(call, DocumentName="AWS-RunShellScript", Parameters={"command": ["x"]}, **ids) == "InvalidParameters"
    assert error(call, **shell, InstanceIds=["mi-00000000000000000"]) == "InvalidInstanceId"
    assert error(call, **shell, InstanceIds=[node.node_id] * 2) == "DuplicateInstanceId"
    assert error(call, **shell, **ids, DocumentVersion="9") == "InvalidDocumentVersion"
    assert error(call, **shell) == "ValidationException"
    assert error(call, **shell, Targets=[{"Key": "owner", "Values": ["x"]}]) == "ValidationException"
    assert aws(plane).list_commands()["Commands"] == []


def test_unknown_invocations_do_not_exist(plane: PlaneThread, node: Node) -> None:
    ask = aws(plane).get_command_invocation
    assert error(ask, CommandId=str(uuid.uuid4()), InstanceId=node.node_id) == "InvocationDoesNotExist"
    command = send(plane, node)
    assert error(ask, CommandId=command["CommandId"], InstanceId="mi-00000000000000000") == "InvocationDoesNotExist"
    assert error(aws(plane).list_commands, CommandId=str(uuid.uuid4())) == "InvalidCommandId"


def test_a_command_that_is_not_delivered_in_time_says_so(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        command = await asyncio.to_thread(send, plane, node, TimeoutSeconds=30)
        before = plane.call(lambda running: running.store.clock)
        plane.call(lambda running: setattr(running.store, "clock", lambda: before() + 31.0))
        try:
            after = await asyncio.to_thread(invocation, plane, command, node)
            assert (after["Status"], after["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
            listed = await asyncio.to_thread(aws(plane).list_commands)
            assert listed["Commands"][0]["DeliveryTimedOutCount"] == 1
        finally:
            plane.call(lambda running: setattr(running.store, "clock", before))

    asyncio.run(scenario())


def test_a_node_cannot_report_on_anothers_job(plane: PlaneThread, node: Node) -> None:
    async def scenario() -> None:
        liar = Node.register(plane)
        await liar.open_control()
        command = await asyncio.to_thread(send, plane, node)
        job_id = f"aws.ssm.{command['CommandId']}.{node.node_id}"
        await acknowledge(liar, job_id)
        await report(liar, job_id, "Success")
        assert (await asyncio.to_thread(invocation, plane, command, node))["Status"] == "Pending"
        await liar.leave()

    asyncio.run(scenario())


def test_lists_are_newest_first_filtered_and_paged(plane: PlaneThread, node: Node) -> None:
    ssm = aws(plane)
    sent = [send(plane, node)["CommandId"] for _ in range(5)]
    ssm.cancel_command(CommandId=sent[0])

    def listed(operation: str, key: str, **params: Any) -> list[str]:
        pages = ssm.get_paginator(operation).paginate(**params, PaginationConfig={"PageSize": 2})
        return [one["CommandId"] for page in pages for one in page[key]]

    for operation, key in (("list_commands", "Commands"), ("list_command_invocations", "CommandInvocations")):
        assert listed(operation, key) == sent[::-1]
        assert listed(operation, key, Filters=[{"key": "Status", "value": "Cancelled"}]) == [sent[0]]
        assert listed(operation, key, Filters=[{"key": "InvokedBefore", "value": "2020-01-01T00:00:00Z"}]) == []
        assert listed(operation, key, Filters=[{"key": "DocumentName", "value": "Other"}]) == []
        assert len(listed(operation, key, Filters=[{"key": "ExecutionStage", "value": "Executing"}])) == 4
        assert listed(operation, key, InstanceId="mi-00000000000000000") == []
