"""The plane's state: plain tables with ``reset()``. No I/O, no task; only the plane's own event loop touches it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.credentials import Credentials
from sm_ssh_entry.plane.faults import Faults
from sm_ssh_entry.plane.studio_tables import Studio
from sm_ssh_entry.plane.tokens import Tokens

if TYPE_CHECKING:
    from sm_ssh_entry.plane.components import Component
    from sm_ssh_entry.plane.execution.desk import Desk
    from sm_ssh_entry.plane.in_service import Endpoint
    from sm_ssh_entry.plane.run_command import Command
    from sm_ssh_entry.plane.sessions import Session

# moto's default account, so that ARNs of both halves agree.
ACCOUNT = "123456789012"
TIER_SETTING = "/ssm/managed-instance/activation-tier"


@dataclass
class Settings:
    """What a user of the plane may turn. Seconds throughout.

    Args:
        ping_timeout: a node without a control channel is Online so long after its last heartbeat. Three heartbeats of
            five minutes: protocol page, section 11.
        channel_grace: a node whose control channel dropped is still Online so long. An agent that lives comes back
            within 2.5 s, or on its second try within 15 s more (section 6.2), and a client that waits for "lost" should
            hear it within half a minute: 20 s serves both.
        token_lifetime: lifetime of a node's role credentials. 3600 is AWS's; the agent renews at half of it.
        rotate_key: whether RequestManagedInstanceRoleToken asks the agent for a new key pair.
        default_tier: tier of a region that nobody changed. AWS's own default is ``standard``, which refuses sessions to
            hybrid nodes; ours is ``advanced`` so that a fresh plane can be logged in to.
        long_poll: how long GetMessages holds an empty answer back; less makes the agent ask 25 times a minute.
        channel_token: how long the token of a channel opens it. AWS's own figure is not known.
        session_idle: a session without a byte of data either way ends after so long. AWS's default is 20 minutes.
        session_duration: a session ends after so long whatever it does; None: never, as with AWS by default.
        session_client_grace: a session that nobody is attached to ends after so long. A client redials for 60 s; AWS
            would wait for the idle timeout, and the node would keep a worker of 23 MB meanwhile (section 10.4).
        session_agent_grace: a client is told so long after the agent's data channel vanished. The official agent dials
            again within 100 to 200 ms, and a crashed worker never (section 10.3, pitfall).
        session_lost_grace: the same while the node's control channel is gone too: its network is, not its worker.
        session_stall: a peer that does not read for so long no longer holds up the other one; what it misses is sent
            again when it reads on.
        jobs: how jobs and endpoints run that are asked for through the API: one of ``execution.order.MODES``; a plane
            within another program keeps records of them only.
    """

    ping_timeout: float = 900.0
    channel_grace: float = 20.0
    token_lifetime: float = 3600.0
    rotate_key: bool = False
    default_tier: str = "advanced"
    long_poll: float = 20.0
    channel_token: float = 300.0
    session_idle: float = 1200.0
    session_duration: float | None = None
    session_client_grace: float = 90.0
    session_agent_grace: float = 5.0
    session_lost_grace: float = 60.0
    session_stall: float = 20.0
    jobs: str = "records"


@dataclass
class Activation:
    """A hybrid activation. Times are epoch seconds.

    ``target`` makes it one of SageMaker's own: what registers with it is no managed node but what this target names.
    """

    activation_id: str
    code: str
    region: str
    iam_role: str
    created: float
    expires: float
    registration_limit: int = 1
    registrations: int = 0
    default_instance_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True)
class ServiceSetting:
    """A service setting that was changed: to what, when (epoch seconds) and by whom (ARN)."""

    value: str
    modified: float
    user: str


class ControlChannel(Protocol):
    """The open control channel of a node: what the message gateway attaches to it."""

    async def send(self, frame: bytes) -> bool:
        """Send one binary frame to the agent. False: it is gone."""

    async def close(self) -> None:
        """Close the channel."""

    def abort(self) -> None:
        """Cut it now."""

    def expect_receipt(self) -> None:
        """Send again, by and by, what the agent does not acknowledge."""


@dataclass
class Node:
    """A managed node. Times are epoch seconds; ``tags`` and ``activation`` copies change only through ``Nodes``.

    ``info`` holds what the last full UpdateInstanceInformation said, by AWS's own names (AgentVersion, IPAddress, ...).
    ``target`` is what StartSession calls it where SageMaker started its agent; such a node is in no listing.
    """

    node_id: str
    region: str
    activation_id: str
    iam_role: str
    public_key: str
    fingerprint: str
    registered: float
    serial: int
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    last_ping: float | None = None
    control: ControlChannel | None = None
    channel_lost: float | None = None
    target: str = ""

    def ping(self, now: float) -> None:
        """Note a sign of life."""
        self.last_ping = now

    def attach(self, channel: ControlChannel, now: float) -> ControlChannel | None:
        """Make this the node's control channel and return the one before it, which the caller closes."""
        before, self.control = self.control, channel
        self.channel_lost = None
        self.ping(now)
        return before

    def detach(self, channel: ControlChannel, now: float) -> None:
        """Note that a control channel is gone; does nothing if it was replaced meanwhile."""
        if self.control is channel:
            self.control = None
            self.channel_lost = now

    def online(self, now: float, settings: Settings) -> bool:
        """Say whether PingStatus is Online.

        A node is Online while its control channel is attached. Where it had one and lost it, it is for a short grace
        only, unless it has sent a heartbeat since. A node that never had one (container mode is the opposite case:
        a channel and no heartbeats) goes by its heartbeats.
        """
        if self.control is not None:
            return True
        if self.channel_lost is not None and (self.last_ping is None or self.last_ping <= self.channel_lost):
            return now - self.channel_lost < settings.channel_grace
        return self.last_ping is not None and now - self.last_ping < settings.ping_timeout

    def ping_status(self, now: float, settings: Settings) -> str:
        """Return ``Online`` or ``ConnectionLost``."""
        return "Online" if self.online(now, settings) else "ConnectionLost"


_SERIAL = attrgetter("serial")


class Nodes:
    """Managed nodes by id, in order of registration, with an index by region and tag; and SageMaker's, by target."""

    def __init__(self) -> None:
        self._all: dict[str, Node] = {}
        self._by_target: dict[tuple[str, str], Node] = {}
        self._by_region: dict[str, dict[str, Node]] = {}
        self._by_tag: dict[tuple[str, str], dict[str, dict[str, Node]]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._all.values()))

    def register(self, activation: Activation, *, public_key: str, fingerprint: str, now: float) -> Node:
        """Add a node with a new id and the tags of its activation."""
        node_id = "mi-" + secrets.token_hex(9)[:17]
        self._serial += 1
        node = Node(
            node_id=node_id,
            region=activation.region,
            activation_id=activation.activation_id,
            iam_role=activation.iam_role,
            public_key=public_key,
            fingerprint=fingerprint,
            registered=now,
            serial=self._serial,
            name=activation.default_instance_name,
            target=activation.target,
        )
        self._all[node_id] = node
        if node.target:
            # A restarted container takes the place of the one before it.
            before = self._by_target.get((node.region, node.target))
            if before is not None:
                del self._all[before.node_id]
            self._by_target[node.region, node.target] = node
            return node
        self._by_region.setdefault(node.region, {})[node_id] = node
        self.retag(node, activation.tags)
        return node

    def get(self, node_id: str, region: str | None = None) -> Node | None:
        """Return a node, SageMaker's own among them; None: unknown, or of another region where one is given."""
        node = self._all.get(node_id)
        return node if node is not None and region in (None, node.region) else None

    def managed(self, node_id: str, region: str) -> Node:
        """Return a managed node, and none of SageMaker's own.

        Raises:
            AwsError: InvalidInstanceId, where it is unknown or of another region.
        """
        node = self.get(node_id, region)
        if node is None or node.target:
            raise _unknown(node_id)
        return node

    def native(self, target: str, region: str) -> Node | None:
        """Return the node of SageMaker's own that a target names; None: none has registered."""
        return self._by_target.get((region, target))

    def require(self, node_id: str, region: str | None = None) -> Node:
        """Return a node, SageMaker's own among them.

        Raises:
            AwsError: InvalidInstanceId, where it is unknown or of another region.
        """
        node = self.get(node_id, region)
        if node is None:
            raise _unknown(node_id)
        return node

    def of(self, region: str) -> list[Node]:
        """Return a region's nodes in order of registration."""
        return list(self._by_region.get(region, {}).values())

    def tagged(self, region: str, key: str, values: Iterable[str] | None = None) -> list[Node]:
        """Return the nodes with a tag, in order of registration, without looking at any other node.

        Args:
            region: region.
            key: tag's key.
            values: any of these values; None: any value at all.
        """
        tables = self._tables(region, key, values)
        found = [node for table in tables for node in table.values()]
        # Nearly sorted as a rule, and then this is one pass.
        return sorted(found, key=_SERIAL)

    def count_tagged(self, region: str, key: str, values: Iterable[str] | None = None) -> int:
        """Return how many ``tagged`` gives, without looking at any."""
        return sum(len(table) for table in self._tables(region, key, values))

    def _tables(self, region: str, key: str, values: Iterable[str] | None) -> list[dict[str, Node]]:
        by_value = self._by_tag.get((region, key), {})
        return [
            by_value[value] for value in (by_value if values is None else dict.fromkeys(values)) if value in by_value
        ]

    def retag(self, node: Node, tags: Mapping[str, str]) -> None:
        """Replace all tags of a node."""
        self._unindex(node)
        node.tags = dict(tags)
        for key, value in node.tags.items():
            self._by_tag.setdefault((node.region, key), {}).setdefault(value, {})[node.node_id] = node

    def remove(self, node: Node) -> None:
        """Forget a node."""
        del self._all[node.node_id]
        if node.target:
            if self._by_target.get((node.region, node.target)) is node:
                del self._by_target[node.region, node.target]
            return
        self._unindex(node)
        del self._by_region[node.region][node.node_id]

    def _unindex(self, node: Node) -> None:
        for key, value in node.tags.items():
            by_value = self._by_tag[(node.region, key)]
            del by_value[value][node.node_id]
            if not by_value[value]:
                del by_value[value]


def _unknown(node_id: str) -> AwsError:
    return AwsError("InvalidInstanceId", f"Instance {node_id} is not a registered managed node in this Region.")


class Store:
    """Everything that the plane knows.

    Args:
        settings: what a user may turn.
        clock: gives epoch seconds; tests give their own.
    """

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or Settings()
        self.clock = clock
        self.started = clock()
        self.account = ACCOUNT
        self.activations: dict[str, Activation] = {}
        self.nodes = Nodes()
        self.credentials = Credentials(self.account, self._now)
        self.faults = Faults()
        self.service_settings: dict[tuple[str, str], ServiceSetting] = {}
        self.tokens = Tokens(self._now, lambda: self.settings.channel_token)
        self.sessions: dict[str, Session] = {}
        self.commands: dict[str, Command] = {}
        self.studio = Studio()
        # By region and name.
        self.components: dict[tuple[str, str], Component] = {}
        # Those that run here, by region and name; others are moto's records alone.
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        # Called by reset() before the tables are emptied: whoever holds sockets or tasks closes them here.
        self.on_reset: list[Callable[[], None]] = []
        # Set once the plane listens, for runners have to reach it; None: nothing runs.
        self.desk: Desk | None = None

    def _now(self) -> float:
        return self.clock()

    def tier(self, region: str) -> str:
        """Return ``standard`` or ``advanced``: the activation tier of a region."""
        found = self.service_settings.get((region, TIER_SETTING))
        return found.value if found else self.settings.default_tier

    def reset(self) -> None:
        """Forget everything but the settings and the user's own key."""
        for close in self.on_reset:
            close()
        self.activations.clear()
        self.nodes = Nodes()
        self.credentials.reset()
        self.faults.reset()
        self.service_settings.clear()
        self.sessions.clear()
        self.commands.clear()
        self.studio = Studio()
        self.components.clear()
        self.endpoints.clear()
        self.tokens.clear()


def partition_of(region: str) -> str:
    """Return the partition of a region, which stands in its ARNs."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}
    return next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")


def node_arn(store: Store, node: Node) -> str:
    """Return the ARN of a managed node."""
    return f"arn:{partition_of(node.region)}:ssm:{node.region}:{store.account}:managed-instance/{node.node_id}"
