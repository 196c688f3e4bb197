"""What an agent sends while it registers and keeps its node alive, by hand: nothing of the plane is on this side."""

from __future__ import annotations

import base64
import http.client
import json
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

REGION = "us-east-1"
_POOL = 3


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """One of a few keys: making one costs a tenth of a second, and no test needs a thousand different ones."""
    assert number < _POOL
    return rsa.generate_private_key(65537, 2048)


def public_text(key: rsa.RSAPrivateKey) -> str:
    """A public key as the agent sends it."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("__type", ""))


class _NodeSigner(SigV4Auth):  # type: ignore[misc]
    """SigV4 with the node's RSA key in the place of the HMAC. Protocol page, section 3."""

    def __init__(self, node_id: str, key: rsa.RSAPrivateKey, region: str) -> None:
        super().__init__(Credentials(node_id, "unused"), "ssm", region)
        self._key = key

    def signature(self, string_to_sign: str, request: Any) -> str:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return base64.b64encode(self._key.sign(string_to_sign.encode(), pss, hashes.SHA256())).decode()


def post(url: str, target: str, body: bytes | dict[str, Any], signer: Any = None, **headers: str) -> Answer:
    """POST one JSON 1.1 call."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"} | headers
    request = AWSRequest("POST", f"{url}/", data=data, headers=named)
    if signer is not None:
        signer.add_auth(request)
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
    try:
        connection.request("POST", "/", data, dict(request.headers.items()))
        answer = connection.getresponse()
        return Answer(answer.status, json.loads(answer.read() or b"{}"))
    finally:
        connection.close()


@dataclass
class FakeNode:
    """A node that registered, with the key it holds."""

    url: str
    node_id: str
    key: rsa.RSAPrivateKey
    fingerprint: str
    region: str = REGION
    role: Credentials | None = None

    def signed_by_key(self, operation: str, params: dict[str, Any], key: rsa.RSAPrivateKey | None = None) -> Answer:
        signer = _NodeSigner(self.node_id, key or self.key, self.region)
        return post(self.url, f"AmazonSSM.{operation}", params, signer)

    def request_token(self, fingerprint: str | None = None) -> Answer:
        return self.signed_by_key("RequestManagedInstanceRoleToken", {"Fingerprint": fingerprint or self.fingerprint})

    def take_role(self) -> Credentials:
        body = self.request_token().body
        self.role = Credentials(body["AccessKeyId"], body["SecretAccessKey"], body["SessionToken"])
        return self.role

    def call(self, operation: str, params: dict[str, Any], service: str = "ssm") -> Answer:
        prefix = {"ssm": "AmazonSSM", "ec2messages": "EC2WindowsMessageDeliveryService"}[service]
        return post(
            self.url, f"{prefix}.{operation}", params, SigV4Auth(self.role or self.take_role(), service, self.region)
        )

    def ping(self, **more: str) -> Answer:
        return self.call(
            "UpdateInstanceInformation",
            {
                "InstanceId": self.node_id,
                "AgentName": "amazon-ssm-agent",
                "AgentVersion": "3.3.0.0",
                "PlatformType": "Linux",
            }
            | more,
        )


def registration(activation: dict[str, Any], key: rsa.RSAPrivateKey, fingerprint: str = "") -> dict[str, Any]:
    """The body of RegisterManagedInstance."""
    return {
        "ActivationCode": activation["ActivationCode"],
        "ActivationId": activation["ActivationId"],
        "PublicKey": public_text(key),
        "PublicKeyType": "Rsa",
        "Fingerprint": fingerprint or str(uuid.uuid4()),
    }


def register(url: str, activation: dict[str, Any], number: int = 0, region: str = REGION) -> FakeNode:
    """Register a node with what CreateActivation returned."""
    body = registration(activation, rsa_key(number))
    answer = post(url, "AmazonSSM.RegisterManagedInstance", body)
    assert answer.status == 200, answer
    return FakeNode(url, answer.body["InstanceId"], rsa_key(number), body["Fingerprint"], region)
