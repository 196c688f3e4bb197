"""User profiles, spaces and apps on the plane."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plane.conftest import REGION, ClientMaker

ROLE = "arn:aws:iam::123456789012:role/Job"


@pytest.fixture
def sagemaker(client: ClientMaker) -> Any:
    return client("sagemaker")


@pytest.fixture
def domain(sagemaker: Any) -> str:
    sagemaker.create_domain(DomainName="d", AuthMode="IAM", DefaultUserSettings={}, SubnetIds=["s"], VpcId="v")
    (found,) = sagemaker.list_domains()["Domains"]
    return str(found["DomainId"])


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def space(sagemaker: Any, domain: str, name: str = "mine", access: str = "DISABLED") -> dict[str, str]:
    settings = {"AppType": "JupyterLab", "RemoteAccess": access}
    sagemaker.create_space(DomainId=domain, SpaceName=name, SpaceSettings=settings)
    return {"DomainId": domain, "SpaceName": name}


def app(named: dict[str, str]) -> dict[str, str]:
    return {**named, "AppType": "JupyterLab", "AppName": "default"}


def test_a_space_from_its_creation_to_its_end(sagemaker: Any, domain: str) -> None:
    named = space(sagemaker, domain)
    found = sagemaker.describe_space(**named)
    assert found["SpaceArn"] == f"arn:aws:sagemaker:{REGION}:123456789012:space/{domain}/mine"
    assert found["Status"] == "InService"
    sagemaker.update_space(**named, SpaceSettings={"RemoteAccess": "ENABLED"})
    settings = sagemaker.describe_space(**named)["SpaceSettings"]
    assert settings == {"AppType": "JupyterLab", "RemoteAccess": "ENABLED"}
    (listed,) = sagemaker.list_spaces(DomainIdEquals=domain, SpaceNameContains="in")["Spaces"]
    assert listed["SpaceSettingsSummary"] == {"AppType": "JupyterLab", "RemoteAccess": "ENABLED"}
    sagemaker.create_app(**app(named))
    assert refused(sagemaker.delete_space, **named) == "ResourceInUse"
    assert refused(sagemaker.update_space, **named, SpaceSettings={"RemoteAccess": "DISABLED"}) == "ResourceInUse"
    sagemaker.delete_app(**app(named))
    sagemaker.delete_space(**named)
    assert refused(sagemaker.describe_space, **named) == "ResourceNotFound"


def test_apps(sagemaker: Any, domain: str) -> None:
    named = space(sagemaker, domain)
    made = sagemaker.create_app(**app(named))
    assert made["AppArn"].endswith(f":app/{domain}/mine/JupyterLab/default")
    assert refused(sagemaker.create_app, **app(named)) == "ResourceInUse"
    assert sagemaker.describe_app(**app(named))["Status"] == "InService"
    sagemaker.delete_app(**app(named))
    assert sagemaker.describe_app(**app(named))["Status"] == "Deleted"
    sagemaker.create_app(**app(named))
    sagemaker.create_user_profile(DomainId=domain, UserProfileName="me")
    classic = {"DomainId": domain, "UserProfileName": "me", "AppType": "KernelGateway", "AppName": "kernel"}
    sagemaker.create_app(**classic)
    assert sagemaker.describe_app(**classic)["AppName"] == "kernel"
    assert [one["AppName"] for one in sagemaker.list_apps(DomainIdEquals=domain)["Apps"]] == ["default", "kernel"]
    (mine,) = sagemaker.list_apps(DomainIdEquals=domain, UserProfileNameEquals="me")["Apps"]
    assert mine["AppType"] == "KernelGateway"
    assert refused(sagemaker.create_app, DomainId=domain, AppType="JupyterLab", AppName="x") == "ValidationException"


def test_profiles(sagemaker: Any, domain: str) -> None:
    sagemaker.create_user_profile(DomainId=domain, UserProfileName="me", UserSettings={"ExecutionRole": ROLE})
    found = sagemaker.describe_user_profile(DomainId=domain, UserProfileName="me")
    assert found["UserSettings"] == {"ExecutionRole": ROLE}
    (listed,) = sagemaker.list_user_profiles(DomainIdEquals=domain)["UserProfiles"]
    assert listed["UserProfileName"] == "me"
    assert refused(sagemaker.create_user_profile, DomainId=domain, UserProfileName="me") == "ResourceInUse"


def test_what_there_is_not(sagemaker: Any, domain: str) -> None:
    named = {"DomainId": domain, "SpaceName": "none"}
    assert refused(sagemaker.describe_space, **named) == "ResourceNotFound"
    assert refused(sagemaker.create_app, **app(named)) == "ResourceNotFound"
    assert refused(sagemaker.describe_app, **app(named)) == "ResourceNotFound"
    assert refused(sagemaker.describe_user_profile, DomainId=domain, UserProfileName="none") == "ResourceNotFound"
    assert refused(sagemaker.create_space, DomainId="d-none", SpaceName="x") == "ResourceNotFound"


def test_pages_and_regions(sagemaker: Any, client: ClientMaker, domain: str) -> None:
    for number in range(7):
        space(sagemaker, domain, f"s{number}")
    pages = sagemaker.get_paginator("list_spaces").paginate(PaginationConfig={"PageSize": 3})
    found = [[one["SpaceName"] for one in page["Spaces"]] for page in pages]
    assert found == [["s0", "s1", "s2"], ["s3", "s4", "s5"], ["s6"]]
    assert client("sagemaker", region="eu-west-1").list_spaces()["Spaces"] == []


def test_a_session_is_refused_where_nothing_is_behind_it(sagemaker: Any, domain: str) -> None:
    named = space(sagemaker, domain)
    arn = sagemaker.describe_space(**named)["SpaceArn"]
    assert refused(sagemaker.start_session, ResourceIdentifier=arn.replace("mine", "none")) == "ResourceNotFound"
    with pytest.raises(ClientError, match="Remote access is not enabled"):
        sagemaker.start_session(ResourceIdentifier=arn)
    sagemaker.update_space(**named, SpaceSettings={"RemoteAccess": "ENABLED"})
    with pytest.raises(ClientError, match="no app in service"):
        sagemaker.start_session(ResourceIdentifier=arn)
    sagemaker.create_app(**app(named))
    with pytest.raises(ClientError, match="not connected"):
        sagemaker.start_session(ResourceIdentifier=arn)
