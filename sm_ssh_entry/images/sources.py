"""Who gives what: for each component its sources, each from the lock where it is locked and resolved where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sm_ssh_entry.errors import Unreachable
from sm_ssh_entry.images import wheels
from sm_ssh_entry.images.download import Progress
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.locks import Locks
from sm_ssh_entry.images.manifest import Manifest, Official
from sm_ssh_entry.images.network import Network

AUTO, OFFICIAL, STAND_IN = "auto", "official", "stand-in"
WHEELS, AGENT, AWS_CLI, PACKAGES = "wheels", "agent", "aws-cli", "packages"
COMPONENTS = (WHEELS, AGENT, AWS_CLI, PACKAGES)


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
        progress: is told.
        renew: resolve anew what is locked.
    """

    def __init__(
        self, manifest: Manifest, locks: Locks, network: Network, progress: Progress, *, renew: bool = False
    ) -> None:
        self.manifest = manifest
        self.network = network
        self.progress = progress
        self._locks = locks
        self._renew = renew

    def wheels(self) -> Part:
        """Return the wheels of the container's half."""
        return self._part(WHEELS, wheels.PYPI, WHEELS, lambda: wheels.resolve(self.manifest.wheels, self.network))

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

    def _official(self, component: str, wanted: Official, arch: str) -> Part:
        folder = f"{component}/{arch}"
        names = {
            f"{name}{end}": wanted.url(name, arch) + end for name in wanted.files for end in ("", wanted.signature)
        }

        def first() -> list[Entry]:
            self.progress.say(f"{folder}: {wanted.version} is locked by this first fetch")
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
        try:
            self.network.size(part.entries[0].url)
        except Unreachable as error:
            self.progress.say(f"WARNING {error.message}: {otherwise}")
            return False
        return True
