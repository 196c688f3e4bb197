"""Releasing a job that is held before its start: ``sm-wait stop`` on its nodes, through SSM Run Command."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.connect import nodes, registered, remote_command
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target, rank
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import NotFound

_SCRIPT = '"${SM_SSH_ROOT:-}/opt/sm-ssh/bin/sm-wait" stop\n'


def release(access: Access, target: Target) -> list[tuple[Node, str]]:
    """Release what a name means: one node, or all Online nodes of a job. Return each with what it said.

    Args:
        access: account and region.
        target: parsed name.

    Raises:
        NotFound: no node has that name.
        ConnectionLost: none of them is Online.
        SmSshError: a node could not do it.
    """
    ssm = access.client("ssm")
    found = registered.Search(access, target).matching()
    if not found:
        raise NotFound(f"no managed node has the name {target.host}")
    online = sorted((node for node in found if node.online), key=lambda node: rank(node.label))
    if not online:
        nodes.pick(found, target)  # raises, and says since when
    every = nodes.parallel(lambda node: nodes.with_tags(ssm, node), online)
    return nodes.parallel(lambda node: (node, _stop(ssm, node)), every)


def _stop(ssm: Any, node: Node) -> str:
    output = remote_command.run_script(ssm, node.node_id, _SCRIPT, comment="sm-ssh: stop waiting")
    refused = remote_command.refusal(output, "stop waiting")
    if refused:
        raise refused
    return " ".join(output.stdout.split()) or "nobody was waiting"
