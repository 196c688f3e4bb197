"""Takes the managed node out of Systems Manager, with the container's own role, on the way out."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.boot import agent, log, status
from sm_ssh_entry.contract import NODE_ID_PATTERN, ROOT, Paths
from sm_ssh_entry.errors import AccessDenied, SmSshError

_TIMEOUT = 5.0


def run(paths: Paths) -> str:
    """Deregister this container's node; return its id, empty where it has none.

    Args:
        paths: where the container keeps its files.

    Raises:
        SmSshError: AWS did not do it.
    """
    found = status.read(paths)
    node = str(found.get("node_id", ""))
    if not re.fullmatch(NODE_ID_PATTERN, node):
        return ""
    region = str(found.get("region") or "") or None
    try:
        client = aws.client("ssm", region=region, timeout=_TIMEOUT, attempts=2)
        with aws.errors_of(action="ssm:DeregisterManagedInstance", region=region):
            _out(client, node)
    except AccessDenied as error:
        raise AccessDenied(error.message, hint="the job's role needs ssm:DeregisterManagedInstance") from error
    except SmSshError as error:
        hint = f"remove {node} by hand: aws ssm deregister-managed-instance"
        raise type(error)(error.message, hint=hint) from error
    agent.forget(paths)
    status.update(paths, node_id=None, mark="deregistered")
    return node


def _out(client: Any, node: str) -> None:
    try:
        client.deregister_managed_instance(InstanceId=node)
    except client.exceptions.InvalidInstanceId:
        # Gone already: somebody did it by hand, or this is the second try and only the first one's answer was lost.
        return


def main() -> int:
    """Deregister as a process of its own, which init starts; one line says how it went."""
    try:
        node = run(Paths(os.environ.get(ROOT, "")))
    except SmSshError as error:
        log.fail(error)
        return error.exit_code
    if node:
        log.say(f"deregistered {node}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
