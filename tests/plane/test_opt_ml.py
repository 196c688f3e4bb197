"""The tree that a training node finds, read back as a training toolkit reads it."""

from __future__ import annotations

import json
from pathlib import Path

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
