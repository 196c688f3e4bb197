"""``sm-ssh local run``: a job on the local plane, as processes below a folder of their own, or in containers."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput

_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KINDS = {kind: kind for kind in contract.KINDS if kind != "hyperpod"} | {"serve": "inference"}


@click.command()
@click.option("--image", default="", metavar="TAG", help="Run in containers of this image; default: as processes.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="training", show_default=True, help="What it is.")
@click.option("--native", is_flag=True, help="Switch SageMaker's own way in on as well; of one process.")
@click.option("--name", default=None, help="Job's name; default: one with the time in it.")
@click.option("--nodes", type=int, default=1, show_default=True, help="How many nodes, algo-1 and so on.")
@click.option("--wait", "wait_seconds", type=click.IntRange(0), default=0, help="Hold the command so many seconds.")
@click.option("--env", "variables", multiple=True, metavar="K=V", help="A variable for every node.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME=FOLDER", help="An input channel; of an endpoint: its model."
)
@click.option("--hyperparameter", "hyperparameters", multiple=True, metavar="K=V", help="A hyperparameter.")
@click.option("--cpus", type=click.FloatRange(min=0, min_open=True), default=None, help="Processors of a container.")
@click.option("--memory", default="", metavar="SIZE", help="Memory of a container, such as 4g.")
@click.option("--shm-size", default="", metavar="SIZE", help="Size of /dev/shm in a container.")
@click.option("--gpus", default="", metavar="all|N", help="GPUs of a container, where the engine has any.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Endpoint's port on loopback; 0: any free one.")
@click.option("--multi-model", is_flag=True, help="An endpoint with many models: each channel is one.")
@click.option("--internet/--no-internet", default=True, show_default=True, help="Whether containers have a way out.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run_job(  # noqa: PLR0917 - click passes what the options above name
    image: str,
    kind: str,
    name: str | None,
    nodes: int,
    wait_seconds: int,
    native: bool,
    variables: tuple[str, ...],
    channels: tuple[str, ...],
    hyperparameters: tuple[str, ...],
    command: tuple[str, ...],
    **limits: Any,
) -> int:
    """Run a job as SageMaker does, on this machine, and end with its exit status.

    \b
    sm-ssh local run --name try --wait 600 -- python train.py
    sm-ssh local run --name try --wait 600 --image my-image:ssh
    """
    from sm_ssh_entry.plane import daemon, jobs, local_job

    given = {contract.SSH_WAIT_TIME_SECONDS: str(wait_seconds)} if wait_seconds else {}
    job = jobs.checked(
        jobs.Job(
            name=name or local_job.default_name(),
            argv=command,
            folder=daemon.folder(),
            kind=_KINDS[kind],
            nodes=nodes,
            environment=given | _pairs(variables, "--env", names=_VARIABLE),
            channels={channel: Path(folder) for channel, folder in _pairs(channels, "--channel").items()},
            hyperparameters=_pairs(hyperparameters, "--hyperparameter"),
            native=native,
        )
    )
    if image:
        from sm_ssh_entry.plane import container_job, containers

        box = containers.checked(containers.Box(image, **limits))
        return container_job.run(job, box, say=_say, out=sys.stdout.buffer)
    _require_no_containers(limits)
    from sm_ssh_entry.boot import layout

    return local_job.run(job, prepare=layout.install, say=_say, out=sys.stdout.buffer)


def _say(line: str) -> None:
    click.echo(f"sm-ssh: {line}", err=True)


def _require_no_containers(limits: dict[str, Any]) -> None:
    wanted = {**limits, "no_internet": not limits["internet"], "internet": False}
    given = [f"--{name.replace('_', '-')}" for name, value in wanted.items() if value]
    if given:
        option = given[0]
        raise BadInput(f"{option} is for containers", hint="name their image: --image TAG")


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
