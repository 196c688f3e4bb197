"""What SageMaker says runs, kind by kind, from answers as its API model has them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sm_ssh_entry.connect.fleet.running import Running

NOW = datetime.now(timezone.utc)
AN_HOUR_AGO = NOW - timedelta(hours=1)
ANSWERS: dict[str, dict[str, Any]] = {
    "list_training_jobs": {"TrainingJobSummaries": [{"TrainingJobName": "t", "CreationTime": NOW}]},
    "list_processing_jobs": {"ProcessingJobSummaries": [{"ProcessingJobName": "p", "CreationTime": NOW}]},
    "list_transform_jobs": {"TransformJobSummaries": [{"TransformJobName": "b", "CreationTime": NOW}]},
    "list_endpoints": {"Endpoints": [{"EndpointName": "e", "CreationTime": NOW}]},
    "list_notebook_instances": {
        "NotebookInstances": [
            {"NotebookInstanceName": "n", "CreationTime": NOW - timedelta(days=90), "LastModifiedTime": NOW}
        ],
        "NextToken": "more",
    },
    "list_apps": {
        "Apps": [
            {"AppName": "default", "SpaceName": "s", "DomainId": "d-1", "AppType": "JupyterLab", "Status": "InService"},
            {"AppName": "old", "SpaceName": "s", "DomainId": "d-1", "AppType": "JupyterLab", "Status": "Deleted"},
            {
                "AppName": "tb",
                "UserProfileName": "u",
                "DomainId": "d-1",
                "AppType": "TensorBoard",
                "Status": "InService",
            },
            {
                "AppName": "k",
                "UserProfileName": "u",
                "DomainId": "d-1",
                "AppType": "KernelGateway",
                "Status": "InService",
            },
        ]
    },
    "list_spaces": {
        "Spaces": [{"DomainId": "d-1", "SpaceName": "s", "SpaceSettingsSummary": {"RemoteAccess": "ENABLED"}}]
    },
    "list_clusters": {
        "ClusterSummaries": [
            {"ClusterName": "c", "ClusterStatus": "InService"},
            {"ClusterName": "gone", "ClusterStatus": "Deleting"},
        ]
    },
}


class SageMaker:
    """Answers list calls and remembers what they asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Any]] = {}

    def __getattr__(self, method: str) -> Any:
        def call(**arguments: Any) -> dict[str, Any]:
            self.asked[method] = arguments
            return ANSWERS[method]

        return call


class Ssm:
    """Has managed nodes, by the name in their tags."""

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self.nodes = nodes
        self.calls = 0

    def describe_instance_information(self, *, Filters: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        wanted = {value for one in Filters for value in one["Values"]}
        return {"InstanceInformationList": [node for node in self.nodes if node["Name"] in wanted]}


def found(ssm: Ssm, *kinds: str) -> tuple[dict[str, bool], Running, SageMaker]:
    sagemaker = SageMaker()
    running = Running(ssm, lambda: sagemaker, kinds)
    return {one.host: one.native for one in running.unregistered()}, running, sagemaker


def test_every_kind() -> None:
    hosts, running, sagemaker = found(Ssm())
    assert hosts == {
        "t.training.sagemaker": False,
        "p.processing.sagemaker": False,
        "b.transform.sagemaker": False,
        "e.inference.sagemaker": False,
        "default.s.d-1.studio.sagemaker": True,
        "k.u.d-1.studio.sagemaker": False,
        "n.notebook.sagemaker": False,
        "c.hyperpod.sagemaker": True,
    }
    assert sagemaker.asked["list_training_jobs"] == {"StatusEquals": "InProgress", "MaxResults": 100}
    assert sagemaker.asked["list_endpoints"]["StatusEquals"] == "InService"
    assert running.notes == ["sagemaker:ListNotebookInstances: only the first 1 are looked at"]


def test_only_the_kinds_that_are_asked_for() -> None:
    _, _, sagemaker = found(Ssm(), "training", "notebook")
    assert set(sagemaker.asked) == {"list_training_jobs", "list_notebook_instances"}


@pytest.mark.parametrize(
    ("ping", "registered", "counts"),
    [
        ("Online", AN_HOUR_AGO, True),
        ("ConnectionLost", AN_HOUR_AGO, False),
        ("ConnectionLost", NOW + timedelta(seconds=30), True),
    ],
)
def test_a_node_counts_if_it_is_of_this_start(ping: str, registered: datetime, counts: bool) -> None:
    ssm = Ssm({"InstanceId": "mi-1", "Name": "t", "PingStatus": ping, "RegistrationDate": registered})
    hosts, _, _ = found(ssm, "training")
    assert (hosts == {}) is counts
    assert ssm.calls == 1
