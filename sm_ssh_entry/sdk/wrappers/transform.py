"""``SSHTransformerWrapper``: batch transform jobs of transformers (v2, v3), or by their names."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk import objects
from sm_ssh_entry.sdk.wrappers import submitted
from sm_ssh_entry.sdk.wrappers.base import SSHEnvironmentWrapper
from sm_ssh_entry.sdk.wrappers.detached import DetachedModel, DetachedTransformer
from sm_ssh_entry.sdk.wrappers.inference import SSHModelWrapper
from sm_ssh_entry.sdk.wrappers.records import Record


class SSHTransformerWrapper(SSHEnvironmentWrapper):
    """A batch transform job with SSH. Its containers have the variables of its model: that one must have SSH.

    Args:
        transformer: transformer of either SDK, or a stand-in for a job.
        model_wrapper: wrapper of its model.
    """

    kind = "transform"

    def __init__(self, transformer: Any, model_wrapper: SSHModelWrapper) -> None:
        session = getattr(transformer, "sagemaker_session", None)
        super().__init__("", True, model_wrapper.connection_wait_time_seconds, session)
        self.transformer = transformer
        self.model_wrapper = model_wrapper

    @classmethod
    def create(cls, transformer: Any, model_wrapper: SSHModelWrapper) -> SSHTransformerWrapper:
        """Return the wrapper of a transformer whose model has SSH; call it before ``transform()``.

        Args:
            transformer: transformer of either SDK.
            model_wrapper: what ``SSHModelWrapper.create`` has returned for its model.

        Raises:
            BadInput: the model has no SSH, is another one, or the job was submitted already.
        """
        if not model_wrapper.augmented:
            raise BadInput("the model of this transformer has no SSH", hint="SSHModelWrapper.create(model) turns it on")
        name, wanted = model_wrapper.model_name(), getattr(transformer, "model_name", None)
        if isinstance(wanted, str) and name != wanted:
            raise BadInput(f"the transformer uses model {wanted}, and SSH is on for {name}", hint="give its own model")
        if objects.submission(transformer).names:
            raise BadInput("this transformer has a job already", hint="create the wrapper before transform()")
        made = cls(transformer, model_wrapper)
        made.augmented = True
        return made

    @classmethod
    def attach(cls, transform_job_name: str, sagemaker_session: Any = None) -> SSHTransformerWrapper:
        """Return the wrapper for a job that runs, whoever has started it; nothing is asked of AWS.

        Args:
            transform_job_name: name of the job.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.
        """
        model = SSHModelWrapper(DetachedModel(transform_job_name, sagemaker_session))
        return cls(DetachedTransformer(transform_job_name, sagemaker_session), model)

    def resource_name(self) -> str:
        """Return the newest job's name.

        Raises:
            BadInput: there is none yet.
        """
        return submitted.name(self.transformer, "transform job", "transform()")

    def get_transformer_latest_job_name(self) -> str:
        """Return the newest job's name; see ``resource_name``."""
        return self.resource_name()

    def wait_transform_job(self) -> None:
        """Wait until the job has ended, and print its log meanwhile.

        Raises:
            SmSshError: it has failed; the message says why.
        """
        Record(self.kind, self.resource_name(), self.account).wait()

    def get_cloudwatch_url(self) -> str:
        """Return the address of the job's log in the console."""
        return self.ssh_log.get_transform_cloudwatch_url(self.resource_name())

    def get_metadata_url(self) -> str:
        """Return the address of the job's record in the console."""
        return self.ssh_log.get_transform_metadata_url(self.resource_name())
