"""Where port sessions may lead."""

from __future__ import annotations

import asyncio

import pytest

from sm_ssh_entry.plane.agent.ending import SessionRefused
from sm_ssh_entry.plane.agent.targets import ConnectFailed, connection, host_of, port_of, resolve
from tests.plane.agent.test_port import closed_port, echo, serving


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "22 23", "ssh", "²²", None])
def test_what_is_no_port(text: str | None) -> None:
    with pytest.raises(SessionRefused):
        port_of({"portNumber": text})


def test_ports_and_hosts() -> None:
    assert port_of({"portNumber": " 65535 "}) == 65535
    assert [host_of(one) for one in ({}, {"host": ""}, {"host": "db.local"})] == ["localhost", "localhost", "db.local"]


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "fd00:ec2::254", "::ffff:a9fe:a9fe", "169.254.169.123", "2852039166"]
)
def test_denied_addresses_in_any_spelling(host: str) -> None:
    with pytest.raises(SessionRefused, match=r"Forwarding to IP address \S+ is forbidden\."):
        asyncio.run(resolve(host, 80))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "bad\0name"])
def test_names_that_mean_nothing(host: str) -> None:
    with pytest.raises(ConnectFailed):
        asyncio.run(resolve(host, 80))


def test_the_addresses_are_tried_in_turn() -> None:
    async def scenario() -> None:
        async with serving(echo) as port:
            async with connection(["127.0.0.2", "127.0.0.1"], int(port)) as (_, writer):
                assert writer.get_extra_info("peername")[0] == "127.0.0.1"
            assert writer.transport.is_closing()
        with pytest.raises(ConnectFailed, match="port"):
            async with connection(["127.0.0.1"], int(await closed_port())):
                pass

    asyncio.run(scenario())
