"""The command line of ``ssh``: what the user's words mean, and what OpenSSH itself reads out of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.connect import keys, names, ssh_command, ssh_config
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.ssh_command import Words
from sm_ssh_entry.errors import BadInput
from tests.connect.world import Laptop


@pytest.mark.parametrize(
    ("words", "options", "command"),
    [
        ("", "", ""),
        ("ls -l /", "", "ls -l /"),
        ("-v ls -l", "-v", "ls -l"),
        ("-vvv -T ls", "-vvv -T", "ls"),
        ("-L 8080:localhost:80 -N", "-L 8080:localhost:80 -N", ""),
        ("-L8080:localhost:80 -- -x", "-L8080:localhost:80", "-x"),
        ("-NfL 1:h:2 true", "-NfL 1:h:2", "true"),
        ("-o BatchMode=yes -oUser=x -- ls -- -l", "-o BatchMode=yes -oUser=x", "ls -- -l"),
        ("-- ls", "", "ls"),
        ("- ls", "", "- ls"),
    ],
)
def test_words_are_split_as_ssh_does(words: str, options: str, command: str) -> None:
    split = ssh_command.split(words.split())
    assert split == Words(tuple(options.split()), tuple(command.split()))


@pytest.mark.parametrize("words", ["-Z ls", "-L", "-vL", "--help"])
def test_what_ssh_would_not_take(words: str) -> None:
    with pytest.raises(BadInput):
        ssh_command.split(words.split())


@pytest.mark.parametrize(
    ("words", "letters"),
    [("", ""), ("-vvv -T", "vT"), ("-vL8080:x:80", "vL"), ("-vL 8080:x:80 -N", "vLN"), ("-lLARA -o X=Y", "lo")],
)
def test_letters_of_options_without_their_words(words: str, letters: str) -> None:
    assert ssh_command.split(words.split()).letters == set(letters)


def test_value_of() -> None:
    words = ssh_command.split(["-i", "one", "-lme", "-v"])
    assert [words.value_of(letter) for letter in "ilv"] == ["one", "me", ""]


def read_back(home: Path, argv: list[str]) -> dict[str, list[str]]:
    """What OpenSSH makes of a command line: ``ssh -G``."""
    shown = subprocess.run([argv[0], "-G", *argv[1:]], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for line in shown.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def test_openssh_reads_our_settings(home: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a home with 100% spaces"
    odd.mkdir()
    laptop = Laptop(odd)
    laptop.env["HOME"] = str(odd)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(odd))
        path = laptop.make_key()
        target = names.parse("My-Job.training.sagemaker@eu-west-1")
        proxy = ssh_command.proxy_words(target, Reach(profile="p"), outcome=odd / "out")
        argv = ssh_command.ssh_argv(target, proxy, keys.candidates(), Words(("-v",), ("true",)))
        found = read_back(home, argv)
    assert found["user"] == ["root"]
    assert found["hostkeyalias"] == ["my-job.training.sagemaker"]
    assert found["stricthostkeychecking"] == ["true"]
    assert found["identitiesonly"] == ["yes"]
    assert found["identityfile"] == [str(path).replace("%", "%%")]
    assert found["serveraliveinterval"] == ["15"]
    assert "sntrup" not in found["kexalgorithms"][0].split(",")[0]
    assert len(found["kexalgorithms"][0].split(",")) > 3
    assert "--region eu-west-1 --profile p My-Job.training.sagemaker" in found["proxycommand"][0]


@pytest.mark.parametrize(
    ("name", "options", "user"),
    [
        ("j.training.sagemaker", (), "root"),
        ("me@j.training.sagemaker", (), "me"),
        ("j.training.sagemaker", ("-l", "you"), "you"),
        ("j.training.sagemaker", ("-lyou",), "you"),
    ],
)
def test_whom_to_log_in_as(home: Path, name: str, options: tuple[str, ...], user: str) -> None:
    argv = ssh_command.ssh_argv(names.parse(name), ["proxy"], keys.candidates(), Words(options))
    assert read_back(home, argv)["user"] == [user]


def test_a_users_option_wins_over_ours(home: Path) -> None:
    words = ssh_command.split(["-o", "ServerAliveInterval=3"])
    argv = ssh_command.ssh_argv(names.parse("j.training.sagemaker"), ["proxy"], keys.candidates(), words)
    assert read_back(home, argv)["serveraliveinterval"] == ["3"]


def test_the_printed_configuration_is_openssh_s(home: Path) -> None:
    (home / "config").write_text(ssh_config.lines(reach=Reach(region="eu-west-1", profile="p")))
    found = read_back(home, ["ssh", "-F", str(home / "config"), "My-Job.training.sagemaker"])
    assert found["user"] == ["root"]
    assert found["stricthostkeychecking"] == ["true"]
    assert found["userknownhostsfile"] == [str(home / ".ssh/sm-ssh/known_hosts")]
    assert found["identityfile"] == [str(home / ".ssh/sm-ssh/id_ed25519")]
    assert found["proxycommand"][0].endswith("sm_ssh_entry.cli.proxy --region eu-west-1 --profile p '%n'")
    assert "proxycommand" not in read_back(home, ["ssh", "-F", str(home / "config"), "example.org"])


def test_no_name_reaches_the_users_shell_as_more_than_a_word(home: Path, tmp_path: Path) -> None:
    """An ssh before 9.6 hands on any name, and one may come from the address of somebody's git submodule."""
    text = ssh_config.lines()
    line = next(line for line in text.splitlines() if "ProxyCommand" in line).split(None, 1)[1]
    assert line.count("%n") == 1
    for name in ("$(touch made)", "`touch made`", ";touch made;", '"; touch made; "', "a b > made"):
        called = line.replace("%n", f"{name}.training.sagemaker")
        done = subprocess.run(["sh", "-c", called], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert list(tmp_path.glob("made*")) == []
    # What would end the quotes is no name of ours.
    assert '"!*\'*"' in text.splitlines()[0]


def test_a_block_for_one_name(home: Path) -> None:
    text = ssh_config.lines("me@J.training.sagemaker@eu-west-1")
    assert text.startswith("Host J.training.sagemaker\n    User me\n")
    assert "--region eu-west-1 me@J.training.sagemaker\n" in text


def test_a_named_key_is_written_into_the_block(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Laptop(home).make_key("work")
    monkeypatch.setenv("SSH_KEY", "~/.ssh/work")
    text = ssh_config.lines()
    assert f'    IdentityFile "{path}"\n    IdentitiesOnly yes\n' in text
    assert f"--identity {path} '%n'\n" in text
