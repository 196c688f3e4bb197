"""Lists of what runs in SageMaker, each with the state of its managed node, as objects; ``sm-ssh list`` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from sm_ssh_entry import aws, contract
from sm_ssh_entry.sdk.wrappers import names, tool
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.ide import IDEAppStatus
from sm_ssh_entry.sdk.wrappers.log import SSHLog
from sm_ssh_entry.sdk.wrappers.manager import SSMManager

_STATUS = SSMManager.PING_STATUS
_DAYS = 30
#: Managed nodes by their ids, with their tags: as ``SSMManager.list_all_instances_and_fetch_tags`` returns them.
Nodes = Mapping[str, Mapping[str, str]]
App = TypeVar("App", bound="SageMakerCoreApp")


class SageMakerCoreApp:
    """Something that runs in SageMaker, and its managed node.

    Args:
        resource: what its node's tags call it.
        status: SageMaker's word.
    """

    NO_SSH_FLAG = "ssh:NotFound"
    resource_type = ""
    #: What it is called in a list.
    title = ""

    def __init__(self, resource: str = "", status: str = "") -> None:
        self.resource = resource
        self.status = status
        self.ssm_instance_id: str | None = None
        self.ssh_owner: str | None = None
        self.ping_status = "Unknown"

    def set_ssm_instance_id(self, ssm_instance_id: str | None) -> None:
        """Set the node's id."""
        self.ssm_instance_id = ssm_instance_id

    def set_ssh_owner(self, ssh_owner: str | None) -> None:
        """Set who may connect."""
        self.ssh_owner = ssh_owner

    def set_ping_status(self, ping_status: str) -> None:
        """Set whether the node is Online."""
        self.ping_status = ping_status

    def __str__(self) -> str:
        state = self.ping_status if self.ssm_instance_id else self.NO_SSH_FLAG
        host = names.host(names.KINDS[self.resource_type], self.resource)
        return f"{state:<16} {self.title:<18} {self.status:<12} {host}"


class SageMakerStudioApp(SageMakerCoreApp):
    """A Studio app."""

    resource_type = "ide"

    def __init__(
        self, domain_id: str, user_profile_name: str, app_name: str, app_type: str, app_status: IDEAppStatus
    ) -> None:
        super().__init__(f"{app_name}.{user_profile_name}.{domain_id}", str(app_status))
        self.domain_id, self.user_profile_name, self.app_name = domain_id, user_profile_name, app_name
        self.app_type = self.title = app_type
        self.app_status = app_status


class SageMakerEndpoint(SageMakerCoreApp):
    """An endpoint."""

    resource_type, title = "inference", "InferenceEndpoint"

    def __init__(self, name: str, endpoint_status: str) -> None:
        super().__init__(name, endpoint_status)
        self.name, self.endpoint_status = name, endpoint_status


class SageMakerTrainingJob(SageMakerCoreApp):
    """A training job."""

    resource_type, title = "training", "TrainingJob"

    def __init__(self, training_job_name: str, training_job_status: str) -> None:
        super().__init__(training_job_name, training_job_status)
        self.training_job_name, self.training_job_status = training_job_name, training_job_status


class SageMakerProcessingJob(SageMakerCoreApp):
    """A processing job."""

    resource_type, title = "processing", "ProcessingJob"

    def __init__(self, processing_job_name: str, processing_job_status: str) -> None:
        super().__init__(processing_job_name, processing_job_status)
        self.processing_job_name, self.processing_job_status = processing_job_name, processing_job_status


class SageMakerTransformJob(SageMakerCoreApp):
    """A batch transform job."""

    resource_type, title = "transform", "InferenceJob"

    def __init__(self, transform_job_name: str, transform_job_status: str) -> None:
        super().__init__(transform_job_name, transform_job_status)
        self.transform_job_name, self.transform_job_status = transform_job_name, transform_job_status


class SageMakerNotebookInstance(SageMakerCoreApp):
    """A notebook instance."""

    resource_type, title = "notebook", "NotebookInstance"

    def __init__(self, name: str, status: str) -> None:
        super().__init__(name, status)
        self.name = name


class SageMaker:
    """What runs in a region, in SageMaker's own order.

    Args:
        region: region; None: the environment's.
    """

    def __init__(self, region: str | None = None) -> None:
        self.region = region
        self.account = Account(region=region or "")

    def list_ide_apps(self) -> list[SageMakerStudioApp]:
        """Return the apps of Studio that are in a space."""
        return [
            SageMakerStudioApp(
                app["DomainId"], app["SpaceName"], app["AppName"], app["AppType"], IDEAppStatus(app["Status"])
            )
            for app in self._all("list_apps", "Apps")
            if "SpaceName" in app
        ]

    def list_endpoints(self) -> list[SageMakerEndpoint]:
        """Return the endpoints."""
        found = self._all("list_endpoints", "Endpoints")
        return [SageMakerEndpoint(one["EndpointName"], one["EndpointStatus"]) for one in found]

    def list_training_jobs(self) -> list[SageMakerTrainingJob]:
        """Return the training jobs of the last 30 days."""
        found = self._all("list_training_jobs", "TrainingJobSummaries", CreationTimeAfter=_earliest())
        return [SageMakerTrainingJob(one["TrainingJobName"], one["TrainingJobStatus"]) for one in found]

    def list_processing_jobs(self) -> list[SageMakerProcessingJob]:
        """Return the processing jobs of the last 30 days."""
        found = self._all("list_processing_jobs", "ProcessingJobSummaries", CreationTimeAfter=_earliest())
        return [SageMakerProcessingJob(one["ProcessingJobName"], one["ProcessingJobStatus"]) for one in found]

    def list_transform_jobs(self) -> list[SageMakerTransformJob]:
        """Return the transform jobs of the last 30 days."""
        found = self._all("list_transform_jobs", "TransformJobSummaries", CreationTimeAfter=_earliest())
        return [SageMakerTransformJob(one["TransformJobName"], one["TransformJobStatus"]) for one in found]

    def list_notebook_instances(self) -> list[SageMakerNotebookInstance]:
        """Return the notebook instances."""
        found = self._all("list_notebook_instances", "NotebookInstances")
        return [SageMakerNotebookInstance(one["NotebookInstanceName"], one["NotebookInstanceStatus"]) for one in found]

    def _all(self, method: str, member: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        client = self.account.client("sagemaker")
        token: dict[str, str] = {}
        while True:
            with aws.errors_of(action=f"sagemaker:{method}"):
                page = getattr(client, method)(**arguments, **token)
            yield from page.get(member, ())
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}


class InteractiveSageMaker:
    """What runs in a region, each with its managed node.

    Args:
        sagemaker: what lists the resources.
        manager: what looks for nodes.
        log: not used: the nodes of endpoints are found by their tags.
    """

    def __init__(self, sagemaker: SageMaker, manager: SSMManager, log: SSHLog | None = None) -> None:
        self.sagemaker = sagemaker
        self.manager = manager
        self.log = log

    def list_studio_ide_apps_for_user_and_domain(
        self, domain_id: str | None, user_profile_name: str | None
    ) -> list[SageMakerStudioApp]:
        """Return the apps of a user or space in a domain; ``""`` and None stand for any."""
        found = _with_nodes(self.sagemaker.list_ide_apps(), self._nodes("studio"))
        return [
            app
            for app in found
            if (domain_id or app.domain_id) == app.domain_id
            and (user_profile_name or app.user_profile_name) == app.user_profile_name
        ]

    def list_studio_ide_apps_for_user(self, user_profile_name: str | None) -> list[SageMakerStudioApp]:
        """Return the apps of a user or space."""
        return self.list_studio_ide_apps_for_user_and_domain(None, user_profile_name)

    def list_studio_ide_apps(self) -> list[SageMakerStudioApp]:
        """Return all apps."""
        return self.list_studio_ide_apps_for_user_and_domain(None, None)

    def list_endpoints(self, managed_instances: Nodes) -> list[SageMakerEndpoint]:
        """Return the endpoints. Their nodes are not told by tags alone: they are asked for, whatever is given."""
        return _with_nodes(self.sagemaker.list_endpoints(), {**managed_instances, **self._nodes("inference")})

    def list_training_jobs(self, managed_instances: Nodes) -> list[SageMakerTrainingJob]:
        """Return the training jobs, with their nodes among those given."""
        return _with_nodes(self.sagemaker.list_training_jobs(), managed_instances)

    def list_processing_jobs(self, managed_instances: Nodes) -> list[SageMakerProcessingJob]:
        """Return the processing jobs, with their nodes among those given."""
        return _with_nodes(self.sagemaker.list_processing_jobs(), managed_instances)

    def list_transform_jobs(self, managed_instances: Nodes) -> list[SageMakerTransformJob]:
        """Return the transform jobs, with their nodes among those given."""
        return _with_nodes(self.sagemaker.list_transform_jobs(), managed_instances)

    def list_notebook_instances(self, managed_instances: Nodes) -> list[SageMakerNotebookInstance]:
        """Return the notebook instances, with their nodes among those given."""
        return _with_nodes(self.sagemaker.list_notebook_instances(), managed_instances)

    def print_studio_ide_apps_for_user_and_domain(self, domain_id: str, user_profile_name: str) -> None:
        """Print the apps of a user or space in a domain."""
        _print(self.list_studio_ide_apps_for_user_and_domain(domain_id, user_profile_name))

    def print_endpoints(self) -> None:
        """Print the endpoints."""
        _print(self.list_endpoints({}))

    def print_training_jobs(self) -> None:
        """Print the training jobs of the last 30 days."""
        _print(self.list_training_jobs(self._nodes("training")))

    def print_processing_jobs(self) -> None:
        """Print the processing jobs of the last 30 days."""
        _print(self.list_processing_jobs(self._nodes("processing")))

    def print_transform_jobs(self) -> None:
        """Print the transform jobs of the last 30 days."""
        _print(self.list_transform_jobs(self._nodes("transform")))

    def print_notebook_instances(self) -> None:
        """Print the notebook instances."""
        _print(self.list_notebook_instances(self._nodes("notebook")))

    def _nodes(self, kind: str) -> dict[str, dict[str, str]]:
        """Return the nodes of a kind as ``sm-ssh list`` finds them: no others are asked for."""
        end = f"{kind}{contract.NAME_SUFFIX}"
        rows = json.loads(tool.call(self.manager.account, "list", end, "--output", "json"))
        return {
            row["node_id"]: {
                contract.TAG_RESOURCE_NAME: row["resource"] or "",
                contract.TAG_RESOURCE_KIND: kind,
                contract.TAG_OWNER: row["owner"] or "",
                contract.TAG_TIMESTAMP: str(int(datetime.fromisoformat(row["registered"]).timestamp())),
                _STATUS: row["status"],
            }
            for row in rows
            if row["node_id"] and row["registered"]
        }


def _with_nodes(apps: Sequence[App], nodes: Nodes) -> list[App]:
    """Set the newest node of each."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for node_id, tags in nodes.items():
        key = (tags.get(contract.TAG_RESOURCE_KIND, ""), tags.get(contract.TAG_RESOURCE_NAME, ""))
        stamp = tags.get(contract.TAG_TIMESTAMP, "")
        newest[key] = max(newest.get(key, (-1, "")), (int(stamp) if stamp.isdecimal() else 0, node_id))
    for app in apps:
        _, node_id = newest.get((names.KINDS[app.resource_type], app.resource), (-1, ""))
        if node_id:
            app.set_ssm_instance_id(node_id)
            app.set_ssh_owner(nodes[node_id].get(contract.TAG_OWNER))
            app.set_ping_status(nodes[node_id].get(_STATUS, ""))
    return list(apps)


def _print(apps: Sequence[SageMakerCoreApp]) -> None:
    for app in apps:
        print(app)


def _earliest() -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=_DAYS)
