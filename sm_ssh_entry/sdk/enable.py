"""The one call that turns SSH on where a job, model or pipeline is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from sm_ssh_entry.sdk.state import Enabled

Target = TypeVar("Target")


def enable_ssh(
    target: Target,
    *,
    connection_wait_time_seconds: int | None = None,
    ssh_instance_count: int | None = None,
    ssm_iam_role: str = "",
    owner: str | None = None,
    public_key: str | None = None,
    session_id: str = "",
    log_to_stdout: bool = False,
    on_error: str = "",
    hold_on_failure_seconds: int | None = None,
    idle_timeout_seconds: int | None = None,
    deregister_on_exit: bool | None = None,
    port: int | None = None,
    prefix_entrypoint: bool = True,
    steps: Sequence[str] | None = None,
    region: str | None = None,
    profile: str | None = None,
) -> Target:
    """Turn SSH on for what is about to be submitted.

    An object of SageMaker's SDK v2 or v3 is changed in place and returned. Of a request or pipeline definition (a dict,
    or the definition's JSON text) a changed copy is returned, and the one that was given stays as it is.

    Variables of ours that the target has already stay. So a second call changes nothing, unless it says something else
    than they do: then it is refused.

    Args:
        target: estimator, trainer, tuner, processor, model, model builder, transformer, function under ``@remote``,
            pipeline, pipeline definition, or the request of CreateTrainingJob, CreateProcessingJob, CreateModel,
            CreateTransformJob, CreateHyperParameterTuningJob, CreateInferenceComponent or CreatePipeline, its members
            written as boto3 or as ``sagemaker.core.resources`` writes them.
        connection_wait_time_seconds: how long the job waits for ``sm-wait stop`` before it starts. None: 600 for jobs,
            0 for models, which must answer their health check.
        ssh_instance_count: nodes of rank below this register themselves. None: 2.
        ssm_iam_role: IAM role for the managed node, its path and name or its ARN. ``""``: the job's own role where the
            target names it by ARN, else the container finds out.
        owner: the ``aws:userid`` that may connect. None: STS is asked for the caller's; ``""``: no owner.
        public_key: the key that may log in: its text, or the path of its file. None: the Ed25519 key that ``sm-ssh
            connect`` will use, if there is one; ``""``: none, and ``sm-ssh connect`` brings one to the node.
        session_id: word that the nodes are found by. ``""``: a random one.
        log_to_stdout: our log to the container's stdout, not stderr.
        on_error: ``continue`` or ``fail``: what a failed set-up means for the job. ``""``: the image's, else continue.
        hold_on_failure_seconds: keep the container after the user's command has failed. None: the image's, else 0.
        idle_timeout_seconds: end the container when nobody has been connected for so long. None: the image's, else
            never.
        deregister_on_exit: remove the managed node on the way out. None: the image's, else no.
        port: sshd's port. None: 22.
        prefix_entrypoint: whether an entrypoint that the SDK or the user sets gets ours before it, which runs the job
            alone where the image lacks our layer. False: for an image without /bin/sh.
        steps: names of those steps of a pipeline that are meant. None: all that can have SSH.
        region: region of the STS call for a request; None: the environment's or the profile's. An object has its own.
        profile: profile of that call; None: the environment's.

    Returns:
        The object itself, or the changed copy of the request.

    Raises:
        BadInput: the target cannot have SSH, was submitted before, says something else already, or a limit of the
            service is passed.
        KeyRefused: the public key cannot be used.
        SmSshError: STS could not say who the owner is.
    """
    # Importing this module costs the user's script next to nothing: the rest comes with the first call.
    from sm_ssh_entry.sdk import apply, compiled, objects, settings, targets

    asked = settings.checked(
        settings.Settings(
            connection_wait_time_seconds=connection_wait_time_seconds,
            ssh_instance_count=ssh_instance_count,
            ssm_iam_role=ssm_iam_role,
            owner=owner,
            public_key=public_key,
            session_id=session_id,
            log_to_stdout=log_to_stdout,
            on_error=on_error,
            hold_on_failure_seconds=hold_on_failure_seconds,
            idle_timeout_seconds=idle_timeout_seconds,
            deregister_on_exit=deregister_on_exit,
            port=port,
        )
    )
    how = apply.How(asked, prefix=prefix_entrypoint, region=region, profile=profile)
    if objects.is_pipeline(target):
        compiled.turn_on(target, how, steps)
        return target
    opened = targets.opened(target, steps=steps)
    apply.turn_on(opened.submission, how)
    return cast("Target", opened.closed())


def enabled(target: object) -> Enabled | None:
    """Return what is on, and the names that are known by now; None where SSH is not on.

    Args:
        target: what ``enable_ssh`` has returned.

    Raises:
        BadInput: the target cannot have SSH.
    """
    from sm_ssh_entry.sdk import apply, compiled, objects, targets

    if objects.is_pipeline(target):
        return compiled.state(target)
    return apply.state(targets.opened(target, look=True).submission)
