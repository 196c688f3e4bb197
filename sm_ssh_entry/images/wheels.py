"""Wheels, resolved by pip's own resolver from one index alone: no set-up of this machine gets into a lock."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from sm_ssh_entry import command
from sm_ssh_entry.errors import ArtifactRefused, SmSshError, ToolMissing, Unreachable
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.manifest import Programs, StandIn, Wheels
from sm_ssh_entry.images.network import Network

PYPI = "pypi"
STAND_IN = "stand-in"
_SECONDS = 600.0
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BOUND = re.compile(r"python_(?:full_)?version\s*([<>]=?)\s*['\"](\d+(?:\.\d+)*)")
_PURE = ("--platform", "any", "--implementation", "py", "--abi", "none")


class PipFailed(SmSshError):
    """pip could not resolve something, in its own words."""


def resolve(wanted: Wheels, network: Network) -> list[Entry]:
    """Return the wheels of the container's half, the same for every interpreter and processor.

    Args:
        wanted: what.
        network: asks for sizes.

    Raises:
        SmSshError: pip is not there, cannot resolve it, or a server does not answer.
    """
    requirements = [*wanted.requirements, *wanted.tools]
    rows = _complete(wanted.index, wanted.python, _PURE, requirements, network)
    return _sized((_entry(row, "wheels", PYPI, "wheels", network) for row in rows), network)


def resolve_programs(wanted: Programs, base: Wheels, arch: str, network: Network) -> list[Entry]:
    """Return the programs that the layer brings along for one processor.

    Args:
        wanted: what.
        base: whose index and lowest Python hold for them too.
        arch: processor.
        network: asks for sizes.

    Raises:
        SmSshError: as resolve.
    """
    platforms = [word for name in wanted.platforms[arch] for word in ("--platform", name)]
    rows = _report(base.index, base.python, [*platforms, "--no-deps"], wanted.requirements, network)
    return _sized((_entry(row, "programs", PYPI, f"programs/{arch}", network) for row in rows), network)


def resolve_stand_in(wanted: StandIn, index: str, arch: str, network: Network) -> list[Entry]:
    """Return the wheels inside the stand-in agent, for one processor and each of its Pythons.

    Args:
        wanted: what.
        index: address of the package index.
        arch: processor.
        network: asks for sizes.

    Raises:
        SmSshError: as resolve.
    """
    platforms = [word for name in wanted.platforms[arch] for word in ("--platform", name)]
    options = ["--implementation", "cp", *platforms]

    def entries(rows: Iterable[dict[str, Any]]) -> list[Entry]:
        return [_entry(row, "agent", STAND_IN, f"stand-in/{arch}", network) for row in rows]

    # The lowest Python decides the versions; what is pure, or built for the stable ABI, then serves all of them.
    lowest, *others = wanted.python
    found = entries(_complete(index, lowest, options, wanted.requirements, network))
    rigid = [f"{project(entry)}=={entry.version}" for entry in found if not serves_all(entry)]
    for python in others:
        if rigid:
            found += entries(_report(index, python, [*options, "--no-deps"], rigid, network))
    return _sized(found, network)


def project(entry: Entry) -> str:
    """Return the name of a wheel's project."""
    return PurePosixPath(entry.file).name.partition("-")[0]


def python_tag(entry: Entry) -> str:
    """Return a wheel's tag of interpreters: ``py3``, ``cp311``."""
    return entry.file.removesuffix(".whl").split("-")[-3]


def serves_all(entry: Entry) -> bool:
    """Whether a wheel serves its Python and every later one: it is pure, or built for the stable ABI."""
    return entry.file.removesuffix(".whl").split("-")[-2] in ("none", "abi3")


def _complete(
    index: str, python: str, options: Sequence[str], requirements: Sequence[str], network: Network
) -> list[dict[str, Any]]:
    """Resolve for a Python and all later ones.

    pip judges ``python_version < "3.11"`` by the Python that runs it, whatever --python-version says: what it
    leaves out for that is asked for by name.
    """
    while True:
        rows = _report(index, python, options, requirements, network)
        there = {_normal(row["metadata"]["name"]) for row in rows}
        needs = [need for row in rows for need in row["metadata"].get("requires_dist", ())]
        more = sorted({need.partition(";")[0].strip() for need in needs if _left_out(need, python)})
        more = [need for need in more if _normal(_NAME.match(need)[0]) not in there]  # type: ignore[index]
        if not more:
            return rows
        requirements = [*requirements, *more]


def _left_out(need: str, python: str) -> bool:
    """Whether a Python, or a later one, may need this where the one that runs us does not."""
    marker = need.partition(";")[2]
    if "extra" in marker:
        return False
    return any(
        operator.startswith(">") or _numbers(python) < _numbers(version) for operator, version in _BOUND.findall(marker)
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in version.split("."))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _report(
    index: str, python: str, options: Sequence[str], requirements: Sequence[str], network: Network
) -> list[dict[str, Any]]:
    # --isolated shuts out the user's variables and configuration; PIP_CONFIG_FILE the machine's, which may add folders.
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    bundle = next(
        (environment[one] for one in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE") if one in environment), ""
    )
    with tempfile.TemporaryDirectory() as nowhere:  # --python-version asks for a --target; a dry run leaves it empty
        done = command.run(
            [
                *(sys.executable, "-m", "pip", "install", "--isolated", "--no-input", "--disable-pip-version-check"),
                *("--dry-run", "--ignore-installed", "--quiet", "--report", "-", "--target", nowhere),
                *("--index-url", network.mirrors.towards(index), "--only-binary", ":all:"),
                *(("--cert", bundle) if bundle else ()),
                *("--python-version", python),
                *options,
                *requirements,
            ],
            env=environment,
            timeout=_SECONDS,
        )
    if "No module named pip" in done.stderr:
        raise ToolMissing(
            f"{sys.executable} has no pip", hint=f"{sys.executable} -m ensurepip, or install sm-ssh with pip"
        )
    if "no such option" in done.stderr:
        raise ToolMissing(
            "this pip is too old to report what it resolves", hint=f"{sys.executable} -m pip install -U pip"
        )
    if not done.ok:
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise PipFailed(
            f"pip cannot resolve {' '.join(requirements)}: " + (lines[-1] if lines else done.stderr.strip()[-300:]),
            hint=f"can this machine reach {network.mirrors.towards(index)}? --mirror names another index",
        )
    rows: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return rows


def _entry(row: dict[str, Any], component: str, source: str, folder: str, network: Network) -> Entry:
    download = row["download_info"]
    sha256 = download.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    url = network.mirrors.back(download["url"])
    if not sha256:
        raise ArtifactRefused(f"the index gives no sha256 for {url}", hint="lock from an index that does, as pypi.org")
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return Entry(component, source, f"{folder}/{name}", url, -1, sha256, row["metadata"]["version"])


def _sized(entries: Iterable[Entry], network: Network) -> list[Entry]:
    """Ask for each size: pip's report has none."""

    def sized(entry: Entry) -> Entry:
        size = network.size(entry.url)
        if size < 0:
            raise Unreachable(f"the server does not say how long {entry.url} is")
        return replace(entry, size=size)

    with ThreadPoolExecutor(max_workers=8) as pool:
        return sorted(pool.map(sized, entries))
