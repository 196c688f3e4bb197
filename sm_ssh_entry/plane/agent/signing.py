"""Signatures of the agent's requests: ordinary SigV4, and SigV4 with the node's own RSA key.

Both come from botocore's signer, because its canonical form is the reference. This is the one module of the agent that
imports botocore (an exception to "only aws.py does": the plane may, for its two ends of the wire).

With the role credentials of the node a request is signed as usual. The request that fetches those credentials is signed
with the private key (protocol page, section 3): the algorithm label and the string to sign stay those of SigV4, the
access key is the node id, and the signature is base64 of RSA-PSS (SHA-256, MGF1 with SHA-256, salt of 32 bytes) over
that string.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from sm_ssh_entry.plane.agent.identity import Identity


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary keys of the node's role. ``expires`` is epoch seconds. botocore's signer reads the first three."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)
    expires: float = 0.0


def sign(
    credentials: RoleCredentials,
    *,
    method: str,
    url: str,
    service: str,
    region: str,
    headers: Mapping[str, str],
    body: bytes = b"",
) -> dict[str, str]:
    """Return the headers of a request with its signature among them.

    Args:
        credentials: the node's role credentials.
        method: HTTP method; ``GET`` for a WebSocket.
        url: http or https URL with the query string that is sent; the Host header must say the same host and port.
        service: signing name, ``ssm`` or ``ssmmessages``.
        region: signing region.
        headers: headers that are sent and signed.
        body: payload.
    """
    return _signed(SigV4Auth(credentials, service, region), method, url, headers, body)


def sign_as_node(
    identity: Identity, *, method: str, url: str, service: str, headers: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """Return the headers of a request signed with the node's own key. Arguments as of :func:`sign`."""
    signer = _NodeKeyAuth(RoleCredentials(identity.node_id, ""), service, identity.region, identity.private_key)
    return _signed(signer, method, url, headers, body)


class _NodeKeyAuth(SigV4Auth):  # type: ignore[misc]
    def __init__(self, credentials: RoleCredentials, service: str, region: str, key: RSAPrivateKey) -> None:
        super().__init__(credentials, service, region)
        self._key = key

    def signature(self, string_to_sign: str, request: Any) -> str:  # noqa: ARG002 - botocore's own signature
        """Sign the string with the node's key instead of a derived HMAC key."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return base64.b64encode(self._key.sign(string_to_sign.encode("utf-8"), scheme, hashes.SHA256())).decode("ascii")


def _signed(signer: Any, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    signer.add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}
