"""Is this container's SSH in order? One answer and one line, for health checks and people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.boot import log, sshd, status, supervise
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed

_GOOD = (status.ONLINE, status.SSHD_ONLY)


@dataclass(frozen=True)
class Health:
    """Whether it is in order, and the line that says so, or why not."""

    good: bool
    line: str


def check(paths: Paths, env: Mapping[str, str]) -> Health:
    """Look at the state, at the services and at sshd's port.

    Args:
        paths: where the container keeps its files.
        env: the container's environment.
    """
    found = status.read(paths)
    if not found:
        if env.get(contract.START_SSH) == "true":
            return Health(good=False, line="SSH has not begun to start")
        return Health(good=True, line="SSH is off")
    return judge(found, running=supervise.running(str(paths.run)), answers=_answers(found))


def judge(found: Mapping[str, Any], *, running: bool, answers: bool) -> Health:
    """Judge a state.

    Args:
        found: status.json.
        running: whether the services' supervisor lives.
        answers: whether sshd answers.
    """
    phase = str(found.get("phase", ""))
    if phase == status.FAILED:
        error = SetupFailed(str(found.get("error", "SSH set-up failed")), hint=str(found.get("hint", "")))
        return Health(good=False, line=log.describe(error))
    if not running:
        return Health(good=False, line="the SSH services are not running")
    if phase not in _GOOD:
        cause = f"; {found['error']}" if found.get("error") else ""
        return Health(good=False, line=f"SSH is not online yet: {phase}{cause}")
    if not answers:
        return Health(good=False, line=f"sshd does not answer on port {found.get('port')}")
    node = found.get("node_id")
    return Health(good=True, line=f"{phase} {node}" if node else phase)


def _answers(found: Mapping[str, Any]) -> bool:
    port = found.get("port")
    return isinstance(port, int) and sshd.answers(port)
