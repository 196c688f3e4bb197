"""The plane's further listeners, as containers on a network reach them: here on an address of this machine."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from sm_ssh_entry.plane.environment import NETWORK_NAME
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.test_admin import ask


@pytest.fixture(scope="session")
def address() -> str:
    """A private address of this machine that is not loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel only chooses the address that it would send from.
            probe.connect(("192.0.2.200", 9))
        except OSError:
            pytest.skip("this machine has no network")
        found = str(probe.getsockname()[0])
    parsed = ipaddress.ip_address(found)
    if not parsed.is_private or parsed.is_loopback:
        pytest.skip("this machine has no private address")
    return found


@pytest.fixture
def urls(shared_plane: PlaneThread, address: str) -> Iterator[dict[str, str]]:
    status, found = ask(shared_plane, "POST", "listen", {"address": address})
    assert status == 200, found
    yield found
    ask(shared_plane, "POST", "unlisten", {"address": address})


def ssm(thread: PlaneThread, url: str, verify: str | None = None) -> Any:
    keys = thread.environment()
    return boto3.client(
        "ssm",
        region_name="us-east-1",
        endpoint_url=url,
        verify=verify,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def test_aws_is_served_there_over_http_and_tls(shared_plane: PlaneThread, urls: dict[str, str], address: str) -> None:
    assert {urlsplit(url).hostname for url in urls.values()} == {address}
    made = []
    for url, verify in ((urls["url"], None), (urls["tls_url"], str(shared_plane.ca_file))):
        client = ssm(shared_plane, url, verify)
        made.append(client.create_activation(IamRole="Nodes")["ActivationId"])
        client.close()
    client = ssm(shared_plane, shared_plane.url)
    assert {one["ActivationId"] for one in client.describe_activations()["ActivationList"]} == set(made)
    client.close()


def test_the_certificate_is_good_for_the_name_too(
    shared_plane: PlaneThread, urls: dict[str, str], address: str
) -> None:
    trusting = ssl.create_default_context(cafile=str(shared_plane.ca_file))
    port = urlsplit(urls["tls_url"]).port or 0
    for name in (NETWORK_NAME, address):
        with (
            socket.create_connection((address, port), timeout=120) as plain,
            trusting.wrap_socket(plain, server_hostname=name) as tls,
        ):
            assert tls.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("token", [True, False])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_sm-ssh/status"),
        ("POST", "/_sm-ssh/reset"),
        ("POST", "/_sm-ssh/credentials"),
        ("POST", "/_sm-ssh/listen"),
        ("POST", "/%5Fsm-ssh/reset"),
        ("POST", "/./_sm-ssh/reset"),
        ("POST", "/moto-api/reset"),
    ],
)
def test_own_routes_are_refused_there_even_with_the_token(
    shared_plane: PlaneThread, urls: dict[str, str], method: str, path: str, token: bool
) -> None:
    client = ssm(shared_plane, shared_plane.url)
    client.create_activation(IamRole="Nodes")
    where = urlsplit(urls["url"])
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
    given = {"Authorization": f"Bearer {shared_plane.plane.token}"} if token else {}
    connection.request(method, path, "{}", given)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status in (403, 404), text
    assert shared_plane.plane.instance not in text
    assert len(client.describe_activations()["ActivationList"]) == 1
    client.close()


def test_opening_it_again_tells_the_same_place(shared_plane: PlaneThread, urls: dict[str, str], address: str) -> None:
    assert ask(shared_plane, "POST", "listen", {"address": address}) == (200, urls)
    assert ask(shared_plane, "GET", "status")[1]["listeners"] == [address]


def test_closed_means_closed_for_who_is_connected_too(
    shared_plane: PlaneThread, urls: dict[str, str], address: str
) -> None:
    where = urlsplit(urls["url"])
    with socket.create_connection((address, where.port or 0), timeout=120) as connected:
        connected.sendall(b"GET /_sm-ssh/status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connected.recv(12) == b"HTTP/1.1 403"
        assert ask(shared_plane, "POST", "unlisten", {"address": address}) == (200, {"closed": True})
        try:
            while connected.recv(4096):
                pass
        except ConnectionResetError:
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, where.port or 0), timeout=120)
    assert ask(shared_plane, "GET", "status")[1]["listeners"] == []
    assert ask(shared_plane, "POST", "unlisten", {"address": address}) == (200, {"closed": False})


@pytest.mark.parametrize(
    "given", ["0.0.0.0", "127.0.0.1", "8.8.8.8", "169.254.1.1", "::", "localhost", "", "10.0.0.1/8"]
)
def test_only_a_private_address_will_do(shared_plane: PlaneThread, given: str) -> None:
    status, found = ask(shared_plane, "POST", "listen", {"address": given})
    assert (status, found["__type"]) == (400, "ValidationException")
    assert json.dumps(given)[1:-1] in found["message"]
    assert ask(shared_plane, "GET", "status")[1]["listeners"] == []


def test_an_address_of_another_machine_is_one_clear_line(shared_plane: PlaneThread) -> None:
    status, found = ask(shared_plane, "POST", "listen", {"address": "10.254.253.252"})
    assert status == 400
    assert found["message"].startswith("cannot listen on 10.254.253.252:0: ")


@pytest.mark.parametrize("route", ["listen", "unlisten"])
def test_listening_needs_the_token(shared_plane: PlaneThread, address: str, route: str) -> None:
    status, found = ask(shared_plane, "POST", route, {"address": address}, token="guess")
    assert (status, found["__type"]) == (403, "AccessDeniedException")


def test_they_go_with_the_plane(address: str) -> None:
    with PlaneThread() as thread:
        port = urlsplit(ask(thread, "POST", "listen", {"address": address})[1]["url"]).port or 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), timeout=120)
