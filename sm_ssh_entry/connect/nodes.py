"""Discovery: from a name to the one managed node that is meant, in two calls whatever the size of the fleet.

DescribeInstanceInformation takes one tag filter and no other beside it, and answers without tags. So the service
filters by resource name, we filter by kind and node label, and only nodes that are still in question are asked for
their tags. A node's display name (the activation's DefaultInstanceName) saves even that where it is a whole host name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from sm_ssh_entry import aws, contract
from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.errors import Ambiguous, ConnectionLost, NotFound, SmSshError

ONLINE = "Online"
#: AWS's error codes for a node that is not there, or not any more.
GONE = frozenset({"InvalidInstanceId", "InvalidResourceId"})
_PAGE = 50
_PARALLEL = 8
_LISTED = 5
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Node:
    """A managed node as the service lists it.

    Attributes:
        node_id: ``mi-…``.
        ping: ``Online``, ``ConnectionLost`` or ``Inactive``: the service's words.
        last_ping: when its agent was last heard.
        registered: when it registered.
        agent_version: what its agent said of itself when it first reported; ``""``: it never has.
        display_name: the activation's DefaultInstanceName.
        kind: what it runs in: ``training``; ``""``: not known before the tags are read.
        resource: name of the job or endpoint.
        label: ``algo-1``; ``""``: none.
        tags: its tags; None: not read yet.
    """

    node_id: str
    ping: str = ""
    last_ping: datetime | None = None
    registered: datetime | None = None
    agent_version: str = ""
    display_name: str = ""
    kind: str = ""
    resource: str = ""
    label: str = ""
    tags: Mapping[str, str] | None = None

    @property
    def online(self) -> bool:
        """Whether the service has heard its agent lately."""
        return self.ping == ONLINE

    @property
    def host(self) -> str:
        """The name to reach it by, its id where its name is not known."""
        if self.kind and self.resource:
            return names.host_name(self.kind, self.resource, self.label)
        return self.node_id

    def tag(self, key: str) -> str:
        """Return one tag, ``""`` where it is missing or the tags were not read."""
        return (self.tags or {}).get(key, "")


def find(ssm: Any, target: Target, index: int = 0) -> Node | None:
    """Find the node that a name means, with its tags; None where no node has that name.

    For endpoints see ``registered``: their nodes do not know what the endpoint is called.

    Args:
        ssm: client.
        target: parsed name.
        index: which of several of one name, 1 is the newest; 0: there has to be one.

    Raises:
        ConnectionLost: there are nodes of that name, none of them Online.
        Ambiguous: several nodes are Online under one name.
        NotFound: there are not so many.
    """
    found = matching(ssm, target)
    if not found:
        return None
    node = with_tags(ssm, pick(found, target, index, connected=lambda node: is_connected(ssm, node)))
    return node if _means(target, node) else None


def matching(ssm: Any, target: Target) -> tuple[Node, ...]:
    """Return every node, Online or not, that a name may mean."""
    if target.node_id:
        return tuple(describe(ssm, [{"Key": "InstanceIds", "Values": [target.node_id]}]))
    if target.kind == "studio" and target.resource.count(".") < names.STUDIO_PARTS - 1:
        # A part of an app's name cannot be looked up, so every app is: a handful, and the display name sorts them out.
        every = describe(ssm, tagged(contract.TAG_RESOURCE_KIND, "studio"))
        likely = [node for node in every if not node.display_name or names.fits_app(target.resource, node.display_name)]
        found = tuple(parallel(lambda node: with_tags(ssm, node), likely))
    else:
        found = named(ssm, describe(ssm, tagged(contract.TAG_RESOURCE_NAME, target.resource)))
    return tuple(node for node in found if _means(target, node))


def tagged(key: str, *values: str) -> list[dict[str, Any]]:
    """Return the filter for nodes with a tag that has one of some values, at most 100."""
    return [{"Key": f"tag:{key}", "Values": list(values)}]


def pick(
    found: Sequence[Node], target: Target, index: int = 0, *, connected: Callable[[Node], bool] = lambda _: False
) -> Node:
    """Choose the node that is meant.

    Without a label a job's first node is meant. Several Online nodes of one label are told apart by whether their agent
    really holds its control channel: after a spot interruption the lost node still looks Online for some minutes.

    Args:
        found: at least one node.
        target: parsed name.
        index: which of several, 1 is the newest; 0: there has to be one.
        connected: asks the service about one node's control channel; called only to break a tie.

    Raises:
        ConnectionLost: none is Online.
        Ambiguous: several are.
        NotFound: there are not so many.
    """
    online = newest_online(found, target)
    first = min((node.label for node in online), key=names.rank)
    tied = [node for node in online if node.label == first]
    if index:
        return numbered(tied, index, target)
    apps = sorted({node.host for node in tied if node.kind == "studio"})
    if len(apps) > 1:
        raise Ambiguous(
            f"{len(apps)} apps are Online as {target.host}: {_list(apps)}", hint=f"give the whole name: {apps[0]}"
        )
    if len(tied) > 1:
        alive = [node for node in tied[:_LISTED] if connected(node)]
        tied = alive if len(alive) == 1 else tied
    if len(tied) > 1:
        raise Ambiguous(
            f"{len(tied)} nodes are Online as {target.host}: {_list([node.node_id for node in tied])}",
            hint=f"name one of them by its id: {tied[0].node_id} is the newest; or give --index",
        )
    return tied[0]


def newest_online(found: Sequence[Node], target: Target) -> list[Node]:
    """Return the nodes that are Online, the newest first.

    Args:
        found: at least one node.
        target: parsed name, for the message.

    Raises:
        ConnectionLost: none is.
    """
    online = sorted((node for node in found if node.online), key=newest_first)
    if not online:
        raise _lost(found, target)
    return online


def numbered(online: Sequence[Node], index: int, target: Target) -> Node:
    """Return the node of a number, 1 is the first.

    Raises:
        NotFound: there are not so many.
    """
    if index > len(online):
        have = "one node is" if len(online) == 1 else f"{len(online)} nodes are"
        raise NotFound(f"{have} Online as {target.host}, not {index}", hint="1 is the newest")
    return online[index - 1]


def is_connected(ssm: Any, node: Node) -> bool:
    """Whether a node's agent holds its control channel. Not everybody may ask; then the answer is no."""
    try:
        with aws.errors_of(action="ssm:GetConnectionStatus"):
            return bool(ssm.get_connection_status(Target=node.node_id).get("Status") == "connected")
    except SmSshError:
        return False


def describe(ssm: Any, filters: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """Page through DescribeInstanceInformation, 50 nodes a call."""
    token: dict[str, str] = {}
    while True:
        with aws.errors_of(action="ssm:DescribeInstanceInformation"):
            page = ssm.describe_instance_information(Filters=list(filters), MaxResults=_PAGE, **token)
        for item in page.get("InstanceInformationList", ()):
            yield _node(item)
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def named(ssm: Any, found: Iterable[Node]) -> tuple[Node, ...]:
    """Fill in kind, resource and label: from the display name where it says them, from the tags where not."""
    every = list(found)
    unclear = [node for node in every if not node.kind]
    if len(every) == 1:  # the caller reads the tags of the one it picks: no second call for the same answer
        return tuple(every)
    read = {node.node_id: node for node in parallel(lambda node: with_tags(ssm, node), unclear)}
    return tuple(read.get(node.node_id, node) for node in every)


def with_tags(ssm: Any, node: Node) -> Node:
    """Return the node with its tags, and with the kind, resource and label that they say."""
    if node.tags is not None:
        return node
    with aws.errors_of(action="ssm:ListTagsForResource"):
        answer = ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node.node_id)
    tags = {tag["Key"]: tag["Value"] for tag in answer.get("TagList", ())}
    return replace(
        node,
        tags=tags,
        kind=tags.get(contract.TAG_RESOURCE_KIND, node.kind),
        resource=tags.get(contract.TAG_RESOURCE_NAME, node.resource),
        label=tags.get(contract.TAG_NODE, node.label),
    )


def parallel(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do the same call for each item, eight at a time."""
    if len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        return list(pool.map(work, items))


def ago(when: datetime | None, *, now: datetime | None = None) -> str:
    """Say how long ago something was: ``3 min ago``."""
    if when is None:
        return "never"
    seconds = max(0, int(((now or datetime.now(timezone.utc)) - when).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _node(item: Mapping[str, Any]) -> Node:
    display = str(item.get("Name", ""))
    said = names.parse_host(display)
    if said is None or said.node_id:
        said = Target()
    return Node(
        node_id=str(item["InstanceId"]),
        ping=str(item.get("PingStatus", "")),
        last_ping=item.get("LastPingDateTime"),
        registered=item.get("RegistrationDate"),
        agent_version=str(item.get("AgentVersion", "")),
        display_name=display,
        kind=said.kind,
        resource=said.resource,
        label=said.node,
    )


def _means(target: Target, node: Node) -> bool:
    """Whether a node may be the one that is meant; before its tags are read, what is unknown may."""
    if target.node_id:
        return node.node_id == target.node_id
    known = node.tags is not None
    kind_fits = node.kind == target.kind or (not known and not node.kind)
    if kind_fits and target.kind == "studio" and known:
        return names.fits_app(target.resource, node.resource)
    label_fits = not target.node or node.label == target.node or (not known and not node.label)
    return kind_fits and label_fits


def newest_first(node: Node) -> tuple[float, str]:
    """Return what sorts nodes by when they registered, the last one first."""
    when = node.registered or node.last_ping
    return (-when.timestamp() if when else 0.0, node.node_id)


def _lost(found: Sequence[Node], target: Target) -> ConnectionLost:
    newest = min(found, key=newest_first)
    if not newest.agent_version:
        return ConnectionLost(
            f"{target.host}: node {newest.node_id} registered {ago(newest.registered)}, its agent is not connected yet",
            hint="sm-ssh wait waits for it",
        )
    latest = max(found, key=lambda node: node.last_ping.timestamp() if node.last_ping else 0.0)
    return ConnectionLost(
        f"{target.host}: node {latest.node_id} is {latest.ping or 'not Online'}, last heard {ago(latest.last_ping)}",
        hint="its container has ended, or its agent has lost the network; the job's log says which",
    )


def _list(words: Sequence[str]) -> str:
    return ", ".join(words[:_LISTED]) + (", …" if len(words) > _LISTED else "")
