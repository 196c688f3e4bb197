"""Host keys: what ``ssh`` itself makes of the file."""

from __future__ import annotations

import stat
import subprocess
import threading
from pathlib import Path

import pytest

from sm_ssh_entry.connect import hostkeys
from sm_ssh_entry.errors import BadInput
from tests.connect.world import keygen


def looked_up(host: str) -> list[str]:
    """What OpenSSH finds for a host in our file."""
    argv = ["ssh-keygen", "-F", host, "-f", str(hostkeys.known_hosts())]
    found = subprocess.run(argv, capture_output=True, text=True, check=False)
    return [" ".join(line.split()[1:]) for line in found.stdout.splitlines() if not line.startswith("#")]


def test_openssh_finds_the_key_under_each_name(home: Path) -> None:
    key = keygen(home / "k")
    hostkeys.pin(["my-job.training.sagemaker", "mi-1"], key)
    assert looked_up("my-job.training.sagemaker") == [key]
    assert looked_up("mi-1") == [key]
    assert looked_up("mi-2") == []


def test_another_key_replaces_the_first_and_leaves_others_alone(home: Path) -> None:
    first, second = keygen(home / "a"), keygen(home / "b")
    hostkeys.pin(["x", "mi-1"], first)
    hostkeys.pin(["y"], first)
    hostkeys.pin(["x", "mi-2"], second)
    assert looked_up("x") == [second]
    assert looked_up("mi-1") == [first]
    assert looked_up("y") == [first]


def test_a_name_and_an_id_do_not_displace_one_another(home: Path) -> None:
    key = keygen(home / "k")
    hostkeys.pin(["x", "mi-1"], key)
    hostkeys.pin(["mi-1"], key)
    assert looked_up("x") == [key]


def test_the_same_key_again_does_not_touch_the_file(home: Path) -> None:
    key = keygen(home / "k")
    hostkeys.pin(["x", "mi-1"], key)
    before = hostkeys.known_hosts().stat()
    hostkeys.pin(["mi-1", "x"], key + " a comment")
    after = hostkeys.known_hosts().stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_only_the_owner_reads_it(home: Path) -> None:
    hostkeys.pin(["x"], keygen(home / "k"))
    path = hostkeys.known_hosts()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["known_hosts"]


def test_many_at_once_lose_nothing(home: Path) -> None:
    key = keygen(home / "k")
    threads = [threading.Thread(target=hostkeys.pin, args=([f"mi-{n}"], key)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = hostkeys.known_hosts().read_text().splitlines()
    assert sorted(lines) == sorted(f"mi-{n} {key}" for n in range(24))


def test_old_lines_go_when_there_are_too_many(home: Path) -> None:
    key = keygen(home / "k")
    hostkeys.pin(["first"], key)
    path = hostkeys.known_hosts()
    path.write_text(path.read_text() + "".join(f"mi-{n} {key}\n" for n in range(1200)))
    hostkeys.pin(["last"], key)
    assert looked_up("first") == []
    assert looked_up("last") == [key]
    assert len(path.read_text().splitlines()) < 1100


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_fingerprints_are_openssh_s(home: Path, kind: str) -> None:
    key = keygen(home / kind, kind=kind)
    shown = subprocess.check_output(["ssh-keygen", "-l", "-f", str(home / f"{kind}.pub")], text=True)
    assert hostkeys.fingerprint(key) == shown.split()[1]


@pytest.mark.parametrize(
    "tag",
    ["", "ssh-ed25519", "ssh-ed25519 !!!!", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA", "x\ny z"],
)
def test_a_tag_that_is_no_key_is_refused(home: Path, tag: str) -> None:
    with pytest.raises(BadInput):
        hostkeys.pin(["x"], tag)
    assert not hostkeys.known_hosts().exists()
