"""Waiting for a node: often at first, then every few seconds, with the job's own progress told as it changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from sm_ssh_entry.connect import diagnose, jobs, opening, places, registered
from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.connect.places import Place
from sm_ssh_entry.errors import ConnectionLost, NotFound, NotRegistered, SmSshError, Throttled, TimedOut

REGISTERED, ONLINE, SSH = "registered", "online", "ssh"
GOALS = (REGISTERED, ONLINE, SSH)
_GOAL_WORDS = {REGISTERED: "registered", ONLINE: "Online", SSH: "reachable by ssh"}
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 3.0
# How often SageMaker is asked: a job's status changes seldom, and DescribeTrainingJob is throttled early.
_JOB_PAUSE = 5.0
# A job that is being submitted while we already wait is not an error yet.
_SUBMISSION_GRACE = 15.0


def wait(
    access: Access,
    target: Target,
    *,
    timeout: float,
    progress: Callable[[str], None],
    goal: str = ONLINE,
    reach: Reach = Reach(),  # noqa: B008 - frozen
) -> Node:
    """Wait until a node is Online, or as far as is asked for, and return it.

    Args:
        access: account and region.
        target: whom to wait for.
        timeout: seconds.
        progress: told one line whenever something has changed.
        goal: one of GOALS.
        reach: which way, and which of several.

    Raises:
        NotFound: there is no such job.
        NotRegistered: the job has ended and its node never came.
        ConnectionLost: the job has ended and its node is gone.
        TimedOut: the deadline passed; the message says how far it got.
    """
    look = _looker(access, target, reach, goal)
    watch = _Watch(access, target, progress)
    started = time.monotonic()
    pause, clock = _FIRST_PAUSE, threading.Event()
    while True:
        node = _there(look, target, watch)
        if node:
            return node
        waited = time.monotonic() - started
        watch.ask_job(waited)
        if waited + pause > timeout:
            clock.wait(max(0.0, timeout - waited))
            node = _there(look, target, watch)
            if node:
                return node
            raise TimedOut(
                f"{target.host} was not {_GOAL_WORDS[goal]} within {timeout:g} s: {watch.state}",
                hint="wait longer with --timeout, or look at the job's log",
            )
        clock.wait(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


class _Watch:
    """What is known so far, told when it changes."""

    def __init__(self, access: Access, target: Target, progress: Callable[[str], None]) -> None:
        self.state = "no node has registered"
        self.lost: ConnectionLost | None = None
        #: Whether the last look has said why there is nothing yet: it knows better than the job's status.
        self.explained = False
        self._access, self._target, self._progress = access, target, progress
        self._sagemaker: Any = None
        self._next_ask = 0.0
        self._may_ask = jobs.describable(target)

    def tell(self, state: str) -> None:
        """Report a state, once."""
        if state != self.state:
            self.state = state
            self._progress(state)

    def ask_job(self, waited: float) -> None:
        """Ask SageMaker how the job is, not too often; raise where no node can come any more."""
        if not self._may_ask or waited < self._next_ask:
            return
        self._next_ask = waited + _JOB_PAUSE
        try:
            self._sagemaker = self._sagemaker or self._access.client("sagemaker")
            job = jobs.ask(self._sagemaker, self._target)
        except SmSshError as error:
            self._may_ask = isinstance(error, Throttled)
            return
        if job is None:
            if waited >= _SUBMISSION_GRACE:
                raise self.lost or diagnose.no_node(self._access, self._target)
            self.tell(f"no {jobs.noun(self._target)} {self._target.resource} yet")
        elif job.ended:
            raise self.lost or diagnose.not_registered(job, self._target)
        elif not (self.lost or self.explained):
            self.tell(f"{job.noun} is {job.state}, no node has registered")


def _looker(access: Access, target: Target, reach: Reach, goal: str) -> Callable[[], Node | None]:
    """Return what looks once whether the goal is reached."""
    if reach.via == "native" or target.kind == "hyperpod":

        def place() -> Place | None:
            try:
                return places.look(access, target, reach)
            except NotFound as error:
                if not jobs.describable(target):
                    raise
                raise NotRegistered(error.message, hint=error.hint) from error  # it may be on its way: the job says
    else:
        search = registered.Search(access, target, reach.index)
        if goal == REGISTERED:
            return lambda: _first_alive(search.matching())

        def place() -> Place | None:
            found = search.find()
            return Place(found.node) if found else None

    def look() -> Node | None:
        found = place()
        if found and goal == SSH:
            _require_sshd(access, found)
        return found.node if found else None

    return look


def _first_alive(found: Sequence[Node]) -> Node | None:
    """Return a node that is Online or on its way there: one that never reported. Those that were lost are others."""
    return next((node for node in found if node.online or not node.agent_version), None)


def _require_sshd(access: Access, place: Place) -> None:
    """Open a session and raise NotRegistered until an sshd answers: that is when the login would work."""
    from sm_ssh_entry.connect import greeting
    from sm_ssh_entry.connect.connect import port_of

    port = port_of(place.node)
    ticket = places.start(access, place, opening.DOCUMENT, {"portNumber": str(port)}, reason="sm-ssh wait")
    if not greeting.is_sshd(greeting.read(ticket, lambda: access.client("ssm"))):
        raise NotRegistered(f"{place.node.node_id} is Online, its sshd does not answer on port {port}")


def _there(look: Callable[[], Node | None], target: Target, watch: _Watch) -> Node | None:
    watch.explained = False
    try:
        return look()
    except NotRegistered as error:
        watch.explained = True
        watch.tell(error.message)
        return None
    except ConnectionLost as error:
        watch.lost = error
        # Without the name, which stands before it, and without the time, which would make it a new state each second.
        watch.tell(error.message.removeprefix(f"{target.host}: ").partition(", last heard")[0])
        return None
