"""``sm-ssh logs``."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import aws_options, called
from sm_ssh_entry.cli.spans import span_option
from sm_ssh_entry.errors import BadInput, SmSshError

if TYPE_CHECKING:
    from datetime import timedelta

    from sm_ssh_entry.connect.access import Access
    from sm_ssh_entry.connect.fleet.log_events import Line, Log
    from sm_ssh_entry.connect.names import Target

_LINES = 100
# How often a job is asked whether it has ended: its status is throttled early.
_ASK = 10.0
# Lines that are kept to tell those that come late from those that were shown.
_KEPT = 50_000


@click.command()
@aws_options
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until the job has ended.")
@span_option("--since", help="Lines of so long ago and newer, 10m for one.")
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), help="The newest lines only. Default: 100, with --since all."
)
@click.option("--node", default="", metavar="algo-2", help="One node of a job, or one variant of an endpoint.")
@click.option("--ssm", is_flag=True, help="What SageMaker's own agent has logged, for the native way in.")
@click.option("--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
@click.argument("name")
def logs(  # noqa: PLR0917 - click hands over the options by name
    region: str | None,
    profile: str | None,
    follow: bool,
    since: timedelta | None,
    lines: int | None,
    node: str,
    ssm: bool,
    output: str,
    name: str,
) -> int:
    """Show what NAME has logged to CloudWatch: all its nodes together, in order.

    Of a job's name alone all nodes are shown; where there are several, each line begins with its node.
    """
    from sm_ssh_entry.connect import names
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.fleet import log_places
    from sm_ssh_entry.connect.fleet.log_events import Log

    name, reach = called(name, Reach(region, profile))
    target = names.parse(name)
    access = reach.towards(target)
    if target.node_id:
        target = _named(access, target)
    log = Log(access.client("logs", attempts=2), log_places.places(target, node=node, agent=ssm))
    if not log.exists():
        problem = _nothing(access, target)
        if not follow or type(problem) is not SmSshError:  # no such job: it has a code of its own
            raise problem
        click.echo(f"sm-ssh: {problem.message}; waiting for it", err=True)
    write = _json if output == "json" else _writer(log.labels)
    # None of what there is, and then what comes: that begins now.
    ago = since.total_seconds() if since is not None else (0.0 if lines == 0 else time.time())
    start = int((time.time() - ago) * 1000)
    shown: deque[Line] = deque(maxlen=_KEPT)
    for line in _first(log, start, since is not None, lines):
        write(line)
        shown.append(line)
    sys.stdout.flush()
    if log.left_out:
        click.echo(f"sm-ssh: {log.left_out} streams with older lines were not looked into; see --node", err=True)
    if follow:
        for line in log.follow(shown, start, ended=_asker(access, target)):
            write(line)
            sys.stdout.flush()
    return 0


def _first(log: Log, start: int, has_start: bool, count: int | None) -> Iterable[Line]:
    """Give the lines that there are: the newest, or those since a time, or the newest of those."""
    if not has_start:
        return log.newest(_LINES if count is None else count) if count != 0 else ()
    return log.since(start) if count is None else deque(log.since(start), maxlen=count)


def _writer(labels: set[str]) -> Callable[[Line], None]:
    """Return what prints lines; where several nodes have logged, each begins with its node."""
    from sm_ssh_entry.connect.fleet import terminal_text

    clean = sys.stdout.isatty()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A line may hold what the terminal's encoding does not: that must not end the log.
        sys.stdout.reconfigure(errors="replace")

    def write(line: Line) -> None:
        labels.add(line.label)
        before = f"{line.label} | " if len(labels) > 1 else ""
        text = line.text.rstrip("\r\n")
        if clean:
            before = terminal_text.cleaned(before)
            text = terminal_text.cleaned(text)
        # As it is in a pipe too; on Windows this makes colours of what older consoles would show as signs.
        click.echo("".join(f"{before}{part}\n" for part in text.split("\n")), nl=False, color=True)

    return write


def _json(line: Line) -> None:
    """Print a line as one JSON object."""
    shown = {"time": line.when.isoformat(timespec="milliseconds"), "node": line.label, "stream": line.stream}
    sys.stdout.write(json.dumps({**shown, "message": line.text}) + "\n")


def _asker(access: Access, target: Target) -> Callable[[], bool]:
    """Return what says whether the job has ended; who may not ask, or asks for an app, reads until Ctrl-C."""
    from sm_ssh_entry.connect import jobs

    next_ask, over = 0.0, False

    def ended() -> bool:
        nonlocal next_ask, over
        if over or not jobs.describable(target) or time.monotonic() < next_ask:
            return over
        next_ask = time.monotonic() + _ASK
        with contextlib.suppress(SmSshError):
            job = jobs.describe(access, target)
            over = job is None or job.ended
        return over

    return ended


def _nothing(access: Access, target: Target) -> SmSshError:
    """Say why there is no log: no such job, or it has not written a line."""
    from sm_ssh_entry.connect import diagnose, jobs

    job = None
    if jobs.describable(target):
        try:
            job = jobs.describe(access, target)
        except SmSshError:
            return SmSshError(f"{target.host} has not logged anything", hint="check the name; --follow waits for it")
        if job is None:
            return diagnose.no_node(access, target)
    if job is None:
        return SmSshError(f"{target.host} has not logged anything", hint="check the name; --follow waits for it")
    hint = "its role may lack logs:CreateLogStream" if job.ended else "--follow waits for it"
    return SmSshError(f"{job.noun} {job.name} is {job.state} and has not logged anything", hint=hint)


def _named(access: Access, target: Target) -> Target:
    """Return the name of the resource that a managed node is in."""
    from sm_ssh_entry.connect import diagnose, names, nodes

    ssm = access.client("ssm")
    found = nodes.matching(ssm, target)
    if not found:
        raise diagnose.no_node(access, target)
    node = nodes.with_tags(ssm, found[0])
    if not (node.kind and node.resource):
        raise BadInput(f"{target.node_id} does not say which resource it is in", hint="give the resource's name")
    return names.parse(node.host)
