"""How ``sm-ssh doctor`` tells what was found: on a terminal, in a pipe, as JSON, and by its exit status."""

from __future__ import annotations

import json
import re
import sys

import pytest

from sm_ssh_entry.cli import root
from sm_ssh_entry.connect.doctor import checks, examination
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked

LONG = "aws iam put-role-policy --policy-document '" + "x" * 300 + "'"
TITLES = {check.name: check.title for check in checks.CHECKS}


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """What the examination finds: all is well."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    answers = {check.name: ok("as it should be") for check in checks.CHECKS}
    monkeypatch.setattr(
        examination, "examine", lambda _case, chosen, _told: {one.name: answers[one.name] for one in chosen}
    )
    return answers


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["doctor", "job.training.sagemaker"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"OK\t{check.title}: as it should be" for check in checks.CHECKS]


def test_what_is_not_ok_comes_with_its_fix(found: dict[str, Finding], capsys: pytest.CaptureFixture[str]) -> None:
    found["role.pass"] = bad("Execution may not iam:PassRole", LONG)
    assert root.run(["doctor", "job.training.sagemaker"]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = lines.index(f"not OK\t{TITLES['role.pass']}: Execution may not iam:PassRole")
    assert lines[place + 1] == f"\tfix: {LONG}"


def test_what_was_not_checked_for_one_reason_is_one_line(
    found: dict[str, Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("node.agent", "node.owner", "node.tags"):
        found[name] = unchecked("because of: its managed node")
    assert root.run(["doctor", "job.training.sagemaker"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("not checked"))
    assert line == "not checked\tits agent, its owner, its tags: because of: its managed node"


def test_json(found: dict[str, Finding], capsys: pytest.CaptureFixture[str]) -> None:
    found["account.tier"] = bad("standard", "turn it on")
    assert root.run(["doctor", "--output", "json"]) == 1
    out, err = capsys.readouterr()
    told = {one["check"]: one for one in json.loads(out)}
    assert told["account.tier"] == {
        "check": "account.tier",
        "title": TITLES["account.tier"],
        "status": "not OK",
        "detail": "standard",
        "fix": "turn it on",
    }
    assert "node.online" not in told
    assert err == ""


def test_a_terminal_gets_colours_and_a_fix_that_can_be_copied(
    found: dict[str, Finding], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found["role.pass"] = bad("Execution may not iam:PassRole", LONG)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert root.run(["doctor", "job.training.sagemaker"]) == 1
    out = capsys.readouterr().out
    assert "\x1b[1;31mnot OK" in out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert f"fix: {LONG}\n" in plain
    columns = {line.index("as it should be") for line in plain.splitlines() if "as it should be" in line}
    assert len(columns) == 1


@pytest.mark.parametrize(
    ("words", "area"),
    [
        (["--role", "Execution"], "role"),
        (["--ssm-role", "Node"], "ssm-role"),
        (["--subnet", "subnet-1", "--security-group", "sg-1"], "vpc"),
    ],
)
def test_what_is_given_decides_what_is_checked(words: list[str], area: str, capsys: pytest.CaptureFixture[str]) -> None:
    root.run(["doctor", "--output", "json"])
    assert f'"{area}.' not in capsys.readouterr().out
    root.run(["doctor", "--output", "json", *words])
    assert f'"{area}.' in capsys.readouterr().out


def test_a_name_that_is_none() -> None:
    assert root.run(["doctor", "job"]) == 2
