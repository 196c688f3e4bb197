"""The plane as a background process, in folders of the test's own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sm_ssh_entry.errors import PlaneDown, ServiceError, TimedOut
from sm_ssh_entry.plane import daemon
from tests.waiting import wait_until


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "local"
    yield folder
    daemon.stop(folder)


def gone(state: daemon.State) -> bool:
    """Whether the process is gone; one that only waits to be reaped counts, for who reaps it is not ours to choose."""
    try:
        fields = Path(f"/proc/{state.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return True
    return fields[0] == "Z"


def test_started_found_stopped(where: Path) -> None:
    state = daemon.start(where)
    assert daemon.running(where) == state
    assert daemon.ask(state, "GET", "status")["pid"] == state.pid
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    assert stat.S_IMODE(daemon.state_file(where).stat().st_mode) == 0o600
    assert daemon.stop(where) == state
    assert not daemon.state_file(where).exists()
    wait_until(lambda: gone(state), what="the process to end")
    with pytest.raises(PlaneDown):
        daemon.ask(state, "GET", "status")
    assert daemon.stop(where) is None


def test_the_daemon_is_a_session_of_its_own(where: Path) -> None:
    """Else a Ctrl-C, or the end of the terminal that started it, would end it."""
    state = daemon.start(where)
    assert os.getsid(state.pid) == state.pid != os.getsid(0)


def test_two_at_once_are_one(where: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        states = list(pool.map(lambda _: daemon.start(where), range(3)))
    assert len({state.pid for state in states}) == 1
    assert daemon.running(where) == states[0]


def test_after_a_crash_the_stale_file_misleads_nobody(where: Path) -> None:
    first = daemon.start(where)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: daemon.running(where) is None, what="the crash to be noticed")
    assert daemon.state_file(where).exists()
    with pytest.raises(PlaneDown):
        daemon.require(where)
    second = daemon.start(where)
    assert second.instance != first.instance
    assert daemon.running(where) == second


def test_a_process_that_only_has_the_id_or_the_port_is_left_alone(where: Path) -> None:
    """The file names this very test process and a port where something else answers."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"instance": "another", "pid": 1}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{other.server_port}"
            daemon.prepare(where)
            state = daemon.State(os.getpid(), url, url, "", "", "r", 0.0, "mine", "t", "a", "s")
            daemon.state_file(where).write_text(json.dumps(asdict(state)), encoding="utf-8")
            assert daemon.running(where) is None
            assert daemon.stop(where) is None
            assert not daemon.state_file(where).exists()
        finally:
            other.shutdown()
            thread.join()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "\x00"])
def test_a_broken_state_file_is_no_state(where: Path, text: str) -> None:
    daemon.prepare(where)
    daemon.state_file(where).write_text(text, encoding="utf-8")
    assert daemon.read(where) is None
    assert daemon.running(where) is None


def test_one_that_hangs_is_named_not_killed(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = daemon.start(where)
    os.kill(state.pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(daemon, "_ASK_SECONDS", 0.2)
        with pytest.raises(TimedOut) as raised:
            daemon.stop(where)
        assert f"process {state.pid}" in raised.value.message
        assert f"kill -9 {state.pid}" in raised.value.hint
        assert daemon.state_file(where).exists()
    finally:
        os.kill(state.pid, signal.SIGCONT)


def test_a_taken_port_is_said_in_one_line(where: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PlaneDown) as raised:
            daemon.start(where, port=port)
    assert f"cannot listen on 127.0.0.1:{port}" in raised.value.message
    assert daemon.running(where) is None


def test_a_wrong_token_is_refused(where: Path) -> None:
    from dataclasses import replace

    state = daemon.start(where)
    with pytest.raises(ServiceError) as raised:
        daemon.ask(replace(state, token="guess"), "POST", "reset")
    assert raised.value.code == "AccessDeniedException"


def test_the_working_folder_cannot_shadow_a_module(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where.parent.joinpath("json.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    monkeypatch.chdir(where.parent)
    assert daemon.start(where).pid


def test_sigterm_closes_the_sockets_in_order(where: Path) -> None:
    """A connection that a client keeps open does not keep the plane."""
    state = daemon.start(where)
    connection = http.client.HTTPConnection("127.0.0.1", int(state.url.rpartition(":")[2]), timeout=120)
    connection.request("GET", "/_sm-ssh/status")
    assert connection.getresponse().read()
    os.kill(state.pid, signal.SIGTERM)
    wait_until(lambda: gone(state) and not daemon.state_file(where).exists(), what="the process to end")
    connection.close()
    assert "Traceback" not in daemon.log_file(where).read_text(encoding="utf-8")
