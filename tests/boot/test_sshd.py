from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.boot import keys, sshd, status
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SetupFailed, ToolMissing

pytestmark = pytest.mark.skipif(not sshd.program(), reason="no OpenSSH server is installed")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(str(tmp_path / 'a "strange" %h folder').replace('"', ""))
    status.prepare(made)
    keys.host_key(made)
    return made


def effective(paths: Paths) -> dict[str, list[str]]:
    """What sshd itself makes of the file."""
    argv = [sshd.program(), "-T", "-f", str(paths.run / "sshd_config")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def test_what_sshd_reads(paths: Paths) -> None:
    server = sshd.prepare(paths, port=None, several_nodes=False)
    found = effective(paths)
    assert found["port"] == [str(server.port)]
    assert {address.rpartition(":")[0] for address in found["listenaddress"]} <= {"127.0.0.1", "[::1]"}
    for key, value in {
        "passwordauthentication": "no",
        "kbdinteractiveauthentication": "no",
        "permitemptypasswords": "no",
        "usepam": "no",
        "permitrootlogin": "without-password",
        "authenticationmethods": "publickey",
        "permituserenvironment": "no",
        "x11forwarding": "no",
        "gatewayports": "no",
        "maxsessions": "200",
    }.items():
        assert found[key] == [value], key
    assert "acceptenv" not in found
    assert found["authorizedkeysfile"] == [str(paths.authorized_keys).replace("%", "%%")]
    assert found["hostkey"] == [str(paths.run / "ssh_host_ed25519_key")]
    assert len(found["subsystem"]) == 1


def test_strict_modes_where_they_can_be_kept(tmp_path: Path) -> None:
    # pytest's own folders lie below /tmp, which everybody may write.
    assert not sshd._safe(tmp_path)
    assert sshd._safe(Path("/usr/bin"))


@pytest.mark.skipif(os.geteuid() != 0, reason="another user than root needs none of it")
def test_root_without_capabilities_is_told_before_anything_starts(tmp_path: Path) -> None:
    sshd.check_account()
    (tmp_path / "self").mkdir()
    for mask, lacking in (("00000000000000c0", "SYS_CHROOT"), ("0000000000000000", "SETGID, SETUID, SYS_CHROOT")):
        (tmp_path / "self" / "status").write_text(f"CapInh:\t0000000000000000\nCapEff:\t{mask}\n")
        with pytest.raises(SetupFailed) as raised:
            sshd.check_account(str(tmp_path))
        assert raised.value.message.endswith(f"it lacks {lacking}")


def test_several_nodes_are_reached_from_outside(paths: Paths) -> None:
    sshd.prepare(paths, port=None, several_nodes=True)
    assert "0.0.0.0" in {address.rpartition(":")[0] for address in effective(paths)["listenaddress"]}


def test_ports() -> None:
    free, remark = sshd.choose_port(None, prefixed=True, root=True)
    assert free > 1023
    assert remark == ""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(SetupFailed, match=f"port {taken}"):
            sshd.choose_port(taken, prefixed=False, root=True)
    assert sshd.choose_port(taken, prefixed=False, root=True) == (taken, "")


def test_default_port_that_is_taken_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        real = sshd._free

        def free(address: str, port: int) -> int:
            return real(address, taken if port in (22, 2222) else port)

        monkeypatch.setattr(sshd, "_free", free)
        for root, default in ((True, 22), (False, 2222)):
            port, remark = sshd.choose_port(None, prefixed=False, root=root)
            assert port not in (default, taken)
            assert remark.startswith(f"port {default} is taken")


def test_no_sshd_is_a_missing_tool(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sshd, "program", lambda: "")
    with pytest.raises(ToolMissing):
        sshd.prepare(paths, port=None, several_nodes=False)


@pytest.mark.parametrize("old", [True, False])
def test_meets_the_sshd_that_is_there(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool) -> None:
    """One that is too old for an option and lacks its folder, and one that knows all."""
    folder = tmp_path / "privilege" / "separation"
    fake = tmp_path / "sshd"
    option = "PerSourcePenaltyExemptList"
    refuses = f'! grep -q {option} "$3" || {{ echo bad {option} >&2; exit 1; }}' if old else ":"
    lacks = f"[ -d {folder} ] || {{ echo Missing privilege separation directory: {folder} >&2; exit 1; }}"
    fake.write_text(f"#!/bin/sh\n{refuses}\n{lacks}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sshd, "program", lambda: str(fake))
    sshd.prepare(paths, port=None, several_nodes=False)
    text = (paths.run / "sshd_config").read_text()
    assert folder.is_dir()
    assert ("PerSourcePenaltyExemptList 127.0.0.0/8,::1/128\n" in text) is not old


def test_refusal_is_one_line(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "sshd"
    fake.write_text("#!/bin/sh\necho first >&2; echo line 3: Bad something >&2; exit 255\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sshd, "program", lambda: str(fake))
    with pytest.raises(SetupFailed, match="line 3: Bad something"):
        sshd.prepare(paths, port=None, several_nodes=False)


def test_nobody_answers_on_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not sshd.answers(port, timeout=0.05)
    assert not sshd.answers(port)


def test_template_uses_what_is_rendered(paths: Paths) -> None:
    sshd.prepare(paths, port=None, several_nodes=False)
    text = (paths.run / "sshd_config").read_text()
    assert not re.search(r"@[a-z_]+@", text)
    assert (paths.run / "sshd_config").stat().st_mode & 0o777 == 0o600
    assert os.access(paths.run / "sshd_config", os.R_OK)
