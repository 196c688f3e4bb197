"""One machine for all end-to-end tests of a module: a plane takes about a second to start."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.machine import Machine


def missing() -> str:
    """Say what this machine lacks to run a node; ``""``: nothing."""
    if sys.platform != "linux":
        return "a node runs on Linux"
    lacking = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    lacking += [] if shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin") else ["sshd"]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.up()
    try:
        yield machine
    finally:
        machine.down()
