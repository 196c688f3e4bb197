"""What a wrapped image runs: a table, and each row of it through the real stub, against what the image ran before."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.boot import layout
from sm_ssh_entry.images.config import LINK, OWN_WORDS, STUB, Command, Config, compose, parse

SH = ("/bin/sh", "-c")
BASH = ("/bin/bash", "-o", "pipefail", "-c")
# ENTRYPOINT and CMD of an image, as the engine keeps them -> those of the wrapped image.
TABLE = {
    "exec form": (("run", "a b", "$HOME"), ("c",), (STUB, "--", "run", "a b", "$HOME"), ("c",)),
    "exec form alone": (("run",), (), (STUB, "--", "run"), ()),
    "shell form": ((*SH, "run $HOME"), (), (STUB, "--", *SH, "run $HOME"), ()),
    "shell form with exec": ((*SH, "exec run one"), ("unused",), (STUB, "--", *SH, "exec run one"), ("unused",)),
    "another SHELL": ((*BASH, "run | cat"), (), (STUB, "--", *BASH, "run | cat"), ()),
    "command": ((), ("run", "x\ny", 'q"'), (STUB, "--"), ("run", "x\ny", 'q"')),
    "command in shell form": ((), (*SH, "run 'x'"), (STUB, "--"), (*SH, "run 'x'")),
    "nothing": ((), (), (STUB, "--"), ()),
    "a word of ours as command": ((), ("start",), (STUB, "--"), ("start",)),
    "a word of ours as entrypoint": (("status", "a"), ("b",), (STUB, "--", "status", "a"), ("b",)),
    "two dashes": (("--", "a"), (), (STUB, "--", "--", "a"), ()),
    "wrapped": ((STUB, "--", "run"), ("a",), (STUB, "--", "run"), ("a",)),
    "made of our base": ((STUB,), ("run",), (STUB,), ("run",)),
    "by the link": ((LINK, "run"), (), (LINK, "run"), ()),
    "behind another": (("tini", "--", STUB), ("run",), ("tini", "--", STUB), ("run",)),
    "within a shell form": ((*SH, f"exec {STUB} run"), (), (*SH, f"exec {STUB} run"), ()),
    "stub in the command": ((), (STUB, "run", "a"), (STUB, "--"), ("run", "a")),
}


@pytest.mark.parametrize(("entrypoint", "cmd", "new_entrypoint", "new_cmd"), TABLE.values(), ids=TABLE.keys())
def test_composition(
    entrypoint: tuple[str, ...], cmd: tuple[str, ...], new_entrypoint: tuple[str, ...], new_cmd: tuple[str, ...]
) -> None:
    composed = compose(Config(entrypoint=entrypoint, cmd=cmd))
    assert composed == Command(new_entrypoint, new_cmd)
    # What is wrapped once more stays what it is.
    assert compose(Config(entrypoint=composed.entrypoint, cmd=composed.cmd)) == composed


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with the programs of the table; each says its name and its words, NUL-ended."""
    for name in ("run", "train", "serve", "--", *OWN_WORDS):
        file = tmp_path / name
        file.write_text('#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$@"\n')
        file.chmod(0o755)
    return tmp_path


def said(words: tuple[str, ...], programs: Path) -> tuple[int, str]:
    """Run a container's words as the engine does, our stub out of the checkout."""
    stub = str(layout.source() / "sm-ssh-entry")
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": "/home/of a job"}
    argv = [stub if word == STUB else word for word in words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout


# A container is started with the image's own command, or with words that take CMD's place.
AT_RUN_TIME = ((), ("train",), ("serve",), ("start",), ("status", "now"), ("health", "--help"))
RUN = {name: row[:2] for name, row in TABLE.items() if STUB not in str(row[:2]) and LINK not in str(row[:2])}


@pytest.mark.parametrize("given", AT_RUN_TIME, ids=lambda words: " ".join(words) or "own command")
@pytest.mark.parametrize(("entrypoint", "cmd"), RUN.values(), ids=RUN.keys())
def test_the_stub_runs_what_ran_before(
    entrypoint: tuple[str, ...], cmd: tuple[str, ...], given: tuple[str, ...], programs: Path
) -> None:
    composed = compose(Config(entrypoint=entrypoint, cmd=cmd))
    before = (*entrypoint, *(given or cmd))
    after = (*composed.entrypoint, *(given or composed.cmd))
    if not before:
        assert said(after, programs) == (2, "")  # nothing to run: the engine would not even start it
        return
    assert said(after, programs) == said(before, programs)
    assert said(before, programs)[1], "the row proves nothing"


def test_our_words_are_those_of_the_stub() -> None:
    stub = (layout.source() / "sm-ssh-entry").read_text()
    line = re.search(r"^([a-z| ]+)\) _sm_ssh_python -m sm_ssh_entry\.cli\.entry", stub, re.MULTILINE)
    assert line
    assert tuple(line[1].split(" | ")) == OWN_WORDS


def test_the_engines_words() -> None:
    found = {
        "Entrypoint": ["run"],
        "Cmd": ["a", "b c"],
        "User": "1000:100",
        "Env": ["PATH=/bin", "A=x=y", "EMPTY=", "LINES=one\ntwo"],
        "Labels": {"a.b": "c"},
        "Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://localhost/"], "Interval": 5000000000},
        "OnBuild": ["COPY . /app"],
    }
    config = parse(found)
    assert config.entrypoint == ("run",)
    assert config.cmd == ("a", "b c")
    assert (config.user, config.owner) == ("1000:100", "1000")
    assert config.env == {"PATH": "/bin", "A": "x=y", "EMPTY": "", "LINES": "one\ntwo"}
    assert config.labels == {"a.b": "c"}
    assert config.health == ("CMD-SHELL", "curl -f http://localhost/")
    assert config.onbuild == ("COPY . /app",)


@pytest.mark.parametrize(
    "found",
    [{}, dict.fromkeys(("Entrypoint", "Cmd", "User", "Env", "Labels", "Healthcheck", "OnBuild")), {"Entrypoint": [""]}],
)
def test_absent_null_and_one_empty_word_are_nothing(found: dict[str, object]) -> None:
    assert parse(found) == Config()
    assert parse(found).owner == "0"
