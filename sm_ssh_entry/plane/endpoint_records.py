"""moto's record of an endpoint that runs here: what Describe and List tell of it is what its runner says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from sm_ssh_entry.plane import sagemaker_records
from sm_ssh_entry.plane.api import AwsError
from sm_ssh_entry.plane.store import Store

# Statuses in which an update is under way already, or nothing is left to update.
_FIXED = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting", "Failed")
# So many instances fit on one machine.
MAX_INSTANCES = 16


def create(store: Store, region: str, params: Mapping[str, Any]) -> str:
    """Make the record of an endpoint that is to run; return its ARN. Imports moto: call it in a thread.

    Args:
        store: the plane's state.
        region: its region.
        params: CreateEndpoint's.

    Raises:
        AwsError: ValidationException, ResourceLimitExceeded.
    """
    there, name = sagemaker_records.backend(store, region), params["EndpointName"]
    config = require_config(store, region, params["EndpointConfigName"])
    if name in there.endpoints:
        raise AwsError("ValidationException", f'Cannot create already existing endpoint "{_arn(store, region, name)}".')
    _check_limit(sum(int(one.get("InitialInstanceCount") or 1) for one in config.production_variants))
    made = there.create_endpoint(name, params["EndpointConfigName"], list(params.get("Tags") or ()))
    made.endpoint_status = "Creating"
    # moto answers an empty one where there is none, which the service does not.
    made.data_capture_config = made.data_capture_config or None
    for variant in made.production_variants:
        if "CurrentInstanceCount" in variant:
            variant["CurrentInstanceCount"] = 0
    return str(made.arn)


def change(store: Store, region: str, name: str, config: str) -> None:
    """Note that an endpoint is about to become another.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.
        config: the other configuration; ``""``: it keeps its own.

    Raises:
        AwsError: ValidationException, where there is no such endpoint or configuration, or it cannot be changed now.
    """
    found = require(store, region, name)
    if config:
        wanted = require_config(store, region, config)
        _check_limit(sum(int(one.get("InitialInstanceCount") or 1) for one in wanted.production_variants))
    if found.endpoint_status in _FIXED:
        doing = "failed" if found.endpoint_status == "Failed" else "in-progress"
        raise AwsError("ValidationException", f'Cannot update {doing} endpoint "{found.arn}".')
    now = _now(store)
    found.endpoint_status, found.failure_reason, found.last_modified_time = "Updating", None, now
    if config:
        variants = [{"VariantName": one["VariantName"]} for one in wanted.production_variants]
        pending = {"EndpointConfigName": config, "ProductionVariants": variants, "StartTime": now}
        found.pending_deployment_summary = pending


def scale(store: Store, region: str, name: str, wishes: Sequence[Mapping[str, Any]]) -> None:
    """Check and note that weights and numbers of instances are about to change.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.
        wishes: DesiredWeightsAndCapacities.

    Raises:
        AwsError: ValidationException, ResourceLimitExceeded.
    """
    found = require(store, region, name)
    there = {one["VariantName"]: one for one in found.production_variants}
    names = [one["VariantName"] for one in wishes]
    for one in names:
        if names.count(one) > 1:
            raise AwsError("ValidationException", f'The variant name "{one}" was non-unique within the request.')
        if one not in there:
            raise AwsError(
                "ValidationException",
                f'The variant name(s) "{one}" is/are not present within endpoint configuration '
                f'"{found.endpoint_config_name}".',
            )
    counts = {one["VariantName"]: one["DesiredInstanceCount"] for one in wishes if "DesiredInstanceCount" in one}
    _check_limit(sum(counts.get(one, each.get("DesiredInstanceCount", 1)) for one, each in there.items()))
    change(store, region, name, "")


def delete(store: Store, region: str, name: str) -> bool:
    """Note that an endpoint is about to be deleted; return whether anything of it runs.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.

    Raises:
        AwsError: ValidationException, where there is none or it is under way.
    """
    found = require(store, region, name)
    if found.endpoint_status == "Deleting":
        raise AwsError("ValidationException", f'Cannot update in-progress endpoint "{found.arn}".')
    runs = bool(found.endpoint_status != "Failed")
    found.endpoint_status = "Deleting"
    return runs


def end(store: Store, region: str, name: str, failure: str) -> None:
    """Note that nothing of an endpoint runs any more; its configuration and models stay.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.
        failure: why it failed; ``""``: it was deleted.
    """
    table = sagemaker_records.backend(store, region).endpoints
    found, running = table.get(name), store.endpoints.get((region, name))
    if found is None or running is None:
        return
    running.close()
    if failure and found.endpoint_status != "Deleting":
        found.endpoint_status, found.failure_reason = "Failed", failure
        found.last_modified_time = _now(store)
    elif found.endpoint_status != "Failed":
        # Whoever takes away what a killed runner has left says that it has ended, after it was told to have failed.
        table.pop(name, None)
        store.endpoints.pop((region, name), None)


def note(store: Store, region: str, name: str, told: Mapping[str, Any]) -> None:
    """Take over what an endpoint's runner says.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.
        told: ``endpoint_status`` and ``config`` (empty: as they were), ``failure`` and ``variants``.
    """
    found = sagemaker_records.backend(store, region).endpoints.get(name)
    if found is None:
        return
    # While it is deleted nothing else is true of it.
    if told["endpoint_status"] and found.endpoint_status != "Deleting":
        found.endpoint_status, found.failure_reason = told["endpoint_status"], told["failure"] or None
        if told["endpoint_status"] == "InService":
            found.pending_deployment_summary = None
    found.endpoint_config_name = told["config"] or found.endpoint_config_name
    found.production_variants = [_variant(one) for one in told["variants"]]
    found.last_modified_time = _now(store)


def require(store: Store, region: str, name: str) -> Any:
    """Return moto's record of an endpoint.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.

    Raises:
        AwsError: ValidationException, where there is none.
    """
    found = sagemaker_records.backend(store, region).endpoints.get(name)
    if found is None:
        raise AwsError("ValidationException", f'Could not find endpoint "{_arn(store, region, name)}".')
    return found


def require_config(store: Store, region: str, name: str) -> Any:
    """Return moto's record of an endpoint's configuration.

    Args:
        store: the plane's state.
        region: its region.
        name: its name.

    Raises:
        AwsError: ValidationException, where there is none.
    """
    found = sagemaker_records.backend(store, region).endpoint_configs.get(name)
    if found is None:
        where = sagemaker_records.arn(store, region, f"endpoint-config/{name}")
        raise AwsError("ValidationException", f'Could not find endpoint configuration "{where}".')
    return found


def _check_limit(instances: int) -> None:
    if instances > MAX_INSTANCES:
        raise AwsError(
            "ResourceLimitExceeded",
            f"The account-level service limit 'instances of an endpoint on one machine' is {MAX_INSTANCES} Instances, "
            f"with current utilization of 0 Instances and a request delta of {instances} Instances.",
        )


def _variant(told: Mapping[str, Any]) -> dict[str, Any]:
    images = [
        {**one, "ResolutionTime": datetime.fromtimestamp(one["ResolutionTime"], timezone.utc).replace(tzinfo=None)}
        for one in told.get("DeployedImages") or ()
    ]
    return {**told, **({"DeployedImages": images} if images else {})}


def _arn(store: Store, region: str, name: str) -> str:
    return sagemaker_records.arn(store, region, f"endpoint/{name}")


def _now(store: Store) -> datetime:
    return datetime.fromtimestamp(store.clock(), timezone.utc).replace(tzinfo=None)
