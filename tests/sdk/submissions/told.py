"""Runs the submissions of one SDK version in its own environment, and says what SSH changes in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sm_ssh_entry.contract import ENTRY_PREFIX
from tests.sdk.environments import python

HERE = Path(__file__).parent
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIZ7zUYP0fCzL1lXS7Z8n6mGmVJ4yEmpvYb1xX0n2j3k"
OWNER = "AROAEXAMPLE:somebody"
ROLE = "service-role/Runner"
PREFIX = list(ENTRY_PREFIX)
# What differs between two submissions of the same thing: times in names, and the keys of a remote function.
_CHANCE = re.compile(
    r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{3}|\d{14}|[0-9a-f]{64}|BEGIN PUBLIC KEY-+[^-]+|sagemaker_requirements_\w+"
)
NOWHERE = object()


class Change(NamedTuple):
    """One member that SSH has changed."""

    path: tuple[str | int, ...]
    before: Any
    after: Any


def run(version: str, folder: Path) -> dict[str, Any]:
    """Run all cases of a version; their user has a key, and nothing else of an environment.

    Args:
        version: ``v2`` or ``v3``.
        folder: an empty one.
    """
    interpreter = python(version)
    ssh = folder / "home" / ".ssh"
    ssh.mkdir(parents=True)
    (ssh / "id_ed25519").write_text("a private key is not read\n")
    (ssh / "id_ed25519.pub").write_text(f"{KEY} somebody@laptop\n")
    code = folder / "code"
    code.mkdir()
    (code / "script.py").write_text("print(1)\n")
    (code / "code.jar").write_bytes(b"")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "AWS_DEFAULT_REGION": "eu-west-1"}
    done = subprocess.run(
        [interpreter, str(HERE / f"{version}.py"), str(code), str(folder / "found.json")],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def changes(case: dict[str, Any]) -> list[tuple[str, list[Change]]]:
    """Return for each request of a case its operation and what SSH has changed in it."""
    bare, ours = case["bare"], case["ours"]
    assert [operation for operation, _ in bare] == [operation for operation, _ in ours]
    assert bare, case["said"]
    return [
        (operation, list(differences(before, after)))
        for (operation, before), (_, after) in zip(bare, ours, strict=True)
    ]


def differences(before: Any, after: Any, path: tuple[str | int, ...] = ()) -> Iterator[Change]:
    """Compare two requests member by member."""
    if isinstance(before, str) and isinstance(after, str):
        if before[:1] == "{" and path[-1:] == ("PipelineDefinition",):
            yield from differences(json.loads(before), json.loads(after))
        elif _CHANCE.sub("*", before) != _CHANCE.sub("*", after):
            yield Change(path, before, after)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            yield from differences(before.get(name, NOWHERE), after.get(name, NOWHERE), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, two) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, two, (*path, number))
    elif before != after:
        yield Change(path, before, after)


def variables(changed: list[Change], *place: str | int) -> dict[str, str]:
    """Return the variables that were added at a place of a request; nothing else may be changed, but entrypoints."""
    found: dict[str, str] = {}
    for path, before, after in changed:
        if path[-1] == "ContainerEntrypoint":
            continue
        assert path[: len(place)] == place, path
        if path == place and before is NOWHERE:
            found |= after
        else:
            assert (len(path), before) == (len(place) + 1, NOWHERE), path
            found[str(path[-1])] = after
    return found


def entrypoints(changed: list[Change]) -> list[tuple[list[str], list[str]]]:
    """Return entrypoints without and with SSH, where they differ."""
    return [(before, after) for path, before, after in changed if path[-1] == "ContainerEntrypoint"]


def expected(wait: int, role: str = ROLE, **more: str) -> dict[str, str]:
    """Return what the default is for a kind, without the session's id."""
    found = {
        "START_SSH": "true",
        "SSH_OWNER_TAG": OWNER,
        "SSH_WAIT_TIME_SECONDS": str(wait),
        "SSH_INSTANCE_COUNT": "2",
        "SSH_AUTHORIZED_KEYS": KEY,
    }
    return {**found, **({"SSH_SSM_ROLE": role} if role else {}), **more}


def check_steps(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Compare two definitions of a pipeline that trains and processes."""
    changed = list(differences(before, after))
    for number in (0, 1):
        mine = [change for change in changed if change.path[:2] == ("Steps", number)]
        check(variables(mine, "Steps", number, "Arguments", "Environment"), expected(600))
        ((one, two),) = entrypoints(mine)
        assert two == [*PREFIX, *one]
    assert {path[:1] for path, _, _ in changed} == {("Steps",)}


def check_runs(case: dict[str, Any], first: str) -> None:
    """Check two runs of one processor.

    Args:
        case: of the processor.
        first: the first word of what the SDK or the user has for an entrypoint.
    """
    runs = changes(case)[:2]
    for _, changed in runs:
        check(variables(changed, "Environment"), expected(600))
        ((before, after),) = entrypoints(changed)
        assert (before[0], after) == (first, [*PREFIX, *before])


def check(found: dict[str, str], want: dict[str, str], session: str = r"[0-9a-f]{16}") -> None:
    """Compare variables, the session's id by its pattern."""
    assert re.fullmatch(session, found.get("SSH_SESSION_ID", ""))
    assert {name: value for name, value in found.items() if name != "SSH_SESSION_ID"} == want
