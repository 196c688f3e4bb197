"""``SSHIDEWrapper`` and ``SSHNotebookInstanceWrapper``: Studio apps and notebook instances, by their names."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.base import SSHEnvironmentWrapper
from sm_ssh_entry.sdk.wrappers.ide import SSHIDE, NotebookInstance

_WAIT = 600


class SSHIDEWrapper(SSHEnvironmentWrapper):
    """A Studio app with SSH.

    Args:
        ssm_iam_role: not used: the app's own lifecycle script or image says it.
        ide: domain and user of the app.
        bootstrap_on_start: not used.
        connection_wait_time_seconds: not used: apps do not wait.
        sagemaker_session: session of either SDK or of boto3; None: the environment's account.
        local_user_id: not used.
        log_to_stdout: not used.
    """

    kind = "studio"

    def __init__(  # noqa: PLR0917 - the places that callers know
        self,
        ssm_iam_role: str,
        ide: SSHIDE,
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
        sagemaker_session: Any = None,
        local_user_id: str | None = None,
        log_to_stdout: bool = False,
    ) -> None:
        super().__init__(
            ssm_iam_role,
            bootstrap_on_start,
            connection_wait_time_seconds,
            sagemaker_session,
            local_user_id,
            log_to_stdout,
        )
        self.ide = ide
        self.app_name = ""
        self.not_earlier_than_timestamp = 0

    @classmethod
    def attach(
        cls,
        domain_id: str,
        user_profile_name: str,
        app_name: str,
        sagemaker_session: Any = None,
        not_earlier_than_timestamp: int = 0,
    ) -> SSHIDEWrapper:
        """Return the wrapper for an app that runs; nothing is asked of AWS.

        Args:
            domain_id: id of its domain; ``""``: any.
            user_profile_name: its user profile or space; ``""``: any.
            app_name: its own name, ``default`` for JupyterLab and Code Editor.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.
            not_earlier_than_timestamp: nodes that registered before these seconds since the epoch do not count.
        """
        account = Account.of(sagemaker_session)
        ide = SSHIDE(domain_id, user_profile_name, account.effective_region)
        ide.account = account
        made = cls("", ide, connection_wait_time_seconds=0, sagemaker_session=sagemaker_session)
        made.app_name = app_name
        made.not_earlier_than_timestamp = not_earlier_than_timestamp
        return made

    def resource_name(self) -> str:
        """Return the app's name, and before the dots of it those of its space or user and its domain."""
        words = (self.app_name, self.ide.user, self.ide.domain_id if self.ide.user else "")
        return ".".join(word for word in words if word)

    def get_instance_ids(self, retry: int | None = None, timeout_in_sec: int = 900) -> list[str]:
        """Return the ids of the app's managed nodes, the newest first; arguments as of the base."""
        timeout = self.retry_deprecated_warning(retry, timeout_in_sec)
        return self.ide.get_kernel_instance_ids(self.app_name, timeout, self.not_earlier_than_timestamp)

    def get_cloudwatch_url(self) -> str:
        """Return the address of the app's log in the console."""
        return self.ide.get_cloudwatch_url(self.app_name)

    def get_metadata_url(self) -> str:
        """Return the address at which the user's JupyterLab is opened."""
        return self.ide.get_user_metadata_url()


class SSHNotebookInstanceWrapper(SSHEnvironmentWrapper):
    """A notebook instance with SSH. Arguments as of ``SSHIDEWrapper``, with the instance in place of the app."""

    kind = "notebook"

    def __init__(  # noqa: PLR0917 - the places that callers know
        self,
        ssm_iam_role: str,
        notebook_instance: NotebookInstance,
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
        sagemaker_session: Any = None,
        local_user_id: str | None = None,
        log_to_stdout: bool = False,
    ) -> None:
        super().__init__(
            ssm_iam_role,
            bootstrap_on_start,
            connection_wait_time_seconds,
            sagemaker_session,
            local_user_id,
            log_to_stdout,
        )
        self.notebook_instance = notebook_instance

    @classmethod
    def attach(cls, notebook_name: str, sagemaker_session: Any) -> SSHNotebookInstanceWrapper:
        """Return the wrapper for an instance; nothing is asked of AWS.

        Args:
            notebook_name: its name.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.
        """
        account = Account.of(sagemaker_session)
        instance = NotebookInstance(notebook_name, account.effective_region)
        instance.account = account
        return cls("", instance, connection_wait_time_seconds=0, sagemaker_session=sagemaker_session)

    def resource_name(self) -> str:
        """Return the instance's name."""
        return self.notebook_instance.notebook_name

    def get_cloudwatch_url(self) -> str:
        """Return the address of the instance's log in the console."""
        return self.notebook_instance.get_cloudwatch_url()

    def get_metadata_url(self) -> str:
        """Return the address of the instance's record in the console."""
        return self.notebook_instance.get_metadata_url()
