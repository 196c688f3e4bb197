"""What runs in SageMaker, registered or not: one list call for each kind, all at once, each allowed to fail.

A list that the caller may not have is a note, not an error: managed nodes are shown without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.connect import endpoints, jobs, names, nodes
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import SmSshError

_AT_MOST = 100  # both the longest page of a list call and the values that one filter of SSM takes
_IN_SERVICE = "InService"
_INFERENCE, _STUDIO, _HYPERPOD = "inference", "studio", "hyperpod"
# Apps with a container that a user can be in; the others are services.
_APPS = frozenset({"JupyterLab", "CodeEditor", "KernelGateway", "JupyterServer"})


@dataclass(frozen=True)
class Resource:
    """Something that runs.

    Attributes:
        kind: one of ``contract.KINDS``.
        name: as it stands in a host name.
        started: since when; None: SageMaker does not say.
        session_ids: of an endpoint's models: what its nodes are known by.
        native: whether the list says that SageMaker's own way in is switched on.
    """

    kind: str
    name: str
    started: datetime | None = None
    session_ids: tuple[str, ...] = ()
    native: bool = False

    @property
    def host(self) -> str:
        """The name to reach it by."""
        return names.host_name(self.kind, self.name)


@dataclass(frozen=True)
class _List:
    operation: str
    result: str
    arguments: Mapping[str, Any]
    name: str
    started: str = "CreationTime"


_JOBS = {"StatusEquals": "InProgress", "MaxResults": _AT_MOST}
_SERVICES = {"StatusEquals": _IN_SERVICE, "MaxResults": _AT_MOST}
_LISTS: Mapping[str, _List] = {
    "training": _List("ListTrainingJobs", "TrainingJobSummaries", _JOBS, "TrainingJobName"),
    "processing": _List("ListProcessingJobs", "ProcessingJobSummaries", _JOBS, "ProcessingJobName"),
    "transform": _List("ListTransformJobs", "TransformJobSummaries", _JOBS, "TransformJobName"),
    "inference": _List("ListEndpoints", "Endpoints", _SERVICES, "EndpointName"),
    "studio": _List("ListApps", "Apps", {"MaxResults": _AT_MOST}, "AppName"),
    # It is created once and started many times: what changed last is its start.
    "notebook": _List(
        "ListNotebookInstances", "NotebookInstances", _SERVICES, "NotebookInstanceName", "LastModifiedTime"
    ),
    "hyperpod": _List("ListClusters", "ClusterSummaries", {"MaxResults": _AT_MOST}, "ClusterName"),
}


class Running:
    """What runs in one region.

    Args:
        ssm: client.
        make_sagemaker: makes the other client, when and if it is needed.
        kinds: which kinds; empty: all.
    """

    def __init__(self, ssm: Any, make_sagemaker: Callable[[], Any], kinds: Sequence[str] = ()) -> None:
        self.notes: list[str] = []
        self._ssm, self._kinds = ssm, tuple(kinds) or contract.KINDS
        self._make_sagemaker = make_sagemaker
        self._sagemaker: Any = None
        self._found: dict[str, tuple[Resource, ...]] | None = None
        self._endpoints: tuple[Resource, ...] | None = None

    def resources(self, kind: str) -> tuple[Resource, ...]:
        """Return what runs of one kind; the first call asks for all kinds at once."""
        if self._found is None:
            self._sagemaker = self._make_sagemaker()
            self._found = dict(zip(self._kinds, nodes.parallel(self._ask, self._kinds), strict=True))
        return self._found.get(kind, ())

    def endpoints(self) -> tuple[Resource, ...]:
        """Return the endpoints with their session ids: three calls for each, the first time."""
        if self._endpoints is None:
            self._endpoints = tuple(nodes.parallel(self._with_sessions, self.resources(_INFERENCE)))
        return self._endpoints

    def endpoint_of(self, session_id: str) -> str:
        """Return the endpoint whose model has a session id; ``""``: none, or several have it."""
        serving = [one.name for one in self.endpoints() if session_id and session_id in one.session_ids]
        return serving[0] if len(serving) == 1 else ""

    def unregistered(self) -> Iterator[Resource]:
        """Give what runs and has no node: one call to SSM for a hundred resources of a kind."""
        for kind in self._kinds:
            found = self.resources(kind)
            try:
                if found and kind == _INFERENCE and self._any_of(kind):
                    found = self.endpoints()
                # Nodes of a cluster never register: they have SageMaker's own way.
                present = self._registered(kind, found) if kind != _HYPERPOD else set()
            except SmSshError as error:
                self.notes.append(error.message)
                continue
            yield from (one for one in found if one not in present)

    def _ask(self, kind: str) -> tuple[Resource, ...]:
        call = _LISTS[kind]
        try:
            answer = jobs.called(self._sagemaker, call.operation, **call.arguments) or {}
            items = answer.get(call.result, ())
            if answer.get("NextToken"):
                self.notes.append(f"sagemaker:{call.operation}: only the first {len(items)} are looked at")
            open_spaces = self._open_spaces() if kind == _STUDIO and items else frozenset()
        except SmSshError as error:
            self.notes.append(error.message)
            return ()
        return tuple(resource for item in items if (resource := _resource(kind, call, item, open_spaces)))

    def _open_spaces(self) -> frozenset[tuple[str, str]]:
        """Return domain and name of the spaces whose remote access is switched on."""
        spaces = (jobs.called(self._sagemaker, "ListSpaces", MaxResults=_AT_MOST) or {}).get("Spaces", ())
        return frozenset(
            (str(one.get("DomainId")), str(one.get("SpaceName")))
            for one in spaces
            if one.get("SpaceSettingsSummary", {}).get("RemoteAccess") == "ENABLED"
        )

    def _any_of(self, kind: str) -> bool:
        """Whether there is any node of a kind."""
        found = nodes.describe(self._ssm, nodes.tagged(contract.TAG_RESOURCE_KIND, kind))
        return next(found, None) is not None

    def _with_sessions(self, resource: Resource) -> Resource:
        try:
            found = endpoints.look_up(self._sagemaker, Target(_INFERENCE, resource.name))
        except SmSshError:  # its configuration or model has been deleted, or we may not ask: then its name is unknown
            found = None
        ids = found.session_ids if found else ()
        return Resource(resource.kind, resource.name, resource.started, ids)

    def _registered(self, kind: str, asked: Sequence[Resource]) -> set[Resource]:
        """Return those that have a node that is Online, or that registered since they were started."""
        by_session = kind == _INFERENCE
        key = contract.TAG_SESSION_ID if by_session else contract.TAG_RESOURCE_NAME
        values = sorted({value for one in asked for value in (one.session_ids if by_session else (one.name,))})
        present: set[Resource] = set()
        for start in range(0, len(values), _AT_MOST):
            part = values[start : start + _AT_MOST]
            filters = [*nodes.tagged(key, *part), *nodes.tagged(contract.TAG_RESOURCE_KIND, kind)]
            found = list(nodes.describe(self._ssm, filters))
            for node, value in _values(self._ssm, found, key, part):
                present |= {one for one in asked if value in (*one.session_ids, one.name) and _counts(one, node)}
        return present


def _counts(resource: Resource, node: Node) -> bool:
    since = resource.started
    return node.online or since is None or (node.registered is not None and node.registered >= since)


def _values(ssm: Any, found: Iterable[Node], key: str, asked: Sequence[str]) -> list[tuple[Node, str]]:
    """Return each node with the value of the tag it was found by: its display name says it, else its tags do."""

    def value(node: Node) -> tuple[Node, str]:
        if node.resource in asked:
            return node, node.resource
        if node.display_name in asked or len(asked) == 1:
            return node, node.display_name if node.display_name in asked else asked[0]
        return node, nodes.with_tags(ssm, node).tag(key)

    return nodes.parallel(value, list(found))


def _resource(
    kind: str, call: _List, item: Mapping[str, Any], open_spaces: frozenset[tuple[str, str]]
) -> Resource | None:
    name, started = str(item.get(call.name, "")), item.get(call.started)
    native = False
    if kind == _STUDIO:
        if item.get("Status") != _IN_SERVICE or item.get("AppType") not in _APPS:
            return None
        owner = item.get("SpaceName") or item.get("UserProfileName")
        name = ".".join(str(part) for part in (name, owner, item.get("DomainId")) if part)
        native = (str(item.get("DomainId")), str(item.get("SpaceName"))) in open_spaces
    if kind == _HYPERPOD:
        if item.get("ClusterStatus") != _IN_SERVICE:
            return None
        native = True
    return Resource(kind, name, started, native=native)
