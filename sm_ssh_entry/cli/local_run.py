"""``sm-ssh local run``: a job on the local plane, as processes below a folder of their own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput

_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@click.command()
@click.option("--name", default=None, help="Training job's name; default: one with the time in it.")
@click.option("--nodes", type=int, default=1, show_default=True, help="How many nodes, algo-1 and so on.")
@click.option("--wait", "wait_seconds", type=click.IntRange(0), default=0, help="Hold the command so many seconds.")
@click.option("--env", "variables", multiple=True, metavar="K=V", help="A variable for every node.")
@click.option("--channel", "channels", multiple=True, metavar="NAME=FOLDER", help="An input channel.")
@click.option("--hyperparameter", "hyperparameters", multiple=True, metavar="K=V", help="A hyperparameter.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run_job(  # noqa: PLR0917 - click passes what the options above name
    name: str | None,
    nodes: int,
    wait_seconds: int,
    variables: tuple[str, ...],
    channels: tuple[str, ...],
    hyperparameters: tuple[str, ...],
    command: tuple[str, ...],
) -> int:
    """Run CMD as a SageMaker training job on this machine, and end with its exit status.

    \b
    sm-ssh local run --name try --wait 600 -- python train.py
    """
    from sm_ssh_entry.boot import layout
    from sm_ssh_entry.plane import daemon, jobs, local_job

    given = {contract.SSH_WAIT_TIME_SECONDS: str(wait_seconds)} if wait_seconds else {}
    job = jobs.checked(
        jobs.Job(
            name=name or local_job.default_name(),
            argv=command,
            folder=daemon.folder(),
            nodes=nodes,
            environment=given | _pairs(variables, "--env", names=_VARIABLE),
            channels={channel: Path(folder) for channel, folder in _pairs(channels, "--channel").items()},
            hyperparameters=_pairs(hyperparameters, "--hyperparameter"),
        )
    )
    return local_job.run(
        job,
        prepare=layout.install,
        say=lambda line: click.echo(f"sm-ssh: {line}", err=True),
        out=sys.stdout.buffer,
    )


def _pairs(words: tuple[str, ...], option: str, names: re.Pattern[str] | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            # The value stays out of the message: it may be a secret.
            raise BadInput(f"{option} {name or '=…'}: a name and a value are needed", hint=f"{option} NAME=VALUE")
        if names is not None and not names.fullmatch(name):
            raise BadInput(f"{option} {name!r} cannot name a variable", hint="letters, digits and _, no digit first")
        found[name] = value
    return found
