"""``sm-ssh local up|down|status|env|reset|fault``: the control plane of this machine."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from typing import Any

import click

from sm_ssh_entry.plane import daemon

# These would win over what env sets, or be sent along with a key that they do not belong to.
_UNSET = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--port", type=_PORT, default=0, help="Port of the HTTP listener; 0: any free one.")
@click.option("--tls-port", type=_PORT, default=0, help="Port of the HTTPS listener; 0: any free one.")
@click.option("--region", default=None, help="Region named to clients; default: AWS_REGION, else us-east-1.")
@click.option(
    "--jobs",
    type=click.Choice(["auto", "containers", "processes", "records"]),
    default=daemon.DEFAULT_JOBS,
    show_default=True,
    help="How submitted jobs run; auto: in containers where an engine answers, else as processes.",
)
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C instead of going to the background.")
def up(port: int, tls_port: int, region: str | None, jobs: str, *, foreground: bool) -> int:
    """Start the local control plane; if one runs already, say so."""
    where = daemon.folder()
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or daemon.DEFAULT_REGION
    state = daemon.running(where)
    if state is not None:
        click.echo(f"The local control plane runs already, at {state.url} (process {state.pid}).")
        return 0
    if foreground:
        return daemon.serve(where, port=port, tls_port=tls_port, region=region, jobs=jobs)
    state = daemon.start(where, port=port, tls_port=tls_port, region=region, jobs=jobs)
    click.echo(f"The local control plane runs at {state.url} and {state.tls_url} (process {state.pid}).")
    click.echo('Its clients need: eval "$(sm-ssh local env)"')
    return 0


@click.command()
def down() -> None:
    """Stop the local control plane, and forget all it holds."""
    state = daemon.stop(daemon.folder())
    click.echo("No local control plane runs." if state is None else f"Stopped the local control plane at {state.url}.")


@click.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
def status(output: str) -> None:
    """Say where the local control plane is and what it holds; exit 24 if it does not run."""
    state = daemon.require(daemon.folder())
    found = daemon.ask(state, "GET", "status") | {
        "ca_file": state.ca_file,
        "log": str(daemon.log_file(daemon.folder())),
    }
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        _print_rows(_rows(found))


@click.command()
@click.option("--tls", is_flag=True, help="The HTTPS endpoint, with the variables by which clients trust it.")
@click.option("--shell", type=click.Choice(["sh", "fish", "powershell"]), default="sh", help="Whose syntax to print.")
@click.option(
    "--expires-in", type=float, default=None, help="A new key that expires after so many seconds; -1: already."
)
@click.option(
    "--deny", multiple=True, metavar="ACTION", help="A new key that may not do this, such as ssm:StartSession."
)
def env(shell: str, expires_in: float | None, deny: tuple[str, ...], *, tls: bool) -> None:
    """Print the variables that make AWS clients use the local control plane."""
    state = daemon.require(daemon.folder())
    found = _environment(state, tls=tls)
    unset = list(_UNSET)
    if expires_in is not None or deny:
        issued = daemon.ask(state, "POST", "credentials", {"expires_in": expires_in, "deny": list(deny)})
        found |= issued["environment"]
        unset.remove("AWS_SESSION_TOKEN")
    for line in _lines(found, unset, shell):
        click.echo(line)


@click.command()
def reset() -> None:
    """Make the local control plane forget everything; it runs on, at the same place and with the same key."""
    daemon.ask(daemon.require(daemon.folder()), "POST", "reset")


@click.command()
@click.argument("operation", required=False)
@click.option("--code", default="", help="AWS error code, such as ThrottlingException; none: only the delay.")
@click.option("--message", default="", help="Text of the error.")
@click.option("--status", "http_status", type=click.IntRange(400, 599), default=400, help="HTTP status of the error.")
@click.option("--times", type=click.IntRange(1), default=None, help="How many calls it strikes; default: all.")
@click.option("--delay", type=click.FloatRange(0), default=0.0, help="Seconds before the answer.")
@click.option("--clear", is_flag=True, help="Take all faults back.")
def fault(  # noqa: PLR0917 - click passes what the options above name
    operation: str | None, code: str, message: str, http_status: int, times: int | None, delay: float, *, clear: bool
) -> None:
    """Make the calls of OPERATION (CreateActivation, say; * for all) fail or take long; without it, list the faults."""
    state = daemon.require(daemon.folder())
    if clear:
        daemon.ask(state, "POST", "faults")
    if operation is not None:
        params: dict[str, Any] = {"operation": operation, "code": code, "message": message, "status": http_status}
        daemon.ask(state, "POST", "faults", params | {"times": times, "delay": delay})
    for one in daemon.ask(state, "GET", "status")["faults"]:
        left = "always" if one["times"] is None else f"{one['times'] - one['struck']} times"
        click.echo(f"{one['operation']}\t{one['code'] or 'no error'}\t{left}\tafter {one['delay']:g} s")


def _environment(state: daemon.State, *, tls: bool) -> dict[str, str]:
    from sm_ssh_entry.plane.environment import client_environment

    found = client_environment(
        url=state.tls_url if tls else state.url,
        region=state.region,
        keys={"AWS_ACCESS_KEY_ID": state.access_key, "AWS_SECRET_ACCESS_KEY": state.secret_key},
        bundle=state.bundle_file if tls else "",
    )
    if any(os.environ.get(name) for name in _PROXIES):
        # Else a client sends what is meant for loopback to the proxy.
        past = [os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy")]
        listed = ",".join(dict.fromkeys([*filter(None, ",".join(past).split(",")), "127.0.0.1", "localhost"]))
        found |= {"NO_PROXY": listed, "no_proxy": listed}
    return found


def _lines(found: dict[str, str], unset: list[str], shell: str) -> list[str]:
    if shell == "fish":
        return [
            *(f"set -e {name};" for name in unset),
            *(f"set -gx {name} {_fish_quoted(value)};" for name, value in found.items()),
        ]
    if shell == "powershell":
        doubled = {name: value.replace("'", "''") for name, value in found.items()}
        return [
            *(f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in unset),
            *(f"$Env:{name} = '{value}'" for name, value in doubled.items()),
        ]
    return [f"unset {' '.join(unset)}", *(f"export {name}={_quoted(value)}" for name, value in found.items())]


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _fish_quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    nodes = ", ".join(f"{count} {name}" for name, count in found["nodes"].items())
    return [
        ("HTTP", found["url"]),
        ("HTTPS", found["tls_url"]),
        ("authority", found["ca_file"]),
        ("region", found["region"]),
        ("process", f"{found['pid']}, up for {max(0.0, time.time() - found['started']):.0f} s"),
        ("managed nodes", nodes),
        ("activations", str(found["activations"])),
        ("sessions", str(found["sessions"])),
        ("commands", str(found["commands"])),
        ("faults", str(len(found["faults"]))),
        ("log", found["log"]),
    ]


def _print_rows(rows: list[tuple[str, str]]) -> None:
    if not sys.stdout.isatty():
        for name, value in rows:
            click.echo(f"{name}\t{value}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in rows:
        table.add_row(f"[bold]{name}[/bold]", value)
    Console().print(table)
