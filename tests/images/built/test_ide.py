"""What VS Code's Remote-SSH does when it connects, step by step, with a server of our own in the place of theirs.

The steps are those of its log (github.com/microsoft/vscode-remote-release, issues 10864 and 11006; microsoft/vscode,
231537): ``ssh -T -D PORT HOST bash`` with a script on standard input, which stays open; the script says that it runs,
takes a lock, asks the laptop to upload the server where neither wget nor curl is, unpacks it with tar, starts it away
from the session, waits for its log, and says ``listeningOn==127.0.0.1:PORT==`` between a line with start and one with
end. All further traffic goes through the dynamic forward.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.machine import Machine
from tests.images.built.world import World, free_port, opened
from tests.waiting import wait_until

COMMIT = "258e40fedc6cb8edf399a463ce3a9d32e7e1f6f3"
PATH = "/opt/conda/bin:/usr/local/bin:/usr/bin:/bin"
SCRIPT = f"""\
echo "c9de: running"
echo "Script executing under PID: $$"
VSC_TMP="${{XDG_RUNTIME_DIR:-/tmp}}"
FOLDER="$HOME/.vscode-server"
CLI="$FOLDER/code-{COMMIT}"
LOG="$FOLDER/.cli.{COMMIT}.log"
uname -rsv
mkdir -p "$FOLDER" && cd "$FOLDER" || exit 1
exec 3>vscode-remote-lock.{COMMIT} && flock 3 || exit 2
if [ ! -x "$CLI" ]; then
    if ! command -v wget >/dev/null && ! command -v curl >/dev/null; then echo "c9de%%1%%"; fi
    echo "c9de:trigger_server_download"
    until [ -f vscode-scp-done.flag ]; do sleep 0.1; done
    rm vscode-scp-done.flag
    tar -xf vscode-cli.tar.gz --no-same-owner || exit 3
    mv code "$CLI"
fi
: >"$LOG"
"$CLI" command-shell --on-host=127.0.0.1 --on-port --parent-process-id $$ >>"$LOG" 2>&1 </dev/null 3>&- &
echo "Spawned remote CLI: $!"
until grep -q "Listening on" "$LOG"; do sleep 0.1; done
echo "c9de: start"
echo "listeningOn==$(sed -n 's/Listening on //p' "$LOG")=="
echo "osReleaseId==$(. /etc/os-release && echo "$ID")=="
echo "arch==$(uname -m)=="
echo "tmpDir==$VSC_TMP=="
echo "SSH_AUTH_SOCK==$SSH_AUTH_SOCK=="
echo "c9de: end"
flock -u 3
"""
# In the place of the CLI, which brings its own interpreter: each line is a command to run; the answer is one line of
# JSON. It ends with the process that started it.
SERVER = r"""#!/opt/sm-ssh/bin/python -I
import json, os, socketserver, subprocess, sys, threading, time
class Exec(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            done = subprocess.run(json.loads(line), capture_output=True, text=True)
            self.wfile.write(json.dumps([done.returncode, done.stdout]).encode() + b"\n")
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Exec)
parent = int(sys.argv[sys.argv.index("--parent-process-id") + 1])
def watch():
    while os.path.exists(f"/proc/{parent}"):
        time.sleep(0.1)
    server.shutdown()
threading.Thread(target=watch, daemon=True).start()
print("Listening on 127.0.0.1:%d" % server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def job(image: str, machine: Machine) -> Iterator[World]:
    with opened(image, machine) as world:
        world.start("sleep", "600", env={"PATH": PATH, "MODEL_NOTE": "two\nlines"}).phase("online")
        yield world


class Window:
    """One window of the IDE: its ssh, what the script has printed so far, and the way through the dynamic forward."""

    def __init__(self, world: World, shell: str) -> None:
        self.proxy = free_port()
        words = ["ssh", "-T", "-D", str(self.proxy), "-o", "ConnectTimeout=15", "-F", world.config(), world.host, shell]
        self._said: list[str] = []
        self.process = subprocess.Popen(
            words,
            env=world.machine.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdin is not None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.process.stdin.write(SCRIPT)
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self._said.extend(lines)

    @property
    def said(self) -> str:
        """Everything printed so far."""
        return "".join(self._said)

    def saw(self, text: str) -> None:
        """Wait until the script has printed a text."""
        try:
            wait_until(lambda: text in self.said, 90, every=0.05)
        except AssertionError:
            raise AssertionError(f"{text!r} not in:\n{self.said}") from None

    def result(self) -> dict[str, str]:
        """Wait for the script's report and return it."""
        self.saw("c9de: end")
        return dict(re.findall(r"^(\w+)==(.*)==$", self.said, re.MULTILINE))

    def execute(self, port: int, *words: str) -> tuple[int, str]:
        """Have the server run a program, through SOCKS 5 without a user (RFC 1928); return its status and output."""
        with socket.create_connection(("127.0.0.1", self.proxy), timeout=120) as connection:
            stream = connection.makefile("rb")
            connection.sendall(b"\x05\x01\x00")
            assert stream.read(2) == b"\x05\x00"
            connection.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + port.to_bytes(2, "big"))
            assert stream.read(10)[:2] == b"\x05\x00"
            connection.sendall(json.dumps(words).encode() + b"\n")
            status, output = json.loads(stream.readline())
            return status, output

    def close(self) -> None:
        """Close the window: its ssh is killed, nothing says goodbye."""
        self.process.kill()
        self.process.wait()
        self._thread.join()
        assert self.process.stdin is not None
        self.process.stdin.close()


def upload(world: World, folder: Path) -> None:
    """Upload the server as the extension does: an archive by scp, then the flag that says it is whole."""
    archive, flag = folder / "vscode-cli.tar.gz", folder / "vscode-scp-done.flag"
    with tarfile.open(archive, "w:gz") as file:
        entry = tarfile.TarInfo("code")
        entry.size, entry.mode = len(SERVER), 0o755
        # Whoever packed it has a number that means nobody in the container.
        entry.uid = entry.gid = 4711
        file.addfile(entry, io.BytesIO(SERVER.encode()))
    flag.touch()
    for path in (archive, flag):
        there = f"{world.host}:.vscode-server/{path.name}"
        done = world.machine.call(["scp", "-q", "-F", world.config(), str(path), there])
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_window_opens_works_closes_and_opens_again(job: World, tmp_path: Path, shell: str) -> None:
    job.login("rm", "-rf", "/root/.vscode-server")
    first = Window(job, shell)
    try:
        first.saw("c9de:trigger_server_download")
        upload(job, tmp_path)
        found = first.result()
        port = int(found["listeningOn"].rpartition(":")[2])
        assert (found["osReleaseId"], found["tmpDir"], found["SSH_AUTH_SOCK"]) == ("debian", "/tmp", "")
        # Terminals, extensions and interpreters that the server starts are in the job's environment.
        script = 'printf %s "$PATH|$MODEL_NOTE|$TRAINING_JOB_NAME"; cat /proc/1/comm'
        expected = (0, f"{PATH}:/opt/sm-ssh/bin|two\nlines|{job.job}sleep\n")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: first.execute(port, "sh", "-c", script), range(24)))
        assert answers == [expected] * 24
        spawned = re.search(r"Spawned remote CLI: (\d+)", first.said)
        assert spawned is not None
    finally:
        first.close()
    wait_until(
        lambda: job.login("sh", "-c", f"test -e /proc/{spawned[1]}").returncode == 1, 90, what="the server has ended"
    )
    again = Window(job, shell)
    try:
        port = int(again.result()["listeningOn"].rpartition(":")[2])
        assert "trigger_server_download" not in again.said
        assert again.execute(port, "sh", "-c", "exit 3") == (3, "")
    finally:
        again.close()


def test_many_channels_over_one_connection(job: World) -> None:
    # JetBrains Gateway and every script with ControlMaster: one login, many programs at the same time.
    # A socket's name may have 108 characters, and pytest's folders have most of them.
    folder = tempfile.mkdtemp(prefix="sm-ssh-")
    ssh = ["ssh", "-F", job.config("ControlMaster auto", f"ControlPath {folder}/%C", "ControlPersist 60")]
    try:
        assert job.machine.call([*ssh, job.host, "true"]).returncode == 0
        with ThreadPoolExecutor(8) as pool:
            done = list(
                pool.map(lambda n: job.machine.call([*ssh, job.host, f"cat; exit {n}"], stdin=f"{n}\n"), range(40))
            )
        assert [(one.returncode, one.stdout) for one in done] == [(n, f"{n}\n") for n in range(40)]
    finally:
        job.machine.call([*ssh, "-O", "exit", job.host])
        shutil.rmtree(folder)
