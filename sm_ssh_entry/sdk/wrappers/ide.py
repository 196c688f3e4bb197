"""Studio apps, images and notebook instances, for scripts that make and remove them: plain calls of SageMaker."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from sm_ssh_entry import aws
from sm_ssh_entry.errors import BadInput, NotRegistered, ServiceError, SmSshError
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.log import SSHLog
from sm_ssh_entry.sdk.wrappers.manager import SSMManager

_KERNEL = "KernelGateway"
_UNKNOWN = {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}
_PAUSE = 5.0
# AWS's own images in eu-west-1: https://docs.aws.amazon.com/sagemaker/latest/dg/notebooks-available-images.html
_IMAGES_ACCOUNT = "470317259841"
_JOB_TYPE = "NOTEBOOK_KERNEL"


class IDEAppStatus:
    """Status of an app.

    Args:
        status: SageMaker's word; None: there is no such app.
        failure_reason: why it failed.
    """

    def __init__(self, status: str | None, failure_reason: str | None = None) -> None:
        self.status = status
        self.failure_reason = failure_reason

    def is_pending(self) -> bool:
        """Return whether it starts."""
        return self.status == "Pending"

    def is_deleting(self) -> bool:
        """Return whether it is being removed."""
        return self.status == "Deleting"

    def is_in_transition(self) -> bool:
        """Return whether its status changes by itself."""
        return self.is_pending() or self.is_deleting()

    def is_in_service(self) -> bool:
        """Return whether it runs."""
        return self.status == "InService"

    def is_deleted(self) -> bool:
        """Return whether it was removed."""
        return self.status == "Deleted"

    def __str__(self) -> str:
        return f"{self.status}, failure reason: {self.failure_reason}" if self.failure_reason else str(self.status)


class Image(NamedTuple):
    """A custom image: its ARN, and that of its version."""

    arn: str
    version_arn: str


class _InRegion:
    """What is in an account and a region.

    Args:
        region_name: region; None: the environment's.
    """

    def __init__(self, region_name: str | None) -> None:
        self.account = Account(region=region_name or "")

    @property
    def current_region(self) -> str:
        """The region."""
        return self.account.effective_region

    @property
    def ssh_log(self) -> SSHLog:
        """Addresses in the console of the region."""
        return SSHLog(region_name=self.current_region)

    @property
    def ssm_manager(self) -> SSMManager:
        """What looks for managed nodes there."""
        manager = SSMManager(self.current_region)
        manager.account = self.account
        return manager


class SSHIDE(_InRegion):
    """Studio of one user.

    Args:
        domain_id: id of the domain.
        user: user profile or space.
        region_name: region; None: the environment's.
    """

    logger = logging.getLogger("sagemaker-ssh-helper:SSHIDE")

    def __init__(self, domain_id: str, user: str, region_name: str | None = None) -> None:
        super().__init__(region_name)
        self.domain_id = domain_id
        self.user = user

    def create_ssh_kernel_app(
        self,
        app_name: str,
        image_name_or_arn: str = "sagemaker-datascience-38",
        instance_type: str = "ml.m5.xlarge",
        ssh_lifecycle_config: str = "sagemaker-ssh-helper",
        recreate: bool = False,
    ) -> None:
        """Make a kernel app of Studio Classic, and wait until it is in service.

        Args:
            app_name: its name.
            image_name_or_arn: name of one of AWS's images, or ARN of any.
            instance_type: instance.
            ssh_lifecycle_config: name of the lifecycle configuration that starts SSH.
            recreate: remove an app of that name that is in service first.

        Raises:
            BadInput: there is one, and it is not to be removed.
            SmSshError: it failed.
        """
        status = self._settled(app_name, _KERNEL, IDEAppStatus.is_in_transition)
        if status.is_in_service():
            if not recreate:
                raise BadInput(f"app {app_name} is in service", hint="recreate=True removes it first")
            self.delete_app(app_name, _KERNEL)
        arn = image_name_or_arn
        image = arn if arn.startswith("arn:") else self.resolve_sagemaker_kernel_image_arn(arn)
        identity = self._call("sts", "get_caller_identity")
        partition = str(identity["Arn"]).split(":")[1]
        owner = f"arn:{partition}:sagemaker:{self.current_region}:{identity['Account']}"
        self.create_app(
            app_name, _KERNEL, instance_type, image, f"{owner}:studio-lifecycle-config/{ssh_lifecycle_config}"
        )

    def get_app_status(self, app_name: str, app_type: str = _KERNEL) -> IDEAppStatus:
        """Return the status of an app; that of one that does not exist is None."""
        try:
            answer = self._call("sagemaker", "describe_app", **self._app(app_name, app_type))
        except ServiceError as error:
            if error.code in _UNKNOWN:
                return IDEAppStatus(None)
            raise
        return IDEAppStatus(answer["Status"], answer.get("FailureReason"))

    def create_app(
        self, app_name: str, app_type: str, instance_type: str, image_arn: str, lifecycle_arn: str | None = None
    ) -> None:
        """Make an app, and wait until it is in service.

        Raises:
            SmSshError: it failed.
        """
        resources = {"InstanceType": instance_type, "SageMakerImageArn": image_arn}
        if lifecycle_arn:
            resources["LifecycleConfigArn"] = lifecycle_arn
        self._call("sagemaker", "create_app", **self._app(app_name, app_type), ResourceSpec=resources)
        status = self._settled(app_name, app_type, IDEAppStatus.is_pending)
        if not status.is_in_service():
            raise SmSshError(f"app {app_name} is {status}", hint=f"its log: {self.get_cloudwatch_url(app_name)}")

    def delete_kernel_app(self, app_name: str, wait: bool = True) -> None:
        """Remove a kernel app of Studio Classic; see ``delete_app``."""
        self.delete_app(app_name, _KERNEL, wait)

    def delete_app(self, app_name: str, app_type: str, wait: bool = True) -> None:
        """Remove an app; nothing where there is none.

        Args:
            app_name: its name.
            app_type: ``KernelGateway``, ``JupyterLab``.
            wait: until it is gone.

        Raises:
            AccessDenied: the caller may not.
            SmSshError: it is still there.
        """
        try:
            self._call("sagemaker", "delete_app", **self._app(app_name, app_type))
        except ServiceError as error:
            self.logger.warning("app %s was not removed: %s", app_name, error.message)
            return
        if not wait:
            return
        status = self._settled(app_name, app_type, IDEAppStatus.is_deleting)
        if not status.is_deleted() and status.status is not None:
            raise SmSshError(f"app {app_name} was not removed: it is {status}")

    def resolve_sagemaker_kernel_image_arn(self, image_name: str) -> str:
        """Return the ARN of one of AWS's own images, as eu-west-1 has it; other regions have other accounts."""
        return f"arn:aws:sagemaker:{self.current_region}:{_IMAGES_ACCOUNT}:image/{image_name}"

    def get_kernel_instance_ids(
        self, app_name: str, timeout_in_sec: int, not_earlier_than_timestamp: int = 0
    ) -> list[str]:
        """Return the ids of an app's managed nodes, the newest first.

        Args:
            app_name: its name.
            timeout_in_sec: seconds to wait; 0: what is there now.
            not_earlier_than_timestamp: nodes that registered before these seconds since the epoch do not count.
        """
        if not self.user:
            return self.ssm_manager.get_studio_kgw_instance_ids(app_name, timeout_in_sec, not_earlier_than_timestamp)
        return self.ssm_manager.get_studio_user_kgw_instance_ids(
            self.domain_id, self.user, app_name, timeout_in_sec, not_earlier_than_timestamp
        )

    def get_kernel_instance_id(
        self, app_name: str, timeout_in_sec: int, index: int = 0, not_earlier_than_timestamp: int = 0
    ) -> str:
        """Return the id of one of an app's managed nodes.

        Raises:
            NotRegistered: there are not so many.
        """
        ids = self.get_kernel_instance_ids(app_name, timeout_in_sec, not_earlier_than_timestamp)
        if not -len(ids) <= index < len(ids):
            raise NotRegistered(
                f"app {app_name} has {len(ids) or 'no'} managed nodes", hint="sm-ssh list studio.sagemaker"
            )
        return ids[index]

    def print_kernel_instance_id(self, app_name: str, timeout_in_sec: int, index: int = 0) -> None:
        """Print the id of one of an app's managed nodes."""
        print(self.get_kernel_instance_id(app_name, timeout_in_sec, index))

    def log_urls(self, app_name: str) -> None:
        """Print the addresses of an app's log, and of its user's JupyterLab."""
        print(f"Log:    {self.get_cloudwatch_url(app_name)}")
        if self.domain_id and self.user:
            print(f"Record: {self.get_user_metadata_url()}")

    def get_cloudwatch_url(self, app_name: str) -> str:
        """Return the address of an app's log in the console."""
        return self.ssh_log.get_ide_cloudwatch_url(self.domain_id, self.user, app_name)

    def get_user_metadata_url(self) -> str:
        """Return the address at which the user's JupyterLab is opened."""
        return self.ssh_log.get_ide_metadata_url(self.domain_id, self.user)

    def create_and_attach_image(  # noqa: PLR0917 - the places that callers know
        self,
        image_name: str,
        ecr_image_name: str,
        role_arn: str,
        app_image_config_name: str,
        kernel_specs: list[dict[str, str]],
        file_system_config: dict[str, Any],
    ) -> Image:
        """Make a custom image for kernels, in place of one of that name, and let the domain's users have it.

        Args:
            image_name: its name in SageMaker.
            ecr_image_name: repository and tag in the account's registry.
            role_arn: role that reads the registry.
            app_image_config_name: its configuration's name; one of that name is replaced.
            kernel_specs: of the configuration.
            file_system_config: of the configuration.

        Raises:
            SmSshError: it could not be made.
        """
        self._remove("delete_image", ImageName=image_name)
        try:
            self.wait_for_image_deletion(image_name)
        except SmSshError as error:  # it says so too of an image that never was
            self.logger.info("image %s: %s", image_name, error.message)
        made = self._call("sagemaker", "create_image", ImageName=image_name, RoleArn=role_arn)
        self.wait_for_image_creation(image_name)
        identity = self._call("sts", "get_caller_identity")
        suffix = ".cn" if self.current_region.startswith("cn-") else ""
        registry = f"{identity['Account']}.dkr.ecr.{self.current_region}.amazonaws.com{suffix}"
        version = self._call(
            "sagemaker",
            "create_image_version",
            BaseImage=f"{registry}/{ecr_image_name}",
            ImageName=image_name,
            JobType=_JOB_TYPE,
        )["ImageVersionArn"]
        self.wait_for_image_version_creation(image_name)
        self._remove("delete_app_image_config", AppImageConfigName=app_image_config_name)
        config = {"KernelSpecs": kernel_specs, "FileSystemConfig": file_system_config}
        self._call(
            "sagemaker",
            "create_app_image_config",
            AppImageConfigName=app_image_config_name,
            KernelGatewayImageConfig=config,
        )
        attached = {
            "ImageName": image_name,
            "ImageVersionNumber": int(version.rpartition("/")[2]),
            "AppImageConfigName": app_image_config_name,
        }
        settings = {"KernelGatewayAppSettings": {"CustomImages": [attached]}}
        self._call("sagemaker", "update_domain", DomainId=self.domain_id, DefaultUserSettings=settings)
        return Image(made["ImageArn"], version)

    def wait_for_image_creation(self, image_name: str) -> None:
        """Wait until an image is made."""
        self._waited("image_created", image_name)

    def wait_for_image_version_creation(self, image_name: str) -> None:
        """Wait until the newest version of an image is made."""
        self._waited("image_version_created", image_name)

    def wait_for_image_deletion(self, image_name: str) -> None:
        """Wait until an image is removed."""
        self._waited("image_deleted", image_name)

    def _app(self, name: str, app_type: str) -> dict[str, str]:
        return {"DomainId": self.domain_id, "AppType": app_type, "UserProfileName": self.user, "AppName": name}

    def _settled(self, name: str, app_type: str, passing: Callable[[IDEAppStatus], bool]) -> IDEAppStatus:
        clock, told = threading.Event(), ""
        while passing(status := self.get_app_status(name, app_type)):
            if str(status) != told:
                told = str(status)
                print(f"sm-ssh: app {name} is {told} …", file=sys.stderr, flush=True)
            clock.wait(_PAUSE)
        return status

    def _remove(self, method: str, **arguments: Any) -> None:
        try:
            self._call("sagemaker", method, **arguments)
        except ServiceError as error:
            if error.code not in _UNKNOWN:
                raise

    def _waited(self, waiter: str, image_name: str) -> None:
        with aws.errors_of(action=f"sagemaker:{waiter}"):
            self.account.client("sagemaker").get_waiter(waiter).wait(ImageName=image_name)

    def _call(self, service: str, method: str, **arguments: Any) -> Any:
        with aws.errors_of(action=f"{service}:{method}"):
            return getattr(self.account.client(service), method)(**arguments)


class NotebookInstance(_InRegion):
    """A notebook instance.

    Args:
        notebook_name: its name.
        region_name: region; None: the environment's.
    """

    logger = logging.getLogger("sagemaker-ssh-helper:NotebookInstance")

    def __init__(self, notebook_name: str, region_name: str | None = None) -> None:
        super().__init__(region_name)
        self.notebook_name = notebook_name

    def get_instance_ids(self) -> list[str]:
        """Return the id of its managed node; none where it has none."""
        return self.ssm_manager.get_notebook_instance_ids(self.notebook_name)

    def get_cloudwatch_url(self) -> str:
        """Return the address of its log in the console."""
        return self.ssh_log.get_notebook_cloudwatch_url(self.notebook_name)

    def get_metadata_url(self) -> str:
        """Return the address of its record in the console."""
        return self.ssh_log.get_notebook_metadata_url(self.notebook_name)
