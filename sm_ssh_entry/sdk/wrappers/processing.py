"""``SSHProcessorWrapper``: processing jobs of processors (v2, v3), or by their names."""

from __future__ import annotations

import sys
from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.wrappers import submitted
from sm_ssh_entry.sdk.wrappers.base import SSHEnvironmentWrapper
from sm_ssh_entry.sdk.wrappers.detached import DetachedProcessor
from sm_ssh_entry.sdk.wrappers.records import Record

_WAIT = 600
_NAME = "sagemaker_ssh_helper"
_DESTINATION = f"/opt/ml/processing/input/{_NAME}"


class SSHProcessorWrapper(SSHEnvironmentWrapper):
    """A processing job with SSH.

    Args:
        processor: processor of either SDK, or a stand-in for a job.
        ssm_iam_role: IAM role for the managed nodes, its path and name; ``""``: the processor's.
        bootstrap_on_start: False: SSH is left off.
        connection_wait_time_seconds: how long the job waits for ``sm-wait stop`` before it starts.
    """

    kind = "processing"

    def __init__(
        self,
        processor: Any,
        ssm_iam_role: str = "",
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
    ) -> None:
        session = getattr(processor, "sagemaker_session", None)
        super().__init__(ssm_iam_role, bootstrap_on_start, connection_wait_time_seconds, session)
        self.processor = processor

    @classmethod
    def create(cls, processor: Any, connection_wait_time_seconds: int = _WAIT) -> SSHProcessorWrapper:
        """Turn SSH on; call it before ``run()``. The job's script starts it: ``setup_and_start_ssh()``.

        The SDK replaces the image's entrypoint, and ours stands before the one that it sets: it starts SSH in an image
        with our layer, and runs the job alone in one without, whose script may start SSH itself.

        Args:
            processor: processor of either SDK.
            connection_wait_time_seconds: how long the job waits for ``sm-wait stop`` before it starts.

        Raises:
            BadInput: it was submitted already, cannot have SSH, or a limit of the service is passed.
            SmSshError: STS could not say who the caller is.
        """
        made = cls(processor, connection_wait_time_seconds=connection_wait_time_seconds)
        made._turn_on(processor)
        return made

    @classmethod
    def attach(cls, processing_job_name: str, sagemaker_session: Any = None) -> SSHProcessorWrapper:
        """Return the wrapper for a job that runs, whoever has started it; nothing is asked of AWS.

        Args:
            processing_job_name: name of the job.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.
        """
        return cls(DetachedProcessor.attach(processing_job_name, sagemaker_session))

    def resource_name(self) -> str:
        """Return the newest job's name.

        Raises:
            BadInput: there is none yet.
        """
        return submitted.name(self.processor, "processing job", "run()")

    def get_processor_latest_job_name(self) -> str:
        """Return the newest job's name; see ``resource_name``."""
        return self.resource_name()

    def augmented_input(self) -> Any:
        """Return an input for ``run(inputs=[…])`` that brings the folder of ``dependency_dir()``.

        A script in an image without our layer appends ``/opt/ml/processing/input`` to ``sys.path`` and imports it.

        Returns:
            A ``ProcessingInput`` of the SDK that the processor is of.

        Raises:
            BadInput: the processor is of none.
        """
        for each in type(self.processor).__mro__:
            module = sys.modules.get(each.__module__)
            if each.__name__ == "Processor" and hasattr(module, "ProcessingInput"):
                return _input(module, self.dependency_dir())
        raise BadInput(
            f"{type(self.processor).__name__} is no processor of SageMaker's SDK", hint="create() the wrapper with one"
        )

    def wait_processing_job(self) -> None:
        """Wait until the job has ended, and print its log meanwhile.

        Raises:
            SmSshError: it has failed; the message says why.
        """
        Record(self.kind, self.resource_name(), self.account).wait()

    def get_cloudwatch_url(self) -> str:
        """Return the address of the job's log in the console."""
        return self.ssh_log.get_processing_cloudwatch_url(self.resource_name())

    def get_metadata_url(self) -> str:
        """Return the address of the job's record in the console."""
        return self.ssh_log.get_processing_metadata_url(self.resource_name())


def _input(module: Any, folder: str) -> Any:
    """Make the input as the SDK's own module has it: v3 has the places in a member of its own, v2 has not."""
    source = getattr(module, "ProcessingS3Input", None)
    if source is None:
        return module.ProcessingInput(source=folder, destination=_DESTINATION, input_name=_NAME)
    place = source(s3_uri=folder, local_path=_DESTINATION, s3_data_type="S3Prefix", s3_input_mode="File")
    return module.ProcessingInput(input_name=_NAME, s3_input=place)
