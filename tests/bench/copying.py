"""What ``sm-ssh cp`` costs: several sessions beside one where each is paced, and the way through a bucket."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sm_ssh_entry.plane.agent.settings import PACE
from tests.bench.measure import Row, in_turn
from tests.end_to_end.machine import Machine

# Messages of 1,024 bytes as the official agent sends them, but 4 ms apart instead of 1: at the full pace a session
# costs half a core where agent, service and laptop are one machine, and two cores do not carry eight.
PACE_MILLISECONDS = 4
PACED_MEGABYTES = 24
FULL_MEGABYTES = 128
SESSIONS = (1, 2, 4, 8)


def copy_rows(machine: Machine) -> list[Row]:
    """Download over one to eight sessions of an agent that paces itself; both directions at full speed."""
    return [*_paced(machine), *_full(machine)]


def _paced(machine: Machine) -> list[Row]:
    job = machine.job("bench-paced", "sleep", "900", options=("--env", f"{PACE}={PACE_MILLISECONDS}"))
    job.online()
    source = _payload(machine, PACED_MEGABYTES)

    def down(sessions: int) -> float:
        target = f"{machine.folder}/paced-{sessions}"
        return _seconds(machine, f"{job.host}:{source}", target, "--parallel", str(sessions))

    took = [down(sessions) for sessions in SESSIONS]
    job.kill()
    rates = ", ".join(
        f"{sessions}: {PACED_MEGABYTES / each:.2f}" for sessions, each in zip(SESSIONS, took, strict=True)
    )
    times = took[0] / took[-1]
    return [Row("cp, paced agent, 8 sessions", f"{times:.1f} times one", f"MB/s {rates}", ">= 6 times", times >= 6)]


def _full(machine: Machine) -> list[Row]:
    job = machine.job("bench-cp", "sleep", "900")
    job.online()
    source = _payload(machine, FULL_MEGABYTES)

    def down() -> float:
        return _seconds(machine, f"{job.host}:{source}", f"{machine.folder}/full-copy")

    def up() -> float:
        return _seconds(machine, str(source), f"{job.host}:{machine.folder}/full-copy")

    rates = [FULL_MEGABYTES / min(each) for each in in_turn(2, down, up)]
    job.kill()
    return [
        Row(f"cp {way}, stand-in agent, verified", f"{rate:.0f} MB/s", "", ">= 20 MB/s", rate >= 20)
        for way, rate in zip(("down", "up"), rates, strict=True)
    ]


def _payload(machine: Machine, megabytes: int) -> Path:
    path = machine.folder / f"payload-{megabytes}"
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
    return path


def _seconds(machine: Machine, *words: str) -> float:
    """Copy, and return the seconds that the copy itself says it took: login included, Python's start not."""
    done = machine.run("cp", *words, "--output", "json", timeout=300)
    if done.returncode:
        raise RuntimeError(f"cp ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return float(found["seconds"])
