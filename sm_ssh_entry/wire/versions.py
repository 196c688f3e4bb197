"""What the peer's version allows. Versions compare as dotted integers; one that is not is older than all."""

from __future__ import annotations

from typing import Any

_PORT_FORWARDING = "LocalPortForwarding"


def parse_version(version: str) -> tuple[int, ...]:
    """Return the integers of a dotted version, or () when it is not one."""
    parts = version.strip().split(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        return ()
    return tuple(int(part) for part in parts)


def at_least(version: str, floor: str) -> bool:
    """Whether ``version`` >= ``floor``; missing parts count as 0."""
    left, right = parse_version(version), parse_version(floor)
    width = max(len(left), len(right))
    return bool(left) and _wide(left, width) >= _wide(right, width)


def newer_than(version: str, floor: str) -> bool:
    """Whether ``version`` > ``floor``; missing parts count as 0."""
    left, right = parse_version(version), parse_version(floor)
    width = max(len(left), len(right))
    return bool(left) and _wide(left, width) > _wide(right, width)


def agent_multiplexes(properties: dict[str, Any] | None, client_version: str) -> bool:
    """Agent side: whether a port session carries smux with this client."""
    return _is_forwarding(properties) and at_least(client_version, "1.1.70")


def client_multiplexes(properties: dict[str, Any] | None, agent_version: str) -> bool:
    """Client side: whether a port session carries smux with this agent."""
    return _is_forwarding(properties) and newer_than(agent_version, "3.0.196.0")


def agent_sends_keepalive(client_version: str) -> bool:
    """Agent side: whether smux keepalive is on; off with clients that have switched theirs off."""
    return not newer_than(client_version, "1.2.331.0")


def client_sends_keepalive(agent_version: str) -> bool:
    """Client side: whether smux keepalive is on."""
    return not newer_than(agent_version, "3.1.1511.0")


def client_ends_by_flag(agent_version: str) -> bool:
    """Client side: whether flag 2 ends a port session; older agents need the TerminateSession API."""
    return newer_than(agent_version, "2.3.722.0")


def client_separates_streams(client_version: str) -> bool:
    """Agent side: whether the client tells standard output from standard error; the agent warns the others."""
    return newer_than(client_version, "1.2.295")


def _is_forwarding(properties: dict[str, Any] | None) -> bool:
    return bool(properties) and properties is not None and properties.get("type") == _PORT_FORWARDING


def _wide(version: tuple[int, ...], width: int) -> tuple[int, ...]:
    return version + (0,) * (width - len(version))
