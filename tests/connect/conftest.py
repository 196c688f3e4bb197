"""A laptop and a plane: a home of its own, the plane's environment, and nodes as the registration leaves them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Settings
from tests.connect.world import Fleet, Laptop


@pytest.fixture(scope="session")
def connect_plane() -> Iterator[PlaneThread]:
    with PlaneThread() as thread:
        yield thread


@pytest.fixture
def plane(connect_plane: PlaneThread) -> PlaneThread:
    """A plane that holds nothing yet and has its default settings."""

    def fresh(running: Plane) -> None:
        vars(running.store.settings).update(vars(Settings()))

    connect_plane.reset()
    connect_plane.call(fresh)
    return connect_plane


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, without keys, agent or AWS settings."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "SM_SSH_", "SSH_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def laptop(home: Path, plane: PlaneThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laptop]:
    """A laptop that talks to the plane."""
    for name, value in plane.environment().items():
        monkeypatch.setenv(name, value)
    aws._session.cache_clear()
    yield Laptop(home)
    aws._session.cache_clear()


@pytest.fixture
def fleet(plane: PlaneThread) -> Fleet:
    return Fleet(plane)


@pytest.fixture
def access(laptop: Laptop) -> Access:
    """The laptop's account and region."""
    return Access()


@pytest.fixture
def ssm(laptop: Laptop) -> Any:
    return aws.client("ssm", attempts=1)
