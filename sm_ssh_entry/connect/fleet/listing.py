"""The list: managed nodes of ours, Online ones first, then what runs and is not registered; page by page.

The service cannot filter by PingStatus and by tag in one call. So both are asked in turns, a page of each: whatever has
few nodes ends first. If that is ours, we know all; if it is what is Online, those of them that are ours come first and
the rest of ours follows as it is asked for. Nothing is asked that nobody reads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.fleet.pace import Pace
from sm_ssh_entry.connect.fleet.running import Resource, Running
from sm_ssh_entry.connect.names import Target, rank
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.registered import Search
from sm_ssh_entry.errors import AccessDenied, ServiceError

ONLINE, LOST, UNREGISTERED = "online", "lost", "unregistered"
STATUSES = (ONLINE, LOST, UNREGISTERED)
NOT_REGISTERED = "not registered"
_PAGE = 50
# botocore's session is not made for several threads; its clients are.
_MAKING = threading.Lock()


@dataclass(frozen=True)
class Question:
    """What is to be listed.

    Attributes:
        kinds: which kinds; empty: all.
        owner: value of the tag SSHOwner; ``""``: whoever it is.
        status: one of STATUSES; ``""``: all.
        older_than: only nodes not heard of, or not registered, for so long; None: all.
        limit: at most so many; 0: all.
    """

    kinds: tuple[str, ...] = ()
    owner: str = ""
    status: str = ""
    older_than: timedelta | None = None
    limit: int = 0

    @property
    def filters(self) -> list[dict[str, Any]]:
        """The filters by which the service finds our nodes. Those of endpoints have no resource's name."""
        found = nodes.tagged(contract.TAG_OWNER, self.owner) if self.owner else []
        if self.kinds:
            return found + nodes.tagged(contract.TAG_RESOURCE_KIND, *self.kinds)
        return [*found, {"Key": "tag-key", "Values": [contract.TAG_RESOURCE_KIND, contract.TAG_RESOURCE_NAME]}]

    def fits(self, node: Node, now: datetime) -> bool:
        """Whether a node, whose tags were read, is asked for."""
        ours = contract.TAG_RESOURCE_KIND in (node.tags or {}) or contract.TAG_RESOURCE_NAME in (node.tags or {})
        owned = not self.owner or node.tag(contract.TAG_OWNER) == self.owner
        return ours and owned and (not self.kinds or node.kind in self.kinds) and self._is_old(node, now)

    def _is_old(self, node: Node, now: datetime) -> bool:
        when = node.last_ping or node.registered
        return self.older_than is None or (when is not None and now - when >= self.older_than)


@dataclass(frozen=True)
class Entry:
    """One line of the list.

    Attributes:
        name: what to type, a node's id where it has no name.
        kind: one of ``contract.KINDS``; ``""``: not known.
        resource: name of the job, endpoint, app or notebook instance.
        status: ``Online``, ``ConnectionLost``, or ``not registered``.
        region: where.
        node: label of the node in its job.
        node_id: ``mi-…``; ``""``: it has not registered.
        owner: tag SSHOwner.
        last_heard: of the agent.
        registered: when; or, for what has not, when it was started.
        native: whether SageMaker's own way in is there, as far as the list tells.
    """

    name: str
    kind: str
    resource: str
    status: str
    region: str
    node: str = ""
    node_id: str = ""
    owner: str = ""
    last_heard: datetime | None = None
    registered: datetime | None = None
    native: bool = False

    @property
    def online(self) -> bool:
        """Whether it can be logged in to now."""
        return self.status == nodes.ONLINE


class Listing:
    """The list of one region, made while it is read.

    Args:
        access: account and region.
        question: what is asked for.
        timeout: seconds for one answer of SageMaker.
        attempts: tries for one call.

    Attributes:
        notes: what could not be found out, one line each; complete when the last entry was read.
    """

    def __init__(self, access: Access, question: Question, *, timeout: float = 20.0, attempts: int = 3) -> None:
        self.question = question
        self.region = access.effective_region
        with _MAKING:
            self._ssm = access.client("ssm", timeout=timeout, attempts=attempts)

        def sagemaker() -> Any:
            with _MAKING:
                return access.client("sagemaker", timeout=min(timeout, 10.0), attempts=attempts)

        self._running = Running(self._ssm, sagemaker, question.kinds)
        self._pace = Pace()
        self._unread, self._why = 0, ""

    @property
    def notes(self) -> list[str]:
        """What could not be found out."""
        unread = [f"{self._unread} nodes are left out: {self._why}"] if self._unread else []
        return sorted({*self._running.notes, *unread})

    def __iter__(self) -> Iterator[Entry]:
        every = chain(self._registered(), self._unregistered())
        return islice(every, self.question.limit or None)

    def _registered(self) -> Iterator[Entry]:
        if self.question.status == UNREGISTERED:
            return
        now = datetime.now(timezone.utc)
        read = self._with_tags(registered(self._ssm, self.question))
        for node in read:
            if self.question.fits(node, now):
                yield self._entry(node)

    def _with_tags(self, found: Iterable[Node]) -> Iterator[Node]:
        """Read tags eight at a time, a page ahead of the reader at most."""
        iterator = iter(found)
        size = min(_PAGE, self.question.limit or _PAGE)
        while page := list(islice(iterator, size)):
            yield from (node for node in nodes.parallel(self._tagged, page) if node)

    def _tagged(self, node: Node) -> Node | None:
        """Return a node with its tags; None where it has been removed meanwhile, or they may not be read."""
        try:
            return self._pace.call(lambda: nodes.with_tags(self._ssm, node))
        except AccessDenied as error:
            self._unread += 1
            self._why = error.message
        except ServiceError as error:
            if error.code not in nodes.GONE:
                raise
        return None

    def _unregistered(self) -> Iterator[Entry]:
        # What has not registered has no owner that could be asked for, and nobody has ever heard of it.
        if self.question.owner or self.question.older_than is not None or self.question.status in (ONLINE, LOST):
            return
        for resource in self._running.unregistered():
            yield self._entry_of(resource)

    def _entry(self, node: Node) -> Entry:
        if node.kind == "inference" and not node.resource:
            node = replace(node, resource=self._running.endpoint_of(node.tag(contract.TAG_SESSION_ID)))
        return _entry_of_node(node, self.region)

    def _entry_of(self, resource: Resource) -> Entry:
        return Entry(
            name=resource.host,
            kind=resource.kind,
            resource=resource.name,
            status=NOT_REGISTERED,
            region=self.region,
            registered=resource.started,
            native=resource.native,
        )


def of_name(access: Access, target: Target) -> list[Entry]:
    """Return every node that one name means, Online ones first, and of these a job's first node, then the newest.

    Args:
        access: account and region.
        target: parsed name.

    Raises:
        NotFound: the endpoint has no such variant.
        NotRegistered: its model has no session id.
    """
    ssm = access.client("ssm")
    found = nodes.parallel(lambda node: nodes.with_tags(ssm, node), Search(access, target).matching())
    if target.kind == "inference":
        found = [replace(node, resource=target.resource) for node in found]
    found.sort(key=lambda node: (not node.online, rank(node.label), nodes.newest_first(node)))
    return [_entry_of_node(node, access.effective_region) for node in found]


def _entry_of_node(node: Node, region: str) -> Entry:
    return Entry(
        name=node.host,
        kind=node.kind,
        resource=node.resource,
        status=node.ping,
        region=region,
        node=node.label,
        node_id=node.node_id,
        owner=node.tag(contract.TAG_OWNER),
        last_heard=node.last_ping,
        registered=node.registered,
    )


def registered(ssm: Any, question: Question) -> Iterator[Node]:
    """Give the nodes that may be asked for, Online ones first and the newest of them first, mostly without their tags.

    Args:
        ssm: client.
        question: what is asked for; what only tags tell is left to the caller.
    """
    ours = nodes.describe(ssm, question.filters)
    if question.status == LOST:
        yield from (node for node in ours if not node.online)
        return
    alive = nodes.describe(
        ssm, [{"Key": "PingStatus", "Values": [nodes.ONLINE]}, {"Key": "ResourceType", "Values": ["ManagedInstance"]}]
    )
    seen: list[Node] = []
    online: list[Node] = []
    while True:
        # Fewer than a page: there are no more. One that ends on a page's edge costs one more turn, and no call.
        page = list(islice(ours, _PAGE))
        seen += page
        if len(page) < _PAGE:
            online = [node for node in seen if node.online]
            break
        page = list(islice(alive, _PAGE))
        online += page
        if len(page) < _PAGE:
            break
    yield from sorted(online, key=nodes.newest_first)
    if question.status != ONLINE:
        rest = [node for node in seen if not node.online]
        yield from sorted(rest, key=nodes.newest_first)
        yield from (node for node in ours if not node.online)
