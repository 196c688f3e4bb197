from __future__ import annotations

from pathlib import Path

from sm_ssh_entry.boot import sessions

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


class Proc:
    """A made-up /proc: supervisord is 10, the agent 11, what a test adds lives below."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "net").mkdir()
        self.links: list[str] = []
        self.process(10, 1, "python")
        self.process(11, 10, "amazon-ssm-agen")
        self.connect(0, 0, 0, 0, keep=False)

    def process(self, pid: int, parent: int, name: str, *, terminal: int = 0, sockets: tuple[int, ...] = ()) -> None:
        folder = self.root / str(pid)
        (folder / "fd").mkdir(parents=True, exist_ok=True)
        fields = ["S", str(parent), "1", "1", str(terminal), "-1", *["0"] * 13, str(pid), *["0"] * 20]
        (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}")
        for number, inode in enumerate(sockets):
            (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")

    def connect(self, local: int, remote: int, state: int, inode: int, *, keep: bool = True) -> None:
        if keep:
            head = f"   0: 0100007F:{local:04X} 0100007F:{remote:04X} {state:02X}"
            self.links.append(f"{head} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n")
        (self.root / "net" / "tcp").write_text(HEADER + "".join(self.links))


def test_who_is_connected(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    assert sessions.connected(22, 10, str(tmp_path)) == 0
    proc.connect(22, 0, 0x0A, 1)  # listening
    proc.connect(40000, 22, 0x01, 2)  # the client's end
    assert sessions.connected(22, 10, str(tmp_path)) == 0
    proc.connect(22, 40000, 0x01, 3)
    assert sessions.connected(22, 10, str(tmp_path)) == 1
    proc.process(12, 11, "ssm-session-wor")
    proc.process(13, 12, "sh", terminal=34816)
    assert sessions.connected(22, 10, str(tmp_path)) == 3
    assert sessions.connected(22, 0, str(tmp_path)) == 1
    assert sessions.connected(0, 0, str(tmp_path)) == 0
    # The job's own terminal is nobody's login.
    proc.process(14, 1, "sh", terminal=34816)
    assert sessions.connected(0, 10, str(tmp_path)) == 2


def test_processes_that_serve_a_login(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.connect(22, 0, 0x0A, 1)  # listening
    proc.connect(22, 40000, 0x01, 2)
    proc.connect(40000, 22, 0x01, 3)  # the agent's end of it
    proc.process(11, 10, "amazon-ssm-agen", sockets=(3,))
    proc.process(12, 10, "sshd", sockets=(1,))
    proc.process(13, 12, "sshd-session", sockets=(2,))
    proc.process(14, 13, "bash")
    proc.process(15, 1, "sshd", sockets=(2,))  # not below our services
    assert sessions.logins(22, 10, str(tmp_path)) == [13]
    assert sessions.logins(22, 0, str(tmp_path)) == []
    assert sessions.logins(0, 10, str(tmp_path)) == []


def test_worker_without_any_connection_is_ended_after_a_while(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.process(12, 11, "ssm-session-wor", sockets=(5, 6))
    proc.connect(50000, 443, 0x01, 5)
    workers = sessions.Workers(patience=100.0)
    assert workers.abandoned(10, 0.0, str(tmp_path)) == []
    assert workers.abandoned(10, 1000.0, str(tmp_path)) == []
    proc.links.clear()
    proc.connect(50000, 443, 0x06, 0)  # TIME_WAIT belongs to nobody
    assert workers.abandoned(10, 1001.0, str(tmp_path)) == []
    assert workers.abandoned(10, 1100.0, str(tmp_path)) == []
    assert workers.abandoned(10, 1101.0, str(tmp_path)) == [12]


def test_worker_that_connects_again_is_spared(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.process(12, 11, "ssm-session-wor", sockets=(5,))
    workers = sessions.Workers(patience=100.0)
    assert workers.abandoned(10, 0.0, str(tmp_path)) == []
    proc.connect(50000, 443, 0x02, 5)  # it is redialling
    assert workers.abandoned(10, 99.0, str(tmp_path)) == []
    proc.links.clear()
    proc.connect(0, 0, 0, 0, keep=False)
    assert workers.abandoned(10, 150.0, str(tmp_path)) == []
    assert workers.abandoned(10, 200.0, str(tmp_path)) == []


def test_waiting_half_closed_connection_is_alive(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.process(12, 11, "ssm-session-wor", sockets=(5,))
    proc.connect(50000, 22, 0x08, 5)
    workers = sessions.Workers(patience=0.0)
    assert workers.abandoned(10, 0.0, str(tmp_path)) == []


def test_other_processes_and_unreadable_ones_are_never_ended(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.process(12, 11, "ssm-agent-worke")
    proc.process(13, 1, "ssm-session-wor")  # not below our services
    proc.process(14, 11, "ssm-session-wor")
    (tmp_path / "14" / "fd").rmdir()
    workers = sessions.Workers(patience=0.0)
    assert workers.abandoned(10, 0.0, str(tmp_path)) == []
