"""A user who calls lock, fetch and verify, and everybody who publishes for them: an index, AWS, a Debian archive."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.cli import root
from sm_ssh_entry.images import container_wheel, lockfile
from tests.images import archive, index
from tests.images.archive import Key, package
from tests.images.heard import entry
from tests.images.index import wheel
from tests.images.publisher import Publisher

PURE = "py3-none-any.whl"
PROGRAM = "prog-1.0-py2.py3-none-manylinux_2_17_x86_64.whl"
AGENT = {"amazon-ssm-agent.deb": b"the agent as a deb" * 999, "amazon-ssm-agent.rpm": b"the agent as an rpm" * 999}
CLI = b"the command line as a zip" * 999
TOML = """
[wheels]
index = "{url}/simple"
python = "3.10"
requirements = ["app>=1"]
tools = ["tool"]

[programs]
requirements = ["prog"]
platforms = {{ amd64 = ["manylinux_2_17_x86_64"], arm64 = ["manylinux_2_17_aarch64"] }}

[agent.official]
version = "3.3.1"
signature = ".sig"
fingerprint = "{fingerprint}"

[agent.official.files]
"amazon-ssm-agent.deb" = "{url}/agent/{{version}}/debian_{{arch}}/amazon-ssm-agent.deb"
"amazon-ssm-agent.rpm" = "{url}/agent/{{version}}/linux_{{arch}}/amazon-ssm-agent.rpm"

[agent.stand-in]
python = ["3.10", "3.11"]
requirements = ["app"]
platforms = {{ amd64 = ["manylinux_2_17_x86_64"], arm64 = ["manylinux_2_17_aarch64"] }}

[aws-cli.official]
version = "2.1.0"
signature = ".sig"
arches = {{ amd64 = "x86_64" }}
files = {{ "awscliv2.zip" = "{url}/cli/awscli-exe-linux-{{arch}}-{{version}}.zip" }}

[systems.debian-12]
keyring = "{keyring}"
packages = ["openssh-server"]
aws-cli = ["awscli"]
aws-cli-present = ["python3"]
suites = {{ bookworm = "{url}/debian main" }}

[systems."ubuntu-22.04"]
keyring = "{keyring}"
packages = ["openssh-server"]
suites = {{ jammy = "{url}/ubuntu main" }}
"""


@dataclass
class World:
    """A user with a machine of their own, and everybody who publishes."""

    site: Publisher
    keys: tuple[Key, Key]
    folder: Path
    capture: pytest.CaptureFixture[str]
    said: str = ""
    options: list[str] = field(default_factory=list)

    def sm_ssh(self, command: str, *words: str) -> tuple[int, str]:
        argv = ["image", command, "--toml", str(self.folder / "artifacts.toml"), "--to", str(self.to)]
        code = root.run([*argv, *self.options, *words])
        out, self.said = self.capture.readouterr()
        return code, out

    def fetch(self, *words: str) -> tuple[int, str]:
        return self.sm_ssh("fetch", "--arch", "amd64", "--for", "debian-12", *words)

    @property
    def to(self) -> Path:
        return self.folder / "artifacts"

    @property
    def lock(self) -> dict[str, lockfile.Entry]:
        return lockfile.read(self.to / "artifacts.lock")

    def there(self) -> list[str]:
        return sorted(str(path.relative_to(self.to)) for path in self.to.rglob("*") if path.is_file())

    def about(self, folder: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.to / folder / "about.json").read_text())
        return found

    def cut_off_aws(self) -> None:
        """Nobody listens where AWS would be."""
        text = (self.folder / "artifacts.toml").read_text()
        for place in ("/agent/", "/cli/"):
            text = text.replace(f"{self.site.url}{place}", f"http://127.0.0.1:1{place}")
        (self.folder / "artifacts.toml").write_text(text)


OFFICIAL = [
    "SHA256SUMS",
    "agent/amd64/about.json",
    *(f"agent/amd64/{name}{end}" for name in AGENT for end in ("", ".sig")),
    "artifacts.lock",
    "aws-cli/amd64/about.json",
    "aws-cli/amd64/awscliv2.zip",
    "aws-cli/amd64/awscliv2.zip.sig",
    f"programs/amd64/{PROGRAM}",
    f"wheel/{container_wheel.FILE}",
    *(f"wheels/{name}-1.0-{PURE}" for name in ("app", "lib", "tool")),
]


def make(world: World, shipped: Path) -> World:
    """Publish everything."""
    site, publisher = world.site, world.keys[0]
    wheels = {
        f"{name}-1.0-{PURE}": wheel(name, "1.0", needs)
        for name, needs in {"app": ["lib"], "lib": [], "tool": []}.items()
    }
    wheels[PROGRAM] = wheel("prog", "1.0")
    index.publish(site, *wheels.items())
    lockfile.write(
        shipped,
        [
            entry(f"{folder}/{name}", f"{site.url}/files/{name}", content, component=component, source=source)
            for folder, component, source, names in (
                ("wheels", "wheels", "pypi", ("app", "lib", "tool")),
                ("programs/amd64", "programs", "pypi", ("prog",)),
                ("stand-in/amd64", "agent", "stand-in", ("app", "lib")),
            )
            for name, content in wheels.items()
            if name.partition("-")[0] in names
        ],
    )
    for name, content in AGENT.items():
        system = "debian" if name.endswith("deb") else "linux"
        path = f"/agent/3.3.1/{system}_amd64/{name}"
        site.publish(path, content)
        site.publish(f"{path}.sig", publisher.detached(content))
    site.publish("/cli/awscli-exe-linux-x86_64-2.1.0.zip", CLI)
    site.publish("/cli/awscli-exe-linux-x86_64-2.1.0.zip.sig", publisher.detached(CLI))
    archive.publish(
        site,
        publisher,
        "bookworm",
        [
            package("libc6", Essential="yes"),
            package("openssh-server", "1:9.2p1-2", Depends="libc6, libssl3"),
            package("libssl3", "3.0.1~deb12u1", Depends="libc6"),
            package("awscli", "2.9.19-1", Depends="python3, python3-six, libssl3"),
            package("python3-six", Depends="python3"),
        ],
    )
    text = TOML.format(url=site.url, fingerprint=publisher.fingerprint, keyring=publisher.public)
    (world.folder / "artifacts.toml").write_text(text)
    return world
