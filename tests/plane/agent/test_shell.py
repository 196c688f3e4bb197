"""Terminals: a shell and an interactive command, over a real session."""

from __future__ import annotations

import asyncio
import re

import pytest

from sm_ssh_entry import command
from tests.plane.agent.processes import Agent, children, long_sleep, named
from tests.plane.agent.session_client import session
from tests.waiting import wait_until


def test_a_shell_has_a_terminal_of_the_clients_size(node: Agent) -> None:
    async def scenario() -> None:
        async with session(node.ssm, node.node_id) as shell:
            await shell.pump.send_size(132, 43)
            await shell.send(b"stty size; echo TERM=$TERM; tty; echo root=$SM_SSH_ROOT; echo $AWS_SSM_INSTANCE_ID\n")
            await shell.expect(b"43 132")
            await shell.expect(b"TERM=xterm-256color")
            await shell.expect(b"/dev/pts/")
            await shell.expect(f"root={node.root}".encode())
            await shell.expect(node.node_id.encode())
            # Again while it runs: the foreground process hears of it.
            await shell.send(b"sh -c 'trap \"stty size\" WINCH; echo ready$$; while :; do sleep 0.05; done'\n")
            await shell.until(lambda: re.search(rb"ready\d+\r\n", shell.stdout))
            await shell.pump.send_size(99, 11)
            await shell.expect(b"11 99")

    asyncio.run(scenario())


def test_control_characters_reach_the_foreground_job(node: Agent) -> None:
    sleep = long_sleep(1)

    async def scenario() -> None:
        async with session(node.ssm, node.node_id) as shell:
            await shell.send(f"{sleep}; echo status=$?\n".encode())
            await asyncio.to_thread(lambda: wait_until(lambda: list(named(sleep))))
            await shell.send(b"\x03")
            await shell.send(b"\necho still''here\n")
            await shell.expect(b"stillhere")
            assert not list(named(sleep))

    asyncio.run(scenario())


def test_the_shells_end_is_the_sessions_end_and_its_last_words_arrive(node: Agent) -> None:
    async def scenario() -> None:
        async with session(node.ssm, node.node_id) as shell:
            await shell.send(b"seq 20000; echo the''end; exit\n")
            await shell.end()
            text = bytes(shell.stdout)
            assert b"\r\n20000\r\n" in text
            assert b"theend" in text

    asyncio.run(scenario())


def test_an_interactive_command_has_a_terminal(node: Agent) -> None:
    async def scenario() -> None:
        script = "tty; read word; echo got-$word"
        async with session(node.ssm, node.node_id, "AWS-StartInteractiveCommand", command=script) as one:
            await one.expect(b"/dev/pts/")
            await one.send(b"hello\n")
            await one.expect(b"got-hello")
            await one.end()

    asyncio.run(scenario())


@pytest.mark.parametrize("way", ["flag", "api"])
def test_an_ended_session_leaves_no_process(node: Agent, way: str) -> None:
    sleep = long_sleep({"flag": 2, "api": 3}[way])

    async def scenario() -> None:
        async with session(node.ssm, node.node_id) as shell:
            # One in the foreground, one of the shell's own group, one that does not mind losing its terminal.
            await shell.send(f"sh -c 'trap \"\" HUP; {sleep} & {sleep}'\n".encode())
            await asyncio.to_thread(lambda: wait_until(lambda: len(list(named(sleep))) >= 2))
            if way == "api":
                await asyncio.to_thread(lambda: node.ssm.terminate_session(SessionId=shell.session_id))
                await shell.end()

    asyncio.run(scenario())
    worker = node.worker
    wait_until(lambda: not children(worker), what="children of the worker")
    wait_until(lambda: not list(named(sleep)), what="the end of what ignores SIGHUP")


def test_input_waits_for_a_program_that_does_not_read_yet(node: Agent) -> None:
    """More than every buffer on the way holds, to a program that has its own say first."""
    text = b"".join(b"%07d\n" % number for number in range(200_000))
    expected = command.run(["cksum"], stdin=text.decode()).stdout.split()

    async def scenario() -> None:
        script = f"stty raw -echo; echo ready; head -c 3 >/dev/null; seq 30000; head -c {len(text)} | cksum; echo done"
        async with session(node.ssm, node.node_id, "AWS-StartInteractiveCommand", command=script) as one:
            await one.expect(b"ready")
            await one.send(b"go\n" + text)
            found = await one.expect(b"done")
            assert found.split()[-3:-1] == [word.encode() for word in expected]

    asyncio.run(scenario())
