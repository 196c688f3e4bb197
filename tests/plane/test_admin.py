"""The plane's own routes."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent_calls import register


def ask(thread: PlaneThread, method: str, route: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
    where = urlsplit(thread.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
    try:
        headers = {"Authorization": f"Bearer {thread.plane.token if token is None else token}"}
        data = body if isinstance(body, bytes) else json.dumps(body)
        connection.request(method, f"/_sm-ssh/{route}", None if body is None else data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_status_counts(shared_plane: PlaneThread, ssm: Any) -> None:
    made = ssm.create_activation(IamRole="Nodes", RegistrationLimit=2)
    register(shared_plane.url, made)
    register(shared_plane.url, made).ping()
    status, found = ask(shared_plane, "GET", "status", token="")
    assert status == 200
    assert (found["activations"], found["nodes"]) == (1, {"Online": 1, "ConnectionLost": 1})
    assert (found["url"], found["instance"]) == (shared_plane.url, shared_plane.plane.instance)
    assert shared_plane.plane.token not in json.dumps(found)


@pytest.mark.parametrize("route", ["reset", "faults", "credentials", "jobs", "native", "logs", "seed"])
@pytest.mark.parametrize("token", ["", "guess", "é"])
def test_changes_need_the_token(shared_plane: PlaneThread, ssm: Any, route: str, token: str) -> None:
    ssm.create_activation(IamRole="Nodes")
    status, found = ask(shared_plane, "POST", route, {"operation": "X"}, token)
    assert (status, found["__type"]) == (403, "AccessDeniedException")
    assert len(ssm.describe_activations()["ActivationList"]) == 1


def test_faults_are_added_listed_and_cleared(shared_plane: PlaneThread) -> None:
    fault = {"operation": "X", "code": "ThrottlingException", "times": 2, "delay": 0.5, "status": 429, "message": "m"}
    assert ask(shared_plane, "POST", "faults", fault) == (200, {"faults": [fault | {"struck": 0}]})
    assert ask(shared_plane, "POST", "faults", {}) == (200, {"faults": []})


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("faults", {"code": "X"}),
        ("faults", {"operation": 1}),
        ("faults", {"operation": "X", "status": 200}),
        ("faults", {"operation": "X", "times": "2"}),
        ("faults", {"operation": "X", "extra": 1}),
        ("faults", [1]),
        ("credentials", {"deny": "ssm:*"}),
        ("credentials", {"deny": [1]}),
        ("credentials", {"expires_in": True}),
        ("credentials", b"{"),
        ("reset", b"\xff\xfe"),
    ],
)
def test_bad_input_is_refused(shared_plane: PlaneThread, route: str, body: Any) -> None:
    status, found = ask(shared_plane, "POST", route, body)
    assert status == 400
    assert found["__type"] in ("ValidationException", "SerializationException")


def test_reset_over_http(shared_plane: PlaneThread, ssm: Any) -> None:
    register(shared_plane.url, ssm.create_activation(IamRole="Nodes"))
    assert ask(shared_plane, "POST", "reset") == (200, {})
    assert ssm.describe_activations()["ActivationList"] == []
    assert ssm.describe_instance_information()["InstanceInformationList"] == []


def test_credentials_over_http(shared_plane: PlaneThread) -> None:
    status, found = ask(shared_plane, "POST", "credentials", {"expires_in": None, "deny": ["ssm:*"], "user_id": "me"})
    assert status == 200
    assert set(found["environment"]) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert found["caller"]["user_id"] == "me"


LINE = {"region": "us-east-1", "group": "g", "stream": "s"}


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("jobs", {"name": "x"}),
        ("jobs", {"name": "x", "region": "us-east-1", "nodes": "1"}),
        ("jobs", {"name": "x", "region": "us-east-1", "kind": "unknown"}),
        ("jobs", {"name": "x", "region": "us-east-1", "native": 1}),
        ("native", {"target": "mi-0123456789abcdef0", "region": "us-east-1"}),
        ("native", {"target": "sagemaker-training-job:x_algo-1", "region": "us-east-1", "port": 70000}),
        ("logs", {**LINE, "events": "text"}),
        ("logs", {**LINE, "events": ["text"]}),
        ("logs", {**LINE, "events": [[1]]}),
        ("logs", {**LINE, "events": [["1", "text"]]}),
        ("logs", {**LINE, "events": [[1, None]]}),
        ("seed", {"region": "us-east-1"}),
        ("seed", {"region": "us-east-1", "nodes": 0}),
        ("seed", {"region": "us-east-1", "nodes": True}),
        ("seed", {"region": "us-east-1", "nodes": 1, "kind": "unknown"}),
    ],
)
def test_what_a_route_does_not_take(shared_plane: PlaneThread, route: str, body: dict[str, Any]) -> None:
    status, found = ask(shared_plane, "POST", route, body)
    assert (status, found["__type"]) == (400, "ValidationException")
    assert ask(shared_plane, "GET", "status")[1]["nodes"] == {"Online": 0, "ConnectionLost": 0}


def test_a_running_job_is_entered_and_ended(shared_plane: PlaneThread, client: Any) -> None:
    job = {"name": "x", "region": "us-east-1", "kind": "processing"}
    status, made = ask(shared_plane, "POST", "jobs", job)
    assert (status, made["status"]) == (200, "InProgress")
    assert ask(shared_plane, "POST", "jobs", job)[1]["__type"] == "ResourceInUse"
    assert ask(shared_plane, "POST", "jobs", {**job, "job_status": "Completed"})[0] == 200
    found = client("sagemaker").describe_processing_job(ProcessingJobName="x")
    assert (found["ProcessingJobArn"], found["ProcessingJobStatus"]) == (made["arn"], "Completed")


def test_what_sagemakers_own_agent_registers_with(shared_plane: PlaneThread, ssm: Any) -> None:
    target = {"target": "sagemaker-training-job:x_algo-1", "region": "us-east-1"}
    status, made = ask(shared_plane, "POST", "native", target)
    assert status == 200
    register(shared_plane.url, {"ActivationId": made["activation_id"], "ActivationCode": made["activation_code"]})
    assert ssm.describe_instance_information()["InstanceInformationList"] == []
    assert ask(shared_plane, "GET", "status")[1]["nodes"] == {"Online": 0, "ConnectionLost": 0}


def test_seeded_nodes_are_counted(shared_plane: PlaneThread) -> None:
    for body in ({"nodes": 3, "age": 86_400}, {"nodes": 2, "online": True}):
        status, found = ask(shared_plane, "POST", "seed", {"region": "us-east-1", **body})
        assert status == 200
    assert found == {"nodes": 5}
    assert ask(shared_plane, "GET", "status")[1]["nodes"] == {"Online": 2, "ConnectionLost": 3}
