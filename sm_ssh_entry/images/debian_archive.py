"""A Debian archive, trusted from its key down: InRelease by signature, Packages by InRelease, a package by Packages."""

from __future__ import annotations

import lzma
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

from sm_ssh_entry.errors import ArtifactRefused, NotFound
from sm_ssh_entry.images.debian_closure import Index, Package
from sm_ssh_entry.images.debian_text import paragraphs
from sm_ssh_entry.images.download import Download, Progress
from sm_ssh_entry.images.lockfile import Entry, relative
from sm_ssh_entry.images.network import Network
from sm_ssh_entry.images.signature import signed_text

_RELEASE_LIMIT = 8 << 20
_RELEASE = {"Suite", "Codename", "Valid-Until", "Acquire-By-Hash", "SHA256"}
_PACKAGE = {
    "Package", "Version", "Essential", "Priority", "Depends", "Pre-Depends", "Provides", "Filename", "Size", "SHA256",
}  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """One suite of an archive.

    Args:
        archive: address, without a slash at its end.
        name: ``bookworm-updates``.
        areas: ``main``.
    """

    archive: str
    name: str
    areas: tuple[str, ...]


def index(suites: Sequence[Suite], arch: str, keyring: Path, *, network: Network, progress: Progress) -> Index:
    """Return the packages of some suites.

    Args:
        suites: which.
        arch: processor.
        keyring: the archive's public keys.
        network: opens addresses.
        progress: is told.

    Raises:
        ArtifactRefused: a signature or checksum does not hold.
        SmSshError: something cannot be fetched.
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = [
            package for suite in suites for package in _packages(suite, arch, keyring, network, progress, Path(scratch))
        ]
    return Index(found)


def _packages(
    suite: Suite, arch: str, keyring: Path, network: Network, progress: Progress, scratch: Path
) -> Iterator[Package]:
    release = _release(suite, keyring, network, scratch)
    sums = {name: (int(size), sha256) for sha256, size, name in map(str.split, release["SHA256"].strip().splitlines())}
    top = f"{suite.archive}/dists/{suite.name}"
    for area in suite.areas:
        name = f"{area}/binary-{arch}/Packages.xz"
        if name not in sums:
            raise NotFound(
                f"{top} has no {name}", hint="is that processor, or that part of the archive, still published?"
            )
        size, sha256 = sums[name]
        # By its checksum, where the archive has that: a mirror in the middle of an update then gives what we ask for.
        by_hash = release.get("Acquire-By-Hash") == "yes"
        place = f"{area}/binary-{arch}/by-hash/SHA256/{sha256}" if by_hash else name
        entry = Entry("packages", suite.name, f"{suite.name}/{name}", f"{top}/{place}", size, sha256, "")
        Download(entry, scratch, network, progress, threading.Event()).run()
        text = lzma.decompress((scratch / entry.file).read_bytes()).decode("utf-8")
        yield from (_package(suite, fields) for fields in paragraphs(text, _PACKAGE))


def _release(suite: Suite, keyring: Path, network: Network, scratch: Path) -> dict[str, str]:
    url = f"{suite.archive}/dists/{suite.name}/InRelease"
    path = scratch / f"InRelease of {suite.name}"
    path.write_bytes(network.read(url, _RELEASE_LIMIT))
    release = next(paragraphs(signed_text(path, keyring), _RELEASE), {})
    if suite.name not in (release.get("Codename"), release.get("Suite")) or "SHA256" not in release:
        raise ArtifactRefused(f"{url} is signed, but is that of {release.get('Codename') or 'no suite'}")
    until = release.get("Valid-Until")
    if until and parsedate_to_datetime(until) < datetime.now(timezone.utc):
        raise ArtifactRefused(
            f"{url} was valid until {until}: it may hide newer security updates",
            hint="is this machine's clock right? is the mirror kept up to date?",
        )
    return release


def _package(suite: Suite, fields: dict[str, str]) -> Package:
    name = fields["Filename"]
    if not relative(name):
        raise ArtifactRefused(f"{suite.archive}: a package outside of the archive: {name}")
    return Package(
        fields["Package"],
        fields["Version"],
        fields.get("Essential") == "yes" or fields.get("Priority") == "required",
        ", ".join(fields[one] for one in ("Pre-Depends", "Depends") if one in fields),
        fields.get("Provides", ""),
        f"{suite.archive}/{name}",
        int(fields["Size"]),
        fields["SHA256"],
    )
