"""What the parts of ``enable_ssh`` hand to each other: a submission, the containers in it, and what was turned on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

# Kinds that enable_ssh knows beside the words of host names: a tuning job's trials are training jobs.
TUNING = "tuning"
PIPELINE = "pipeline"


class Enabled(NamedTuple):
    """SSH as it was set on an object or a request.

    Attributes:
        kind: word of a host name: ``training``, ``processing``, ``transform`` or ``inference``; ``tuning`` for a tuning
            job, whose trials are training jobs, ``pipeline`` for a pipeline.
        session_id: SSH_SESSION_ID, which the nodes have as a tag.
        variables: environment variables that were set, by name.
        instance_count: nodes of rank below this register themselves; those above run sshd only.
        names: what SageMaker calls the jobs or the endpoint, the newest last; empty before they were submitted.
    """

    kind: str
    session_id: str
    variables: Mapping[str, str]
    instance_count: int
    names: tuple[str, ...] = ()


class Container(NamedTuple):
    """One container definition of a submission: where its variables and its entrypoint are.

    Attributes:
        kind: whose limits hold, a key of ``limits.LIMITS``.
        where: what it is called in a message.
        environment: its variables now.
        assign: puts other variables in their place.
        entrypoint: words that replace the image's entrypoint, as far as they are known now.
        replace: puts other words in their place; None where there is no such member.
        hook: sees to it that words which are only known at submission get ours before them; None where they are known.
        role: role of the job, as the submission names it: an ARN, a name, or something that is known later.
        isolated: whether it is cut off from the network.
        rank: its place among the containers that share an instance; None where it has its instance for itself.
    """

    kind: str
    where: str
    environment: Mapping[str, Any]
    assign: Callable[[dict[str, Any]], None]
    entrypoint: Sequence[Any] | None = None
    replace: Callable[[list[Any]], None] | None = None
    hook: Callable[[], None] | None = None
    role: object = ""
    isolated: bool = False
    rank: int | None = None

    @classmethod
    def of(cls, kind: str, target: Any, member: str, *, role: object = "", isolated: object = False) -> Container:
        """Return the container of an SDK's object.

        Args:
            kind: as above.
            target: the object.
            member: its attribute that holds the variables.
            role: its role.
            isolated: whether network isolation is on; what only the service will know counts as off.
        """
        before = getattr(target, member) or {}
        assign = partial(setattr, target, member)
        return cls(kind, type(target).__name__, before, assign, role=role, isolated=isolated is True)


class Submission(NamedTuple):
    """What a job, model or pipeline consists of, as far as SSH is concerned.

    Attributes:
        kind: kind of ``Enabled``.
        containers: all that get variables.
        names: what SageMaker calls it, where it was submitted.
        submitted: what makes a change too late, in words; ``""``: nothing.
        session: the SDK's or boto3's session, whose credentials submit it; None: there is none.
    """

    kind: str
    containers: tuple[Container, ...]
    names: tuple[str, ...] = ()
    submitted: str = ""
    session: Any = None
