"""A shell in this process, in a terminal of the test's, with an agent that does exactly what the test says."""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sm_ssh_entry.connect import channel
from sm_ssh_entry.connect.ending import Ending
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.connect.terminal import shell
from sm_ssh_entry.connect.terminal.posix import PosixTerminal
from sm_ssh_entry.errors import SessionFailed
from sm_ssh_entry.wire import events as ev
from sm_ssh_entry.wire.message import PayloadType
from sm_ssh_entry.wire.payloads import HandshakeRequest, KmsAction
from tests.connect.scripted_agent import ScriptedAgent
from tests.waiting import wait_until

SHELL = "Standard_Stream"


class Ssm:
    """An SSM client that knows no session any more."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def resume_session(self, **request: Any) -> dict[str, Any]:
        self.calls.append("resume")
        return {"SessionId": request["SessionId"]}

    def terminate_session(self, **request: Any) -> dict[str, Any]:
        self.calls.append("terminate")
        return request


class User:
    """A terminal, whoever sits at it, and the shell that runs in it."""

    def __init__(self) -> None:
        self.leader, self.follower = os.openpty()
        self.before = termios.tcgetattr(self.follower)
        self.shown = bytearray()
        self.ssm, self.ending = Ssm(), Ending()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def type(self, data: bytes) -> None:
        os.write(self.leader, data)

    def run(self, agent: ScriptedAgent, *, is_command: bool = False, stdin: int | None = None) -> int:
        """Run a shell to its end; the terminal is as before then, however it ends."""
        terminal = PosixTerminal(self.follower if stdin is None else stdin, self.follower)
        ticket = Ticket("mi-1", 0, "s-1", "token", agent.url)
        try:
            return shell.run(ticket, lambda: self.ssm, self.ending, terminal, is_command=is_command)
        finally:
            assert termios.tcgetattr(self.follower) == self.before

    def type_once_raw(self, data: bytes) -> None:
        """Type when the terminal has been made raw."""

        def wait() -> None:
            wait_until(lambda: termios.tcgetattr(self.follower) != self.before)
            self.type(data)

        threading.Thread(target=wait, daemon=True).start()

    def close(self) -> None:
        self.type(b"\r")  # the shell's own reader waits for something still
        os.close(self.follower)
        self._thread.join(timeout=120)
        os.close(self.leader)

    def _look(self) -> None:
        while True:
            try:
                self.shown += os.read(self.leader, 4096)
            except OSError:
                return


@pytest.fixture
def user(home: object) -> Iterator[User]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGCONT)}
    user = User()
    yield user
    user.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


async def quiet(agent: ScriptedAgent, event: ev.Event) -> None:
    """Do nothing beyond the greeting."""


def ending_at(what: bytes, then: Callable[[ScriptedAgent], Any]) -> Callable[..., Any]:
    """Make a script that does something once it has received something."""

    async def script(agent: ScriptedAgent, event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived) and bytes(agent.received).endswith(what):
            await then(agent)

    return script


def test_keys_wait_for_the_prompt_and_the_size_comes_first(user: User) -> None:
    sizes: list[tuple[int, int]] = []

    async def script(agent: ScriptedAgent, event: ev.Event) -> None:
        if isinstance(event, ev.SizeReceived):
            assert not agent.received
            sizes.append((event.cols, event.rows))
        elif isinstance(event, ev.DataReceived):
            await agent.close()

    with ScriptedAgent(script, greeting=b"$ ", session_type=SHELL) as agent:
        user.type(b"early")
        assert user.run(agent) == 0
        assert bytes(agent.received) == b"early"
        assert len(sizes) == 1
    assert user.ssm.calls == []


def test_a_command_that_is_silent_at_first_gets_its_input(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "SILENT_SECONDS", 0.05)
    with ScriptedAgent(ending_at(b"answer\n", lambda agent: agent.close()), session_type=SHELL) as agent:
        user.type(b"answer\n")
        assert user.run(agent, is_command=True) == 0


@pytest.mark.parametrize("is_command", [False, True])
def test_an_agent_that_never_comes_has_a_deadline(
    user: User, monkeypatch: pytest.MonkeyPatch, is_command: bool
) -> None:
    monkeypatch.setattr(shell, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(channel, "START_SECONDS", 0.2)
    absent = ScriptedAgent(quiet, session_type=SHELL, present=False)
    with absent as agent, pytest.raises(SessionFailed, match="did not open its side"):
        user.run(agent, is_command=is_command)
    assert user.ssm.calls == ["terminate"]


def test_ctrl_c_before_anybody_is_there_is_the_users_own_end(user: User) -> None:
    with ScriptedAgent(quiet, session_type=SHELL, present=False) as agent:
        user.type_once_raw(b"\x03")
        assert user.run(agent) == 0
    assert user.ssm.calls == ["terminate"]


def test_a_session_that_is_refused_says_why(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "SILENT_SECONDS", 0.05)

    async def script(agent: ScriptedAgent, event: ev.Event) -> None:
        if isinstance(event, ev.SizeReceived):
            await agent.close("RunAs user does not exist,\n  check the settings")

    refusing = ScriptedAgent(script, session_type=SHELL)
    with refusing as agent, pytest.raises(SessionFailed, match="RunAs user does not exist, check the settings"):
        user.run(agent, is_command=True)


def test_last_words_of_the_service_are_shown(user: User, capfd: pytest.CaptureFixture[str]) -> None:
    script = ending_at(b"x", lambda agent: agent.close("Session reached its longest duration"))
    with ScriptedAgent(script, greeting=b"$ ", session_type=SHELL) as agent:
        user.type(b"x")
        assert user.run(agent) == 0
    assert "longest duration" in capfd.readouterr().err


def test_encryption_that_is_not_to_be_had_points_to_ssh(user: User) -> None:
    async def demand(agent: ScriptedAgent) -> None:
        request = HandshakeRequest("3.3.0.0", (KmsAction("key", "Y2hhbGxlbmdl"),))
        agent.pump.channel._link.send(PayloadType.HANDSHAKE_REQUEST, request.encode(), 0.0)
        agent.pump._touched()

    class Demanding(ScriptedAgent):
        async def send(self, data: bytes) -> None:
            await demand(self)

    demanding = Demanding(quiet, greeting=b"$ ", session_type=SHELL)
    with demanding as agent, pytest.raises(SessionFailed, match="KMS") as caught:
        user.run(agent)
    assert "sm-ssh connect" in caught.value.hint


def test_a_session_that_breaks_for_good_is_an_error_and_undoes_the_screen(user: User) -> None:
    async def cut(agent: ScriptedAgent) -> None:
        agent.cut()

    with ScriptedAgent(ending_at(b"x", cut), greeting=b"\x1b[?1049h\x1b[?25l$ ", session_type=SHELL) as agent:
        user.type(b"x")
        with pytest.raises(SessionFailed, match="timed out"):
            user.run(agent)
    assert user.ssm.calls == ["resume"]
    # After everything else, that is.
    wait_until(lambda: bytes(user.shown).endswith(b"$ \x1b[?1049l\x1b[?25h\x1b[0m"), what="the screen undone")


def test_help_is_shown_here_and_not_sent(user: User, capfd: pytest.CaptureFixture[str]) -> None:
    with ScriptedAgent(quiet, greeting=b"$ ", session_type=SHELL) as agent:
        user.type(b"~?")
        user.type(b"~.")
        assert user.run(agent) == 0
        assert bytes(agent.received) == b""
    assert "~.  leave" in capfd.readouterr().err


def test_a_signal_is_the_status(user: User) -> None:
    async def script(agent: ScriptedAgent, event: ev.Event) -> None:
        if isinstance(event, ev.DataReceived):
            user.ending._ended_by(signal.SIGTERM, None)

    with ScriptedAgent(script, greeting=b"$ ", session_type=SHELL) as agent:
        user.type(b"x")
        assert user.run(agent) == 128 + signal.SIGTERM


def test_an_exception_of_our_own_leaves_no_raw_terminal(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shell._Shell, "_take", broken)
    with ScriptedAgent(quiet, greeting=b"$ ", session_type=SHELL) as agent, pytest.raises(ZeroDivisionError):
        user.run(agent)
    assert user.ssm.calls == ["terminate"]
