"""Who gives what: each component of each of its sources, from the lock, or resolved where it is not locked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sm_ssh_entry.errors import BadInput, Unreachable
from sm_ssh_entry.images import wheels
from sm_ssh_entry.images.distribution import AWS_CLI, PACKAGES, Distributions
from sm_ssh_entry.images.download import Progress
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.manifest import Manifest, Official, System
from sm_ssh_entry.images.network import Network

AUTO, OFFICIAL, STAND_IN, DEBIAN = "auto", "official", "stand-in", "debian"
WHEELS, PROGRAMS, AGENT = "wheels", "programs", "agent"
_FEW = 2
COMPONENTS = (WHEELS, PROGRAMS, AGENT, AWS_CLI, PACKAGES)


@dataclass(frozen=True)
class Part:
    """Files that belong together in one folder.

    Args:
        component: one of COMPONENTS.
        source: who publishes them.
        folder: below the folder of artifacts.
        entries: the files; those of a first fetch have no checksum yet.
    """

    component: str
    source: str
    folder: str
    entries: tuple[Entry, ...]


class Sources:
    """Finds the parts.

    Args:
        manifest: what is wanted.
        locks: what is locked.
        network: asks servers.
        folder: of artifacts: what lies there need not be asked for.
        progress: is told.
        keys: system → keyring to use instead of the manifest's.
        renew: resolve anew what is locked.
    """

    def __init__(
        self,
        manifest: Manifest,
        locks: Locks,
        network: Network,
        folder: Path,
        *,
        progress: Progress,
        keys: Mapping[str, Path],
        renew: bool = False,
    ) -> None:
        self.manifest = manifest
        self.network = network
        self.folder = folder
        self.progress = progress
        self._locks = locks
        self._renew = renew
        self._distributions = Distributions(keys, network, progress)

    def wheels(self) -> Part:
        """Return the wheels of the container's half."""
        return self._part(WHEELS, wheels.PYPI, WHEELS, lambda: wheels.resolve(self.manifest.wheels, self.network))

    def programs(self, arch: str) -> Part:
        """Return the programs that the layer brings along.

        Args:
            arch: processor.
        """
        wanted, base = self.manifest.programs, self.manifest.wheels
        return self._part(
            PROGRAMS,
            wheels.PYPI,
            f"{PROGRAMS}/{arch}",
            lambda: wheels.resolve_programs(wanted, base, arch, self.network),
        )

    def agent(self, arch: str, source: str) -> Part:
        """Return the agent for a processor.

        Args:
            arch: processor.
            source: OFFICIAL, STAND_IN or AUTO.

        Raises:
            SmSshError: it can be had from none of them.
        """
        if source in (OFFICIAL, AUTO):
            part = self._official(AGENT, self.manifest.agent, arch)
            if source == OFFICIAL or self._answers(
                part, f"taking the {STAND_IN} agent for {arch}, which no release may hold"
            ):
                return part
        return self._part(
            AGENT,
            STAND_IN,
            f"{STAND_IN}/{arch}",
            lambda: wheels.resolve_stand_in(self.manifest.stand_in, self.manifest.wheels.index, arch, self.network),
        )

    def aws_cli(self, arch: str, source: str, systems: Sequence[str]) -> list[Part]:
        """Return the AWS CLI for a processor.

        Args:
            arch: processor.
            source: OFFICIAL, DEBIAN or AUTO.
            systems: for which to take it, where it is the distribution's own.

        Raises:
            SmSshError: it can be had from none of them.
        """
        if source in (OFFICIAL, AUTO):
            part = self._official(AWS_CLI, self.manifest.aws_cli, arch)
            if source == OFFICIAL or self._answers(part, f"taking each distribution's own AWS CLI for {arch}"):
                return [part]
        wanted = [self.system(name) for name in systems]
        for system in wanted:
            if source == AUTO and not system.aws_cli:
                self.progress.say(
                    f"WARNING {system.name} has no AWS CLI 2 of its own: only thin images can be built for it"
                )
        return [
            self._part(
                AWS_CLI, one.name, f"{AWS_CLI}/{one.name}/{arch}", partial(self._distributions.aws_cli, one, arch)
            )
            for one in wanted
            if one.aws_cli or source == DEBIAN
        ]

    def packages(self, arch: str, name: str) -> Part:
        """Return what the layer installs from a distribution, for builds without a network.

        Args:
            arch: processor.
            name: its system.

        Raises:
            SmSshError: it cannot be had.
        """
        one = self.system(name)
        return self._part(
            PACKAGES, one.name, f"{PACKAGES}/{one.name}/{arch}", partial(self._distributions.packages, one, arch)
        )

    def system(self, name: str) -> System:
        """Return a system of base images.

        Args:
            name: ``debian-12``.

        Raises:
            BadInput: there is none of that name.
        """
        if name not in self.manifest.systems:
            raise BadInput(f"no such system: {name}", hint=f"there are {', '.join(self.manifest.systems)}")
        return self.manifest.systems[name]

    def _official(self, component: str, wanted: Official, arch: str) -> Part:
        folder = f"{component}/{arch}"
        names = {
            f"{name}{end}": wanted.url(name, arch) + end for name in wanted.files for end in ("", wanted.signature)
        }

        def first() -> list[Entry]:
            return [
                Entry(component, OFFICIAL, f"{folder}/{name}", url, -1, "", wanted.version)
                for name, url in names.items()
            ]

        return self._part(component, OFFICIAL, folder, first, wanted.version)

    def _part(
        self, component: str, source: str, folder: str, resolve: Callable[[], list[Entry]], version: str = ""
    ) -> Part:
        found = [] if self._renew else self._locks.find(component, source, folder, version)
        if not found:
            self.progress.say(f"resolving {folder} ({source})")
            found = resolve()
        return Part(component, source, folder, tuple(found))

    def _answers(self, part: Part, otherwise: str) -> bool:
        """Whether the official files can be had; where not, say so loudly. That they are not published is an error."""
        if all(one.locked and (self.folder / one.file).is_file() for one in part.entries):
            return True
        try:
            self.network.size(part.entries[0].url, tries=_FEW)
        except Unreachable as error:
            self.progress.say(f"WARNING {error.message}: {otherwise}")
            return False
        return True
