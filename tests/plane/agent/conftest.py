"""One plane and one node that most tests share, and fresh nodes for those that break theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent.processes import Agent

NodeMaker = Callable[..., Agent]


@pytest.fixture(scope="package")
def plane() -> Iterator[PlaneThread]:
    """A plane of this package's own: the room's is reset before each test, which ends its nodes."""
    with PlaneThread() as thread:
        yield thread


@pytest.fixture(scope="package")
def ssm(plane: PlaneThread) -> Iterator[Any]:
    found = plane.environment()
    client = botocore.session.get_session().create_client(
        "ssm",
        region_name=plane.plane.region,
        endpoint_url=plane.url,
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=60),
    )
    yield client
    client.close()


@pytest.fixture(scope="package")
def node(plane: PlaneThread, ssm: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A node that is Online and that no test harms."""
    folder = tmp_path_factory.mktemp("node")
    agent = Agent(plane, ssm, folder / "root", folder / "log")
    agent.register()
    agent.start()
    try:
        yield agent.online()
    finally:
        agent.stop()


@pytest.fixture
def new_node(plane: PlaneThread, ssm: Any, tmp_path: Path) -> Iterator[NodeMaker]:
    """Make nodes, neither registered nor started; ended after the test."""
    made: list[Agent] = []

    def make(**extra: str) -> Agent:
        folder = tmp_path / f"node-{len(made)}"
        folder.mkdir()
        made.append(Agent(plane, ssm, folder / "root", folder / "log", extra=extra))
        return made[-1]

    yield make
    for agent in made:
        agent.stop()
