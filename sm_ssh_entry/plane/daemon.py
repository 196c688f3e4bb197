"""The plane as a background process: started, found, asked and stopped through one state file.

The file (mode 0600 in a folder of mode 0700) holds where the plane is and its owner's key. A process id alone proves
nothing, for ids are used again: a plane counts as running when the process behind the file's URL says the random
instance name that the file says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry import command, contract
from sm_ssh_entry.errors import PlaneDown, ServiceError, SmSshError, TimedOut

DEFAULT_REGION = "us-east-1"
DEFAULT_JOBS = "auto"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
# A plane that is gone refuses at once; one that is there may be slow to answer on a busy machine.
_ASK_SECONDS = 60.0
_POLL_SECONDS = 0.05
_LOCK_SECONDS = 1.0
# How a daemon ends that finds another one in the folder; "up" then waits for that one.
_ANOTHER_RUNS = 75


@dataclass(frozen=True)
class State:
    """What the state file says. ``token`` opens the plane's own routes; the two keys are the user's."""

    pid: int
    url: str
    tls_url: str
    ca_file: str
    bundle_file: str
    region: str
    started: float
    instance: str
    token: str
    access_key: str
    secret_key: str


def folder() -> Path:
    """Return the folder of the plane's files: ``SM_SSH_LOCAL_DIR``, else ``~/.sm-ssh/local``."""
    named = os.environ.get(contract.LOCAL_DIR)
    return Path(named).absolute() if named else Path.home() / ".sm-ssh" / "local"


def state_file(where: Path) -> Path:
    """Return the state file of a folder."""
    return where / "plane.json"


def log_file(where: Path) -> Path:
    """Return the log of the plane that was started last."""
    return where / "plane.log"


def read(where: Path) -> State | None:
    """Read the state file; None: there is none, or it is not one of this version."""
    try:
        found = json.loads(state_file(where).read_text(encoding="utf-8"))
        names = {field.name for field in dataclasses.fields(State)}
        return State(**{name: value for name, value in found.items() if name in names})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def running(where: Path) -> State | None:
    """Return the state of the plane that runs; None: none does, whatever the state file says."""
    state = read(where)
    if state is None:
        return None
    try:
        answer = ask(state, "GET", "status")
    except SmSshError:
        return None
    return state if (answer.get("instance"), answer.get("pid")) == (state.instance, state.pid) else None


def require(where: Path) -> State:
    """Return the state of the plane that runs.

    Raises:
        PlaneDown: none does.
    """
    state = running(where)
    if state is None:
        raise PlaneDown("the local control plane does not run", hint="start it with: sm-ssh local up")
    return state


def ask(state: State, method: str, route: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call one of the plane's own routes.

    Args:
        state: the plane.
        method: HTTP method.
        route: one of the plane's own, ``status`` for one: see admin.
        params: the body.

    Raises:
        PlaneDown: nobody answers there.
        ServiceError: the plane refuses.
    """
    where = urllib.parse.urlsplit(state.url)
    # A connection of our own making: proxies of the environment are none of loopback's business.
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_ASK_SECONDS)
    try:
        connection.request(
            method, f"/_sm-ssh/{route}", json.dumps(params or {}), {"Authorization": f"Bearer {state.token}"}
        )
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except TimeoutError as error:
        raise PlaneDown(
            f"the local control plane (process {state.pid}) did not answer within {_ASK_SECONDS:g} s",
            hint=f"sm-ssh local down and sm-ssh local up start it anew; kill {state.pid} ends it",
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise PlaneDown(f"no control plane answers at {state.url}", hint="sm-ssh local up starts one") from error
    finally:
        connection.close()
    if not isinstance(found, dict):
        raise PlaneDown(f"what answers at {state.url} is not a control plane", hint="sm-ssh local up starts one")
    if answer.status != 200:
        raise ServiceError(f"the plane refuses: {found.get('message', '')}", code=str(found.get("__type", "")))
    return found


def start(
    where: Path, *, port: int = 0, tls_port: int = 0, region: str = DEFAULT_REGION, jobs: str = DEFAULT_JOBS
) -> State:
    """Start a plane in the background and wait until it answers.

    Args:
        where: its folder; made if it is not there.
        port: port of the HTTP listener; 0: any free one.
        tls_port: port of the HTTPS listener, likewise.
        region: region named to clients.
        jobs: how jobs run that are asked for through the API: see ``store.Settings``.

    Raises:
        PlaneDown: it ended at once.
        TimedOut: it does not answer.
    """
    prepare(where)
    words = [sys.executable, "-m", "sm_ssh_entry.plane.daemon", str(port), str(tls_port), region, jobs]
    with log_file(where).open("wb") as log:
        # In a folder of our own: "-m" puts the working folder on Python's path.
        child = command.spawn(
            words,
            env=os.environ | {contract.LOCAL_DIR: str(where)},
            cwd=where,
            stdout=log,
            stderr=log,
            new_session=True,
        )
    # It outlives us as a rule; a caller that outlives it is not left with a zombie.
    reaper = threading.Thread(target=child.wait, daemon=True)
    reaper.start()
    for _ in _until(START_SECONDS):
        state = running(where)
        if state is not None:
            if state.pid != child.pid:
                # Somebody else's came first. Ours must not take its place when that one is stopped.
                child.terminate()
                reaper.join()
            return state
        status = child.poll()
        if status not in (None, _ANOTHER_RUNS):
            raise PlaneDown(
                f"the local control plane did not start: {_last_line(where)}", hint=f"see {log_file(where)}"
            )
    child.terminate()
    raise TimedOut(f"the local control plane did not answer within {START_SECONDS:g} s", hint=f"see {log_file(where)}")


def stop(where: Path) -> State | None:
    """Stop the plane that runs and wait until it is gone.

    Returns:
        What ran; None: nothing did.

    Raises:
        TimedOut: it does not end.
    """
    state = running(where)
    if state is None:
        _require_unlocked(where)
        state_file(where).unlink(missing_ok=True)
        return None
    os.kill(state.pid, signal.SIGTERM)
    for _ in _until(STOP_SECONDS):
        if _is_free(where) and running(where) is None:
            left = read(where)
            if left is not None and left.instance == state.instance:
                # Windows ends a process without giving it time to tidy up.
                state_file(where).unlink(missing_ok=True)
            return state
    raise TimedOut(
        f"the local control plane (process {state.pid}) did not end within {STOP_SECONDS:g} s",
        hint=f"see {log_file(where)}; kill {state.pid} ends it",
    )


def prepare(where: Path) -> None:
    """Make the folder, for its owner's eyes only."""
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    where.chmod(0o700)


def serve(
    where: Path, *, port: int = 0, tls_port: int = 0, region: str = DEFAULT_REGION, jobs: str = DEFAULT_JOBS
) -> int:
    """Be the plane until SIGTERM or SIGINT; return the exit status.

    Args:
        where: folder of its files.
        port: see ``start``.
        tls_port: see ``start``.
        region: see ``start``.
        jobs: see ``start``.

    Raises:
        BadInput: a port is taken.
    """
    import asyncio

    prepare(where)
    # Somebody who only looks whether the folder is free holds the lock for an instant.
    for _ in _until(_LOCK_SECONDS):
        with _alone(where) as alone:
            if alone:
                asyncio.run(_serve(where, port, tls_port, region, jobs))
                return 0
        if running(where) is not None:
            break
    return _ANOTHER_RUNS


async def _serve(where: Path, port: int, tls_port: int, region: str, jobs: str) -> None:
    import asyncio

    from sm_ssh_entry.plane.server import Plane
    from sm_ssh_entry.plane.store import Settings

    plane = await Plane.start(port=port, tls_port=tls_port, folder=where, region=region, settings=Settings(jobs=jobs))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    _write(state_file(where), json.dumps(dataclasses.asdict(plane.state()), indent=1))
    print(f"sm-ssh: the local control plane listens at {plane.url} and {plane.tls_url}", flush=True)
    try:
        await stopped.wait()
    finally:
        await plane.stop()
        state_file(where).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


@contextlib.contextmanager
def _alone(where: Path) -> Iterator[bool]:
    """Hold the folder's lock; False: another plane does. The kernel lets go of it however the process ends."""
    try:
        import fcntl
    except ImportError:
        # Windows: two planes started in the same second are not kept apart; the later state file wins.
        yield True
        return
    with (where / "plane.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _is_free(where: Path) -> bool:
    """Say whether no plane's process lives in the folder; always true where there are no locks."""
    if not (where / "plane.lock").exists():
        return True
    with _alone(where) as alone:
        return alone


def _require_unlocked(where: Path) -> None:
    if _is_free(where):
        return
    stale = read(where)
    process = f"process {stale.pid}" if stale else "still starting"
    raise TimedOut(
        f"a local control plane holds {where} and does not answer ({process})",
        hint=f"see {log_file(where)}" + (f"; kill -9 {stale.pid} ends it" if stale else ""),
    )


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_SECONDS)


def _last_line(where: Path) -> str:
    try:
        lines = log_file(where).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith("  hint:")), "no log")


def main(argv: list[str] | None = None) -> int:
    """Be the plane: ``python -m sm_ssh_entry.plane.daemon PORT TLS_PORT REGION JOBS``, with stdio on its log."""
    import logging

    port, tls_port, region, jobs = sys.argv[1:] if argv is None else argv
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return serve(folder(), port=int(port), tls_port=int(tls_port), region=region, jobs=jobs)
    except SmSshError as error:
        print(f"{error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
