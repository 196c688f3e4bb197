"""What ``sm-ssh cp`` costs: several sessions beside one where each is paced, and the way through a bucket."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sm_ssh_entry.plane.agent.settings import OFFICIAL_PACE, PACE
from tests.bench.measure import Row, in_turn
from tests.end_to_end.machine import Machine

# At the official agent's pace, 0.5 to 0.6 MB/s a session, a minute's worth for one.
PACED_MEGABYTES = 32
FULL_MEGABYTES = 128
SESSIONS = 8


def copy_rows(machine: Machine) -> list[Row]:
    """Download over one and over eight sessions at the official agent's pace; both directions at full speed."""
    return [*_paced(machine), *_full(machine)]


def _paced(machine: Machine) -> list[Row]:
    job = machine.job("bench-paced", "sleep", "900", options=("--env", f"{PACE}={OFFICIAL_PACE}"))
    job.online()
    source = _payload(machine, PACED_MEGABYTES)

    def down(sessions: int) -> float:
        return _seconds(machine, f"{job.host}:{source}", f"{machine.folder}/paced-copy", "--parallel", str(sessions))

    one, eight = down(1), down(SESSIONS)
    job.kill()
    rates = [PACED_MEGABYTES / each for each in (one, eight)]
    # Messages of 1,024 bytes cost half a core a session here, where agent, service and laptop are one machine.
    cores = os.cpu_count() or 1
    limited = cores < SESSIONS and one < 6 * eight
    return [
        Row(
            f"cp, {SESSIONS} sessions, official pace",
            f"{one / eight:.1f} times" + (f", and {cores} cores carry no more" if limited else ""),
            f"one session {rates[0]:.2f} MB/s, {SESSIONS} {rates[1]:.2f} MB/s",
            ">= 6 times one",
            None if limited else one >= 6 * eight,
        )
    ]


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
