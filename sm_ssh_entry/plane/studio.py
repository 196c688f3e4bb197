"""Studio below its domains, which are moto's: user profiles, spaces, apps, and sagemaker:StartSession into a space."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sm_ssh_entry.plane import sagemaker_records, session_api
from sm_ssh_entry.plane.api import AwsError, Handler, Request
from sm_ssh_entry.plane.native import TAG_PORT
from sm_ssh_entry.plane.paging import page
from sm_ssh_entry.plane.store import Store
from sm_ssh_entry.plane.studio_tables import IN_SERVICE, Entry

_PAGE = 10
_DOCUMENT = "AWS-StartSSHSession"
# What UpdateSpace and CreateSpace take into the description, and what of it a listing shows.
_SPACE_MEMBERS = ("SpaceSettings", "OwnershipSettings", "SpaceSharingSettings", "SpaceDisplayName")


async def create_user_profile(store: Store, request: Request) -> dict[str, Any]:
    """Make a user profile in a domain.

    Raises:
        AwsError: ResourceInUse, ResourceNotFound.
    """
    params, domain = request.params, await _domain(store, request)
    key = (request.region, domain, params["UserProfileName"])
    _require_free(store.studio.profiles, key, "UserProfile")
    made = _common(store, request, "UserProfileArn", f"user-profile/{domain}/{params['UserProfileName']}")
    store.studio.add(store.studio.profiles, key, {**_without_tags(params), **made})
    return {"UserProfileArn": made["UserProfileArn"]}


async def describe_user_profile(store: Store, request: Request) -> dict[str, Any]:
    """Describe a user profile.

    Raises:
        AwsError: ResourceNotFound.
    """
    return dict(_found(store.studio.profiles, _named(request, "UserProfileName"), "UserProfile").fields)


async def list_user_profiles(store: Store, request: Request) -> dict[str, Any]:
    """List user profiles, newest last.

    Raises:
        AwsError: InvalidNextToken.
    """
    params = request.params
    wanted = _test(request, {"DomainId": params.get("DomainIdEquals")}, "UserProfileName", "UserProfileNameContains")
    names = ("DomainId", "UserProfileName", "Status", "CreationTime", "LastModifiedTime")
    return _page(request, store.studio.profiles, wanted, "UserProfiles", names)


async def create_space(store: Store, request: Request) -> dict[str, Any]:
    """Make a space in a domain.

    Raises:
        AwsError: ResourceInUse, ResourceNotFound.
    """
    params, domain = request.params, await _domain(store, request)
    key = (request.region, domain, params["SpaceName"])
    _require_free(store.studio.spaces, key, "Space")
    made = _common(store, request, "SpaceArn", f"space/{domain}/{params['SpaceName']}")
    store.studio.add(store.studio.spaces, key, {**_without_tags(params), **made})
    return {"SpaceArn": made["SpaceArn"]}


async def describe_space(store: Store, request: Request) -> dict[str, Any]:
    """Describe a space.

    Raises:
        AwsError: ResourceNotFound.
    """
    return dict(_found(store.studio.spaces, _named(request, "SpaceName"), "Space").fields)


async def update_space(store: Store, request: Request) -> dict[str, Any]:
    """Change a space's settings, those that are named.

    Raises:
        AwsError: ResourceNotFound; ResourceInUse, for remote access while an app runs: it takes a restart.
    """
    params = request.params
    space = _found(store.studio.spaces, _named(request, "SpaceName"), "Space")
    settings = params.get("SpaceSettings") or {}
    if "RemoteAccess" in settings and store.studio.running(*space.key):
        raise AwsError("ResourceInUse", f"Space {params['SpaceName']} has an app that runs: delete it first.")
    space.fields["SpaceSettings"] = {**space.fields.get("SpaceSettings", {}), **settings}
    space.fields |= {name: params[name] for name in _SPACE_MEMBERS[1:] if name in params}
    space.fields["LastModifiedTime"] = store.clock()
    return {"SpaceArn": space.fields["SpaceArn"]}


async def list_spaces(store: Store, request: Request) -> dict[str, Any]:
    """List spaces, newest last.

    Raises:
        AwsError: InvalidNextToken.
    """
    params = request.params
    wanted = _test(request, {"DomainId": params.get("DomainIdEquals")}, "SpaceName", "SpaceNameContains")
    names = ("DomainId", "SpaceName", "Status", "CreationTime", "LastModifiedTime", "SpaceDisplayName")
    answer = _page(request, store.studio.spaces, wanted, "Spaces", (*names, *_SPACE_MEMBERS[:3]))
    for one in answer["Spaces"]:
        for member in _SPACE_MEMBERS[:3]:
            if member in one:
                shown = one.pop(member)
                one[f"{member}Summary"] = {
                    name: shown[name]
                    for name in ("AppType", "RemoteAccess", "OwnerUserProfileName", "SharingType")
                    if name in shown
                }
    return answer


async def delete_space(store: Store, request: Request) -> dict[str, Any]:
    """Delete a space.

    Raises:
        AwsError: ResourceNotFound; ResourceInUse, while an app runs in it.
    """
    space = _found(store.studio.spaces, _named(request, "SpaceName"), "Space")
    if store.studio.running(*space.key):
        raise AwsError("ResourceInUse", f"Space {request.params['SpaceName']} has an app that runs: delete it first.")
    del store.studio.spaces[space.key]
    return {}


async def create_app(store: Store, request: Request) -> dict[str, Any]:
    """Start an app, of a space or of a user profile; it is in service at once.

    Raises:
        AwsError: ResourceInUse, ResourceNotFound; ValidationException, without exactly one owner.
    """
    params, domain = request.params, await _domain(store, request)
    key = _app_key(request)
    owners = store.studio.spaces if key[2] == "space" else store.studio.profiles
    _found(owners, (request.region, domain, key[3]), "Space" if key[2] == "space" else "UserProfile")
    known = store.studio.apps.get(key)
    if known is not None and known.fields["Status"] != "Deleted":
        raise AwsError("ResourceInUse", f"App {params['AppName']} of type {params['AppType']} exists already.")
    made = _common(store, request, "AppArn", f"app/{domain}/{key[3]}/{params['AppType']}/{params['AppName']}")
    del made["LastModifiedTime"]
    store.studio.add(store.studio.apps, key, {**_without_tags(params), **made})
    return {"AppArn": made["AppArn"]}


async def describe_app(store: Store, request: Request) -> dict[str, Any]:
    """Describe an app; a deleted one is still told about.

    Raises:
        AwsError: ResourceNotFound, ValidationException.
    """
    return dict(_found(store.studio.apps, _app_key(request), "App").fields)


async def list_apps(store: Store, request: Request) -> dict[str, Any]:
    """List apps, deleted ones among them, newest last.

    Raises:
        AwsError: InvalidNextToken.
    """
    params = request.params
    equal = {name: params.get(f"{name}Equals") for name in ("UserProfileName", "SpaceName")}
    wanted = _test(request, {"DomainId": params.get("DomainIdEquals"), **equal}, "AppName", "")
    names = ("DomainId", "UserProfileName", "SpaceName", "AppType", "AppName", "Status", "CreationTime", "ResourceSpec")
    return _page(request, store.studio.apps, wanted, "Apps", names)


async def delete_app(store: Store, request: Request) -> dict[str, Any]:
    """Stop an app and keep its record, as Studio does for a day.

    Raises:
        AwsError: ResourceNotFound, ValidationException.
    """
    app = _found(store.studio.apps, _app_key(request), "App")
    app.fields["Status"] = "Deleted"
    return {}


async def start_session(store: Store, request: Request) -> dict[str, Any]:
    """sagemaker:StartSession: a session whose stream is SSH to a space. The model names no other error for a refusal.

    Raises:
        AwsError: ResourceNotFound, for a space that is unknown; ValidationException, where its remote access is off,
            no app runs in it, or the agent in it has not come up.
    """
    arn = request.params["ResourceIdentifier"]
    space = next((one for one in store.studio.spaces.values() if one.fields["SpaceArn"] == arn), None)
    if space is None or space.key[0] != request.region:
        raise AwsError("ResourceNotFound", f"Space {arn} does not exist.")
    if (space.fields.get("SpaceSettings") or {}).get("RemoteAccess") != "ENABLED":
        raise AwsError("ValidationException", f"Remote access is not enabled for space {space.key[2]}.")
    if not store.studio.running(*space.key):
        raise AwsError("ValidationException", f"Space {space.key[2]} has no app in service.")
    node = store.nodes.native(arn, request.region)
    activation = store.activations.get(node.activation_id) if node is not None else None
    if node is None or node.control is None or activation is None:
        raise AwsError("ValidationException", f"Space {space.key[2]} is not connected.")
    parameters = {"portNumber": [activation.tags[TAG_PORT]]}
    return await session_api.open_session(store, request, node, _DOCUMENT, parameters)


async def _domain(store: Store, request: Request) -> str:
    name = str(request.params["DomainId"])

    def known() -> bool:
        return name in {one.id for one in sagemaker_records.backend(store, request.region).domains.values()}

    if not await asyncio.to_thread(known):
        raise AwsError("ResourceNotFound", f"Domain {name} does not exist.")
    return name


def _common(store: Store, request: Request, arn_member: str, resource: str) -> dict[str, Any]:
    now = store.clock()
    arn = sagemaker_records.arn(store, request.region, resource)
    return {arn_member: arn, "Status": IN_SERVICE, "CreationTime": now, "LastModifiedTime": now}


def _without_tags(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "Tags"}


def _named(request: Request, member: str) -> tuple[str, ...]:
    return (request.region, request.params["DomainId"], request.params[member])


def _app_key(request: Request) -> tuple[str, ...]:
    params = request.params
    space, profile = params.get("SpaceName", ""), params.get("UserProfileName", "")
    if bool(space) == bool(profile):
        raise AwsError("ValidationException", "Give either SpaceName or UserProfileName, and not both.")
    owner = ("space", space) if space else ("user-profile", profile)
    return (request.region, params["DomainId"], *owner, params["AppType"], params["AppName"])


def _found(table: Mapping[tuple[str, ...], Entry], key: tuple[str, ...], noun: str) -> Entry:
    entry = table.get(key)
    if entry is None:
        raise AwsError("ResourceNotFound", f"{noun} [{key[-1]}] in Domain [{key[1]}] does not exist.")
    return entry


def _require_free(table: Mapping[tuple[str, ...], Entry], key: tuple[str, ...], noun: str) -> None:
    if key in table:
        raise AwsError("ResourceInUse", f"{noun} [{key[-1]}] in Domain [{key[1]}] already exists.")


def _test(
    request: Request, equal: Mapping[str, str | None], name_member: str, contains_member: str
) -> Callable[[Entry], bool]:
    part = str(request.params.get(contains_member) or "")

    def test(entry: Entry) -> bool:
        same = all(value is None or entry.fields.get(member) == value for member, value in equal.items())
        return entry.key[0] == request.region and same and part in str(entry.fields[name_member])

    return test


def _page(
    request: Request,
    table: Mapping[tuple[str, ...], Entry],
    wanted: Callable[[Entry], bool],
    result: str,
    names: tuple[str, ...],
) -> dict[str, Any]:
    found = [entry for entry in table.values() if wanted(entry)]
    items, token = page(request, found, lambda entry: entry.serial, default=_PAGE)
    return {result: [{name: one.fields[name] for name in names if name in one.fields} for one in items]} | token


OPERATIONS: dict[str, Handler] = {
    "CreateUserProfile": create_user_profile,
    "DescribeUserProfile": describe_user_profile,
    "ListUserProfiles": list_user_profiles,
    "CreateSpace": create_space,
    "DescribeSpace": describe_space,
    "UpdateSpace": update_space,
    "ListSpaces": list_spaces,
    "DeleteSpace": delete_space,
    "CreateApp": create_app,
    "DescribeApp": describe_app,
    "ListApps": list_apps,
    "DeleteApp": delete_app,
    "StartSession": start_session,
}
