"""What setup_and_start_ssh() does: once per container under a lock, install what is missing, start, and wait.

Runs in the user's process, on any Python from 3.8 on, and starts our programs as children. The first caller holds
the lock until its wait is over; the others wait for it. Who takes it from a caller that was killed goes on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sm_ssh_entry import command, contract
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, SmSshError
from sm_ssh_entry.in_script.telling import describe, relay, say

LOCK, OUTCOME, LOG = "in-script.lock", "in-script.json", "start.log"
# How far setup_and_start_ssh() has come in this container.
BEGUN, BEHIND, OVER = "begun", "behind", "over"
# /opt/sm-ssh has this file while it is being installed: without its removal it is not whole.
UNFINISHED = ".unfinished"
_REGISTRATION = 300.0
_ENTRYPOINT = 3.0
_WAIT_MAX = 30 * 86400.0


def enter(env: Mapping[str, str], *, behind: bool = False) -> None:
    """Set SSH up, start it and wait, as the variables of the contract say.

    Args:
        env: the script's environment, in which START_SSH is ``true``.
        behind: this process is the one that works behind the script.

    Raises:
        SmSshError: it cannot be done, and SSH_ON_ERROR is ``fail``.
    """
    fails = env.get(contract.SSH_ON_ERROR, "").strip().lower() == "fail"
    try:
        _enter(env, Paths(env.get(contract.ROOT, "")), behind=behind, fails=fails)
    except SmSshError as error:
        if fails:
            raise
        say(f"ERROR {describe(type(error)(error.message + '; the script goes on without SSH', hint=error.hint))}")
    except Exception as error:
        # Whatever it is, it must not cost the job. Its text may hold anything: only its kind is told.
        if fails:
            raise
        say(f"ERROR in-script set-up: {type(error).__name__}; the script goes on without SSH (hint: SSH_ON_ERROR=fail)")


def present(paths: Paths) -> bool:
    """Whether the layer is in this container, whole: built into the image, or installed by an earlier call.

    Args:
        paths: where the container keeps its files.
    """
    return paths.entry.is_file() and not (paths.home / UNFINISHED).exists()


def status(paths: Paths) -> dict[str, Any]:
    """Return what our services say of themselves; empty where they were never started, or are another user's.

    Args:
        paths: where the container keeps its files.
    """
    return _load(paths.status)


def _enter(env: Mapping[str, str], paths: Paths, *, behind: bool, fails: bool) -> None:
    done = _outcome(paths)
    if done.get("state") == BEHIND and not behind:
        # The lock is held for as long as that takes, and nobody was asked to wait.
        say("SSH is being set up behind the script by another process of this container")
        return
    with _turn(paths):
        done = _outcome(paths)
        if done.get("state") == OVER or (done.get("state") == BEHIND and not behind):
            _tell_outcome(paths, done)
            return
        if not done and present(paths) and _entrypoint(paths):
            say(f"SSH was started by the image's entrypoint and is {_standing(paths)}: nothing to do in the script")
            return
        seconds = _wait_seconds(env)
        if not (behind or fails or seconds) and sys.executable:
            _keep(paths, state=BEHIND)
            _go_behind(env, paths)
            return
        try:
            _keep(paths, state=BEHIND if behind else BEGUN, process=os.getpid(), since=done.get("since"))
            _install(env, paths)
            _start(env, paths)
            if seconds and status(paths).get("phase") != "sshd-only":
                since = float(done.get("since") or time.time())
                _keep(paths, state=BEGUN, since=since)
                _wait(env, paths, since + seconds - time.time())
        except SmSshError as error:
            _keep(paths, state=OVER, error=error.message, hint=error.hint)
            raise
        except Exception as error:
            _keep(paths, state=OVER, error=f"in-script set-up: {type(error).__name__}")
            raise
        _keep(paths, state=OVER)


@contextlib.contextmanager
def _turn(paths: Paths) -> Iterator[None]:
    """Hold the container's lock. The kernel takes it from a process that dies."""
    try:
        paths.run.parent.mkdir(parents=True, exist_ok=True)
        paths.run.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(str(paths.run / LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        who = f"user {os.geteuid()}"
        if present(paths):
            hint = "it is the image's entrypoint that starts SSH there, as the container's user"
            raise SetupFailed(f"{paths.run} is not for {who} ({error.strerror})", hint=hint) from error
        hint = "run the script as root, or take an image with the sm-ssh layer: sm-ssh image wrap"
        raise SetupFailed(f"SSH is not in this image, and {who} cannot install it", hint=hint) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process of this container sets SSH up: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _tell_outcome(paths: Paths, done: Mapping[str, Any]) -> None:
    if done.get("error"):
        raise SetupFailed(str(done["error"]), hint=str(done.get("hint", "")))
    say(f"SSH was set up by another process of this container and is {_standing(paths)}")


def _standing(paths: Paths) -> str:
    found = status(paths)
    words = str(found.get("phase", "unknown"))
    if found.get("node_id"):
        words += f" as {found['node_id']}"
    if found.get("error"):
        words += f" ({found['error']})"
    return words


def _entrypoint(paths: Paths) -> bool:
    """Whether the image's entrypoint has started SSH; waits a moment for one that is just about to."""
    end = time.monotonic() + _ENTRYPOINT
    while not status(paths):
        if time.monotonic() > end or not _starting():
            break
        time.sleep(0.05)
    # What an earlier start of the container has left is no status: its services are gone.
    found = status(paths)
    return bool(found) and (found.get("services") is None or _lives(found["services"]))


def _lives(process: Any) -> bool:
    return Path(f"/proc/{process}").exists()


def _starting() -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes()
            if b"sm_ssh_entry.boot" in words or b"/bin/sm-ssh-entry\0" in words:
                return True
    return False


def _install(env: Mapping[str, str], paths: Paths) -> None:
    if present(paths):
        return
    try:
        installation = importlib.import_module("sm_ssh_entry.in_script.installation")
    except ImportError as error:
        hint = "dependencies=[dependency_dir()], or sm-ssh-entry in requirements.txt"
        raise SetupFailed(f"nothing here can install SSH ({error})", hint=hint) from error
    begin = time.monotonic()
    installation.install(env, paths)
    say(f"installed in {time.monotonic() - begin:.1f} s")


def _start(env: Mapping[str, str], paths: Paths) -> None:
    """Start our services as ``sm-ssh-entry start`` does; their lines so far come into the script's log."""
    log = paths.run / "log" / LOG
    before = log.stat().st_size if log.is_file() else 0
    words = [str(paths.entry), "start", "--timeout", f"{_REGISTRATION:g}"]
    done = command.run(words, env=env)
    if log.is_file():
        with log.open("rb") as file:
            file.seek(before)
            for line in file.read().decode(errors="replace").splitlines():
                relay(line)
    if not done.ok:
        found = status(paths)
        said = [line for line in done.stderr.splitlines() if line.strip()]
        cause = str(found.get("error") or (said[-1] if said else f"status {done.returncode}"))
        raise SetupFailed(f"SSH was not started: {cause}", hint=str(found.get("hint") or f"see {log}"))


def _wait(env: Mapping[str, str], paths: Paths, seconds: float) -> None:
    """Wait until ``sm-wait stop``, or until the time is over."""
    if seconds <= 0:
        return
    # By a pipe of our own: a waiting child that outlives a killed script must not hold the script's output open.
    words = [str(paths.bin / "sm-wait"), f"{seconds:.0f}"]
    child = command.spawn(words, env=env, stdout=command.PIPE, stderr=command.STDOUT)
    try:
        for line in child.stdout or ():
            relay(line.decode(errors="replace"))
        child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
        if child.stdout:
            child.stdout.close()


def _go_behind(env: Mapping[str, str], paths: Paths) -> None:
    """Have another process do it: nobody asked the script to wait, and an endpoint must answer its first ping soon."""
    (paths.run / "log").mkdir(mode=0o700, exist_ok=True)
    # Not the script's output, whose reader waits for its end: the container's own log, or else a file.
    log = paths.run / "log" / "in-script.log"
    try:
        output = (log if paths.root else Path("/proc/1/fd/2")).open("ab", buffering=0)
    except OSError:
        output = log.open("ab", buffering=0)
    folder = str(Path(__file__).resolve().parents[2])
    # Its own child goes on: none of ours is left to the script, which may count or reap its children.
    script = "import os, sys; os.fork() and os._exit(0); sys.path.append(sys.argv[1])"
    script += "; from sm_ssh_entry.in_script import entering; entering.main()"
    with output:
        words = [sys.executable, "-c", script, folder]
        command.spawn(words, env=env, cwd="/", stdout=output, stderr=output, new_session=True).wait()
    say("SSH is being set up behind the script, which does not wait")


def main() -> None:
    """Set SSH up behind a script that does not wait for it."""
    enter(os.environ, behind=True)


def _wait_seconds(env: Mapping[str, str]) -> float:
    try:
        seconds = float(env.get(contract.SSH_WAIT_TIME_SECONDS, "").strip() or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _WAIT_MAX:
        say(f"WARNING {contract.SSH_WAIT_TIME_SECONDS} is not a number of seconds: not waiting")
        return 0.0
    return seconds


def _container() -> str:
    """Return what tells this container from its next start: when its first process began, in ticks (proc(5))."""
    try:
        fields = Path("/proc/1/stat").read_bytes().rpartition(b")")[2].split()
        return fields[19].decode()
    except (OSError, IndexError):
        return ""


def _outcome(paths: Paths) -> dict[str, Any]:
    found = _load(paths.run / OUTCOME)
    if found.get("container") != _container():
        return {}
    # Who worked behind a script, and is gone before the end, has left it to the next one.
    gone = found.get("state") == BEHIND and found.get("process") and not _lives(found["process"])
    return {} if gone else found


def _keep(paths: Paths, **values: Any) -> None:
    fresh = paths.run / f"{OUTCOME}.{os.getpid()}"
    fresh.write_text(json.dumps({"container": _container(), **values}), encoding="utf-8")
    fresh.replace(paths.run / OUTCOME)


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
