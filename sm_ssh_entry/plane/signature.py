"""Who signed a request: AWS Signature Version 4, in the header or the query, and the managed nodes' RSA variant of it.

Written from the public description of Signature Version 4 and the protocol page, section 3. Only the headers that
the signature names take part, so what a proxy adds does no harm.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sm_ssh_entry.plane.api import AwsError, Caller
from sm_ssh_entry.plane.credentials import Credential
from sm_ssh_entry.plane.store import Node, Store, node_arn

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ALGORITHM = "AWS4-HMAC-SHA256"
# AWS accepts clocks that are wrong by five minutes.
MAX_SKEW_SECONDS = 300.0
# STS and IAM keep a presigned URL valid for a week at most.
MAX_PRESIGNED_SECONDS = 604_800.0

UNSIGNED = "UNSIGNED-PAYLOAD"
_SALT_LENGTH = 32


@dataclass(frozen=True)
class Signed:
    """What a request says about its signature.

    Args:
        access_key: access key id, or a node id in the RSA variant.
        date: day of the scope, ``20260131``.
        region: region of the scope.
        service: service of the scope, ``ssm`` for one.
        headers: names of the signed headers, lower case.
        signature: hexadecimal, or base64 in the RSA variant.
        timestamp: ``20260131T235959Z``.
        token: session token, ``""`` without one.
        presigned: seconds that a presigned URL holds; None: signed in the header.
    """

    access_key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str = ""
    presigned: float | None = None

    @property
    def scope(self) -> str:
        """Credential scope."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True)
class Message:
    """The parts of an HTTP request that a signature covers.

    Args:
        method: method.
        target: path and query as they stood in the request line.
        headers: headers; looked up without regard to case.
        body: the body; None: it streams by, and the hash in its header is taken for true.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None


def parse(message: Message) -> Signed | None:
    """Read what a request says about its signature; None: it is not signed.

    Raises:
        AwsError: IncompleteSignature, where it is signed by halves.
    """
    authorization = message.headers.get("Authorization", "")
    query = _query(message.target)
    if authorization:
        algorithm, _, rest = authorization.partition(" ")
        fields = dict(_assignment(part) for part in rest.split(","))
        timestamp = message.headers.get("X-Amz-Date", "") or _basic_date(message.headers.get("Date", ""))
        token = message.headers.get("X-Amz-Security-Token", "")
        presigned = None
    elif "X-Amz-Signature" in query:
        algorithm = query.get("X-Amz-Algorithm", "")
        fields = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
        timestamp, token = query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token", "")
        presigned = _seconds(query.get("X-Amz-Expires", ""))
    else:
        return None
    access_key, *scope = fields.get("Credential", "").split("/")
    headers = tuple(fields.get("SignedHeaders", "").lower().split(";"))
    if algorithm != ALGORITHM or len(scope) != 4 or scope[3] != "aws4_request" or not fields.get("Signature"):
        raise AwsError("IncompleteSignatureException", "The Authorization header is not a Signature Version 4 one.")
    if "host" not in headers:
        raise AwsError("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    date, region, service, _ = scope
    return Signed(access_key, date, region, service, headers, fields["Signature"], timestamp, token, presigned)


def string_to_sign(message: Message, signed: Signed) -> str:
    """Return the string to sign of a request.

    Raises:
        AwsError: InvalidSignatureException, where the body is not what its hash says.
    """
    path, _, query = message.target.partition("?")
    canonical = "\n".join(
        [
            message.method.upper(),
            path if signed.service == "s3" else _quoted(_normal_path(path), "/~"),
            _canonical_query(query),
            *(f"{name}:{' '.join(message.headers.get(name, '').split())}" for name in signed.headers),
            "",
            ";".join(signed.headers),
            _payload_hash(message, signed),
        ]
    )
    return "\n".join([ALGORITHM, signed.timestamp, signed.scope, hashlib.sha256(_raw(canonical)).hexdigest()])


def hmac_signature(secret: str, signed: Signed, text: str) -> str:
    """Return the ordinary signature of a string to sign, in hexadecimal."""
    key = f"AWS4{secret}".encode()
    for part in (signed.date, signed.region, signed.service, "aws4_request", text):
        key = hmac.new(key, _raw(part), hashlib.sha256).digest()
    return key.hex()


def authenticate(
    store: Store,
    message: Message,
    signed: Signed,
    *,
    foreign: Credential | None = None,
    now: Callable[[], float] = time.time,
) -> Credential:
    """Check an ordinary signature.

    Args:
        store: where the keys are.
        message: the request.
        signed: what it says about its signature.
        foreign: a key that the store need not know, for one that moto gave out.
        now: epoch seconds by the real clock, for the signature's age.

    Raises:
        AwsError: UnrecognizedClientException, ExpiredTokenException, InvalidSignatureException.
    """
    credential = store.credentials.get(signed.access_key) or foreign
    if credential is None or not same(credential.token, signed.token):
        raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.")
    if credential.expires is not None and credential.expires <= store.clock():
        raise AwsError("ExpiredTokenException", "The security token included in the request is expired")
    _check_age(signed, now())
    expected = hmac_signature(credential.secret, signed, string_to_sign(message, signed))
    if not same(expected, signed.signature):
        raise _mismatch()
    return credential


def authenticate_node(
    store: Store, message: Message, signed: Signed, *, now: Callable[[], float] = time.time
) -> tuple[Node, Caller]:
    """Check the RSA variant: the access key is the node's id, the signature RSA-PSS. Protocol page, section 3.

    Raises:
        AwsError: UnrecognizedClientException, InvalidSignatureException.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    node = store.nodes.get(signed.access_key, signed.region)
    if node is None:
        raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.")
    _check_age(signed, now())
    try:
        public_key_of(node.public_key).verify(
            base64.b64decode(signed.signature, validate=True),
            _raw(string_to_sign(message, signed)),
            padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=_SALT_LENGTH),
            hashes.SHA256(),
        )
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise _mismatch() from error
    return node, Caller(node.node_id, node_arn(store, node), node.node_id, node.node_id, store.account)


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time; what came in a header may hold bytes that are no text."""
    return hmac.compare_digest(_raw(one), _raw(other))


def public_key_of(text: str) -> RSAPublicKey:
    """Load a node's public key: base64 of a DER SubjectPublicKeyInfo, RSA, 2048 bits or more.

    Raises:
        ValueError: it is not one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError("not a DER public key in base64") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise ValueError("not an RSA key of 2048 bits or more")
    return key


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="surrogateescape")


def _mismatch() -> AwsError:
    return AwsError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
    )


def _check_age(signed: Signed, now: float) -> None:
    try:
        at = float(calendar.timegm(time.strptime(signed.timestamp, "%Y%m%dT%H%M%SZ")))
    except ValueError as error:
        raise AwsError("IncompleteSignatureException", "X-Amz-Date is missing or malformed.") from error
    if not signed.timestamp.startswith(signed.date):
        raise AwsError("InvalidSignatureException", "Date in Credential scope does not match the one of X-Amz-Date.")
    holds = MAX_SKEW_SECONDS if signed.presigned is None else min(signed.presigned, MAX_PRESIGNED_SECONDS)
    if now > at + holds:
        raise AwsError("InvalidSignatureException", f"Signature expired: {signed.timestamp} is too long ago.")
    if at > now + MAX_SKEW_SECONDS:
        raise AwsError("InvalidSignatureException", f"Signature not yet current: {signed.timestamp} is still later.")


def _payload_hash(message: Message, signed: Signed) -> str:
    stated = message.headers.get("X-Amz-Content-SHA256", "")
    if signed.presigned is not None and signed.service == "s3":
        return stated or UNSIGNED
    if message.body is None:
        return stated
    actual = hashlib.sha256(message.body).hexdigest()
    if stated and not stated.startswith(("UNSIGNED-", "STREAMING-")) and stated != actual:
        raise _mismatch()
    return stated or actual


def _canonical_query(query: str) -> str:
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        if name != "X-Amz-Signature":
            pairs.append((_quoted(unquote(name), "-_.~"), _quoted(unquote(value), "-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _normal_path(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + end


def _query(target: str) -> dict[str, str]:
    query = target.partition("?")[2]
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in pairs}


def _assignment(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _basic_date(date: str) -> str:
    from email.utils import parsedate

    parsed = parsedate(date) if date else None
    return time.strftime("%Y%m%dT%H%M%SZ", parsed) if parsed else ""
