"""The plane as a whole: both listeners, start, stop, ports."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import SSLError

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane.server import Plane, PlaneThread
from tests.plane.conftest import ClientMaker


def test_both_listeners_serve_the_same_state(client: ClientMaker) -> None:
    made = client("ssm").create_activation(IamRole="Nodes")["ActivationId"]
    found = client("ssm", tls=True).describe_activations()["ActivationList"]
    assert [one["ActivationId"] for one in found] == [made]


def test_tls_is_refused_by_who_does_not_know_the_authority(shared_plane: PlaneThread) -> None:
    import boto3

    stranger = boto3.client(
        "ssm",
        region_name="us-east-1",
        endpoint_url=shared_plane.tls_url,
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    try:
        with pytest.raises(SSLError):
            stranger.describe_activations()
    finally:
        stranger.close()


def test_it_listens_on_loopback_only(shared_plane: PlaneThread) -> None:
    for url in (shared_plane.url, shared_plane.tls_url):
        assert urlsplit(url).hostname == "127.0.0.1"
        with socket.socket() as other:
            # Another address of this machine is free: the plane does not hold it.
            other.bind(("127.0.0.2", urlsplit(url).port or 0))


def test_its_files_go_with_it_and_the_ports_are_free_again() -> None:
    thread = PlaneThread().start()
    url, folder = thread.url, thread.ca_file.parent
    assert folder.is_dir()
    thread.stop()
    thread.stop()
    assert not folder.exists()
    with PlaneThread(port=urlsplit(url).port) as again:
        assert again.url == url


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"cannot listen on 127.0.0.1:{port}: "):
            PlaneThread(tls_port=port, folder=tmp_path).start()


def test_in_an_event_loop_of_the_callers() -> None:
    async def work() -> tuple[str, str]:
        async with Plane() as plane:
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(plane.url).port)
            writer.write(b"GET /_sm-ssh/status HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return plane.instance, answer.decode()

    instance, answer = asyncio.run(work())
    assert instance in answer


def test_the_environment_of_a_client(shared_plane: PlaneThread) -> None:
    found = shared_plane.environment()
    assert found["AWS_ENDPOINT_URL"] == shared_plane.url
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert (found["AWS_EC2_METADATA_DISABLED"], found["SM_SSH_PAYLOAD_BYTES"]) == ("true", "32768")
    assert "AWS_SESSION_TOKEN" not in found
    tls = shared_plane.environment(tls=True)
    assert tls["AWS_ENDPOINT_URL"] == shared_plane.tls_url
    assert tls["AWS_CA_BUNDLE"] == tls["SSL_CERT_FILE"] == str(shared_plane.plane.bundle_file)
