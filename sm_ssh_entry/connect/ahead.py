"""Two halves of a login at once: AWS is asked in a helper process while this one loads what the channel needs.

Each half is mostly imports, 0.2 s and 0.1 s of them, and one Python process does one at a time. The helper ends as soon
as it has handed its ticket over, so that the process that stays for the whole login holds no AWS client, 25 MB less.

Linux alone: it can fork before any thread and any library is there, which makes it safe. Elsewhere a thread loads.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sm_ssh_entry import errors
from sm_ssh_entry.connect.opening import Jump, Ticket
from sm_ssh_entry.errors import SessionFailed, SmSshError

_LOOK_SECONDS = 0.2


def ticket(
    obtain: Callable[[], Ticket | Jump],
    give_up: Callable[[str], None],
    load: Callable[[], None],
    is_left: Callable[[], bool] = lambda: False,
) -> Ticket | Jump:
    """Obtain a ticket, or what leads on from another node, and load meanwhile.

    Args:
        obtain: asks AWS.
        give_up: ends a session, by its id, that nobody waits for any more.
        load: imports what will be needed next.
        is_left: whether nobody waits for the ticket any more; asked now and then. Linux.

    Raises:
        SmSshError: what ``obtain`` raised.
        KeyboardInterrupt: nobody waits. The helper goes on without us, and ends the session if it gets one.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        threading.Thread(target=load, name="load", daemon=True).start()
        return obtain()
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError:  # no process to be had: one after the other, then
        os.close(reader)
        os.close(writer)
        return obtain()
    if child == 0:
        os.close(reader)
        _help(writer, obtain, give_up)
    os.close(writer)
    load()
    with os.fdopen(reader, "rb") as pipe:
        while not select.select([pipe], [], [], _LOOK_SECONDS)[0]:
            if is_left():
                os.kill(child, signal.SIGTERM)
                raise KeyboardInterrupt
        said = pipe.read()
    os.waitpid(child, 0)
    return _understood(said)


def _help(writer: int, obtain: Callable[[], Ticket | Jump], give_up: Callable[[str], None]) -> None:
    """Be the helper; never returns."""
    status = 1
    # Nobody waits any more, and nobody shall wait for the end of our streams.
    signal.signal(signal.SIGTERM, _let_go)
    try:
        try:
            found = obtain()
            said: dict[str, Any] = {"found": type(found).__name__, **asdict(found)}
        except SmSshError as error:
            found = None
            said = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        try:
            os.write(writer, json.dumps(said).encode("utf-8"))  # below 4096 bytes, which a pipe takes whole
        except BrokenPipeError:  # nobody is there to use it
            if isinstance(found, Ticket):
                give_up(found.session_id)
        status = 0
    except Exception:  # noqa: BLE001 - the last stop of this process
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _let_go(*_: object) -> None:
    from sm_ssh_entry.connect import stdio

    stdio.let_go(0, 1, 2)


def _understood(said: bytes) -> Ticket | Jump:
    if not said:
        raise SessionFailed("the helper that asks AWS died", hint="SM_SSH_DEBUG=1 shows more")
    answer = json.loads(said)
    if "error" in answer:
        kind = getattr(errors, answer["error"])
        raise kind(answer["message"], hint=answer["hint"])
    kinds: dict[str, type[Ticket] | type[Jump]] = {"Ticket": Ticket, "Jump": Jump}
    return kinds[answer.pop("found")](**answer)
