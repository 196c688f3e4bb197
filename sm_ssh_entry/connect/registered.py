"""Which managed nodes a name means, for every kind: by the name in their tags, or for endpoints by their session ids.

SageMaker is asked for endpoints only, and once, however often the nodes are looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_ssh_entry import contract
from sm_ssh_entry.connect import nodes
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import AccessDenied

if TYPE_CHECKING:
    from sm_ssh_entry.connect.endpoints import Endpoint

_KIND = "inference"
# DescribeInstanceInformation takes as many values for one tag.
_VALUES = 100
_TRIED = 5


@dataclass(frozen=True)
class Found:
    """A managed node, with its tags, and what its user should know about the choice."""

    node: Node
    remarks: tuple[str, ...] = ()


class Search:
    """Looks for the managed nodes of one name.

    Args:
        access: account and region.
        target: parsed name.
        index: which of several, 1 is the newest; 0: not said.
    """

    def __init__(self, access: Access, target: Target, index: int = 0) -> None:
        self._access, self._target, self._index = access, target, index
        self._endpoint: Endpoint | None = None

    def matching(self) -> tuple[Node, ...]:
        """Return every node, Online or not, that the name may mean.

        Raises:
            NotFound: the endpoint has no such variant.
            NotRegistered: its model has no session id.
        """
        if self._target.kind != _KIND:
            return nodes.matching(self._access.client("ssm"), self._target)
        found = self._by_session()
        return tuple(self._ours(found)) if len(found) > 1 else found

    def find(self) -> Found | None:
        """Return the node that is meant; None where no node has that name.

        Raises:
            ConnectionLost: there are nodes of that name, none of them Online.
            Ambiguous: several nodes are Online under one name. Of an endpoint's containers the newest is meant.
            NotFound: the endpoint has no such variant, or there are not so many nodes.
            NotRegistered: the endpoint's model has no session id.
        """
        ssm = self._access.client("ssm")
        if self._target.kind != _KIND:
            node = nodes.find(ssm, self._target, self._index)
            return Found(node) if node else None
        found = self._by_session()
        if not found:
            return None
        online = nodes.newest_online(found, self._target)
        index = self._index or (self._endpoint.number if self._endpoint else 0)
        # Tags are read one after the other, and no more than it takes: nearly always it is the first.
        ours: list[Node] = []
        for node in self._ours(online):
            ours.append(node)
            if len(ours) > max(index - 1, 0) and (index or len(online) == 1 or nodes.is_connected(ssm, node)):
                return Found(node, self._remarks(len(online), index))
            if not index and len(ours) == _TRIED:
                break
        if not ours:
            return None
        chosen = nodes.numbered(ours, index or 1, self._target)
        return Found(chosen, self._remarks(len(online), index))

    def _by_session(self) -> tuple[Node, ...]:
        from sm_ssh_entry.connect import endpoints

        if self._endpoint is None:
            try:
                self._endpoint = endpoints.look_up(self._access.client("sagemaker"), self._target)
            except AccessDenied as error:
                hint = "or connect to the node's id: sm-ssh list inference.sagemaker shows it"
                raise AccessDenied(error.message, hint=f"{error.hint}; {hint}") from error
        endpoint = self._endpoint
        if endpoint is None:
            return ()
        if not endpoint.session_ids:
            self._endpoint = None  # an endpoint that is on its way may have a model later
            raise endpoint.lacking()
        ssm, ids = self._access.client("ssm"), endpoint.session_ids
        parts = [ids[start : start + _VALUES] for start in range(0, len(ids), _VALUES)]
        filters = [nodes.tagged(contract.TAG_SESSION_ID, *part) for part in parts]
        return tuple(node for each in filters for node in nodes.describe(ssm, each))

    def _ours(self, found: Sequence[Node]) -> Iterator[Node]:
        """Give those that run in an endpoint; a transform job may be made of the same model."""
        ssm, endpoint = self._access.client("ssm"), self._endpoint
        for node in found:
            tagged = nodes.with_tags(ssm, node)
            if tagged.kind in ("", _KIND):
                yield replace(tagged, kind=_KIND, resource=endpoint.name if endpoint else self._target.resource)

    def _remarks(self, online: int, index: int) -> tuple[str, ...]:
        endpoint = self._endpoint
        if endpoint is None:
            return ()
        remarks = []
        if online > 1 and not index:
            remarks.append(
                f"{online} containers are Online as {self._target.host}: the newest is taken, --index 2 is the next"
            )
        if endpoint.shared:
            others = ", ".join(endpoint.shared)
            remarks.append(f"variants {others} have the same model: their containers cannot be told apart")
        elif endpoint.instances and online > endpoint.instances:
            remarks.append(
                f"{online} containers for {endpoint.instances} instances of endpoint {endpoint.name}: "
                "some have ended, or another endpoint has the same model"
            )
        return tuple(remarks)
