"""Pipelines of the SDKs, which become a definition only when they are created: SSH is turned on in that definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import apply, settings, targets
from sm_ssh_entry.sdk.apply import How
from sm_ssh_entry.sdk.state import PIPELINE, Enabled
from sm_ssh_entry.sdk.subclass import override

_KEPT = "_sm_ssh"


class _Kept(NamedTuple):
    """What is on in a pipeline: found out once, so that every definition of it is the same."""

    how: How
    steps: tuple[str, ...] | None
    found: dict[str, str]


def turn_on(pipeline: Any, how: How, steps: Sequence[str] | None) -> None:
    """See to it that every definition of a pipeline has SSH.

    Args:
        pipeline: the SDK's object.
        how: what was asked for.
        steps: names of the steps that are meant; None: all that can have SSH.

    Raises:
        BadInput: it is on already, and something else was asked for then.
        SmSshError: the owner or the key could not be found.
    """
    meant = None if steps is None else tuple(steps)
    kept = _kept(pipeline)
    if kept is None:
        setattr(pipeline, _KEPT, _Kept(how, meant, how.found(set(), pipeline.sagemaker_session)))
        override(pipeline, "definition", _defined)
    elif (kept.how, kept.steps) != (how, meant):
        raise BadInput(f"pipeline {pipeline.name} has SSH already, with other settings", hint="call enable_ssh once")


def state(pipeline: Any) -> Enabled | None:
    """Return what is on in a pipeline, None where nothing is."""
    kept = _kept(pipeline)
    if kept is None:
        return None
    return apply.told(PIPELINE, settings.ours({**kept.found, **settings.said(kept.how.asked, None)}))


def _kept(pipeline: Any) -> _Kept | None:
    return getattr(pipeline, _KEPT, None)


def _defined(call: Any, pipeline: Any, *args: Any, **kwargs: Any) -> Any:
    kept: _Kept = getattr(pipeline, _KEPT)
    opened = targets.opened(call(*args, **kwargs), steps=kept.steps)
    apply.turn_on(opened.submission, kept.how, kept.found)
    return opened.closed()
