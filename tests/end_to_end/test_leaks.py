"""A thousand sessions opened and closed leave nothing: no process, no socket, no session."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from tests.end_to_end.machine import Machine, processes
from tests.waiting import wait_until

COUNT = 1000


def of_node(root: Path) -> list[int]:
    """Every process of a node: those of ours by their environment, sshd and its children by their parents."""
    from sm_ssh_entry.plane.cell import descendants

    cells = processes(lambda words, env: "plane.cell" in words and env.get("SM_SSH_ROOT") == str(root))
    assert len(cells) == 1
    return sorted(descendants(cells[0]))


def descriptors(pids: list[int]) -> Counter[str]:
    """Count the open descriptors of processes, sockets apart from the rest."""
    found: Counter[str] = Counter()
    for pid in pids:
        try:
            for one in Path(f"/proc/{pid}/fd").iterdir():
                found["sockets" if str(one.readlink()).startswith("socket:") else "others"] += 1
        except OSError:
            # A process or a descriptor that went while we looked: the next look will not find it.
            continue
    return found


def test_a_thousand_sessions_leave_nothing(machine: Machine) -> None:
    job = machine.job("leaks", "sleep", "900")
    node = job.online()
    root = next((machine.folder / "local").glob("jobs/leaks/1/algo-1"))
    state = json.loads((machine.folder / "local" / "plane.json").read_text())
    port = str(json.loads((root / "run/sm-ssh/status.json").read_text())["port"])

    def run(count: int, rude: int) -> str:
        argv = [sys.executable, "-m", "tests.end_to_end.many_sessions", node, port, str(count), str(rude)]
        env = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        done = machine.call(argv, env=env, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sessions() -> int:
        return int(json.loads(machine.run("local", "status", "--output", "json").stdout)["sessions"])

    # What is made once and kept (a listener, a connection, a worker) is there before counting begins.
    assert run(20, 0) == "20"
    wait_until(lambda: sessions() == 0, 20, every=0.2, what="the first sessions gone")
    settled: list[tuple[list[int], Counter[str]]] = []

    def quiet() -> bool:
        settled.append((of_node(root), descriptors([*of_node(root), state["pid"]])))
        return len(settled) > 5 and settled[-1] == settled[-5]

    wait_until(quiet, 30, every=0.5, what="a quiet node")
    pids, before = settled[-1]

    assert run(COUNT, COUNT // 10) == str(COUNT)
    wait_until(lambda: sessions() == 0, 180, every=0.5, what="no session on the plane")
    wait_until(lambda: of_node(root) == pids, 60, every=0.5, what="the node's processes as before")
    wait_until(lambda: descriptors([*pids, state["pid"]]) <= before, 60, every=0.5, what="no descriptor left")
    assert job.process.poll() is None
    job.kill()
