"""Stand-ins for the SDK's objects where there is only a name: jobs and endpoints that others have started."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.records import Record


class Detached:
    """What is known of something by its name alone.

    Args:
        name: what SageMaker calls it.
        sagemaker_session: session of either SDK or of boto3; None: the environment's account.

    Raises:
        BadInput: the name is no text.
    """

    kind = ""

    def __init__(self, name: str, sagemaker_session: Any = None) -> None:
        if not isinstance(name, str) or not name:
            raise BadInput(f"a name is wanted, not {name!r}", hint="give the name that SageMaker has, as text")
        self.sagemaker_session = sagemaker_session
        self.record = Record(self.kind, name, Account.of(sagemaker_session))


class DetachedEstimator(Detached):
    """A training job that others have started, where an estimator would stand."""

    kind = "training"
    instance_count = 0

    def __init__(self, training_job_name: str, sagemaker_session: Any) -> None:
        super().__init__(training_job_name, sagemaker_session)
        self.latest_training_job = self.record

    @classmethod
    def attach(
        cls,
        training_job_name: str,
        sagemaker_session: Any = None,
        model_channel_name: str = "model",  # noqa: ARG003 - the SDK's signature
    ) -> DetachedEstimator:
        """Return the stand-in for a job; nothing is asked of AWS."""
        return cls(training_job_name, sagemaker_session)


class DetachedProcessor(Detached):
    """A processing job that others have started, where a processor would stand."""

    kind = "processing"

    def __init__(self, processing_job_name: str, sagemaker_session: Any) -> None:
        super().__init__(processing_job_name, sagemaker_session)
        self.latest_job = self.record

    @classmethod
    def attach(cls, processing_job_name: str, sagemaker_session: Any = None) -> DetachedProcessor:
        """Return the stand-in for a job; nothing is asked of AWS."""
        return cls(processing_job_name, sagemaker_session)


class DetachedTransformer(Detached):
    """A transform job that others have started, where a transformer would stand."""

    kind = "transform"

    def __init__(self, transform_job_name: str, sagemaker_session: Any = None) -> None:
        super().__init__(transform_job_name, sagemaker_session)
        self.latest_transform_job = self.record


class DetachedModel(Detached):
    """An endpoint that others have deployed, where its model would stand."""

    kind = "inference"

    def __init__(self, endpoint_name: str, sagemaker_session: Any = None) -> None:
        super().__init__(endpoint_name, sagemaker_session)
        self.endpoint_name = endpoint_name
        self.name = ""
