"""The session on real standard input and output, against an agent that does exactly what the test says."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.connect import channel, ssh_command
from sm_ssh_entry.pump import Pace
from sm_ssh_entry.wire import events as ev
from tests.connect.scripted_agent import ScriptedAgent
from tests.waiting import wait_until

Starter = Callable[..., "subprocess.Popen[bytes]"]
GREETING = b"SSH-2.0-scripted\r\n"


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Iterator[Starter]:
    """Start the laptop's side of a session with an agent; ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(agent: ScriptedAgent, *seconds: str, **env: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.connect.channel_driver", agent.url, str(tmp_path), *seconds],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=120)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe and not pipe.closed:
                pipe.close()


def calls(tmp_path: Path) -> list[str]:
    """The API calls that were made, by name."""
    path = tmp_path / "calls"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def greeted(process: subprocess.Popen[bytes]) -> None:
    """Wait for the greeting."""
    assert process.stdout is not None
    assert process.stdout.read(len(GREETING)) == GREETING


def last_words(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for the end, with standard input held open; return what was said on standard error."""
    assert process.stderr is not None
    said = process.stderr.read()
    process.wait(timeout=120)
    return said


async def quiet(agent: ScriptedAgent, event: ev.Event) -> None:
    """Do nothing beyond the greeting."""


async def echo(agent: ScriptedAgent, event: ev.Event) -> None:
    """Send everything back."""
    if isinstance(event, ev.DataReceived):
        await agent.send(event.data)


async def obliging(agent: ScriptedAgent, event: ev.Event) -> None:
    """Echo, and end when told to."""
    await echo(agent, event)
    if isinstance(event, ev.FlagReceived):
        await agent.close()


@pytest.mark.parametrize("size", ["1024", "32768"])
def test_bytes_arrive_unchanged_both_ways(start: Starter, tmp_path: Path, size: str) -> None:
    data = hashlib.shake_256(b"both ways").digest(1 << 20)
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent, SM_SSH_PAYLOAD_BYTES=size)
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        writer = threading.Thread(target=process.stdin.write, args=(data,))
        writer.start()
        assert process.stdout.read(len(data)) == data
        writer.join()
        process.stdin.close()
        assert process.wait(timeout=120) == 0
        assert agent.openers[0]["TokenValue"] == "started"
        assert bytes(agent.received) == data
    assert calls(tmp_path) == ["start"]


def test_nothing_is_lost_when_the_connection_is_cut(start: Starter, tmp_path: Path) -> None:
    data = hashlib.shake_256(b"cuts").digest(1 << 20)
    cuts = [100_000, 400_000, 800_000]

    async def cutting(agent: ScriptedAgent, event: ev.Event) -> None:
        await obliging(agent, event)
        if cuts and len(agent.received) > cuts[0]:
            cuts.pop(0)
            agent.cut()

    with ScriptedAgent(cutting, greeting=GREETING) as agent:
        process = start(agent, SM_SSH_PAYLOAD_BYTES="8192")
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        writer = threading.Thread(target=process.stdin.write, args=(data,))
        writer.start()
        assert process.stdout.read(len(data)) == data
        writer.join()
        process.stdin.close()
        assert process.wait(timeout=120) == 0
        assert bytes(agent.received) == data
        assert [opener["TokenValue"] for opener in agent.openers] == ["started", "resumed", "resumed", "resumed"]
    assert calls(tmp_path) == ["start", "resume", "resume", "resume"]


def test_a_session_that_timed_out_meanwhile_is_not_resumed(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(quiet, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        (tmp_path / "timed-out").touch()
        agent._loop.call_soon_threadsafe(agent.cut)
        said = last_words(process)
        assert process.returncode == 21
        assert b"timed out" in said
    assert calls(tmp_path) == ["start", "resume"]


def test_a_port_where_nothing_listens_has_a_deadline(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(quiet) as agent:
        process = start(agent, "0.3")
        said = last_words(process)
        assert process.returncode == 21
        assert b"nothing answers on port 2222 of mi-1" in said
        agent.got(lambda one: one.flags == [2])
    assert calls(tmp_path) == ["start", "terminate"]


def test_an_agent_that_never_comes_has_a_deadline(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(quiet, handshake=False) as agent:
        process = start(agent, "0.3")
        said = last_words(process)
        assert process.returncode == 21
        assert b"did not open its side" in said
    assert calls(tmp_path) == ["start", "terminate"]


def test_a_session_that_is_closed_early_says_why(start: Starter, tmp_path: Path) -> None:
    async def refuse(agent: ScriptedAgent, event: ev.Event) -> None:
        if isinstance(event, ev.HandshakeCompleted):
            await agent.close("Connection to destination port failed,\n check SSH Server.")

    with ScriptedAgent(refuse) as agent:
        process = start(agent)
        said = last_words(process)
        assert process.returncode == 21
        lines = said.decode().splitlines()
        assert len(lines) == 2
        assert lines[0].endswith("before its sshd answered: Connection to destination port failed, check SSH Server.")
    assert calls(tmp_path) == ["start"]


def test_an_end_by_the_node_after_data_is_no_failure(start: Starter, tmp_path: Path) -> None:
    async def farewell(agent: ScriptedAgent, event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived):
            await agent.send(b"bye")
            await agent.pump.drain(5)
            await agent.close()

    with ScriptedAgent(farewell, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        # Our input stays open: it is the node that ends the session, and all that it said before arrives.
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read() == b"bye"
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, b"")


@pytest.mark.parametrize("way", ["eof", "hup", "term", "reader"])
@pytest.mark.parametrize("confirms", [True, False])
def test_every_end_of_ours_ends_the_session(start: Starter, tmp_path: Path, way: str, confirms: bool) -> None:
    with ScriptedAgent(obliging if confirms else echo, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        if way == "eof":
            process.stdin.close()
        elif way == "reader":
            process.stdout.close()
            process.stdin.write(b"x" * 100)
            process.stdin.flush()
        else:
            process.send_signal({"hup": signal.SIGHUP, "term": signal.SIGTERM}[way])
        assert process.wait(timeout=120) == 0
        agent.got(lambda one: one.flags == [2])
    assert calls(tmp_path) == (["start"] if confirms else ["start", "terminate"])


def test_ctrl_c_is_left_to_ssh(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        process.send_signal(signal.SIGINT)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"still here")
        process.stdin.flush()
        assert process.stdout.read(10) == b"still here"


def test_the_readers_of_our_streams_do_not_wait_for_the_clean_up(start: Starter, tmp_path: Path) -> None:
    """A session that nobody confirms takes a while to end; who captures our stderr sees its end before that."""
    with ScriptedAgent(quiet, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        assert process.stderr.read() == b""
        wait_until(lambda: process.poll() is not None)
    assert calls(tmp_path) == ["start", "terminate"]


@pytest.mark.parametrize("value", ["0", "-1", "many", "99999999"])
def test_a_message_size_that_cannot_be_is_refused_before_anything_happens(
    start: Starter, tmp_path: Path, value: str
) -> None:
    with ScriptedAgent(quiet) as agent:
        process = start(agent, SM_SSH_PAYLOAD_BYTES=value)
        said = last_words(process)
        assert process.returncode == 2
        assert b"SM_SSH_PAYLOAD_BYTES" in said
    assert calls(tmp_path) == []


def test_the_numbers_as_shipped() -> None:
    """An outage of a minute is survived, and ssh gives up later than we do, from the first silence on."""
    assert channel.REDIAL_SECONDS == 90.0
    pace, patience = channel.PACE, ssh_command.ALIVE_INTERVAL * ssh_command.ALIVE_COUNT
    assert pace == Pace()
    assert pace.ping_interval + pace.ping_timeout + pace.look_every + channel.REDIAL_SECONDS < patience
    assert channel.REDIAL_SECONDS > 60


def test_a_connection_that_freezes_is_replaced(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent, IMPATIENT="1")
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        agent.freeze()
        process.stdin.write(b"through a frozen line")
        process.stdin.flush()
        assert process.stdout.read(21) == b"through a frozen line"
        process.stdin.close()
        assert process.wait(timeout=120) == 0
    assert calls(tmp_path) == ["start", "resume"]


def test_credentials_that_run_out_do_no_harm_while_the_connection_stands(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent, IMPATIENT="1")
        greeted(process)
        (tmp_path / "expired").touch()
        assert process.stdin is not None
        assert process.stdout is not None
        threading.Event().wait(1.5)  # several times the patience of an impatient session
        process.stdin.write(b"still here")
        process.stdin.flush()
        assert process.stdout.read(10) == b"still here"
        process.stdin.close()
        assert process.wait(timeout=120) == 0
    assert calls(tmp_path) == ["start"]


def test_credentials_that_are_renewed_in_time_keep_a_lost_session(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        (tmp_path / "expired").touch()
        agent._loop.call_soon_threadsafe(agent.cut)
        process.stderr.readline()
        assert b"expired" in process.stderr.readline()
        (tmp_path / "expired").unlink()
        process.stdin.write(b"renewed")
        process.stdin.flush()
        assert process.stdout.read(7) == b"renewed"
        process.stdin.close()
        said = process.stderr.read()
        assert process.wait(timeout=120) == 0
        assert said == b""


def test_credentials_that_are_not_renewed_end_a_lost_session_with_their_own_code(
    start: Starter, tmp_path: Path
) -> None:
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent, REDIAL_SECONDS="0.5")
        greeted(process)
        (tmp_path / "expired").touch()
        agent._loop.call_soon_threadsafe(agent.cut)
        said = last_words(process).decode()
        assert process.returncode == 15
        assert said.count("renew them now") == 1
        assert said.splitlines()[-1].startswith("  hint: renew them")


@pytest.mark.parametrize("way", ["eof", "hup", "reader"])
def test_a_network_that_hangs_does_not_hold_up_the_end(start: Starter, tmp_path: Path, way: str) -> None:
    """Neither the channel nor the API answers any more; the process is gone all the same."""
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        assert process.stdin is not None
        assert process.stdout is not None
        (tmp_path / "hung").touch()
        if way == "reader":
            process.stdout.close()
            process.stdin.write(b"x")
            process.stdin.flush()
            agent.got(lambda one: bytes(one.received) == b"x")
        agent.freeze()
        if way == "eof":
            process.stdin.close()
        elif way == "hup":
            process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=120) == 0


def test_a_dial_that_hangs_does_not_hold_up_the_end(start: Starter, tmp_path: Path) -> None:
    with ScriptedAgent(obliging, greeting=GREETING) as agent:
        process = start(agent)
        greeted(process)
        (tmp_path / "hung").touch()
        agent._loop.call_soon_threadsafe(agent.cut)
        wait_until(lambda: calls(tmp_path)[-1] == "resume", what="a hung ResumeSession")
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=120) == 0
