"""UpdateInstanceInformation: how the service learns that the node lives, and what it is."""

from __future__ import annotations

import asyncio
import logging
import platform
import socket
from pathlib import Path

from sm_ssh_entry.plane.agent import backoff, settings
from sm_ssh_entry.plane.agent.calls import Caller
from sm_ssh_entry.plane.agent.credentials import Keeper
from sm_ssh_entry.plane.agent.service import CallError, Service

log = logging.getLogger(__name__)

# Protocol page, section 4: Ssm.HealthFrequencyMinutes.
INTERVAL = 300.0
MAX_DELAY = 30.0
OPERATION = "UpdateInstanceInformation"


def short_form(node_id: str) -> dict[str, str]:
    """Return what is sent first: enough for the service to call the node alive."""
    return {
        "AgentName": settings.NAME,
        "AgentVersion": settings.PROTOCOL_VERSION,
        "InstanceId": node_id,
        "PlatformType": "Linux",
    }


def full_form(node_id: str, address: str) -> dict[str, str]:
    """Return what is sent afterwards and every five minutes.

    Args:
        node_id: managed node id.
        address: the node's own IP address, ``""`` if unknown.
    """
    name, version = _distribution()
    return {
        **short_form(node_id),
        "AgentStatus": "Active",
        "AvailabilityZone": "",
        "AvailabilityZoneId": "",
        "ComputerName": socket.gethostname(),
        "IPAddress": address,
        "PlatformName": name,
        "PlatformVersion": version,
        "SSMConnectionChannel": "ssmmessages",
    }


def own_address() -> str:
    """Return the address by which this machine would leave, without sending anything; 127.0.0.1 without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket asks the routing table and sends nothing. TEST-NET-1, RFC 5737.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


async def run(service: Service, caller: Caller, keeper: Keeper, node_id: str) -> None:
    """Send the short form, then the full one, then the full one every five minutes, for ever."""
    forms = [short_form(node_id)]
    failures = backoff.delays(0.1, MAX_DELAY)
    while True:
        form = forms.pop() if forms else await caller(full_form, node_id, own_address())
        try:
            await caller(service.call, await keeper.get(), OPERATION, form)
        except CallError as error:
            delay = next(failures)
            log.warning("no heartbeat: %s (again in %.1f s)", error, delay)
            if not error.passing:
                keeper.renew()
            await asyncio.sleep(delay)
            continue
        failures = backoff.delays(0.1, MAX_DELAY)
        if "AgentStatus" in form:
            await asyncio.sleep(INTERVAL)


def _distribution() -> tuple[str, str]:
    """Name and version of the Linux distribution, from os-release(5)."""
    fields: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            lines = Path(path).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        fields = {key: value.strip().strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
        break
    return fields.get("NAME", platform.system()), fields.get("VERSION_ID", platform.release())
