"""What all wrappers have: from an object or a name to node ids, addresses, and a local port that leads to sshd."""

from __future__ import annotations

import logging
import sys
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any

from sm_ssh_entry.errors import BadInput, NotRegistered, SmSshError
from sm_ssh_entry.sdk import enable_ssh
from sm_ssh_entry.sdk.wrappers import names, node_ids, staging, tool
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.log import SSHLog
from sm_ssh_entry.sdk.wrappers.manager import SSMManager
from sm_ssh_entry.sdk.wrappers.names import SageMakerSecureShellHelper
from sm_ssh_entry.sdk.wrappers.partition import AWS
from sm_ssh_entry.sdk.wrappers.proxy import SSMProxy

_TIMEOUT = 900
_ROLE = ":role/"
# What one `retry` of earlier versions lasted.
_RETRY_SECONDS = 10


class SSHEnvironmentWrapper(ABC):
    """A job, an endpoint or an app with SSH.

    Args:
        ssm_iam_role: IAM role for the managed nodes, its path and name; ``""``: the container's own.
        bootstrap_on_start: False: SSH is left off.
        connection_wait_time_seconds: how long the container waits for ``sm-wait stop`` before it starts.
        sagemaker_session: session of either SDK or of boto3; None: the environment's account and region.
        local_user_id: the ``aws:userid`` that may connect; None: the caller's.
        log_to_stdout: our log to the container's stdout.

    Raises:
        BadInput: the role is an ARN.
    """

    logger = logging.getLogger("sagemaker-ssh-helper")
    #: Word of the host name.
    kind = ""

    def __init__(  # noqa: PLR0917 - the places that callers know
        self,
        ssm_iam_role: str,
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = 600,
        sagemaker_session: Any = None,
        local_user_id: str | None = None,
        log_to_stdout: bool = False,
    ) -> None:
        if ssm_iam_role and self._is_arn(ssm_iam_role):
            raise BadInput(f"ssm_iam_role is an ARN: {ssm_iam_role}", hint="give only what follows role/")
        self.ssm_iam_role = ssm_iam_role
        self.bootstrap_on_start = bootstrap_on_start
        self.connection_wait_time_seconds = int(connection_wait_time_seconds)
        self.sagemaker_session = sagemaker_session
        self.local_user_id = local_user_id
        self.log_to_stdout = log_to_stdout
        self.augmented = False
        self.account = Account.of(sagemaker_session)

    @property
    def ssm_manager(self) -> SSMManager:
        """What looks for managed nodes in the same account and region."""
        manager = SSMManager(region_name=self.region())
        manager.account = self.account
        return manager

    @property
    def ssh_log(self) -> SSHLog:
        """Addresses in the console of the same region."""
        return SSHLog(region_name=self.region())

    @classmethod
    def dependency_dir(cls) -> str:
        """Return a folder to send along as a dependency: scripts import it as ``sagemaker_ssh_helper``."""
        return staging.dependency_dir()

    @classmethod
    def ssm_role_from_iam_arn(cls, iam_arn: str) -> str:
        """Return path and name of a role.

        Args:
            iam_arn: its ARN.

        Raises:
            BadInput: it is none.
        """
        if not iam_arn or not cls._is_arn(iam_arn):
            raise BadInput(f"{iam_arn!r} is not the ARN of an IAM role", hint="arn:aws:iam::111122223333:role/Name")
        return iam_arn.partition(_ROLE)[2]

    @abstractmethod
    def resource_name(self) -> str:
        """Return what SageMaker calls it.

        Raises:
            BadInput: it was not submitted yet.
        """

    @property
    def host(self) -> str:
        """The name to connect to: ``my-job.training.sagemaker``."""
        return names.host(self.kind, self.resource_name())

    def get_instance_ids(self, retry: int | None = None, timeout_in_sec: int = _TIMEOUT) -> list[str]:
        """Return the ids of its managed nodes, a job's first node first; wait until they are Online.

        Args:
            retry: how many tens of seconds to wait; use ``timeout_in_sec``.
            timeout_in_sec: seconds to wait; 0: what is there now.

        Returns:
            Ids; none where the time has passed.

        Raises:
            BadInput: it was not submitted yet.
            SmSshError: it has ended without a node, or AWS could not be asked.
        """
        timeout = self.retry_deprecated_warning(retry, timeout_in_sec)
        return node_ids.awaited(self.account, self.host, timeout=timeout, expected=self._expected_nodes())

    def get_instance_id(self, retry: int | None = None, timeout_in_sec: int = _TIMEOUT, index: int = 0) -> str:
        """Return the id of one of its managed nodes.

        Args:
            retry: how many tens of seconds to wait; use ``timeout_in_sec``.
            timeout_in_sec: seconds to wait.
            index: which, 0 is the first.

        Raises:
            NotRegistered: there are not so many.
        """
        ids = self.get_instance_ids(retry, timeout_in_sec)
        if not -len(ids) <= index < len(ids):
            raise self._none_registered(f"{self.host} has {len(ids) or 'no'} managed nodes" if ids else "")
        return ids[index]

    def retry_deprecated_warning(self, retry: int | None, timeout_in_sec: float) -> int:
        """Return the seconds to wait that ``retry`` and ``timeout_in_sec`` mean together."""
        if retry is None:
            return int(timeout_in_sec)
        self.logger.warning("retry is out of use: give timeout_in_sec=%d instead", retry * _RETRY_SECONDS)
        return retry * _RETRY_SECONDS

    def start_ssm_connection(
        self,
        ssh_listen_port: int,
        retry: int | None = None,
        timeout: timedelta = timedelta(minutes=15),
        timeout_in_sec: int = _TIMEOUT,
        extra_args: str = "",
    ) -> SSMProxy:
        """Let a port of localhost lead to the first node's sshd, and release the job if it is held before its start.

        Args:
            ssh_listen_port: the port.
            retry: how many tens of seconds to wait for the node; use ``timeout_in_sec``.
            timeout: how long to wait for the node.
            timeout_in_sec: the same in seconds.
            extra_args: more options of ``ssh``.

        Returns:
            What closes it: ``disconnect()``.

        Raises:
            NotRegistered: no node came in time.
            SmSshError: why it could not be reached.
        """
        wait = one_of(timeout_in_sec, timeout, default=_TIMEOUT, what="timeout_in_sec and timeout")
        ids = self.get_instance_ids(retry, wait)
        if not ids:
            raise self._none_registered()
        proxy = SSMProxy(ssh_listen_port, extra_args, self.region(), self.get_cloudwatch_url())
        proxy.account = self.account
        proxy.connect_to_ssm_instance(ids[0])
        if self.connection_wait_time_seconds > 0:
            try:
                # By the job's name: it does not begin before all of its nodes are released.
                tool.call(self.account, "stop-waiting", self.host)
            except BaseException:
                proxy.disconnect()
                raise
        return proxy

    def start_ssm_connection_and_continue(
        self,
        ssh_listen_port: int,
        retry: int | None = None,
        timeout_in_sec: int = _TIMEOUT,
        timeout: timedelta = timedelta(minutes=15),
        extra_args: str = "",
    ) -> None:
        """Connect, release the job, and disconnect: arguments and errors as of ``start_ssm_connection``."""
        self.start_ssm_connection(ssh_listen_port, retry, timeout, timeout_in_sec, extra_args).disconnect()

    @abstractmethod
    def get_cloudwatch_url(self) -> str:
        """Return the address of its log in the console."""

    @abstractmethod
    def get_metadata_url(self) -> str:
        """Return the address of its record in the console."""

    def print_ssh_info(self) -> None:
        """Print where log and record are and how to connect; then wait for the node and print its id."""
        print(f"Log:    {self.get_cloudwatch_url()}")
        print(f"Record: {self.get_metadata_url()}")
        self.print_connect_info(self.host)

    def print_connect_info(self, fqdn: str) -> None:
        """Print how to connect; then wait for the node and print its id.

        Args:
            fqdn: name to connect to.
        """
        region = self.region()
        where = f" --region {region}" if region else ""
        print(f"SSH:    sm-ssh connect{where} {fqdn}")
        print(f"        ssh {fqdn}   (once sm-ssh config has been run)", flush=True)
        print(f"Node:   {self.get_instance_id()}", flush=True)

    @classmethod
    def attach_to_resource(
        cls, fqdn: str, domain_id: str = "", user_profile_name: str = "", sagemaker_session: Any = None
    ) -> SSHEnvironmentWrapper:
        """Return the wrapper for a name; nothing is asked of AWS.

        Args:
            fqdn: ``my-job.training.sagemaker``.
            domain_id: of a Studio app, where the name does not say it.
            user_profile_name: of a Studio app, where the name does not say it.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.

        Raises:
            BadInput: no kind of resource is named so.
        """
        from sm_ssh_entry.sdk.wrappers import inference, processing, studio, training, transform

        kind, name = SageMakerSecureShellHelper.fqdn_to_type(fqdn), SageMakerSecureShellHelper.fqdn_to_name(fqdn)
        # The word before the kind: one before that names a node of a job, or a variant of an endpoint.
        resource = fqdn.split(".")[-3] if name else ""
        if kind == "ide" and name:
            domain = domain_id or SageMakerSecureShellHelper.fqdn_to_studio_domain_id(fqdn)
            user = user_profile_name or SageMakerSecureShellHelper.fqdn_to_studio_user_name(fqdn)
            return studio.SSHIDEWrapper.attach(domain, user, name, sagemaker_session)
        found: dict[str, Any] = {
            "training": training.SSHEstimatorWrapper,
            "processing": processing.SSHProcessorWrapper,
            "transform": transform.SSHTransformerWrapper,
            "inference": inference.SSHModelWrapper,
            "notebook": studio.SSHNotebookInstanceWrapper,
        }
        if kind not in found or not resource:
            raise BadInput(f"{fqdn!r} names no resource", hint="names look like my-job.training.sagemaker")
        wrapper: SSHEnvironmentWrapper = found[kind].attach(resource, sagemaker_session)
        return wrapper

    def region(self) -> str:
        """Return the region that it is in, ``""`` where none is set."""
        return self.account.effective_region

    def _turn_on(self, target: Any, **options: Any) -> None:
        """Set SSH on an object of the SDK, unless it is to be left off."""
        if self.bootstrap_on_start:
            enable_ssh(
                target,
                connection_wait_time_seconds=self.connection_wait_time_seconds,
                ssm_iam_role=self.ssm_iam_role,
                owner=self.local_user_id,
                log_to_stdout=self.log_to_stdout,
                **options,
            )
        self.augmented = True

    def _expected_nodes(self) -> int:
        return 1

    def _none_registered(self, message: str = "") -> SmSshError:
        return NotRegistered(
            message or f"no managed node has registered for {self.host}",
            hint=f"its log says why: sm-ssh logs {self.host}, or {self.get_cloudwatch_url()}",
        )

    @staticmethod
    def _is_arn(arn: str) -> bool:
        return AWS.is_arn(arn) is not None


def one_of(seconds: float, span: timedelta, *, default: float, what: str) -> int:
    """Return the seconds that two arguments for the same thing mean: the one that is not the default counts.

    Args:
        seconds: one of them.
        span: the other.
        default: value of both where they are not given.
        what: their names, for the message.

    Raises:
        BadInput: both are given, and differ.
    """
    other = span.total_seconds()
    if default not in (seconds, other) and seconds != other:
        raise BadInput(f"{what} contradict each other: {seconds:g} s and {other:g} s", hint="give one of them")
    return int(other if seconds == default else seconds)


def say(line: str) -> None:
    """Tell the user what is going on."""
    print(f"sm-ssh: {line}", file=sys.stderr, flush=True)
