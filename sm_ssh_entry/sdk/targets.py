"""What ``enable_ssh`` was given, opened for changes: itself if it is an object, a copy if it is a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import objects, pipelines, requests
from sm_ssh_entry.sdk.state import Submission

_DEFINITION = ("PipelineDefinition", "pipeline_definition")


class Opened(NamedTuple):
    """A target whose parts can be changed.

    Attributes:
        submission: its parts.
        closed: returns what the caller gets back, after the changes.
    """

    submission: Submission
    closed: Callable[[], Any]


def opened(target: Any, *, steps: Collection[str] | None = None, look: bool = False) -> Opened:
    """Open a target.

    Args:
        target: object, request, definition or its text.
        steps: names of a pipeline's steps; None: all.
        look: nothing is going to be changed, so nothing has to be copied.

    Raises:
        BadInput: it cannot have SSH.
    """
    if isinstance(target, str):
        definition = pipelines.parsed(target)
        return Opened(pipelines.submission(definition, steps), lambda: json.dumps(definition))
    if not isinstance(target, dict):
        _no_steps(steps)
        return Opened(objects.submission(target), lambda: target)
    changed = target if look else requests.copied(target)
    if pipelines.is_definition(changed):
        return Opened(pipelines.submission(changed, steps), lambda: changed)
    name = next((name for name in _DEFINITION if isinstance(changed.get(name), str)), "")
    if name:
        inner = opened(changed[name], steps=steps)
        return Opened(inner.submission, lambda: {**changed, name: inner.closed()})
    _no_steps(steps)
    return Opened(requests.submission(changed), lambda: changed)


def _no_steps(steps: Collection[str] | None) -> None:
    if steps is not None:
        raise BadInput("steps is for pipelines only")
