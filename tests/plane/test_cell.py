"""What a cell promises: the command's status, its signals, and nothing left behind. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a cell adopts orphans with Linux's child subreaper")


def start(script: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-I", "-m", "sm_ssh_entry.plane.cell", "sh", "-c", script]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second: it went while we read
        return False


def written(path: Path) -> int:
    text: str = wait_until(lambda: path.read_text().strip() if path.exists() else "", what=str(path))
    return int(text)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_status_is_the_commands(script: str, status: int) -> None:
    cell = start(script)
    cell.communicate(timeout=120)
    assert cell.returncode == status


def test_missing_command_is_127_and_one_line() -> None:
    argv = [sys.executable, "-I", "-m", "sm_ssh_entry.plane.cell", "no-such-command"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 127
    assert done.stderr.splitlines() == ["sm-ssh: cannot run no-such-command: No such file or directory"]


def test_term_reaches_the_command_alone(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    cell = start(f"trap 'echo asked; exit 5' TERM; sleep 60 & echo $! >{ready}; wait; echo not here")
    child = written(ready)
    cell.send_signal(signal.SIGTERM)
    out, _ = cell.communicate(timeout=120)
    assert (cell.returncode, out) == (5, "asked\n")
    assert not alive(child)


def test_detached_processes_end_with_the_command(tmp_path: Path) -> None:
    pids = [tmp_path / name for name in ("setsid", "nohup", "double")]
    cell = start(
        f"(setsid sleep 60 & echo $! >{pids[0]}); nohup sleep 60 >/dev/null 2>&1 & echo $! >{pids[1]};"
        f"(sh -c 'trap \"\" TERM HUP; echo $$ >{pids[2]}; exec sleep 60' &);"
        f"while [ ! -s {pids[2]} ]; do :; done; exit 4"
    )
    cell.communicate(timeout=120)
    assert cell.returncode == 4
    assert not any(alive(written(path)) for path in pids)


def test_orphans_are_reaped_while_the_command_runs(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    cell = start(f"(sh -c 'exit 0' & echo $! >{ready}); read line")
    orphan = written(ready)
    wait_until(lambda: not Path(f"/proc/{orphan}").exists(), what="the orphan's entry in /proc gone")
    cell.terminate()
    cell.communicate(timeout=120)


def test_kill_ends_a_command_that_ignores_term(tmp_path: Path) -> None:
    from sm_ssh_entry.plane.cell import KILL

    ready = tmp_path / "ready"
    cell = start(f"trap '' TERM; echo $$ >{ready}; while :; do sleep 60; done")
    command = written(ready)
    cell.send_signal(signal.SIGTERM)
    cell.send_signal(KILL)
    cell.communicate(timeout=120)
    assert cell.returncode == 137
    assert not alive(command)


def test_node_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    cell = ["-I", "-m", "sm_ssh_entry.plane.cell", "sh", "-c", f"echo $$ >{ready}; exec sleep 60"]
    script = f"import subprocess, sys; subprocess.run([sys.executable, *{cell!r}])"
    parent = subprocess.Popen([sys.executable, "-c", script])
    command = written(ready)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(timeout=120)
    wait_until(lambda: not alive(command), what="the command gone")
