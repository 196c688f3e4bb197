"""What is made of a build's output: phases while it goes on, one line when it fails."""

from __future__ import annotations

import pytest

from sm_ssh_entry.errors import ArtifactRefused, BuildFailed, NoSpace, SmSshError
from sm_ssh_entry.images.building import Log

BUILD = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#7 [packages 2/2] RUN --mount=type=cache,id=a     ["/bin/sh", "/run/sm-ssh-build/layers/step", "packages"]
#7 0.512 sm-ssh: installing openssh-server
#7 1.100 Reading package lists...
#7 DONE 4.1s

#8 [with-cli-full 1/1] RUN --network=none     ["/bin/sh", "/run/sm-ssh-build/layers/step", "aws-cli"]
#8 CACHED

#9 exporting to image
#9 exporting layers 1.2s done
#9 DONE 1.3s
"""


def fed(text: str) -> tuple[Log, list[str]]:
    told: list[str] = []
    log = Log(told.append)
    for line in text.splitlines():
        log.feed(line)
    return log, told


def failed(*said: str, end: str = 'ERROR: process "/bin/sh step" did not complete successfully: exit code: 1') -> Log:
    lines = [f"#7 0.{number} {line}" for number, line in enumerate(said, 100)]
    log, _ = fed(
        "\n".join([BUILD, *lines, f"#7 {end}", "------", "Dockerfile:12", f"ERROR: failed to solve: {end[7:]}"])
    )
    return log


def error(log: Log) -> SmSshError:
    return log.failure()


def test_phases_are_what_our_steps_do_and_say() -> None:
    _, told = fed(BUILD)
    assert told == [
        "looking for what the image has and lacks",
        "installing openssh-server",
        "adding the AWS CLI",
        "writing the image",
    ]


@pytest.mark.parametrize(
    ("said", "kind", "message", "hint"),
    [
        (
            "sm-ssh: ERROR this image is built on musl (hint: take Debian)",
            BuildFailed,
            "this image is built on musl",
            "take Debian",
        ),
        ("sm-ssh: ERROR no Python works", BuildFailed, "no Python works", ""),
        (
            "sm-ssh: ERROR agent/x.deb: wrong checksum (hint: fetch)",
            ArtifactRefused,
            "agent/x.deb: wrong checksum",
            "fetch",
        ),
        ("cp: error writing 'a': No space left on device", NoSpace, "docker buildx build: no space left", ""),
    ],
)
def test_the_cause_is_one_line(said: str, kind: type[SmSshError], message: str, hint: str) -> None:
    found = error(failed("before", said, "after"))
    assert type(found) is kind
    assert found.message.startswith(message)
    assert "\n" not in found.message
    assert hint in found.hint


def test_a_failure_of_somebody_else_is_the_builders_last_line() -> None:
    found = error(failed("some noise"))
    assert type(found) is BuildFailed
    assert "did not complete successfully: exit code: 1" in found.message


def test_another_processors_programs_have_a_hint() -> None:
    found = error(failed("exec /bin/sh: exec format error"))
    assert "QEMU" in found.hint


def test_the_last_lines_are_those_of_the_step_that_failed() -> None:
    said = [f"line {number}" for number in range(30)]
    assert failed(*said).last() == said[-20:]
    assert failed("before", "sm-ssh: ERROR the cause", "after").last()[-2:] == ["before", "after"]


def test_a_build_that_never_began_has_all_its_lines() -> None:
    log, _ = fed("unknown flag: --build-context\n\nUsage: docker buildx")
    assert log.last() == ["unknown flag: --build-context", "Usage: docker buildx"]
