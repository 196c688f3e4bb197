"""The same question to several regions at once, within a bounded time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.fleet.listing import Entry, Listing, Question
from sm_ssh_entry.errors import SmSshError

PATIENCE = 30.0
# One answer; a region that is far away takes about half a second.
_TIMEOUT = 8.0
_AT_ONCE = 12


@dataclass(frozen=True)
class Answer:
    """What one region said.

    Attributes:
        region: its name.
        entries: what is there.
        notes: what could not be found out, or why nothing could.
    """

    region: str
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()


def ask(accesses: Sequence[Access], question: Question, *, patience: float = PATIENCE) -> Iterator[Answer]:
    """Give the answers of regions as they come, and at the end those that have not come in time.

    A region that the account has not enabled refuses the credentials: that is a note like any other.

    Args:
        accesses: one for each region.
        question: what is asked for; its limit holds for each region.
        patience: seconds in all.
    """
    todo: queue.SimpleQueue[Access] = queue.SimpleQueue()
    for access in accesses:
        todo.put(access)
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                access = todo.get_nowait()
            except queue.Empty:
                return
            answers.put(_answer(access, question))

    for number in range(min(_AT_ONCE, len(accesses))):
        # Daemons: whoever is still waiting for a far region must not hold up our exit.
        threading.Thread(target=work, name=f"region-{number}", daemon=True).start()
    missing = {access.effective_region for access in accesses}
    deadline = time.monotonic() + patience
    try:
        while missing:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            missing.discard(answer.region)
            yield answer
    except queue.Empty:
        for region in sorted(missing):
            yield Answer(region, notes=(f"{region}: no answer within {patience:g} s",))
    finally:
        stopped.set()


def _answer(access: Access, question: Question) -> Answer:
    region = access.effective_region
    try:
        listing = Listing(access, question, timeout=_TIMEOUT, attempts=2)
        entries = tuple(listing)
    except SmSshError as error:
        return Answer(region, notes=(f"{region}: {error.message}",))
    return Answer(region, entries, tuple(f"{region}: {note}" for note in listing.notes))
