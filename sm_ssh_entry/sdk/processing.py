"""Processors of both SDKs: the script's kind decides the entrypoint inside ``run``, so ours goes before it there."""

from __future__ import annotations

from functools import partial
from typing import Any

from sm_ssh_entry.sdk import entrypoint, limits
from sm_ssh_entry.sdk.members import get
from sm_ssh_entry.sdk.state import Container, Submission
from sm_ssh_entry.sdk.subclass import override

_ARGUMENTS = "_normalize_args"


def processor(target: Any) -> Submission:
    """Processor, ScriptProcessor, FrameworkProcessor and Spark's, of v2 and v3."""
    jobs = [*target.jobs] or [target.latest_job]
    named = [get(job, "ProcessingJobName") or getattr(job, "job_name", "") for job in jobs if job is not None]
    names = tuple(name for name in named if name)
    isolated = get(target.network_config, "EnableNetworkIsolation")
    container = Container.of("processing", target, "env", role=target.role, isolated=isolated)._replace(
        entrypoint=target.entrypoint, hook=partial(override, target, _ARGUMENTS, _normalized)
    )
    return Submission("processing", (container,), names, ", ".join(names), target.sagemaker_session)


def _normalized(call: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the class's own, which every kind of processor does in ``run``, and put ours before what it has decided.

    A bare processor without an entrypoint keeps it so: setting one would replace the image's.
    """
    if target.entrypoint is not None:
        target.entrypoint = entrypoint.stripped(target.entrypoint) or None
    made = call(*args, **kwargs)
    words = entrypoint.prefixed(target.entrypoint)
    if words:
        limits.check_entrypoint("processing", type(target).__name__, words)
        target.entrypoint = words
    return made
