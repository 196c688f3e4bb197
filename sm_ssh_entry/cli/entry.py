"""The container's own command line, called by the stub: ``sm-ssh-entry start | status | dump | rerun`` and more."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import click

from sm_ssh_entry import __version__, contract
from sm_ssh_entry.boot import deregister as deregistration
from sm_ssh_entry.boot import environment, health, hold, keys, log, sessions, signals, status, supervise, waiters
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import INTERRUPTED, BadInput, SetupFailed, SmSshError, TimedOut

# Seconds after which somebody who waits is told why.
_QUIET = 2.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-v", "--version", prog_name="sm-ssh-entry")
def cli() -> None:
    """SSH in this container. To run a command of one of these names, put -- before it."""


@cli.command()
@click.option("--timeout", default=120.0, show_default=True, help="Seconds to wait until it is registered.")
def start(timeout: float) -> None:
    """Start SSH beside a command that runs already (Studio, notebook instances). Does nothing where it is on."""
    paths = _paths()
    if supervise.running(str(paths.run)):
        click.echo(health.check(paths, os.environ).line)
        return
    status.prepare(paths)
    given = environment.given()
    fifo, path = waiters.open_fifo(str(paths.waiters), time.time() + timeout)
    try:
        life = hold.launch(paths, given, job=0, word="", log_file=str(paths.run / "log" / "start.log"))
        pipe = signals.SignalPipe(signals.STOPPING)
        event = hold.Hold(fifo, life, pipe).next(time.monotonic() + timeout)
        pipe.close()
    finally:
        waiters.remove(path)
        os.close(fifo)
    if event is hold.Event.SIGNAL:
        raise KeyboardInterrupt
    if event is hold.Event.DEADLINE:
        raise TimedOut(f"not registered within {timeout:g} s; it goes on", hint="sm-ssh-entry status")
    found = status.read(paths)
    if event in (hold.Event.FAILED, hold.Event.DIED):
        # The services have said why in the same log.
        raise SetupFailed(str(found.get("error", "the SSH services ended")), hint=str(found.get("hint", "")))
    click.echo(str(found.get("node_id") or found.get("phase", "")))


@cli.command(name="status")
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
def show(output: str) -> None:
    """Show what became of SSH here: phase, node, port, error, times."""
    found = status.read(_paths())
    if output == "json":
        seen = {"sessions": sessions.told(_paths())} if found else {}
        click.echo(json.dumps({**(found or {"phase": "off"}), **seen}, indent=1))
        return
    for name, value in _rows(found or {"phase": "off"}):
        click.echo(f"{name:<12} {value}")


@cli.command(name="health")
def check() -> int:
    """Exit with 0 where SSH is off or in order, else with 1 and a line that says why. For HEALTHCHECK."""
    found = health.check(_paths(), os.environ)
    click.echo(found.line, err=not found.good)
    return 0 if found.good else 1


@cli.command()
@click.argument("key", nargs=-1, required=True)
def authorize(key: tuple[str, ...]) -> None:
    """Let the owner of a public key log in. The key is given as it stands in its .pub file."""
    click.echo(f"authorized SHA256:{keys.authorize(_paths(), ' '.join(key))}")


@cli.command()
def deregister() -> None:
    """Take this container's node out of Systems Manager."""
    click.echo(deregistration.run(_paths()) or "this container has no node")


@cli.command()
@click.option("--pid", type=click.IntRange(min=1), help="One process; default: every Python process of the job.")
@click.option("--native", is_flag=True, help="Frames of C, C++ and the like too.")
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
def dump(pid: int | None, native: bool, output: str) -> None:
    """Show where the threads of the job's Python processes are, its first process first.

    Nothing of the job has to be prepared for it. Programs are shown without their arguments, frames without values.
    """
    from sm_ssh_entry.boot import dump as dumping

    paths = _paths()
    program = dumping.tool(paths)
    jobs = dumping.chosen(paths, pid)
    slow = threading.Timer(_QUIET, log.say, [f"reading {len(jobs)} processes; some take their time"], {"fd": 2})
    slow.daemon = True
    slow.start()
    found = []
    for one in dumping.read(program, jobs, native=native):
        found.append(one)
        if output == "plain":
            click.echo("\n".join(dumping.lines(one)))
    slow.cancel()
    if output == "json":
        click.echo(dumping.as_json(found))
    dumping.judge(found)


@cli.command(context_settings={"allow_interspersed_args": False})
@click.option("--beside", is_flag=True, help="Though the job's own command runs: beside it.")
@click.option("--stop-first", is_flag=True, help="Stop the job's own command before; its status stays the job's.")
@click.option("--finish", is_flag=True, help="If it succeeds, end the held job with success.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def rerun(beside: bool, stop_first: bool, finish: bool, words: tuple[str, ...]) -> int:
    """Run the job's own command again, or COMMAND, with the job's environment in the job's working folder.

    For a job that is held, before its start or after a failure. Ends with the command's status.
    """
    from sm_ssh_entry.boot import rerun as again

    return again.run(_paths(), again.Wanted(words, beside, stop_first, finish))


def _paths() -> Paths:
    return Paths(os.environ.get(contract.ROOT, ""))


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [(name, str(value)) for name, value in found.items() if name not in ("times", "services")]
    times = found.get("times")
    if isinstance(times, dict):
        begin = min((at for at in times.values() if isinstance(at, float)), default=0.0)
        rows += [(f"+{at - begin:.2f} s", name) for name, at in times.items() if isinstance(at, float)]
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: words after the program's name; None: the process's own.
    """
    try:
        code = cli.main(args=None if argv is None else list(argv), prog_name="sm-ssh-entry", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        log.fail(BadInput(error.format_message(), hint="sm-ssh-entry --help"), fd=2)
        return error.exit_code
    except SmSshError as error:
        log.fail(error, fd=2)
        return error.exit_code
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
