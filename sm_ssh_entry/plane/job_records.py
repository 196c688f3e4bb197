"""What runs on this plane, as SageMaker keeps it: jobs, endpoints, Studio apps and notebook instances.

The records are moto's own (Studio's are ours), made as a request to AWS would have them made and then told how the
process behind them is: so every Describe and List call knows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.contract import TAG_RESOURCE_KIND, TAG_RESOURCE_NAME
from sm_ssh_entry.plane import endpoint_records, local_role, sagemaker_records, tuning_records
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.kinds import APP, APP_TYPE, DOMAIN, VARIANT
from sm_ssh_entry.plane.opt_ml import INSTANCE_TYPE
from sm_ssh_entry.plane.sessions import active
from sm_ssh_entry.plane.store import Store
from sm_ssh_entry.plane.studio_tables import IN_SERVICE

STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")
KINDS = ("training", "processing", "transform", "inference", "studio", "notebook")
_ENDPOINT_TYPE = "ml.m5.large"
_NOTEBOOK_TYPE = "ml.t3.medium"
_BUCKET = "s3://sagemaker-local"
_RUNNING = ("InProgress", "Stopping")
# Kinds of jobs by moto's table of their records.
_TABLES = {"training": "training_jobs", "processing": "processing_jobs", "transform": "transform_jobs"}


@dataclass(frozen=True)
class Record:
    """What a record is about.

    Args:
        kind: one of ``KINDS``.
        name: its name; of Studio: its space's.
        region: its region.
        nodes: how many nodes.
        request: members of the Create request on top of what it must have: Environment, RemoteDebugConfig, ...
        native: whether SageMaker's own way in is switched on.
    """

    kind: str
    name: str
    region: str
    nodes: int = 1
    request: Mapping[str, Any] = field(default_factory=dict)
    native: bool = False


def note(store: Store, fields: Mapping[str, Any]) -> dict[str, str]:
    """Add a resource, or change one, as its runner says, and return its ARN and status.

    Args:
        store: the plane's state.
        fields: ``name``, ``region``, ``kind`` (training if it is missing); for a new one ``nodes``, ``request`` and
            ``native``, see ``Record``; for a known one ``job_status``, one of ``STATUSES``, and perhaps ``failure``,
            ``secondary`` with its ``message``, and ``members`` of what Describe answers. Kinds that SageMaker knows no
            secondary status of have one here: ``Running``, when their containers start.

    Raises:
        AwsError: ResourceInUse, where one of that name still runs; ResourceNotFound, where there is none to change.
    """
    kind = fields.get("kind", "training")
    if kind == tuning_records.KIND:
        return tuning_records.note(store, fields)
    if kind not in KINDS:
        raise AwsError("ValidationException", f"A job's kind is one of {', '.join(KINDS)}.")
    one = Record(
        kind,
        fields["name"],
        fields["region"],
        fields.get("nodes", 1),
        fields.get("request") or {},
        fields.get("native", False),
    )
    if "job_status" not in fields:
        return {"arn": _CREATE[kind](store, one), "status": "InProgress"}
    if fields["job_status"] not in STATUSES:
        raise AwsError("ValidationException", f"A job's status is one of {', '.join(STATUSES)}.")
    return _noted(store, one, fields)


def _noted(store: Store, one: Record, fields: Mapping[str, Any]) -> dict[str, str]:
    """Change a known resource's record."""
    kind, status = one.kind, fields["job_status"]
    job = found(store, kind, one.region, one.name) if kind in _TABLES else None
    if job is not None and not sagemaker_records.is_running(job):
        # What has ended stays as it is, whoever comes late.
        return {"arn": str(job.arn), "status": getattr(job, f"{kind}_job_status")}
    if job is not None and status == "InProgress" and getattr(job, f"{kind}_job_status") == "Stopping":
        # Its runner has not heard of it yet.
        status, fields = "Stopping", {**fields, "secondary": ""}
    arn = _CHANGE[kind](store, one, status, fields.get("failure", ""))
    if job is not None:
        for member, value in (fields.get("members") or {}).items():
            setattr(job, sagemaker_records.word(member), value)
        now, over = _now(store), status not in _RUNNING
        job.last_modified_time = now
        # Whoever says no more than that it is over ends its last step too.
        secondary = fields.get("secondary") or (status if over else "")
        if kind != "training":
            if fields.get("secondary") == "Running":
                setattr(job, f"{kind}_start_time", now)
        elif secondary:
            _step(job, secondary, fields.get("message", ""), now, over=over)
    if status not in _RUNNING:
        _end_sessions(store, one)
    return {"arn": arn, "status": status}


def begin(store: Store, kind: str, region: str, name: str) -> None:
    """Have the record of a job that was asked for say that it starts; moto's says that it is over at once.

    Args:
        store: the plane's state.
        kind: a kind of job.
        region: its region.
        name: its name.
    """
    one = Record(kind, name, region)
    job = found(store, kind, region, name)
    if job is None:
        raise _unknown(one)
    _set(job, kind, "InProgress", "")
    setattr(job, f"{kind}_start_time", None)
    if kind == "training":
        job.secondary_status_transitions = []
        job.model_artifacts = {"S3ModelArtifacts": ""}
        # moto has one of its own for every job.
        job.final_metric_data_list = []
        _step(job, "Starting", "Starting the training job", _now(store), over=False)


def found(store: Store, kind: str, region: str, name: str) -> Any:
    """Return moto's record of a job; None: there is none.

    Args:
        store: the plane's state.
        kind: a kind of job.
        region: its region.
        name: its name.
    """
    return getattr(sagemaker_records.backend(store, region), _TABLES[kind]).get(name)


def _step(job: Any, secondary: str, message: str, now: datetime, *, over: bool) -> None:
    """Add a secondary status to a training job's; the one before it has ended."""
    steps = list(job.secondary_status_transitions or [])
    if steps and "EndTime" not in steps[-1]:
        steps[-1] = steps[-1] | {"EndTime": now}
    step = {"Status": secondary, "StartTime": now, "StatusMessage": message}
    job.secondary_status_transitions = [*steps, step | ({"EndTime": now} if over else {})]
    job.secondary_status = secondary
    if secondary in ("Downloading", "Training") and job.training_start_time is None:
        job.training_start_time = now


def _end_sessions(store: Store, one: Record) -> None:
    """End the sessions into a job's containers, which are gone: nobody need wait until their agents are missed."""
    for session in active(store.sessions.values()):
        node = store.nodes.get(session.node_id, one.region)
        tags = node.tags if node else {}
        if session.link and (tags.get(TAG_RESOURCE_KIND), tags.get(TAG_RESOURCE_NAME)) == (one.kind, one.name):
            session.link.end("The container has ended.")


def _job(
    operation: str, word: str, members: Callable[[Store, Record], dict[str, Any]]
) -> Callable[[Store, Record], str]:
    """Return what makes the record of a job that runs."""

    def make(store: Store, one: Record) -> str:
        params = {**members(store, one), **one.request}
        job = sagemaker_records.create(store, one.region, operation, params)
        job.local = True
        _set(job, word, "InProgress", "")
        now = _now(store)
        setattr(job, f"{word}_start_time", now)
        if word == "training":
            job.final_metric_data_list = []
            steps = (("Starting", now, now), ("Training", now, None))
            job.secondary_status_transitions = [
                {"Status": status, "StartTime": start, **({"EndTime": end} if end else {})}
                for status, start, end in steps
            ]
        return str(job.arn)

    return make


def _job_change(word: str) -> Callable[[Store, Record, str, str], str]:
    """Return what changes the record of a job."""

    def change(store: Store, one: Record, status: str, failure: str) -> str:
        job = found(store, one.kind, one.region, one.name)
        if job is None:
            raise _unknown(one)
        _set(job, word, status, failure)
        if status not in _RUNNING:
            setattr(job, f"{word}_end_time", _now(store))
        return str(job.arn)

    return change


def _set(job: Any, word: str, status: str, failure: str) -> None:
    setattr(job, f"{word}_job_status", status)
    # What ``local run`` tells of a processing job is what it wrote itself; a runner tells why it failed.
    said = "exit_message" if word == "processing" and getattr(job, "local", False) else "failure_reason"
    setattr(job, said, failure or None)
    if status in _RUNNING:
        setattr(job, f"{word}_end_time", None)
    if word == "training":
        job.secondary_status = "Training" if status == "InProgress" else status


def _training(store: Store, one: Record) -> dict[str, Any]:
    return {
        "TrainingJobName": one.name,
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "RoleArn": _role(store),
        "OutputDataConfig": {"S3OutputPath": f"{_BUCKET}/{one.name}"},
        "ResourceConfig": _cluster(one),
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        **({"RemoteDebugConfig": {"EnableRemoteDebug": True}} if one.native else {}),
    }


def _processing(store: Store, one: Record) -> dict[str, Any]:
    return {
        "ProcessingJobName": one.name,
        "AppSpecification": {"ImageUri": "local"},
        "RoleArn": _role(store),
        "ProcessingResources": {"ClusterConfig": _cluster(one)},
    }


def _transform(_: Store, one: Record) -> dict[str, Any]:
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{_BUCKET}/{one.name}/in"}}}
    return {
        "TransformJobName": one.name,
        "ModelName": one.name,
        "TransformInput": source,
        "TransformOutput": {"S3OutputPath": f"{_BUCKET}/{one.name}/out"},
        "TransformResources": {"InstanceType": INSTANCE_TYPE, "InstanceCount": one.nodes},
    }


def _endpoint(store: Store, one: Record) -> str:
    """Make a model, a configuration and an endpoint, all of one name; the model has the environment."""
    there = sagemaker_records.backend(store, one.region)
    known = there.endpoints.get(one.name)
    if known is not None and known.endpoint_status != "Failed":
        raise AwsError("ValidationException", f'Cannot create already existing endpoint "{known.arn}".')
    _forget_endpoint(there, one.name)
    environment = dict(one.request.get("Environment") or {})
    container = {"Image": "local", "Environment": environment}
    model = {"ModelName": one.name, "ExecutionRoleArn": _role(store), "PrimaryContainer": container}
    sagemaker_records.create(store, one.region, "CreateModel", model)
    variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": one.name, "InitialInstanceCount": one.nodes}
    variant |= {"InstanceType": _ENDPOINT_TYPE, **({"EnableSSMAccess": True} if one.native else {})}
    config = {"EndpointConfigName": one.name, "ProductionVariants": [variant]}
    sagemaker_records.create(store, one.region, "CreateEndpointConfig", config)
    return str(there.create_endpoint(one.name, one.name, []).arn)


def _endpoint_change(store: Store, one: Record, status: str, failure: str) -> str:
    """Delete the endpoint of a container that was stopped; one that ended by itself has failed."""
    there = sagemaker_records.backend(store, one.region)
    endpoint = there.endpoints.get(one.name)
    if endpoint is None:
        raise _unknown(one)
    if (one.region, one.name) in store.endpoints:
        endpoint_records.end(store, one.region, one.name, failure if status == "Failed" else "")
    elif status == "Stopped":
        _forget_endpoint(there, one.name)
    elif status not in _RUNNING:
        endpoint.endpoint_status = "Failed"
        endpoint.failure_reason = failure or f"The container of variant {VARIANT} has ended."
    return str(endpoint.arn)


def _forget_endpoint(there: Any, name: str) -> None:
    for table in (there.endpoints, there.endpoint_configs, sagemaker_records.models(there)):
        table.pop(name, None)


def _app(store: Store, one: Record) -> str:
    """Make a domain if it is not there, a space and its app."""
    there = sagemaker_records.backend(store, one.region)
    domain = next((each for each in there.domains.values() if each.domain_name == DOMAIN), None)
    if domain is None:
        users = {"ExecutionRole": _role(store)}
        request = {"DomainName": DOMAIN, "AuthMode": "IAM", "DefaultUserSettings": users, "SubnetIds": [], "VpcId": ""}
        sagemaker_records.call(there.create_domain, request)
        domain = next(each for each in there.domains.values() if each.domain_name == DOMAIN)
    studio, now = store.studio, store.clock()
    space = (one.region, domain.id, one.name)
    if studio.running(*space):
        raise AwsError("ResourceInUse", f"An app runs in space {one.name} already.")
    arn = sagemaker_records.arn(store, one.region, f"app/{domain.id}/{one.name}/{APP_TYPE}/{APP}")
    fields = {"DomainId": domain.id, "SpaceName": one.name, "CreationTime": now, "Status": IN_SERVICE}
    settings = {"AppType": APP_TYPE, "RemoteAccess": "ENABLED" if one.native else "DISABLED"}
    space_arn = sagemaker_records.arn(store, one.region, f"space/{domain.id}/{one.name}")
    studio.add(
        studio.spaces,
        space,
        {**fields, "LastModifiedTime": now, "SpaceArn": space_arn, "SpaceSettings": settings},
    )
    studio.add(
        studio.apps,
        (one.region, domain.id, "space", one.name, APP_TYPE, APP),
        {**fields, "AppArn": arn, "AppType": APP_TYPE, "AppName": APP},
    )
    return arn


def _app_change(store: Store, one: Record, status: str, failure: str) -> str:
    keys = [key for key in store.studio.apps if key[0] == one.region and key[2:] == ("space", one.name, APP_TYPE, APP)]
    if not keys:
        raise _unknown(one)
    fields = store.studio.apps[keys[0]].fields
    if status not in _RUNNING:
        fields["Status"] = "Failed" if status == "Failed" else "Deleted"
        fields |= {"FailureReason": failure} if failure else {}
    return str(fields["AppArn"])


def _notebook(store: Store, one: Record) -> str:
    there = sagemaker_records.backend(store, one.region)
    known = there.notebook_instances.get(one.name)
    if known is not None and known.status == IN_SERVICE:
        raise AwsError("ValidationException", f"Cannot create a duplicate Notebook Instance ({known.arn})")
    there.notebook_instances.pop(one.name, None)
    made = there.create_notebook_instance(one.name, _NOTEBOOK_TYPE, _role(store))
    made.status = IN_SERVICE
    return str(made.arn)


def _notebook_change(store: Store, one: Record, status: str, failure: str) -> str:  # noqa: ARG001 - as the others
    instance = sagemaker_records.backend(store, one.region).notebook_instances.get(one.name)
    if instance is None:
        raise _unknown(one)
    if status not in _RUNNING:
        instance.status = "Failed" if status == "Failed" else "Stopped"
    return str(instance.arn)


_CREATE: Mapping[str, Callable[[Store, Record], str]] = {
    "training": _job("CreateTrainingJob", "training", _training),
    "processing": _job("CreateProcessingJob", "processing", _processing),
    "transform": _job("CreateTransformJob", "transform", _transform),
    "inference": _endpoint,
    "studio": _app,
    "notebook": _notebook,
}
_CHANGE: Mapping[str, Callable[[Store, Record, str, str], str]] = {
    "training": _job_change("training"),
    "processing": _job_change("processing"),
    "transform": _job_change("transform"),
    "inference": _endpoint_change,
    "studio": _app_change,
    "notebook": _notebook_change,
}


def _cluster(one: Record) -> dict[str, Any]:
    return {"InstanceType": INSTANCE_TYPE, "InstanceCount": one.nodes, "VolumeSizeInGB": 1}


def _role(store: Store) -> str:
    return local_role.arn(store.account)


def _now(store: Store) -> datetime:
    return datetime.fromtimestamp(store.clock(), timezone.utc).replace(tzinfo=None)


def _unknown(one: Record) -> AwsError:
    return AwsError("ResourceNotFound", f"No {one.kind} resource named {one.name} runs here.")
