"""sm-wait: several waiters, none, wrong words, SSH off."""

from __future__ import annotations

import signal
import subprocess

import pytest

from sm_ssh_entry.boot import wait, waiters
from sm_ssh_entry.contract import Paths
from tests.boot.container import Container
from tests.waiting import wait_until


def start(container: Container, seconds: str) -> subprocess.Popen[bytes]:
    argv = [str(container.paths.bin / "sm-wait"), seconds]
    return subprocess.Popen(argv, env=container.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_three_waiters_are_all_released(container: Container) -> None:
    processes = [start(container, "60") for _ in range(3)]
    folder = str(container.paths.waiters)
    wait_until(lambda: len(waiters.waiting(folder)) == 3)
    assert container.sm_wait("list").stdout.count("waits for up to") == 3
    assert container.sm_wait("stop").stdout == "[sm-ssh] released 3 waiting\n"
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert not list(container.paths.waiters.iterdir())
    assert container.sm_wait("list").stdout == "[sm-ssh] nothing is waiting\n"


def test_stop_before_anybody_waits_says_so(container: Container) -> None:
    done = container.sm_wait("stop")
    assert (done.returncode, done.stdout) == (0, "[sm-ssh] nothing is waiting\n")
    # And it is not remembered: who waits later waits.
    process = start(container, "0.2")
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_killed_waiter_is_forgotten(container: Container) -> None:
    process = start(container, "60")
    folder = str(container.paths.waiters)
    wait_until(lambda: waiters.waiting(folder))
    process.kill()
    process.communicate()
    assert len(list(container.paths.waiters.iterdir())) == 1
    assert container.sm_wait("stop").stdout == "[sm-ssh] nothing is waiting\n"
    assert not list(container.paths.waiters.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signalled_waiter_leaves_nothing(container: Container, number: int) -> None:
    process = start(container, "60")
    folder = str(container.paths.waiters)
    wait_until(lambda: waiters.waiting(folder))
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert not list(container.paths.waiters.iterdir())


@pytest.mark.parametrize("words", [(), ("soon",), ("-1",), ("nan",), ("inf",), ("stop", "now"), ("",)])
def test_wrong_words_are_told_the_usage(container: Container, words: tuple[str, ...]) -> None:
    done = container.sm_wait(*words)
    assert done.returncode == 2
    assert done.stderr == f"[sm-ssh] {wait.USAGE}\n"


def test_does_not_wait_where_ssh_is_off(container: Container) -> None:
    container.env["START_SSH"] = "false"
    done = container.sm_wait("60")
    assert (done.returncode, done.stdout) == (0, "[sm-ssh] SSH is off: not waiting\n")


def test_does_not_wait_where_ssh_has_failed(container: Container) -> None:
    container.paths.run.mkdir(parents=True)
    container.paths.status.write_text('{"phase": "failed"}')
    assert container.sm_wait("60").stdout == "[sm-ssh] SSH could not be set up: not waiting\n"


def test_unwritable_folder_is_one_line(container: Container) -> None:
    container.paths.run.parent.mkdir()
    container.paths.run.write_text("")
    done = container.sm_wait("60")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_its_folder_is_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    for root in ("", "/a/prefix"):
        monkeypatch.setenv("SM_SSH_ROOT", root)
        assert wait._run_folder() == str(Paths(root).run)
