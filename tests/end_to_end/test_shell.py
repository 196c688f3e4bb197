"""``sm-ssh shell`` in a real terminal, on a job whose node has no sshd that it would need."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator

import pytest

from sm_ssh_entry import errors
from tests.end_to_end.machine import SM_SSH, Job, Machine
from tests.end_to_end.relay import Relay
from tests.end_to_end.terminal import UserTerminal
from tests.waiting import wait_until

PROMPT = r"[$#] "


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("shells", "sleep", "900")
    job.online()
    yield job
    job.kill()


def shell(machine: Machine, job: Job, *command: str, **env: str) -> UserTerminal:
    """Open a shell, or run a command, in a terminal of 100 columns and 30 rows."""
    words = ["--", *command] if command else []
    return UserTerminal([*SM_SSH, "shell", job.host, *words], {**machine.env, **env})


def ready(terminal: UserTerminal) -> int:
    """Wait for the prompt of a shell, and make it one that a test can tell from what was typed."""
    terminal.saw(PROMPT)
    terminal.type("PS1='re''ady> '\r")
    return terminal.saw("ready> ")


def sessions(machine: Machine) -> int:
    """Count the sessions that the service has open."""
    return int(json.loads(machine.run("local", "status", "--output", "json").stdout)["sessions"])


def left_nothing(machine: Machine, terminal: UserTerminal) -> bool:
    """Whether terminal and service are as before."""
    wait_until(lambda: sessions(machine) == 0, every=0.2, what="no session on the plane")
    return terminal.attributes() == terminal.before


def test_a_shell_has_the_terminals_size_and_follows_it(machine: Machine, job: Job) -> None:
    with shell(machine, job) as terminal:
        at = ready(terminal)
        assert terminal.is_raw()
        terminal.type("stty size\r")
        at = terminal.saw(r"30 100\r\n", after=at)
        terminal.resize(132, 43)
        terminal.type("while test \"$(stty size)\" != '43 132'; do sleep 0.1; done; echo fol''lowed\r")
        terminal.saw("followed", after=at)
        terminal.type("exit\r")
        assert terminal.end() == 0
        assert left_nothing(machine, terminal)


def test_every_key_reaches_the_node_and_none_is_for_us(machine: Machine, job: Job) -> None:
    program = (
        "import os, tty; tty.setraw(0); os.write(1, b'raw>'); got = b''\n"
        "while not got.endswith(b'END'): got += os.read(0, 99)\n"
        "os.write(1, b'=' + got.hex().encode() + b'=')"
    )
    with shell(machine, job, "python3", "-c", program) as terminal:
        terminal.saw("raw>")
        keys = b"\x03\x1c\x1a\x04\x11\x13\x00\x7f\r\n\x1b[A" + "ünïcödé €😀".encode() + b"END"
        terminal.type(keys)
        terminal.saw(f"={keys.hex()}=")
        assert terminal.end() == 0
        assert left_nothing(machine, terminal)


def test_a_long_paste_arrives_unchanged_whatever_it_contains(machine: Machine, job: Job) -> None:
    # Between the marks by which a terminal tells a paste: without them, a busy machine may read it in pieces as short
    # as what somebody types, and then ~. is what it says.
    text = "".join(f"\r~.\r~? line {number} ünïcödé\r" for number in range(2000)).encode()
    pasted = b"\x1b[200~" + text + b"\x1b[201~"
    count = (
        "import hashlib, os, tty; tty.setraw(0); os.write(1, b'raw>'); got = b''\n"
        f"while len(got) < {len(pasted)}: got += os.read(0, 65536)\n"
        "os.write(1, b'=' + hashlib.sha256(got).hexdigest().encode() + b'=')"
    )
    with shell(machine, job, "python3", "-c", count) as terminal:
        terminal.saw("raw>")
        terminal.type(pasted)
        terminal.saw(f"={hashlib.sha256(pasted).hexdigest()}=")
        assert terminal.end() == 0


def test_ctrl_c_interrupts_what_runs_there_and_ctrl_z_stops_it(machine: Machine, job: Job) -> None:
    with shell(machine, job) as terminal:
        at = ready(terminal)
        terminal.type("sh -c 'trap \"echo inter''rupted; exit\" INT; echo wait''ing; sleep 100'\r")
        at = terminal.saw("waiting", after=at)
        terminal.type(b"\x03")
        at = terminal.saw("interrupted", after=at)
        at = terminal.saw("ready> ", after=at)
        terminal.type("sh -c 'echo run''ning; exec sleep 100'\r")
        at = terminal.saw("running", after=at)
        terminal.type(b"\x1a")
        at = terminal.saw("Stopped", after=at)
        terminal.type("kill %1; wait; echo go''ne\r")
        at = terminal.saw("gone", after=at)
        at = terminal.saw("ready> ", after=at)
        terminal.type(b"\x04")
        assert terminal.end() == 0
        assert left_nothing(machine, terminal)


@pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed")
def test_vim_draws_on_the_whole_screen_and_again_on_another_size(machine: Machine, job: Job) -> None:
    with shell(machine, job) as terminal:
        at = ready(terminal)
        terminal.type("vim -u NONE -N\r")
        at = terminal.saw(r"\x1b\[29;1H", after=at)
        terminal.type("isome text\x1b")
        at = terminal.saw("some text", after=at)
        terminal.resize(90, 21)
        terminal.saw(r"\x1b\[20;1H", after=at)
        terminal.type(":echo 'size' &columns &lines\r")
        at = terminal.saw("size 90 21", after=at)
        terminal.type(":q!\r")
        at = terminal.saw("ready> ", after=at)
        terminal.type("exit\r")
        assert terminal.end() == 0
        assert left_nothing(machine, terminal)


@pytest.mark.skipif(shutil.which("top") is None, reason="top is not installed")
def test_top_is_drawn_anew_for_another_size_and_its_leavings_are_undone(machine: Machine, job: Job) -> None:
    with shell(machine, job, "top", "-d", "60") as terminal:
        at = terminal.saw("COMMAND")
        terminal.resize(140, 50)
        at = terminal.saw("COMMAND", after=at)
        assert "\x1b[?25l" in terminal.shown or "\x1b[?1h" in terminal.shown
        # top is not told to end: what it has switched on would stay.
        terminal.type("\r~.")
        assert terminal.end() == 0
        rest = terminal.shown[at:]
        assert ("\x1b[?25h" in rest) is ("\x1b[?25l" in terminal.shown)
        assert ("\x1b[?1l" in rest) is ("\x1b[?1h" in terminal.shown)
        assert left_nothing(machine, terminal)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_the_terminal_is_restored(
    machine: Machine, job: Job, number: signal.Signals, status: int
) -> None:
    with shell(machine, job) as terminal:
        ready(terminal)
        terminal.signal(number)
        assert terminal.end() == status
        assert left_nothing(machine, terminal)


def test_a_process_that_was_stopped_is_raw_again_when_it_goes_on(machine: Machine, job: Job) -> None:
    with shell(machine, job) as terminal:
        at = ready(terminal)
        terminal.signal(signal.SIGSTOP)
        # What a shell does when its job has stopped.
        termios.tcsetattr(terminal.leader, termios.TCSANOW, terminal.before)
        terminal.resize(77, 22)
        terminal.signal(signal.SIGCONT)
        wait_until(terminal.is_raw, what="raw again")
        terminal.type("while test \"$(stty size)\" != '22 77'; do sleep 0.1; done; echo fol''lowed\r")
        terminal.saw("followed", after=at)


def test_a_session_goes_on_after_the_network_was_away(machine: Machine, job: Job) -> None:
    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay, shell(machine, job, AWS_ENDPOINT_URL=relay.url) as terminal:
        at = ready(terminal)
        terminal.type("mine=here\r")
        at = terminal.saw("ready> ", after=at)
        relay.cut()
        terminal.type("echo $mi''ne\r")
        terminal.saw("the connection is lost; trying again", after=at)
        relay.mend()
        at = terminal.saw("it is back", after=at)
        terminal.type("echo still $mine\r")
        terminal.saw("still here", after=at)


def test_a_pipe_in_place_of_a_terminal(machine: Machine, job: Job) -> None:
    env = {"COLUMNS": "99", "LINES": "33"}
    done = machine.run("shell", job.host, stdin="until test \"$(stty size)\" = '33 99'; do :; done\nseq 3 5", env=env)
    assert done.returncode == 0, done.stderr
    assert "3\n4\n5\n" in done.stdout.replace("\r", "")
    assert done.stderr == ""
    wait_until(lambda: sessions(machine) == 0, every=0.2, what="no session on the plane")


def test_a_command_that_reads_its_input_gets_its_end(machine: Machine, job: Job) -> None:
    done = machine.run("shell", job.host, "--", "sort -r; echo so''rted", stdin="1\n2\n3\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("\r", "").endswith("3\n2\n1\nsorted\n")


def test_a_reader_that_goes_away_ends_it(machine: Machine, job: Job) -> None:
    words = [*SM_SSH, "shell", job.host, "--", "yes"]
    process = subprocess.Popen(words, env=machine.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.read(4).replace(b"\r", b"")[:2] == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    process.stdin.close()
    wait_until(lambda: sessions(machine) == 0, every=0.2, what="no session on the plane")


def test_a_job_that_only_sagemakers_own_agent_reaches(machine: Machine) -> None:
    job = machine.job("native", "sleep", "900", options=("--native", "--env", "SSH_INSTANCE_COUNT=0"))
    try:

        def answers() -> subprocess.CompletedProcess[str] | None:
            done = machine.run("shell", job.host, "--via", "native", "--", "stty size; echo there")
            return done if done.returncode != errors.ConnectionLost.exit_code else None

        done = wait_until(answers, 40, every=0.5, what="the agent")
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["24", "80", "there"]
    finally:
        job.kill()


def test_what_cannot_be_says_why(machine: Machine, job: Job) -> None:
    for name, status, said in (
        (f"ubuntu@{job.host}", 2, "not ubuntu"),
        ("nothing.training.sagemaker", 10, "nothing"),
        ("mi-00000000000000000", 10, "mi-00000000000000000"),
    ):
        done = machine.run("shell", name)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr


# A client that could not say goodbye leaves a session that the service ends later: these come last.


def test_one_can_leave_although_the_network_is_dead(machine: Machine, job: Job) -> None:
    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        with shell(machine, job, AWS_ENDPOINT_URL=relay.url) as terminal:
            ready(terminal)
            relay.freeze()
            terminal.type("x" * 200_000)
            wait_until(terminal.taken, what="the paste read")

            def left() -> bool:
                """Try as a user would: once more, if a busy machine took the keys for the end of the paste."""
                for keys in ("\r", "~."):
                    if not terminal.has_ended:
                        terminal.type(keys)
                        wait_until(lambda: terminal.has_ended or terminal.taken())
                return terminal.has_ended

            wait_until(left, 20, every=1.0, what="left")
            assert terminal.end() == 0
            assert terminal.attributes() == terminal.before
        relay.thaw()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_terminal_is_restored_after_a_crash(machine: Machine, job: Job, number: signal.Signals) -> None:
    with shell(machine, job) as terminal:
        ready(terminal)
        assert terminal.is_raw()
        terminal.signal(number)
        terminal.end()
        wait_until(lambda: terminal.attributes() == terminal.before, what="the terminal as before")
