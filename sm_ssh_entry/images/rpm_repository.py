"""An RPM repository: its list of mirrors by TLS, its lists by the checksums of repomd.xml, a package by its list.

Amazon Linux 2023 signs its packages and not its repository's metadata: what is locked is trusted for the TLS connection
that it was locked over.
"""

from __future__ import annotations

import gzip
import threading
import xml.etree.ElementTree as ET
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from sm_ssh_entry.errors import ArtifactRefused, NotFound
from sm_ssh_entry.images.download import Download, Progress
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.network import Network
from sm_ssh_entry.images.rpm_text import Capability, Version

_COMMON = "{http://linux.duke.edu/metadata/common}"
_RPM = "{http://linux.duke.edu/metadata/rpm}"
_REPO = "{http://linux.duke.edu/metadata/repo}"
_LIMIT = 4 << 20
ARCHES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Package:
    """A package of a repository."""

    name: str
    version: Version
    url: str
    size: int
    sha256: str
    provides: tuple[Capability, ...]
    requires: tuple[Capability, ...]


class Index:
    """The packages of a repository, of each the newest.

    Args:
        packages: in any order.
    """

    def __init__(self, packages: Iterable[Package]) -> None:
        self._packages: dict[str, Package] = {}
        for package in packages:
            known = self._packages.get(package.name)
            if known is None or known.version.order(package.version) < 0:
                self._packages[package.name] = package
        self._providers: dict[str, list[tuple[str, Capability]]] = defaultdict(list)
        for package in sorted(self._packages.values(), key=lambda one: one.name):
            for provided in package.provides:
                self._providers[provided.name].append((package.name, provided))

    def closure(self, wanted: Sequence[str], present: Collection[str]) -> list[Package]:
        """Return the wanted packages and all they need that is not present, sorted by name.

        Args:
            wanted: names of packages.
            present: names of packages that are there already, with all they need.

        Raises:
            NotFound: a package, or something it needs, is not in the repository.
        """
        missing = [name for name in wanted if name not in self._packages]
        if missing:
            raise NotFound(f"the repository has no {missing[0]}", hint="artifacts.toml names packages")
        chosen = {name: self._packages[name] for name in wanted if name not in present}
        waiting = list(chosen.values())
        while waiting:
            package = waiting.pop(0)
            for required in package.requires:
                name = self._choose(package, required, {*chosen, *present})
                if name not in chosen and name not in present:
                    chosen[name] = self._packages[name]
                    waiting.append(chosen[name])
        return [chosen[name] for name in sorted(chosen)]

    def _choose(self, asker: Package, required: Capability, there: Collection[str]) -> str:
        names = [name for name, provided in self._providers[required.name] if required.served_by(provided)]
        if not names:
            raise NotFound(f"the repository has no {required.name}, which {asker.name} needs")
        # What is there serves; else the package of that very name; else the shortest, which is the plainest.
        return min(names, key=lambda name: (name not in there, name != required.name, len(name), name))


def index(mirror_list: str, arch: str, *, network: Network, progress: Progress, scratch: Path) -> Index:
    """Return the packages of a repository.

    Args:
        mirror_list: address of its list of mirrors, with {arch}.
        arch: processor.
        network: opens addresses.
        progress: is told.
        scratch: a folder for what is read.

    Raises:
        ArtifactRefused: a list is not what its checksum says, or is of no known form.
        SmSshError: something cannot be fetched.
    """
    lines = network.read(mirror_list.format(arch=ARCHES[arch]), _LIMIT).decode("utf-8", "replace").split()
    if not lines:
        raise NotFound(f"{mirror_list} names no mirror")
    top = lines[0].rstrip("/") + "/"
    if urlsplit(mirror_list).scheme == "https" and not top.startswith("https://"):
        raise ArtifactRefused(f"{mirror_list} leads to an address without TLS: {top}")
    try:
        entry = _primary(network.read(f"{top}repodata/repomd.xml", _LIMIT), top)
        Download(entry, scratch, network, progress, threading.Event()).run()
        return Index(_packages(gzip.decompress((scratch / entry.file).read_bytes()), top, ARCHES[arch]))
    except (ET.ParseError, gzip.BadGzipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise ArtifactRefused(f"{top}: a list of packages is of no known form: {error}") from error


def _primary(text: bytes, top: str) -> Entry:
    root = ET.fromstring(text)  # noqa: S314 - of the mirror, over TLS
    data = _one(root, f"{_REPO}data[@type='primary']")
    url = _below(top, _one(data, f"{_REPO}location").attrib["href"])
    size = int(_one(data, f"{_REPO}size").text or "")
    return Entry("packages", "rpm", "primary.xml.gz", url, size, _sha256(_one(data, f"{_REPO}checksum")), "")


def _packages(text: bytes, top: str, arch: str) -> Iterator[Package]:
    for item in ET.fromstring(text).iter(f"{_COMMON}package"):  # noqa: S314 - by checksum
        if item.findtext(f"{_COMMON}arch") not in (arch, "noarch"):
            continue
        form, version = _one(item, f"{_COMMON}format"), _one(item, f"{_COMMON}version")
        files = [Capability(file.text or "") for file in form.iter(f"{_COMMON}file")]
        yield Package(
            _one(item, f"{_COMMON}name").text or "",
            Version(version.get("epoch", "0"), version.attrib["ver"], version.attrib["rel"]),
            _below(top, _one(item, f"{_COMMON}location").attrib["href"]),
            int(_one(item, f"{_COMMON}size").attrib["package"]),
            _sha256(_one(item, f"{_COMMON}checksum")),
            (*_capabilities(form, "provides"), *files),
            # rpmlib(...) is rpm's own business; (a if b) is about what else is installed, which is for dnf to judge.
            tuple(one for one in _capabilities(form, "requires") if not one.name.startswith(("rpmlib(", "("))),
        )


def _capabilities(form: ET.Element, which: str) -> Iterator[Capability]:
    for entry in form.iterfind(f"{_RPM}{which}/{_RPM}entry"):
        version = Version(entry.get("epoch", ""), entry.get("ver", ""), entry.get("rel", ""))
        yield Capability(entry.attrib["name"], entry.get("flags", ""), version)


def _one(element: ET.Element, path: str) -> ET.Element:
    found = element.find(path)
    if found is None:
        raise ValueError(f"no {path.rpartition('}')[2]}")
    return found


def _sha256(element: ET.Element) -> str:
    if element.get("type") != "sha256":
        raise ValueError(f"a checksum of type {element.get('type')}")
    return (element.text or "").strip()


def _below(top: str, href: str) -> str:
    """Return the address of what a repository names; Amazon's packages lie beside it, on the same server."""
    url = urljoin(top, href)
    if urlsplit(url)[:2] != urlsplit(top)[:2]:
        raise ArtifactRefused(f"{top} leads to another server: {url}")
    return url
