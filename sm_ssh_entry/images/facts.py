"""What is known of an image that never ran: its configuration, and files out of a container that is never started."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from sm_ssh_entry import engine
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.images import config as configuration
from sm_ssh_entry.images.config import STUB, Config

_PATHS = Paths()
SHELL = "/bin/sh"
PYTHON = str(_PATHS.bin / "python")
LAYER = str(_PATHS.home / "layer.json")
SSHD = "/usr/sbin/sshd"
AGENT = "/usr/bin/amazon-ssm-agent"
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
STATE = (str(_PATHS.run), str(_PATHS.ssm_state), str(_PATHS.agent_config.parent))
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_WORDS = ("train", "serve")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class File:
    """A file or folder of an image: its owner's number, its permission bits, its size in bytes."""

    uid: int
    mode: int
    size: int


@dataclass(frozen=True)
class Account:
    """The image's user: number, name (empty: /etc/passwd has none), and whether its password field is a lock."""

    uid: int
    name: str = ""
    locked: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of an image.

    Args:
        image: its name.
        id: its digest on the engine.
        os: ``linux``, ``windows``.
        arch: ``amd64``, ``arm64``, or another of the engine's words.
        size: bytes, as the engine counts them.
        config: its configuration.
        release: ``debian-12``, as the layer names distributions; empty where it does not say.
        files: those of the paths looked at that are there; links are followed.
        layer: its layer.json; None: it has none.
        account: the image's user.
        commands: ``train`` and ``serve`` → whether the first on PATH is our stub, for those that are there.
    """

    image: str
    id: str
    os: str
    arch: str
    size: int = 0
    config: Config = field(default_factory=Config)
    release: str = ""
    files: Mapping[str, File] = field(default_factory=dict)
    layer: Mapping[str, Any] | None = None
    account: Account = Account(0, "root")
    commands: Mapping[str, bool] = field(default_factory=dict)

    @property
    def musl(self) -> bool:
        """Whether its C library is musl and nothing else; it does not say so anywhere, but its loader has the name."""
        return musl_loader(self.arch) in self.files and glibc_loader(self.arch) not in self.files


def musl_loader(arch: str) -> str:
    """Return where every program for musl looks for its loader."""
    return f"/lib/ld-musl-{_MACHINES.get(arch, arch)}.so.1"


def glibc_loader(arch: str) -> str:
    """Return where every program for glibc looks for its loader, by the ABI of the processor."""
    return "/lib/ld-linux-aarch64.so.1" if arch == "arm64" else "/lib64/ld-linux-x86-64.so.2"


def gather(image: str) -> Facts:
    """Read an image. Takes a second or two: each file is one call of the engine's client.

    Args:
        image: its name.

    Raises:
        NotFound: the engine has no such image.
        EngineFailed: it cannot be read.
    """
    found = engine.inspect(image)
    config = configuration.parse(found.get("Config") or {})
    system, arch = str(found.get("Os", "")), str(found.get("Architecture", ""))
    known = Facts(image, str(found.get("Id", "")), system, arch, int(found.get("Size", 0)), config)
    if system != "linux":
        return known
    # An image without a command needs one to make a container of. It never runs.
    words = ("--pull", "never", "--network", "none", "--platform", f"{system}/{arch}", image, "sm-ssh")
    container = engine.docker("create", *words).strip()
    try:
        return _read(known, Files(container))
    finally:
        engine.docker("rm", "--force", "--volumes", container)


class Files:
    """The files of one container.

    Args:
        container: its id.
    """

    def __init__(self, container: str) -> None:
        self._container = container

    def look(self, path: str) -> File | None:
        """Return what a path is; None: nothing is there."""
        found = engine.copied(self._container, path)
        return File(found[0].uid, found[0].mode, found[0].size) if found else None

    def text(self, path: str) -> str:
        """Return a small file's text; empty where there is none."""
        found = engine.copied(self._container, path, _TEXT_BYTES)
        return found[1].decode(errors="replace") if found else ""


def _read(known: Facts, files: Files) -> Facts:
    looked = (
        *(SHELL, PYTHON, STUB, SSHD, AGENT, musl_loader(known.arch), glibc_loader(known.arch)),
        *CERTIFICATES,
        *(above for path in STATE for above in with_parents(path)),
    )
    return replace(
        known,
        release=release(files.text("/etc/os-release")),
        files={path: file for path in dict.fromkeys(looked) if (file := files.look(path))},
        layer=_layer(files.text(LAYER)),
        account=account(known.config.owner, files.text("/etc/passwd"), files.text("/etc/shadow")),
        commands=_commands(known.config, files),
    )


def with_parents(path: str) -> tuple[str, ...]:
    """Return a path and the folders that it lies in, nearest first, without the root."""
    return (path, *(str(above) for above in PurePosixPath(path).parents if above.name))


def release(text: str) -> str:
    """Return a distribution's name as the layer's artifacts have it.

    Args:
        text: os-release(5).
    """
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    name, version = (values.get(key, "").strip("\"'") for key in ("ID", "VERSION_ID"))
    name = "amazonlinux" if name == "amzn" else name
    return f"{name}-{version}" if name and version else name


def account(owner: str, passwd: str, shadow: str) -> Account:
    """Find the image's user.

    Args:
        owner: USER without a group.
        passwd: passwd(5).
        shadow: shadow(5); empty where it cannot be known.
    """
    column = 2 if owner.isdigit() else 0
    rows = [row for line in passwd.splitlines() if len(row := line.split(":")) > column + 1 and row[column] == owner]
    if not rows or not rows[0][2].isdigit():
        return Account(int(owner) if owner.isdigit() else -1)
    name, _, uid, *_rest = rows[0]
    return Account(int(uid), name, any(line.startswith(f"{name}:!") for line in shadow.splitlines()))


def _layer(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _commands(config: Config, files: Files) -> dict[str, bool]:
    """Tell for ``train`` and ``serve`` what a container without an entrypoint would run."""
    stub = files.text(STUB)
    found: dict[str, bool] = {}
    for word in _WORDS:
        for folder in (config.env.get("PATH") or _DEFAULT_PATH).split(":"):
            path = posixpath.join(folder, word)
            if folder.startswith("/") and files.look(path):
                found[word] = bool(stub) and files.text(path) == stub
                break
    return found
