"""Installs the layer in a running container: the steps that build it into an image, on the container itself.

Runs in the user's process, on any Python from 3.8 on. The steps are shell scripts; what asks for a later Python
(obtaining) runs on the interpreter that the steps have found or brought.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sm_ssh_entry import __version__, command, contract
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed
from sm_ssh_entry.in_script.entering import UNFINISHED
from sm_ssh_entry.in_script.telling import say

# images/layers/step has this name as well.
_WORKSHOP = Path("/run/sm-ssh-build")
_ARCHES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_LAST_LINES = 5
_REACH_SECONDS = 5.0
_PROXIES = ("HTTPS_PROXY", "https_proxy")
_BRING = (
    "bring the artifacts along, dependency_dir(artifacts=FOLDER), or take an image with the layer: docs/in-script.md"
)
LOCK_HINT = "sm-ssh image lock --agent official where you submit, then dependency_dir(lock=FILE): docs/in-script.md"
# Of what is fetched from, the one that a VPC without internet cannot reach by its S3 endpoint.
_INDEX = "https://files.pythonhosted.org"


class Brought(NamedTuple):
    """What came along with the job.

    Args:
        folder: a whole folder of artifacts; None: they are fetched.
        lock: a lock beside the one that sm-ssh ships; None: there is none.
    """

    folder: Path | None = None
    lock: Path | None = None


def install(env: Mapping[str, str], paths: Paths) -> None:
    """Install sshd, the agent and our own environment below /opt/sm-ssh.

    Args:
        env: the script's environment.
        paths: where the container keeps its files.

    Raises:
        SetupFailed: it cannot be done here, or a step failed.
    """
    arch = _check(paths)
    kit = _kit()
    brought = find(env, kit, paths)
    say(f"SSH is not in this image: installing it, {f'from {brought.folder}' if brought.folder else 'fetched now'}")
    if brought.folder is None:
        # What cannot come to an end is told before anything is begun: apt-get alone may try for minutes.
        _locked(kit, brought, arch)
        _reachable(env)
    shutil.rmtree(str(paths.home), ignore_errors=True)  # what a caller that was killed has left
    with _workshop(kit, brought) as shop:
        steps = Steps(env, shop, arch, brought, kit)
        if brought.folder:
            steps.run("check")
        steps.run("packages")
        steps.obtain()
        if not brought.folder:
            steps.run("check")
        paths.home.mkdir(parents=True, exist_ok=True)
        (paths.home / UNFINISHED).touch()
        for name in ("environment", "agent.py", "finish"):
            steps.run(name)
        (paths.home / UNFINISHED).unlink()


def find(env: Mapping[str, str], kit: Path, paths: Paths) -> Brought:
    """Return what came along: where SM_SSH_ARTIFACTS says, beside our code, in a channel or a processing input.

    Args:
        env: the script's environment.
        kit: the folder of our code.
        paths: where SageMaker put its files.

    Raises:
        SetupFailed: SM_SSH_ARTIFACTS names no such folder.
    """
    named = env.get(contract.ARTIFACTS, "")
    usual = [kit / "artifacts", paths.ml / "input" / "data", paths.ml / "processing" / "input"]
    places = [Path(named)] if named else [usual[0], *(place / contract.ARTIFACTS_NAME for place in usual[1:])]
    lock = None
    for place in places:
        held = place / "artifacts.lock"
        lock = held if lock is None and held.is_file() else lock
        if (place / "SHA256SUMS").is_file():
            return Brought(place, lock)
    if named and lock is None:
        raise SetupFailed(
            f"{contract.ARTIFACTS}={named} is no folder of artifacts", hint="sm-ssh image fetch makes one"
        )
    return Brought(None, lock)


class Steps:
    """Runs the steps, each with the clean environment that images/layers/step gives it.

    Args:
        env: the script's environment.
        shop: where they work.
        arch: the processor.
        brought: what came along.
        kit: the folder of our code.
    """

    def __init__(self, env: Mapping[str, str], shop: Path, arch: str, brought: Brought, kit: Path) -> None:
        system = _system()
        packages = brought.folder is not None and (brought.folder / "packages" / system / arch).is_dir()
        self._shop, self._arch, self._brought, self._kit = shop, arch, brought, kit
        self._env = {
            **env,
            "SM_SSH_TARGETARCH": arch,
            "SM_SSH_VARIANT": "thin",
            "SM_SSH_PACKAGES": "artifacts" if packages else "network",
            "SM_SSH_VERSION": __version__,
            # A release never fetches the stand-in; who brings it along means the local control plane.
            "SM_SSH_ALLOW_STAND_IN": "true" if brought.folder else "false",
            "SM_SSH_FALLBACK_PYTHON": getattr(sys, "_base_executable", "") or sys.executable or "",
        }

    def run(self, name: str) -> None:
        """Run one step.

        Args:
            name: of images/layers.

        Raises:
            SetupFailed: it failed.
        """
        self._run(name, ["/bin/sh", str(self._shop / "layers" / "step"), name])

    def obtain(self) -> None:
        """Check what came along against the locks, or fetch what they name.

        Raises:
            SetupFailed: a file is not the locked one, is in no lock, or cannot be fetched.
        """
        python = (self._shop / "state" / "interpreter").read_text(encoding="utf-8").strip()
        script = "import sys; sys.path.append(sys.argv[1]); from sm_ssh_entry.in_script import obtaining"
        script += "; sys.exit(obtaining.main(sys.argv[2:]))"
        words = [
            python,
            "-I",
            "-S",
            "-B",
            "-c",
            script,
            str(self._kit.parent),
            str(self._shop / "artifacts"),
            self._arch,
        ]
        words += ["check" if self._brought.folder else "fetch", str(self._brought.lock or "")]
        self._run("artifacts", words)

    def _run(self, name: str, words: list[str]) -> None:
        child = command.spawn(words, env=self._env, cwd="/", stdout=command.PIPE, stderr=command.STDOUT)
        last: list[str] = []
        cause: re.Match[str] | None = None
        try:
            for raw in child.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                cause = re.search(contract.LAYER_ERROR_PATTERN, line) or cause
                if cause is None and line.startswith(contract.LAYER_LINE):
                    say(line[len(contract.LAYER_LINE) :])
                else:
                    last = [*last, line][-_LAST_LINES:]
            status = child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
            if child.stdout:
                child.stdout.close()
        if status:
            if cause is None:
                said = " / ".join(line.strip() for line in last if line.strip()) or f"status {status}"
                raise SetupFailed(f"installing SSH failed at {name}: {said}", hint=_BRING)
            raise SetupFailed(f"installing SSH: {cause.group('text')}", hint=cause.group("hint") or _BRING)


def _check(paths: Paths) -> str:
    """Return the processor; say what cannot be installed here."""
    hint = "take an image with the sm-ssh layer: sm-ssh image wrap"
    if paths.root:
        raise SetupFailed(f"nothing is installed below {contract.ROOT}", hint="its folder needs our programs first")
    if not sys.platform.startswith("linux"):
        raise SetupFailed(f"SSH can be installed in containers of Linux only, not on {sys.platform}", hint=hint)
    if os.geteuid() != 0:
        raise SetupFailed(
            f"SSH is not in this image, and only root can install it: this is user {os.geteuid()}", hint=hint
        )
    arch = _ARCHES.get(platform.machine().lower())
    if arch is None:
        raise SetupFailed(f"there is no SSM agent for {platform.machine()}", hint="x86_64 and aarch64 have one")
    return arch


def _kit() -> Path:
    """Return our package with all that an installation takes; an installed sm-ssh-entry is put together first."""
    package = Path(__file__).resolve().parent.parent
    if (package / "image_files" / "images" / "artifacts.json").is_file():
        return package
    staging = importlib.import_module("sm_ssh_entry.in_script.staging")
    folder: Path = staging.stage(package.name, cache=Paths().run / "kit")
    return folder


def _system() -> str:
    """Return what images/layers/distribution calls this system."""
    words = {}
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition("=")
            words[name] = value.strip().strip("\"'")
    name, version = words.get("ID", "unknown"), words.get("VERSION_ID", "")
    name = "amazonlinux" if name == "amzn" else name
    return f"{name}-{version}" if version else name


def _locked(kit: Path, brought: Brought, arch: str) -> None:
    """Make sure that a lock names the agent: nothing else is fetched."""
    for lock in (brought.lock, kit / "image_files" / "images" / "artifacts.lock"):
        with contextlib.suppress(OSError, ValueError):
            rows = json.loads(lock.read_bytes()) if lock else []
            if any(str(row.get("file", "")).startswith(f"agent/{arch}/") for row in rows):
                return
    raise SetupFailed(
        f"SSH is not in this image, and no lock names the agent for {arch} that is to be fetched", hint=LOCK_HINT
    )


def _reachable(env: Mapping[str, str]) -> None:
    """Say at once that there is no internet."""
    if env.get(contract.MIRRORS):
        return
    proxy = next((env[name] for name in _PROXIES if env.get(name)), "")
    target = urlsplit(proxy or _INDEX)
    host, port = target.hostname or "", target.port or 443
    try:
        socket.create_connection((host, port), timeout=_REACH_SECONDS).close()
    except OSError as error:
        raise SetupFailed(
            f"SSH is not in this image and cannot be fetched: {host} cannot be reached ({error})", hint=_BRING
        ) from error


@contextlib.contextmanager
def _workshop(kit: Path, brought: Brought) -> Iterator[Path]:
    """Make the folder that the steps work in; remove it afterwards."""
    shutil.rmtree(str(_WORKSHOP), ignore_errors=True)
    _WORKSHOP.mkdir(mode=0o700, parents=True)
    try:
        (_WORKSHOP / "layers").symlink_to(kit / "image_files" / "images" / "layers")
        if brought.folder:
            (_WORKSHOP / "artifacts").symlink_to(brought.folder.resolve())
        (_WORKSHOP / "cache").mkdir()
        yield _WORKSHOP
    finally:
        shutil.rmtree(str(_WORKSHOP), ignore_errors=True)
