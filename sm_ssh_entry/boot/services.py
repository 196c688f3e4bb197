"""supervisord with our additions: it takes orders from boot, watches the agent, and ends with the job.

Runs in the process that supervise made: a session of its own, a subreaper, a clean environment. supervisord's own loop
calls everything here; nothing blocks. Only the parts of supervisor that run programs are loaded, see ``load``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from sm_ssh_entry.boot import log, sessions, status, waiters
from sm_ssh_entry.boot.follow import Follower
from sm_ssh_entry.boot.watch import AgentWatch, News
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed

# supervisor's web interface and what only that needs: a third of its memory and half of its start, for a server that
# our configuration does not have. The last three are optional everywhere: OpenSSL's hashes and two compressions.
_OPTIONAL = ("_hashlib", "bz2", "lzma")
_UNUSED = (
    "xmlrpc.client",
    "http.client",
    "importlib.metadata",
    "importlib.resources",
    "html.parser",
    "supervisor.xmlrpc",
    "supervisor.http",
)
# Written by boot below the state folder, which then says so.
CONFIGURATION = "supervisord.conf"
CONFIGURED = "configured"
_UNREACHED = "the agent cannot open its control channel yet, without which nobody can log in"
_UNREACHED_HINT = "a job in a VPC needs the interface endpoint ssmmessages, or a NAT gateway; the agent's log says more"
_BACKOFF_MAX = 30.0
_KILL_AFTER = 2.0


class _Absent(types.ModuleType):
    """Stands for a module that is imported by name only: every attribute is a class that nobody makes."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


def load() -> tuple[Any, Any, Any]:
    """Import supervisor without its web interface; return its options, events and supervisord modules."""
    absent = {name: _Absent(name) for name in _UNUSED if name not in sys.modules}
    sys.modules.update(absent)
    optional = [name for name in _OPTIONAL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(optional))  # type: ignore[arg-type] # None makes an import of it fail, as documented
    try:
        import http
        import xmlrpc

        import supervisor

        owners = {"http": http, "xmlrpc": xmlrpc, "supervisor": supervisor}
        bound = []
        for name, module in absent.items():
            owner, _, leaf = name.rpartition(".")
            if owner in owners:
                setattr(owners[owner], leaf, module)
                bound.append((owners[owner], leaf))
        from supervisor import events, options, supervisord

        for holder, leaf in bound:
            delattr(holder, leaf)
        return options, events, supervisord
    finally:
        for name in (*absent, *optional):
            sys.modules.pop(name, None)


class Readable:
    """One descriptor in supervisord's loop: calls a function when it can be read.

    Args:
        descriptor: what to poll.
        ready: called then; returns False when the descriptor is done with.
    """

    def __init__(self, descriptor: int, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._open = True
        self.descriptor = descriptor

    def readable(self) -> bool:
        """Tell supervisord whether to poll us."""
        return self._open

    def writable(self) -> bool:
        """Tell supervisord that we never write."""
        return False

    def handle_read_event(self) -> None:
        """Read."""
        self._open = self._ready()

    def handle_error(self) -> None:
        """Go on without this descriptor: what raised was told already."""
        self._open = False
        log.unexpected("services")


class Services:
    """Our additions around one supervisord.

    Args:
        paths: where the container keeps its files.
        orders: descriptor from which boot's orders come: names of programs, one a line; its end is boot's end.
        job: process id of the user's command, with which we end; 0: none.
    """

    def __init__(self, paths: Paths, *, orders: int, job: int) -> None:
        self._paths = paths
        self._orders = orders
        self._job = job
        self._rest = b""
        self._early = b""
        self._supervisor: Any = None
        self._states: Any = None
        self._watch = AgentWatch(time.monotonic())
        self._workers = sessions.Workers()
        self._ticks = 0
        self._hibernation = self._hibernation_mark()
        self._agent_log = Follower(f"{paths.root}/var/log/amazon/ssm/amazon-ssm-agent.log")

    def run(self) -> None:
        """Become supervisord; return when it has stopped all programs.

        Raises:
            SetupFailed: boot ended before it wrote supervisord's configuration.
        """
        # The two halves of the start overlap: boot writes the configuration while we load supervisor.
        options_module, events, supervisord = load()
        self._await_configuration()
        from supervisor import states

        self._states = states
        additions = self

        class Options(options_module.ServerOptions):  # type: ignore[misc, name-defined] # supervisor has no types
            def make_http_servers(self, _supervisor: Any) -> list[Any]:
                return []

        class Supervisor(supervisord.Supervisor):  # type: ignore[misc, name-defined] # supervisor has no types
            def runforever(self) -> None:
                additions.join(self, events)
                super().runforever()

        options = Options()
        options.realize(["-c", str(self._paths.run / CONFIGURATION)], doc="")
        options.first, options.test = True, False
        self._supervisor = Supervisor(options)
        with contextlib.suppress(supervisord.asyncore.ExitNow):
            self._supervisor.main()

    def _await_configuration(self) -> None:
        end = CONFIGURED.encode() + b"\n"
        while end not in self._rest:
            data = os.read(self._orders, 4096)
            if not data:
                raise SetupFailed("the set-up ended before it began", hint="see the lines above")
            self._rest += data
        self._early, self._rest = self._rest.partition(end)[2], b""

    def join(self, supervisor: Any, events: Any) -> None:
        """Enter supervisord's loop, which has just started.

        Args:
            supervisor: the running supervisord.
            events: its events module.
        """
        self._take(self._early)
        table = supervisor.options.get_socket_map()
        table[self._orders] = Readable(self._orders, self._order)
        if self._job:
            with contextlib.suppress(OSError):
                ended = os.pidfd_open(self._job)
                table[ended] = Readable(ended, self._job_ended)
        events.subscribe(events.ProcessLogStdoutEvent, self._heard)
        events.subscribe(events.ProcessStateEvent, self._changed)
        events.subscribe(events.Tick5Event, self._tick)
        # A closed log must not end us, and our children must not inherit that: a handler does both.
        signal.signal(signal.SIGPIPE, lambda *_: None)

    def _order(self) -> bool:
        data = os.read(self._orders, 4096)
        self._take(data)
        if data:
            return True
        # At the end of a job everything is killed, in any order: then nothing has failed.
        over = bool(self._job) and not _exists(self._job)
        if not over and status.read(self._paths).get("phase") in (status.STARTING, status.REGISTERING):
            log.say("ERROR the set-up ended unexpectedly (hint: sm-ssh-entry start tries again)")
            status.update(self._paths, phase=status.FAILED, error="the set-up ended unexpectedly")
            waiters.notify(str(self._paths.waiters), waiters.FAILED)
        return False

    def _take(self, data: bytes) -> None:
        *names, self._rest = (self._rest + data).split(b"\n")
        for name in names:
            program = os.fsdecode(name)
            if program in self._supervisor.process_groups:
                self._begin(program)

    def _begin(self, program: str) -> None:
        process = self._supervisor.process_groups[program].processes[program]
        ends = self._supervisor.options.mood < self._states.SupervisorStates.RUNNING
        if process.state in self._states.STOPPED_STATES and not ends:
            process.spawn()

    def _job_ended(self) -> bool:
        self._supervisor.options.mood = self._states.SupervisorStates.SHUTDOWN
        return False

    def _heard(self, event: Any) -> None:
        data = event.data if isinstance(event.data, bytes) else event.data.encode(errors="replace")
        self._act(self._watch.heard(data, time.monotonic()))

    def _changed(self, event: Any) -> None:
        process = event.process
        state = process.state
        if state == self._states.ProcessStates.BACKOFF:
            # supervisor waits one second longer after each failure, for ever; half a minute is long enough.
            process.delay = min(process.delay, time.time() + _BACKOFF_MAX)
        if process.config.name != "agent":
            return
        if state == self._states.ProcessStates.STARTING:
            self._watch.started(time.monotonic())
            self._agent_log.skip()
        elif state in (self._states.ProcessStates.EXITED, self._states.ProcessStates.BACKOFF):
            self._watch.stopped()
            if status.read(self._paths).get("phase") == status.ONLINE:
                status.update(self._paths, phase=status.REGISTERED)

    def _tick(self, _event: Any) -> None:
        now = time.monotonic()
        self._ticks += 1
        if self._job and not _exists(self._job):
            self._job_ended()
        mark = self._hibernation_mark()
        if mark != self._hibernation:
            self._hibernation = mark
            if self._watch.running:
                self._watch.slept(now)
        if self._watch.running:
            self._act(self._watch.heard(self._agent_log.added(), now))
        self._act(self._watch.tick(now))
        if self._ticks % 12 == 0:
            for pid in self._workers.abandoned(os.getpid(), now):
                log.say(f"ended a session worker whose client has vanished (process {pid})")
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)

    def _act(self, news: News | None) -> None:
        if news is News.ONLINE:
            status.update(self._paths, phase=status.ONLINE, error=None, hint=None, mark="online")
        elif news is News.UNREACHED:
            log.say(f"WARNING {_UNREACHED} (hint: {_UNREACHED_HINT})")
            status.update(self._paths, error=_UNREACHED, hint=_UNREACHED_HINT)
        elif news is News.RESTART:
            process = self._supervisor.process_groups["agent"].processes["agent"]
            if process.pid:
                log.say("the agent hibernates after being throttled or refused; starting it again")
                status.update(self._paths, phase=status.REGISTERED)
                # Not an administrative stop: supervisord starts again what ends by itself.
                with contextlib.suppress(OSError):
                    os.kill(process.pid, signal.SIGTERM)

    def _hibernation_mark(self) -> int:
        try:
            return os.stat(f"{self._paths.root}/var/log/amazon/ssm/hibernate.log").st_mtime_ns  # noqa: PTH116
        except OSError:
            return 0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def end_descendants() -> None:
    """End whatever still runs below us: logins, session workers, what they left behind. We are their reaper."""
    from sm_ssh_entry.boot import procfs

    deadline = time.monotonic() + _KILL_AFTER
    hard = deadline - _KILL_AFTER / 2
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        left = procfs.descendants(os.getpid(), procfs.processes())
        if not left:
            return
        number = signal.SIGKILL if time.monotonic() > hard else signal.SIGTERM
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process.pid, number)
        time.sleep(0.05)
