"""What a check is, and what it may find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_ssh_entry.connect.doctor.case import Case


class Status(Enum):
    """How it stands with one thing."""

    OK = "OK"
    BAD = "not OK"
    UNCHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        status: how it stands.
        detail: one line: what was seen, what is wrong, or why it was not checked.
        fix: one command, one policy statement or one sentence; ``""``: nothing to do.
        blocked: whether it was not checked because of another check that is not OK.
    """

    status: Status
    detail: str
    fix: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: area and thing, ``client.ssh``: stable, for scripts.
        title: what is asked, for people.
        look: looks. An AccessDenied that it raises means that it could not be checked, any other expected error that
            it is not OK.
        needs: checks that must not have failed.
        after: checks that must be over, whatever they found.
        seconds: how long it may take.
    """

    name: str
    title: str
    look: Callable[[Case], Finding]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    seconds: float = 15.0


def ok(detail: str) -> Finding:
    """Return that it is in order."""
    return Finding(Status.OK, detail)


def bad(detail: str, fix: str) -> Finding:
    """Return that it is not in order, and the fix."""
    return Finding(Status.BAD, detail, fix)


def unchecked(why: str, *, blocked: bool = False) -> Finding:
    """Return that it could not be checked, or need not be.

    Args:
        why: why.
        blocked: whether what needs this one cannot be checked either.
    """
    return Finding(Status.UNCHECKED, why, blocked=blocked)
