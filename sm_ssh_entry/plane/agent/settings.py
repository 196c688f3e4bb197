"""What the agent reads from its environment, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sm_ssh_entry import contract
from sm_ssh_entry.errors import BadInput

NAME = "sm-ssh-standin"
VERSION = "0.1.0"
TITLE = f"sm-ssh stand-in agent {VERSION} (not the official amazon-ssm-agent)"

# What peers see as AgentVersion. Clients decide by it: multiplexing needs more than 3.0.196.0, smux without keepalive
# more than 3.1.1511.0, ending a port session by flag more than 2.3.722.0. We speak as this release of the official
# agent does.
PROTOCOL_VERSION = "3.3.0.0"

PACE = "SM_SSH_AGENT_PACE"
OFFICIAL_PACE = "official"


@dataclass(frozen=True)
class Settings:
    """Where the agent finds its service and its files, and how fast it speaks.

    Args:
        root: prefix of every path.
        ssm_url: endpoint of the SSM API.
        gateway_url: endpoint of the message gateway.
        official_pace: messages of at most 1,024 bytes, 1 ms apart, as the official agent sends them.
    """

    root: str
    ssm_url: str
    gateway_url: str
    official_pace: bool = False

    @property
    def paths(self) -> contract.Paths:
        """Every path below the root."""
        return contract.Paths(self.root)


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        BadInput: no endpoint is set, or one is not an http(s) URL. There is no default on purpose: this agent is for
            the
            local plane and must not find its way to AWS.
    """
    ssm = environ.get("AWS_ENDPOINT_URL_SSM") or environ.get("AWS_ENDPOINT_URL") or ""
    if not ssm:
        raise BadInput("no SSM endpoint is set", hint="set AWS_ENDPOINT_URL: this agent serves the local plane only")
    gateway = environ.get(contract.MGS_ENDPOINT) or ssm
    return Settings(
        root=environ.get(contract.ROOT, ""),
        ssm_url=_checked(ssm),
        gateway_url=_checked(gateway),
        official_pace=environ.get(PACE, "") == OFFICIAL_PACE,
    )


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise BadInput(f"{url!r} is not an http or https URL", hint="an endpoint looks like http://127.0.0.1:4566")
    return url.rstrip("/")
