"""Takes away what a job has on the engine when ``sm-ssh local run`` is over, however it ends, SIGKILL included.

A process of its own that waits for the end of its standard input, whose other end only its parent holds. It runs as a
program (``python -m sm_ssh_entry.plane.warden SECONDS OWNS FOLDER KIND NAME``). The job's lock is open in it as well:
once that can be taken, nobody looks after the job any more, and the next ``sm-ssh local run`` does what is left to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.errors import PlaneDown, ServiceError, SmSshError
from sm_ssh_entry.plane import containers, daemon, local_job
from sm_ssh_entry.plane.jobs import Job

# What the parent says when the job is over and its containers have ended, or are to be killed.
DONE = b"done"
_LOCK = "lock"
_UNDER_WAY_SECONDS = 2.0


class Warden:
    """The warden of one job, as its parent sees it.

    Args:
        place: where the job runs.
        stop_seconds: how long its containers have to end if the parent is killed.
    """

    def __init__(self, place: local_job.Place, stop_seconds: float) -> None:
        job = place.job
        lock = _locked(job.folder)
        if lock is None:
            raise RuntimeError("a folder made for this job is locked")
        words = [f"{stop_seconds:g}", "owns" if place.started else "shares", job.folder, job.kind, job.name]
        try:
            self._process = command.spawn(
                [sys.executable, "-I", "-m", "sm_ssh_entry.plane.warden", *words],
                stdin=command.PIPE,
                new_session=True,
                pass_fds=(lock,),
            )
        finally:
            os.close(lock)

    def dismiss(self) -> None:
        """Have it remove what is there, and wait until it has."""
        # It reads to the end and then works: communicate would wait for its output, which is ours.
        sink = self._process.stdin
        if sink is not None:
            with contextlib.suppress(OSError), sink:
                sink.write(DONE)
        self._process.wait()


@contextlib.contextmanager
def watched(place: local_job.Place, stop_seconds: float) -> Iterator[None]:
    """Have what a job makes on the engine removed at the end of the block, or of this process.

    Args:
        place: where the job runs.
        stop_seconds: see ``Warden``.
    """
    warden = Warden(place, stop_seconds)
    try:
        yield
    finally:
        warden.dismiss()


def sweep(where: Path) -> int:
    """Remove what jobs have left that nobody looks after: a machine that went down took their wardens along.

    Args:
        where: the plane's folder; other planes' jobs are theirs.

    Returns:
        How many jobs had left something.
    """
    swept = 0
    for folder in containers.folders():
        if where not in Path(folder).parents:
            continue
        lock = _locked(Path(folder)) if Path(folder).is_dir() else -1
        if lock is None:
            continue
        try:
            containers.remove(folder)
            swept += 1
        finally:
            if lock >= 0:
                os.close(lock)
    return swept


def _locked(folder: Path) -> int | None:
    """Take a job's lock and return its descriptor; None: somebody has it."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _clear(folder: str, state: daemon.State | None) -> None:
    gateways = containers.gateways(folder)
    try:
        containers.remove(folder)
    finally:
        for gateway in gateways:
            with contextlib.suppress(PlaneDown, ServiceError):
                if state is not None:
                    daemon.ask(state, "POST", "unlisten", {"address": gateway})


def main(argv: list[str]) -> int:
    """Wait for the parent's end, then take the job away.

    Args:
        argv: see the module's first lines.
    """
    seconds, owns, folder, kind, name = argv
    orphaned = sys.stdin.buffer.read() != DONE
    where = daemon.folder()
    state = daemon.running(where)
    try:
        if orphaned:
            containers.stop(folder, float(seconds))
            _clear(folder, state)
            # What the parent had asked for when it was killed may have been made only now.
            time.sleep(_UNDER_WAY_SECONDS)
        _clear(folder, state)
    except SmSshError as error:
        print(f"sm-ssh: {error.message}", file=sys.stderr)
        return error.exit_code
    finally:
        if orphaned and state is not None:
            local_job.note(Job(name, (), where, kind=kind), state, "Stopped")
            if owns == "owns":
                daemon.stop(where)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
