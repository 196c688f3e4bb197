"""What ``sm-ssh cp`` costs: several sessions beside one where each is paced, and the way through a bucket."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.bench.measure import Row, in_turn
from tests.end_to_end.machine import Job, Machine
from tests.end_to_end.relay import Relay

# What the official agent sends in one session (measured: 0.5 to 0.6 MB/s). The pace is that of the network here: agents
# that send 1,024 bytes at a time cost half a core for each session, and eight of them measure the machine.
PACE = 550_000.0
PACED_MEGABYTES = 32
FULL_MEGABYTES = 128
SESSIONS = 8


def copy_rows(machine: Machine) -> list[Row]:
    """Download over one and over eight sessions that are paced; both directions at full speed."""
    job = machine.job("bench-cp", "sleep", "900")
    job.online()
    rows = [*_paced(machine, job), *_full(machine, job)]
    job.kill()
    return rows


def _paced(machine: Machine, job: Job) -> list[Row]:
    source = _payload(machine, PACED_MEGABYTES)

    def down(sessions: int) -> float:
        words = (f"{job.host}:{source}", f"{machine.folder}/paced-copy", "--parallel", str(sessions))
        return _seconds(machine, *words, AWS_ENDPOINT_URL=relay.url)

    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        relay.weather.rate = PACE
        one, eight = down(1), down(SESSIONS)
    rates = [PACED_MEGABYTES / each for each in (one, eight)]
    return [
        Row(
            f"cp, {SESSIONS} sessions, each at {PACE / 1e6:.2f} MB/s",
            f"{one / eight:.1f} times",
            f"one session {rates[0]:.2f} MB/s, {SESSIONS} {rates[1]:.2f} MB/s",
            ">= 6 times one",
            one >= 6 * eight,
        )
    ]


def _full(machine: Machine, job: Job) -> list[Row]:
    source = _payload(machine, FULL_MEGABYTES)

    def down() -> float:
        return _seconds(machine, f"{job.host}:{source}", f"{machine.folder}/full-copy")

    def up() -> float:
        return _seconds(machine, str(source), f"{job.host}:{machine.folder}/full-copy")

    rates = [FULL_MEGABYTES / min(each) for each in in_turn(2, down, up)]
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


def _seconds(machine: Machine, *words: str, **env: str) -> float:
    """Copy, and return the seconds that the copy itself says it took: login included, Python's start not."""
    done = machine.run("cp", *words, "--output", "json", env=env, timeout=300)
    if done.returncode:
        raise RuntimeError(f"cp ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return float(found["seconds"])
