"""The text of a wrapped image's Dockerfile; that an engine builds it is tests/images/built/test_wrap.py's to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.images import dockerfile, files
from sm_ssh_entry.images.config import STUB, Config

LAYER = """\
# check=error=true
# About another use.
ARG BASE_IMAGE=somewhere:1
ARG VARIANT=full

FROM ${BASE_IMAGE} AS untouched

FROM untouched AS installed
ARG BASE_IMAGE VARIANT TARGETARCH
ARG VERSION=1 OTHER
RUN ["/bin/sh", "install"]

FROM untouched AS layered
COPY --from=installed /delta/ /

FROM layered AS base
CMD ["bash"]
"""
ARGUMENTS = {"VARIANT": "thin", "VERSION": "2"}


def text(config: Config) -> str:
    return dockerfile.wrapped(LAYER, "mine:1", config, ARGUMENTS, {"sm-ssh.version": 'a "$b" \\c'})


def test_the_layer_goes_on_the_image_and_the_rest_of_its_dockerfile_is_left_out() -> None:
    lines = text(Config(entrypoint=("run",))).splitlines()
    assert lines[0] == "ARG BASE_IMAGE=mine:1"
    assert "ARG VARIANT=thin" in lines
    assert "ARG BASE_IMAGE=mine:1 VARIANT=thin TARGETARCH" in lines
    assert "ARG VERSION=2 OTHER" in lines
    assert [line for line in lines if line.startswith(("FROM", "USER"))] == [
        "FROM ${BASE_IMAGE} AS untouched",
        "FROM untouched AS installed",
        "FROM untouched AS layered",
        "FROM layered AS wrapped",
    ]


def test_the_last_stage() -> None:
    config = Config(entrypoint=("run", 'a "b"'), cmd=("x\ny", "$HOME", "ü"))
    assert text(config).partition("AS wrapped\n")[2].splitlines() == [
        'LABEL sm-ssh.version="a \\"\\$b\\" \\\\c"',
        f'ENTRYPOINT ["{STUB}", "--", "run", "a \\"b\\""]',
        'CMD ["x\\ny", "$HOME", "\\u00fc"]',
        f'HEALTHCHECK CMD ["{STUB}", "health"]',
    ]


def test_no_command_is_made_up() -> None:
    assert "\nCMD" not in text(Config()).partition("AS wrapped\n")[2]


@pytest.mark.parametrize("health", [("NONE",), ("CMD", "ask"), ("CMD-SHELL", "ask")])
def test_a_health_check_of_the_images_own_stays(health: tuple[str, ...]) -> None:
    assert "HEALTHCHECK" not in text(Config(health=health))


@pytest.mark.parametrize("user", ["1000", "trainer:staff"])
def test_what_services_write_belongs_to_a_user_who_is_not_root(user: str) -> None:
    lines = text(Config(user=user)).partition("AS wrapped\n")[2].splitlines()
    assert (lines[0], lines[2]) == ("USER 0", f"USER {user}")
    assert lines[1].startswith("RUN [")
    assert lines[1].endswith(f', "{user.partition(":")[0]}"]')


@pytest.mark.parametrize("user", ["", "0", "root", "0:0", "root:root"])
def test_root_needs_nothing(user: str) -> None:
    assert "RUN" not in text(Config(user=user)).partition("AS wrapped\n")[2]


def test_an_earlier_layer_goes_first_and_the_user_comes_back() -> None:
    lines = text(Config(entrypoint=(STUB, "--", "run"), user="1000:100")).splitlines()
    start = lines.index("FROM mine:1 AS renewed")
    assert lines[start + 1] == "USER 0"
    assert lines[start + 2].startswith('RUN ["rm", "-rf", "/opt/sm-ssh"')
    assert lines[start + 3] == "USER 1000:100"
    assert lines.index("FROM renewed AS untouched") > start
    assert lines.count(f'ENTRYPOINT ["{STUB}", "--", "run"]') == 1


@pytest.mark.parametrize("lost", ["AS layered", "ARG BASE_IMAGE=somewhere:1\n", "ARG VARIANT=full\n"])
def test_a_layer_of_another_shape_is_our_fault_and_loud(lost: str) -> None:
    layer = LAYER.replace("ARG BASE_IMAGE VARIANT TARGETARCH\n", "").replace(lost, "")
    with pytest.raises(RuntimeError):
        dockerfile.wrapped(layer, "mine:1", Config(), ARGUMENTS, {})


def test_our_own_dockerfile_has_that_shape() -> None:
    layer = (files.source() / files.DOCKERFILE).read_text()
    arguments = dict.fromkeys(("VARIANT", "VERSION", "AGENT_SOURCE", "AGENT_VERSION", "SM_SSH_CACHE"), "given")
    made = dockerfile.wrapped(layer, "mine:1", Config(entrypoint=(STUB,)), arguments, {})
    assert made.count("FROM mine:1 AS ") == 1
    assert " AS base\n" not in made


def test_the_line_that_says_how_it_is_built_is_one_comment_and_quoted() -> None:
    said = dockerfile.instructions("mine:1", "new:1", Path("/some where/artifacts"), Path("/the context"))
    assert all(line.startswith("# ") for line in said.splitlines())
    assert "--tag new:1 --build-context 'artifacts=/some where/artifacts' --file THIS-FILE '/the context'" in said
