"""``sm-ssh image wrap`` and ``inspect`` before any build: what is wrong is said in one line, and nothing is built.

The client here is a script that answers like Docker's; with a real engine the same is in tests/images/built.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

IMAGE: dict[str, Any] = {
    "Id": "sha256:" + "ab12" * 16,
    "RepoTags": ["mine:1"],
    "Os": "linux",
    "Architecture": "amd64",
    "Size": 1,
    "Config": {"Cmd": ["run"]},
}
# What has no answer here fails the test that asked for it: there is no build and no push.
CLIENT = """\
#!/bin/sh
cd {answers} || exit 99
case "$1 $2" in
"image inspect") [ "$3" != nothing:1 ] && exec {cat} image.json; echo "Error: No such image: $3" >&2; exit 1 ;;
"info "*) echo '"26.1"' ;;
"buildx version") exit {buildx} ;;
"pull "*) echo "Error response from daemon: pull access denied for nothing:1" >&2; exit 1 ;;
"create "*) echo c0ffee ;;
"rm "*) echo "$4" >>removed ;;
"cp "*)
    [ -e ".${{3#*:}}.tar" ] && exec {cat} ".${{3#*:}}.tar"
    echo "Error response from daemon: Could not find the file ${{3#*:}} in container c0ffee" >&2
    exit 1 ;;
*) echo "not asked for in this test: $*" >&2; exit 1 ;;
esac
"""
FILES = {
    "/bin/sh": "",
    "/etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/lib64/ld-linux-x86-64.so.2": "",
}


class User:
    """Somebody whose machine has this client.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.artifacts = folder / "artifacts"
        self.answers = folder / "answers"
        self._bin = folder / "bin"
        self._bin.mkdir()

    def engine(self, image: Mapping[str, Any], files: Mapping[str, str] = FILES, *, buildx: bool = True) -> None:
        """Have an engine with one image."""
        shutil.rmtree(self.answers, ignore_errors=True)
        self.answers.mkdir()
        (self.answers / "image.json").write_text(json.dumps([image]))
        for name, text in files.items():
            path = Path(f"{self.answers}{name}.tar")
            path.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(path, "w") as archive:
                item = tarfile.TarInfo(path.stem)
                item.size, item.mode = len(text), 0o755
                archive.addfile(item, io.BytesIO(text.encode()))
        script = CLIENT.format(
            answers=shlex.quote(str(self.answers)), cat=shutil.which("cat"), buildx=0 if buildx else 1
        )
        (self._bin / "docker").write_text(script)
        (self._bin / "docker").chmod(0o755)

    def fetch(self, *folders: str, about: str = '{"source": "official", "version": "3.3.1"}') -> None:
        """Have artifacts in these folders."""
        for folder in ("wheels", "wheel", "programs/amd64", "agent/amd64", *folders):
            (self.artifacts / folder).mkdir(parents=True, exist_ok=True)
        (self.artifacts / "SHA256SUMS").touch()
        (self.artifacts / "agent" / "amd64" / "about.json").write_text(about)

    def image(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``sm-ssh image``."""
        env = {"PATH": str(self._bin), "HOME": str(self._bin), "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8")}
        argv = [sys.executable, "-m", "sm_ssh_entry.cli.main", "image", *words]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=180)

    def wrap(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Wrap the image, with the artifacts of this test."""
        return self.image("wrap", "--artifacts", str(self.artifacts), *words)


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Return somebody with an engine that has the image mine:1."""
    user = User(tmp_path)
    user.engine(IMAGE)
    return user


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return an error's lines, which are two at the most; what came before are phases."""
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert "not asked for" not in done.stderr
    return done.stderr[done.stderr.index("sm-ssh: ") :]


def test_printed_is_a_dockerfile_and_how_to_build_it(user: User) -> None:
    user.fetch("aws-cli/amd64")
    done = user.wrap("mine:1", "--print", "-t", "mine:ssh")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# mine:1 with the sm-ssh layer")
    assert f"--tag mine:ssh --build-context artifacts={user.artifacts}" in done.stdout
    assert "\nARG BASE_IMAGE=mine:1\n" in done.stdout
    assert done.stdout.endswith('CMD ["run"]\nHEALTHCHECK CMD ["/opt/sm-ssh/bin/sm-ssh-entry", "health"]\n')
    assert 'LABEL sm-ssh.agent="official 3.3.1"' in done.stdout
    # It was read out of a container, which is gone.
    assert (user.answers / "removed").read_text() == "c0ffee\n"


def test_names_that_change_with_each_build_leave_no_cache_each(user: User) -> None:
    user.fetch()
    done = user.wrap("mine:1", "--print", "--variant", "thin")
    (cache,) = (line for line in done.stdout.splitlines() if "type=cache" in line)
    assert "id=sm-ssh-${SM_SSH_CACHE}-${SM_SSH_TARGETARCH}," in cache
    assert {word for word in done.stdout.split() if word.startswith("SM_SSH_CACHE=")} == {"SM_SSH_CACHE=debian-12"}


def test_an_id_is_replaced_by_a_name(user: User) -> None:
    user.fetch()
    done = user.wrap("ab12ab12", "--print", "--variant", "thin")
    assert "\nARG BASE_IMAGE=mine:1\n" in done.stdout, done.stderr


def test_an_id_without_a_name(user: User) -> None:
    user.fetch()
    user.engine({**IMAGE, "RepoTags": []})
    done = user.wrap("sha256:ab12ab12", "-t", "new:1", "--variant", "thin")
    assert done.returncode == 2
    assert "docker tag sha256:ab12ab12 NAME:TAG" in said(done)


WRONG = {
    "no tag": (["mine:1"], 2, "-t TAG"),
    "no image's name": (["a b", "-t", "new:1"], 2, "a b is no name of an image"),
    "line in a name": (["a\nRUN evil", "-t", "new:1"], 2, "is no name of an image"),
    "option as tag": (["mine:1", "-t", "--privileged"], 2, "--privileged is no name"),
    "no such image": (["nothing:1", "-t", "new:1"], 10, "pull access denied for nothing:1"),
    "platform": (
        ["mine:1", "-t", "new:1", "--platform", "linux/arm64"],
        2,
        "docker pull --platform linux/arm64 mine:1",
    ),
    "no AWS CLI": (["mine:1", "-t", "new:1"], 10, "--variant thin"),
    "no packages": (
        ["mine:1", "-t", "new:1", "--variant", "thin", "--internet-free"],
        10,
        "no packages/debian-12/amd64",
    ),
}


@pytest.mark.parametrize(("words", "status", "text"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be(user: User, words: list[str], status: int, text: str) -> None:
    user.fetch()
    done = user.wrap(*words)
    assert (done.returncode, text in said(done)) == (status, True), done.stderr


def with_config(**config: Any) -> dict[str, Any]:
    return {**IMAGE, "Config": {**IMAGE["Config"], **config}}


UNSUITABLE: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "windows": ({**IMAGE, "Os": "windows"}, FILES, "for windows"),
    "processor": ({**IMAGE, "Architecture": "riscv64"}, FILES, "riscv64"),
    "no shell": (IMAGE, {name: text for name, text in FILES.items() if name != "/bin/sh"}, "no /bin/sh"),
    "musl": (IMAGE, {"/bin/sh": "", "/lib/ld-musl-x86_64.so.1": ""}, "musl"),
    "ONBUILD": (with_config(OnBuild=["COPY . /app"]), FILES, "ONBUILD"),
}


@pytest.mark.parametrize(("image", "files", "text"), UNSUITABLE.values(), ids=UNSUITABLE.keys())
def test_an_image_that_cannot_have_the_layer(
    user: User, image: dict[str, Any], files: dict[str, str], text: str
) -> None:
    user.fetch("aws-cli/amd64")
    user.engine(image, files)
    done = user.wrap("mine:1", "-t", "new:1")
    assert (done.returncode, text in said(done)) == (2, True), done.stderr
    # inspect says the same of it.
    done = user.image("inspect", "mine:1")
    assert done.returncode == 1
    assert text in done.stdout


@pytest.mark.parametrize("lost", ["SHA256SUMS", "wheels", "programs/amd64", "agent/amd64", ""])
def test_artifacts_that_are_not_there(user: User, lost: str) -> None:
    user.fetch("aws-cli/amd64")
    path = user.artifacts / lost
    path.rename(path.with_name("elsewhere"))
    done = user.wrap("mine:1", "-t", "new:1")
    assert done.returncode == 10, done.stderr
    assert "hint: sm-ssh image fetch --arch amd64 --for debian-12" in said(done)


@pytest.mark.parametrize("about", ["", "[]", "{}", "nonsense"])
def test_an_agent_that_nobody_knows(user: User, about: str) -> None:
    user.fetch("aws-cli/amd64", about=about)
    done = user.wrap("mine:1", "-t", "new:1")
    assert done.returncode == 1
    assert "about.json" in said(done)


@pytest.mark.parametrize("words", [["wrap", "mine:1", "-t", "new:1"], ["inspect", "mine:1"]])
def test_no_client(tmp_path: Path, words: list[str]) -> None:
    done = User(tmp_path).image(*words)
    assert done.returncode == 23
    assert "docker is not installed" in said(done)


def test_a_client_without_buildx_wraps_nothing_and_inspects(user: User) -> None:
    user.engine(IMAGE, buildx=False)
    done = user.wrap("mine:1", "-t", "new:1")
    assert done.returncode == 23
    assert "buildx" in said(done)
    assert "layer        none" in user.image("inspect", "mine:1").stdout


def test_inspect_has_plain_json_on_its_output(user: User) -> None:
    done = user.image("inspect", "mine:1", "--output", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["image"], found["layer"], found["distribution"]) == ("mine:1", None, "debian-12")


def test_inspect_of_no_such_image(user: User) -> None:
    done = user.image("inspect", "nothing:1")
    assert done.returncode == 10
    assert "docker pull nothing:1" in said(done)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\0" * 100])
def test_an_engine_that_gives_no_files(user: User, data: bytes) -> None:
    (user.answers / "bin" / "sh.tar").write_bytes(data)
    done = user.image("inspect", "mine:1")
    assert done.returncode == 1
    assert "docker cp" in said(done)
    # The container that was made for it is gone all the same.
    assert (user.answers / "removed").read_text() == "c0ffee\n"
