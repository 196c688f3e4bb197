from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

from sm_ssh_entry.boot import procfs
from tests.waiting import wait_until


def test_ourselves() -> None:
    table = procfs.processes()
    me = table[os.getpid()]
    assert me.parent == os.getppid()
    assert 0 < me.started <= procfs.uptime()
    assert me in procfs.descendants(os.getppid(), table)


def test_name_with_parentheses(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = ["S", "3", "7", "7", "34816", "-1", *["0"] * 13, "250", *["0"] * 20]
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c) {' '.join(fields)}")
    (tmp_path / "8").mkdir()
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "stat").write_text("9 (short) S 1")
    (tmp_path / "self").mkdir()
    tick = os.sysconf("SC_CLK_TCK")
    assert procfs.processes(str(tmp_path)) == {7: procfs.Process(7, 3, "a) b (c", 34816, 250 / tick)}


def test_connections_and_who_holds_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            ours = [
                link for link in procfs.connections() if link.local_port == port and link.state == procfs.ESTABLISHED
            ]
            assert len(ours) == 1
            assert ours[0].remote_port == client.getsockname()[1]
            assert ours[0].inode in (procfs.sockets(os.getpid()) or set())
            accepted.close()


def test_gone_process_has_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert procfs.sockets(process.pid) is None
    assert procfs.mask(process.pid, "SigCgt") == 0


def test_signal_masks_of_a_real_process() -> None:
    script = "trap : TERM; trap '' HUP; echo; read _"
    process = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    bit = 1 << (signal.SIGTERM - 1)
    wait_until(lambda: procfs.mask(process.pid, "SigCgt") & bit)
    assert procfs.mask(process.pid, "SigIgn") & (1 << (signal.SIGHUP - 1))
    process.communicate(b"\n")


def test_no_tables_no_connections(tmp_path: Path) -> None:
    assert procfs.connections(str(tmp_path)) == []
