"""What is found in an image: one thing wrong at a time, and nothing found where nothing is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sm_ssh_entry import __version__
from sm_ssh_entry.images import checks, facts
from sm_ssh_entry.images.checks import PROBLEM, WARNING
from sm_ssh_entry.images.config import LINK, STUB, Config
from sm_ssh_entry.images.facts import Account, Facts, File

PROGRAM = File(0, 0o755, 1000)
ROOTS = File(0, 0o40755, 4096)
TRAINER = Account(1000, "trainer")
LAYER: dict[str, Any] = {"version": __version__, "arch": "amd64", "agent": {"source": "official", "version": "3.3"}}
FILES = {
    **dict.fromkeys((facts.SHELL, facts.PYTHON, STUB, facts.SSHD, facts.AGENT), PROGRAM),
    **dict.fromkeys((facts.CERTIFICATES[0], facts.glibc_loader("amd64")), PROGRAM),
    **dict.fromkeys(("/run", "/var", "/var/lib", "/etc", "/etc/amazon", "/etc/amazon/ssm"), ROOTS),
}
GOOD = Facts(
    image="mine:1",
    id="sha256:1",
    os="linux",
    arch="amd64",
    config=Config(entrypoint=(STUB, "--", "run"), cmd=("a",)),
    release="debian-12",
    files=FILES,
    layer=LAYER,
)
PLAIN = replace(GOOD, layer=None, config=Config(cmd=("run",)), files={facts.SHELL: PROGRAM})
STAND_IN = "its agent is the stand-in one, which AWS does not know"
OWNED = File(1000, 0o40755, 4096)
# The official agent works as root only; the stand-in is content with these folders.
NOT_ROOT = replace(
    GOOD,
    layer={**LAYER, "agent": {"source": "stand-in"}},
    config=replace(GOOD.config, user="1000"),
    account=TRAINER,
    files={**FILES, **dict.fromkeys(("/run/sm-ssh", "/var/lib/amazon", "/etc/amazon/ssm"), OWNED)},
)


def findings(known: Facts) -> tuple[checks.Finding, ...]:
    """All findings, but for another user than root not the one about its agent."""
    found = checks.findings(known)
    if known.layer is NOT_ROOT.layer:
        assert [finding.text for finding in found].count(STAND_IN) == 1
    return tuple(finding for finding in found if known.layer is not NOT_ROOT.layer or finding.text != STAND_IN)


def having(**env: str) -> Facts:
    return replace(GOOD, config=replace(GOOD.config, env=env))


def entry(*entrypoint: str, cmd: tuple[str, ...] = ("run",), **commands: bool) -> Facts:
    return replace(GOOD, config=Config(entrypoint=entrypoint, cmd=cmd), commands=commands)


def without(*paths: str, known: Facts = GOOD) -> Facts:
    return replace(known, files={path: file for path, file in known.files.items() if path not in paths})


@pytest.mark.parametrize(
    "known",
    [
        GOOD,
        PLAIN,
        NOT_ROOT,
        replace(GOOD, config=Config(entrypoint=(LINK,), cmd=("train",))),
        replace(NOT_ROOT, config=replace(NOT_ROOT.config, env={"SSH_PORT": "2200"})),
        replace(PLAIN, account=TRAINER, config=Config(user="trainer")),
        replace(PLAIN, account=Account(0, "root", locked=True)),
        having(START_SSH="false", AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID=""),
        replace(without(facts.CERTIFICATES[0]), files={**FILES, facts.CERTIFICATES[1]: PROGRAM}),
    ],
)
def test_nothing_is_found_where_nothing_is(known: Facts) -> None:
    assert findings(known) == ()


MUSL = {facts.SHELL: PROGRAM, facts.musl_loader("amd64"): PROGRAM}
FOUND = {
    "windows": (replace(PLAIN, os="windows", files={}), PROBLEM, "for windows"),
    "processor": (replace(PLAIN, arch="s390x"), PROBLEM, "s390x"),
    "no shell": (replace(PLAIN, files={}), PROBLEM, "no /bin/sh"),
    "musl": (replace(PLAIN, files=MUSL), PROBLEM, "musl"),
    "ONBUILD": (replace(PLAIN, config=Config(onbuild=("RUN make",))), PROBLEM, "ONBUILD"),
    "shell gone": (without(facts.SHELL), PROBLEM, "/bin/sh is gone"),
    "entrypoint gone": (without(STUB), PROBLEM, f"{STUB} is gone"),
    "interpreter gone": (without(facts.PYTHON), PROBLEM, "interpreter"),
    "sshd gone": (without(facts.SSHD), PROBLEM, "sshd is gone"),
    "agent gone": (without(facts.AGENT), PROBLEM, "amazon-ssm-agent is gone"),
    "agent no program": (replace(GOOD, files={**FILES, facts.AGENT: File(0, 0o644, 1)}), PROBLEM, "cannot be executed"),
    "no certificates": (without(facts.CERTIFICATES[0]), PROBLEM, "certificates"),
    "other processor": (replace(GOOD, arch="arm64"), PROBLEM, "the layer is for amd64, the image for arm64"),
    "older layer": (replace(GOOD, layer={**LAYER, "version": "0.0.1"}), WARNING, "sm-ssh 0.0.1"),
    "stand-in": (replace(GOOD, layer={**LAYER, "agent": {"source": "stand-in"}}), WARNING, "stand-in"),
    "entrypoint replaced": (entry("python", "app.py"), PROBLEM, "train, serve, processing"),
    "no entrypoint": (entry(), PROBLEM, "there is no ENTRYPOINT"),
    "train alone": (entry(train=True), WARNING, "ssh does not start with serve, processing"),
    "behind another": (entry("tini", "--", STUB), WARNING, "tini is the first process"),
    "word of ours": (entry(STUB, cmd=("start", "now")), WARNING, "the command start is taken"),
    "nameless user": (replace(GOOD, config=replace(GOOD.config, user="7"), account=Account(7)), PROBLEM, "its user 7"),
    "nameless user, no layer": (replace(PLAIN, account=Account(7), config=Config(user="7")), PROBLEM, "its user 7"),
    "locked root": (replace(GOOD, account=Account(0, "root", locked=True)), PROBLEM, "locked"),
    "port of root": (
        replace(NOT_ROOT, config=replace(NOT_ROOT.config, env={"SSH_PORT": "22"})),
        PROBLEM,
        "may not listen on port 22",
    ),
    "official agent": (replace(NOT_ROOT, layer=LAYER), PROBLEM, "the official SSM agent works as root only"),
    "state": (without("/run/sm-ssh", known=NOT_ROOT), PROBLEM, "cannot write /run/sm-ssh"),
    "agent's state": (without("/var/lib/amazon", known=NOT_ROOT), PROBLEM, "cannot write /var/lib/amazon/ssm"),
    "agent's configuration": (
        replace(NOT_ROOT, files={**NOT_ROOT.files, "/etc/amazon/ssm": ROOTS}),
        PROBLEM,
        "cannot write /etc/amazon/ssm",
    ),
    "access key": (having(AWS_ACCESS_KEY_ID="AKIAEXAMPLE"), WARNING, "AWS_ACCESS_KEY_ID"),
    "secret key": (having(AWS_SECRET_ACCESS_KEY="hidden"), WARNING, "AWS_SECRET_ACCESS_KEY"),
    "always on": (having(START_SSH="true"), WARNING, "START_SSH=true"),
    "keys for all": (having(SSH_AUTHORIZED_KEYS="ssh-ed25519 AAAA"), WARNING, "SSH_AUTHORIZED_KEYS"),
    "port of the server": (having(SSH_PORT="8080"), WARNING, "8080"),
    "other root": (having(SM_SSH_ROOT="/somewhere"), PROBLEM, "SM_SSH_ROOT"),
}


@pytest.mark.parametrize(("known", "level", "text"), FOUND.values(), ids=FOUND.keys())
def test_one_thing_wrong_is_one_finding_with_what_to_do(known: Facts, level: str, text: str) -> None:
    (found,) = findings(known)
    assert found.level == level
    assert text in found.text
    assert found.fix
    assert "\n" not in found.text + found.fix


def test_no_value_of_a_secret_is_told() -> None:
    known = having(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="hidden", AWS_SESSION_TOKEN="hidden")
    told = str(checks.findings(known))
    assert len(checks.findings(known)) == 3
    assert "AKIAEXAMPLE" not in told
    assert "hidden" not in told


def test_problems_come_first() -> None:
    known = replace(without(facts.AGENT), config=replace(GOOD.config, env={"START_SSH": "true"}))
    assert [finding.level for finding in checks.findings(known)] == [PROBLEM, WARNING]


@pytest.mark.parametrize(
    ("known", "ways"),
    [
        (GOOD, {"train": True, "serve": True, "processing": True}),
        (entry(STUB), {"train": True, "serve": True, "processing": True}),
        (entry("/bin/sh", "-c", f"exec {STUB} run"), {"train": True, "serve": True, "processing": True}),
        (entry("python"), {"train": False, "serve": False, "processing": False}),
        (entry("python", train=True, serve=True), {"train": False, "serve": False, "processing": False}),
        (entry(train=True, serve=False), {"train": True, "serve": False, "processing": False}),
        (entry(cmd=(STUB, "run")), {"train": False, "serve": False, "processing": True}),
    ],
)
def test_what_sagemakers_ways_to_start_a_container_reach(known: Facts, ways: dict[str, bool]) -> None:
    assert checks.reached(known) == ways
