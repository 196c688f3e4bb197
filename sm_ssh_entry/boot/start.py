"""The steps from a container's start to a node that can be reached.

Runs as a child of supervise, as the container's user, with the job's environment (AWS credentials among it) and a
writable state folder. It ends when the node is registered; sshd and the agent live on under supervisord.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sm_ssh_entry import __version__, aws, contract
from sm_ssh_entry.boot import activation, agent, context, environment, keys, log, sshd, status, waiters
from sm_ssh_entry.boot.later import Later
from sm_ssh_entry.boot.settings import Settings
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, SmSshError

_SSHD_TIMEOUT = 30.0
_UNKNOWN = context.Context("inference")


@dataclass(frozen=True)
class Access:
    """What the activation needs of AWS, prepared in the background: the SSM client, the region, who we are."""

    ssm: Any
    region: str
    caller: Callable[[], activation.Caller]


@dataclass(frozen=True)
class Node:
    """What is known about this node so far; each step returns the next one.

    Args:
        env: the job's environment.
        settings: what the user asked for.
        paths: where the container keeps its files.
        begin: starts one of supervisord's programs, by name.
        word: first word of the user's command.
        told: kinds of failures that have had their line in the log.
    """

    env: Mapping[str, str] = field(repr=False)
    settings: Settings = field(repr=False)
    paths: Paths
    begin: Callable[[str], None]
    word: str = ""
    context: context.Context = _UNKNOWN
    access: Later[Access] | None = None
    host_key: str = ""
    authorized: tuple[str, ...] = ()
    port: int = 0
    activation: activation.Activation | None = None
    node_id: str = ""
    told: set[type[SmSshError]] = field(default_factory=set)

    @property
    def registers(self) -> bool:
        """Whether this node registers with SSM; the others run sshd only."""
        return self.context.rank < self.settings.instance_count


def identify(node: Node) -> Node:
    """Read what SageMaker tells about the container; begin to prepare the AWS clients beside the next steps."""
    found = context.read(node.env, node.paths, node.word)
    for problem in found.problems:
        log.say(f"WARNING {problem}")
    status.update(node.paths, kind=found.kind, name=found.name or None, node=found.host or None, rank=found.rank)
    sshd.check_account()
    here = replace(node, context=found)
    reused = agent.working_registration(node.paths) if here.registers else ""
    if reused:
        return replace(here, node_id=reused)
    keys.forget_host_key(node.paths)
    # Before anything is started, so that a container without an agent says so at once.
    if here.registers:
        agent.check(agent.argv(node.settings.agent))
        here = replace(here, access=Later(lambda: _access(here)))
    return here


def make_keys(node: Node) -> Node:
    """Make the host key; write down who may log in."""
    # A node that is known already at this point is an earlier start's.
    again = bool(node.node_id)
    good, problems = keys.start_authorized(node.paths, node.settings.authorized_keys, again=again)
    for problem in problems:
        log.fail(problem)
    if problems and node.settings.fails:
        node.told.add(type(problems[0]))
        raise problems[0]
    own = [] if node.paths.root else keys.user_keys(Path(pwd.getpwuid(os.geteuid()).pw_dir))
    return replace(node, host_key=keys.host_key(node.paths), authorized=tuple(dict.fromkeys([*good, *own])))


def start_sshd(node: Node) -> Node:
    """Have sshd started, on every node; registration goes on beside it."""
    server = sshd.prepare(node.paths, port=node.settings.port, several_nodes=node.context.several_nodes)
    for remark in server.remarks:
        log.say(remark)
    node.begin("sshd")
    status.update(node.paths, port=server.port)
    return replace(node, port=server.port)


def activate(node: Node) -> Node:
    """Create the activation, with the tags by which the laptop finds this node."""
    if node.access is None:
        return node
    status.update(node.paths, phase=status.REGISTERING, mark="registering")
    access = node.access.result()
    given = node.settings.role.rpartition(":role/")[2].strip("/") or node.context.role_arn.partition(":role/")[2]
    caller = access.caller()
    role = given or caller.role
    if not role:
        hint = "set SSH_SSM_ROLE to the name of an IAM role that trusts ssm.amazonaws.com"
        raise SetupFailed("no IAM role for the managed node: the caller's identity is not a role", hint=hint)
    roles = [role] if given or "/" in role else [role, activation.SERVICE_ROLE + role]
    tags = activation.tags(tag_values(node, caller.user_id))

    def attempt() -> activation.Activation:
        for candidate in roles[:-1]:
            try:
                return activation.create(access.ssm, candidate, node.context.name, tags, access.region)
            except SmSshError as error:
                if not activation.unknown_role(error):
                    raise
        return activation.create(access.ssm, roles[-1], node.context.name, tags, access.region)

    made = activation.patiently(attempt, rank=node.context.rank, told=lambda *words: _told(node, *words))
    return replace(node, activation=made)


def register(node: Node) -> Node:
    """Register the node, unless an earlier start's registration works."""
    made = node.activation
    if made is not None:
        words = agent.argv(node.settings.agent)
        env = environment.service(node.env, node.paths)
        agent.configure(node.paths, node.env)
        rank = node.context.rank
        node_id = activation.patiently(
            lambda: agent.register_patiently(
                lambda: agent.register(words, made, env, node.paths),
                lambda tries: time.sleep(activation.delay(tries, rank)),
            ),
            rank=rank,
            told=lambda *words: _told(node, *words),
        )
        node = replace(node, node_id=node_id, activation=None)
    if node.node_id:
        region = agent.remember(node.paths, node.node_id, made.region if made else "")
        status.update(
            node.paths, phase=status.REGISTERED, node_id=node.node_id, region=region or None, mark="registered"
        )
        log.say(contract.LINE_REGISTERED.format(node_id=node.node_id))
        if problem := agent.without_commands(node.paths):
            log.say(f"WARNING {problem}")
    return node


def start_agent(node: Node) -> Node:
    """Have the agent started, in its clean environment."""
    if node.node_id:
        node.begin("agent")
    return node


def confirm(node: Node) -> Node:
    """Make sure that sshd answers, then let go whoever waits for this."""
    deadline = time.monotonic() + _SSHD_TIMEOUT
    while not sshd.answers(node.port):
        if time.monotonic() > deadline:
            hint = f"see {node.paths.run / 'log' / 'sshd.log'} in the container"
            raise SetupFailed(f"sshd does not answer on port {node.port}", hint=hint)
        time.sleep(0.02)
    status.update(node.paths, mark="sshd")
    if not node.node_id:
        status.update(node.paths, phase=status.SSHD_ONLY)
        count = node.settings.instance_count
        log.say(f"node {node.context.rank} of the job: sshd only, SSH_INSTANCE_COUNT={count} nodes register")
    waiters.notify(str(node.paths.waiters), waiters.READY if node.node_id else waiters.ALONE)
    return node


STEPS: tuple[Callable[[Node], Node], ...] = (
    identify,
    make_keys,
    start_sshd,
    activate,
    register,
    start_agent,
    confirm,
)


def run(node: Node) -> bool:
    """Take all steps; return whether the node can be reached. A failure is told once, and to whoever waits.

    Args:
        node: the beginning.
    """
    try:
        for problem in node.settings.problems:
            log.fail(problem)
        if node.settings.problems and node.settings.fails:
            node.told.add(type(node.settings.problems[0]))
            raise node.settings.problems[0]
        for step in STEPS:
            node = step(node)
    except SmSshError as error:
        if type(error) not in node.told:
            log.fail(error)
        give_up(node.paths, error.message, error.hint)
        return False
    return True


def give_up(paths: Paths, message: str, hint: str) -> None:
    """Write down a final failure and let go whoever waits: nobody can get in.

    Args:
        paths: where the container keeps its files.
        message: the cause.
        hint: what to do.
    """
    status.update(paths, phase=status.FAILED, error=message, hint=hint or None, mark="failed")
    waiters.notify(str(paths.waiters), waiters.FAILED)


def tag_values(node: Node, creator: str) -> dict[str, str]:
    """Return the managed node's tags as plain texts.

    Args:
        node: after its keys and port are known.
        creator: ``aws:userid`` of the container's own identity.
    """
    return {
        contract.TAG_OWNER: node.settings.owner,
        contract.TAG_CREATOR: creator,
        contract.TAG_TIMESTAMP: str(int(time.time())),
        contract.TAG_RESOURCE_NAME: node.context.name,
        contract.TAG_RESOURCE_ARN: node.context.arn,
        contract.TAG_RESOURCE_KIND: node.context.kind,
        contract.TAG_SESSION_ID: node.settings.session_id,
        contract.TAG_NODE: node.context.host,
        contract.TAG_HOST_KEY: node.host_key,
        contract.TAG_KEY_FINGERPRINTS: keys.fingerprints(node.authorized),
        contract.TAG_PORT: str(node.port),
        contract.TAG_VERSION: __version__,
    }


def _told(node: Node, error: SmSshError, more: str) -> None:
    if type(error) not in node.told:
        node.told.add(type(error))
        log.fail(error, more=more)


def _access(node: Node) -> Access:
    region = aws.region_of()
    # Two tries inside botocore: our own patience, which spreads the nodes of a job, comes on top.
    ssm = aws.client("ssm", region=region, timeout=20.0, attempts=2)
    known = bool(node.settings.role or node.context.role_arn)
    return Access(
        ssm, region or ssm.meta.region_name, activation.caller(region or ssm.meta.region_name, needed=not known)
    )
