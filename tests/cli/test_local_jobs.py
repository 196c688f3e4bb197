"""How what ran on the plane is shown: nothing that a job wrote changes the screen."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from sm_ssh_entry.cli import local_jobs
from sm_ssh_entry.plane import ran
from sm_ssh_entry.plane.ran import Ran

NASTY = Ran(
    "training",
    "job",
    "Failed",
    datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    secondary="Failed",
    reason="AlgorithmError: [red]no\x1b[2Jclear\nsecond line, exit code: 1",
    nodes=4,
    image="image:1",
    command="python train.py",
    seconds=125.4,
    phases={"starting": 0.44, "training": 120.0},
    outputs=("s3://b/one", "s3://b/two"),
    folder="/there/1",
    log_group="/aws/sagemaker/TrainingJobs",
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (99.5, "100 s"),
        (100, "2 min"),
        (5999, "100 min"),
        (9000, "2.5 h"),
    ],
)
def test_a_time_is_short(seconds: float, words: str) -> None:
    assert local_jobs.span(seconds) == words


def test_a_table_shows_markup_as_text_and_no_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    local_jobs._table([NASTY])
    said = capsys.readouterr().out
    assert said.startswith("KIND")
    assert "[red]no [2Jclear second line" in said
    assert "\x1b[2J" not in said


def test_a_line_in_a_pipe_is_one_line() -> None:
    row = local_jobs._row(NASTY)
    assert row[:6] == ("training", "job", "Failed", "4", "2 min", "image:1")
    assert "\n" not in "".join(row)
    assert "\t" not in "".join(row)


def test_of_one_job_everything_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    local_jobs._details(NASTY)
    said = capsys.readouterr().out.splitlines()
    assert "time       2 min: starting 0.4 s, training 2 min" in said
    assert [one for one in said if one.startswith("output")] == ["output     s3://b/one", "output     s3://b/two"]
    assert "folder     /there/1" in said
    assert "log group  /aws/sagemaker/TrainingJobs" in said


def test_programs_find_everything() -> None:
    found = ran.record(NASTY)
    assert found["reason"] == NASTY.reason
    assert found["created"] == "2030-01-02T03:04:05+00:00"
    assert (found["status"], found["nodes"], found["seconds"]) == ("Failed", 4, 125.4)
    assert found["outputs"] == ["s3://b/one", "s3://b/two"]
