"""``sm-ssh open``."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.errors import BadInput, SmSshError

if TYPE_CHECKING:
    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.launch.node import Remote
    from sm_ssh_entry.connect.names import Target

_IDES = ("vscode", "cursor", "pycharm")
_SERVERS = ("jupyter", "tensorboard", "vnc")
_START_SECONDS = 60.0
_ANSWER_SECONDS = 3.0


@click.command(name="open")
@reach_options
@click.option("--timeout", type=click.FloatRange(min=0), default=900.0, show_default=True, help="Wait for the node.")
@click.option("--yes", "-y", is_flag=True, help="Write ssh's configuration without asking.")
@click.option("--start", is_flag=True, help="Start the server on the node if none runs.")
@click.option("--port", type=click.IntRange(1, 65535), help="The server's port on the node.")
@click.option("--local-port", type=click.IntRange(1, 65535), help="Port here; default: the same if it is free.")
@click.option("--browser/--no-browser", default=True, help="Whether to open the browser; the link is printed if not.")
@click.argument("what", type=click.Choice([*_IDES, *_SERVERS]), metavar="vscode|cursor|pycharm|jupyter|tensorboard|vnc")
@click.argument("name")
@click.argument("path", required=False, default="")
def open_(
    *,
    reach: Reach,
    timeout: float,
    yes: bool,
    start: bool,
    port: int | None,
    local_port: int | None,
    browser: bool,
    what: str,
    name: str,
    path: str,
) -> int:
    """Open an IDE of this machine on NAME, or a server of NAME in this machine's browser.

    PATH is a folder of the node: the IDE's project, Jupyter's root, TensorBoard's logs. For an IDE it must be absolute;
    default: /root. A server is forwarded until Ctrl-C.
    """
    from sm_ssh_entry.connect import names
    from sm_ssh_entry.connect.launch.node import Remote

    target = names.parse(name)
    remote = Remote(target, reach)
    if what in _IDES:
        return _ide(remote, what, path or "/root", timeout=timeout, yes=yes)
    _wait(target, reach, timeout)
    return _server(remote, what, path, start=start, ports=(port or 0, local_port or 0), browser=browser)


def _ide(remote: Remote, what: str, path: str, *, timeout: float, yes: bool) -> int:
    from sm_ssh_entry import command
    from sm_ssh_entry.connect import names
    from sm_ssh_entry.connect.launch import node, programs

    if not path.startswith("/"):
        raise BadInput(f"{path!r} is not an absolute path", hint="IDEs open /opt/ml/code, for one")
    target = remote.target
    words = programs.launcher(programs.PROGRAMS[what], target.host, target.user or names.ROOT_USER, path)
    _configure(target, remote.reach, yes=yes)
    _wait(target, remote.reach, timeout)
    for line in node.probe(remote):
        _tell(line)
    # A launcher that stays, as some do, is no reason for us to stay: its window is the user's.
    process = command.spawn(words, stdout=command.DEVNULL, new_session=programs.detached())
    try:
        status = process.wait(timeout=2.0)
    except command.Expired:
        status = 0
    if status:
        raise SmSshError(f"{words[0]} ended with {status}", hint=programs.PROGRAMS[what].by_hand)
    click.echo(f"{programs.PROGRAMS[what].name} opens {target.host}:{path}")
    return 0


def _server(remote: Remote, what: str, path: str, *, start: bool, ports: tuple[int, int], browser: bool) -> int:
    from sm_ssh_entry.connect.launch import servers, tunnel
    from sm_ssh_entry.connect.launch.browser import show

    server = servers.FINDERS[what](remote, port=ports[0], folder=path, start=start)
    with tunnel.opened(remote, server.port, local_port=ports[1]) as way:
        tunnel.await_answer(way, server, patience=_START_SECONDS if start else _ANSWER_SECONDS)
        link = server.link(way.port)
        shown = browser and show(link)
        # The token is for the browser alone, unless there is none.
        click.echo(link.partition("?")[0] if shown else link)
        _tell("forwarded until Ctrl-C")
        way.hold()
    return 0


def _configure(target: Target, reach: Reach, *, yes: bool) -> None:
    """Make sure that plain ssh knows the name as we were told to reach it: an IDE starts plain ssh."""
    from sm_ssh_entry.connect import ssh_settings

    settings = ssh_settings.load()
    given = reach != type(reach)() or target.region or target.user
    from_shell = any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"))
    if given or from_shell:
        host = f"{target.user}@{target.host}" if target.user else target.host
        settings = settings.with_alias(target.host, host, ssh_settings.of_now(reach, target))
    if not ssh_settings.is_set_up() and not yes:
        question = "ssh does not know sm-ssh's names yet. Add one line to ~/.ssh/config?"
        if not sys.stdin.isatty():
            raise BadInput("ssh does not know sm-ssh's names yet", hint="sm-ssh config, or --yes")
        if not click.confirm(question, default=True, err=True):
            raise SmSshError("an IDE cannot reach the node without it", hint="sm-ssh config --print shows what it is")
    for line in ssh_settings.save(settings):
        _tell(line)
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        _tell("credentials are in this shell's environment: an IDE that runs already does not have them")


def _wait(target: Target, reach: Reach, timeout: float) -> None:
    from sm_ssh_entry.connect import arrival, places
    from sm_ssh_entry.errors import ConnectionLost, NotRegistered

    started = time.monotonic()
    access = reach.towards(target)

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {target.host}: {line}", file=sys.stderr, flush=True)

    try:
        places.find(access, target, reach)
    except (ConnectionLost, NotRegistered):
        arrival.wait(access, target, timeout=timeout, progress=progress)


def _tell(line: str) -> None:
    click.echo(f"sm-ssh: {line}", err=True)
