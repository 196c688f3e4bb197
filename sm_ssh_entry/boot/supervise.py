"""Starts the container's services and stays as their supervisor.

Runs in the background, as the container's user, started by the stub or by job, with nothing but a log on descriptors 1
and 2. It may rely on nothing: no state folder, no sshd, no agent, any environment. Boot's steps run in a child, with
the job's environment; supervisord runs here, with a clean one. Both begin at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_ssh_entry.boot.settings import Settings
    from sm_ssh_entry.contract import Paths

# Only what is cheap is imported above: the stub imports this module to see whether our Python works.
_PR_SET_CHILD_SUBREAPER = 36
_DESCRIPTORS = 1024


def parse(words: Sequence[str]) -> tuple[int, str, bool]:
    """Read the command line that our own programs wrote.

    Returns the job's process id (0: none), the first word of its command, and whether status.json is this start's.

    Args:
        words: pairs of ``--job PID``, ``--word WORD``, ``--prepared yes``.
    """
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    return int(pairs.get("--job", "0")), pairs.get("--word", ""), pairs.get("--prepared") == "yes"


def lock(run: str, name: str = "lock") -> int | None:
    """Take the lock that says services run here, or another of its kind; None where somebody has it.

    The kernel gives it back when this process ends, however it ends. Children do not inherit it.

    Args:
        run: the state folder.
        name: the lock's file.
    """
    descriptor = os.open(f"{run}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for tries in range(3):
        if tries:
            # Somebody may only have looked, see running.
            time.sleep(0.02)
        with contextlib.suppress(OSError):
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    os.close(descriptor)
    return None


def running(run: str, name: str = "lock") -> bool:
    """Tell whether services run here. Must not be asked by the process that holds the lock.

    Args:
        run: the state folder.
        name: the lock's file.
    """
    try:
        descriptor = lock(run, name)
    except OSError:
        return False
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def detach() -> None:
    """Leave the stub's session and become the reaper of everything below us."""
    with contextlib.suppress(OSError):
        os.setsid()
    # A shell starts its background commands with these two ignored; logins must not inherit that.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main(words: Sequence[str]) -> int:
    """Start everything and supervise it until the job ends or we are told to stop; return our exit status.

    Args:
        words: the command line without the program's name.
    """
    from sm_ssh_entry.boot import log
    from sm_ssh_entry.errors import SmSshError

    try:
        return _supervise(*parse(words))
    except SmSshError as error:
        log.fail(error)
    except Exception:  # noqa: BLE001 # whatever it is, the job must not see more of it than one line
        log.unexpected("services")
    return 1


def _supervise(job: int, word: str, prepared: bool) -> int:
    from sm_ssh_entry.boot import environment, settings, status
    from sm_ssh_entry.contract import Paths

    if not prepared:
        # The stub handed us every descriptor that the container was given; they are the user's command's.
        os.closerange(3, _DESCRIPTORS)
    given = environment.given()
    env = environment.text(given)
    asked = settings.read(env)
    paths = Paths(asked.root)
    os.umask(0o077)
    detach()
    status.prepare(paths)
    held = lock(str(paths.run))
    if held is None:
        return 0
    main = {} if prepared else {"main": job or None}
    status.update(paths, fresh=not prepared, phase=status.STARTING, services=os.getpid(), mark="started", **main)
    status.write_private(paths.environment, environment.snapshot(given))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_boot(env, asked, paths, word, writing))
    os.close(writing)
    clean = environment.service(env, paths)
    os.environ.clear()
    os.environ.update(clean)
    os.chdir("/")
    from sm_ssh_entry.boot.services import Services, end_descendants

    Services(paths, orders=reading, job=job).run()
    end_descendants()
    status.update(paths, phase=status.STOPPED, services=None, mark="stopped")
    return 0


def _boot(env: dict[str, str], asked: Settings, paths: Paths, word: str, orders: int) -> int:
    """Take boot's steps, in the child; return its exit status."""
    from sm_ssh_entry.boot import log, start
    from sm_ssh_entry.boot.services import CONFIGURED

    os.environ.clear()
    os.environ.update({name: value for name, value in env.items() if name not in ("LD_PRELOAD", "LD_LIBRARY_PATH")})
    try:
        _configure(asked, paths)
        _tell(orders, CONFIGURED)
        node = start.Node(
            env=env,
            settings=asked,
            paths=paths,
            begin=lambda program: _tell(orders, program),
            word=word,
        )
        return 0 if start.run(node) else 1
    except Exception:  # noqa: BLE001 # see main
        log.unexpected("set-up")
        start.give_up(paths, "the set-up failed unexpectedly", "see the container's log")
        return 1


def _tell(orders: int, program: str) -> None:
    os.write(orders, program.encode() + b"\n")


def _configure(asked: Settings, paths: Paths) -> None:
    """Write supervisord's configuration; here, because the long-lived process need not load what this takes."""
    import shlex

    from sm_ssh_entry.boot import agent, layout, sshd, status
    from sm_ssh_entry.boot.services import CONFIGURATION
    from sm_ssh_entry.errors import SetupFailed

    try:
        words = agent.argv(asked.agent)
    except SetupFailed:
        # Boot says so; supervisord needs some word here.
        words = (agent.OFFICIAL,)
    programs = {"sshd": sshd.argv(sshd.program() or "sshd", paths), "agent": words}
    values = {name: shlex.join(argv).replace("%", "%%") for name, argv in programs.items()}
    values["run"] = str(paths.run).replace("%", "%%")
    status.write_private(paths.run / CONFIGURATION, layout.render("supervisord.conf", values).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
