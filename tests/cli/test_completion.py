"""Completion: the scripts, what they are answered, and a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.cli.completion import VARIABLE
from sm_ssh_entry.cli.main import COMMANDS
from sm_ssh_entry.connect.fleet import name_cache
from tests.cli.terminal import on_a_terminal
from tests.connect.world import Fleet, Laptop

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.fixture
def bare(home: Path) -> Laptop:
    """A laptop without any network: completing must not need one."""
    return Laptop(home, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})


def asked(laptop: Laptop, *words: str) -> list[str]:
    """Ask as bash does, for the last of some words; return what it is offered."""
    env = {VARIABLE: "bash_complete", "COMP_WORDS": " ".join(["sm-ssh", *words]), "COMP_CWORD": str(len(words))}
    before, laptop.env = laptop.env, {**laptop.env, **env}
    done = laptop.run()
    laptop.env = before
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_and_their_options(bare: Laptop) -> None:
    assert asked(bare, "") == list(COMMANDS)
    assert asked(bare, "st") == ["stop-waiting", "start-proxy"]
    assert "--timeout" in asked(bare, "wait", "--t")
    assert asked(bare, "wait", "--for", "") == ["registered", "online", "ssh"]
    assert asked(bare, "completion", "") == list(SHELLS)
    assert asked(bare, "nonsense", "x") == []


def test_names_that_the_last_list_showed(bare: Laptop) -> None:
    name_cache.remember(["algo-1.j.training.sagemaker", "n.notebook.sagemaker"])
    for words in (["connect"], ["logs", "-f"], ["wait", "--timeout", "5"], ["stop-waiting"], ["run"]):
        assert asked(bare, *words, "") == ["algo-1.j.training.sagemaker", "n.notebook.sagemaker"]
    assert asked(bare, "connect", "n") == ["n.notebook.sagemaker"]
    assert "algo-1.j.training.sagemaker:" in asked(bare, "cp", "al")
    assert asked(bare, "list", "tr") == ["training.sagemaker", "transform.sagemaker"]
    assert len(asked(bare, "list", "training.sagemaker", "")) == len(contract.KINDS)


def test_list_fills_the_cache(fleet: Fleet, laptop: Laptop) -> None:
    fleet.add("here")
    fleet.add("gone", online=False)
    assert laptop.run("list", "training.sagemaker").returncode == 0
    assert asked(laptop, "connect", "") == ["algo-1.here.training.sagemaker"]


def test_completing_imports_no_command_that_is_not_typed(bare: Laptop) -> None:
    script = "import sys; from sm_ssh_entry.cli import main; main.main([]); print(*sys.modules, file=sys.stderr)"
    env = {**os.environ, VARIABLE: "bash_complete", "COMP_WORDS": "sm-ssh wait x", "COMP_CWORD": "2"}
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env, timeout=180)
    loaded = set(done.stderr.split())
    assert "sm_ssh_entry.cli.nodes" in loaded
    assert not {"botocore", "rich", "sm_ssh_entry.cli.connect", "sm_ssh_entry.cli.logs"} & loaded


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts(bare: Laptop, shell: str) -> None:
    done = bare.run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{shell}_complete" in done.stdout
    assert VARIABLE in done.stdout


def test_on_a_terminal_it_says_what_to_do_with_it(bare: Laptop, capfd: pytest.CaptureFixture[str]) -> None:
    assert "complete" in on_a_terminal("completion", "bash")
    assert "~/.bashrc" in capfd.readouterr().err


def test_powershell_is_answered(bare: Laptop) -> None:
    name_cache.remember(["n.notebook.sagemaker"])
    for line, word in (("sm-ssh connect n", "n"), ("sm-ssh connect ", "")):
        bare.env.update({VARIABLE: "powershell_complete", "COMP_LINE": line, "COMP_WORD": word})
        assert bare.run().stdout == "n.notebook.sagemaker\n"
    bare.env.update({"COMP_LINE": "sm-ssh compl", "COMP_WORD": "compl"})
    assert bare.run().stdout == "completion\tPrint the completion script for a shell.\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_real_bash(bare: Laptop, tmp_path: Path) -> None:
    name_cache.remember(["n.notebook.sagemaker"])
    program = tmp_path / "sm-ssh"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sm_ssh_entry.cli.main "$@"\n')
    program.chmod(0o755)
    bare.env["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script = (
        'eval "$(sm-ssh completion bash)"; COMP_WORDS=(sm-ssh connect n); COMP_CWORD=2;'
        '_sm_ssh_completion sm-ssh n connect; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = bare.call(["bash", "-c", script])
    assert (done.stdout, done.stderr) == ("n.notebook.sagemaker\n", "")
