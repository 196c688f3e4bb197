"""The helper that asks AWS while the channel's half loads: what it hands over, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sm_ssh_entry.connect import ahead
from sm_ssh_entry.connect.opening import Ticket
from sm_ssh_entry.errors import Ambiguous
from tests.waiting import wait_until

TICKET = Ticket("mi-1", 2222, "s-1", "token", "ws://127.0.0.1:1/")


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own: forking is for processes without threads, which pytest's may have."""
    head = (
        "import os, sys, threading, time\n"
        "from sm_ssh_entry.connect import ahead\n"
        "from sm_ssh_entry.connect.opening import Ticket\n"
        "from sm_ssh_entry.errors import Ambiguous\n"
        "TICKET = Ticket('mi-1', 2222, 's-1', 'token', 'ws://127.0.0.1:1/')\n"
        "def give_up(session_id): raise SystemExit('not asked for')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + script], capture_output=True, text=True, check=False, timeout=180
    )


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_a_ticket_arrives_from_another_process_while_this_one_loads() -> None:
    done = run(
        "loaded = []\n"
        "def obtain():\n"
        "    assert not loaded\n"
        "    return Ticket('mi-1', 2222, str(os.getpid()), 'token', 'ws://x/')\n"
        "found = ahead.ticket(obtain, give_up, lambda: loaded.append(1))\n"
        "assert loaded == [1] and found.session_id != str(os.getpid())\n"
        "try: os.waitpid(-1, 0)\n"
        "except ChildProcessError: print(found.token, found.port)\n"
    )
    assert (done.stdout, done.stderr) == ("token 2222\n", "")


def test_an_expected_failure_arrives_as_what_it_is() -> None:
    done = run(
        "def obtain(): raise Ambiguous('größe: two', hint='name one')\n"
        "try: ahead.ticket(obtain, give_up, lambda: None)\n"
        "except Ambiguous as error: print(error.exit_code, error.message, error.hint)\n"
    )
    assert (done.stdout, done.stderr) == ("13 größe: two name one\n", "")


def test_a_bug_in_the_helper_is_not_silent() -> None:
    done = run("ahead.ticket(lambda: 1 / 0, give_up, lambda: None)\n")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_a_session_that_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from sm_ssh_entry.connect import ahead\n"
        "from sm_ssh_entry.connect.opening import Ticket\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "def obtain():\n"
        "    (folder / 'asked').touch()\n"
        "    while not (folder / 'go').exists(): time.sleep(0.01)\n"
        "    return Ticket('mi-1', 1, 's-1', 't', 'u')\n"
        "ahead.ticket(obtain, lambda session_id: (folder / session_id).touch(), lambda: None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    wait_until((tmp_path / "asked").exists)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=120)
    (tmp_path / "go").touch()
    wait_until((tmp_path / "s-1").exists)


def test_where_it_cannot_fork_it_does_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = threading.Event()
    monkeypatch.setattr(sys, "platform", "win32")
    assert ahead.ticket(lambda: TICKET, print, loaded.set) == TICKET
    assert loaded.wait(120)


def test_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise BlockingIOError

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "fork", none)
    assert ahead.ticket(lambda: TICKET, print, lambda: None) == TICKET

    def both() -> Ticket:
        raise Ambiguous("two")

    with pytest.raises(Ambiguous):
        ahead.ticket(both, print, lambda: None)


def test_a_ticket_does_not_print_its_token() -> None:
    assert "token" not in repr(TICKET)


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
@pytest.mark.parametrize("way", ["eof", "hup"])
def test_nobody_waits_for_a_network_that_hangs(tmp_path: Path, way: str) -> None:
    """Who is left is gone at once, streams and all; the helper ends the session that it gets in the end."""
    script = (
        "import pathlib, sys, time\n"
        "from sm_ssh_entry.connect import ahead\n"
        "from sm_ssh_entry.connect.ending import Ending\n"
        "from sm_ssh_entry.connect.opening import Ticket\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "def obtain():\n"
        "    (folder / 'asked').touch()\n"
        "    while not (folder / 'answer').exists(): time.sleep(0.01)\n"
        "    return Ticket('mi-1', 2222, 's-1', 'token', 'ws://127.0.0.1:1/')\n"
        "ending = Ending(); ending.watch_signals()\n"
        "give_up = lambda session_id: (folder / session_id).touch()\n"
        "try: ahead.ticket(obtain, give_up, lambda: None, ending.is_left)\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    wait_until((tmp_path / "asked").exists, what="the question")
    assert process.poll() is None
    process.stdin.close() if way == "eof" else process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 130
    assert process.stdout is not None
    assert process.stderr is not None
    assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
    process.stdin.close()
    process.stdout.close()
    process.stderr.close()
    assert not (tmp_path / "s-1").exists()
    (tmp_path / "answer").touch()
    wait_until((tmp_path / "s-1").exists, what="the end of the session")
