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
OFFICIAL_SECONDS = 0.001


@dataclass(frozen=True)
class Settings:
    """Where the agent finds its service and its files, and how fast it speaks.

    Args:
        root: prefix of every path.
        ssm_url: endpoint of the SSM API.
        gateway_url: endpoint of the message gateway.
        pace: seconds between two messages of a session, of 1,024 bytes at most then; 0: as fast as it goes. The
            official agent's is 0.001 (protocol page, section 13), which SM_SSH_AGENT_PACE=official gives; a number
            there is milliseconds, for machines that cannot carry many sessions at the official pace.
    """

    root: str
    ssm_url: str
    gateway_url: str
    pace: float = 0.0

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
        pace=_pace(environ.get(PACE, "")),
    )


def _pace(text: str) -> float:
    if text in ("", OFFICIAL_PACE):
        return OFFICIAL_SECONDS if text else 0.0
    if not text.isdigit():
        raise BadInput(f"{PACE} is {OFFICIAL_PACE} or a number of milliseconds, not {text!r}")
    return int(text) / 1000


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise BadInput(f"{url!r} is not an http or https URL", hint="an endpoint looks like http://127.0.0.1:4566")
    return url.rstrip("/")
