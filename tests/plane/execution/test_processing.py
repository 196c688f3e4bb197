"""The exit message of a processing job, and where its inputs and outputs may lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.plane.execution import processing
from sm_ssh_entry.plane.execution.work import Failed


def said(tmp_path: Path, *messages: bytes | None) -> tuple[str, bool]:
    """Return what the job's message is where its nodes have written theirs; None: a node has written none."""
    roots = []
    for number, message in enumerate(messages):
        roots.append(tmp_path / str(number))
        folder = roots[-1] / "opt" / "ml" / "output"
        folder.mkdir(parents=True)
        if message is not None:
            (folder / "message").write_bytes(message)
    return processing._message(roots)


def test_the_message_is_that_of_all_nodes(tmp_path: Path) -> None:
    assert said(tmp_path, b"one ", None, b"", "zwölf".encode()) == ("one zwölf", True)


def test_nobody_has_said_anything(tmp_path: Path) -> None:
    assert said(tmp_path, None, None) == ("", True)


def test_a_kilobyte_is_kept_and_no_character_is_cut(tmp_path: Path) -> None:
    assert said(tmp_path, b"x" + "ö".encode() * 1000) == ("x" + "ö" * 511, True)


def test_the_kilobyte_is_of_all_together(tmp_path: Path) -> None:
    assert said(tmp_path, b"x" * 1000, b"y" * 1000) == ("x" * 1000 + "y" * 24, True)


def test_what_is_no_text_is_told_apart(tmp_path: Path) -> None:
    assert said(tmp_path, b"good", b"\xff\xfe") == ("good", False)


@pytest.mark.parametrize(
    "path", ["/opt/ml/processing", "/opt/ml/input", "opt/ml/processing/x", "/opt/ml/processing/../x", "/"]
)
def test_places_that_cannot_be(path: str) -> None:
    with pytest.raises(Failed, match="must be below /opt/ml/processing"):
        processing._inside({"LocalPath": path})


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        ({"DatasetDefinition": {"LocalPath": "/opt/ml/processing/x"}}, "neither Athena nor Redshift"),
        ({}, "must have S3Input or DatasetDefinition"),
        ({"S3Input": {"S3Uri": "s3://b/x"}}, 'missing one or more .* "LocalPath", "S3InputMode"'),
    ],
)
def test_inputs_that_cannot_be(one: dict[str, Any], reason: str) -> None:
    with pytest.raises(Failed, match=reason):
        processing._managed({"InputName": "one", **one})


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        ({"FeatureStoreOutput": {"FeatureGroupName": "x"}}, "no Feature Store"),
        ({"S3Output": {"S3Uri": "s3://b/x", "S3UploadMode": "EndOfJob"}}, '"LocalPath"'),
    ],
)
def test_outputs_that_cannot_be(one: dict[str, Any], reason: str) -> None:
    with pytest.raises(Failed, match=reason):
        processing._written({"OutputName": "one", **one})


@pytest.mark.parametrize(
    ("cluster", "nodes"),
    [({"InstanceCount": 3}, 3), ({"InstancePreferences": [{"InstanceCount": 2}, {"InstanceCount": 5}]}, 2), ({}, 1)],
)
def test_how_many_nodes(cluster: dict[str, Any], nodes: int) -> None:
    assert processing._nodes(cluster) == nodes


def test_what_the_program_does_itself_is_left_to_it() -> None:
    assert not processing._managed({"InputName": "one", "AppManaged": True, "S3Input": {"S3Uri": "s3://b/x"}})
    assert not processing._written({"OutputName": "one", "AppManaged": True})
