"""A tiny Debian archive, signed with a key made for it, and other keys: gpg's own work."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

from tests.images.publisher import Publisher


@dataclass(frozen=True)
class Key:
    """A signing key.

    Args:
        home: gpg's folder.
        fingerprint: of the primary key.
        public: a file of its public half; ``armored`` another one.
        armored: the same as text, as publishers show it.
    """

    home: Path
    fingerprint: str
    public: Path
    armored: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> Key:
        home = folder / name
        home.mkdir(mode=0o700)
        words = ["--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", "never"]
        gpg(home, *words)
        listed = gpg(home, "--list-keys", "--with-colons").decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        public, armored = folder / f"{name}.gpg", folder / f"{name}.asc"
        public.write_bytes(gpg(home, "--export"))
        armored.write_bytes(gpg(home, "--armor", "--export"))
        return cls(home, fingerprint, public, armored)

    def close(self) -> None:
        """End gpg's agent, which would stay as long as its folder does."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=True, timeout=180)

    def clear_sign(self, text: str) -> bytes:
        return gpg(self.home, "--clearsign", "--digest-algo", "SHA512", stdin=text.encode())

    def detached(self, content: bytes) -> bytes:
        return gpg(self.home, "--detach-sign", stdin=content)


def gpg(home: Path, *words: str, stdin: bytes = b"") -> bytes:
    argv = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", *words]
    return subprocess.run(argv, input=stdin, capture_output=True, check=True, timeout=120).stdout


def package(
    name: str, version: str = "1.0", content: bytes | None = None, **fields: str
) -> tuple[dict[str, str], bytes]:
    """A package and its paragraph; field names have ``_`` for ``-``."""
    body = f"{name} {version}".encode() if content is None else content
    return {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Description": f"{name}\n more of it: and a colon",
        **{key.replace("_", "-"): value for key, value in fields.items()},
        "Filename": f"pool/main/{name}_{version.rpartition(':')[2]}_amd64.deb",
        "Size": str(len(body)),
        "SHA256": hashlib.sha256(body).hexdigest(),
    }, body


def publish(
    site: Publisher,
    key: Key,
    suite: str,
    packages: Sequence[tuple[dict[str, str], bytes]],
    *,
    top: str = "/debian",
    codename: str = "",
    valid_days: float = 7,
    by_hash: bool = False,
    release: Mapping[str, str] | None = None,
) -> None:
    """Publish a suite; what it held before is gone."""
    paragraphs = ["".join(f"{name}: {value}\n" for name, value in fields.items()) for fields, _ in packages]
    index = lzma.compress("\n".join(paragraphs).encode())
    sha256 = hashlib.sha256(index).hexdigest()
    until = format_datetime(datetime.now(timezone.utc) + timedelta(days=valid_days), usegmt=True)
    fields = {
        "Codename": codename or suite,
        "Valid-Until": until,
        **({"Acquire-By-Hash": "yes"} if by_hash else {}),
        "SHA256": f"\n {sha256} {len(index)} main/binary-amd64/Packages.xz",
        **(release or {}),
    }
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    folder = f"{top}/dists/{suite}"
    site.publish(f"{folder}/InRelease", key.clear_sign(text))
    place = f"by-hash/SHA256/{sha256}" if by_hash else "Packages.xz"
    site.publish(f"{folder}/main/binary-amd64/{place}", index)
    for paragraph, body in packages:
        site.publish(f"{top}/{paragraph['Filename']}", body)
