"""The tables: Online by rule, tags by index, reset."""

from __future__ import annotations

import pytest

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.store import Activation, Node, ServiceSetting, Settings, Store, node_arn, partition_of

RULE = Settings(ping_timeout=900, channel_grace=20)


class Channel:
    """Stands for an open control channel."""

    async def send(self, frame: bytes) -> bool:
        return True

    async def close(self) -> None: ...

    def abort(self) -> None: ...

    def expect_receipt(self) -> None: ...


def activation(**more: str) -> Activation:
    return Activation("a", "code", "us-east-1", "Role", created=0, expires=1, tags=more)


def node(store: Store | None = None, **tags: str) -> Node:
    return (store or Store()).nodes.register(activation(**tags), public_key="", fingerprint="", now=1000.0)


def test_a_node_that_only_registered_is_not_online() -> None:
    assert node().ping_status(1000.0, RULE) == "ConnectionLost"


def test_without_a_channel_heartbeats_count_for_three_of_them() -> None:
    one = node()
    one.ping(1000.0)
    assert one.ping_status(1899.9, RULE) == "Online"
    assert one.ping_status(1900.0, RULE) == "ConnectionLost"


def test_a_channel_keeps_it_online_without_heartbeats() -> None:
    one = node()
    one.attach(Channel(), 1000.0)
    assert one.ping_status(1e6, RULE) == "Online"


def test_a_lost_channel_is_forgiven_for_the_grace_only() -> None:
    one, channel = node(), Channel()
    one.ping(990.0)
    one.attach(channel, 1000.0)
    one.detach(channel, 2000.0)
    assert one.ping_status(2019.9, RULE) == "Online"
    assert one.ping_status(2020.0, RULE) == "ConnectionLost"
    one.attach(Channel(), 2100.0)
    assert one.ping_status(9000.0, RULE) == "Online"


def test_a_heartbeat_after_the_loss_shows_a_living_agent() -> None:
    one, channel = node(), Channel()
    one.attach(channel, 1000.0)
    one.detach(channel, 2000.0)
    one.ping(2300.0)
    assert one.ping_status(3199.0, RULE) == "Online"
    assert one.ping_status(3200.0, RULE) == "ConnectionLost"


def test_a_channel_that_was_replaced_cannot_take_the_node_down() -> None:
    one, old, new = node(), Channel(), Channel()
    assert one.attach(old, 1000.0) is None
    assert one.attach(new, 1001.0) is old
    one.detach(old, 1002.0)
    assert one.control is new


def test_tags_are_found_by_value_and_the_index_stays_clean() -> None:
    store = Store()
    first, second = node(store, job="a", rank="0"), node(store, job="a", rank="1")
    assert store.nodes.tagged("us-east-1", "job", ["a"]) == [first, second]
    assert store.nodes.tagged("us-east-1", "rank") == [first, second]
    assert store.nodes.tagged("eu-west-1", "job", ["a"]) == []
    store.nodes.retag(first, {"job": "b"})
    assert store.nodes.tagged("us-east-1", "job", ["a"]) == [second]
    store.nodes.remove(second)
    assert store.nodes.tagged("us-east-1", "job", ["a", "b"]) == [first]
    assert store.nodes.tagged("us-east-1", "rank") == []
    assert store.nodes.of("us-east-1") == [first]


def test_a_node_is_found_in_its_own_region() -> None:
    store = Store()
    one = node(store)
    assert store.nodes.require(one.node_id, "us-east-1") is one
    with pytest.raises(AwsError) as raised:
        store.nodes.require(one.node_id, "eu-west-1")
    assert raised.value.code == "InvalidInstanceId"


def test_reset_keeps_the_users_key_and_calls_whoever_holds_sockets() -> None:
    store, closed = Store(), []
    store.on_reset.append(lambda: closed.append(len(store.nodes)))
    node(store)
    store.activations["a"] = activation()
    store.faults.add("X", "Y")
    store.service_settings["us-east-1", "/ssm/managed-instance/activation-tier"] = ServiceSetting("standard", 0, "")
    issued = store.credentials.issue()
    store.reset()
    assert closed == [1]
    assert (len(store.nodes), store.activations, store.faults.listing()) == (0, {}, [])
    assert store.tier("us-east-1") == "advanced"
    assert store.credentials.get(issued.access_key) is None
    assert store.credentials.get(store.credentials.user.access_key) is store.credentials.user


def test_arns_by_partition() -> None:
    store = Store()
    made = store.nodes.register(
        Activation("a", "c", "cn-north-1", "Role", created=0, expires=1), public_key="", fingerprint="", now=0
    )
    assert node_arn(store, made) == f"arn:aws-cn:ssm:cn-north-1:123456789012:managed-instance/{made.node_id}"
    assert [partition_of(one) for one in ("us-gov-west-1", "eu-west-1")] == ["aws-us-gov", "aws"]
