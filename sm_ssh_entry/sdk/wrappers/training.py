"""``SSHEstimatorWrapper``: training jobs of estimators (v2), model trainers (v2, v3), or by their names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.wrappers import submitted
from sm_ssh_entry.sdk.wrappers.base import SSHEnvironmentWrapper, one_of, say
from sm_ssh_entry.sdk.wrappers.detached import Detached, DetachedEstimator
from sm_ssh_entry.sdk.wrappers.records import Record

_ARN = ":training-job/"
_WAIT = 600


class SSHEstimatorWrapper(SSHEnvironmentWrapper):
    """A training job with SSH.

    Args:
        estimator: estimator of SDK v2, model trainer of either, or a stand-in for a job.
        ssm_iam_role: IAM role for the managed nodes, its path and name; ``""``: the estimator's.
        bootstrap_on_start: False: SSH is left off.
        connection_wait_time_seconds: how long the job waits for ``sm-wait stop`` before it starts.
        ssh_instance_count: nodes of rank below this register themselves.
        local_user_id: the ``aws:userid`` that may connect; None: the caller's.
        log_to_stdout: our log to the container's stdout.
    """

    kind = "training"

    def __init__(  # noqa: PLR0917 - the places that callers know
        self,
        estimator: Any,
        ssm_iam_role: str = "",
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
        ssh_instance_count: int = 2,
        local_user_id: str | None = None,
        log_to_stdout: bool = False,
    ) -> None:
        session = getattr(estimator, "sagemaker_session", None)
        super().__init__(
            ssm_iam_role, bootstrap_on_start, connection_wait_time_seconds, session, local_user_id, log_to_stdout
        )
        self.estimator = estimator
        self.ssh_instance_count = ssh_instance_count

    @classmethod
    def create(  # noqa: PLR0917 - the places that callers know
        cls,
        estimator: Any,
        connection_wait_time_seconds: int = _WAIT,
        connection_wait_time: timedelta = timedelta(minutes=10),
        ssh_instance_count: int = 2,
        local_user_id: str | None = None,
        log_to_stdout: bool = False,
    ) -> SSHEstimatorWrapper:
        """Turn SSH on; call it before ``fit()``, ``train()`` or a tuner's ``fit()``.

        An estimator's own ``container_entry_point`` stays as it is: its program has to call ``setup_and_start_ssh()``.
        That of a model trainer gets ours before it, which an image without our layer does not have.

        Args:
            estimator: estimator of SDK v2, or model trainer of either.
            connection_wait_time_seconds: how long the job waits for ``sm-wait stop`` before it starts.
            connection_wait_time: the same as a span.
            ssh_instance_count: nodes of rank below this register themselves.
            local_user_id: the ``aws:userid`` that may connect; None: the caller's.
            log_to_stdout: our log to the container's stdout.

        Raises:
            BadInput: it was submitted already, cannot have SSH, or a limit of the service is passed.
            SmSshError: STS could not say who the caller is.
        """
        what = "connection_wait_time_seconds and connection_wait_time"
        wait = one_of(connection_wait_time_seconds, connection_wait_time, default=_WAIT, what=what)
        made = cls(
            estimator,
            connection_wait_time_seconds=wait,
            ssh_instance_count=ssh_instance_count,
            local_user_id=local_user_id,
            log_to_stdout=log_to_stdout,
        )
        made._turn_on(estimator, ssh_instance_count=ssh_instance_count)
        return made

    @classmethod
    def attach(cls, training_job_name: str, sagemaker_session: Any = None) -> SSHEstimatorWrapper:
        """Return the wrapper for a job that runs, whoever has started it; nothing is asked of AWS.

        Args:
            training_job_name: name of the job.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.
        """
        return cls(DetachedEstimator.attach(training_job_name, sagemaker_session))

    @classmethod
    def attach_arn(cls, training_job_arn: str, sagemaker_session: Any = None) -> SSHEstimatorWrapper:
        """Like ``attach``, by the job's ARN.

        Raises:
            BadInput: it is the ARN of something else.
        """
        if _ARN not in training_job_arn:
            raise BadInput(f"{training_job_arn!r} is not the ARN of a training job", hint="arn:…:training-job/name")
        return cls.attach(training_job_arn.partition(_ARN)[2], sagemaker_session)

    def resource_name(self) -> str:
        """Return the newest job's name.

        Raises:
            BadInput: there is none yet.
        """
        return submitted.name(self.estimator, "training job", "fit() or train()")

    def training_job_name(self) -> str:
        """Return the newest job's name; see ``resource_name``."""
        return self.resource_name()

    def wait_training_job(self) -> None:
        """Wait until the job has ended, and print its log meanwhile.

        Raises:
            SmSshError: it has failed; the message says why.
        """
        self._record().wait()

    def wait_training_job_with_status(self) -> str:
        """Like ``wait_training_job``, and return the job's status: ``Completed`` or ``Stopped``."""
        self.wait_training_job()
        return self._record().status()

    def stop_training_job(self) -> None:
        """Stop the job, and wait until it has ended."""
        record = self._record()
        say(f"stopping training job {record.name} …")
        record.stop()
        record.wait(logs=False)

    def is_job_in_progress(self) -> bool:
        """Return whether the job runs or is about to."""
        return self._record().status() == "InProgress"

    def rule_job_summary(self) -> list[dict[str, Any]]:
        """Return the states of the debugger's and the profiler's rules of the job."""
        return self._record().rule_job_summary()

    def get_cloudwatch_url(self) -> str:
        """Return the address of the job's log in the console."""
        return self.ssh_log.get_training_cloudwatch_url(self.resource_name())

    def get_metadata_url(self) -> str:
        """Return the address of the job's record in the console."""
        return self.ssh_log.get_training_metadata_url(self.resource_name())

    def _record(self) -> Record:
        return Record(self.kind, self.resource_name(), self.account)

    def _expected_nodes(self) -> int:
        if isinstance(self.estimator, Detached):
            return 1
        return min(self.ssh_instance_count, _instances(self.estimator) or self.ssh_instance_count)


def _instances(estimator: Any) -> int:
    """Return how many instances a job has; 0: not known, such as a pipeline's variable."""
    compute = getattr(estimator, "compute", None) or estimator
    groups = getattr(compute, "instance_groups", None)
    counts = [getattr(each, "instance_count", None) for each in (groups if isinstance(groups, list) else [compute])]
    return sum(count for count in counts if isinstance(count, int))
