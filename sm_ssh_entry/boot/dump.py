"""Where the job's Python threads are: py-spy reads them out of the running processes, which need no change for it.

py-spy stops a process for some milliseconds while it reads. Where it may not, or cannot because the process hangs in
the kernel or has a debugger already, it reads while the process runs.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sm_ssh_entry import command
from sm_ssh_entry.boot import environment, job_processes, status
from sm_ssh_entry.boot.job_processes import Job
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import AccessDenied, NotFound, SmSshError, TimedOut, ToolMissing

PROGRAM = "py-spy"
_SECONDS = 20.0
_AT_ONCE = 4
_DENIED = ("permission denied", "operation not permitted", "eperm")
_GONE = ("check that the process is running", "no such process")


class Dumped(NamedTuple):
    """What came of one process.

    Args:
        job: the process.
        threads: py-spy's threads, innermost frame first.
        error: why there are none; None: there are.
    """

    job: Job
    threads: list[dict[str, Any]]
    error: SmSshError | None = None


def tool(paths: Paths) -> str:
    """Return py-spy: the layer's, else one beside our Python, else the image's own.

    Args:
        paths: where the container keeps its files.

    Raises:
        ToolMissing: there is none.
    """
    for folder in (paths.home / "libexec", Path(sys.executable).parent):
        if (folder / PROGRAM).is_file():
            return str(folder / PROGRAM)
    found = shutil.which(PROGRAM)
    if not found:
        raise ToolMissing(
            "there is no py-spy in this container", hint="pip install py-spy, or an image with the sm-ssh layer"
        )
    return found


def chosen(paths: Paths, pid: int | None) -> list[Job]:
    """Return the Python processes to dump.

    Args:
        paths: where the container keeps its files.
        pid: the one that is asked for; None: all of the job's.

    Raises:
        NotFound: there is none, or it is no Python process.
    """
    if pid is None:
        found = [job for job in job_processes.find(paths) if job.python]
        if not found:
            held = status.read(paths).get("job") in ("waiting", "failed")
            hint = "the job's command does not run: sm-ssh-entry status" if held else "is the command Python?"
            raise NotFound("the job has no Python process", hint=hint)
        return found
    words = job_processes.arguments(pid)
    if not words:
        raise NotFound(f"there is no process {pid}", hint="sm-ssh-entry dump without --pid shows all of the job's")
    if not job_processes.is_python(pid):
        raise NotFound(f"process {pid} ({job_processes.program(words)}) is no Python process")
    return [Job(pid, 0, job_processes.program(words), python=True)]


def read(program: str, jobs: Sequence[Job], *, native: bool) -> Iterator[Dumped]:
    """Read the threads of several processes at once; give them in the order of the processes.

    Args:
        program: py-spy.
        jobs: the processes.
        native: frames of C, C++ and the like too.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        yield from pool.map(lambda job: _one(program, job, native=native), jobs)


def _one(program: str, job: Job, *, native: bool) -> Dumped:
    words = [program, "dump", "--json", "--pid", str(job.pid)]
    try:
        try:
            return Dumped(job, _threads(words + ["--native"] * native, job))
        except (AccessDenied, TimedOut) as error:
            # Native frames can be read of a stopped process only.
            try:
                return Dumped(job, _threads([*words, "--nonblocking"], job))
            except SmSshError:
                raise error from None
    except SmSshError as error:
        return Dumped(job, [], error)


def _threads(words: Sequence[str], job: Job) -> list[dict[str, Any]]:
    # The job's own LD_PRELOAD and the like are not for us; py-spy needs nothing of its environment.
    done = command.run(words, env={"PATH": environment.SERVICE_PATH, "RUST_BACKTRACE": "0"}, timeout=_SECONDS)
    if done.ok:
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return sorted((_thread(one) for one in found), key=lambda one: one["id"] != job.pid)
    said = done.stderr.strip() or "it said nothing"
    if any(word in said.lower() for word in _DENIED):
        raise AccessDenied(
            f"may not look into process {job.pid}: this container does not permit ptrace",
            hint="log in as the user of the process; docker run --cap-add SYS_PTRACE; kernel.yama.ptrace_scope=0",
        )
    if any(word in said.lower() for word in _GONE) or not job_processes.arguments(job.pid):
        raise NotFound(f"process {job.pid} has ended")
    first = said.splitlines()[0].removeprefix("Error: ")
    raise SmSshError(f"py-spy cannot read process {job.pid}: {first}", hint="sm-ssh-entry dump again may do")


def _thread(given: dict[str, Any]) -> dict[str, Any]:
    """Return what we pass on of py-spy's thread; never a value of a variable."""
    return {
        "id": given.get("os_thread_id") or given.get("thread_id"),
        "name": given.get("thread_name") or "",
        "active": bool(given.get("active")),
        "gil": bool(given.get("owns_gil")),
        "frames": [
            {
                "function": frame.get("name", ""),
                "file": frame.get("filename", ""),
                "short": frame.get("short_filename") or frame.get("filename", ""),
                "line": frame.get("line") or 0,
            }
            for frame in given.get("frames", ())
        ],
    }


def lines(dumped: Dumped) -> list[str]:
    """Return one process as a person reads it.

    Args:
        dumped: what came of it.
    """
    made = [f"process {dumped.job.pid}: {dumped.job.program}"]
    if dumped.error is not None:
        return [*made, f"  {dumped.error.message}"]
    for thread in dumped.threads:
        marks = ["active" if thread["active"] else "idle", *(["holds the GIL"] if thread["gil"] else [])]
        made.append(f"  thread {thread['id']} {thread['name'] or '?'} ({', '.join(marks)})")
        made += [f"    {_place(frame)}" for frame in thread["frames"]]
    return made


def _place(frame: dict[str, Any]) -> str:
    line = f":{frame['line']}" if frame["line"] else ""
    return f"{frame['function']} ({frame['short']}{line})"


def as_json(found: Sequence[Dumped]) -> str:
    """Return all processes for programs.

    Args:
        found: what came of them.
    """
    rows = [
        {
            "pid": one.job.pid,
            "parent": one.job.parent,
            "program": one.job.program,
            "threads": [{**thread, "frames": [_frame(frame) for frame in thread["frames"]]} for thread in one.threads],
            **({"error": one.error.message} if one.error else {}),
        }
        for one in found
    ]
    return json.dumps({"processes": rows}, indent=1)


def _frame(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in ("function", "file", "line")}


def judge(found: Sequence[Dumped]) -> None:
    """Raise what stands for the failures of some processes, if there were any; one that ended meanwhile is none.

    Args:
        found: what came of all of them.

    Raises:
        SmSshError: the first failure.
    """
    failed = [one.error for one in found if one.error is not None]
    if len(failed) == len(found) and failed:
        raise failed[0]
    for error in failed:
        if not isinstance(error, NotFound):
            raise error
