"""A distribution's own packages: what the layer installs, and its own AWS CLI."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import rpm_repository
from sm_ssh_entry.images.debian_archive import Archive, Suite
from sm_ssh_entry.images.debian_closure import Index
from sm_ssh_entry.images.download import Progress
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.manifest import System
from sm_ssh_entry.images.network import Network

AWS_CLI, PACKAGES = "aws-cli", "packages"


class Distributions:
    """Resolves packages; an archive's index is fetched once.

    Args:
        keys: system → keyring to use instead of the manifest's.
        network: opens addresses.
        progress: is told.
    """

    def __init__(self, keys: Mapping[str, Path], network: Network, progress: Progress) -> None:
        self._keys = keys
        self._network = network
        self._progress = progress
        self._indexes: dict[tuple[str, str], Index] = {}

    def packages(self, system: System, arch: str) -> list[Entry]:
        """Return what the layer installs, and what that needs beyond a minimal base.

        Args:
            system: of the base image.
            arch: processor.

        Raises:
            SmSshError: the archive cannot be fetched, is not signed, or lacks something.
        """
        if system.mirror_list:
            return self._rpms(system, arch)
        index = self._index(system, arch)
        return [
            _entry(package, package.version, f"{PACKAGES}/{system.name}/{arch}", system.name)
            for package in index.closure(system.packages, index.base())
        ]

    def aws_cli(self, system: System, arch: str) -> list[Entry]:
        """Return the AWS CLI 2, and what it needs beyond a minimal base and what the layer installs; it comes first.

        Args:
            system: of the base image.
            arch: processor.

        Raises:
            BadInput: the distribution has none.
            SmSshError: as packages.
        """
        if not system.aws_cli:
            raise BadInput(f"{system.name} has no AWS CLI 2 of its own", hint="--aws-cli official, or --aws-cli none")
        index = self._index(system, arch)
        base = index.base()
        layer = {package.name for package in index.closure(system.packages, base)}
        found = index.closure(system.aws_cli, base | layer | set(system.aws_cli_present))
        return [_entry(package, package.version, f"{AWS_CLI}/{system.name}/{arch}", system.name) for package in found]

    def _rpms(self, system: System, arch: str) -> list[Entry]:
        with tempfile.TemporaryDirectory() as scratch:
            index = rpm_repository.index(
                system.mirror_list, arch, network=self._network, progress=self._progress, scratch=Path(scratch)
            )
        base = {package.name for package in index.closure(system.base, ())}
        found = index.closure(system.packages, base)
        return [
            _entry(package, str(package.version), f"{PACKAGES}/{system.name}/{arch}", system.name) for package in found
        ]

    def _index(self, system: System, arch: str) -> Index:
        key = (system.name, arch)
        if key not in self._indexes:
            suites = [_suite(system, name, arch) for name in system.suites]
            keyring = self._keys.get(system.name, system.keyring)
            with tempfile.TemporaryDirectory() as scratch:
                archive = Archive(arch, keyring, network=self._network, progress=self._progress, scratch=Path(scratch))
                self._indexes[key] = archive.index(suites)
        return self._indexes[key]


def _suite(system: System, name: str, arch: str) -> Suite:
    archive, *areas = system.suites[name].split()
    return Suite(archive if arch == "amd64" else system.ports.get(archive, archive), name, tuple(areas))


class _Published(Protocol):
    """What Debian's and RPM's packages have in common here."""

    @property
    def url(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


def _entry(package: _Published, version: str, folder: str, source: str) -> Entry:
    component = folder.partition("/")[0]
    file = f"{folder}/{PurePosixPath(package.url).name}"
    return Entry(component, source, file, package.url, package.size, package.sha256, version)
