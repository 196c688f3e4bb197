"""Service settings: the tier of hybrid nodes, the only one that changes what the plane does."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.nodes import STANDARD_TIER_NODES
from sm_ssh_entry.plane.store import TIER_SETTING, ServiceSetting, Store, partition_of

TIERS = ("standard", "advanced")


async def get_service_setting(store: Store, request: Request) -> dict[str, Any]:
    """Return the tier of the caller's region.

    Raises:
        AwsError: ServiceSettingNotFound.
    """
    _require_tier(store, request)
    return {"ServiceSetting": _describe(store, request.region)}


async def update_service_setting(store: Store, request: Request) -> dict[str, Any]:
    """Change the tier.

    Raises:
        AwsError: ServiceSettingNotFound; ValidationException for a value that is no tier, or for the way back to the
            standard tier with more nodes than it holds (contract page, section 5.1).
    """
    _require_tier(store, request)
    value = request.params["SettingValue"]
    if value not in TIERS:
        raise AwsError("ValidationException", f"Invalid setting value: one of {', '.join(TIERS)}.")
    _require_room(store, request.region, value)
    key = (request.region, TIER_SETTING)
    store.service_settings[key] = ServiceSetting(value, store.clock(), request.caller.arn)
    return {}


async def reset_service_setting(store: Store, request: Request) -> dict[str, Any]:
    """Go back to the plane's default.

    Raises:
        AwsError: ServiceSettingNotFound, ValidationException.
    """
    _require_tier(store, request)
    _require_room(store, request.region, store.settings.default_tier)
    store.service_settings.pop((request.region, TIER_SETTING), None)
    return {"ServiceSetting": _describe(store, request.region)}


def _arn(store: Store, region: str) -> str:
    return f"arn:{partition_of(region)}:ssm:{region}:{store.account}:servicesetting{TIER_SETTING}"


def _require_tier(store: Store, request: Request) -> None:
    if request.params["SettingId"] not in (TIER_SETTING, _arn(store, request.region)):
        raise AwsError("ServiceSettingNotFound", "The specified service setting was not found.")


def _require_room(store: Store, region: str, tier: str) -> None:
    if tier == "standard" and len(store.nodes.of(region)) > STANDARD_TIER_NODES:
        raise AwsError("ValidationException", f"More than {STANDARD_TIER_NODES} nodes: deregister some first.")


def _describe(store: Store, region: str) -> dict[str, Any]:
    changed = store.service_settings.get((region, TIER_SETTING))
    return {
        "SettingId": TIER_SETTING,
        "SettingValue": store.tier(region),
        "LastModifiedDate": changed.modified if changed else store.started,
        "LastModifiedUser": changed.user if changed else "System",
        "ARN": _arn(store, region),
        "Status": "Customized" if changed else "Default",
    }


OPERATIONS: dict[str, Handler] = {
    "GetServiceSetting": get_service_setting,
    "UpdateServiceSetting": update_service_setting,
    "ResetServiceSetting": reset_service_setting,
}
