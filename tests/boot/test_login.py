"""Logging in with the system's ssh: who may, and what the session sees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.boot.container import Container
from tests.boot.fake_ssm import FakeSsm
from tests.entrypoint.test_stub import AWKWARD

pytestmark = pytest.mark.skipif(
    not (shutil.which("ssh") and shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")),
    reason="OpenSSH client and server are not installed",
)


class Login:
    """A container that is online, and the ssh commands that reach it."""

    def __init__(self, container: Container, folder: Path) -> None:
        self.container = container
        self.folder = folder
        self.key = self.new_key("id")
        container.env["SSH_AUTHORIZED_KEYS"] = self.public(self.key)
        container.env["PATH"] = "/opt/the/jobs/own:/usr/local/bin:/usr/bin:/bin"
        container.env["LANG"] = "C.UTF-8"
        self.env = {os.fsencode(name): os.fsencode(value) for name, value in container.env.items()}
        self.env[b"AWKWARD"] = AWKWARD
        self.job = container.spawn("sh", "-c", "read _", stdin=subprocess.PIPE, env=self.env)
        found = container.wait_phase("online")
        self.port = found["port"]
        public = (container.paths.run / "ssh_host_ed25519_key.pub").read_text()
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}")

    def new_key(self, name: str) -> Path:
        file = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        return file

    @staticmethod
    def public(key: Path) -> str:
        return " ".join(key.with_suffix(".pub").read_text().split()[:2])

    def options(self, key: Path | None = None) -> list[str]:
        return [
            *("-F", "none", "-i", str(key or self.key)),
            *(f"-o{word}" for word in ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes")),
            *(f"-oUserKnownHostsFile={self.known_hosts}", "-oGlobalKnownHostsFile=none", "-oLogLevel=ERROR"),
        ]

    def ssh(
        self, *words: str, key: Path | None = None, options: tuple[str, ...] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        argv = ["ssh", *self.options(key), "-p", str(self.port), *options, "127.0.0.1", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """One container for all tests that leave it as it was."""
    ssm = FakeSsm()
    made = Container(tmp_path_factory.mktemp("root"), ssm.url)
    try:
        yield Login(made, tmp_path_factory.mktemp("laptop"))
    finally:
        made.close()
        ssm.stop()


def test_environment_is_the_jobs(login: Login) -> None:
    done = login.ssh("env", "-0")
    assert done.returncode == 0
    seen = dict(entry.partition(b"=")[::2] for entry in done.stdout.split(b"\0") if entry)
    expected = dict(login.env)
    expected[b"PATH"] += b":" + os.fsencode(login.container.paths.bin)
    assert {name: seen.get(name) for name in expected} == expected
    assert seen[b"SSH_CONNECTION"].startswith(b"127.0.0.1 ")
    assert b"SSH_ORIGINAL_COMMAND" not in seen


def test_no_value_of_the_environment_is_in_a_log(container: Container, tmp_path: Path) -> None:
    (tmp_path / "laptop").mkdir()
    login = Login(container, tmp_path / "laptop")
    assert login.ssh("true").returncode == 0
    _, err = login.job.communicate(b"\n", timeout=120)
    logs = [err, *(file.read_bytes() for file in (login.container.paths.run / "log").iterdir())]
    secrets = [AWKWARD.split(b"\n")[1], b"do-not-log-this-secret", b"SeCrEtAcTiVaTiOnCoDe"]
    secrets.append(login.public(login.key).split()[1].encode())
    for text in logs:
        assert not [secret for secret in secrets if secret in text]
    kept = login.container.paths.environment
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("code", [0, 3, 255])
def test_status_and_streams_of_a_command(login: Login, code: int) -> None:
    done = login.ssh(f"cat; echo err >&2; exit {code}", stdin=b"some \x00 bytes")
    assert (done.returncode, done.stdout, done.stderr) == (code, b"some \x00 bytes", b"err\n")


def test_other_key_is_refused_until_it_is_authorized(login: Login) -> None:
    other = login.new_key("other")
    assert login.ssh("true", key=other).returncode == 255
    done = login.container.entry("authorize", login.public(other))
    assert re.fullmatch(r"authorized SHA256:[\w+/]{43}\n", done.stdout)
    # One refused login must not shut out the others: all of them come from the loopback address.
    assert login.ssh("true", key=other).returncode == 0
    assert login.ssh("true").returncode == 0
    before = login.container.paths.authorized_keys.read_text()
    login.container.entry("authorize", login.public(other))
    assert login.container.paths.authorized_keys.read_text() == before


def test_passwords_are_not_offered(login: Login) -> None:
    options = ("-oPubkeyAuthentication=no", "-oPreferredAuthentications=password,keyboard-interactive", "-v")
    done = login.ssh("true", options=(*options, "-oLogLevel=VERBOSE"))
    assert done.returncode == 255
    assert b"Permission denied (publickey)." in done.stderr


def test_changed_host_key_is_refused(login: Login) -> None:
    wrong = login.public(login.new_key("wrong"))
    right = login.known_hosts.read_text()
    login.known_hosts.write_text(f"[127.0.0.1]:{login.port} {wrong}\n")
    done = login.ssh("echo", "in")
    login.known_hosts.write_text(right)
    assert (done.returncode, done.stdout) == (255, b"")


@pytest.mark.parametrize("shell_input", [b"echo PATH=$PATH; exit 4\n"])
def test_login_shell_keeps_the_jobs_path(login: Login, shell_input: bytes) -> None:
    expected = f"PATH=/opt/the/jobs/own:/usr/local/bin:/usr/bin:/bin:{login.container.paths.bin}"
    done = login.ssh(options=("-T",), stdin=shell_input)
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (4, expected)
    done = login.ssh(options=("-tt",), stdin=shell_input)
    assert done.returncode == 4
    assert f"{expected}\r\n" in done.stdout.decode()


def test_terminal_session_is_a_terminal(login: Login) -> None:
    done = login.ssh("tty; stty size; echo $TERM", options=("-tt",))
    assert done.returncode == 0
    assert done.stdout.startswith(b"/dev/pts/")


def test_copies_files_both_ways(login: Login, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "up").write_bytes(data)
    target = tmp_path / "there"
    common = [*login.options(), "-P", str(login.port)]
    subprocess.run(["scp", *common, tmp_path / "up", f"127.0.0.1:{target}"], check=True, timeout=180)
    assert target.read_bytes() == data
    subprocess.run(["scp", "-O", *common, f"127.0.0.1:{target}", tmp_path / "old"], check=True, timeout=180)
    assert (tmp_path / "old").read_bytes() == data
    batch = f"get {target} {tmp_path / 'down'}\n".encode()
    subprocess.run(["sftp", "-b", "-", *common, "127.0.0.1"], input=batch, capture_output=True, check=True, timeout=180)
    assert (tmp_path / "down").read_bytes() == data


def test_forwards_a_port(login: Login) -> None:
    # ssh -W reaches the container's own sshd through the session: any TCP server would do.
    done = login.ssh(options=("-W", f"127.0.0.1:{login.port}"))
    assert done.stdout.startswith(b"SSH-2.0-")


def test_sm_wait_is_on_the_path_of_a_login(login: Login) -> None:
    assert login.ssh("sm-wait", "stop").stdout == b"[sm-ssh] nothing is waiting\n"
    assert login.ssh("sm-ssh-entry", "health").stdout.startswith(b"online mi-")


def test_fifty_logins_at_once(login: Login) -> None:
    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(lambda _: login.ssh("true").returncode, range(50)))
    assert codes == [0] * 50


def test_listens_on_loopback_only(login: Login) -> None:
    config = (login.container.paths.run / "sshd_config").read_text()
    listen = re.findall(r"^ListenAddress (.+)$", config, re.MULTILINE)
    assert listen
    assert set(listen) <= {"127.0.0.1", "::1"}
    assert "\nPasswordAuthentication no\n" in config
