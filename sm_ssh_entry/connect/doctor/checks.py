"""The list of checks, in the order in which they are told."""

from __future__ import annotations

from sm_ssh_entry.connect.doctor import account, caller, client, login, network, node, resource, roles, vpc
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Check

_SIGNED_IN = ("account.credentials",)
_FOUND = ("resource.exists",)
_ROLE = ("ssm-role.exists",)
_IN_VPC = ("vpc.subnet",)
_ONLINE = ("node.online",)
# Which way a name leads, managed node or SageMaker's own agent, says what its job must have.
_PLACED = ("resource.exists", "node.registered")

CHECKS: tuple[Check, ...] = (
    Check("client.python", "Python", client.python),
    Check("client.openssh", "OpenSSH", client.openssh),
    Check("client.folder", "~/.ssh", client.ssh_folder),
    Check("client.key", "your key", client.key, needs=("client.openssh",)),
    Check("client.config", "plain ssh's configuration", client.config, needs=("client.openssh",)),
    Check("client.proxies", "proxy variables", client.proxies),
    Check("client.certificates", "certificate authorities", client.certificates),
    Check("account.region", "region", account.region),
    Check("network.ssm", "endpoint ssm", network.ssm, needs=("account.region", "client.certificates")),
    Check("network.ssmmessages", "endpoint ssmmessages", network.ssmmessages, needs=("network.ssm",)),
    Check("client.clock", "clock", network.clock, needs=("network.ssm",)),
    Check("account.credentials", "credentials", account.credentials, needs=("client.clock",)),
    Check("account.tier", "advanced-instances tier", account.tier, needs=_SIGNED_IN),
    Check("caller.find", "you may find nodes", caller.find, needs=_SIGNED_IN),
    Check("caller.tags", "you may read their tags", caller.tags, needs=_SIGNED_IN, after=_PLACED),
    Check("caller.start", "you may start sessions", caller.start, needs=_SIGNED_IN, after=_PLACED),
    Check("caller.end", "you may end sessions", caller.end, needs=_SIGNED_IN),
    Check("caller.send", "you may use Run Command", caller.send, needs=_SIGNED_IN, after=_PLACED),
    Check("resource.exists", "the job", resource.exists, needs=_SIGNED_IN),
    Check("resource.running", "it runs", resource.running, needs=_FOUND),
    Check("resource.ssh", "SSH is switched on in it", resource.switched_on, needs=_FOUND, after=_PLACED),
    Check("resource.isolation", "network isolation is off", resource.isolation, needs=_FOUND),
    Check("resource.owner", "it is yours", resource.owner, needs=_FOUND, after=_PLACED),
    Check("ssm-role.exists", "the nodes' role", roles.exists, needs=_SIGNED_IN, after=_PLACED),
    Check("ssm-role.trust", "it trusts SSM", roles.trust, needs=_ROLE),
    Check("ssm-role.permissions", "its permissions", roles.permissions, needs=_ROLE),
    Check("role.activation", "the job may make activations", roles.create, needs=_SIGNED_IN, after=_PLACED),
    Check("role.tags", "the job may tag them", roles.tag, needs=_SIGNED_IN, after=_PLACED),
    Check("role.pass", "the job may pass the nodes' role", roles.hand_over, needs=_SIGNED_IN, after=_PLACED),
    Check("vpc.subnet", "the job's subnet", vpc.subnet, needs=_SIGNED_IN, after=_FOUND),
    Check("vpc.dns", "its VPC resolves names", vpc.names, needs=_IN_VPC),
    Check("vpc.outward", "its security groups let it out", vpc.outward, needs=_IN_VPC),
    Check("vpc.ssm", "its way to ssm", vpc.ssm, needs=_IN_VPC),
    Check("vpc.ssmmessages", "its way to ssmmessages", vpc.ssmmessages, needs=_IN_VPC),
    Check("vpc.ec2messages", "its way to ec2messages", vpc.ec2messages, needs=_IN_VPC, after=_PLACED),
    Check("vpc.sts", "its way to sts", vpc.sts, needs=_IN_VPC),
    Check("vpc.logs", "its way to logs", vpc.logs, needs=_IN_VPC),
    Check("vpc.s3", "its way to S3", vpc.s3, needs=_IN_VPC),
    Check("node.registered", "its managed node", node.registered, needs=_FOUND, after=("caller.find",)),
    Check("node.online", "it is connected", node.online, needs=("node.registered",)),
    Check("node.agent", "its agent", node.agent, needs=_ONLINE),
    Check("node.owner", "its owner", node.owner, needs=_ONLINE),
    Check("node.tags", "its tags", node.tags, needs=_ONLINE),
    Check(
        "login.session", "a session to its sshd", login.session, needs=_ONLINE, after=("account.tier",), seconds=40.0
    ),
    Check(
        "login.key",
        "a login with your key",
        login.key,
        needs=("login.session", "client.openssh", "client.key"),
        seconds=40.0,
    ),
)
# What only a name leads to.
_OF_A_NAME = ("resource", "node", "login")


def chosen(case: Case) -> tuple[Check, ...]:
    """Return the checks that what is given makes possible."""
    areas = {"client", "account", "network", "caller"}
    if case.target:
        areas |= {*_OF_A_NAME, "role", "ssm-role", "vpc"}
    if case.role or case.ssm_role:
        areas |= {"role", "ssm-role"}
    if case.subnets:
        areas.add("vpc")
    return tuple(check for check in CHECKS if check.name.partition(".")[0] in areas)
