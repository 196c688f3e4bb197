"""What we want: ``artifacts.toml``, checked once, so that nothing behind it needs to ask whether a key is there."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry.errors import BadInput

ARCHES = ("amd64", "arm64")


@dataclass(frozen=True)
class Wheels:
    """Wheels for every interpreter.

    Args:
        index: address of the package index.
        python: lowest version.
        requirements: what the container's half imports.
        tools: what installs them.
    """

    index: str
    python: str
    requirements: tuple[str, ...]
    tools: tuple[str, ...]


@dataclass(frozen=True)
class Official:
    """What AWS publishes as files with a signature beside each.

    Args:
        version: the pinned one.
        signature: what to add to an address for its signature.
        fingerprint: of the signing key; empty: the key given is trusted as it is.
        files: name → address, with {version} and {arch}.
        arches: how its publisher calls our processors.
    """

    version: str
    signature: str
    fingerprint: str
    files: Mapping[str, str]
    arches: Mapping[str, str]

    def url(self, name: str, arch: str) -> str:
        """Return a file's address.

        Args:
            name: one of ``files``.
            arch: one of ARCHES.
        """
        return self.files[name].format(version=self.version, arch=self.arches.get(arch, arch))


@dataclass(frozen=True)
class StandIn:
    """What the stand-in agent needs beside our own code.

    Args:
        python: versions, one folder of compiled modules for each.
        requirements: what it imports.
        platforms: processor → pip's names of platforms, the newest first.
    """

    python: tuple[str, ...]
    requirements: tuple[str, ...]
    platforms: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Programs:
    """Programs that come as wheels, one for each processor, and serve every interpreter.

    Args:
        requirements: their projects.
        platforms: processor → pip's names of platforms.
    """

    requirements: tuple[str, ...]
    platforms: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class System:
    """A base image's system, whose packages are those of a Debian archive, or of an RPM repository.

    Args:
        name: ``debian-12``.
        keyring: public keys of its archive.
        suites: name → address and areas, ``https://deb.debian.org/debian main``.
        ports: address → that of processors other than amd64.
        mirror_list: address of an RPM repository's mirrors, with {arch}; empty: it is a Debian archive.
        base: packages that every base image of an RPM system has; a Debian archive says so itself.
        packages: what the layer installs.
        aws_cli: its own AWS CLI 2; empty: it has none.
        aws_cli_present: what that needs no copy of.
    """

    name: str
    keyring: Path
    suites: Mapping[str, str]
    ports: Mapping[str, str]
    mirror_list: str
    base: tuple[str, ...]
    packages: tuple[str, ...]
    aws_cli: tuple[str, ...]
    aws_cli_present: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """All of it."""

    wheels: Wheels
    programs: Programs
    agent: Official
    stand_in: StandIn
    aws_cli: Official
    systems: Mapping[str, System]

    def official(self, component: str) -> Official:
        """Return what AWS publishes.

        Args:
            component: ``agent`` or ``aws-cli``.
        """
        return {"agent": self.agent, "aws-cli": self.aws_cli}[component]


def read(path: Path) -> Manifest:
    """Read ``artifacts.toml``, or the same as JSON.

    Args:
        path: the file.

    Raises:
        BadInput: it is not there, no TOML, or lacks something.
    """
    try:
        table = parsed(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    try:
        return _manifest(table)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path} lacks {error}", hint="compare it with the artifacts.toml that comes with sm-ssh"
        ) from error


def parsed(path: Path) -> dict[str, Any]:
    """Return what a file of that form says.

    JSON is for Pythons that have no parser of TOML: 3.10 of a distribution.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not of that form.
    """
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any]
    if path.suffix == ".json":
        found = json.loads(text)
        return found
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    found = tomllib.loads(text)
    return found


def _manifest(table: Mapping[str, Any]) -> Manifest:
    wheels, programs, agent = table["wheels"], table["programs"], table["agent"]
    stand_in = agent["stand-in"]
    return Manifest(
        Wheels(wheels["index"], wheels["python"], tuple(wheels["requirements"]), tuple(wheels["tools"])),
        Programs(tuple(programs["requirements"]), _platforms(programs)),
        _official(agent["official"]),
        StandIn(tuple(stand_in["python"]), tuple(stand_in["requirements"]), _platforms(stand_in)),
        _official(table["aws-cli"]["official"]),
        {name: _system(name, one) for name, one in table["systems"].items()},
    )


def _platforms(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {arch: tuple(table["platforms"][arch]) for arch in ARCHES}


def _official(table: Mapping[str, Any]) -> Official:
    return Official(
        table["version"],
        table["signature"],
        table.get("fingerprint", ""),
        dict(table["files"]),
        dict(table.get("arches", {})),
    )


def _system(name: str, table: Mapping[str, Any]) -> System:
    return System(
        name,
        Path(table["keyring"]) if "mirror-list" not in table else Path(),
        dict(table["suites"]) if "mirror-list" not in table else {},
        dict(table.get("ports", {})),
        table.get("mirror-list", ""),
        tuple(table.get("base", ())),
        tuple(table["packages"]),
        tuple(table.get("aws-cli", ())),
        tuple(table.get("aws-cli-present", ())),
    )
