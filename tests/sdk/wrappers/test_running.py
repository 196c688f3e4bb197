"""Jobs that run on a plane, waited for and stopped by their names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.errors import ServiceError, SmSshError
from sm_ssh_entry.plane.server import PlaneThread
from sm_ssh_entry.plane.store import Settings
from sm_ssh_entry.sdk.wrappers import SSHEstimatorWrapper, records
from tests.end_to_end.submitted import Submitter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a node runs on Linux")


@pytest.fixture
def submitter(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Submitter]:
    """Somebody whose jobs run as processes, at home on a laptop of their own."""
    monkeypatch.setattr(records, "_LATE_LINES", 1.0)
    folder = tmp_path / "plane"
    folder.mkdir()
    with PlaneThread(settings=Settings(jobs="processes"), folder=folder) as plane:
        for name, value in plane.environment().items():
            monkeypatch.setenv(name, value)
        aws.forget()
        one = Submitter(os.environ)
        yield one
        one.close()
    aws.forget()


def test_a_job_is_stopped_and_one_that_fails_says_why(submitter: Submitter, capsys: pytest.CaptureFixture[str]) -> None:
    submitter.train("endless", "sleep", "300")
    submitter.train("failing", "sh", "-c", "echo it began; exit 3")
    failing, endless = SSHEstimatorWrapper.attach("failing"), SSHEstimatorWrapper.attach("endless")
    submitter.ended("failing")
    with pytest.raises(SmSshError, match=r"training job failing is Failed: .*exit code: 3"):
        failing.wait_training_job()
    assert "it began\n" in capsys.readouterr().out
    assert endless.is_job_in_progress()
    endless.stop_training_job()
    assert not endless.is_job_in_progress()
    assert "stopping training job endless" in capsys.readouterr().err
    endless.stop_training_job()
    assert endless.wait_training_job_with_status() == "Stopped"
    with pytest.raises(ServiceError, match="nobody"):
        SSHEstimatorWrapper.attach("nobody").stop_training_job()
