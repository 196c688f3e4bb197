"""What is examined, and what has been found out about it so far."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import ConnectionLost

SECONDS = 5.0


@dataclass(frozen=True)
class Identity:
    """Who the caller is, as STS says.

    Attributes:
        arn: of the user, or of the session of a role.
        user_id: ``aws:userid``.
        account: account id.
    """

    arn: str
    user_id: str
    account: str

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn``, …"""
        return self.arn.split(":")[1]


@dataclass(frozen=True)
class Resource:
    """A job, endpoint or notebook instance, as far as SSH has to do with it.

    Attributes:
        noun: ``training job``.
        name: its name.
        state: status and detail.
        running: whether a container may be there.
        environment: of the container; None: SageMaker does not tell it.
        role: ARN of the execution role; ``""``: unknown.
        subnets: of its VPC; empty: none.
        groups: its security groups.
        isolated: whether network isolation is on.
        reason: why it failed.
    """

    noun: str
    name: str
    state: str
    running: bool
    environment: dict[str, str] | None = None
    role: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    isolated: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Network:
    """The VPC that a job is in.

    Attributes:
        vpc: its id.
        subnets: of the job.
        ranges: their addresses.
        groups: security groups of the job.
        way_out: NAT gateway or what else leads to the internet; ``""``: nothing.
    """

    vpc: str = ""
    subnets: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    way_out: str = ""


@dataclass
class Case:
    """One examination. The first part is given; the second is filled in, each field by the one check that finds it.

    Attributes:
        reach: region, profile, way and key, as given.
        target: the name; None: none was given.
        role: execution role, name or ARN, as given; ``""``: the resource's.
        ssm_role: role of the node, as given; ``""``: the resource's variable, else the execution role.
        subnets: as given; empty: the resource's.
        groups: as given; empty: the resource's.
        skew: how many seconds this clock is ahead of AWS's.
        identity: the caller.
        resource: what the name means to SageMaker.
        network: the VPC it is in.
        place: where the name leads.
        lost: why no node is Online.
        tier_off: whether Session Manager refuses hybrid nodes in this region.
    """

    reach: Reach
    target: Target | None = None
    role: str = ""
    ssm_role: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    skew: float | None = None
    identity: Identity | None = None
    resource: Resource | None = None
    network: Network | None = None
    place: Place | None = None
    lost: ConnectionLost | None = None
    tier_off: bool = False
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def access(self) -> Access:
        """Account and region."""
        return self.reach.towards(self.target or Target())

    @property
    def region(self) -> str:
        """Region in use."""
        return self.access.effective_region

    def client(self, service: str) -> Any:
        """Return the client of a service. Checks run side by side, and botocore's session makes one at a time."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self.access.client(service, timeout=SECONDS, attempts=2)
            return self._clients[service]

    def known_identity(self) -> Identity:
        """Return the caller, for checks that need to have it."""
        assert self.identity is not None  # noqa: S101 - account.credentials is among what they need
        return self.identity

    def arn(self, service: str, resource: str, *, account: str | None = None) -> str:
        """Put an ARN of the region together.

        Args:
            service: ``ssm``.
            resource: ``managed-instance/mi-…``.
            account: account id; None: the caller's; ``""``: AWS's own things have none.
        """
        who = self.known_identity()
        return f"arn:{who.partition}:{service}:{self.region}:{who.account if account is None else account}:{resource}"

    @property
    def native(self) -> bool:
        """Whether the name leads to SageMaker's own agent: no registration, tags, Run Command or tier then."""
        return self.place is not None and self.place.native

    @property
    def execution_role(self) -> str:
        """Execution role, ARN or name; ``""``: unknown."""
        return self.role or (self.resource.role if self.resource else "")

    @property
    def node_role(self) -> str:
        """Role that nodes register with, ARN, or name with or without its path; ``""``: unknown."""
        named = (self.resource.environment or {}).get("SSH_SSM_ROLE", "") if self.resource else ""
        return self.ssm_role or named or self.execution_role
