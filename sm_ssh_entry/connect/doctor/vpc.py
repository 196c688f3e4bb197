"""The job's network, where it is in a VPC of the account's: a way to Systems Manager, by endpoints or by a NAT gateway.

A job in a VPC has no public address: an internet gateway alone is no way out for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect.doctor.case import Case, Network
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked

_HTTPS = 443
_GONE = {"deleting", "deleted", "rejected", "expired", "failed"}
_NOT_IN_VPC = "it is not in a VPC of yours"
_EVERYWHERE = ("0.0.0.0/0", "::/0")
# Agents from this version on get their commands by ssmmessages where there is no ec2messages.
_WITHOUT_EC2MESSAGES = (3, 3, 40)
_WAYS_OUT = ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "LocalGatewayId")


def subnet(case: Case) -> Finding:
    """Which VPC is it, and does its subnet lead to the internet?"""
    subnets = case.subnets or (case.resource.subnets if case.resource else ())
    if not subnets:
        return unchecked(_NOT_IN_VPC if case.resource else "no subnet is known: name it with --subnet", blocked=True)
    ec2 = case.client("ec2")
    with aws.errors_of(action="ec2:DescribeSubnets"):
        found = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    vpc = str(found[0]["VpcId"])
    with aws.errors_of(action="ec2:DescribeRouteTables"):
        tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ways = [_way_out(tables, str(one["SubnetId"])) for one in found]
    case.network = Network(
        vpc=vpc,
        subnets=tuple(subnets),
        ranges=tuple(str(one["CidrBlock"]) for one in found),
        groups=case.groups or (case.resource.groups if case.resource else ()),
        way_out=ways[0] if all(ways) else "",
    )
    how = f"out by {case.network.way_out}" if case.network.way_out else "no way to the internet: endpoints must do"
    return ok(f"{vpc}, {', '.join(subnets)}: {how}")


def names(case: Case) -> Finding:
    """Does the VPC resolve names, private ones too?"""
    if case.network is None:
        return unchecked(_NOT_IN_VPC)
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        with aws.errors_of(action="ec2:DescribeVpcAttribute"):
            answer = case.client("ec2").describe_vpc_attribute(VpcId=case.network.vpc, Attribute=attribute)
        if not answer[key]["Value"]:
            option = "--enable-dns-support" if key == "EnableDnsSupport" else "--enable-dns-hostnames"
            return bad(
                f"{attribute} is off in {case.network.vpc}: endpoints have no private names",
                f"aws ec2 modify-vpc-attribute --region {case.region} --vpc-id {case.network.vpc} {option}",
            )
    return ok("DNS support and host names are on")


def outward(case: Case) -> Finding:
    """Do the job's own security groups let it out to port 443?"""
    if case.network is None:
        return unchecked(_NOT_IN_VPC)
    if not case.network.groups:
        return unchecked("its security groups are not known: name them with --security-group")
    if any(
        _covers_https(rule) for group in _groups(case, case.network.groups) for rule in group["IpPermissionsEgress"]
    ):
        return ok(", ".join(case.network.groups))
    return bad(
        f"no rule of {', '.join(case.network.groups)} lets the job out to port 443",
        f"aws ec2 authorize-security-group-egress --region {case.region} --group-id {case.network.groups[0]} "
        "--protocol tcp --port 443 --cidr 0.0.0.0/0",
    )


def ssm(case: Case) -> Finding:
    """Is there a way to ``ssm``, by which nodes register?"""
    return _endpoint(case, "ssm")


def ssmmessages(case: Case) -> Finding:
    """Is there a way to ``ssmmessages``, which carries sessions?"""
    return _endpoint(case, "ssmmessages")


def ec2messages(case: Case) -> Finding:
    """Is there a way to ``ec2messages``, which agents before 3.3.40 need?"""
    version = case.place.node.agent_version if case.place else ""
    old = bool(version) and _numbers(version) < _WITHOUT_EC2MESSAGES
    return _endpoint(case, "ec2messages", "" if old else "agents from 3.3.40 on do without it")


def sts(case: Case) -> Finding:
    """Is there a way to ``sts``, by which a container learns its own role?"""
    named = bool((case.resource.environment or {}).get(contract.SSH_SSM_ROLE)) if case.resource else bool(case.ssm_role)
    return _endpoint(case, "sts", f"{contract.SSH_SSM_ROLE} names the role already" if named else "")


def logs(case: Case) -> Finding:
    """Is there a way to ``logs``?"""
    return _endpoint(case, "logs", "only logs of sessions need it")


def s3(case: Case) -> Finding:
    """Is there a way to S3?"""
    return _endpoint(case, "s3", "SSH does not need it; SageMaker itself reads inputs by it")


def _endpoint(case: Case, service: str, spare: str = "") -> Finding:
    """Judge one service's endpoint.

    Args:
        case: with its network.
        service: ``ssm``.
        spare: why SSH does without it; ``""``: it does not.
    """
    if case.network is None:
        return unchecked(_NOT_IN_VPC)
    with aws.errors_of(action="ec2:DescribeVpcEndpoints"):
        answer = case.client("ec2").describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [case.network.vpc]}])
    name = f".{case.region}.{service}"
    there = [
        one
        for one in answer["VpcEndpoints"]
        if str(one["ServiceName"]).endswith(name) and str(one.get("State", "")).lower() not in _GONE
    ]
    if not there:
        if case.network.way_out:
            return ok(f"no endpoint; the way is {case.network.way_out}")
        return unchecked(f"no endpoint: {spare}") if spare else _missing(case, service)
    faults = [_fault(case, one, service) for one in there]
    good = next((one for one, fault in zip(there, faults, strict=True) if fault is None), None)
    if good is not None:
        return ok(str(good["VpcEndpointId"]))
    return faults[0] or ok("")


def _missing(case: Case, service: str) -> Finding:
    network = case.network or Network()
    groups = f" --security-group-ids {' '.join(network.groups)}" if network.groups else ""
    return bad(
        f"{network.vpc} has no endpoint for {service}, and its subnet no way to the internet",
        f"aws ec2 create-vpc-endpoint --region {case.region} --vpc-id {network.vpc} --vpc-endpoint-type Interface "
        f"--service-name com.amazonaws.{case.region}.{service} --subnet-ids {' '.join(network.subnets)}{groups} "
        "--private-dns-enabled",
    )


def _fault(case: Case, endpoint: Mapping[str, Any], service: str) -> Finding | None:
    """Return what is wrong with an endpoint, None where nothing is."""
    network, found = case.network or Network(), str(endpoint["VpcEndpointId"])
    state = str(endpoint.get("State", "")).lower()
    if state != "available":
        return bad(f"{found} for {service} is {state}", f"aws ec2 describe-vpc-endpoints --vpc-endpoint-ids {found}")
    if str(endpoint.get("VpcEndpointType")) != "Interface":
        return None
    if not endpoint.get("PrivateDnsEnabled"):
        if network.way_out:  # then the public name leads out by that way
            return None
        return bad(
            f"private DNS of {found} for {service} is off: its name leads nowhere",
            f"aws ec2 modify-vpc-endpoint --region {case.region} --vpc-endpoint-id {found} --private-dns-enabled",
        )
    groups = [str(one["GroupId"]) for one in endpoint.get("Groups", ())]
    if groups and not any(
        _lets_in(rule, network) for group in _groups(case, groups) for rule in group["IpPermissions"]
    ):
        source = f"--source-group {network.groups[0]}" if network.groups else f"--cidr {network.ranges[0]}"
        return bad(
            f"{', '.join(groups)} of {found} for {service} does not let the job in on port 443",
            f"aws ec2 authorize-security-group-ingress --region {case.region} --group-id {groups[0]} --protocol tcp "
            f"--port 443 {source}",
        )
    return None


def _groups(case: Case, ids: Iterable[str]) -> list[Mapping[str, Any]]:
    with aws.errors_of(action="ec2:DescribeSecurityGroups"):
        return list(case.client("ec2").describe_security_groups(GroupIds=list(ids))["SecurityGroups"])


def _covers_https(rule: Mapping[str, Any]) -> bool:
    protocol = str(rule.get("IpProtocol"))
    if protocol == "-1":
        return True
    return protocol in {"tcp", "6"} and int(rule.get("FromPort", 0)) <= _HTTPS <= int(rule.get("ToPort", 65535))


def _lets_in(rule: Mapping[str, Any], network: Network) -> bool:
    """Say whether an ingress rule of an endpoint lets the job in: by its groups, or by the range of its subnets."""
    if not _covers_https(rule):
        return False
    if {str(pair.get("GroupId")) for pair in rule.get("UserIdGroupPairs", ())} & set(network.groups):
        return True
    allowed = [ipaddress.IPv4Network(str(one["CidrIp"]), strict=False) for one in rule.get("IpRanges", ())]
    needed = [ipaddress.IPv4Network(one) for one in network.ranges]
    return bool(needed) and all(any(one.subnet_of(of) for of in allowed) for one in needed)


def _way_out(tables: Iterable[Mapping[str, Any]], subnet_id: str) -> str:
    """Return by what a subnet's default route leads out, ``""``: by nothing that serves a job."""
    every = list(tables)
    own = [table for table in every if any(one.get("SubnetId") == subnet_id for one in table.get("Associations", ()))]
    main = [table for table in every if any(one.get("Main") for one in table.get("Associations", ()))]
    for table in own or main:
        for route in table.get("Routes", ()):
            target = next((str(route[key]) for key in _WAYS_OUT if route.get(key)), "")
            anywhere = route.get("DestinationCidrBlock") in _EVERYWHERE
            if anywhere and target and str(route.get("State", "active")) == "active":
                return target
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())[:3]
