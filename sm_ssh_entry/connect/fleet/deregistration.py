"""Removing managed nodes whose containers have gone: only ours, only dead ones, each looked at again before it goes.

A node is ours if it has the tags that a registration of this tool leaves. The service filters by tag, so nodes of
others do not even appear, and each node's own tags are read once more right before it is removed. Nothing is written
down: what is removed is gone, what is not is found again, so a run may end at any point and the next one goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import names, nodes
from sm_ssh_entry.connect.fleet.pace import Pace
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import (
    AccessDenied,
    BadInput,
    CredentialsExpired,
    CredentialsMissing,
    NotFound,
    ServiceError,
    SmSshError,
)

_BATCH = 50
_PARALLEL = 8
# After so many refusals and not one success the caller may not remove nodes at all. Before, a policy may well let
# everybody remove their own.
_REFUSALS = 16


@dataclass(frozen=True)
class Choice:
    """Which dead nodes are to go.

    Attributes:
        older_than: not heard of for so long; where the agent never reported, registered so long ago.
        kinds: which kinds; empty: all.
        owner: value of the tag SSHOwner; ``""``: whoever it is.
        resource: name of the job, endpoint, app or notebook instance; ``""``: any.
        label: node of the job, ``algo-2``; ``""``: any.
        node_id: this one and no other; ``""``: any.
    """

    older_than: timedelta = timedelta(0)
    kinds: tuple[str, ...] = ()
    owner: str = ""
    resource: str = ""
    label: str = ""
    node_id: str = ""

    @property
    def filters(self) -> list[dict[str, Any]]:
        """The filters by which the service finds them."""
        wanted = {
            contract.TAG_RESOURCE_KIND: self.kinds,
            contract.TAG_OWNER: (self.owner,) if self.owner else (),
            contract.TAG_RESOURCE_NAME: (self.resource,) if self.resource else (),
            contract.TAG_NODE: (self.label,) if self.label else (),
        }
        found = [one for key, values in wanted.items() if values for one in nodes.tagged(key, *values)]
        # Every registration of ours has this tag, of all versions.
        return [*found, {"Key": "tag-key", "Values": [contract.TAG_TIMESTAMP]}]

    def is_dead(self, node: Node, now: datetime) -> bool:
        """Whether a node's container has gone, by what the service lists of it."""
        when = age_of(node)
        return not node.online and when is not None and now - when >= self.older_than

    def is_meant(self, node: Node) -> bool:
        """Whether a node is ours and asked for, by its tags, which were read."""
        return (
            is_ours(node)
            and (not self.kinds or node.tag(contract.TAG_RESOURCE_KIND) in self.kinds)
            and (not self.owner or node.tag(contract.TAG_OWNER) == self.owner)
            and (not self.resource or node.tag(contract.TAG_RESOURCE_NAME) == self.resource)
            and (not self.label or node.tag(contract.TAG_NODE) == self.label)
        )


def choice_of(text: str, older_than: timedelta) -> Choice:
    """Return the choice of the nodes that a name means.

    Args:
        text: what the user typed: a name or a node's id.
        older_than: as in ``Choice``.

    Raises:
        BadInput: it is not a name, or one whose nodes do not carry it.
    """
    target = names.parse(text)
    if target.node_id:
        return Choice(older_than, node_id=target.node_id)
    if target.kind == "inference":
        raise BadInput(
            f"nodes of an endpoint do not know its name: {target.host}",
            hint="sm-ssh list inference.sagemaker shows their ids; give --node mi-…",
        )
    return Choice(older_than, (target.kind,), resource=target.resource, label=target.node)


def age_of(node: Node) -> datetime | None:
    """Return when a node was last known to be alive; None: the service does not say, and then it is never removed."""
    return max((when for when in (node.last_ping, node.registered) if when), default=None)


def is_ours(node: Node) -> bool:
    """Whether a registration of this tool made a node, by its tags, which were read.

    Its time is always there, and the kind of its container, or for older versions who made it.
    """
    tags = node.tags or {}
    return contract.TAG_TIMESTAMP in tags and (contract.TAG_RESOURCE_KIND in tags or contract.TAG_CREATOR in tags)


def candidates(
    ssm: Any, choice: Choice, *, seen: Callable[[int], None] = lambda _: None, now: datetime | None = None
) -> list[Node]:
    """Return the dead nodes that are asked for, those longest dead first, without their tags.

    Args:
        ssm: client.
        choice: which.
        seen: told how many were looked at so far.
        now: current time; None: the clock's.

    Raises:
        NotFound: a node was named and there is none.
        BadInput: a node was named that is not ours, or is Online.
    """
    when = now or datetime.now(timezone.utc)
    if choice.node_id:
        return [_named(ssm, choice, when)]
    found = []
    for number, node in enumerate(nodes.describe(ssm, choice.filters), 1):
        if choice.is_dead(node, when):
            found.append(node)
        seen(number)
    return sorted(found, key=lambda node: (age_of(node) or when, node.node_id))


@dataclass
class Outcome:
    """What became of the candidates.

    Attributes:
        removed: so many are gone by us.
        gone: so many had gone before.
        alive: so many came back, or were heard of too lately.
        not_ours: so many have tags by which they are not ours, or not asked for.
        failed: the reason by node, for those that are still there.
        refused: why nothing could be removed at all; None: something was, or nothing was refused.
    """

    removed: int = 0
    gone: int = 0
    alive: int = 0
    not_ours: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    refused: AccessDenied | None = None

    @property
    def done(self) -> int:
        """How many need no second look."""
        return self.removed + self.gone + self.alive + self.not_ours + len(self.failed)


def remove(
    ssm: Any,
    found: Sequence[Node],
    choice: Choice,
    outcome: Outcome,
    *,
    told: Callable[[Outcome], None] = lambda _: None,
    pace: Pace | None = None,
) -> Outcome:
    """Remove nodes, eight calls at a time and slower where AWS throttles.

    It may be interrupted anywhere: the outcome counts what was done until then.

    Args:
        ssm: client.
        found: what ``candidates`` returned.
        choice: the same.
        outcome: is filled in while it goes on.
        told: told how far it is.
        pace: how fast; None: as fast as AWS lets us.

    Returns:
        The outcome. Where the caller may not remove any node, the rest was not tried.
    """
    work = _Removal(ssm, choice, outcome, pace or Pace())
    pool = ThreadPoolExecutor(max_workers=_PARALLEL)
    try:
        for start in range(0, len(found), _BATCH):
            batch = found[start : start + _BATCH]
            futures: list[Future[None]] = [pool.submit(work.one, node) for node in work.still_dead(batch)]
            for future in as_completed(futures):
                future.result()
                told(outcome)
            if work.may_not:
                break
    finally:
        # What is under way ends within one call; what is not, does not begin.
        pool.shutdown(wait=True, cancel_futures=True)
        outcome.refused = None if outcome.removed else work.refusal
    return outcome


class _Removal:
    """One run's calls."""

    def __init__(self, ssm: Any, choice: Choice, outcome: Outcome, pace: Pace) -> None:
        self._ssm, self._choice, self._outcome, self._pace = ssm, choice, outcome, pace
        self._lock = threading.Lock()
        self._refusals = 0
        self.refusal: AccessDenied | None = None

    @property
    def may_not(self) -> bool:
        """Whether the caller may not remove nodes at all."""
        return self._refusals >= _REFUSALS and not self._outcome.removed

    def still_dead(self, batch: Sequence[Node]) -> list[Node]:
        """Ask again about a page of nodes: since they were listed some may have come back, or gone."""
        fresh = self._described(batch)
        now = datetime.now(timezone.utc)
        dead = [node for node in fresh if self._choice.is_dead(node, now)]
        self._outcome.alive += len(fresh) - len(dead)
        self._outcome.gone += len(batch) - len(fresh)
        return dead

    def _described(self, batch: Sequence[Node]) -> list[Node]:
        filters = [{"Key": "InstanceIds", "Values": [node.node_id for node in batch]}]
        try:
            return self._pace.call(lambda: list(nodes.describe(self._ssm, filters)))
        except ServiceError as error:
            if error.code not in nodes.GONE:
                raise
            # One that is gone may spoil the answer for all.
            return [found for node in batch for found in self._described([node])] if len(batch) > 1 else []

    def one(self, node: Node) -> None:
        """Read one node's tags and, if it is ours, remove it."""
        if self.may_not:
            return
        try:
            tagged = self._pace.call(lambda: nodes.with_tags(self._ssm, node))
            if self._choice.is_meant(tagged):
                self._pace.call(lambda: _deregister(self._ssm, node.node_id))
                self._count("removed")
            else:
                self._count("not_ours")
        except (CredentialsExpired, CredentialsMissing):
            raise  # the next node would fare no better
        except SmSshError as error:
            if isinstance(error, ServiceError) and error.code in nodes.GONE:
                self._count("gone")
                return
            with self._lock:
                self._outcome.failed[node.node_id] = error.message
                if isinstance(error, AccessDenied):
                    self._refusals += 1
                    self.refusal = error

    def _count(self, what: str) -> None:
        with self._lock:
            setattr(self._outcome, what, getattr(self._outcome, what) + 1)


def _deregister(ssm: Any, node_id: str) -> None:
    with aws.errors_of(action="ssm:DeregisterManagedInstance"):
        ssm.deregister_managed_instance(InstanceId=node_id)


def _named(ssm: Any, choice: Choice, now: datetime) -> Node:
    found = list(nodes.describe(ssm, [{"Key": "InstanceIds", "Values": [choice.node_id]}]))
    if not found:
        raise NotFound(f"there is no managed node {choice.node_id}", hint="sm-ssh list shows what is there")
    node = nodes.with_tags(ssm, found[0])
    if not choice.is_meant(node):
        raise BadInput(
            f"{choice.node_id} was not registered by sm-ssh, or is not one that is asked for: it stays",
            hint="aws ssm deregister-managed-instance removes nodes of others",
        )
    if not choice.is_dead(node, now):
        raise BadInput(
            f"{choice.node_id} ({node.host}) is {node.ping}, last heard {nodes.ago(node.last_ping)}: it stays",
            hint="a node is removed when its container has ended; stop the job first",
        )
    return node
