"""The variables that make an AWS client talk to a plane. Light: ``sm-ssh local env`` imports this and little else."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sm_ssh_entry import contract

# The stand-in agent takes as much in one message; the official peers use 1024.
PAYLOAD_BYTES = 32_768
# What containers call the plane: they are told its address on their network under this name.
NETWORK_NAME = "plane.sm-ssh.internal"
# What would win over the variables below.
_OTHERS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


def adopt(variables: Mapping[str, str]) -> None:
    """Make this process a client of a plane, whatever its environment said before.

    Args:
        variables: what ``client_environment`` gave.
    """
    for name in _OTHERS:
        os.environ.pop(name, None)
    os.environ.update(variables)


def client_environment(*, url: str, region: str, keys: dict[str, str], bundle: str = "") -> dict[str, str]:
    """Return the variables of an AWS client of a plane.

    Args:
        url: endpoint.
        region: region.
        keys: the variables of the key.
        bundle: file of certificates to trust; ``""``: none.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **keys,
        # A client must not go and look for a role of the machine it runs on.
        "AWS_EC2_METADATA_DISABLED": "true",
        contract.PAYLOAD_BYTES: str(PAYLOAD_BYTES),
        **({"AWS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle} if bundle else {}),
    }
