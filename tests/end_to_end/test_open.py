"""``sm-ssh open`` with real forwards: fake IDEs on PATH, and on the node a small web server in Jupyter's place."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.machine import SM_SSH, Job, Machine
from tests.waiting import wait_until

TOKEN = "s3cret/token"
# Both of Jupyter's commands that we use: the list of servers, and the server. The list is a file, as Jupyter's own.
JUPYTER = f"""\
#!/usr/bin/env python3
import http.server, json, os, sys
from pathlib import Path
note = Path(__file__).with_name("running.json")
if sys.argv[1:] == ["server", "list", "--json"]:
    print(note.read_text() if note.exists() else "", end="")
    sys.exit()
assert sys.argv[1:4] == ["lab", "--no-browser", "--ip=127.0.0.1"], sys.argv
class Lab(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()
    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(json.dumps([self.path, os.getcwd()]).encode())
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lab)
said = {{"port": server.server_port, "token": "{TOKEN}", "base_url": "/", "secure": False, "root_dir": os.getcwd()}}
note.write_text(json.dumps(said) + "\\n")
server.serve_forever()
"""


@pytest.fixture(scope="module")
def programs(machine: Machine) -> Path:
    """A folder of programs, on this machine's PATH and on the job's."""
    folder = machine.folder / "programs"
    folder.mkdir()
    for name in ("code", "cursor", "gateway", "browser"):
        put(folder / name, f'#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done > {folder}/{name}.said\n')
    put(folder / "jupyter", JUPYTER)
    return folder


@pytest.fixture(scope="module")
def job(machine: Machine, programs: Path) -> Iterator[Job]:
    path = f"{programs}:{machine.env['PATH']}"
    machine.env["PATH"] = path
    job = machine.job("Opened", "sleep", "900", options=("--env", f"PATH={path}"))
    job.online()
    yield job
    job.kill()


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


class Open:
    """A running ``sm-ssh open``, and what it has printed."""

    def __init__(self, machine: Machine, *words: str) -> None:
        env = {**machine.env, "BROWSER": f"{machine.folder}/programs/browser %s"}
        self.out = machine.folder / "out"
        with self.out.open("wb") as out, (machine.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [*SM_SSH, "open", *words], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        self.err = machine.folder / "err"

    def link(self) -> str:
        """Wait for the link."""

        def printed() -> str | None:
            assert self.process.poll() is None, self.err.read_text()
            found = re.match(r"(\S+)\n", self.out.read_text())
            return found[1] if found else None

        return wait_until(printed, 60)

    def end(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=120)


def text_of(path: Path) -> str:
    """Return what a fake program was given, "" before it was."""
    return path.read_text().strip() if path.exists() else ""


def get(link: str) -> list[str]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(link, timeout=120) as answer:
        found = json.loads(answer.read())
        assert isinstance(found, list)
        return found


def sessions(machine: Machine) -> int:
    return int(json.loads(machine.run("local", "status", "--output", "json").stdout)["sessions"])


@pytest.mark.parametrize(
    ("what", "program", "expected"),
    [
        ("vscode", "code", ["--remote", "ssh-remote+Opened.training.sagemaker", "/opt/ml/a b"]),
        ("cursor", "cursor", ["--remote", "ssh-remote+Opened.training.sagemaker", "/opt/ml/a b"]),
        ("pycharm", "gateway", None),
    ],
)
def test_an_ide_is_started_on_a_name_that_plain_ssh_knows(  # noqa: PLR0917 - a table
    machine: Machine, job: Job, programs: Path, what: str, program: str, expected: list[str] | None
) -> None:
    done = machine.run("open", "--yes", what, job.host, "/opt/ml/a b")
    assert done.returncode == 0, done.stderr
    said = wait_until(lambda: text_of(programs / f"{program}.said"))
    if expected:
        assert said.splitlines() == expected
    else:
        assert said.startswith("jetbrains-gateway://connect#type=ssh&")
        assert "projectPath=%2Fopt%2Fml%2Fa%20b" in said
    # It has neither our region nor our shell's environment, as a window that is open already.
    ssh = ["ssh", "-F", str(machine.home / ".ssh/config"), job.host, "echo there"]
    env = {"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "SM_SSH_SHARE": "no"}
    assert machine.call(ssh, env=env).stdout == "there\n"


def test_what_is_not_installed_is_said_with_the_way_by_hand(machine: Machine, job: Job, programs: Path) -> None:
    hidden = programs / "cursor"
    kept = hidden.read_text()
    hidden.unlink()
    try:
        done = machine.run("open", "--yes", "cursor", job.host)
    finally:
        put(hidden, kept)
    assert done.returncode == 23
    assert done.stderr.startswith("sm-ssh: Cursor is not here")
    assert f"cursor://vscode-remote/ssh-remote+{job.host}/root" in done.stderr


def test_nobody_is_configured_without_asking(machine: Machine, job: Job) -> None:
    machine.run("config", "--remove")
    done = machine.run("open", "vscode", job.host)
    assert done.returncode == 2
    assert "sm-ssh config" in done.stderr
    assert not (machine.home / ".ssh/config").exists()


def test_a_folder_of_an_ide_is_absolute(machine: Machine, job: Job) -> None:
    assert machine.run("open", "--yes", "vscode", job.host, "code").returncode == 2


def test_jupyter_is_found_or_started_and_opened_with_its_token(
    machine: Machine, job: Job, programs: Path, tmp_path: Path
) -> None:
    done = machine.run("open", "jupyter", job.host)
    assert done.returncode == 10
    assert "--start starts one" in done.stderr
    first = Open(machine, "jupyter", job.host, str(tmp_path), "--start", "--no-browser")
    link = first.link()
    assert link.endswith("/lab?token=s3cret%2Ftoken")
    assert get(link) == ["/lab?token=s3cret%2Ftoken", str(tmp_path)]
    assert first.end() == 130
    # It still runs there, and is found now. The token is on no command line: the browser is redirected to it.
    again = Open(machine, "jupyter", job.host)
    shown = again.link()
    assert shown.endswith("/lab")
    said = wait_until(lambda: text_of(programs / "browser.said"))
    assert "s3cret" not in said
    assert get(said)[0] == "/lab?token=s3cret%2Ftoken"
    assert again.end() == 130
    wait_until(lambda: sessions(machine) == 0, 20, every=0.1, what="no session")
    port = int(shown.split(":")[2].split("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_nothing_answers_there(machine: Machine, job: Job) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    done = machine.run("open", "tensorboard", job.host, "--port", str(port))
    assert done.returncode == 10
    assert f"nothing answers on port {port}" in done.stderr


def test_vnc_is_known_by_its_greeting(machine: Machine, job: Job, tmp_path: Path) -> None:
    script = tmp_path / "vnc.py"
    script.write_text(
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\n"
        "while True:\n    c, _ = s.accept()\n    c.sendall(b'RFB 003.008\\n')\n    c.close()\n"
    )
    server = subprocess.Popen(["python3", str(script)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = server.stdout.readline().strip()
        way = Open(machine, "vnc", job.host, "--port", port, "--no-browser")
        assert re.fullmatch(r"vnc://127\.0\.0\.1:\d+", way.link())
        assert way.end() == 130
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
