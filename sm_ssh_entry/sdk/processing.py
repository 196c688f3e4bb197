"""Processors of both SDKs: the script's kind decides the entrypoint inside ``run``, so ours goes before it there."""

from __future__ import annotations

from functools import partial
from types import MethodType
from typing import Any

from sm_ssh_entry.sdk import entrypoint, limits
from sm_ssh_entry.sdk.members import get
from sm_ssh_entry.sdk.state import Container, Submission

_ARGUMENTS = "_normalize_args"


def processor(target: Any) -> Submission:
    """Processor, ScriptProcessor, FrameworkProcessor and Spark's, of v2 and v3."""
    jobs = [*target.jobs] or [target.latest_job]
    named = [get(job, "ProcessingJobName") or getattr(job, "job_name", "") for job in jobs if job is not None]
    names = tuple(name for name in named if name)
    container = Container(
        "processing",
        type(target).__name__,
        target.env or {},
        partial(setattr, target, "env"),
        entrypoint=target.entrypoint,
        hook=partial(_hook, target),
        role=target.role,
        isolated=get(target.network_config, "EnableNetworkIsolation") is True,
    )
    return Submission("processing", (container,), names, ", ".join(names), target.sagemaker_session)


def _hook(target: Any) -> None:
    # Bound to the instance, so that a deep copy of the processor gets one of its own.
    setattr(target, _ARGUMENTS, MethodType(_normalized, target))


def _normalized(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the class's own, which every kind of processor does in ``run``, and put ours before what it has decided.

    A bare processor without an entrypoint keeps it so: setting one would replace the image's.
    """
    if self.entrypoint is not None:
        self.entrypoint = entrypoint.stripped(self.entrypoint) or None
    made = getattr(type(self), _ARGUMENTS)(self, *args, **kwargs)
    words = entrypoint.prefixed(self.entrypoint)
    if words:
        limits.check_entrypoint("processing", type(self).__name__, words)
        self.entrypoint = words
    return made
