"""``sm-ssh cp``: its options, and what it shows while it copies."""

from __future__ import annotations

import json

import pytest

from sm_ssh_entry.cli import cp_progress
from sm_ssh_entry.cli.main import main
from sm_ssh_entry.connect.copy import copying
from sm_ssh_entry.connect.copy.arguments import Order
from sm_ssh_entry.connect.copy.copying import Options, Watcher
from sm_ssh_entry.connect.copy.tally import Tally
from sm_ssh_entry.errors import AccessDenied, NotFound

NODE = "job.training.sagemaker"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", f"{NODE}:y", "--bucket", "b"], "--bucket needs --via s3"),
        ([f"{NODE}:y", "-", "--output", "json"], "both the file and the summary"),
        ([f"{NODE}:y", f"{NODE}:x", "-"], "only one file"),
        (["-", "x", f"{NODE}:y"], "standard input cannot be one of several"),
        (["x", f"{NODE}:y", "--parallel", "33"], "33 is not in the range"),
        (["x"], "a source and a destination"),
    ],
)
def test_what_cannot_be_right(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cp", *words]) == 2
    assert said in capsys.readouterr().err


def copied(monkeypatch: pytest.MonkeyPatch, tally: Tally) -> list[tuple[Order, object, Options]]:
    """Let a copy end so at once; return what it was given."""
    given: list[tuple[Order, object, Options]] = []

    def run(order: Order, reach: object, options: Options, watcher: Watcher) -> Tally:
        given.append((order, reach, options))
        return tally

    monkeypatch.setattr(copying, "run", run)
    return given


def test_options_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    given = copied(monkeypatch, Tally(files=1, done=1))
    words = ["--via", "s3", "--bucket", "b", "--prefix", "p", "--parallel", "3", "--no-verify", "--follow", "-r"]
    assert main(["cp", *words, "--region", "eu-west-1", "--index", "2", "-i", "key", "x", f"{NODE}:y"]) == 0
    ((order, reach, options),) = given
    assert order.sources == ("x",)
    assert options == Options(3, verify=False, follow=True, by_bucket=True, bucket="b", prefix="p")
    assert str(reach) == "Reach(region='eu-west-1', profile=None, via='', index=2, identity='key')"


def test_the_summary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    copied(monkeypatch, Tally(files=2, done=2, bytes=5_000_000, moved=3, resumed=2_000_000, skipped=["a: a link"]))
    assert main(["cp", "x", f"{NODE}:y"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "skipped a: a link" in shown.err
    assert "2 files, 5.0 MB" in shown.err
    assert "2.0 MB of them were there already" in shown.err
    assert main(["cp", "x", f"{NODE}:y", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["resumed_bytes"] == 2_000_000


def test_one_failure_is_the_commands_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    copied(monkeypatch, Tally(files=1, failures=[NotFound("x: no such file", hint="look")]))
    assert main(["cp", "x", f"{NODE}:y"]) == 10
    assert capsys.readouterr().err == "sm-ssh: x: no such file\n  hint: look\n"


def test_many_failures_are_lines_and_the_first_ones_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = [AccessDenied(f"{number}: denied") for number in range(30)]
    copied(monkeypatch, Tally(files=40, done=10, failures=[*failures, NotFound("x")]))
    assert main(["cp", "x", f"{NODE}:y"]) == 16
    said = capsys.readouterr().err
    assert said.count(": denied") == 20
    assert "31 files could not be copied" in said


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*_: object) -> Tally:
        raise KeyboardInterrupt

    monkeypatch.setattr(copying, "run", run)
    assert main(["cp", "x", f"{NODE}:y"]) == 130
    assert "the same command goes on where it was" in capsys.readouterr().err


def test_lines_come_after_two_seconds_and_then_every_five(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("sm_ssh_entry.cli.cp_progress.time.monotonic", lambda: now[0])
    lines = cp_progress.Lines()
    tally = Tally(bytes=10_000_000)
    for moment in range(16):
        now[0], tally.moved = 100.0 + moment, moment * 500_000
        lines.show(tally)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "sm-ssh: 1.0 MB of 10.0 MB, 500.0 kB/s, 18 s left",
        "sm-ssh: 3.5 MB of 10.0 MB, 500.0 kB/s, 13 s left",
        "sm-ssh: 6.0 MB of 10.0 MB, 500.0 kB/s, 8 s left",
    ]


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    bar = cp_progress.Bar()
    bar.show(Tally(files=3, done=1, bytes=10_000_000, moved=5_000_000, sessions=2))
    bar.say("[a] line\\x1b")
    bar.end()
    said = capsys.readouterr().err
    assert "5.0/10.0 MB" in said
    assert "1 of 3 files, 2 sessions" in said
    assert "sm-ssh: [a] line\\x1b" in said
