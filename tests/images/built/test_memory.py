"""What our own processes take of the container's memory, which the job pays for; the agent and sshd are not ours."""

from __future__ import annotations

import json

import pytest

from tests.images.built.engine import Container
from tests.images.built.world import World
from tests.waiting import wait_until

BUDGET_MB = 40
# Shares of pages that several processes map count once, divided among them (proc(5), smaps_rollup).
PSS = """
import json, os
found = {}
for pid in filter(str.isdecimal, os.listdir("/proc")):
    try:
        words = open(f"/proc/{pid}/cmdline").read().replace("\\0", " ").strip()
        lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        continue
    if int(pid) != os.getpid() and "-m sm_ssh_entry" in words:
        found[f"{pid} {words}"] = int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1000
print(json.dumps(found))
"""


def megabytes(container: Container) -> dict[str, float]:
    """Return our processes in a container with their megabytes."""
    found: dict[str, float] = json.loads(container.inside("/opt/sm-ssh/bin/python", "-I", "-c", PSS))
    return found


@pytest.mark.parametrize(
    ("mode", "processes"),
    [({}, 1), ({"SSH_HOLD_ON_FAILURE_SECONDS": "60"}, 2)],
    ids=["exec", "init"],
)
def test_our_processes_stay_within_the_budget(world: World, mode: dict[str, str], processes: int) -> None:
    container = world.start("sleep", "300", env=mode)
    container.phase("online")
    assert world.login("true").returncode == 0
    # The steps of the start are one of ours too, but end once the node is up: what stays is what counts.
    wait_until(lambda: len(megabytes(container)) == processes, 90, every=0.2, what="only long-lived processes")
    found = megabytes(container)
    assert sum(found.values()) <= BUDGET_MB, found
