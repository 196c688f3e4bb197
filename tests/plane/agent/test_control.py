"""The control channel's hard life: cut, refused, fed with garbage; and the credentials behind it."""

from __future__ import annotations

import json
import os

import pytest

from sm_ssh_entry.plane.server import Plane
from sm_ssh_entry.plane.store import Settings
from sm_ssh_entry.wire.message import MessageType
from tests.plane.agent.conftest import NodeMaker
from tests.plane.agent.processes import Agent
from tests.plane.agent.test_run_command import push
from tests.waiting import wait_until


def cut(agent: Agent) -> object:
    """Cut the control channel; return what it was."""

    def abort(plane: Plane) -> object:
        node = plane.store.nodes.get(agent.node_id)
        assert node is not None
        control = node.control
        assert control is not None
        control.abort()
        return control

    return agent.plane.call(abort)


def works(agent: Agent) -> bool:
    return bool(agent.run("echo fine")["StandardOutputContent"] == "fine\n")


def test_a_cut_channel_comes_back(node: Agent) -> None:
    worker = node.worker
    for _ in range(2):
        before = cut(node)
        wait_until(lambda before=before: node.control() not in {None, before})  # type: ignore[misc]
    assert works(node)
    assert node.worker == worker


def test_a_command_that_ends_while_the_channel_is_cut_is_reported(node: Agent) -> None:
    command_id = node.send("sleep 0.2; echo late")
    wait_until(lambda: node.invocation(command_id)["Status"] == "InProgress")
    node.plane.call(lambda plane: plane.faults.add("CreateControlChannel", code="Busy", status=503, times=1))
    cut(node)
    assert node.result(command_id)["StandardOutputContent"] == "late\n"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (MessageType.INTERACTIVE_SHELL, b"no json"),
        (MessageType.INTERACTIVE_SHELL, b"{}"),
        (MessageType.INTERACTIVE_SHELL, b'{"TaskId":"t","Content":"[]"}'),
        (MessageType.CHANNEL_CLOSED, b"\xff\xfe"),
        (MessageType.CHANNEL_CLOSED, b'{"SessionId":"of-nobody"}'),
        (MessageType.AGENT_JOB_REPLY_ACK, b"[]"),
        (MessageType.AGENT_TASK_ACKNOWLEDGE, b'{"TaskId":7}'),
        (MessageType.OUTPUT_STREAM_DATA, b"x"),
    ],
)
def test_a_malformed_message_costs_a_line(node: Agent, kind: MessageType, payload: bytes) -> None:
    worker, before = node.worker, node.control()
    push(node, kind, payload)
    assert works(node)
    assert (node.worker, node.control()) == (worker, before)
    assert "Traceback" not in node.text()


@pytest.mark.parametrize("frame", [b"", b"\0" * 200, os.urandom(500), b"x" * 116])
def test_a_malformed_frame_costs_a_line(node: Agent, frame: bytes) -> None:
    worker, before = node.worker, node.control()

    async def send(plane: Plane) -> None:
        found = plane.store.nodes.get(node.node_id)
        assert found is not None
        assert found.control is not None
        await found.control.send(frame)

    node.plane.wait(send(node.plane.plane))
    assert works(node)
    assert (node.worker, node.control()) == (worker, before)
    assert "Traceback" not in node.text()


def test_a_session_without_a_place_here_is_refused_in_words(node: Agent) -> None:
    content = {"SessionId": "s-1", "DocumentContent": {"schemaVersion": "1.0", "sessionType": "Telepathy"}}
    push(node, MessageType.INTERACTIVE_SHELL, json.dumps({"TaskId": "s-1", "Content": json.dumps(content)}).encode())
    wait_until(lambda: "session s-1: Failed (session type 'Telepathy' is not supported)" in node.text())


def test_credentials_are_renewed_and_the_key_rotated(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.register()

    def public_key(plane: Plane) -> str:
        node = plane.store.nodes.get(agent.node_id)
        assert node is not None
        return node.public_key

    before = agent.plane.call(public_key)
    agent.plane.call(lambda plane: vars(plane.store.settings).update(token_lifetime=1.5, rotate_key=True))
    try:
        agent.start()
        agent.online()
        first = wait_until(lambda: (found := agent.plane.call(public_key)) != before and found)
        # The next renewal is signed with the new key, and rotates again.
        wait_until(lambda: agent.plane.call(public_key) not in {before, first})
    finally:
        agent.plane.call(lambda plane: vars(plane.store.settings).update(vars(Settings())))
    assert works(agent)
    # What is on the disk is the key in force: another start needs nothing else.
    agent.stop()
    agent.start()
    assert works(agent.online())


def test_a_rotation_whose_answer_was_lost_is_settled_at_the_next_start(new_node: NodeMaker) -> None:
    from sm_ssh_entry.plane.agent.identity import Vault, public_text

    agent = new_node()
    agent.register()
    vault = Vault(agent.paths)
    proposed = vault.propose(vault.load())

    def rotated(plane: Plane) -> None:
        node = plane.store.nodes.get(agent.node_id)
        assert node is not None
        node.public_key = public_text(proposed.private_key)

    agent.plane.call(rotated)
    agent.start()
    agent.online()
    assert public_text(vault.load().private_key) == public_text(proposed.private_key)


def test_a_service_that_refuses_for_a_while_is_asked_again(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.register()
    for operation in ("RequestManagedInstanceRoleToken", "UpdateInstanceInformation", "CreateControlChannel"):
        agent.plane.call(lambda plane, name=operation: plane.faults.add(name, code="Busy", status=500, times=2))  # type: ignore[misc]
    agent.start()
    assert works(agent.online())


def test_over_tls_with_the_planes_own_authority(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.extra = {"AWS_ENDPOINT_URL": agent.plane.tls_url, "AWS_CA_BUNDLE": str(agent.plane.ca_file)}
    agent.register()
    agent.start()
    assert works(agent.online())


def test_an_unknown_authority_is_refused(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.extra = {"AWS_ENDPOINT_URL": agent.plane.tls_url}
    done = agent.cli(*agent.activate())
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
