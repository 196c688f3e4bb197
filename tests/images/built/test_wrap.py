"""``sm-ssh image wrap`` on images as users have them: what ran before runs after, and ssh leads in."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sm_ssh_entry import __version__
from tests.images.built import builder, engine, family, wrapping
from tests.images.built.conftest import lacking
from tests.images.built.world import World

pytestmark = pytest.mark.images(family.BASE_12)

OFF = {"START_SSH": "false"}
STUB = "/opt/sm-ssh/bin/sm-ssh-entry"
SAMPLES = {"exec form": wrapping.EXEC_FORM, "shell form": wrapping.SHELL_FORM, "command": wrapping.COMMAND}


class Pair(NamedTuple):
    """An image and what wrap has made of it."""

    before: str
    after: str


@pytest.fixture(scope="module")
def made() -> Iterator[list[str]]:
    """Take names of images that go when these tests are over."""
    if not (builder.ARTIFACTS / "SHA256SUMS").is_file():
        lacking(f"no artifacts in {builder.ARTIFACTS} (make test fetches them)")
    names: list[str] = []
    try:
        yield names
    finally:
        for name in reversed(names):
            engine.docker("rmi", "--force", name, check=False)


@pytest.fixture(scope="module")
def pairs(plain: str, derive: Callable[[str, str], str], made: list[str]) -> Callable[[str], Pair]:
    """Return what makes a sample and wraps it, once."""
    found: dict[str, Pair] = {}

    def pair(name: str) -> Pair:
        if name not in found:
            before = derive(plain, SAMPLES[name])
            if name == "exec form":
                before = wrapping.with_lines(before)
                made.append(before)
            found[name] = Pair(before, wrapping.wrapped(before))
            made.append(found[name].after)
        return found[name]

    return pair


@pytest.mark.parametrize("words", [(), ("train", "a b"), ("serve",), ("start", "now")], ids=" ".join)
@pytest.mark.parametrize("sample", SAMPLES)
def test_with_ssh_off_nobody_can_tell(
    world: World, pairs: Callable[[str], Pair], sample: str, words: tuple[str, ...]
) -> None:
    pair = pairs(sample)
    options = ("--hostname", "same")
    before = world.run(*words, env=OFF, options=options, image=pair.before)
    after = world.run(*words, env=OFF, options=options, image=pair.after)
    assert (after.returncode, after.stdout, after.stderr) == (before.returncode, before.stdout, before.stderr)
    assert "first: " in before.stdout, before.stderr
    assert before.stderr == "a word on the other stream\n"


@pytest.mark.parametrize("sample", SAMPLES)
def test_with_ssh_on_the_job_is_held_entered_released_and_runs(
    world: World, pairs: Callable[[str], Pair], sample: str
) -> None:
    pair = pairs(sample)
    user = "trainer" if sample == "exec form" else "root"
    before = world.run("train", env=OFF, image=pair.before)
    # A container that ends takes its sessions with it: the command outlives the answer to who released it.
    env = {"SSH_WAIT_TIME_SECONDS": "300", "SHOW_SECONDS": "5"}
    container = world.start("train", env=env, image=pair.after)
    container.phase("online")
    assert "first: " not in container.log
    done = world.machine.run("connect", world.host, "-l", user, "--", "id -un && sm-wait stop")
    assert done.stdout.splitlines()[0] == user, done.stderr
    assert container.end() == before.returncode
    # Its words, and what the first process is, are what they are without us.
    said = before.stdout.splitlines()[:3]
    assert said[2].startswith("first: ")
    assert set(said) <= set(container.log.splitlines())


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_an_image_says_of_itself_stays(pairs: Callable[[str], Pair], sample: str) -> None:
    before, after = (engine.config(name) for name in pairs(sample))
    kept = ("Cmd", "Env", "ExposedPorts", "Shell", "StopSignal", "User", "Volumes", "WorkingDir")
    assert {name: after.get(name) or None for name in kept} == {name: before.get(name) or None for name in kept}
    assert after["Entrypoint"] == [STUB, "--", *(before.get("Entrypoint") or [])]
    ours = {"sm-ssh.version", "sm-ssh.variant", "sm-ssh.agent"}
    assert {name: value for name, value in after["Labels"].items() if name not in ours} == (before["Labels"] or {})
    assert ours < set(after["Labels"])
    assert after["Healthcheck"] == (before.get("Healthcheck") or {"Test": ["CMD", STUB, "health"]})


def test_variables_of_the_image_do_not_steer_the_build(world: World, pairs: Callable[[str], Pair]) -> None:
    options = ("--entrypoint", "cat")
    done = world.run("/opt/sm-ssh/layer.json", env=OFF, options=options, image=pairs("exec form").after)
    found = json.loads(done.stdout)
    machine = engine.docker("version", "--format", "{{.Server.Arch}}").stdout.strip()
    assert (found["version"], found["variant"], found["arch"]) == (__version__, "thin", machine)


def test_a_wrapped_image_gets_its_layer_anew_and_no_second_entrypoint(
    world: World, pairs: Callable[[str], Pair], derive: Callable[[str, str], str], made: list[str]
) -> None:
    old = pairs("exec form").after
    lines = "USER 0\nRUN touch /opt/sm-ssh/left-over && rm /opt/sm-ssh/bin/sm-wait\nUSER 1000:1000"
    renewed = wrapping.wrapped(derive(old, lines))
    made.append(renewed)
    assert engine.config(renewed) | {"Labels": 0} == engine.config(old) | {"Labels": 0}
    options = ("--entrypoint", "ls")
    files = world.run("/opt/sm-ssh", "/opt/sm-ssh/bin", env=OFF, options=options, image=renewed).stdout.split()
    assert ("sm-wait" in files, "left-over" in files) == (True, False)
    container = world.start("train", env={"SSH_WAIT_TIME_SECONDS": "300"}, image=renewed)
    container.phase("online")


def test_a_printed_dockerfile_is_built_by_the_line_that_it_has(
    world: World, pairs: Callable[[str], Pair], made: list[str], tmp_path: Path
) -> None:
    pair, tag = pairs("command"), wrapping.fresh()
    done = wrapping.wrap(pair.before, "--print", tag=tag)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "Dockerfile"
    file.write_text(done.stdout)
    line = re.search(r"^# Build it: (.*)$", done.stdout, re.MULTILINE)
    assert line
    words = [str(file) if word == "THIS-FILE" else word for word in shlex.split(line[1])]
    built = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert built.returncode == 0, built.stderr
    made.append(tag)
    assert engine.config(tag) == engine.config(pair.after)
    assert world.run("show", env=OFF, image=tag).returncode == 3


def test_a_flipped_byte_stops_the_build_and_is_named(pairs: Callable[[str], Pair], tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(builder.ARTIFACTS, folder, copy_function=os.link)
    wheel = next((folder / "wheels").glob("boto3-*.whl"))
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.unlink()
    wheel.write_bytes(data)
    tag = wrapping.fresh()
    done = wrapping.wrap(pairs("command").before, tag=tag, folder=folder)
    assert done.returncode == 29, done.stderr
    assert f"wheels/{wheel.name}" in done.stderr.splitlines()[-2]
    assert not engine.has_image(tag)


NO_SUCH_MIRROR = """\
RUN rm -rf /etc/apt/sources.list.d && echo 'deb [trusted=yes] file:/nowhere ./' >/etc/apt/sources.list
"""


def test_a_build_that_fails_shows_its_last_lines_and_one_cause(
    plain: str, derive: Callable[[str, str], str], made: list[str]
) -> None:
    del made  # artifacts are there
    tag = wrapping.fresh()
    done = wrapping.wrap(derive(plain, NO_SUCH_MIRROR), tag=tag)
    assert done.returncode == 28, done.stderr
    lines = done.stderr.splitlines()
    (cause,) = (line for line in lines if line.startswith("sm-ssh: "))
    assert "apt-get" in cause
    assert any(line.startswith("  ") and "file:/nowhere" in line for line in lines[: lines.index(cause)]), done.stderr
    assert not engine.has_image(tag)


def test_internet_free(world: World, plain: str, derive: Callable[[str, str], str], made: list[str]) -> None:
    if not (builder.ARTIFACTS / "packages").is_dir():
        lacking("no packages among the artifacts (sm-ssh image fetch --packages)")
    image = wrapping.wrapped(derive(plain, wrapping.COMMAND), "--internet-free")
    made.append(image)
    container = world.start("sleep", "300", image=image)
    container.phase("online")
    assert world.login("true").returncode == 0
