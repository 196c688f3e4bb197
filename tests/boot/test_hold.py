from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.boot import hold, waiters
from sm_ssh_entry.boot.hold import Event
from sm_ssh_entry.contract import Paths


class Fake:
    """A hold whose services are a pipe of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.fifo, self.path = waiters.open_fifo(self.folder, time.time() + 60)
        self.life, self.services = os.pipe()
        self.signals, self.signal_end = os.pipe2(os.O_NONBLOCK)
        pipe = self

        class Pipe:
            descriptor = pipe.signals

            def read(self) -> list[int]:
                return list(os.read(pipe.signals, 64))

        self.hold = hold.Hold(self.fifo, self.life, Pipe())  # type: ignore[arg-type] # the two members that it uses

    def next(self, seconds: float = 10.0) -> Event:
        return self.hold.next(time.monotonic() + seconds)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    made = Fake(tmp_path)
    yield made
    for descriptor in (made.fifo, made.life, made.signals, made.signal_end):
        os.close(descriptor)


@pytest.mark.parametrize(
    ("word", "event"),
    [
        (waiters.STOP, Event.STOP),
        (waiters.READY, Event.READY),
        (waiters.ALONE, Event.ALONE),
        (waiters.FAILED, Event.FAILED),
        (b"noise\n" + waiters.STOP, Event.STOP),
    ],
)
def test_words(fake: Fake, word: bytes, event: Event) -> None:
    waiters.notify(fake.folder, word)
    assert fake.next() is event
    os.close(fake.services)


def test_deadline_and_the_services_end(fake: Fake) -> None:
    assert fake.next(0.01) is Event.DEADLINE
    os.close(fake.services)
    assert fake.next() is Event.DIED
    # Told once: a wait that goes on is not woken by it for ever.
    assert fake.next(0.01) is Event.DEADLINE


def test_only_a_stop_is_a_signal(fake: Fake) -> None:
    os.write(fake.signal_end, bytes([signal.SIGCHLD, signal.SIGUSR1]))
    assert fake.next(0.05) is Event.DEADLINE
    os.write(fake.signal_end, bytes([signal.SIGTERM]))
    assert (fake.next(), fake.hold.signal) == (Event.SIGNAL, signal.SIGTERM)
    os.close(fake.services)


def test_failure_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = Paths(str(tmp_path))
    hold.write_failure(paths, "x" * 5000)
    assert len(paths.failure.read_text()) == 1024
    (paths.ml / "config").mkdir()
    (paths.ml / "config" / "processingjobconfig.json").write_text(json.dumps({}))
    hold.write_failure(paths, "because")
    assert paths.failure.with_name("message").read_text() == "[sm-ssh] because"
    assert capfd.readouterr().err == ""
    blocked = Paths(str(tmp_path / "blocked"))
    (tmp_path / "blocked" / "opt").mkdir(parents=True)
    (tmp_path / "blocked" / "opt" / "ml").write_text("")
    hold.write_failure(blocked, "because")
    assert "WARNING cannot write" in capfd.readouterr().err


def test_services_are_nobodys_child(tmp_path: Path) -> None:
    code = f"""
import os
from sm_ssh_entry.boot import hold, status
from sm_ssh_entry.contract import Paths
paths = Paths({str(tmp_path)!r})
status.prepare(paths)
life = hold.launch(paths, {{b"SM_SSH_ROOT": b"/proc/none"}}, job=os.getpid(), word="")
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("none")
print(os.read(life, 1) == b"")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "none\nTrue\n"
    assert done.stderr.startswith("[sm-ssh] ERROR cannot write /proc/none/run/sm-ssh")
