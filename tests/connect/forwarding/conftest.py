"""A node with the stand-in agent on the laptop's plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent.processes import Agent


@pytest.fixture
def node(plane: PlaneThread, ssm: Any, tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(plane, ssm, tmp_path / "root", tmp_path / "agent.log")
    agent.register()
    agent.start()
    try:
        yield agent.online()
    finally:
        agent.stop()
