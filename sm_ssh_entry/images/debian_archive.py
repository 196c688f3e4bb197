"""A Debian archive, trusted from its key down: InRelease by signature, Packages by InRelease, a package by Packages."""

from __future__ import annotations

import lzma
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
from sm_ssh_entry.images.storage import write_whole

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


class Archive:
    """Reads suites for one processor.

    Args:
        arch: processor.
        keyring: the archive's public keys.
        network: opens addresses.
        progress: is told.
        scratch: a folder for what is read.
    """

    def __init__(self, arch: str, keyring: Path, *, network: Network, progress: Progress, scratch: Path) -> None:
        self._arch = arch
        self._keyring = keyring
        self._network = network
        self._progress = progress
        self._scratch = scratch

    def index(self, suites: Sequence[Suite]) -> Index:
        """Return the packages of some suites.

        Args:
            suites: which.

        Raises:
            ArtifactRefused: a signature or checksum does not hold, or a list is of no known form.
            SmSshError: something cannot be fetched.
        """
        try:
            return Index(package for suite in suites for package in self._packages(suite))
        except (KeyError, ValueError, lzma.LZMAError) as error:
            raise ArtifactRefused(f"{suites[0].archive}: a list of packages is of no known form: {error}") from error

    def _packages(self, suite: Suite) -> Iterator[Package]:
        release = self._release(suite)
        rows = map(str.split, release["SHA256"].strip().splitlines())
        sums = {name: (int(size), sha256) for sha256, size, name in rows}
        top = f"{suite.archive}/dists/{suite.name}"
        for area in suite.areas:
            name = f"{area}/binary-{self._arch}/Packages.xz"
            if name not in sums:
                raise NotFound(f"{top} has no {name}", hint="is that processor, or that area, still published?")
            size, sha256 = sums[name]
            # By its checksum, where the archive has that: a mirror that is being updated then gives what we ask for.
            by_hash = release.get("Acquire-By-Hash") == "yes"
            place = f"{area}/binary-{self._arch}/by-hash/SHA256/{sha256}" if by_hash else name
            entry = Entry("packages", suite.name, f"{suite.name}/{name}", f"{top}/{place}", size, sha256, "")
            Download(entry, self._scratch, self._network, self._progress, threading.Event()).run()
            text = lzma.decompress((self._scratch / entry.file).read_bytes()).decode("utf-8")
            yield from (_package(suite, fields) for fields in paragraphs(text, _PACKAGE))

    def _release(self, suite: Suite) -> dict[str, str]:
        url = f"{suite.archive}/dists/{suite.name}/InRelease"
        path = self._scratch / f"InRelease of {suite.name}"
        write_whole(path, self._network.read(url, _RELEASE_LIMIT))
        release = next(paragraphs(signed_text(path, self._keyring), _RELEASE), {})
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
