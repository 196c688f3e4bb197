"""The image's own health command, as the engine runs it: a table of settings and what they come to."""

from __future__ import annotations

import json
import signal
from typing import NamedTuple

import pytest

from tests.images.built import engine, family
from tests.images.built.engine import Container
from tests.images.built.world import World
from tests.waiting import wait_until

# Only how often: what runs is the image's.
OFTEN = ("--health-interval", "1s", "--health-retries", "1", "--health-start-period", "0s")
# Nothing listens on port 9, and all patience for it ends after ten seconds.
NO_ENDPOINT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:9"}


class Row(NamedTuple):
    env: dict[str, str]
    health: str
    says: str
    allowed: str = ""


TABLE = {
    "off": Row({"START_SSH": "false"}, "healthy", "SSH is off"),
    "unset": Row({"START_SSH": ""}, "healthy", "SSH is off"),
    "on": Row({}, "healthy", "online mi-"),
    "sshd only": Row({"SSH_INSTANCE_COUNT": "0"}, "healthy", "sshd-only"),
    "held": Row({"SSH_WAIT_TIME_SECONDS": "300"}, "healthy", "online mi-"),
    "no endpoint": Row(NO_ENDPOINT, "unhealthy", "does not answer", allowed="does not answer"),
    "no agent": Row({"SM_SSH_AGENT": "/no/agent"}, "unhealthy", "no SSM agent", allowed="no SSM agent in this image"),
}


def wait_for_health(container: Container, health: str, says: str) -> None:
    """Wait until the engine says so, in these words."""

    def state() -> tuple[str, str]:
        found = json.loads(engine.docker("inspect", "--format", "{{json .State.Health}}", container.name).stdout)
        last = (found["Log"] or [{"Output": ""}])[-1]
        return found["Status"], last["Output"]

    def reached() -> bool:
        status, output = state()
        return status == health and says in output

    try:
        wait_until(reached, 60, every=0.2)
    except AssertionError:
        raise AssertionError(f"never {health}: {says}, but {state()}\n{container.log}") from None


@pytest.mark.images(family.BASE_12)
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_health_of_a_setting(world: World, row: Row) -> None:
    if row.allowed:
        world.allow(row.allowed)
    container = world.start("sleep", "300", env=row.env, options=OFTEN)
    wait_for_health(container, row.health, row.says)


def test_dead_services_are_unhealthy_and_the_job_goes_on(world: World) -> None:
    container = world.start("sleep", "300", options=OFTEN)
    services = container.phase("online")["services"]
    wait_for_health(container, "healthy", "online mi-")
    container.inside("sh", "-c", f"kill -{signal.SIGKILL:d} {services}")
    wait_for_health(container, "unhealthy", "the SSH services are not running")
    assert container.processes()[0][1] == "sleep 300"


def test_sshd_that_dies_comes_back(world: World) -> None:
    container = world.start("sleep", "300", options=OFTEN)
    container.phase("online")
    # sshd takes its file along when it goes.
    ask = ("sh", "-c", "cat /run/sm-ssh/sshd.pid 2>/dev/null || :")
    before = container.inside(*ask)
    container.inside("sh", "-c", f"kill {before}")
    wait_until(lambda: container.inside(*ask) not in ("", before), 30, what="another sshd")
    wait_for_health(container, "healthy", "online mi-")
    assert world.login("true").returncode == 0
