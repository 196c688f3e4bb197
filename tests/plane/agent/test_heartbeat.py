"""What the service is told of the node."""

from __future__ import annotations

import ipaddress

from sm_ssh_entry.plane.agent.heartbeat import full_form, own_address, short_form
from sm_ssh_entry.plane.agent.settings import PROTOCOL_VERSION
from tests.plane.agent.processes import Agent


def test_the_short_form_is_short_and_the_full_one_holds_it() -> None:
    short = short_form("mi-1")
    assert short == {
        "AgentName": "sm-ssh-standin",
        "AgentVersion": PROTOCOL_VERSION,
        "InstanceId": "mi-1",
        "PlatformType": "Linux",
    }
    full = full_form("mi-1", "10.0.0.1")
    assert short.items() <= full.items()
    assert (full["IPAddress"], full["AgentStatus"]) == ("10.0.0.1", "Active")
    assert full["PlatformName"]


def test_the_address_is_one() -> None:
    ipaddress.ip_address(own_address())


def test_the_plane_lists_what_was_told(node: Agent) -> None:
    found = node.ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [node.node_id]}])
    (item,) = found["InstanceInformationList"]
    assert (item["PingStatus"], item["AgentVersion"], item["PlatformType"]) == ("Online", PROTOCOL_VERSION, "Linux")
