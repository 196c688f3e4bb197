"""Folders of a job that go to the plane's S3, while it runs and after."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from sm_ssh_entry.plane.execution.processing_outputs import Output, Outputs
from sm_ssh_entry.plane.execution.work import Failed
from tests.plane.conftest import ClientMaker
from tests.waiting import wait_until

BUCKET = "made-for-it"
LATE = Output(PurePosixPath("opt/late"), f"s3://{BUCKET}/late", continuous=False)
SOON = Output(PurePosixPath("opt/soon"), f"s3://{BUCKET}/soon/", continuous=True)


@pytest.fixture
def s3(client: ClientMaker) -> Any:
    return client("s3")


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """Two nodes with a file of their own and one of the same name, in each folder."""
    made = [tmp_path / "algo-1", tmp_path / "algo-2"]
    for root in made:
        for one in (LATE, SOON):
            (root / one.path / "deep").mkdir(parents=True)
            (root / one.path / "deep" / root.name).write_text(root.name)
            (root / one.path / "same").write_text(root.name)
    return made


def keys(s3: Any, prefix: str) -> list[str]:
    try:
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    except s3.exceptions.NoSuchBucket:
        return []
    return [one["Key"].removeprefix(prefix) for one in found]


ALL = ["deep/algo-1", "deep/algo-2", "same"]


def test_what_is_continuous_goes_while_the_job_runs_and_the_rest_when_it_has_completed(
    s3: Any, roots: list[Path]
) -> None:
    said: list[str] = []
    with Outputs(s3, [LATE, SOON], roots, said.append) as outputs:
        wait_until(lambda: keys(s3, "soon/") == ALL, 30, what="uploaded while it runs")
        assert keys(s3, "late/") == []
        (roots[0] / SOON.path / "more").write_text("more")
        outputs.finish(all_of_them=True)
    assert (keys(s3, "soon/"), keys(s3, "late/")) == (["deep/algo-1", "deep/algo-2", "more", "same"], ALL)
    # Nothing twice: of each name there is one of each node.
    assert sum("same" in line for line in said) == 4
    assert sum("deep" in line for line in said) == 4


def test_a_job_that_has_not_completed_has_no_output_of_its_end(s3: Any, roots: list[Path]) -> None:
    with Outputs(s3, [LATE, SOON], roots, lambda _: None) as outputs:
        outputs.finish(all_of_them=False)
    assert (keys(s3, "soon/"), keys(s3, "late/")) == (ALL, [])


def test_a_file_that_changes_goes_again(s3: Any, roots: list[Path]) -> None:
    with Outputs(s3, [SOON], roots[:1], lambda _: None) as outputs:
        wait_until(lambda: "same" in keys(s3, "soon/"), 30, what="uploaded")
        (roots[0] / SOON.path / "same").write_text("changed")
        outputs.finish(all_of_them=True)
    assert s3.get_object(Bucket=BUCKET, Key="soon/same")["Body"].read() == b"changed"


def test_a_name_that_is_no_text_is_a_failure_with_a_reason(s3: Any, roots: list[Path]) -> None:
    (Path(os.fsdecode(os.fsencode(roots[0] / LATE.path) + b"/\xff"))).write_text("x")
    with Outputs(s3, [LATE], roots, lambda _: None) as outputs, pytest.raises(Failed, match="Failed to upload"):
        outputs.finish(all_of_them=True)


def test_a_bucket_that_cannot_be_is_a_failure_with_a_reason(s3: Any, roots: list[Path]) -> None:
    bad = Output(LATE.path, "s3://no such/x", continuous=False)
    with Outputs(s3, [bad], roots, lambda _: None) as outputs, pytest.raises(Failed, match="Failed to upload"):
        outputs.finish(all_of_them=True)
