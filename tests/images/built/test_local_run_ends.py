"""How jobs of ``sm-ssh local run --image`` end: stopped, failed, killed, from outside; and what is left behind."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.end_to_end.machine import SM_SSH
from tests.images.built import engine, family
from tests.images.built.local_runs import PYTHON, Runs, container_of, on_engine
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.BASE_12)

HANDLER = "trap 'echo saving; exit 3' TERM; echo ready; while :; do sleep 0.2; done"


def test_one_failed_node_ends_the_others(runs: Runs) -> None:
    script = "trap 'exit 0' TERM; [ $(hostname) = algo-2 ] && exit 9; while :; do sleep 0.2; done"
    status, log = runs.to_the_end("one-fails", "sh", "-c", script, options=("--nodes", "3"))
    assert status == 9, log
    assert runs.left() == []


def test_stop_reaches_the_command_and_waits_for_it(runs: Runs) -> None:
    job = runs.start("stops-well", "sh", "-c", HANDLER)
    job.saw("ready")
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 3
    assert "| saving" in job.log
    assert runs.described("stops-well")["Status"] == "Stopped"
    assert "stopping algo-1: SIGTERM, up to 120 s" in job.log


def test_second_interrupt_kills_what_ignores_the_first(runs: Runs) -> None:
    job = runs.start("stubborn", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.2; done")
    job.saw("ready")
    job.process.send_signal(signal.SIGINT)
    job.saw("stopping")
    job.process.send_signal(signal.SIGINT)
    assert job.end() == 137
    assert runs.described("stubborn")["Status"] == "Stopped"
    assert runs.left() == []


def test_nothing_is_left_when_ours_is_killed(runs: Runs) -> None:
    job = runs.start("orphan", "sh", "-c", HANDLER, options=("--nodes", "2"))
    wait_until(lambda: job.log.count("ready") == 2, 60, what="both nodes run")
    assert len(runs.left()) == 4
    job.process.kill()
    wait_until(lambda: not runs.left(), 60, every=0.2, what="nothing left")
    wait_until(lambda: runs.described("orphan")["Status"] == "Stopped", 30, every=0.2, what="the record is closed")
    # Its name is free again.
    assert runs.to_the_end("orphan", "true")[0] == 0


def test_what_a_dead_machine_has_left_goes_with_the_next_job(runs: Runs, tmp_path: Path) -> None:
    ours = runs.machine.folder / "local" / "jobs" / "long-gone" / "1"
    made = f"{engine.LABEL}-{tmp_path.name}"
    for folder, name in ((ours, f"{made}-ours"), (tmp_path / "jobs" / "other" / "1", f"{made}-theirs")):
        label = ("--label", f"sm-ssh.job={folder}", "--label", engine.LABEL)
        engine.docker("network", "create", *label, name)
        engine.docker("create", *label, "--name", name, "--network", name, runs.image, "true")
    try:
        status, log = runs.to_the_end("sweeps", "true")
        assert status == 0
        assert "cut off" in log
        assert on_engine(ours.parents[2]) == []
        assert len(on_engine(tmp_path)) == 2
    finally:
        engine.docker("rm", "--force", f"{made}-theirs", check=False)
        engine.docker("network", "rm", f"{made}-theirs", check=False)


def test_a_container_stopped_or_removed_from_outside_ends_its_own_job(runs: Runs) -> None:
    jobs = [runs.start(name, "sh", "-c", HANDLER) for name in ("stopped", "removed")]
    for job in jobs:
        job.saw("ready")
    engine.docker("stop", container_of(runs, "stopped"))
    assert jobs[0].end() == 3
    # The other job is not concerned: it has a container, a network and a listener of its own.
    assert jobs[1].process.poll() is None
    assert len(runs.left()) == 3
    engine.docker("rm", "--force", container_of(runs, "removed"))
    assert jobs[1].end() == 137
    assert runs.described("removed")["Status"] == "Failed"


def test_out_of_memory_is_said(runs: Runs) -> None:
    script = f"{PYTHON} -c 'x = bytearray(1 << 30)'"
    status, log = runs.to_the_end("hungry", "sh", "-c", script, options=("--memory", "100m"))
    assert status != 0
    assert "algo-1 ran out of memory: it had 100m" in log
    assert runs.described("hungry")["Status"] == "Failed"


def test_what_containers_write_belongs_to_the_user(runs: Runs, tmp_path: Path) -> None:
    argv = [
        *SM_SSH,
        "local",
        "run",
        "--image",
        runs.image,
        "--name",
        "mine",
        "--nodes",
        "2",
        "--env",
        "START_SSH=false",
    ]
    script = "umask 077; mkdir /opt/ml/model/deep; echo x >/opt/ml/model/deep/x; ln -s /etc/passwd /opt/ml/model/link"
    script += "; echo why >/opt/ml/output/failure; exit 3"
    user = os.geteuid()
    if user == 0:
        # Somebody who may use the engine and read the checkout, but is not root.
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        user = 12345
        group = str(Path("/var/run/docker.sock").stat().st_gid)
        may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        argv = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={group}", *may_read, *argv]
        os.chown(tmp_path, user, user)
    where = tmp_path / "local"
    done = runs.machine.call([*argv, "--", "sh", "-c", script], env={"SM_SSH_LOCAL_DIR": str(where)})
    assert done.returncode == 3, done.stderr
    found = list(where.rglob("*"))
    assert sum(path.name == "x" for path in found) == 2
    assert {path.lstat().st_uid for path in found} == {user}
    assert Path("/etc/passwd").stat().st_uid == 0
