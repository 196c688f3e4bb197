"""Which packages a minimal base lacks for some wanted ones: dependencies, alternatives and what others provide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sm_ssh_entry.errors import ArtifactRefused, NotFound
from sm_ssh_entry.images.debian_text import Term, Version, dependency


@dataclass(frozen=True)
class Package:
    """A package of an archive.

    Args:
        name: its name.
        version: its version.
        base: whether a minimal base has it: Essential, or of priority required.
        depends: Pre-Depends and Depends.
        provides: virtual names, with a version where one is stated.
        url: its address.
        size: bytes.
        sha256: checksum.
    """

    name: str
    version: str
    base: bool
    depends: str
    provides: str
    url: str
    size: int
    sha256: str


class Index:
    """The packages of some suites, of each the newest.

    Args:
        packages: in any order.
    """

    def __init__(self, packages: Iterable[Package]) -> None:
        self._packages: dict[str, Package] = {}
        for package in packages:
            known = self._packages.get(package.name)
            if known is None or Version(known.version) < Version(package.version):
                self._packages[package.name] = package
        self._providers: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for package in self._packages.values():
            for (term,) in dependency(package.provides):
                self._providers[term.name].append((package.name, term.version))

    def base(self) -> set[str]:
        """Return the names of what every minimal base has: none that is one choice of several."""
        essential = sorted(package.name for package in self._packages.values() if package.base)
        return {package.name for package in self.closure(essential, (), sure=True)}

    def closure(self, wanted: Sequence[str], present: Collection[str], *, sure: bool = False) -> list[Package]:
        """Return the wanted packages and all they need that is not present, sorted by name.

        Args:
            wanted: names.
            present: names of what is there already, with all it needs.
            sure: leave out what is one choice of several.

        Raises:
            NotFound: a package, or something it depends on, is not in the archive.
            ArtifactRefused: a package's dependencies are of no known form.
        """
        chosen: dict[str, Package] = {}
        waiting = [("", [Term(name)]) for name in wanted]
        # First come, first served: a package that the caller names is chosen before any alternative to it.
        position = 0
        while position < len(waiting):
            asker, terms = waiting[position]
            position += 1
            candidates = [name for term in terms for name in self._serving(term, present)]
            if not candidates:
                what = " | ".join(term.name for term in terms)
                raise NotFound(
                    f"the archive has no {what}" + (f", which {asker} needs" if asker else ""),
                    hint="artifacts.toml names packages and suites",
                )
            # What is there serves; else the first that can be had.
            there = any(name in chosen or name in present for name in candidates)
            if there or (sure and len(candidates) > 1):
                continue
            name = candidates[0]
            chosen[name] = self._packages[name]
            waiting += [(name, terms) for terms in _needs(chosen[name])]
        return [chosen[name] for name in sorted(chosen)]

    def _serving(self, term: Term, there: Collection[str]) -> list[str]:
        package = self._packages.get(term.name)
        # What is there without being in the archive has no version to judge: whoever says that it is there knows.
        itself = (
            [term.name] if (package and term.admits(package.version)) or (not package and term.name in there) else []
        )
        return itself + sorted(name for name, version in self._providers[term.name] if term.admits(version))


def _needs(package: Package) -> list[list[Term]]:
    try:
        return dependency(package.depends)
    except ValueError as error:
        raise ArtifactRefused(f"{package.name} {package.version}: of no known form: {error}") from error
