from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.boot import context
from sm_ssh_entry.boot.context import Context
from sm_ssh_entry.contract import Paths


def write(paths: Paths, name: str, value: Any) -> None:
    file = paths.ml / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(value if isinstance(value, str) else json.dumps(value))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path))


RESOURCE = "metadata/resource-metadata.json"
PROCESSING = "config/processingjobconfig.json"
TRAINING_CLUSTER = "input/config/resourceconfig.json"


@pytest.mark.parametrize(
    ("files", "env", "word", "expected"),
    [
        ({}, {}, "serve", Context("inference")),
        ({}, {}, "", Context("inference")),
        ({}, {}, "train", Context("training")),
        (
            {},
            {"TRAINING_JOB_NAME": "j", "TRAINING_JOB_ARN": "arn:t/j"},
            "train",
            Context("training", "j", "arn:t/j"),
        ),
        ({}, {"TRANSFORM_JOB_ARN": "arn:aws:sagemaker:r:1:transform-job/t"}, "serve",
         Context("transform", "t", "arn:aws:sagemaker:r:1:transform-job/t")),
        ({}, {"SAGEMAKER_BATCH": "true"}, "serve", Context("transform")),
        (
            {PROCESSING: {"ProcessingJobName": "p", "ProcessingJobArn": "arn:p", "RoleArn": "arn:aws:iam::1:role/x/R"}},
            {"TRAINING_JOB_NAME": "j"},
            "",
            Context("processing", "p", "arn:p", "arn:aws:iam::1:role/x/R"),
        ),
        (
            {RESOURCE: {"ResourceName": "default", "DomainId": "d-1", "SpaceName": "s", "AppType": "JupyterLab",
                        "ResourceArn": "arn:a", "ExecutionRoleArn": "arn:r"}, PROCESSING: {"ProcessingJobName": "p"}},
            {},
            "",
            Context("studio", "default.s.d-1", "arn:a", "arn:r"),
        ),
        (
            {RESOURCE: {"ResourceName": "dl", "DomainId": "d-1", "UserProfileName": "u", "ResourceArn": "arn:a"}},
            {},
            "",
            Context("studio", "dl.u.d-1", "arn:a"),
        ),
        ({RESOURCE: {"ResourceName": "nb", "ResourceArn": "arn:n"}}, {}, "", Context("notebook", "nb", "arn:n")),
    ],
)  # fmt: skip
def test_kinds_in_their_order(
    paths: Paths, files: dict[str, Any], env: dict[str, str], word: str, expected: Context
) -> None:
    for name, value in files.items():
        write(paths, name, value)
    assert context.read(env, paths, word) == expected


def test_hosts_are_in_natural_order_across_groups(paths: Paths) -> None:
    hosts = [f"algo-{number}" for number in range(1, 13)]
    shuffled = sorted(hosts)
    assert shuffled != hosts
    groups = [{"instance_group_name": "a", "hosts": hosts[:1]}, {"instance_group_name": "b", "hosts": hosts[1:]}]
    write(paths, TRAINING_CLUSTER, {"current_host": "algo-10", "hosts": shuffled, "instance_groups": groups})
    found = context.read({"TRAINING_JOB_NAME": "j"}, paths)
    assert (found.hosts, found.rank, found.host) == (tuple(hosts), 9, "algo-10")
    assert found.several_nodes


def test_processing_has_its_own_cluster_file(paths: Paths) -> None:
    write(paths, PROCESSING, {"ProcessingJobName": "p"})
    write(paths, "config/resourceconfig.json", {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    assert context.read({}, paths).rank == 1


@pytest.mark.parametrize(
    "cluster", ["", "{", "[]", "null", '"x"', '{"hosts": "algo-1"}', '{"hosts": [1]}', '{"current_host": 3}',
                '{"current_host": "algo-9", "hosts": ["algo-1"]}', '\xff', "[" * 100_000]
)  # fmt: skip
def test_malformed_cluster_is_one_problem_and_one_node(paths: Paths, cluster: str) -> None:
    write(paths, TRAINING_CLUSTER, cluster)
    found = context.read({"TRAINING_JOB_NAME": "j"}, paths)
    assert (found.kind, found.rank) == ("training", 0)
    assert len(found.problems) <= 1


def test_any_json_is_survived(paths: Paths) -> None:
    dice = random.Random(7)
    atoms: list[Any] = [None, 1, -2.5, "", "algo-1", "é", True, [], {}, [["x"]], {"hosts": None}]
    names = ["ResourceName", "ProcessingJobName", "ProcessingJobArn", "RoleArn", "current_host", "hosts", "DomainId"]
    for _ in range(200):
        for file in (RESOURCE, PROCESSING, TRAINING_CLUSTER, "config/resourceconfig.json"):
            write(paths, file, {name: dice.choice(atoms) for name in dice.sample(names, 4)})
        found = context.read({"TRAINING_JOB_NAME": "j"}, paths, "train")
        assert found.rank == 0


def test_folder_instead_of_a_file_is_a_problem(paths: Paths) -> None:
    (paths.ml / RESOURCE).mkdir(parents=True)
    found = context.read({}, paths, "serve")
    assert len(found.problems) == 1
    assert found.kind == "inference"


def test_natural_order() -> None:
    assert sorted(["a10", "a2", "b1", "a", "10", "9"], key=context.natural) == ["a", "a2", "a10", "b1", "9", "10"]
