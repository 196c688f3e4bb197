"""How checks are run: in order of what they need, side by side, none for longer than its time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.doctor import checks
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.examination import examine
from sm_ssh_entry.connect.doctor.findings import Check, Finding, Status, bad, ok, unchecked
from sm_ssh_entry.errors import AccessDenied, SmSshError

CASE = Case(Reach())


def check(name: str, finding: Finding | BaseException, *needs: str, after: Sequence[str] = ()) -> Check:
    def look(_: Case) -> Finding:
        if isinstance(finding, BaseException):
            raise finding
        return finding

    return Check(name, f"the {name}", look, needs=needs, after=tuple(after))


def test_what_needs_a_failed_one_is_not_made_and_says_the_root() -> None:
    found = examine(
        CASE,
        [
            check("a", ok("")),
            check("b", bad("broken", "mend it"), "a"),
            check("c", ok(""), "b"),
            check("d", ok(""), "c"),
            check("e", ok("made"), after=["b", "d"]),
        ],
    )
    assert list(found) == ["a", "b", "c", "d", "e"]
    assert found["d"] == Finding(Status.UNCHECKED, "because of: the b", blocked=True)
    assert found["e"].status is Status.OK


def test_what_could_not_be_checked_holds_up_nothing() -> None:
    found = examine(CASE, [check("a", unchecked("not allowed")), check("b", ok(""), "a")])
    assert found["b"].status is Status.OK
    found = examine(CASE, [check("a", unchecked("nothing there", blocked=True)), check("b", ok(""), "a")])
    assert found["b"] == Finding(Status.UNCHECKED, "nothing there", blocked=True)


def test_errors_become_findings() -> None:
    found = examine(
        CASE,
        [check("denied", AccessDenied("iam:GetRole: access denied")), check("broken", SmSshError("why", hint="how"))],
    )
    assert found["denied"].status is Status.UNCHECKED
    assert found["broken"] == Finding(Status.BAD, "why", "how")


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        examine(CASE, [check("bug", ZeroDivisionError())])


def test_they_run_side_by_side() -> None:
    """Each waits for the other: one after the other they would never end."""
    barrier = threading.Barrier(2, timeout=120)

    def look(_: Case) -> Finding:
        barrier.wait()
        return ok("met")

    found = examine(CASE, [Check("a", "a", look), Check("b", "b", look)])
    assert {one.detail for one in found.values()} == {"met"}


def test_one_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    def look(_: Case) -> Finding:
        release.wait(180)
        return ok("too late")

    told: list[int] = []
    found = examine(
        CASE,
        [Check("slow", "slow", look, seconds=0.2), check("next", ok(""), "slow"), check("other", ok(""))],
        lambda running, waiting: told.append(len(running) + len(waiting)),
    )
    release.set()
    assert found["slow"] == Finding(Status.UNCHECKED, "no answer in time")
    assert found["other"].status is Status.OK
    assert told[0] == 3


def test_the_list_is_sound() -> None:
    names = [one.name for one in checks.CHECKS]
    assert len(names) == len(set(names))
    for one in checks.CHECKS:
        assert {*one.needs, *one.after} <= set(names), one.name
        assert one.seconds <= 40
        assert (one.look.__doc__ or "").rstrip(".").partition("\n")[0], one.name
