"""What a login sees: the job's environment byte for byte, however it comes in, and our services without it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.machine import Machine
from tests.images.built.world import World, opened

PATH = "/opt/conda/bin:/usr/local/bin:/usr/bin:/bin"
# The C library's own package has it and no program uses it: it is in a process only if it was preloaded.
LIBRARY = "libBrokenLocale.so.1"
ENV = {
    "PATH": PATH,
    "LINES_OF_IT": "one\ntwo\n\nfour ",
    "QUOTES": 'it\'s "quoted" `twice` \\n',
    "DOLLARS": "$HOME ${PATH} $(id) $$",
    "UNICODE": "größe — 日本語 🚀",
    "EMPTY": "",
    "NVIDIA_VISIBLE_DEVICES": "void",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    "CUDA_VISIBLE_DEVICES": "0,1",
    "LD_LIBRARY_PATH": "/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
    "LD_PRELOAD": LIBRARY,
}
PRINT = "env -0"
# What of the job's variables a process has, and whether the library was preloaded into it: for each process.
LOOK = """
import json, os
found = {}
for pid in filter(str.isdecimal, os.listdir("/proc")):
    try:
        words = open(f"/proc/{pid}/cmdline").read().replace("\\0", " ").strip()
        names = [pair.split("=", 1)[0] for pair in open(f"/proc/{pid}/environ").read().split("\\0")]
        maps = open(f"/proc/{pid}/maps").read()
    except FileNotFoundError:
        continue
    found[words] = {"names": names, "preloaded": "libBrokenLocale" in maps}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def job(image: str, machine: Machine) -> Iterator[World]:
    with opened(image, machine) as world:
        world.start("sleep", "600", env=ENV).phase("online")
        yield world


def variables(output: str) -> dict[str, str]:
    """Return what ``env -0`` has printed."""
    return dict(pair.split("=", 1) for pair in output.split("\0") if "=" in pair)


def expected(world: World) -> dict[str, str]:
    """Return what every login sees: all that the container was given, our programs last on PATH."""
    return world.env | ENV | {"PATH": f"{PATH}:/opt/sm-ssh/bin"}


def differing(seen: dict[str, str], world: World) -> dict[str, str | None]:
    """Return the variables of the job that a login sees differently."""
    return {name: seen.get(name) for name, value in expected(world).items() if seen.get(name) != value}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((PRINT,), id="command"),
        pytest.param((f"bash -lc '{PRINT}'",), id="bash -lc, as an IDE asks"),
        pytest.param((f"sh -lc '{PRINT}'",), id="sh -lc"),
        pytest.param(("bash", "-s"), id="script on standard input"),
        pytest.param((), id="login shell"),
    ],
)
def test_login_sees_the_jobs_environment(job: World, command: tuple[str, ...]) -> None:
    done = job.ssh("-T", job.host, *command, stdin=f"{PRINT}; exit\n")
    assert done.returncode == 0, done.stderr
    # A login shell has the greeting of the day in front.
    assert differing(variables("\0" + done.stdout), job) == {}


def test_job_itself_has_what_it_was_given(job: World) -> None:
    seen = variables(job.login("cat", "/proc/1/environ").stdout)
    given = job.env | ENV
    assert {name: seen.get(name) for name in given} == given
    assert sorted(set(seen) - set(given)) == ["HOME", "HOSTNAME"]


def test_shell_on_a_terminal_sees_the_jobs_environment(job: World) -> None:
    # What stands in a terminal's output is a terminal's; a file has the bytes.
    done = job.ssh("-tt", job.host, stdin=f"{PRINT} >/tmp/seen; exit\n")
    assert done.returncode == 0, done.stderr
    assert differing(variables(job.login("cat", "/tmp/seen").stdout), job) == {}


def test_profile_and_bashrc_of_the_image_cannot_hide_the_jobs_path(job: World) -> None:
    reset = "export PATH=/from/profile"
    assert job.login("sh", "-c", f"echo '{reset}' >/etc/profile.d/00-mine.sh").returncode == 0
    try:
        for command in ((), ("bash -lc 'printf %s \"$PATH\"'",)):
            done = job.ssh("-T", job.host, *command, stdin='printf %s "$PATH"; exit\n')
            assert done.stdout.endswith(f"{PATH}:/opt/sm-ssh/bin"), (done.stdout, done.stderr)
    finally:
        job.login("rm", "/etc/profile.d/00-mine.sh")


def test_libraries_of_the_job_are_in_job_and_login_and_not_in_our_services(job: World) -> None:
    done = job.login("/opt/sm-ssh/bin/python", "-I", "-c", LOOK)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sleep 600"]["preloaded"]
    assert "LD_LIBRARY_PATH" in found["sleep 600"]["names"]
    login = [one for words, one in found.items() if words.startswith("/opt/sm-ssh/bin/python -I -c")]
    assert [one["preloaded"] for one in login] == [True]
    ours = {
        words: one for words, one in found.items() if "supervise" in words or "[listener]" in words or "agent" in words
    }
    assert len(ours) == 3, list(found)
    given = {"LD_LIBRARY_PATH", "LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "QUOTES"}
    assert [words for words, one in ours.items() if one["preloaded"]] == []
    kept = {words: given & set(one["names"]) for words, one in ours.items() if "supervise" not in words}
    assert list(kept.values()) == [set(), set()], kept
