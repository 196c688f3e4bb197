"""Host names: what a user types, taken apart.

    my-job.training.sagemaker             a job; with several nodes, its first
    algo-2.my-job.training.sagemaker      one node of a job
    my-endpoint.inference.sagemaker       an endpoint; of several containers the newest
    blue.my-endpoint.inference.sagemaker  one variant, or one inference component, or the second newest: 2.my-endpoint
    app.space.domain.studio.sagemaker     a Studio app
    my-notebook.notebook.sagemaker        a notebook instance
    workers-2.my-cluster.hyperpod.sagemaker   a HyperPod instance by its group and number, or by its id
    mi-0123456789abcdef0                  a managed node by its id

``user@`` may stand before any of them and ``@region`` behind. ``ssh`` itself takes what follows the last ``@`` as the
host, so the region suffix is for ``sm-ssh``'s own commands and for aliases in ``ssh_config``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput

ROOT_USER = "root"
# SageMaker's pattern for names of jobs, endpoints, apps and notebook instances: 1 to 63 of these.
_RESOURCE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
# SageMaker calls the hosts of a job algo-1, algo-2, ...
_NODE = re.compile(r"algo-[1-9][0-9]*")
_NODE_ID = re.compile(contract.NODE_ID_PATTERN)
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}\$?")
#: Kinds whose containers are called algo-1, algo-2, …
JOB_KINDS = frozenset({"training", "processing", "transform"})
# Kinds in which the word before the resource is chosen by the user or by AWS: a variant, an instance, a group.
_KINDS_WITH_PARTS = frozenset({"inference", "hyperpod"})
#: App, space or user profile, domain.
STUDIO_PARTS = 3
_FORMS = f"names look like my-job.training{contract.NAME_SUFFIX}, algo-2.my-job.training{contract.NAME_SUFFIX} or mi-…"


@dataclass(frozen=True)
class Target:
    """What a host name means. Either ``node_id`` is set, or ``kind`` and ``resource`` are.

    Attributes:
        kind: one of ``contract.KINDS``; ``""`` for a node id.
        resource: name of the job, endpoint, app, notebook or cluster, in the case it was typed.
        node: label of one node (``algo-2``), or what stands in its place: a variant, an inference component or a number
            of an endpoint, an instance or a group of a cluster; ``""``: any.
        node_id: ``mi-…``; ``""`` for a name.
        user: whom to log in as; ``""``: not said.
        region: region from the suffix; ``""``: not said.
    """

    kind: str = ""
    resource: str = ""
    node: str = ""
    node_id: str = ""
    user: str = ""
    region: str = ""

    @property
    def host(self) -> str:
        """The name without user and region, as ``ssh`` is given it."""
        if self.node_id:
            return self.node_id
        return host_name(self.kind, self.resource, self.node)

    @property
    def alias(self) -> str:
        """The name as ``known_hosts`` lists it: lower case, as ``ssh`` itself looks it up."""
        return self.host.lower()


def host_name(kind: str, resource: str, node: str = "") -> str:
    """Put a host name together.

    Args:
        kind: one of ``contract.KINDS``.
        resource: name of the job, endpoint or app.
        node: label of one node; ``""``: none.
    """
    return ".".join(word for word in (node, resource, kind) if word) + contract.NAME_SUFFIX


def parse(text: str) -> Target:
    """Take a name apart.

    Args:
        text: what the user typed.

    Raises:
        BadInput: it is not a name of ours.
    """
    rest, user, region = text.strip(), "", ""
    head, at, tail = rest.rpartition("@")
    if at and _REGION.fullmatch(tail) and head:
        rest, region = head, tail
    if "@" in rest:
        user, _, rest = rest.partition("@")
        if not _USER.fullmatch(user):
            raise BadInput(f"{user!r} cannot be a user name", hint="write user@name, as for ssh")
    target = _by_id(rest) or _by_name(rest)
    return Target(target.kind, target.resource, target.node, target.node_id, user, region)


def parse_kind(text: str) -> str:
    """Return the kind that ``training.sagemaker`` (or ``training``) names.

    Raises:
        BadInput: there is no such kind.
    """
    kind = text.lower().removesuffix(contract.NAME_SUFFIX).removeprefix("*.")
    if kind not in contract.KINDS:
        raise BadInput(f"{text!r} is not a kind of resource", hint=f"kinds are {', '.join(contract.KINDS)}")
    return kind


def parse_host(text: str) -> Target | None:
    """Take a name apart where it may well be somebody else's: None instead of an error."""
    try:
        return parse(text)
    except BadInput:
        return None


def _by_id(text: str) -> Target | None:
    lower = text.lower()
    if _NODE_ID.fullmatch(lower):
        return Target(node_id=lower)
    if lower.startswith("mi-") and "." not in lower:
        raise BadInput(f"{text!r} is not a managed node's id", hint="ids are mi- and 17 hexadecimal digits")
    return None


def _by_name(text: str) -> Target:
    if not text.lower().endswith(contract.NAME_SUFFIX):
        hint = _FORMS
        if _RESOURCE.fullmatch(text):
            hint = f"did you mean {text}.training{contract.NAME_SUFFIX}?"
        raise BadInput(f"{text!r} is not a name that sm-ssh knows", hint=hint)
    *labels, kind = text[: -len(contract.NAME_SUFFIX)].split(".")
    kind = kind.lower()
    if kind not in contract.KINDS:
        raise BadInput(f"{text!r}: {kind!r} is not a kind of resource", hint=f"kinds are {', '.join(contract.KINDS)}")
    if not labels or not all(_RESOURCE.fullmatch(label) for label in labels):
        raise BadInput(f"{text!r} names no {kind} resource", hint=_FORMS)
    if kind == "studio" and len(labels) <= STUDIO_PARTS:
        return Target(kind=kind, resource=".".join(labels))
    if len(labels) == 1:
        return Target(kind=kind, resource=labels[0])
    if len(labels) == 2 and kind in JOB_KINDS and _NODE.fullmatch(labels[0].lower()):
        return Target(kind=kind, resource=labels[1], node=labels[0].lower())
    if len(labels) == 2 and kind in _KINDS_WITH_PARTS:
        return Target(kind=kind, resource=labels[1], node=labels[0])
    raise BadInput(f"{text!r} has too many parts", hint=_FORMS)


def rank(node: str) -> int:
    """Order node labels as their numbers order them (``algo-10`` after ``algo-2``); other labels come last."""
    head, _, number = node.rpartition("-")
    return int(number) if head and number.isdigit() else 1 << 30


def fits_app(asked: str, full: str) -> bool:
    """Whether a name of a Studio app, or a part of it, means an app.

    Args:
        asked: ``app``, ``space``, ``app.space``, ``space.domain`` or ``app.space.domain``; a user profile stands where
            a space would.
        full: ``app.space.domain``.
    """
    words, whole = asked.split("."), full.split(".")
    if len(words) == 1:
        return words[0] in whole[: STUDIO_PARTS - 1]
    return any(whole[start : start + len(words)] == words for start in range(len(whole)))
