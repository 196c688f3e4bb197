"""Run Command through the plane's public API, on a real node."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.plane.server import Plane
from sm_ssh_entry.wire.control import JobAck, RunCommand
from sm_ssh_entry.wire.message import AgentMessage, MessageType, encode
from tests.plane.agent.conftest import NodeMaker
from tests.plane.agent.processes import Agent, long_sleep, named
from tests.waiting import wait_until


def test_output_status_and_environment(node: Agent) -> None:
    found = node.run(
        "echo out", "echo err >&2", "echo $SSM_COMMAND_ID $AWS_SSM_INSTANCE_ID $AWS_SSM_REGION_NAME", "exit 3"
    )
    assert (found["Status"], found["ResponseCode"]) == ("Failed", 3)
    assert found["StandardOutputContent"] == f"out\n{found['CommandId']} {node.node_id} us-east-1\n"
    assert found["StandardErrorContent"] == "err\nfailed to run commands: exit status 3"


def test_a_script_may_name_its_interpreter(node: Agent) -> None:
    found = node.run("#!/usr/bin/env python3", "print(6 * 7)")
    assert (found["Status"], found["StandardOutputContent"]) == ("Success", "42\n")


def test_the_working_directory(node: Agent, tmp_path: Path) -> None:
    found = node.run("pwd", workingDirectory=[str(tmp_path)])
    assert found["StandardOutputContent"] == f"{tmp_path}\n"
    found = node.run("pwd", workingDirectory=["/no/such/folder"])
    assert found["Status"] == "Failed"
    assert "working directory /no/such/folder does not exist" in found["StandardErrorContent"]


def test_long_output_is_cut_and_does_not_block(node: Agent) -> None:
    found = node.run("seq 1000000; seq 1000000 >&2")
    assert found["Status"] == "Success"
    assert found["StandardOutputContent"].startswith("1\n2\n")
    assert found["StandardOutputContent"].endswith("---Output truncated---")
    assert len(found["StandardOutputContent"]) == 24_000
    assert len(found["StandardErrorContent"]) == 8_000


def test_a_timeout_ends_the_whole_group(node: Agent) -> None:
    sleep = long_sleep(20)
    found = node.run(f"{sleep} & {sleep}", executionTimeout=["1"])
    assert (found["Status"], found["ResponseCode"]) == ("TimedOut", 137)
    wait_until(lambda: not list(named(sleep)))


def test_cancelling_ends_the_whole_group(node: Agent) -> None:
    sleep = long_sleep(21)
    command_id = node.send(f"echo started; {sleep} & {sleep}")
    wait_until(lambda: len(list(named(sleep))) >= 2)
    node.ssm.cancel_command(CommandId=command_id)
    found = node.result(command_id)
    assert (found["Status"], found["StandardOutputContent"]) == ("Cancelled", "started\n")
    wait_until(lambda: not list(named(sleep)))


def test_a_service_that_a_command_starts_lives_on_and_is_not_waited_for(node: Agent) -> None:
    sleep = long_sleep(22)
    found = node.run(f"{sleep} &", "echo started")
    assert (found["Status"], found["StandardOutputContent"]) == ("Success", "started\n")
    left = list(named(sleep))
    assert len(left) == 1
    os.kill(left[0], signal.SIGKILL)


def test_commands_run_beside_each_other(node: Agent, tmp_path: Path) -> None:
    first = node.send(f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo first")
    assert node.run(f"touch {tmp_path}/go; echo second")["StandardOutputContent"] == "second\n"
    assert node.result(first)["StandardOutputContent"] == "first\n"


def test_more_than_run_at_once_all_run(node: Agent) -> None:
    sent = [node.send(f"echo {number}") for number in range(25)]
    assert [node.result(one)["StandardOutputContent"] for one in sent] == [f"{number}\n" for number in range(25)]


def test_no_script_stays_on_the_disk(node: Agent) -> None:
    node.run("echo something private 8d1f")
    folder = node.paths.ssm_state / node.node_id / "document"
    wait_until(lambda: not list(folder.rglob("*")) if folder.exists() else True)


def push(node: Agent, kind: MessageType, payload: bytes) -> str:
    """Send a message on the node's control channel; return its id."""
    message = AgentMessage(kind, payload, uuid.uuid4(), 1)

    async def send(plane: Plane) -> None:
        found = plane.store.nodes.get(node.node_id)
        assert found is not None
        assert found.control is not None
        await found.control.send(encode(message))

    node.plane.wait(send(node.plane.plane))
    return str(message.message_id)


@pytest.fixture
def acks(monkeypatch: pytest.MonkeyPatch) -> list[JobAck]:
    """Every agent_job_ack that the plane receives."""
    seen: list[JobAck] = []
    decode = JobAck.decode

    def record(payload: bytes) -> JobAck:
        seen.append(decode(payload))
        return seen[-1]

    monkeypatch.setattr(JobAck, "decode", record)
    return seen


def job(node: Agent, command_id: str, document: dict[str, Any], **parameters: Any) -> bytes:
    return RunCommand(f"aws.ssm.{command_id}.{node.node_id}", command_id, "Mine", document, parameters).encode()


SHELL = {
    "schemaVersion": "1.2",
    "runtimeConfig": {"aws:runShellScript": {"properties": [{"runCommand": "{{ line }}"}]}},
}


def test_a_command_is_run_once(node: Agent, acks: list[JobAck], tmp_path: Path) -> None:
    command_id = str(uuid.uuid4())
    payload = job(node, command_id, SHELL, line=f"echo x >> {tmp_path}/ran")
    for _ in range(2):
        push(node, MessageType.AGENT_JOB, payload)
    wait_until(lambda: len(acks) == 2)
    assert [ack.status_code for ack in acks] == [200, 51405]
    assert (acks[0].error_message, acks[0].job_id) == ("Successful", f"aws.ssm.{command_id}.{node.node_id}")
    wait_until((tmp_path / "ran").exists)
    # Also when it has ended and its result was received.
    journal = node.paths.ssm_state / node.node_id / "commands"
    wait_until((journal / f"{command_id}.done").exists)
    push(node, MessageType.AGENT_JOB, payload)
    wait_until(lambda: len(acks) == 3)
    assert acks[2].status_code == 51405
    assert (tmp_path / "ran").read_text() == "x\n"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"no json", 51408),
        (b"{}", 51408),
        (json.dumps({"JobId": "j", "Topic": "aws.ssm.sendCommand", "Content": "{"}).encode(), 51408),
        (json.dumps({"JobId": "j", "Topic": "aws.ssm.other", "Content": "{}"}).encode(), 51408),
        (RunCommand("j", "../../x", "D", SHELL).encode(), 51408),
        (RunCommand("j", str(uuid.UUID(int=1)), "D", {"schemaVersion": "9.9"}).encode(), 51406),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_and_harms_nothing(
    node: Agent, acks: list[JobAck], payload: bytes, code: int
) -> None:
    worker = node.worker
    message_id = push(node, MessageType.AGENT_JOB, payload)
    wait_until(lambda: acks)
    assert (acks[0].status_code, acks[0].acknowledged_message_id) == (code, message_id)
    assert node.run("echo fine")["StandardOutputContent"] == "fine\n"
    assert node.worker == worker


def test_several_steps(node: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "schemaVersion": "2.2",
        "mainSteps": [
            {"action": "aws:runShellScript", "name": "one", "inputs": {"runCommand": ["echo 1"]}},
            {"action": "aws:bakeBread", "name": "two", "inputs": {}},
            {
                "action": "aws:runShellScript",
                "name": "three",
                "onFailure": "exit",
                "inputs": {"runCommand": ["exit 9"]},
            },
            {"action": "aws:runShellScript", "name": "four", "inputs": {"runCommand": ["echo never"]}},
        ],
    }
    from sm_ssh_entry.wire.control import JobReply

    seen: list[JobReply] = []
    decode = JobReply.decode

    def record(payload: bytes) -> JobReply:
        seen.append(decode(payload))
        return seen[-1]

    monkeypatch.setattr(JobReply, "decode", record)
    push(node, MessageType.AGENT_JOB, job(node, str(uuid.uuid4()), document))
    final = wait_until(lambda: next((reply for reply in seen if reply.document_status != "InProgress"), None))
    assert final is not None
    assert final.document_status == "Failed"
    assert {name: (step.status, step.code) for name, step in final.steps.items()} == {
        "one": ("Success", 0),
        "two": ("Failed", 1),
        "three": ("Failed", 9),
        "four": ("Skipped", 0),
    }
    assert final.agent["name"] == "sm-ssh-standin"
    assert seen[0].document_status == "InProgress"
    assert seen[0].steps == {}


def test_a_result_is_sent_until_it_is_received(node: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    from sm_ssh_entry.plane import control_channel

    replied = control_channel._replied
    heard: list[str] = []

    async def deaf_at_first(store: Any, found: Any, received: AgentMessage) -> None:
        heard.append(str(received.message_id))
        if heard.count(str(received.message_id)) > 1:
            await replied(store, found, received)

    monkeypatch.setattr(control_channel, "_replied", deaf_at_first)
    assert node.run("echo heard")["StandardOutputContent"] == "heard\n"


def test_a_killed_agent_says_later_what_became_of_its_command(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.register()
    agent.start()
    agent.online()
    sleep = long_sleep(23)
    command_id = agent.send(sleep)
    wait_until(lambda: list(named(sleep)))
    os.kill(agent.worker, signal.SIGKILL)
    found = agent.result(command_id)
    assert (found["Status"], found["StandardErrorContent"]) == ("Failed", "the agent was restarted meanwhile")
    wait_until(lambda: not list(named(sleep)))
