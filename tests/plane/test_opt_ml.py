"""The tree that a training node finds, read back as a training toolkit reads it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from sm_ssh_entry.boot import context
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.plane import opt_ml


def config(ml: Path, name: str) -> object:
    return json.loads((ml / "input" / "config" / f"{name}.json").read_text())


def test_tree_has_what_the_service_makes(tmp_path: Path) -> None:
    opt_ml.lay_out(tmp_path, node="algo-1", nodes=["algo-1"])
    assert all((tmp_path / folder).is_dir() for folder in opt_ml.FOLDERS)
    assert config(tmp_path, "hyperparameters") == {}
    assert config(tmp_path, "inputdataconfig") == {}


def test_hosts_are_sorted_as_text(tmp_path: Path) -> None:
    nodes = [f"algo-{i}" for i in range(1, 12)]
    opt_ml.lay_out(tmp_path, node="algo-10", nodes=nodes)
    resources = config(tmp_path, "resourceconfig")
    assert isinstance(resources, dict)
    assert resources["current_host"] == "algo-10"
    assert resources["hosts"][:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]
    assert resources["instance_groups"][0]["hosts"] == resources["hosts"]


def test_a_channel_shows_its_files_and_is_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "part-0").write_text("x")
    opt_ml.lay_out(
        tmp_path / "ml", node="algo-1", nodes=["algo-1"], channels={"train": data}, hyperparameters={"lr": "1"}
    )
    assert (tmp_path / "ml" / "input" / "data" / "train" / "part-0").read_text() == "x"
    inputs = config(tmp_path / "ml", "inputdataconfig")
    assert isinstance(inputs, dict)
    assert inputs["train"]["TrainingInputMode"] == "File"
    assert config(tmp_path / "ml", "hyperparameters") == {"lr": "1"}


def test_processing_finds_its_request_and_its_place(tmp_path: Path) -> None:
    request = {"ProcessingJobName": "rows", "ProcessingJobArn": "arn:x"}
    opt_ml.lay_out_processing(tmp_path, node="algo-2", nodes=["algo-2", "algo-1"], request=request)
    assert json.loads((tmp_path / "config" / "processingjobconfig.json").read_text()) == request
    assert json.loads((tmp_path / "config" / "resourceconfig.json").read_text()) == {
        "current_host": "algo-2",
        "hosts": ["algo-1", "algo-2"],
    }
    found = context.read({}, Paths(str(tmp_path)), "")
    assert found.kind == "inference"
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "ml").symlink_to(tmp_path)
    found = context.read({}, Paths(str(tmp_path)), "")
    assert (found.kind, found.name, found.arn, found.host, found.rank) == ("processing", "rows", "arn:x", "algo-2", 1)


@pytest.mark.parametrize(
    ("kind", "multi_model", "point"),
    [
        ("training", False, "input/data/x"),
        ("processing", False, "processing/input/x"),
        ("inference", False, "model"),
        ("inference", True, "models/x/model"),
    ],
)
def test_a_container_finds_a_channel_where_the_service_puts_it(kind: str, multi_model: bool, point: str) -> None:
    assert opt_ml.mount_point(kind, "x", multi_model=multi_model) == point


def test_an_endpoint_has_one_model_or_many(tmp_path: Path) -> None:
    for name, multi_model in (("model", False), ("models", True)):
        opt_ml.lay_out_serving(tmp_path / name, multi_model=multi_model)
        assert [path.name for path in (tmp_path / name).iterdir()] == [name]


def test_any_user_may_write_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        opt_ml.lay_out(tmp_path / "ml", node="algo-1", nodes=["algo-1"])
        opt_ml.open_to_all(tmp_path / "ml")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ml").rglob("*") if path.is_dir()}
    assert modes == {0o777}
    assert stat.S_IMODE((tmp_path / "ml" / "input" / "config" / "hyperparameters.json").stat().st_mode) == 0o666
