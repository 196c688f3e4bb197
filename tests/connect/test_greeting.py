"""Whether an sshd is there: against a scripted agent, and waited for on a real node."""

from __future__ import annotations

import sys

import pytest

from sm_ssh_entry.connect import greeting
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.wire import events as ev
from tests.connect.scripted_agent import ScriptedAgent
from tests.connect.test_login import NAME, World, node, pytestmark, world
from tests.connect.world import Laptop

__all__ = ["node", "pytestmark", "world"]

SCRIPT = """
import sys
from sm_ssh_entry.cli import main
from sm_ssh_entry.connect import greeting
greeting.SECONDS = 0.5
sys.exit(main.main(sys.argv[1:]))
"""


class Service:
    """Takes the note that a session is to end."""

    def __init__(self) -> None:
        self.terminated: list[str] = []

    def terminate_session(self, *, SessionId: str) -> None:  # noqa: N803 - AWS's name
        self.terminated.append(SessionId)


async def quiet(agent: ScriptedAgent, event: ev.Event) -> None:
    """Do nothing."""


def heard(agent: ScriptedAgent, service: Service, seconds: float = 5.0) -> str:
    ticket = Ticket("mi-1", 2222, "s-1", "token", agent.url)
    return greeting.read(ticket, lambda: service, seconds=seconds)


def test_the_first_line_is_read_and_the_session_ends(laptop: Laptop) -> None:
    service = Service()
    with ScriptedAgent(quiet, greeting=b"SSH-2.0-OpenSSH_9.9\r\nmore") as agent:
        line = heard(agent, service)
        assert agent.flags or service.terminated, "the node was told"
    assert line == "SSH-2.0-OpenSSH_9.9"
    assert greeting.is_sshd(line)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n"])
def test_something_else_or_nothing_is_no_sshd(laptop: Laptop, said: bytes) -> None:
    with ScriptedAgent(quiet, greeting=said) as agent:
        line = heard(agent, Service(), seconds=0.3)
    assert line == said.decode().strip()
    assert not greeting.is_sshd(line)


def test_waiting_for_an_sshd_that_starts_later(world: World) -> None:
    world.sshd.stop()
    argv = [sys.executable, "-c", SCRIPT, "wait", NAME, "--for", "ssh", "--timeout", "180"]
    try:
        with world.laptop.start(*argv) as process:
            assert process.stderr
            assert process.stdout
            assert b"its sshd does not answer on port" in process.stderr.readline()
            world.sshd.start()
            assert process.stdout.read().decode().strip() == world.node.node_id
            assert b"its sshd answers as" in process.stderr.read()
            assert process.wait(timeout=120) == 0
    finally:
        world.sshd.stop()
        world.sshd.start()
