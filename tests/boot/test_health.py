from __future__ import annotations

import json
from pathlib import Path

import pytest

from sm_ssh_entry.boot import health
from sm_ssh_entry.contract import Paths


@pytest.mark.parametrize(
    ("found", "running", "answers", "good", "line"),
    [
        ({"phase": "online", "node_id": "mi-1"}, True, True, True, "online mi-1"),
        ({"phase": "sshd-only"}, True, True, True, "sshd-only"),
        ({"phase": "registered"}, True, True, False, "SSH is not online yet: registered"),
        ({"phase": "online", "port": 22}, True, False, False, "sshd does not answer on port 22"),
        ({"phase": "online"}, False, True, False, "the SSH services are not running"),
        ({"phase": "failed", "error": "e", "hint": "h"}, True, True, False, "e (hint: h)"),
    ],
)
def test_judgement(found: dict[str, str], running: bool, answers: bool, good: bool, line: str) -> None:
    assert health.judge(found, running=running, answers=answers) == health.Health(good=good, line=line)


def test_off_is_healthy_and_not_begun_is_not(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    assert health.check(paths, {}) == health.Health(good=True, line="SSH is off")
    assert health.check(paths, {"START_SSH": "true"}).good is False
    paths.run.mkdir(parents=True)
    paths.status.write_text(json.dumps({"phase": "online", "port": 1}))
    assert health.check(paths, {}).line == "the SSH services are not running"
