"""Estimators, trainers, tuners and remote functions of the SDKs: all that become training jobs.

Where each attribute ends up in the request: contract page, sections 2.2 and 2.3.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sm_ssh_entry.contract import SSH_SESSION_ID
from sm_ssh_entry.sdk import entrypoint, limits
from sm_ssh_entry.sdk.members import get, put
from sm_ssh_entry.sdk.state import TUNING, Container, Submission
from sm_ssh_entry.sdk.subclass import override

_ARGUMENTS = "_create_training_job_args"
_SEEN = "_sm_ssh_jobs"


def estimator(target: Any) -> Submission:
    """Estimators of SDK v2, those of frameworks included."""
    names = tuple(job.name for job in [*target.jobs] or [target.latest_training_job] if job and job.name)
    container = _of_estimator("training", target)._replace(
        entrypoint=target.container_entry_point, replace=partial(setattr, target, "container_entry_point")
    )
    return Submission("training", (container,), names, ", ".join(names), target.sagemaker_session)


def _of_estimator(kind: str, target: Any) -> Container:
    # The method of that name may ask the service.
    isolated = getattr(target, "_enable_network_isolation", None)
    return Container.of(kind, target, "environment", role=target.role, isolated=isolated)


def trainer(target: Any) -> Submission:
    """Model trainers of SDK v3, and those that v2 has too."""
    job = target._latest_training_job  # noqa: SLF001 - there is no public name for it
    name = get(job, "TrainingJobName") or getattr(job, "name", "") or ""
    container = _of_trainer("training", target)._replace(hook=partial(override, target, _ARGUMENTS, _made))
    return Submission("training", (container,), (name,) if name else (), name, target.sagemaker_session)


def _of_trainer(kind: str, target: Any) -> Container:
    isolated = get(target.networking, "EnableNetworkIsolation")
    return Container.of(kind, target, "environment", role=target.role, isolated=isolated)


def tuner(target: Any) -> Submission:
    """Tuners of both SDKs. A trial's entrypoint cannot be named (contract page, 1.1): the image's own must be ours."""
    job = target.latest_tuning_job
    name = get(job, "HyperParameterTuningJobName") or getattr(job, "name", "") or ""
    if hasattr(target, "estimator"):
        several = target.estimator_dict or {"": target.estimator}
        containers = [_of_estimator(TUNING, each) for each in several.values()]
    else:
        several = target.model_trainer_dict or {"": target.model_trainer}
        containers = [_of_trainer(TUNING, each) for each in several.values()]
    return Submission(TUNING, tuple(containers), (name,) if name else (), name, target.sagemaker_session)


def remote(target: Any) -> Submission:
    """Functions under ``@remote`` and their executor: the job's settings hang on both."""
    jobs = target.job_settings
    container = Container.of(
        "training", jobs, "environment_variables", role=jobs.role, isolated=jobs.enable_network_isolation
    )._replace(where=getattr(target, "__name__", type(target).__name__), hook=partial(_hook_remote, jobs))
    return Submission("training", (container,), tuple(getattr(jobs, _SEEN, ())), session=jobs.sagemaker_session)


def _prefix(specification: Any) -> None:
    """Put ours before the entrypoint of a training request, if it names one."""
    words = entrypoint.prefixed(get(specification, "ContainerEntrypoint"))
    if words:
        limits.check_entrypoint("training", "the training job", words)
        put(specification, "ContainerEntrypoint", words)


def _made(call: Any, trainer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001 - a trainer's method
    """Make a trainer's request, and put ours before the entrypoint that it names where there is source code."""
    made = call(*args, **kwargs)
    _prefix(get(made, "AlgorithmSpecification"))
    return made


def _hook_remote(jobs: Any) -> None:
    """Change the request on its way: the SDK makes it in one function, from constants, and sends it at once.

    The handler belongs to the session's client, through which other jobs go too: it knows its own by their session id.
    """
    seen: list[str] = getattr(jobs, _SEEN, [])
    setattr(jobs, _SEEN, seen)

    def change(params: dict[str, Any], **_: Any) -> None:
        own = (jobs.environment_variables or {}).get(SSH_SESSION_ID)
        if own and (params.get("Environment") or {}).get(SSH_SESSION_ID) == own:
            _prefix(params.get("AlgorithmSpecification"))
            seen.append(str(params.get("TrainingJobName", "")))

    events = jobs.sagemaker_session.sagemaker_client.meta.events
    events.register("provide-client-params.sagemaker.CreateTrainingJob", change, unique_id=f"sm-ssh-{id(jobs)}")
