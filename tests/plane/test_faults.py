"""Faults on order, seen by a real client."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane.faults import Faults
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent_calls import post, registration, rsa_key
from tests.plane.conftest import ClientMaker


def test_throttled_so_many_times(shared_plane: PlaneThread, ssm: Any) -> None:
    shared_plane.call(lambda plane: plane.faults.add("CreateActivation", "ThrottlingException", times=2))
    for _ in range(2):
        with pytest.raises(ClientError) as raised:
            ssm.create_activation(IamRole="Nodes")
        assert raised.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert ssm.describe_activations()["ActivationList"] == []
    assert ssm.create_activation(IamRole="Nodes")["ActivationId"]


def test_an_anonymous_call_and_one_that_moto_serves_are_struck_too(
    shared_plane: PlaneThread, ssm: Any, client: ClientMaker
) -> None:
    made = ssm.create_activation(IamRole="Nodes")
    shared_plane.call(lambda plane: plane.faults.add("RegisterManagedInstance", "TooManyUpdates", status=400))
    shared_plane.call(lambda plane: plane.faults.add("ListRoles", "Throttling", status=400, times=1))
    body = registration(made, rsa_key())
    assert post(shared_plane.url, "AmazonSSM.RegisterManagedInstance", body).code == "TooManyUpdates"
    iam = client("iam")
    with pytest.raises(ClientError, match="Throttling"):
        iam.list_roles()
    assert "Roles" in iam.list_roles()


def test_a_delay_alone_lets_the_call_through(shared_plane: PlaneThread, ssm: Any) -> None:
    shared_plane.call(lambda plane: plane.faults.add("DescribeActivations", delay=0.01, times=1))
    assert ssm.describe_activations()["ActivationList"] == []
    assert shared_plane.call(lambda plane: plane.faults.listing()) == []


def test_faults_strike_in_turn_and_star_means_every_operation() -> None:
    faults = Faults()
    faults.add("A", "First", times=1)
    faults.add("A", "Second", times=1)
    faults.add("*", "Any", times=2)
    struck = [fault.code if fault else None for fault in (faults.take(name) for name in ("A", "A", "B", "A", "A"))]
    assert struck == ["First", "Second", "Any", "Any", None]
