"""What was turned on, and for what: the answer of ``enabled``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Enabled(NamedTuple):
    """SSH as it was set on an object or a request.

    Attributes:
        kind: word of a host name: ``training``, ``processing``, ``transform`` or ``inference``; ``tuning`` for a tuning
            job, whose trials are training jobs, ``pipeline`` for a pipeline definition.
        session_id: SSH_SESSION_ID, which the nodes have as a tag.
        variables: environment variables that were set, by name. SSH_OWNER_TAG and keys are no secrets.
        instance_count: nodes that register themselves; nodes of higher rank run sshd only.
        names: what SageMaker calls the job or endpoint, the newest last; empty before it was submitted.
    """

    kind: str
    session_id: str
    variables: Mapping[str, str]
    instance_count: int
    names: tuple[str, ...] = ()
