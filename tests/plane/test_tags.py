"""Tags of managed nodes through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent_calls import post, register

KIND = "ManagedInstance"


@pytest.fixture
def node_id(shared_plane: PlaneThread, ssm: Any) -> str:
    made = ssm.create_activation(IamRole="Nodes", Tags=[{"Key": "a", "Value": "1"}])
    return register(shared_plane.url, made).node_id


def tags(ssm: Any, node_id: str) -> dict[str, str]:
    found = ssm.list_tags_for_resource(ResourceType=KIND, ResourceId=node_id)["TagList"]
    return {tag["Key"]: tag["Value"] for tag in found}


def found(ssm: Any, key: str, value: str) -> list[str]:
    listed = ssm.describe_instance_information(Filters=[{"Key": f"tag:{key}", "Values": [value]}])
    return [one["InstanceId"] for one in listed["InstanceInformationList"]]


def test_added_changed_and_removed_and_the_index_follows(ssm: Any, node_id: str) -> None:
    ssm.add_tags_to_resource(
        ResourceType=KIND,
        ResourceId=node_id,
        Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}, {"Key": "c", "Value": "3"}],
    )
    assert tags(ssm, node_id) == {"a": "2", "b": "", "c": "3"}
    assert (found(ssm, "a", "1"), found(ssm, "a", "2"), found(ssm, "c", "3")) == ([], [node_id], [node_id])
    ssm.remove_tags_from_resource(ResourceType=KIND, ResourceId=node_id, TagKeys=["a", "c", "never there"])
    assert tags(ssm, node_id) == {"b": ""}
    assert found(ssm, "a", "2") == []


def test_at_most_fifty(ssm: Any, node_id: str) -> None:
    with pytest.raises(ClientError) as raised:
        ssm.add_tags_to_resource(
            ResourceType=KIND, ResourceId=node_id, Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)]
        )
    assert raised.value.response["Error"]["Code"] == "TooManyTagsError"
    assert tags(ssm, node_id) == {"a": "1"}


def test_an_unknown_node_and_an_unknown_kind(shared_plane: PlaneThread, ssm: Any) -> None:
    with pytest.raises(ClientError) as raised:
        ssm.list_tags_for_resource(ResourceType=KIND, ResourceId="mi-" + "0" * 17)
    assert raised.value.response["Error"]["Code"] == "InvalidResourceId"
    with pytest.raises(ClientError) as raised:
        # An activation's tags are fixed at its creation; the API has no such resource type.
        ssm.list_tags_for_resource(ResourceType="Activation", ResourceId="x")
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert post(shared_plane.url, "AmazonSSM.ListTagsForResource", {}).code == "MissingAuthenticationTokenException"


def test_tags_of_other_resources_are_motos(ssm: Any) -> None:
    ssm.put_parameter(Name="p", Value="v", Type="String")
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="p", Tags=[{"Key": "a", "Value": "b"}])
    listed = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="p")["TagList"]
    assert listed == [{"Key": "a", "Value": "b"}]
