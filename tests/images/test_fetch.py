"""lock, fetch and verify as a user calls them. Their publishers are this test's: an index, AWS's files, an archive."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
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
from tests.images.publisher import Fault, Publisher

PURE = "py3-none-any.whl"
AGENT = {"amazon-ssm-agent.deb": b"the agent as a deb" * 999, "amazon-ssm-agent.rpm": b"the agent as an rpm" * 999}
CLI = b"the command line as a zip" * 999
TOML = """
[wheels]
index = "{url}/simple"
python = "3.10"
requirements = ["app>=1"]
tools = ["tool"]

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
AWS = ("/agent/3.3.1/", "/cli/")


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


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """sm-ssh as it is installed, with a lock of its own."""
    from sm_ssh_entry.images import files

    images = tmp_path / "shipped" / "images"
    images.mkdir(parents=True)
    shutil.copy(files.source() / "images" / "artifacts.toml", images)
    monkeypatch.setattr(files, "source", lambda: tmp_path / "shipped")
    return images / "artifacts.lock"


@pytest.fixture
def world(
    site: Publisher, keys: tuple[Key, Key], tmp_path: Path, capsys: pytest.CaptureFixture[str], shipped: Path
) -> World:
    publisher = keys[0]
    wheels = {
        f"{name}-1.0-{PURE}": wheel(name, "1.0", needs)
        for name, needs in {"app": ["lib"], "lib": [], "tool": []}.items()
    }
    index.publish(site, *wheels.items())
    lockfile.write(
        shipped,
        [
            entry(f"{folder}/{name}", f"{site.url}/files/{name}", content, component=component, source=source)
            for folder, component, source in (("wheels", "wheels", "pypi"), ("stand-in/amd64", "agent", "stand-in"))
            for name, content in wheels.items()
            if folder == "wheels" or not name.startswith("tool")
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
    (tmp_path / "artifacts.toml").write_text(text)
    return World(site, keys, tmp_path, capsys)


OFFICIAL = [
    "SHA256SUMS",
    "agent/amd64/about.json",
    *(f"agent/amd64/{name}{end}" for name in AGENT for end in ("", ".sig")),
    "artifacts.lock",
    "aws-cli/amd64/about.json",
    "aws-cli/amd64/awscliv2.zip",
    "aws-cli/amd64/awscliv2.zip.sig",
    f"wheel/{container_wheel.FILE}",
    *(f"wheels/{name}-1.0-{PURE}" for name in ("app", "lib", "tool")),
]


def sums_hold(folder: Path) -> bool:
    argv = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    return subprocess.run(argv, cwd=folder, check=False, timeout=60).returncode == 0


def test_the_first_fetch_brings_all_and_locks_it(world: World, shipped: Path) -> None:
    lockfile.write(shipped, [])
    code, out = world.fetch()
    assert code == 0, world.said
    assert world.there() == OFFICIAL
    assert (world.to / "agent" / "amd64" / "amazon-ssm-agent.deb").read_bytes() == AGENT["amazon-ssm-agent.deb"]
    assert world.about("agent/amd64") == {"source": "official", "version": "3.3.1"}
    assert world.about("aws-cli/amd64") == {"source": "official", "version": "2.1.0"}
    assert set(world.lock) == {
        name for name in OFFICIAL if not name.endswith(("SUMS", ".json", ".lock", container_wheel.FILE))
    }
    assert sums_hold(world.to)
    assert "WARNING agent/amd64: locked as it came" in world.said
    assert out.splitlines()[-1] == f"9 files are in {world.to}, each with its checksum"


def test_the_second_fetch_asks_nobody(world: World) -> None:
    world.fetch()
    world.site.asked.clear()
    code, _ = world.fetch()
    assert (code, world.site.asked) == (0, [])
    assert "WARNING" not in world.said


def test_what_comes_locked_is_not_resolved_and_not_copied_to_the_user_s_lock(world: World) -> None:
    assert world.fetch()[0] == 0
    assert [path for _, path, _ in world.site.asked if path.startswith("/simple/")] == []
    assert {one.component for one in world.lock.values()} == {"agent", "aws-cli"}


def test_another_folder_with_the_same_lock_gets_the_same_bytes(world: World) -> None:
    world.fetch()
    sums = (world.to / "SHA256SUMS").read_bytes()
    lock = world.folder / "kept.lock"
    (world.to / "artifacts.lock").rename(lock)
    shutil.rmtree(world.to)
    text = lock.read_bytes()
    code, _ = world.fetch("--lock", str(lock))
    assert code == 0
    assert (world.to / "SHA256SUMS").read_bytes() == sums
    assert lock.read_bytes() == text
    assert not (world.to / "artifacts.lock").exists()


def test_a_file_that_has_changed_at_its_publisher_is_refused(world: World) -> None:
    world.fetch()
    (world.to / "aws-cli" / "amd64" / "awscliv2.zip").unlink()
    world.site.publish("/cli/awscli-exe-linux-x86_64-2.1.0.zip", CLI + b"and more")
    code, _ = world.fetch()
    assert code == 29
    assert "aws-cli/amd64/awscliv2.zip is not the locked file" in world.said
    assert not (world.to / "aws-cli" / "amd64" / "awscliv2.zip").exists()


def test_signatures_are_checked_with_a_key(world: World) -> None:
    keys = ["--key", f"agent={world.keys[0].armored}", "--key", f"aws-cli={world.keys[0].public}"]
    code, _ = world.fetch(*keys)
    assert code == 0
    assert "agent/amd64: signatures hold" in world.said
    assert "WARNING" not in world.said
    code, out = world.sm_ssh("verify", *keys)
    assert code == 0
    assert out.count("good, signed") == 3


def test_a_stranger_s_agent_is_refused_and_neither_kept_nor_locked(world: World) -> None:
    path = "/agent/3.3.1/debian_amd64/amazon-ssm-agent.deb"
    world.site.publish(f"{path}.sig", world.keys[1].detached(AGENT["amazon-ssm-agent.deb"]))
    code, _ = world.fetch("--key", f"agent={world.keys[0].public}")
    assert code == 29
    assert "the signature of amazon-ssm-agent.deb does not hold" in world.said
    assert [name for name in world.there() if name.startswith("agent/")] == []
    assert world.lock == {}


def test_where_aws_cannot_be_reached_the_others_are_taken_and_it_says_so(world: World) -> None:
    world.cut_off_aws()
    code, _ = world.fetch()
    assert code == 0, world.said
    assert world.about("agent/amd64")["source"] == "stand-in"
    assert world.about("aws-cli/debian-12/amd64") == {"source": "debian", "version": "2.9.19-1"}
    found = [name for name in world.there() if name.startswith(("agent/", "aws-cli/", "stand-in/"))]
    assert found == [
        "agent/amd64/about.json",
        "agent/amd64/amazon-ssm-agent.deb",
        "aws-cli/debian-12/amd64/about.json",
        "aws-cli/debian-12/amd64/awscli_2.9.19-1_amd64.deb",
        "aws-cli/debian-12/amd64/python3-six_1.0_amd64.deb",
        f"stand-in/amd64/app-1.0-{PURE}",
        f"stand-in/amd64/lib-1.0-{PURE}",
    ]
    warnings = [line for line in world.said.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 2
    assert "taking the stand-in agent for amd64, which no release may hold" in warnings[0]
    assert sums_hold(world.to)


def test_who_asks_for_the_official_agent_never_gets_another(world: World) -> None:
    world.cut_off_aws()
    code, _ = world.fetch("--agent", "official", "--aws-cli", "none")
    assert code == 20
    assert "127.0.0.1:1 cannot be reached" in world.said


def test_a_version_that_is_not_published_is_an_error_and_no_reason_for_the_stand_in(world: World) -> None:
    for path in [path for path in world.site.files if path.startswith("/agent/")]:
        del world.site.files[path]
    code, _ = world.fetch()
    assert code == 10
    assert "404" in world.said


def test_the_official_agent_takes_the_place_of_the_stand_in_and_back(world: World) -> None:
    world.fetch("--agent", "stand-in")
    assert world.about("agent/amd64")["source"] == "stand-in"
    world.fetch("--agent", "official")
    assert world.about("agent/amd64") == {"source": "official", "version": "3.3.1"}
    code, _ = world.fetch("--agent", "stand-in")
    assert code == 0
    assert [name for name in world.there() if name.startswith("agent/")] == [
        "agent/amd64/about.json",
        "agent/amd64/amazon-ssm-agent.deb",
    ]
    assert world.sm_ssh("verify")[0] == 0


def test_packages_for_builds_without_a_network(world: World) -> None:
    code, _ = world.fetch("--packages", "--aws-cli", "debian")
    assert code == 0, world.said
    assert [name for name in world.there() if name.startswith(("packages/", "aws-cli/"))] == [
        "aws-cli/debian-12/amd64/about.json",
        "aws-cli/debian-12/amd64/awscli_2.9.19-1_amd64.deb",
        "aws-cli/debian-12/amd64/python3-six_1.0_amd64.deb",
        "packages/debian-12/amd64/libssl3_3.0.1~deb12u1_amd64.deb",
        "packages/debian-12/amd64/openssh-server_9.2p1-2_amd64.deb",
    ]
    locked = world.lock["packages/debian-12/amd64/openssh-server_9.2p1-2_amd64.deb"]
    assert (locked.source, locked.version) == ("debian-12", "1:9.2p1-2")


def test_a_distribution_without_the_command_line_says_so(world: World) -> None:
    code, _ = world.sm_ssh("fetch", "--arch", "amd64", "--for", "ubuntu-22.04", "--aws-cli", "debian")
    assert code == 2
    assert "ubuntu-22.04 has no AWS CLI 2 of its own" in world.said


def test_an_unknown_system_is_named(world: World) -> None:
    code, _ = world.fetch("--for", "slackware", "--packages")
    assert code == 2
    assert "no such system: slackware" in world.said


def test_locked_packages_that_the_archive_has_replaced_say_what_to_do(world: World) -> None:
    world.fetch("--packages")
    shutil.rmtree(world.to / "packages")
    del world.site.files["/debian/pool/main/libssl3_3.0.1~deb12u1_amd64.deb"]
    replaced = [
        package("libc6", Essential="yes"),
        package("openssh-server", "1:9.2p1-2", Depends="libc6, libssl3"),
        package("libssl3", "3.0.1~deb12u2", Depends="libc6"),
    ]
    archive.publish(world.site, world.keys[0], "bookworm", replaced)
    code, _ = world.fetch("--packages")
    assert code == 10
    assert "sm-ssh image lock" in world.said
    assert world.sm_ssh("lock", "--only", "packages", "--arch", "amd64", "--for", "debian-12")[0] == 0
    assert world.fetch("--packages")[0] == 0
    assert "packages/debian-12/amd64/libssl3_3.0.1~deb12u2_amd64.deb" in world.there()
    assert "packages/debian-12/amd64/libssl3_3.0.1~deb12u1_amd64.deb" not in world.lock


def test_lock_fetches_only_what_has_no_checksum_of_its_publisher_s(world: World) -> None:
    code, out = world.sm_ssh("lock", "--arch", "amd64", "--for", "debian-12", "--aws-cli", "debian")
    assert code == 0, world.said
    assert f"files are in the lock {world.to}/artifacts.lock" in out
    assert {entry.component for entry in world.lock.values()} == {"wheels", "agent", "aws-cli", "packages"}
    assert [name for name in world.there() if not name.startswith("agent/")] == ["artifacts.lock"]
    world.site.asked.clear()
    assert world.fetch("--aws-cli", "debian", "--packages")[0] == 0
    assert [path for _, path, _ in world.site.asked if path.startswith(("/simple/", "/agent/", "/debian/dists/"))] == []


def test_one_component_alone(world: World) -> None:
    assert world.sm_ssh("lock", "--only", "wheels")[0] == 0
    assert {entry.component for entry in world.lock.values()} == {"wheels"}


def test_an_interrupted_fetch_goes_on(world: World) -> None:
    path = "/cli/awscli-exe-linux-x86_64-2.1.0.zip"
    assert world.sm_ssh("lock", "--arch", "amd64", "--for", "debian-12", "--only", "aws-cli")[0] == 0
    (world.to / "aws-cli" / "amd64" / "awscliv2.zip").unlink()
    world.site.asked.clear()
    # Broken five times over: this run gives up, with what came kept.
    world.site.fail(path, *[Fault(cut=1000)] * 5)
    patched = ["--parallel", "1", "--agent", "stand-in"]
    code, _ = world.fetch(*patched)
    assert code == 20
    assert (world.to / "aws-cli" / "amd64" / "awscliv2.zip.part").stat().st_size == 5000
    code, _ = world.fetch(*patched)
    assert code == 0
    assert [one.get("Range") for one in world.site.gets(path)][-1] == "bytes=5000-"
    assert (world.to / "aws-cli" / "amd64" / "awscliv2.zip").read_bytes() == CLI


def test_a_mirror_that_is_a_folder_serves_all(world: World) -> None:
    """What one machine fetched, another one without any network takes from a share."""
    world.fetch()
    share = world.folder / "share"
    for path, content in world.site.files.items():
        if not path.endswith("/"):
            (share / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (share / path[1:]).write_bytes(content)
    (world.to / "artifacts.lock").rename(world.folder / "kept.lock")
    shutil.rmtree(world.to)
    world.site.asked.clear()
    options = ["--lock", str(world.folder / "kept.lock"), "--mirror", f"{world.site.url}/={share.as_uri()}/"]
    code, _ = world.fetch(*options)
    assert code == 0, world.said
    assert world.site.asked == []
    assert sums_hold(world.to)


def test_json_says_it_all(world: World, shipped: Path) -> None:
    code, out = world.fetch("--output", "json")
    found = json.loads(out)
    assert code == 0
    assert [part["component"] for part in found["parts"]] == ["wheels", "agent", "aws-cli"]
    listed = {one["file"]: (one["size"], one["sha256"]) for part in found["parts"] for one in part["files"]}
    locked = {**lockfile.read(shipped), **world.lock}
    assert listed == {name: (locked[name].size, locked[name].sha256) for name in listed}
    assert set(world.lock) < set(listed)
    assert f"wheel/{container_wheel.FILE}" in found["made"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_sums(path: Path) -> None:
    sums = path.parents[1] / "SHA256SUMS"
    lines = [("0" * 64 + line[64:] if line.endswith(path.name) else line) for line in sums.read_text().splitlines()]
    sums.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "act", "state"),
    [
        (f"wheels/app-1.0-{PURE}", damage, "not the locked file"),
        (f"wheels/app-1.0-{PURE}", Path.unlink, "missing"),
        (f"wheels/app-1.0-{PURE}", change_sums, "SHA256SUMS is not what is locked"),
        (f"wheel/{container_wheel.FILE}", damage, "not the locked file"),
        (f"wheels/extra-1.0-{PURE}", Path.touch, "not in SHA256SUMS"),
    ],
    ids=["flipped byte", "gone", "sums changed", "own product", "slipped in"],
)
def test_verify_names_each_bad_file(world: World, name: str, act: Callable[[Path], object], state: str) -> None:
    world.fetch()
    assert world.sm_ssh("verify")[0] == 0
    act(world.to / name)
    code, out = world.sm_ssh("verify")
    assert code == 29
    assert [line.split("  ")[0] for line in out.splitlines() if name in line] == [state]
    assert f"must not be built from: {name}" in world.said
    code, out = world.sm_ssh("verify", "--output", "json")
    assert [row["file"] for row in json.loads(out) if not row["good"]] == [name]


def test_verify_of_nothing_says_to_fetch(world: World) -> None:
    code, _ = world.sm_ssh("verify")
    assert code == 10
    assert "sm-ssh image fetch" in world.said


def test_what_an_interrupted_fetch_left_is_no_artifact(world: World) -> None:
    world.fetch()
    (world.to / "wheels" / "x.whl.part").write_bytes(b"half")
    assert world.sm_ssh("verify")[0] == 0


@pytest.mark.parametrize("words", [["--mirror", "nonsense"], ["--key", "agent"], ["--parallel", "0"]], ids=" ".join)
def test_bad_words_are_bad_input(world: World, words: list[str]) -> None:
    assert world.fetch(*words)[0] == 2
