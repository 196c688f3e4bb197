"""One plane for all tests of the room, reset before each: a start costs a third of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sm_ssh_entry.plane import data_channel
from sm_ssh_entry.plane.credentials import Credential
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Settings

REGION = "us-east-1"
ClientMaker = Callable[..., Any]


@pytest.fixture(scope="session")
def one_plane() -> Iterator[PlaneThread]:
    with PlaneThread() as thread:
        yield thread


@pytest.fixture
def shared_plane(one_plane: PlaneThread) -> PlaneThread:
    """A plane that holds nothing yet and has its default settings."""

    def fresh(plane: Plane) -> None:
        vars(plane.store.settings).update(vars(Settings()))

    one_plane.reset()
    one_plane.call(fresh)
    return one_plane


@pytest.fixture
def quick_plane(shared_plane: PlaneThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlaneThread]:
    """A plane that does not wait long for a peer's side of a closing handshake; its sessions are closed afterwards."""
    monkeypatch.setattr(data_channel, "_CLOSE_SECONDS", 0.3)
    yield shared_plane
    shared_plane.reset()


@pytest.fixture
def client(shared_plane: PlaneThread) -> Iterator[ClientMaker]:
    """Make boto3 clients of the shared plane: ``client("ssm")``, with another credential, region or over TLS."""
    made = []

    def make(
        service: str = "ssm", *, region: str = REGION, credential: Credential | None = None, tls: bool = False
    ) -> Any:
        found = shared_plane.environment(tls=tls, credential=credential)
        one = boto3.client(
            service,
            region_name=region,
            endpoint_url=found["AWS_ENDPOINT_URL"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=found.get("AWS_SESSION_TOKEN"),
            verify=found.get("AWS_CA_BUNDLE"),
            config=Config(retries={"total_max_attempts": 1}),
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ssm(client: ClientMaker) -> Any:
    return client("ssm")
