"""``sm-ssh shell``."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sm_ssh_entry.cli.choosing import choose_option
from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.errors import BadInput

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach

_COMMAND_DOCUMENT = "AWS-StartInteractiveCommand"
# ResumeSession and TerminateSession: a network that is gone must not hold up the next try for long.
_RESCUE_SECONDS = 5.0
_PROGRESS_SECONDS = 0.2

T = TypeVar("T")


@click.command()
@reach_options
@choose_option
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def shell(reach: Reach, name: str, words: tuple[str, ...]) -> int:
    """Open a shell on NAME through SSM, without sshd and without a key; or run COMMAND in a terminal there.

    Enter ~ . leaves, whatever the network does; Enter ~ ? lists the rest. The status of what ran on the node is not
    known here: the command ends with 0, or with the code of a failure on the way.
    """
    from sm_ssh_entry.cli.progress_line import ProgressLine
    from sm_ssh_entry.connect import names, places
    from sm_ssh_entry.connect.ending import Ending
    from sm_ssh_entry.connect.terminal import local
    from sm_ssh_entry.connect.terminal import shell as session

    target = names.parse(name)
    if target.user:
        raise BadInput(
            f"a shell through SSM has the user that SSM gives it, not {target.user}",
            hint=f"leave {target.user}@ out, or use sm-ssh connect",
        )
    access = reach.towards(target)
    with ProgressLine() as line:
        place = _meanwhile(lambda: line.show(f"looking for {target.host}"), lambda: places.find(access, target, reach))
        if place.hop:
            raise BadInput(
                f"{target.host} has no way in by SSM of its own: only ssh leads to it, through {place.node.node_id}",
                hint=f"use sm-ssh connect {target.host}",
            )
        for remark in place.remarks:
            click.echo(f"sm-ssh: {remark}", err=True)
        document, parameters = (_COMMAND_DOCUMENT, {"command": _line(words)}) if words else ("", {})
        ticket = places.start(access, place, document, parameters, reason="shell")
        ending = Ending()
        ending.watch_signals(interrupt=True)  # not before: until then Ctrl-C ends us at once, whatever AWS does

        def client() -> Any:
            return access.client("ssm", timeout=_RESCUE_SECONDS)

        progress = session.Progress(line.show, line.clear)
        return session.run(ticket, client, ending, local.terminal(), progress, is_command=bool(words))


def _line(words: tuple[str, ...]) -> str:
    """Return the line that the node's shell is given: a single word as it stands, several exactly as they are."""
    return words[0] if len(words) == 1 else shlex.join(words)


def _meanwhile(show: Callable[[], None], work: Callable[[], T]) -> T:
    """Do something that may take a while, and say so meanwhile."""
    from concurrent.futures import Future
    from threading import Thread

    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised below
            future.set_exception(error)

    thread = Thread(target=run, name="work", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_PROGRESS_SECONDS)
        show()
    return future.result()
