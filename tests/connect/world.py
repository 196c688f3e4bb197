"""What the laptop meets in tests: managed nodes in the plane's table, real sshds, and commands as real processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.plane.server import Plane, PlaneThread
from sm_ssh_entry.plane.store import Activation
from tests.waiting import wait_until

REGION = "us-east-1"
SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin:/usr/bin")
WITHOUT_SSHD = not SSHD or shutil.which("ssh") is None


class Fleet:
    """Managed nodes in a plane's table, as registrations of a while ago would have left them."""

    def __init__(self, plane: PlaneThread) -> None:
        self.plane = plane

    def add(
        self,
        name: str,
        label: str = "algo-1",
        *,
        kind: str = "training",
        online: bool = True,
        display: str = "",
        tags: Mapping[str, str] | None = None,
        region: str = REGION,
        registered: float = -3600.0,
        reported: bool = True,
    ) -> str:
        """Add a node and return its id; ``registered`` in seconds relative to now, ``reported``: its agent ever ran."""
        every = {
            contract.TAG_RESOURCE_NAME: name,
            contract.TAG_RESOURCE_KIND: kind,
            contract.TAG_NODE: label,
            **(tags or {}),
        }

        def make(running: Plane) -> str:
            now = running.store.clock()
            activation = Activation("a", "c", region, "Role", 0.0, 1e12, default_instance_name=display, tags=every)
            node = running.store.nodes.register(activation, public_key="k", fingerprint="f", now=now + registered)
            node.ping(now if online else now - 7200)
            if reported:
                node.info["AgentVersion"] = "3.3.0.0"
            return node.node_id

        return self.plane.call(make)

    def tag(self, node_id: str, **tags: str) -> None:
        """Change tags of a node."""

        def change(running: Plane) -> None:
            node = running.store.nodes.require(node_id)
            running.store.nodes.retag(node, {**node.tags, **tags})

        self.plane.call(change)


@dataclass
class Laptop:
    """A user's machine: its home, and our commands as processes."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> Path:
        """Our private folder."""
        return self.home / ".ssh" / "sm-ssh"

    def run(self, *words: str, stdin: str = "", timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run ``sm-ssh`` to its end."""
        return self.call([sys.executable, "-m", "sm_ssh_entry.cli.main", *words], stdin=stdin, timeout=timeout)

    def call(self, argv: list[str], *, stdin: str = "", timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run any program to its end."""
        return subprocess.run(
            argv,
            env={**os.environ, **self.env},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a program with pipes."""
        return subprocess.Popen(
            argv,
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def make_key(self, name: str = "id_ed25519", *, kind: str = "ed25519", passphrase: str = "") -> Path:
        """Make a key pair in ``~/.ssh`` and return the private key's path."""
        path = self.home / ".ssh" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        keygen(path, kind=kind, passphrase=passphrase)
        return path


def keygen(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> str:
    """Make a key pair; return the public key, type and base64."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return public(path)


def public(path: Path) -> str:
    """Return a pair's public key, type and base64."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


class Sshd:
    """A real sshd on a loopback port, with one user's keys: ours.

    Args:
        folder: where it keeps its files.
        address: which of the loopback addresses.
        port: 0: any that is free.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        self.folder, self.address = folder, address
        folder.mkdir()
        self.host_key = keygen(folder / "host")
        self.keys = folder / ".ssh" / "authorized_keys"
        self.keys.parent.mkdir(mode=0o700)
        self.keys.touch()
        with socket.create_server((address, port)) as probe:
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Sshd:
        """Start it, with the host key that lies there now; return when it listens."""
        Path("/run/sshd").mkdir(exist_ok=True) if os.geteuid() == 0 else None
        config = self.folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress {self.address}\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.keys}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
        )
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(self.argv(config), stdout=log, stderr=log)
        log.close()
        wait_until(self._listens, what="sshd")
        return self

    def argv(self, config: Path) -> list[str]:
        """Its command line."""
        assert SSHD
        return [SSHD, "-D", "-e", "-f", str(config)]

    def stop(self) -> None:
        """Stop it."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=120)
            self._process = None

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0


def counted(client: Any) -> Counter[str]:
    """Count a client's calls by operation from now on."""
    calls: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    client.meta.events.register("before-call", note)
    return calls
