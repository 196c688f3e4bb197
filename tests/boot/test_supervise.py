from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import supervise
from tests.boot.container import Container
from tests.boot.fake_ssm import FakeSsm


def test_command_line() -> None:
    assert supervise.parse([]) == (0, "", False)
    assert supervise.parse(["--job", "7", "--word", "--job", "--prepared", "yes"]) == (7, "--job", True)


def test_lock_is_one_processs_and_ends_with_it(tmp_path: Path) -> None:
    code = f"""
from sm_ssh_entry.boot import supervise
print(supervise.lock({str(tmp_path)!r}) is not None, flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    assert supervise.running(str(tmp_path))
    assert supervise.lock(str(tmp_path)) is None
    process.communicate("\n", timeout=120)
    assert not supervise.running(str(tmp_path))
    assert not supervise.running(str(tmp_path / "none"))


def test_second_supervisor_leaves_at_once(container: Container, ssm: FakeSsm) -> None:
    process = container.spawn("sh", "-c", "read _", stdin=subprocess.PIPE)
    services = container.wait_phase("online")["services"]
    argv = [sys.executable, "-I", "-m", "sm_ssh_entry.boot.supervise"]
    done = subprocess.run(argv, env=container.env, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert container.status["services"] == services
    process.communicate(b"\n", timeout=120)
    assert len(ssm.asked("CreateActivation")) == 1


def test_defect_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("a-secret")

    monkeypatch.setattr(supervise, "_supervise", broken)
    assert supervise.main([]) == 1
    line = capfd.readouterr().err
    assert line.startswith("[sm-ssh] ERROR services: RuntimeError at ")
    assert "a-secret" not in line
