"""Who this node is: the registration on disk, its key pair, and how both survive a crash at any moment.

Layout of the official agent (protocol page, section 2.4), below ``/var/lib/amazon/ssm``:

    registration                      {"ManagedInstanceID", "Region"}     what others read the node id from
    Vault/Store/RegistrationKey       id, region and private key
    Vault/Store/InstanceFingerprint   the fingerprint that the service compares
    Vault/Store/NextRegistrationKey   a rotated key that the service may or may not have taken yet (ours)
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_ssh_entry import contract
from sm_ssh_entry.errors import NotRegistered, SetupFailed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KEY_BITS = 2048
# What the official agent stores: hardware of which at least so many percent must match, or -1 for "do not compare".
# The stand-in compares nothing and keeps the value for those who read the file.
SIMILARITY_THRESHOLD = 40
NO_SIMILARITY_CHECK = -1


@dataclass(frozen=True)
class Identity:
    """A registered node: what it needs to sign for itself."""

    node_id: str
    region: str
    fingerprint: str
    private_key: RSAPrivateKey


def new_key() -> RSAPrivateKey:
    """Make a key pair."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def public_text(key: RSAPrivateKey) -> str:
    """Return the public half as the service wants it: base64 of the DER SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives import serialization

    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode("ascii")


class Vault:
    """The registration on disk.

    Args:
        paths: every path below the root.
    """

    def __init__(self, paths: contract.Paths) -> None:
        self._registration = paths.registration
        self._store = paths.ssm_state / "Vault" / "Store"
        self._key = self._store / "RegistrationKey"
        self._next_key = self._store / "NextRegistrationKey"
        self._fingerprint = self._store / "InstanceFingerprint"

    def prepare(self) -> None:
        """Make the folders and prove that they can be written, before an activation is spent.

        Raises:
            SetupFailed: they cannot.
        """
        probe = self._store / f".probe-{os.getpid()}"
        try:
            for folder in (self._registration.parent, self._store.parent, self._store):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(probe, b"")
            probe.unlink()
        except OSError as error:
            raise SetupFailed(
                f"cannot write below {self._store}: {error.strerror or error}",
                hint=f"run as a user who may, or set {contract.ROOT} to a folder of your own",
            ) from error

    def load(self) -> Identity:
        """Return the registration.

        Raises:
            NotRegistered: there is none, or it cannot be read as one.
        """
        try:
            record = json.loads(self._key.read_text("utf-8"))
            fingerprint = json.loads(self._fingerprint.read_text("utf-8"))["fingerprint"]
            node_id, region = str(record["instanceID"]), str(record["region"])
            key = _private_key(record["privateKey"])
        except FileNotFoundError:
            raise self._unregistered("this node is not registered") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._unregistered(f"the registration cannot be read ({type(error).__name__})") from error
        if not re.fullmatch(contract.NODE_ID_PATTERN, node_id) or not region:
            raise self._unregistered("the registration names no node")
        return Identity(node_id, region, str(fingerprint), key)

    def save(self, identity: Identity, *, similarity_check: bool = True) -> None:
        """Write a registration. Each file is whole or untouched; the one that others read comes last."""
        self.prepare()
        threshold = SIMILARITY_THRESHOLD if similarity_check else NO_SIMILARITY_CHECK
        fingerprint = {"fingerprint": identity.fingerprint, "hardwareHash": {}, "similarityThreshold": threshold}
        _write(self._fingerprint, _json(fingerprint))
        self._write_key(self._key, identity)
        self._next_key.unlink(missing_ok=True)
        _write(self._registration, _json({"ManagedInstanceID": identity.node_id, "Region": identity.region}))

    def clear(self) -> bool:
        """Forget the registration; say whether there was one."""
        found = False
        # What others read goes first: nobody shall see a node id whose key is gone.
        for path in (self._registration, self._key, self._next_key, self._fingerprint):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                found = True
        return found

    def propose(self, identity: Identity) -> Identity:
        """Make the next key pair and keep it on disk beside the one in force, before the service hears of it.

        A key that was proposed before and never settled is offered again: the service may have taken it.
        """
        next_identity = self.proposed(identity) or replace(identity, private_key=new_key())
        self._write_key(self._next_key, next_identity)
        return next_identity

    def proposed(self, identity: Identity) -> Identity | None:
        """Return this node with the key that a rotation left unsettled; None: there is none."""
        try:
            record = json.loads(self._next_key.read_text("utf-8"))
            if record["instanceID"] != identity.node_id:
                return None
            return replace(identity, private_key=_private_key(record["privateKey"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def settle(self, identity: Identity) -> None:
        """Make this the key in force: the service has accepted a signature of it, or said that it took it."""
        self._write_key(self._key, identity)
        self._next_key.unlink(missing_ok=True)

    def _write_key(self, path: Path, identity: Identity) -> None:
        from cryptography.hazmat.primitives import serialization

        der = identity.private_key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        record = {
            "instanceID": identity.node_id,
            "region": identity.region,
            "instanceType": "",
            "availabilityZone": "",
            "privateKey": base64.b64encode(der).decode("ascii"),
            "publicKey": "",
            "privateKeyType": "Rsa",
            "privateKeyCreatedDate": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        _write(path, _json(record))

    def _unregistered(self, message: str) -> NotRegistered:
        return NotRegistered(message, hint="run sm-ssh-standin-agent -register -code CODE -id ID -region REGION")


def new_fingerprint() -> str:
    """Make a fingerprint. The official one hashes hardware; ours is random and lives as long as the registration."""
    return str(uuid.uuid4())


def _private_key(text: Any) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    key = load_der_private_key(base64.b64decode(text, validate=True), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode("utf-8")


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, mode 0600 from its first byte."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
