"""Running the checks: side by side, each when what it needs is known, none for longer than its time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Check, Finding, Status, bad, unchecked
from sm_ssh_entry.errors import AccessDenied, SmSshError

Told = Callable[[Sequence[Check], Sequence[Check]], None]


def examine(case: Case, checks: Sequence[Check], told: Told = lambda _running, _waiting: None) -> dict[str, Finding]:
    """Run the checks and return what each found, in their order.

    A check that takes too long is left behind in its thread, and those that need it are not made.

    Args:
        case: what is examined.
        checks: with each what it needs or comes after, where that is among them.
        told: told which checks run and which wait, whenever that changes, and every half second.
    """
    found: dict[str, Finding] = {}
    answers: queue.SimpleQueue[tuple[str, Finding | BaseException]] = queue.SimpleQueue()
    deadlines: dict[str, float] = {}
    waiting = list(checks)
    names = {check.name for check in checks}
    titles = {check.name: check.title for check in checks}
    while len(found) < len(checks):
        for check in list(waiting):
            if any(name in names and name not in found for name in (*check.needs, *check.after)):
                continue
            waiting.remove(check)
            blocker = next((name for name in check.needs if name in names and _failed(found[name])), "")
            if blocker:
                why = found[blocker].detail if found[blocker].blocked else f"because of: {titles[blocker]}"
                found[check.name] = Finding(Status.UNCHECKED, why, blocked=True)
                continue
            deadlines[check.name] = time.monotonic() + check.seconds
            # Daemons: whoever is still waiting for an answer must not hold up our exit.
            threading.Thread(target=_work, args=(check, case, answers), name=check.name, daemon=True).start()
        told([check for check in checks if check.name in deadlines], waiting)
        _collect(answers, deadlines, found)
    return {check.name: found[check.name] for check in checks}


def _collect(
    answers: queue.SimpleQueue[tuple[str, Finding | BaseException]],
    deadlines: dict[str, float],
    found: dict[str, Finding],
) -> None:
    """Take one answer, or give up those whose time is over; return at once where nothing runs."""
    if not deadlines:
        return
    try:
        name, answer = answers.get(timeout=max(0.0, min(0.5, min(deadlines.values()) - time.monotonic())))
    except queue.Empty:
        for name in [name for name, deadline in deadlines.items() if deadline <= time.monotonic()]:
            del deadlines[name]
            found[name] = unchecked("no answer in time")
        return
    if isinstance(answer, BaseException):
        raise answer
    if deadlines.pop(name, None) is not None:
        found[name] = answer


def _failed(finding: Finding) -> bool:
    return finding.status is Status.BAD or finding.blocked


def _work(check: Check, case: Case, answers: queue.SimpleQueue[tuple[str, Finding | BaseException]]) -> None:
    answer: Finding | BaseException
    try:
        answer = check.look(case)
    except AccessDenied as error:
        answer = unchecked(error.message)
    except SmSshError as error:
        answer = bad(error.message, error.hint)
    except BaseException as error:  # noqa: BLE001 - raised again where somebody can see it
        answer = error
    answers.put((check.name, answer))
