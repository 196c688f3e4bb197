"""Activations through boto3, and what a registration makes of them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent_calls import post, register, registration, rsa_key
from tests.plane.conftest import ClientMaker

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def code_of(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def test_what_was_created_is_described(ssm: Any) -> None:
    made = ssm.create_activation(
        IamRole="service-role/Nodes",
        DefaultInstanceName="my job",
        Description="for a test",
        RegistrationLimit=7,
        Tags=[{"Key": "SSHOwner", "Value": "AROA1:me"}, {"Key": "Größe", "Value": ""}],
    )
    assert len(made["ActivationCode"]) == 20
    assert made["ActivationCode"].isalnum()
    (found,) = ssm.describe_activations()["ActivationList"]
    assert found["ActivationId"] == made["ActivationId"]
    assert (found["IamRole"], found["DefaultInstanceName"], found["Description"]) == (
        "service-role/Nodes",
        "my job",
        "for a test",
    )
    assert (found["RegistrationLimit"], found["RegistrationsCount"], found["Expired"]) == (7, 0, False)
    assert found["Tags"] == [{"Key": "SSHOwner", "Value": "AROA1:me"}, {"Key": "Größe", "Value": ""}]
    assert found["ExpirationDate"] - found["CreatedDate"] == timedelta(hours=24)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ExpirationDate": datetime.now(timezone.utc) - timedelta(minutes=1)}, "InvalidParameters"),
        ({"ExpirationDate": datetime.now(timezone.utc) + timedelta(days=31)}, "InvalidParameters"),
        ({"IamRole": "arn:aws:iam::123456789012:role/x"}, "ValidationException"),
        ({"IamRole": "x" * 65}, "ValidationException"),
        ({"DefaultInstanceName": "a,b"}, "ValidationException"),
        ({"RegistrationLimit": 1001}, "ValidationException"),
        ({"Tags": [{"Key": "a;b", "Value": "c"}]}, "ValidationException"),
        ({"Tags": [{"Key": "a", "Value": "x" * 257}]}, "ValidationException"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "ValidationException"),
        ({"Tags": [{"Key": "aws:a", "Value": "1"}]}, "ValidationException"),
        ({"Tags": [{"Key": f"k{number}", "Value": "1"} for number in range(51)]}, "InvalidParameters"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(ssm: Any, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as raised:
        ssm.create_activation(**({"IamRole": "Nodes"} | params))
    assert code_of(raised) == code
    assert ssm.describe_activations()["ActivationList"] == []


def test_filters_and_pages(ssm: Any, client: ClientMaker) -> None:
    ids = [
        ssm.create_activation(IamRole=f"role{number % 2}", DefaultInstanceName=f"n{number}")["ActivationId"]
        for number in range(7)
    ]
    client("ssm", region="eu-west-1").create_activation(IamRole="role0")

    def found(key: str, *values: str) -> list[str]:
        pages = ssm.get_paginator("describe_activations").paginate(
            Filters=[{"FilterKey": key, "FilterValues": list(values)}], PaginationConfig={"PageSize": 2}
        )
        return [one["ActivationId"] for page in pages for one in page["ActivationList"]]

    assert found("IamRole", "role1") == ids[1::2]
    assert found("DefaultInstanceName", "n2", "n5") == [ids[2], ids[5]]
    assert found("ActivationIds", ids[3], UNKNOWN) == [ids[3]]
    with pytest.raises(ClientError) as raised:
        ssm.describe_activations(Filters=[{"FilterKey": "IamRole"}])
    assert code_of(raised) == "InvalidFilter"
    with pytest.raises(ClientError) as raised:
        ssm.describe_activations(NextToken="made up")
    assert code_of(raised) == "InvalidNextToken"


def test_a_deleted_activation_registers_nobody_and_its_nodes_stay(shared_plane: PlaneThread, ssm: Any) -> None:
    made = ssm.create_activation(IamRole="Nodes", RegistrationLimit=2)
    node = register(shared_plane.url, made)
    ssm.delete_activation(ActivationId=made["ActivationId"])
    refused = post(shared_plane.url, "AmazonSSM.RegisterManagedInstance", registration(made, rsa_key()))
    assert refused.code == "InvalidActivation"
    assert [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]] == [
        node.node_id
    ]
    with pytest.raises(ClientError) as raised:
        ssm.delete_activation(ActivationId=made["ActivationId"])
    assert code_of(raised) == "InvalidActivationId"


def test_regions_do_not_see_each_other(ssm: Any, client: ClientMaker) -> None:
    made = ssm.create_activation(IamRole="Nodes")
    elsewhere = client("ssm", region="eu-central-1")
    assert elsewhere.describe_activations()["ActivationList"] == []
    with pytest.raises(ClientError) as raised:
        elsewhere.delete_activation(ActivationId=made["ActivationId"])
    assert code_of(raised) == "InvalidActivationId"


def test_an_activation_expires(shared_plane: PlaneThread, ssm: Any) -> None:
    made = ssm.create_activation(
        IamRole="Nodes", ExpirationDate=datetime.now(timezone.utc) + timedelta(hours=1), RegistrationLimit=5
    )
    register(shared_plane.url, made)
    try:
        shared_plane.call(lambda plane: setattr(plane.store, "clock", lambda: plane.store.started + 7200))
        refused = post(shared_plane.url, "AmazonSSM.RegisterManagedInstance", registration(made, rsa_key()))
        assert refused.code == "InvalidActivation"
        assert ssm.describe_activations()["ActivationList"][0]["Expired"] is True
    finally:
        shared_plane.call(lambda plane: setattr(plane.store, "clock", time.time))
