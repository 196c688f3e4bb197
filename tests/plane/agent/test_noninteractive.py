"""Commands without a terminal, over a real session."""

from __future__ import annotations

import asyncio

from tests.plane.agent.processes import Agent, long_sleep, named
from tests.plane.agent.session_client import session
from tests.waiting import wait_until

DOCUMENT = "AWS-StartNonInteractiveCommand"


def test_merged_output_comes_after_the_end_without_an_exit_code(node: Agent) -> None:
    async def scenario() -> None:
        async with session(node.ssm, node.node_id, DOCUMENT, command="sh -c 'echo out; echo err >&2; exit 3'") as one:
            await one.end()
            assert (bytes(one.stdout), bytes(one.stderr), one.exit_code) == (b"out\nerr\n", b"", None)

    asyncio.run(scenario())


def test_separate_streams_are_live_and_the_exit_code_is_told(node: Agent) -> None:
    async def scenario() -> None:
        script = "sh -c 'echo out; echo err >&2; while [ ! -e go ]; do sleep 0.02; done; echo more; exit 3'"
        flag = node.root / "go"
        script = script.replace("-e go", f"-e {flag}")
        async with session(node.ssm, node.node_id, DOCUMENT, command=script, separateOutputStream="True") as one:
            await one.until(lambda: one.stdout == b"out\n" and one.stderr == b"err\n", "live output")
            assert not one.exited
            flag.touch()
            await one.end()
            assert (bytes(one.stdout), bytes(one.stderr), one.exit_code) == (b"out\nmore\n", b"err\n", 3)

    asyncio.run(scenario())


def test_words_are_split_and_no_shell_sees_them(node: Agent) -> None:
    async def scenario() -> None:
        line = "printf '%s|' 'a b' $HOME ';' '*'"
        async with session(node.ssm, node.node_id, DOCUMENT, command=line, separateOutputStream="True") as one:
            await one.end()
            assert (bytes(one.stdout), one.exit_code) == (b"a b|$HOME|;|*|", 0)

    asyncio.run(scenario())


def test_there_is_no_input(node: Agent) -> None:
    async def scenario() -> None:
        async with session(node.ssm, node.node_id, DOCUMENT, command="cat", separateOutputStream="True") as one:
            await one.end()
            assert (bytes(one.stdout), one.exit_code) == (b"", 0)

    asyncio.run(scenario())


def test_control_bytes_become_signals(node: Agent) -> None:
    async def scenario() -> None:
        script = (
            'sh -c \'trap "echo int" INT; trap "echo quit; exit 5" QUIT; echo ready; while :; do sleep 0.02; done\''
        )
        async with session(node.ssm, node.node_id, DOCUMENT, command=script, separateOutputStream="True") as one:
            await one.expect(b"ready\n")
            await one.send(b"\x03")
            await one.expect(b"int\n")
            await one.send(b"ignored\x1c")
            await one.end()
            assert (bytes(one.stdout), one.exit_code) == (b"quit\n", 5)

    asyncio.run(scenario())


def test_large_output_arrives_whole(node: Agent) -> None:
    async def scenario(separate: str) -> None:
        async with session(
            node.ssm, node.node_id, DOCUMENT, command="seq 300000", separateOutputStream=separate
        ) as one:
            await one.end()
            lines = bytes(one.stdout).split()
            assert (len(lines), lines[0], lines[-1]) == (300_000, b"1", b"300000")

    asyncio.run(scenario("True"))
    asyncio.run(scenario("False"))


def test_what_cannot_run_says_so(node: Agent) -> None:
    async def scenario(line: str, words: str) -> None:
        async with session(node.ssm, node.node_id, DOCUMENT, command=line) as one:
            assert words in await one.end()

    asyncio.run(scenario("/no/such/program", "cannot run program"))
    asyncio.run(scenario("echo 'open", "cannot be split"))


def test_the_clients_goodbye_ends_the_whole_group(node: Agent) -> None:
    sleep = long_sleep(4)

    async def scenario() -> None:
        async with session(node.ssm, node.node_id, DOCUMENT, command=f"sh -c '{sleep} & {sleep}'") as one:
            await asyncio.to_thread(lambda: wait_until(lambda: len(list(named(sleep))) >= 2))
            assert one.closed is None

    asyncio.run(scenario())
    wait_until(lambda: not list(named(sleep)))
