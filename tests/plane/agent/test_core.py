"""Kills and stops of the real processes."""

from __future__ import annotations

import asyncio
import os
import signal

from tests.plane.agent.conftest import NodeMaker
from tests.plane.agent.processes import Agent, children, long_sleep, named, running
from tests.plane.agent.session_client import session
from tests.waiting import wait_until


def started(new_node: NodeMaker, **extra: str) -> Agent:
    agent = new_node(**extra)
    agent.register()
    agent.start()
    return agent.online()


def back_online(agent: Agent, before: object) -> None:
    wait_until(lambda: agent.control() not in {None, before}, what=f"another control channel\n{agent.text()}")
    assert agent.run("echo back")["StandardOutputContent"] == "back\n"


def test_a_killed_worker_is_replaced_at_once_and_leaves_nothing(new_node: NodeMaker) -> None:
    agent = started(new_node)
    worker, before = agent.worker, agent.control()
    shell, script = long_sleep(10), long_sleep(11)

    async def scenario() -> None:
        async with session(agent.ssm, agent.node_id) as one:
            await one.send(f"{shell}\n".encode())
            agent.send(script)
            await asyncio.to_thread(lambda: wait_until(lambda: list(named(shell)) and list(named(script))))
            os.kill(worker, signal.SIGKILL)
            await asyncio.to_thread(lambda: back_online(agent, before))

    asyncio.run(scenario())
    assert agent.worker != worker
    wait_until(lambda: not list(named(shell)) + list(named(script)), what="the end of the killed worker's children")
    assert "ended with -9" in agent.text()


def test_a_killed_core_takes_its_worker_along_and_the_next_one_is_online(new_node: NodeMaker) -> None:
    agent = started(new_node)
    worker, before = agent.worker, agent.control()
    sleep = long_sleep(12)
    agent.send(sleep)
    wait_until(lambda: list(named(sleep)))
    assert agent.process is not None
    agent.process.kill()
    agent.process.wait(timeout=120)
    wait_until(lambda: not running(worker), what="the worker's end")
    wait_until(lambda: not list(named(sleep)), what="the end of the command")
    agent.start()
    back_online(agent, before)


def test_a_terminated_worker_is_replaced_too(new_node: NodeMaker) -> None:
    agent = started(new_node)
    before = agent.control()
    os.kill(agent.worker, signal.SIGTERM)
    back_online(agent, before)


def test_sigterm_ends_everything_cleanly(new_node: NodeMaker) -> None:
    agent = started(new_node)
    worker, sleep = agent.worker, long_sleep(13)

    async def scenario() -> None:
        async with session(agent.ssm, agent.node_id) as one:
            await one.send(f"{sleep}\n".encode())
            await asyncio.to_thread(lambda: wait_until(lambda: list(named(sleep))))
            assert await asyncio.to_thread(agent.stop) == 0
            assert await one.end() == "The agent was stopped."

    asyncio.run(scenario())
    assert not running(worker)
    assert not list(named(sleep))
    assert agent.text().count("Traceback") == 0


def test_a_worker_that_does_not_stop_is_killed(new_node: NodeMaker) -> None:
    agent = started(new_node)
    worker = agent.worker
    os.kill(worker, signal.SIGSTOP)
    assert agent.stop() == 0
    assert not running(worker)
    assert "did not stop within" in agent.text()


def test_orphans_of_sessions_are_reaped(new_node: NodeMaker) -> None:
    agent = started(new_node)
    worker = agent.worker
    assert agent.run("(setsid sleep 0.1 &) ; true")["Status"] == "Success"
    wait_until(lambda: children(agent.core) == [worker], what="no adopted child left")


def test_it_says_at_start_that_it_is_not_the_official_agent(new_node: NodeMaker) -> None:
    agent = started(new_node)
    assert "not the official amazon-ssm-agent" in agent.text().splitlines()[0]
