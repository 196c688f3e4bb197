"""The legacy command queue: polite and empty."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import pytest
from botocore.session import get_session

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent_calls import FakeNode, post, register
from tests.waiting import wait_until


@pytest.fixture
def node(shared_plane: PlaneThread, ssm: Any) -> FakeNode:
    shared_plane.call(lambda plane: setattr(plane.store.settings, "long_poll", 0.0))
    return register(shared_plane.url, ssm.create_activation(IamRole="Nodes"))


def test_nothing_waits(node: FakeNode) -> None:
    body = {"Destination": node.node_id, "MessagesRequestId": "r1", "VisibilityTimeoutInSeconds": 10}
    answer = node.call("GetMessages", body, "ec2messages")
    assert answer.body == {"Destination": node.node_id, "MessagesRequestId": "r1", "Messages": []}


def test_answers_to_messages_are_taken(node: FakeNode) -> None:
    name = f"aws.ssm.c.{node.node_id}"
    for operation, more in (
        ("AcknowledgeMessage", {}),
        ("SendReply", {"ReplyId": "r", "Payload": "{}"}),
        ("FailMessage", {"FailureType": "InternalHandlerException"}),
        ("DeleteMessage", {}),
    ):
        assert node.call(operation, {"MessageId": name} | more, "ec2messages").body == {}


def test_what_is_refused(node: FakeNode) -> None:
    body = {"Destination": "mi-" + "0" * 17, "MessagesRequestId": "r1"}
    assert node.call("GetMessages", body, "ec2messages").code == "InvalidInstanceId"
    assert node.call("GetMessages", {}, "ec2messages").code == "ValidationException"
    target = "EC2WindowsMessageDeliveryService.GetMessages"
    assert post(node.url, target, body).code == "MissingAuthenticationTokenException"
    assert node.call("PurgeEverything", {}, "ec2messages").code == "UnknownOperationException"


def test_a_poll_that_is_held_back_does_not_hold_back_the_stop() -> None:
    """stop() returns although a poll of an hour is open; the poller sees its connection end."""
    thread = PlaneThread().start()
    thread.call(lambda plane: setattr(plane.store.settings, "long_poll", 3600.0))
    found = thread.environment()
    ssm = get_session().create_client(
        "ssm",
        region_name="us-east-1",
        endpoint_url=thread.url,
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )
    node = register(thread.url, ssm.create_activation(IamRole="Nodes"))
    ssm.close()
    node.take_role()
    ended = threading.Event()

    def poll() -> None:
        body = {"Destination": node.node_id, "MessagesRequestId": "r1"}
        with pytest.raises((OSError, http.client.HTTPException)):
            node.call("GetMessages", body, "ec2messages")
        ended.set()

    thread.call(lambda plane: plane.faults.add("GetMessages", times=1))
    threading.Thread(target=poll, daemon=True).start()
    wait_until(lambda: thread.call(lambda plane: not plane.faults.listing()), what="the poll has come in")
    thread.stop()
    assert ended.wait(120)
