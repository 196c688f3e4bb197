"""The layer itself: what it leaves of the base (everything), what it refuses, and what it never carries."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sm_ssh_entry import __version__
from tests.images.built import builder, engine, family
from tests.images.built.conftest import lacking
from tests.images.built.file_tree import Node, tree
from tests.images.rpm_package import package

# What installing packages changes: accounts, the loader's cache, dpkg's own books. Nothing else, on any base.
CHANGED = {
    *("etc/group", "etc/gshadow", "etc/passwd", "etc/shadow"),
    "etc/ld.so.cache",
    *("var/lib/dpkg/diversions", "var/lib/dpkg/status", "var/lib/dpkg/triggers/File"),
}
# What only a build needs, and what each container must have of its own.
NEVER = ("run/secrets", "run/sm-ssh-build", "delta", "var/cache/apt/archives", "var/lib/apt/lists/", "root/.cache")

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ODD = """\
RUN useradd --uid 1000 --create-home trainer && mkdir -p /opt/odd && echo broken >/opt/odd/libz.so.1 \\
    && echo broken >/opt/odd/libssl.so.3 && rm -f /usr/sbin/policy-rc.d
COPY --chmod=755 <<'PYTHON' /usr/local/bin/python3
#!/bin/sh
echo mine
PYTHON
ENV PATH=/opt/odd/bin:/usr/local/bin:/usr/bin:/bin LD_LIBRARY_PATH=/opt/odd PYTHONHOME=/nonexistent LANG=C \\
    VERSION=9.9 VARIANT=theirs AGENT_SOURCE=theirs AGENT_VERSION=9.9 BASE_IMAGE=theirs
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /work
CMD ["python3"]
USER trainer
"""
# Looks like Alpine to a program that asks: musl's loader, and no glibc that says its version.
MUSL = "RUN rm -f /usr/bin/getconf && touch /lib/ld-musl-x86_64.so.1 /lib/ld-musl-aarch64.so.1\n"
BESIDE = "RUN touch /lib/ld-musl-x86_64.so.1 /lib/ld-musl-aarch64.so.1\n"
NO_MANAGER = "RUN mv /usr/bin/apt-get /usr/bin/apt-got\n"


@pytest.fixture(scope="session", autouse=True)
def artifacts(host: None) -> None:
    if not (builder.ARTIFACTS / "SHA256SUMS").is_file():
        lacking(f"no artifacts in {builder.ARTIFACTS} (make test fetches them)")


@pytest.fixture
def made() -> Iterator[list[str]]:
    """Return a list: the images named in it are removed after the test."""
    names: list[str] = []
    try:
        yield names
    finally:
        for name in names:
            engine.docker("rmi", "--force", name, check=False)


@pytest.fixture
def built(made: list[str]) -> Callable[..., str]:
    """Return what builds the layer on a base."""

    def build(base: str, *options: str) -> str:
        made.append(builder.image(base, *options))
        return made[-1]

    return build


@pytest.fixture
def derive(made: list[str]) -> Callable[[str, str], str]:
    """Return what makes an odd base of an image."""

    def build(base: str, lines: str) -> str:
        made.append(builder.derived(base, lines))
        return made[-1]

    return build


def added_and_changed(plain: str, image: str) -> tuple[dict[str, Node], set[str]]:
    before, after = tree(plain), tree(image)
    assert sorted(before.keys() - after.keys()) == [], "files of the base are gone"
    added = {path: node for path, node in after.items() if path not in before}
    return added, {path for path, node in before.items() if after[path] != node}


def packages(image: str) -> dict[str, str]:
    words = ("dpkg-query", "-W", "-f", "${binary:Package} ${Version} ${db:Status-Abbrev}\\n")
    rows = engine.docker("run", "--rm", "--network", "none", "--entrypoint", words[0], image, *words[1:]).stdout
    return dict(row.split(" ", 1) for row in rows.splitlines())


def shell(image: str, text: str) -> str:
    words = ("run", "--rm", "--label", engine.LABEL, "--network", "none", "--entrypoint", "/bin/sh", image, "-c", text)
    return engine.docker(*words).stdout


@pytest.mark.images(*family.ROOTS, *family.BASES)
def test_the_base_is_as_it_was(image: str, plain: str) -> None:
    added, changed = added_and_changed(plain, image)
    assert changed <= CHANGED
    before, after = packages(plain), packages(image)
    assert {name: after.get(name) for name in before} == before
    # No python3 where there was none: a user's later choice of one is free.
    assert [path for path in added if path.startswith(("usr/bin/python3", "usr/bin/pip")) and path[-2] != "1"] == []
    asked = 'command -v python3; echo "$PATH" "$LANG" "$HOME"; id; pwd; locale 2>&1; ulimit -a'
    assert shell(image, asked) == shell(plain, asked)


@pytest.mark.images(*family.ROOTS, *family.BASES)
def test_configuration_is_the_bases(image: str, plain: str) -> None:
    ours, theirs = engine.config(image), engine.config(plain)
    ours.pop("Healthcheck")
    assert ours.pop("Entrypoint") == ["/opt/sm-ssh/bin/sm-ssh-entry"]
    assert theirs.pop("Entrypoint", None) is None
    # BuildKit writes down the path that every container without one has.
    assert ours.pop("Env") == (theirs.pop("Env", None) or [DEFAULT_PATH])
    for name in ("Labels", "Image", "Hostname", "ArgsEscaped"):
        ours.pop(name, None), theirs.pop(name, None)
    assert {name: value for name, value in ours.items() if value} == {n: value for n, value in theirs.items() if value}


@pytest.mark.images(*family.ROOTS, *family.BASES)
def test_nothing_private_and_nothing_of_the_build_is_left(image: str, plain: str) -> None:
    added, _ = added_and_changed(plain, image)
    assert [path for path in added if path.startswith("etc/ssh/") and "key" in path] == []
    assert [path for path, node in added.items() if path.startswith(NEVER) and node.kind != b"5"] == []
    assert [path for path in added if path.startswith("var/log/")] == []
    # Set-user-id programs are the distribution's own; ours need no right that their user lacks.
    assert [path for path, node in added.items() if node.mode & 0o6000 and path.startswith("opt/")] == []
    assert [path for path, node in added.items() if node.kind == b"0" and node.mode & 0o002] == []
    assert {node.uid for path, node in added.items() if path.startswith("opt/sm-ssh")} == {0}


@pytest.mark.images(*family.ROOTS, *family.BASES)
def test_what_the_layer_says_of_itself_is_so(image: str, plain: str) -> None:
    added, changed = added_and_changed(plain, image)
    about = json.loads(shell(image, "cat /opt/sm-ssh/layer.json"))
    after = tree(image)
    weight = sum(after[path].size for path in {*added, *changed} if path != "opt/sm-ssh/layer.json")
    assert about["bytes"]["total"] == pytest.approx(weight, rel=0.002)
    assert about["bytes"]["total"] == sum(size for part, size in about["bytes"].items() if part != "total")
    labels = engine.labels(image)
    assert labels["sm-ssh.version"] == about["version"]
    assert labels["sm-ssh.variant"] == about["variant"]
    assert labels["sm-ssh.agent"] == f"{about['agent']['source']} {about['agent']['version']}"
    assert labels["org.opencontainers.image.base.name"] == plain
    assert (about["aws_cli"] is None) is (about["variant"] == "thin")
    assert packages(image)["openssh-server"].startswith(about["sshd"]["version"])
    assert about["interpreter"]["version"] in shell(image, f"{about['interpreter']['path']} -V")


@pytest.mark.images(family.THIN_12)
def test_a_base_full_of_settings_keeps_them_and_the_layer_works_all_the_same(
    plain: str, derive: Callable[[str, str], str], built: Callable[..., str]
) -> None:
    odd = derive(plain, ODD)
    said = engine.labels(built(odd))
    assert (said["sm-ssh.version"], said["sm-ssh.variant"], said["sm-ssh.agent"]) == (__version__, "thin", "stand-in")
    assert said["org.opencontainers.image.base.name"] == odd
    mine = built(odd, "--target", "layered")
    ours, theirs = engine.config(mine), engine.config(odd)
    ours["Labels"] = theirs["Labels"]
    assert ours == theirs
    assert added_and_changed(odd, mine)[1] <= CHANGED
    assert shell(mine, "python3; pwd; id -un") == "mine\n/work\ntrainer\n"
    # Our programs, under the base's own variables.
    assert shell(mine, "sm-ssh-entry health; sm-wait list; sm-ssh-entry python3").splitlines()[0] == "SSH is off"
    assert shell(mine, "sm-ssh-entry python3; sm-ssh-entry printenv LD_LIBRARY_PATH PYTHONHOME").splitlines() == [
        "mine",
        "/opt/odd",
        "/nonexistent",
    ]


@pytest.mark.images(family.THIN_12, family.THIN_13)
def test_what_is_there_already_is_used(
    image: str, plain: str, built: Callable[..., str], derive: Callable[[str, str], str]
) -> None:
    """On an image that has sshd, certificates and the interpreter, no package is installed; its host keys stay."""
    has = derive(
        image, "USER 0\nRUN ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key && rm -rf /opt/sm-ssh"
    )
    again = built(has)
    assert packages(again) == packages(has)
    before, after = tree(has), tree(again)
    kept = "etc/ssh/ssh_host_ed25519_key"
    assert after[kept] == before[kept]
    assert json.loads(shell(again, "cat /opt/sm-ssh/layer.json"))["interpreter"]["brought"] is False


@pytest.mark.images(family.THIN_12)
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (MUSL, "is built on musl; the agent needs glibc (hint: a Debian, Ubuntu or Amazon Linux base)"),
        (NO_MANAGER, "has neither apt-get nor dnf, which bring sshd (hint: wrap an image that has one)"),
        (BESIDE, ""),
    ],
    ids=["musl", "no package manager", "glibc with musl beside it"],
)
def test_a_base_that_cannot_carry_it_is_refused_in_one_line(
    plain: str, derive: Callable[[str, str], str], lines: str, said: str
) -> None:
    done = builder.layer(derive(plain, lines), "--target", "checked")
    assert builder.errors(done) == ({f"this image (debian-12) {said}"} if said else set())
    assert (done.returncode == 0) is not bool(said)


@pytest.mark.images(family.THIN_12)
@pytest.mark.parametrize("part", builder.SMALL)
def test_one_flipped_byte_stops_the_build_with_the_files_name(plain: str, part: str, tmp_path: Path) -> None:
    folder = builder.small_copy(tmp_path / "artifacts")
    file = max((folder / part).rglob("*.*"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = builder.layer(plain, artifacts=folder, file="Dockerfile.base")
    name = file.relative_to(folder)
    hint = "hint: sm-ssh image fetch, then --build-context artifacts=FOLDER"
    assert builder.errors(done) == {f"wrong checksum: {name} ({hint})"}


@pytest.mark.images(family.THIN_12)
def test_the_agents_rpm_does_where_there_is_no_deb(image: str, plain: str, made: list[str], tmp_path: Path) -> None:
    folder = builder.small_copy(tmp_path / "artifacts")
    shutil.copytree(builder.ARTIFACTS / "packages", folder / "packages")
    (deb,) = (folder / "agent").glob("*/*.deb")
    listed = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(listed)) as archive:
        files = {one.name: (one.mode, archive.extractfile(one).read()) for one in archive if one.isfile()}  # type: ignore[union-attr] # files have content
    rpm = deb.with_suffix(".rpm")
    rpm.write_bytes(package(files, "xz"))
    sums = folder / "SHA256SUMS"
    line = f"{hashlib.sha256(rpm.read_bytes()).hexdigest()}  {rpm.relative_to(folder)}\n"
    kept = [
        one for one in sums.read_text().splitlines(keepends=True) if not one.endswith(f"{deb.relative_to(folder)}\n")
    ]
    sums.write_text("".join([*kept, line]))
    deb.unlink()
    name = f"{engine.LABEL}/rpm:{tmp_path.parent.name}"
    made.append(name)
    done = builder.layer(plain, "--load", "--tag", name, artifacts=folder)
    assert done.returncode == 0, done.stderr[-4000:]
    mine, theirs = (
        {
            path: node
            for path, node in tree(one).items()
            if path.startswith(("usr/bin/", "usr/lib/sm-ssh", "etc/amazon"))
        }
        for one in (name, image)
    )
    assert mine == theirs


@pytest.mark.images(family.THIN_12)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: next((folder / "wheels").glob("boto*")).unlink(), "missing among the artifacts: wheels/boto"),
        (lambda folder: (folder / "wheels" / "x.whl").touch(), "wrong checksum: wheels/x.whl"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "there are no artifacts"),
        (lambda folder: next((folder / "agent").iterdir()).rename(folder / "none"), "the artifacts have no agent/"),
    ],
    ids=["a file is missing", "a file too many", "no sums", "no agent"],
)
def test_artifacts_that_are_not_whole_stop_the_build(
    plain: str, spoil: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    folder = builder.small_copy(tmp_path / "artifacts")
    spoil(folder)
    (found,) = builder.errors(builder.layer(plain, artifacts=folder, file="Dockerfile.base"))
    assert found.startswith(said)
    assert "hint: sm-ssh image fetch" in found


@pytest.mark.images(family.THIN_12)
@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"AGENT_SOURCE": "official"}, "is stand-in {version}, but AGENT_SOURCE=official"),
        ({"AGENT_VERSION": "0.0"}, "is stand-in {version}, but AGENT_VERSION=0.0"),
        (
            {"ALLOW_STAND_IN": "false"},
            "no release holds the stand-in agent (hint: sm-ssh image fetch --agent official)",
        ),
        ({"VERSION": "9.9"}, "the wheel among the artifacts is"),
    ],
)
def test_labels_that_would_lie_are_refused(plain: str, args: dict[str, str], said: str) -> None:
    about = json.loads(next((builder.ARTIFACTS / "agent").glob("*/about.json")).read_text())
    (found,) = builder.errors(builder.layer(plain, args=args))
    assert said.format(version=about["version"]) in found


@pytest.mark.images(family.THIN_12)
def test_the_release_refuses_the_stand_in(plain: str) -> None:
    words = ["docker", "buildx", "bake", "--progress", "plain", "released-debian-12-thin"]
    env = {"AGENT_SOURCE": "stand-in", "ARTIFACTS": str(builder.ARTIFACTS), "DEBIAN_12": plain}
    given = ["env", *(f"{name}={value}" for name, value in env.items()), *words]
    done = subprocess.run(given, cwd=builder.ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode != 0
    assert builder.errors(done) == {
        "no release holds the stand-in agent (hint: sm-ssh image fetch --agent official)",
    }


@pytest.mark.images(family.THIN_12, family.THIN_13)
def test_without_any_network_the_same_files_come_from_the_artifacts(
    image: str, plain: str, built: Callable[..., str]
) -> None:
    offline = built(plain)
    assert packages(offline).keys() == packages(image).keys()
    assert shell(offline, "sm-ssh-entry health") == "SSH is off\n"
    brought = ("opt/sm-ssh/", "usr/bin/amazon-ssm-agent", "etc/amazon/", "usr/local/bin/")
    ours, theirs = (
        {path: node for path, node in tree(one).items() if path.startswith(brought)} for one in (offline, image)
    )
    ours.pop("opt/sm-ssh/layer.json"), theirs.pop("opt/sm-ssh/layer.json")
    assert ours == theirs
