"""What ``sm-ssh config`` keeps and writes, as OpenSSH itself reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.connect import ssh_settings
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.ssh_settings import Settings
from sm_ssh_entry.errors import BadInput

KINDS = ("training", "processing", "transform", "inference", "studio", "notebook", "hyperpod")


def read_back(home: Path, settings: Settings, host: str) -> dict[str, str]:
    """What OpenSSH makes of the file for a host; of several values the first."""
    path = home / "written"
    path.write_text(settings.text())
    shown = subprocess.run(["ssh", "-G", "-F", str(path), host], capture_output=True, text=True, check=True).stdout
    return dict(reversed([line.partition(" ")[::2] for line in shown.splitlines()]))


@pytest.mark.parametrize("name", [*(f"Some.{kind}.sagemaker" for kind in KINDS), "mi-0123456789abcdef0"])
def test_every_kind_of_name_comes_through_us(home: Path, name: str) -> None:
    found = read_back(home, Settings(), name)
    assert found["proxycommand"].endswith("sm_ssh_entry.cli.proxy '%n'")
    assert (found["user"], found["stricthostkeychecking"]) == ("root", "true")
    assert found["userknownhostsfile"] == str(home / ".ssh/sm-ssh/known_hosts")


@pytest.mark.parametrize("name", ["example.org", "mi-laptop", "mi-0123456789abcdef", "sagemaker", "x.sagemaker.org"])
def test_nobody_elses_host_does(home: Path, name: str) -> None:
    found = read_back(home, Settings(), name)
    assert "proxycommand" not in found
    assert found["controlmaster"] == "false"


def test_an_alias_says_all_that_its_name_needs(home: Path) -> None:
    reach = Reach(region="eu-west-1", profile="p q", via="native", index=2)
    settings = Settings().with_alias("my-gpu", "me@My-Job.training.sagemaker", reach)
    found = read_back(home, settings, "my-gpu")
    words = "--region eu-west-1 --profile 'p q' --via native --index 2 me@My-Job.training.sagemaker"
    assert found["proxycommand"].endswith(f"sm_ssh_entry.cli.proxy {words}")
    assert (found["user"], found["hostkeyalias"]) == ("me", "my-job.training.sagemaker")
    assert found["controlmaster"] == "auto"


def test_a_region_behind_the_name_is_the_aliass(home: Path) -> None:
    settings = Settings().with_alias("gpu", "j.training.sagemaker@eu-west-1", Reach())
    assert "--region eu-west-1 j.training.sagemaker" in read_back(home, settings, "gpu")["proxycommand"]
    given = Settings().with_alias("gpu", "j.training.sagemaker@eu-west-1", Reach(region="eu-west-2"))
    assert "--region eu-west-2" in read_back(home, given, "gpu")["proxycommand"]


def test_an_alias_that_is_one_of_our_names_does_not_share_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "j.training.sagemaker"
    settings = Settings().with_alias(name, name, Reach(region="eu-west-1"))
    own = read_back(home, settings, name)
    every = read_back(home, settings, "k.training.sagemaker")
    assert own["controlpath"].rpartition("-")[0] != every["controlpath"].rpartition("-")[0]
    text = settings.text()
    monkeypatch.setattr(Settings, "text", lambda _: text)
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert read_back(home, settings, name)["controlmaster"] == "false"


def test_not_to_share_is_written(home: Path) -> None:
    settings = Settings(share=False).with_alias("gpu", "j.training.sagemaker", Reach())
    assert read_back(home, settings, "gpu")["controlmaster"] == "false"
    assert read_back(home, settings, "j.training.sagemaker")["controlmaster"] == "false"
    assert " exec " not in settings.text()


@pytest.mark.parametrize("name", ["", "*", "a b", "-x", "a\nb", "!a", "a?", "k.training.sagemaker", "a@b", "größe"])
def test_what_cannot_be_an_alias(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be an alias"):
        Settings().with_alias(name, "j.training.sagemaker", Reach())


def test_what_is_saved_is_loaded(home: Path) -> None:
    del home
    assert ssh_settings.load() == Settings()
    settings = Settings(Reach(region="r-1", profile="p"), share=False).with_alias("a", "j.training.sagemaker", Reach())
    first = ssh_settings.save(settings)
    assert len(first) == 2
    assert ssh_settings.is_set_up()
    loaded = ssh_settings.load()
    assert (loaded.reach, loaded.share, loaded.aliases) == (settings.reach, settings.share, settings.aliases)
    assert ssh_settings.save(loaded) == []
    assert len(ssh_settings.remove()) == 3
    assert not ssh_settings.is_set_up()
    assert ssh_settings.load() == Settings()
    assert ssh_settings.remove() == []


@pytest.mark.parametrize("text", ["", "broken", "[]", "{}", '{"aliases": {"a": 1}}', '{"aliases": []}'])
def test_a_broken_note_is_none(home: Path, text: str) -> None:
    note = home / ".ssh/sm-ssh/config.json"
    note.parent.mkdir(parents=True, mode=0o700)
    note.write_text(text)
    assert ssh_settings.load() == Settings()


def test_an_alias_that_is_not_there(home: Path) -> None:
    del home
    with pytest.raises(BadInput, match="no alias"):
        Settings().without_alias("a")


@pytest.mark.parametrize("name", ["j.training.sagemaker@eu-west-1", "mi-0123456789abcdef0@us-gov-east-1"])
def test_a_region_behind_a_name_is_said_to_be_no_host(home: Path, name: str) -> None:
    path = home / "written"
    path.write_text(Settings().text())
    done = subprocess.run(["ssh", "-F", str(path), name, "true"], capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert done.stderr.startswith("sm-ssh: ssh takes no name@region")
    other = read_back(home, Settings(), "me@eu-west-1")
    assert "proxycommand" not in other
