"""The life of a managed node, spoken by hand as the agent speaks it, over real sockets."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent_calls import FakeNode, post, public_text, register, registration, rsa_key
from tests.plane.conftest import ClientMaker

REGISTER = "AmazonSSM.RegisterManagedInstance"


@pytest.fixture
def node(shared_plane: PlaneThread, ssm: Any) -> FakeNode:
    return register(shared_plane.url, ssm.create_activation(IamRole="service-role/Nodes", RegistrationLimit=10))


def listed(ssm: Any, **params: Any) -> list[dict[str, Any]]:
    pages = ssm.get_paginator("describe_instance_information").paginate(PaginationConfig={"PageSize": 50}, **params)
    return [one for page in pages for one in page["InstanceInformationList"]]


def test_registered_then_online_with_the_activations_tags(shared_plane: PlaneThread, ssm: Any) -> None:
    tags = [{"Key": "SSHOwner", "Value": "me"}, {"Key": "SSHNode", "Value": "algo-1"}]
    made = ssm.create_activation(IamRole="Nodes", DefaultInstanceName="job", Tags=tags)
    node = register(shared_plane.url, made)
    (before,) = listed(ssm)
    assert (before["PingStatus"], before["Name"], before["ActivationId"]) == (
        "ConnectionLost",
        "job",
        made["ActivationId"],
    )
    assert "AgentVersion" not in before
    assert ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node.node_id)["TagList"] == tags

    assert node.ping(ComputerName="algo-1", IPAddress="10.0.0.1", PlatformName="Debian").status == 200
    (after,) = listed(ssm)
    assert (after["InstanceId"], after["PingStatus"], after["ResourceType"]) == (
        node.node_id,
        "Online",
        "ManagedInstance",
    )
    assert (after["AgentVersion"], after["ComputerName"], after["IPAddress"]) == ("3.3.0.0", "algo-1", "10.0.0.1")
    assert after["LastPingDateTime"] >= after["RegistrationDate"]


def test_the_limit_holds_and_a_wrong_code_costs_nothing(shared_plane: PlaneThread, ssm: Any) -> None:
    made = ssm.create_activation(IamRole="Nodes", RegistrationLimit=2)
    body = registration(made, rsa_key())
    wrong = [
        body | {"ActivationCode": "A" * 20},
        body | {"ActivationId": str(uuid.uuid4())},
    ]
    assert [post(shared_plane.url, REGISTER, one).code for one in wrong] == ["InvalidActivation"] * 2
    answers = [post(shared_plane.url, REGISTER, body) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 400]
    assert answers[2].code == "InvalidActivation"
    assert ssm.describe_activations()["ActivationList"][0]["RegistrationsCount"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"PublicKey": "not base64!"},
        {"PublicKey": "aGVsbG8="},
        {"PublicKeyType": "Dsa"},
        {"Fingerprint": "finger"},
        {"ActivationCode": "short"},
        {"ActivationId": None},
    ],
)
def test_a_registration_that_cannot_be_consumes_nothing(
    shared_plane: PlaneThread, ssm: Any, change: dict[str, Any]
) -> None:
    made = ssm.create_activation(IamRole="Nodes")
    answer = post(shared_plane.url, REGISTER, registration(made, rsa_key()) | change)
    assert (answer.status, answer.code) == (400, "ValidationException")
    assert made["ActivationCode"] not in answer.body["message"]
    assert register(shared_plane.url, made)


def test_role_credentials_work_and_name_the_node(node: FakeNode, client: ClientMaker) -> None:
    answer = node.request_token()
    assert set(answer.body) == {
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "TokenExpirationDate",
        "UpdateKeyPair",
    }
    assert isinstance(answer.body["TokenExpirationDate"], float)
    assert answer.body["UpdateKeyPair"] is False
    assert node.ping().status == 200


def test_another_machines_fingerprint_and_key_are_refused(node: FakeNode) -> None:
    assert node.request_token(str(uuid.uuid4())).code == "MachineFingerprintDoesNotMatch"
    body = {"Fingerprint": node.fingerprint}
    assert node.signed_by_key("RequestManagedInstanceRoleToken", body, rsa_key(1)).code == "InvalidSignatureException"
    stranger = FakeNode(node.url, "mi-" + "0" * 17, node.key, node.fingerprint)
    assert stranger.request_token().code == "UnrecognizedClientException"
    unsigned = post(node.url, "AmazonSSM.RequestManagedInstanceRoleToken", body)
    assert unsigned.code == "MissingAuthenticationTokenException"


def test_a_role_token_expires(node: FakeNode, shared_plane: PlaneThread) -> None:
    shared_plane.call(lambda plane: setattr(plane.store.settings, "token_lifetime", 0.0))
    node.take_role()
    assert node.ping().code == "ExpiredTokenException"


def test_the_key_is_replaced_by_who_holds_the_old_one(node: FakeNode) -> None:
    new = {"NewPublicKey": public_text(rsa_key(2)), "NewPublicKeyType": "Rsa"}
    assert node.signed_by_key("UpdateManagedInstancePublicKey", new, rsa_key(1)).code == "InvalidSignatureException"
    assert node.request_token().status == 200
    assert node.signed_by_key("UpdateManagedInstancePublicKey", new).status == 200
    assert node.request_token().code == "InvalidSignatureException"
    node.key = rsa_key(2)
    assert node.request_token().status == 200


def test_one_node_does_not_speak_for_another(node: FakeNode, shared_plane: PlaneThread, ssm: Any) -> None:
    other = register(shared_plane.url, ssm.create_activation(IamRole="Nodes"))
    for operation in ("UpdateInstanceInformation", "ListInstanceAssociations"):
        assert node.call(operation, {"InstanceId": other.node_id}).code == "AccessDeniedException"
    assert node.call("ListInstanceAssociations", {"InstanceId": node.node_id, "MaxResults": 20}).body == {
        "Associations": []
    }


def test_a_deregistered_node_is_gone_with_its_credentials(node: FakeNode, ssm: Any) -> None:
    assert node.ping().status == 200
    ssm.deregister_managed_instance(InstanceId=node.node_id)
    assert listed(ssm) == []
    assert node.ping().code == "UnrecognizedClientException"
    assert node.request_token().code == "UnrecognizedClientException"
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        ssm.deregister_managed_instance(InstanceId=node.node_id)


def test_the_standard_tier_is_full_at_a_thousand(shared_plane: PlaneThread, ssm: Any) -> None:
    setting = "/ssm/managed-instance/activation-tier"
    made = ssm.create_activation(IamRole="Nodes", RegistrationLimit=1000)
    last = ssm.create_activation(IamRole="Nodes")
    fill(shared_plane, made["ActivationId"], 1000)
    ssm.update_service_setting(SettingId=setting, SettingValue="standard")
    refused = post(shared_plane.url, REGISTER, registration(last, rsa_key()))
    assert refused.code == "RegistrationLimitExceeded"
    ssm.update_service_setting(SettingId=setting, SettingValue="advanced")
    register(shared_plane.url, last)


def fill(thread: PlaneThread, activation_id: str, count: int) -> None:
    def work(plane: Any) -> None:
        store = plane.store
        activation = store.activations[activation_id]
        for _ in range(count):
            store.nodes.register(activation, public_key="", fingerprint="", now=store.clock())

    thread.call(work)


def test_a_thousand_registrations_at_once_are_all_listed(shared_plane: PlaneThread, ssm: Any) -> None:
    made = ssm.create_activation(IamRole="Nodes", RegistrationLimit=1000, Tags=[{"Key": "SSHNode", "Value": "x"}])
    for number in range(3):
        rsa_key(number)

    def one(number: int) -> str:
        return register(shared_plane.url, made, number % 3).node_id

    with ThreadPoolExecutor(32) as pool:
        ids = list(pool.map(one, range(1000)))
    assert len(set(ids)) == 1000
    assert {found["InstanceId"] for found in listed(ssm)} == set(ids)
    assert {found["InstanceId"] for found in listed(ssm, Filters=[{"Key": "tag:SSHNode", "Values": ["x"]}])} == set(ids)
    over = post(shared_plane.url, REGISTER, registration(made, rsa_key()))
    assert over.code == "InvalidActivation"
