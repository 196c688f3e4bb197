"""``sm-ssh local`` as its user meets it: real processes in a folder of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.cli.local import COMMANDS
from tests.waiting import wait_until

# A caller of AWS with nothing but its environment.
WHO = "import boto3; c = boto3.client('sts'); print(c.get_caller_identity()['Account']); c.close()"
DESCRIBE = "import boto3; boto3.client('ssm').describe_activations()"


class Shell:
    """Runs ``sm-ssh local`` in a clean environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "local"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SM_SSH_LOCAL_DIR": str(self.folder),
            "AWS_CONFIG_FILE": str(folder / "none"),
        }

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, env=self.environment | more, capture_output=True, text=True, check=False, timeout=270, cwd="/"
        )

    def local(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "sm_ssh_entry.cli.main", "local", *words, **more)

    def sh(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A script with ``sm-ssh`` and ``python`` as words."""
        aliases = (
            f'sm_ssh() {{ "{sys.executable}" -m sm_ssh_entry.cli.main "$@"; }}; py() {{ "{sys.executable}" "$@"; }}'
        )
        return self.run("sh", "-ec", f"{aliases}\n{script}", **more)

    def status(self) -> dict[str, Any]:
        found = json.loads(self.local("status", "--output", "json").stdout)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.local("down")


@pytest.fixture
def running(shell: Shell) -> Shell:
    done = shell.local("up")
    assert done.returncode == 0, done.stderr
    return shell


def test_up_status_env_down(shell: Shell) -> None:
    up = shell.local("up")
    assert (up.returncode, up.stderr) == (0, "")
    assert "http://127.0.0.1:" in up.stdout
    again = shell.local("up")
    assert (again.returncode, "runs already" in again.stdout) == (0, True)
    status = shell.local("status")
    assert status.returncode == 0
    assert (
        dict(line.split("\t") for line in status.stdout.splitlines())["managed nodes"] == "0 Online, 0 ConnectionLost"
    )
    who = shell.sh(f'eval "$(sm_ssh local env)"; py -c "{WHO}"')
    assert (who.stdout.strip(), who.returncode) == ("123456789012", 0), who.stderr
    assert shell.local("down").stdout.startswith("Stopped")
    assert shell.local("down").stdout.startswith("No local control plane runs")
    assert list(shell.folder.glob("plane.json")) == []


@pytest.mark.parametrize("words", [["status"], ["env"], ["reset"], ["fault", "X"]])
def test_without_a_plane_each_says_so(shell: Shell, words: list[str]) -> None:
    done = shell.local(*words)
    assert (done.returncode, done.stdout) == (24, "")
    assert done.stderr == "sm-ssh: the local control plane does not run\n  hint: start it with: sm-ssh local up\n"


def test_env_is_all_a_client_needs_over_tls_too(running: Shell) -> None:
    done = running.sh(f'eval "$(sm_ssh local env --tls)"; echo "$AWS_ENDPOINT_URL"; py -c "{WHO}"')
    assert done.stdout.splitlines()[1:] == ["123456789012"], done.stderr
    assert done.stdout.startswith("https://127.0.0.1:")


def test_env_clears_what_would_win_over_it(running: Shell) -> None:
    stale = {
        "AWS_SESSION_TOKEN": "stale",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "example.org",
    }
    done = running.sh(f'eval "$(sm_ssh local env)"; echo "$NO_PROXY"; py -c "{WHO}"', **stale)
    assert done.stdout.splitlines() == ["example.org,127.0.0.1,localhost", "123456789012"], done.stderr


def test_env_quotes_for_each_shell(running: Shell, tmp_path: Path) -> None:
    odd = tmp_path / "it's a $folder"
    shutil.copytree(running.folder, odd)
    told = json.loads((odd / "plane.json").read_text(encoding="utf-8"))
    told["bundle_file"] = str(odd / "ca-bundle.pem")
    (odd / "plane.json").write_text(json.dumps(told), encoding="utf-8")
    script = 'eval "$(sm_ssh local env --tls)"; printf %s "$AWS_CA_BUNDLE"'
    assert running.sh(script, SM_SSH_LOCAL_DIR=str(odd)).stdout == told["bundle_file"]
    fish = running.local("env", "--tls", "--shell", "fish", SM_SSH_LOCAL_DIR=str(odd)).stdout
    escaped = told["bundle_file"].replace("'", "\\'")
    assert f"set -gx AWS_CA_BUNDLE '{escaped}';\n" in fish
    doubled = told["bundle_file"].replace("'", "''")
    powershell = running.local("env", "--tls", "--shell", "powershell", SM_SSH_LOCAL_DIR=str(odd)).stdout
    assert f"$Env:AWS_CA_BUNDLE = '{doubled}'\n" in powershell


def test_env_issues_expired_and_restricted_keys(running: Shell) -> None:
    expired = running.sh(f'eval "$(sm_ssh local env --expires-in -1)"; py -c "{DESCRIBE}"')
    assert "(ExpiredTokenException)" in expired.stderr.splitlines()[-1]
    denied = running.sh(f'eval "$(sm_ssh local env --deny ssm:Describe\\*)"; py -c "{DESCRIBE}"')
    assert "(AccessDeniedException)" in denied.stderr.splitlines()[-1]
    assert running.sh(f'eval "$(sm_ssh local env)"; py -c "{DESCRIBE}"').returncode == 0


def test_faults_and_reset(running: Shell) -> None:
    added = running.local("fault", "DescribeActivations", "--code", "ValidationException", "--times", "1")
    assert added.stdout == "DescribeActivations\tValidationException\t1 times\tafter 0 s\n"
    first, second = (running.sh(f'eval "$(sm_ssh local env)"; py -c "{DESCRIBE}"') for _ in range(2))
    assert "(ValidationException)" in first.stderr
    assert second.returncode == 0, second.stderr
    running.local("fault", "*", "--delay", "2")
    assert running.local("fault").stdout == "*\tno error\talways\tafter 2 s\n"
    assert running.local("fault", "--clear").stdout == ""
    running.local("fault", "*", "--code", "X")
    assert running.local("reset").returncode == 0
    assert running.status()["faults"] == []


def test_the_foreground_ends_with_ctrl_c(shell: Shell) -> None:
    argv = [sys.executable, "-m", "sm_ssh_entry.cli.main", "local", "up", "--foreground", "--region", "eu-west-1"]
    with subprocess.Popen(
        argv, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            wait_until((shell.folder / "plane.json").exists, 30, what="the plane to be up")
            assert shell.status()["region"] == "eu-west-1"
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=120)
        finally:
            child.kill()
    assert (child.returncode, err) == (0, "")
    assert out.startswith("sm-ssh: the local control plane listens at http://127.0.0.1:")
    assert not (shell.folder / "plane.json").exists()


def test_the_port_can_be_chosen_and_a_wrong_one_is_a_usage_error(shell: Shell) -> None:
    assert shell.local("up", "--port", "65536").returncode == 2
    refused = shell.local("up", "--port", "1" if os.geteuid() else "0", "--tls-port", "70000")
    assert refused.returncode == 2


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_each_command_has_help(shell: Shell, name: str) -> None:
    done = shell.local(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: sm-ssh local {name}")


def test_help_lists_all_and_env_imports_no_server(running: Shell) -> None:
    listed = running.local("--help").stdout
    assert all(name in listed for name in COMMANDS)
    script = (
        "import sys; from sm_ssh_entry.cli.main import main; main(['local', 'env']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    loaded = set(running.run(sys.executable, "-c", script).stderr.split())
    assert "sm_ssh_entry.plane.daemon" in loaded
    assert not {"aiohttp", "botocore", "moto", "cryptography", "asyncio", "rich"} & loaded


def test_seed_enters_nodes(shell: Shell) -> None:
    assert shell.local("up").returncode == 0
    done = shell.local("seed", "--nodes", "7", "--days", "2", "--owner", "me", "--kind", "processing")
    assert (done.returncode, done.stdout) == (0, "The local control plane has 7 managed nodes.\n"), done.stderr
    assert shell.status()["nodes"] == {"Online": 0, "ConnectionLost": 7}
    done = shell.local("seed", "--nodes", "1000000")
    assert done.returncode != 0
    assert "at once" in done.stderr
    assert "Traceback" not in done.stderr
