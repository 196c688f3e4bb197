"""An installation in a running container: where artifacts come from, what cannot be done, and what failed steps say."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed
from sm_ssh_entry.in_script import installation
from sm_ssh_entry.in_script.installation import Brought, Steps

AGENT = [{"component": "agent", "file": "agent/amd64/amazon-ssm-agent.deb"}]


def folder(path: Path, *names: str) -> Path:
    """Make a folder with files; return it."""
    path.mkdir(parents=True)
    for name in names:
        (path / name).write_text("[]")
    return path


def test_artifacts_are_taken_from_where_they_are_named_then_from_the_code_then_from_inputs(tmp_path: Path) -> None:
    paths, kit = Paths(str(tmp_path)), tmp_path / "kit"
    assert installation.find({}, kit, paths) == Brought()
    processing = folder(paths.ml / "processing" / "input" / "sm-ssh-artifacts", "SHA256SUMS")
    assert installation.find({}, kit, paths) == Brought(processing)
    channel = folder(paths.ml / "input" / "data" / "sm-ssh-artifacts", "SHA256SUMS", "artifacts.lock")
    assert installation.find({}, kit, paths) == Brought(channel, channel / "artifacts.lock")
    beside = folder(kit / "artifacts", "SHA256SUMS")
    assert installation.find({}, kit, paths) == Brought(beside)
    named = folder(tmp_path / "named", "SHA256SUMS")
    assert installation.find({"SM_SSH_ARTIFACTS": str(named)}, kit, paths) == Brought(named)


def test_folder_with_a_lock_alone_says_what_to_fetch(tmp_path: Path) -> None:
    named = folder(tmp_path / "named", "artifacts.lock")
    found = installation.find({"SM_SSH_ARTIFACTS": str(named)}, tmp_path, Paths(str(tmp_path)))
    assert found == Brought(None, named / "artifacts.lock")


def test_named_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match="SM_SSH_ARTIFACTS=/nowhere is no folder of artifacts"):
        installation.find({"SM_SSH_ARTIFACTS": "/nowhere"}, tmp_path, Paths(str(tmp_path)))


def test_without_a_lock_for_the_agent_nothing_is_begun(tmp_path: Path) -> None:
    images = folder(tmp_path / "image_files" / "images", "artifacts.lock")
    with pytest.raises(SetupFailed, match="no lock names the agent for amd64") as caught:
        installation._locked(tmp_path, Brought(), "amd64")
    assert "sm-ssh image lock" in caught.value.hint
    own = tmp_path / "own.lock"
    own.write_text(json.dumps(AGENT))
    installation._locked(tmp_path, Brought(None, own), "amd64")
    with pytest.raises(SetupFailed, match="arm64"):
        installation._locked(tmp_path, Brought(None, own), "arm64")
    (images / "artifacts.lock").write_text(json.dumps(AGENT))
    installation._locked(tmp_path, Brought(), "amd64")


def test_no_internet_is_told_at_once_with_what_to_do() -> None:
    with pytest.raises(SetupFailed, match=r"127\.0\.0\.1 cannot be reached") as caught:
        installation._reachable({"HTTPS_PROXY": "http://127.0.0.1:9"})
    assert "dependency_dir(artifacts=FOLDER)" in caught.value.hint
    # A mirror is somebody's own: whether it answers turns out when it is asked.
    installation._reachable({"HTTPS_PROXY": "http://127.0.0.1:9", "SM_SSH_MIRRORS": "https://a/=https://b/"})


def test_what_cannot_be_installed_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupFailed, match="only root can install it: this is user 1000"):
        installation._check(Paths())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(SetupFailed, match="no SSM agent for riscv64"):
        installation._check(Paths())
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert installation._check(Paths()) == "arm64"


STEP = """\
echo "sm-ssh: installing something" >&2
echo "variables: $SM_SSH_TARGETARCH $SM_SSH_VARIANT $SM_SSH_PACKAGES $SM_SSH_ALLOW_STAND_IN" >&2
case $1 in
musl) echo "sm-ssh: ERROR this image is built on musl; the agent needs glibc (hint: a Debian base)" >&2 && exit 1 ;;
apt) echo "sm-ssh: ERROR apt-get update: no route" >&2 && exit 1 ;;
other) echo "Segmentation fault" && exit 139 ;;
esac
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder(tmp_path / "layers").joinpath("step").write_text(STEP)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("musl", "installing SSH: this image is built on musl; the agent needs glibc", "a Debian base"),
        ("apt", "installing SSH: apt-get update: no route", installation._BRING),
        (
            "other",
            "installing SSH failed at other: variables: amd64 thin network false / Segmentation fault",
            installation._BRING,
        ),
    ],
)
def test_failed_step_says_its_own_reason(
    shop: Path, name: str, message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = Steps(os.environ, shop, "amd64", Brought(), shop)
    with pytest.raises(SetupFailed) as caught:
        steps.run(name)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert capsys.readouterr().err == "[sm-ssh] installing something\n"


def test_system_is_called_as_the_layers_call_it() -> None:
    name = installation._system()
    text = Path("/etc/os-release").read_text()
    words = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert name.startswith(words["ID"].strip('"'))
    assert name.endswith(words.get("VERSION_ID", "").strip('"'))
