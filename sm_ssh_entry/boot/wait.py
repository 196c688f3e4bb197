"""``sm-wait stop | list | SECONDS``, in the container, as anybody who may read our state folder.

From ``sm-wait stop`` to the first instruction of what was held at most 100 ms may pass, our own start included: hence
no argument parser, no pathlib, and no import that one of the three forms does not need.
"""

from __future__ import annotations

import os
import sys
from types import FrameType

from sm_ssh_entry.boot import waiters

USAGE = "usage: sm-wait stop | list | SECONDS"
_SECONDS_MAX = 30 * 86400.0


def _run_folder() -> str:
    # The same path as contract.Paths.run, which a test compares; importing it would cost 25 ms.
    return os.environ.get("SM_SSH_ROOT", "") + "/run/sm-ssh"


def _say(text: str) -> None:
    os.write(1, f"[sm-ssh] {text}\n".encode())


def stop(folder: str) -> int:
    """Release everybody who waits; that nobody does is no error.

    Args:
        folder: the waiters' folder.
    """
    released = waiters.notify(folder, waiters.STOP)
    _say(f"released {len(released)} waiting" if released else "nothing is waiting")
    return 0


def listing(folder: str) -> int:
    """Print who waits and for how long still, one line each.

    Args:
        folder: the waiters' folder.
    """
    import time

    found = waiters.waiting(folder)
    for pid, deadline in found:
        _say(f"process {pid} waits for up to {max(0, deadline - int(time.time()))} s")
    if not found:
        _say("nothing is waiting")
    return 0


def hold(folder: str, seconds: float) -> int:
    """Wait until ``sm-wait stop``, until SSH has failed for good, or until the time is over.

    Args:
        folder: the waiters' folder.
        seconds: how long at most.
    """
    import select
    import signal
    import time

    def interrupted(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)
    end = time.monotonic() + seconds
    descriptor, path = waiters.open_fifo(folder, time.time() + seconds)
    try:
        if _failed(folder):
            _say("SSH could not be set up: not waiting")
            return 0
        _say(f"waiting up to {seconds:g} s; sm-wait stop ends it")
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            if poll.poll(left * 1000) and {waiters.STOP, waiters.FAILED} & set(waiters.words(descriptor)):
                break
    finally:
        waiters.remove(path)
    return 0


def _failed(folder: str) -> bool:
    import json

    try:
        with open(os.path.join(os.path.dirname(folder), "status.json"), "rb") as file:  # noqa: PTH118, PTH120
            return bool(json.load(file).get("phase") == "failed")
    except (OSError, ValueError, AttributeError):
        return False


def main(words: list[str]) -> int:
    """Run one command; return its exit status.

    Args:
        words: the command line without the program's name.
    """
    run = _run_folder()
    folder = run + "/waiters"
    word = words[0] if len(words) == 1 else ""
    if word in ("stop", "list"):
        return stop(folder) if word == "stop" else listing(folder)
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _SECONDS_MAX:
        os.write(2, f"[sm-ssh] {USAGE}\n".encode())
        return 2
    if os.environ.get("START_SSH") != "true" and not os.path.isdir(run):  # noqa: PTH112
        _say("SSH is off: not waiting")
        return 0
    try:
        return hold(folder, seconds)
    except OSError as error:
        os.write(2, f"[sm-ssh] ERROR cannot wait in {run} ({error.strerror}) (hint: it must be writable)\n".encode())
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
