"""Routes and rules of a VPC, as EC2 describes them."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.connect.doctor import vpc
from sm_ssh_entry.connect.doctor.case import Network

NETWORK = Network("vpc-1", ("subnet-1",), ("10.7.1.0/24", "10.7.2.0/24"), ("sg-job",))
ANYWHERE = "0.0.0.0/0"


def table(*routes: dict[str, str], subnet: str = "") -> dict[str, Any]:
    where = {"SubnetId": subnet} if subnet else {"Main": True}
    return {"Associations": [where], "Routes": list(routes)}


def to(target: str, *, state: str = "active", cidr: str = ANYWHERE, key: str = "NatGatewayId") -> dict[str, str]:
    return {"DestinationCidrBlock": cidr, key: target, "State": state}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([table(to("nat-1"))], "nat-1"),
        ([table(to("nat-1")), table(to("nat-2"), subnet="subnet-1")], "nat-2"),
        ([table(to("nat-1")), table(subnet="subnet-1")], ""),
        ([table(to("tgw-1", key="TransitGatewayId"))], "tgw-1"),
        ([table(to("igw-1", key="GatewayId"))], ""),
        ([table(to("nat-1", state="blackhole"))], ""),
        ([table(to("nat-1", cidr="10.0.0.0/8"))], ""),
        ([], ""),
    ],
)
def test_a_way_out(tables: list[dict[str, Any]], expected: str) -> None:
    assert vpc._way_out(tables, "subnet-1") == expected


def rule(protocol: str = "tcp", ports: tuple[int, int] | None = (443, 443), **source: Any) -> dict[str, Any]:
    bounds = {"FromPort": ports[0], "ToPort": ports[1]} if ports else {}
    return {"IpProtocol": protocol, **bounds, **source}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(UserIdGroupPairs=[{"GroupId": "sg-job"}]), True),
        (rule(UserIdGroupPairs=[{"GroupId": "sg-other"}]), False),
        (rule(IpRanges=[{"CidrIp": "10.7.0.0/16"}]), True),
        (rule(IpRanges=[{"CidrIp": "10.7.1.0/24"}]), False),
        (rule(IpRanges=[{"CidrIp": "10.7.1.0/24"}, {"CidrIp": "10.7.2.0/24"}]), True),
        (rule(IpRanges=[{"CidrIp": ANYWHERE}]), True),
        (rule(ports=(0, 442), IpRanges=[{"CidrIp": ANYWHERE}]), False),
        (rule(ports=(0, 65535), IpRanges=[{"CidrIp": ANYWHERE}]), True),
        (rule("udp", IpRanges=[{"CidrIp": ANYWHERE}]), False),
        (rule("-1", None, IpRanges=[{"CidrIp": ANYWHERE}]), True),
        (rule(), False),
    ],
)
def test_who_is_let_in(given: dict[str, Any], expected: bool) -> None:
    assert vpc._lets_in(given, NETWORK) is expected
