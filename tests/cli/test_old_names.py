"""Every command line that the documents of SageMaker SSH Helper print is understood, and means what it meant."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from sm_ssh_entry import errors
from sm_ssh_entry.cli import old_names, root
from sm_ssh_entry.connect import names
from tests.connect.world import Laptop, keygen

ROOT = Path(__file__).resolve().parents[2]
NODE = "mi-1234567890abcdef0"
JOB = "pytorch-training-2024-02-04-08-57-59-293"
APP = "datascience-1-0-ml-g4dn-xlarge-1234567890abcdef0"
DEBUGGER = "-R localhost:12345:localhost:12345"
DESKTOP = "-L localhost:10022:localhost:22 -L localhost:5901:localhost:5901 -L localhost:8889:localhost:8889"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_KEY", raising=False)
    return tmp_path


# Old line -> the words of sm-ssh.
LINES = {
    "sm-local-configure": "doctor",
    f"sm-local-ssh-training connect {JOB}": (
        f"connect {JOB}.training.sagemaker {DEBUGGER} -L localhost:11022:localhost:22"
    ),
    f"sm-local-ssh-training connect-job {JOB} -L localhost:8787:localhost:8787": (
        f"connect {JOB}.training.sagemaker {DEBUGGER} -L localhost:11022:localhost:22 -L localhost:8787:localhost:8787"
    ),
    "sm-local-ssh-processing connect job": (
        f"connect job.processing.sagemaker {DEBUGGER} -L localhost:14022:localhost:22"
    ),
    "sm-local-ssh-processing connect-job job": (
        f"connect job.processing.sagemaker {DEBUGGER} -L localhost:14022:localhost:22"
    ),
    "sm-local-ssh-transform connect job": (
        f"connect job.transform.sagemaker {DEBUGGER} -L localhost:16022:localhost:22"
    ),
    "sm-local-ssh-inference connect endpoint": (
        f"connect endpoint.inference.sagemaker {DEBUGGER} -L localhost:12022:localhost:22"
    ),
    "sm-local-ssh-inference connect-endpoint endpoint": (
        f"connect endpoint.inference.sagemaker {DEBUGGER} -L localhost:12022:localhost:22"
    ),
    "sm-local-ssh-notebook connect-notebook mine": "connect mine.notebook.sagemaker -L localhost:17022:localhost:22",
    f"sm-local-ssh-ide {APP}": f"connect {APP}.studio.sagemaker {DESKTOP}",
    f"sm-local-ssh-ide connect-app {APP}": f"connect {APP}.studio.sagemaker {DESKTOP}",
    f"sm-local-ssh-ide connect {APP} --ssh-only": f"connect {APP}.studio.sagemaker -L localhost:10022:localhost:22",
    "sm-local-ssh-ide --domain-id d-egm0dexample --user-profile-name jane-doe connect-app ssh-ds2 --ssh-only": (
        "connect ssh-ds2.jane-doe.d-egm0dexample.studio.sagemaker -L localhost:10022:localhost:22"
    ),
    f"sm-local-ssh-training proxy-host {JOB}.training.sagemaker": f"start-proxy {JOB}.training.sagemaker",
    "sm-local-ssh-processing proxy-job job.processing.sagemaker": "start-proxy job.processing.sagemaker",
    "sm-local-ssh-ide proxy-host default.studio.sagemaker": "start-proxy default.studio.sagemaker",
    f"sm-local-ssh-training stop-waiting {JOB}": f"stop-waiting {JOB}.training.sagemaker",
    f"sm-local-start-ssh {NODE} -R localhost:12345:localhost:12345 -L localhost:8787:localhost:8787 "
    "-L localhost:11022:localhost:22": (
        f"connect {NODE} -R localhost:12345:localhost:12345 -L localhost:8787:localhost:8787 "
        "-L localhost:11022:localhost:22"
    ),
    f"sm-local-start-ssh 'INFO: got {NODE}'": f"connect {NODE}",
    f"sm-local-start-ssh --proxy-setup-only {NODE}": f"start-proxy {NODE}",
    f"sm-connect-ssh-proxy {NODE} s3://DOC-EXAMPLE-BUCKET/keys/ -L localhost:10022:localhost:22": (
        f"connect {NODE} -L localhost:10022:localhost:22"
    ),
    f"sm-connect-ssh-proxy --silent-setup-only {NODE} s3://DOC-EXAMPLE-BUCKET/keys/": f"run {NODE} -- true",
    "sm-ssh-deregister-instances": "deregister --older-than 0d",
    "sm-ssh-deregister-instances --preapproving-deregistration --delete-older-than-n-days 7": (
        "deregister --older-than 7d --yes"
    ),
}


@pytest.mark.parametrize("line", LINES)
def test_an_old_line_means_what_it_meant(line: str) -> None:
    program, *words = shlex.split(line)
    new = old_names.translate(program, words)
    assert shlex.join(new) == LINES[line]
    assert _accepted(new)


# What version 2.3 had under the name of sm-ssh itself.
@pytest.mark.parametrize(
    "line",
    [
        "list",
        "list sagemaker",
        "list studio.sagemaker",
        "list training.sagemaker",
        "list notebook.sagemaker",
        "connect ssh-training-example-2023-07-25-03-18-04-490.training.sagemaker",
        "connect ssh-training-example-2023-07-25-03-18-04-490.training.sagemaker -A -L 8501:localhost:8501",
        "connect ssh-ds2.jane-doe.d-egm0dexample.studio.sagemaker",
        "connect default.studio.sagemaker",
        "connect job.processing.sagemaker",
        "connect mine.notebook.sagemaker",
        "connect endpoint.inference.sagemaker",
        "start-proxy ssh-training-manual-2023-10-02-14-38-56-744.training.sagemaker",
    ],
)
def test_lines_of_sm_ssh_itself_go_on(line: str) -> None:
    assert _accepted(shlex.split(line))


@pytest.mark.parametrize("word", ["-h", "-v"])
def test_help_and_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run([word]) == 0
    assert "sm-ssh" in capsys.readouterr().out


def _accepted(words: list[str]) -> bool:
    """Whether click and the parser of names take a line. Nothing is done."""
    found = root.cli.get_command(click.Context(root.cli), words[0])
    assert found is not None
    given: dict[str, Any] = found.make_context(words[0], words[1:]).params
    host = given.get("name") or given.get("host")
    return host is None or bool(names.parse(host))


@pytest.mark.parametrize(
    "line",
    [
        "sm-local-ssh-training",
        "sm-local-ssh-training connect",
        "sm-local-ssh-training explode job",
        "sm-local-ssh-training stop-waiting",
        "sm-local-ssh-training run-command true",
        "sm-local-ssh-ide set-domain-id",
        "sm-local-ssh-ide set-the-table on",
        "sm-local-start-ssh",
        "sm-local-start-ssh i-1234567890abcdef0",
        "sm-ssh-deregister-instances --delete-older-than-n-days",
        "sm-ssh-deregister-instances --all",
    ],
)
def test_what_makes_no_sense_is_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(line)
    assert old_names.run(program, words) == errors.BadInput.exit_code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[1].startswith("  hint: ")


def test_studios_domain_and_profile_are_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert old_names.run("sm-local-ssh-ide", ["set-domain-id", "d-egm0dexample"]) == 0
    assert old_names.run("sm-local-ssh-ide", ["set-user-profile-name", "jane-doe"]) == 0
    assert (home / ".sm-studio-domain-id").read_text() == "d-egm0dexample\n"
    new = old_names.translate("sm-local-ssh-ide", ["connect", "app", "--ssh-only"])
    assert new[1] == "app.jane-doe.d-egm0dexample.studio.sagemaker"
    assert old_names.run("sm-local-ssh-ide", ["set-jb-license-server", "licences.example.com"]) == 0
    assert "127.0.0.1:443:licences.example.com:443" in old_names.translate("sm-local-ssh-ide", ["connect", "app"])
    assert "is written" in capsys.readouterr().err


def test_the_new_way_is_said_and_the_last_name_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    laptop = Laptop(home)
    old = [sys.executable, "-m", "sm_ssh_entry.cli.old_names", "sm-local-ssh-training"]
    done = laptop.call([*old, "connect", "job", "-o", "BatchMode=yes"])
    said = done.stderr.splitlines()[0]
    key = home / ".ssh" / "sagemaker-ssh-gw"
    assert said.startswith("sm-ssh: sm-local-ssh-training connect job -o BatchMode=yes is now: sm-ssh connect ")
    assert f"--identity {key} job.training.sagemaker" in said
    assert done.stderr.count("is now") == 1
    assert key.stat().st_mode & 0o777 == 0o600
    assert old_names.translate("sm-local-ssh-training", ["stop-waiting"]) == ["stop-waiting", "job.training.sagemaker"]
    assert old_names.translate("sm-local-ssh-training", ["run-command", "nvidia-smi", "-L"]) == (
        ["run", "job.training.sagemaker", "--", "nvidia-smi", "-L"]
    )


@pytest.mark.parametrize("called", ["/usr/bin/sm-local-ssh-ide", "C:/Scripts/sm-local-ssh-ide.exe"])
def test_the_program_goes_by_its_name(called: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [called, "set-domain-id", "d-egm0dexample"])
    assert old_names.main() == 0
    assert (home / ".sm-studio-domain-id").read_text() == "d-egm0dexample\n"


def test_an_old_ecdsa_key_is_not_offered(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".ssh").mkdir()
    keygen(home / ".ssh" / "sagemaker-ssh-gw", kind="ecdsa")
    assert old_names._key_words() == []
    assert "not an Ed25519 key" in capsys.readouterr().err


def test_each_old_name_is_installed() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    old = {line.split(" = ")[0] for line in lines if line.endswith('"sm_ssh_entry.cli.old_names:main"')}
    fixed = {old_names.CONFIGURE, old_names.START, old_names.PROXY, old_names.DEREGISTER}
    assert old == set(old_names.KINDS) | fixed
    assert {shlex.split(line)[0] for line in LINES} == old
