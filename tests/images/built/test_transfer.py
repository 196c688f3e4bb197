"""Everything that people move through ssh: files three ways, ports both ways, their agent. Into real containers."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.machine import Machine
from tests.images.built.conftest import lacking
from tests.images.built.world import World, free_port, opened
from tests.waiting import wait_until

RSYNC = "RUN apt-get update -q && apt-get install -q -y --no-install-recommends rsync"
# A server in the container that answers each line with the same in capitals, on a port of loopback.
SHOUT = """
import socketserver, sys
class Shout(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", int(sys.argv[1])), Shout).serve_forever()
"""
ASK = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"hello\\n")
print(connection.recv(99))
"""


@pytest.fixture(scope="module")
def job(image: str, machine: Machine, derive: Callable[[str, str], str]) -> Iterator[World]:
    with opened(image, machine) as world:
        world.start("sleep", "600", image=derive(image, RSYNC)).phase("online")
        yield world


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with what a project has: names with spaces, an empty folder, a program, bytes of all values."""
    root = tmp_path / "project"
    (root / "data set").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "data set" / "größe.bin").write_bytes(bytes(range(256)) * 4096)
    (root / "train.py").write_text("print('training')\n")
    (root / "train.py").chmod(0o755)
    return root


def content(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return every path below a folder with its mode and bytes."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


@pytest.mark.parametrize("mode", [(), ("-O",)], ids=["sftp", "legacy"])
def test_scp_there_and_back(job: World, tree: Path, tmp_path: Path, mode: tuple[str, ...]) -> None:
    scp = ["scp", *mode, "-q", "-r", "-p", "-F", job.config()]
    there = f"{job.host}:/tmp/{tmp_path.name}"
    done = job.machine.call([*scp, str(tree), there])
    assert done.returncode == 0, done.stderr
    done = job.machine.call([*scp, there, str(tmp_path / "back")])
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "back") == content(tree)


def test_sftp_batch(job: World, tree: Path, tmp_path: Path) -> None:
    here, back, there = tree / "data set" / "größe.bin", tmp_path / "back", f"/tmp/{tmp_path.name}"
    steps = [
        f'put "{here}" {there}',
        f"rename {there} {there}.new",
        f"chmod 640 {there}.new",
        f"get {there}.new {back}",
    ]
    batch = "\n".join([*steps, f"rm {there}.new", "ls /tmp", ""])
    done = job.machine.call(["sftp", "-q", "-b", "-", "-F", job.config(), job.host], stdin=batch)
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == here.read_bytes()
    assert tmp_path.name not in done.stdout.partition("ls /tmp")[2]


def test_rsync_there_and_back_sends_what_has_changed(job: World, tree: Path, tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        lacking("not installed: rsync")
    rsync = ["rsync", "--archive", "--delete", "--stats", "--rsh", f"ssh -F {job.config()}"]
    there = f"{job.host}:/tmp/{tmp_path.name}/"

    def sent(*words: str) -> int:
        done = job.machine.call([*rsync, *words])
        assert done.returncode == 0, done.stderr
        found = re.search(r"Number of regular files transferred: (\d+)", done.stdout)
        assert found is not None
        return int(found[1])

    assert sent(f"{tree}/", there) == 2
    (tree / "train.py").write_text("print('training better')\n")
    assert sent(f"{tree}/", there) == 1
    assert sent(there, f"{tmp_path}/back/") == 2
    assert content(tmp_path / "back") == content(tree)


def test_agent_forwarding(job: World, tmp_path: Path) -> None:
    key, sock = tmp_path / "key", tmp_path / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", str(key)], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL)
    try:
        wait_until(sock.exists, what="the agent's socket")
        env = {"SSH_AUTH_SOCK": str(sock)}
        assert job.machine.call(["ssh-add", "-q", str(key)], env=env).returncode == 0
        ssh = ["ssh", "-F", job.config()]
        done = job.machine.call([*ssh, "-A", job.host, "ssh-add -L"], env=env)
        assert done.stdout == key.with_suffix(".pub").read_text(), done.stderr
        done = job.machine.call([*ssh, "-a", job.host, "ssh-add -L"], env=env)
        assert done.returncode != 0
    finally:
        agent.terminate()
        agent.wait(timeout=120)


def answered(port: int, line: bytes) -> bytes:
    """Return what comes back from a local port for one line."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(line)
        return connection.makefile("rb").readline()
    return b""


def test_port_of_the_container_is_reached_through_a_forward(job: World) -> None:
    there, here = free_port(), free_port()
    words = ["ssh", "-F", job.config(), "-L", f"127.0.0.1:{here}:127.0.0.1:{there}", job.host]
    command = f"exec /opt/sm-ssh/bin/python -I -c '{SHOUT}' {there}"
    server = subprocess.Popen(
        [*words, "-tt", command], env=job.machine.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        wait_until(lambda: answered(here, b"hello\n") == b"HELLO\n", 90, every=0.1, what="an answer")
        lines = [f"line {number}\n".encode() for number in range(20)]
        assert [answered(here, line) for line in lines] == [line.upper() for line in lines]
    finally:
        server.kill()
        server.communicate(timeout=120)


def test_port_of_the_laptop_is_reached_from_the_container(job: World) -> None:
    there = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(99).upper())

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        forward = f"127.0.0.1:{there}:127.0.0.1:{listener.getsockname()[1]}"
        command = f"/opt/sm-ssh/bin/python -I -c '{ASK}' {there}"
        done = job.ssh("-R", forward, job.host, command)
        assert done.stdout == "b'HELLO\\n'\n", done.stderr


def test_socket_of_the_container_is_reached_through_a_forward(job: World, tmp_path: Path) -> None:
    # As IDEs whose server listens on a named socket do.
    here, there = tmp_path / "here", f"/tmp/{tmp_path.name}.sock"
    script = SHOUT.replace("ThreadingTCPServer", "ThreadingUnixStreamServer")
    script = script.replace('("127.0.0.1", int(sys.argv[1]))', "sys.argv[1]")
    command = f"exec /opt/sm-ssh/bin/python -I -c '{script}' {there}"
    words = ["ssh", "-F", job.config(), "-L", f"{here}:{there}", job.host, "-tt", command]
    server = subprocess.Popen(words, env=job.machine.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask() -> bytes:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(120)
            connection.connect(str(here))
            connection.sendall(b"hello\n")
            return connection.makefile("rb").readline()
        return b""

    try:
        wait_until(lambda: ask() == b"HELLO\n", 90, every=0.1, what="an answer")
    finally:
        server.kill()
        server.communicate(timeout=120)
