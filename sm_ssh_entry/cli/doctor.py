"""``sm-ssh doctor``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from sm_ssh_entry.cli.options import reach_options
from sm_ssh_entry.cli.progress_line import ProgressLine
from sm_ssh_entry.errors import SmSshError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sm_ssh_entry.connect.access import Reach
    from sm_ssh_entry.connect.doctor.case import Case
    from sm_ssh_entry.connect.doctor.findings import Check, Finding

# Lines of a table: check, status, what was found.
_Row = tuple[str, str, str]
_STYLES = {"OK": "green", "not OK": "bold red", "not checked": "dim"}


@click.command()
@reach_options
@click.option("--role", metavar="ROLE", default="", help="Execution role of the job; default: NAME's.")
@click.option("--ssm-role", metavar="ROLE", default="", help="Role of the nodes; default: SSH_SSM_ROLE of NAME.")
@click.option("--subnet", "subnets", metavar="ID", multiple=True, help="Subnet of the job; default: NAME's.")
@click.option("--security-group", "groups", metavar="ID", multiple=True, help="Security group of the job.")
@click.option("--policies", is_flag=True, help="Print the least that each side needs, as policies, and check nothing.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.argument("name", required=False)
def doctor(  # noqa: PLR0917 - one parameter for each option
    reach: Reach,
    role: str,
    ssm_role: str,
    subnets: tuple[str, ...],
    groups: tuple[str, ...],
    policies: bool,
    output: str,
    name: str | None,
) -> int:
    """Check everything that a login needs, and say what to fix.

    Without NAME: this machine, the account and your policies. With NAME: also its job, roles, network and node, a
    session and a login. Ends with 0 if all that was checked is OK, else with 1. Nothing is changed.
    """
    from sm_ssh_entry.connect import names
    from sm_ssh_entry.connect.doctor import checks, examination
    from sm_ssh_entry.connect.doctor.case import Case
    from sm_ssh_entry.connect.doctor.findings import Status

    target = names.parse(name) if name else None
    case = Case(reach, target, role, ssm_role, subnets, groups)
    if policies:
        click.echo(json.dumps(_policies(case), indent=2))
        return 0
    chosen = checks.chosen(case)
    with ProgressLine() as line:

        def progress(running: Sequence[Check], waiting: Sequence[Check]) -> None:
            over = len(chosen) - len(running) - len(waiting)
            line.show(f"{over} of {len(chosen)} checked; now: {', '.join(one.title for one in running)}"[:78])

        found = examination.examine(case, chosen, progress)
    if output == "json":
        click.echo(json.dumps([_as_json(check, found[check.name]) for check in chosen], indent=2))
    elif sys.stdout.isatty():
        _print_table(chosen, found)
    else:
        _print_plain(chosen, found)
    if output != "json":
        _print_last_failure()
        if not target:
            print("With a NAME its job, roles, network, node and login are checked too.", file=sys.stderr)
    return SmSshError.exit_code if any(one.status is Status.BAD for one in found.values()) else 0


def _print_last_failure() -> None:
    from datetime import datetime, timezone

    from sm_ssh_entry.connect import outcome
    from sm_ssh_entry.connect.nodes import ago

    last = outcome.last()
    if last:
        when = datetime.fromtimestamp(float(last.get("time", 0)), timezone.utc)
        print(f"The last login that failed, {ago(when)}: {last.get('host')}: {last.get('message')}", file=sys.stderr)


def _policies(case: Case) -> dict[str, object]:
    """Return the policies for this account, as far as it is known."""
    from sm_ssh_entry.connect.doctor import account, policies, roles
    from sm_ssh_entry.connect.doctor.caller import scope_of

    try:
        account.credentials(case)
        scope = scope_of(case)
    except SmSshError:  # then with words in place of numbers
        scope = policies.Scope()
    role = case.node_role if case.node_role.startswith("arn:") else roles.name_of(case.node_role) or "SSM_ROLE"
    arn = (
        role if role.startswith("arn:") else f"arn:{scope.partition}:iam::{scope.account}:role/{case.node_role or role}"
    )
    return dict(policies.every(scope, arn))


def _as_json(check: Check, finding: Finding) -> Mapping[str, str]:
    return {
        "check": check.name,
        "title": check.title,
        "status": finding.status.value,
        "detail": finding.detail,
        "fix": finding.fix,
    }


def _rows(checks: Sequence[Check], found: Mapping[str, Finding], *, short: bool = False) -> list[tuple[_Row, str]]:
    """Return rows and their fixes; checks in a row that were not made for one and the same reason share one.

    Args:
        checks: in their order.
        found: by name of the check.
        short: count the checks that share a row instead of naming them all.
    """
    from sm_ssh_entry.connect.doctor.findings import Status

    groups: list[tuple[list[str], Finding]] = []
    for check in checks:
        finding = found[check.name]
        shared = groups and finding.status is Status.UNCHECKED and groups[-1][1].detail == finding.detail
        if shared and groups[-1][1].status is Status.UNCHECKED:
            groups[-1][0].append(check.title)
        else:
            groups.append(([check.title], finding))
    rows = []
    for titles, finding in groups:
        title = f"{titles[0]} and {len(titles) - 1} more" if short and len(titles) > 1 else ", ".join(titles)
        rows.append(((title, finding.status.value, finding.detail), finding.fix))
    return rows


def _print_plain(checks: Sequence[Check], found: Mapping[str, Finding]) -> None:
    for (title, status, detail), fix in _rows(checks, found):
        click.echo(f"{status}\t{title}: {detail}")
        if fix:
            click.echo(f"\tfix: {fix}")


def _print_table(checks: Sequence[Check], found: Mapping[str, Finding]) -> None:
    """Print columns with colours. A line is not folded by us, so that a fix can be copied as it is."""
    from rich.console import Console
    from rich.text import Text

    console, rows = Console(), _rows(checks, found, short=True)
    first, second = max(len(status) for status in _STYLES), max(len(title) for (title, _, _), _ in rows)
    for (title, status, detail), fix in rows:
        line = Text.assemble((status.ljust(first), _STYLES[status]), f"  {title.ljust(second)}  ", detail)
        console.print(line, soft_wrap=True)
        if fix:
            console.print(Text.assemble(" " * first, "  ", ("fix: ", "bold"), (fix, "cyan")), soft_wrap=True)
