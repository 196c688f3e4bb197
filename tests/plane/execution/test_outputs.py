"""What a job leaves is read on this machine: no link that a container has made leads out of its folder."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sm_ssh_entry.plane import daemon
from sm_ssh_entry.plane.execution import checkpoints, outputs
from sm_ssh_entry.plane.jobs import Job
from sm_ssh_entry.plane.local_job import Place
from tests.plane.conftest import ClientMaker

STATE = daemon.State(1, "", "", "", "", "us-east-1", 0.0, "", "", "", "")
REQUEST = {"OutputDataConfig": {"S3OutputPath": "s3://outputs/a/"}, "CheckpointConfig": {"S3Uri": "s3://outputs/c"}}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return where a job of two nodes ran that has written its trees; a secret lies beside them."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    job = Job("j", (), tmp_path / "run", nodes=2, submitted=True)
    for node in job.node_names:
        for name in ("model", "output/data", "checkpoints"):
            (job.root(node) / "opt" / "ml" / name).mkdir(parents=True)
    return Place(job, STATE, started=False, arn="", instances={}, began=0)


@pytest.fixture
def work(client: ClientMaker) -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket="outputs")
    return SimpleNamespace(s3=s3, order=SimpleNamespace(request=REQUEST, name="j"), say=print)


def ml(place: Place, node: str = "algo-1") -> Path:
    return place.job.root(node) / "opt" / "ml"


def keys(work: Any) -> list[str]:
    return [one["Key"] for one in work.s3.list_objects_v2(Bucket="outputs").get("Contents", ())]


def archive(work: Any, key: str) -> dict[str, Any]:
    with work.s3.get_object(Bucket="outputs", Key=key)["Body"] as body:
        content = io.BytesIO(body.read())
    with tarfile.open(fileobj=content) as packed:
        return {one.name: one.linkname or (packed.extractfile(one) or io.BytesIO()).read() for one in packed}


def test_nothing_written_is_nothing_uploaded(place: Place, work: Any) -> None:
    outputs.upload(work, place)
    assert keys(work) == []
    assert outputs.failure(place) == ""


def test_all_nodes_files_are_one_archive(place: Place, work: Any) -> None:
    for node in place.job.node_names:
        (ml(place, node) / "model" / node).write_text(node)
        (ml(place, node) / "model" / "both").write_text(node)
    (ml(place) / "output" / "data" / "log").write_text("log")
    (ml(place, "algo-2") / "output" / "failure").write_text("why")
    outputs.upload(work, place)
    assert archive(work, "a/j/output/model.tar.gz") == {"algo-1": b"algo-1", "algo-2": b"algo-2", "both": b"algo-1"}
    assert archive(work, "a/j/output/output.tar.gz") == {"data": b"", "data/log": b"log", "failure": b"why"}
    assert outputs.failure(place) == "why"


def test_links_out_of_the_folder_are_not_followed(place: Place, work: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (ml(place) / "model").rmdir()
    (ml(place) / "model").symlink_to(secret)
    (ml(place) / "output" / "failure").symlink_to(secret / "key")
    (ml(place) / "output" / "data" / "folder").symlink_to(secret)
    (ml(place) / "checkpoints").rmdir()
    (ml(place) / "checkpoints").symlink_to(secret)
    (ml(place, "algo-2") / "checkpoints" / "link").symlink_to(secret / "key")
    (ml(place, "algo-2") / "checkpoints" / "own").write_text("own")
    outputs.upload(work, place)
    assert outputs.failure(place) == ""
    with checkpoints.copied(work, place):
        (ml(place, "algo-2") / "checkpoints" / "own").write_text("changed")
    assert keys(work) == ["a/j/output/output.tar.gz", "c/own"]
    found = archive(work, "a/j/output/output.tar.gz")
    assert b"secret" not in found.values()
    assert found["data/folder"] == str(secret)


def test_of_a_long_failure_the_beginning_is_read(place: Place) -> None:
    (ml(place) / "output" / "failure").write_text("é" * 100_000)
    assert outputs.failure(place).startswith("é" * 1024)
    assert len(outputs.failure(place)) < 5000


def test_what_is_no_file_is_not_waited_for(place: Place, work: Any) -> None:
    os.mkfifo(ml(place) / "output" / "failure")
    os.mkfifo(ml(place) / "checkpoints" / "pipe")
    assert outputs.failure(place) == ""
    with checkpoints.copied(work, place):
        pass
    assert keys(work) == []


@pytest.mark.parametrize("given", ["relative", "/", "/opt/../etc", ""])
def test_checkpoints_have_a_folder_of_their_own(place: Place, work: Any, given: str) -> None:
    config = {**REQUEST, "CheckpointConfig": {"S3Uri": "s3://outputs/c", "LocalPath": given}}
    work.order.request = config
    if not given:
        assert checkpoints.lay(work, place).job.mounts == {"algo-1": [], "algo-2": []}
        return
    with pytest.raises(Exception, match="LocalPath cannot be"):
        checkpoints.lay(work, place)
