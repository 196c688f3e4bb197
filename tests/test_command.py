"""The runner of child processes, on real ones."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sm_ssh_entry import command
from sm_ssh_entry.errors import TimedOut, ToolMissing


def test_run_keeps_output_and_status() -> None:
    done = command.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)


def test_arguments_are_never_split_or_expanded() -> None:
    done = command.run([sys.executable, "-c", "import sys; print(sys.argv[1:])", "a b", "$HOME", "'q'"])
    assert done.stdout == "['a b', '$HOME', \"'q'\"]\n"


def test_standard_input_is_empty_unless_given() -> None:
    assert command.run(["cat"]).stdout == ""
    assert command.run(["cat"], stdin="größe\n").stdout == "größe\n"


def test_output_that_is_no_text_does_not_break() -> None:
    assert "�" in command.run(["printf", r"\377"]).stdout


def test_a_missing_program_says_so_with_a_hint() -> None:
    with pytest.raises(ToolMissing) as caught:
        command.run(["no-such-program"])
    assert caught.value.message == "cannot run no-such-program: No such file or directory"
    assert "no-such-program" in caught.value.hint


def test_a_program_that_may_not_be_executed_says_so(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    with pytest.raises(ToolMissing, match="Permission denied"):
        command.spawn([plain])


def test_timeout_kills_the_child(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(TimedOut, match="sh did not finish"):
        command.run(["sh", "-c", f"echo $$ >{pid_file}; exec sleep 60"], timeout=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_spawn_gives_a_session_of_its_own_when_asked() -> None:
    child = command.spawn(["sh", "-c", "ps -o sid= -p $$"], stdout=command.PIPE, new_session=True)
    out, _ = child.communicate(timeout=120)
    assert int(out) == child.pid


def test_spawn_async_reports_a_missing_program_the_same_way() -> None:
    with pytest.raises(ToolMissing, match="cannot run no-such-program"):
        asyncio.run(command.spawn_async(["no-such-program"]))


def test_shell_status_of_a_signal() -> None:
    assert [command.shell_status(code) for code in (0, 7, -15, -9)] == [0, 7, 143, 137]


def test_join_can_be_split_again() -> None:
    assert command.join(["a b", Path("/x y"), "it's"]) == "'a b' '/x y' 'it'\"'\"'s'"
