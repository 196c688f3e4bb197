"""Nodes behind another, with two real sshds: the second is known by its name to the first one alone."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.connect import hostkeys
from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.world import SSHD, WITHOUT_SSHD, Laptop, Sshd, keygen, public
from tests.plane.agent.processes import Agent
from tests.plane.scripted import aws
from tests.waiting import wait_until

USER = getpass.getuser()
NAME = "My-Job.training.sagemaker"
HIDDEN = f"algo-7.{NAME}"
ALIAS = HIDDEN.lower()


def _can_have_hosts() -> bool:
    """Whether this machine lets us give one process a hosts file of its own."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here"),
    pytest.mark.skipif(not _can_have_hosts(), reason="needs a mount namespace for a hosts file of its own"),
]


class Jump(Sshd):
    """An sshd that alone knows where algo-7 is. It listens as the plane's nodes do; algo-7 has its port as well."""

    def argv(self, config: Path) -> list[str]:
        assert SSHD
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.7 algo-7\n127.0.0.8 algo-8\n")
        script = f"mount --bind {hosts} /etc/hosts && exec {SSHD} -D -e -f {config}"
        return ["unshare", "-m", "sh", "-c", script]


@dataclass
class World:
    """A laptop, a node that has registered, and one that has not."""

    laptop: Laptop
    jump: Jump
    hidden: Sshd
    node: Agent

    def run(self, *command: str, name: str = HIDDEN) -> subprocess.CompletedProcess[str]:
        """Run a command on the node behind."""
        return self.laptop.run("run", f"{USER}@{name}", "--", *command)

    def known(self) -> list[str]:
        """What the laptop holds to be the key of the node behind."""
        lines = (self.laptop.own / "known_hosts").read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines if line.startswith(ALIAS + " ")]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlaneThread, Jump, Sshd, Agent]]:
    """A job of eight nodes, of which the first has registered."""
    folder = tmp_path_factory.mktemp("job")
    with PlaneThread() as plane:
        jump = Jump(folder / "jump")
        jump.start()
        hidden = Sshd(folder / "hidden", "127.0.0.7", jump.port).start()
        agent = Agent(plane, aws(plane), folder / "root", folder / "log", extra={"HOME": str(jump.folder)})
        running = {"name": "My-Job", "region": "us-east-1", "nodes": 8}
        plane.call(lambda there: job_records.note(there.store, running))
        tags = {
            contract.TAG_RESOURCE_NAME: "My-Job",
            contract.TAG_RESOURCE_KIND: "training",
            contract.TAG_NODE: "algo-1",
            contract.TAG_HOST_KEY: jump.host_key,
            contract.TAG_PORT: str(jump.port),
        }
        assert agent.cli(*agent.activate(Tags=[{"Key": key, "Value": value} for key, value in tags.items()])).ok
        agent.node_id = agent.paths.registration.read_text().split('"ManagedInstanceID":')[1].split('"')[1]
        agent.start()
        try:
            agent.online()
            yield plane, jump, hidden, agent
        finally:
            agent.stop()
            hidden.stop()
            jump.stop()


@pytest.fixture
def world(job: tuple[PlaneThread, Jump, Sshd, Agent], tmp_path: Path) -> World:
    """A fresh laptop whose key both sshds know."""
    plane, jump, hidden, agent = job
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "SSH_AUTH_SOCK": "", "SSH_KEY": "", **plane.environment()}
    laptop = Laptop(home, env)
    key = public(laptop.make_key()) + "\n"
    jump.keys.write_text(key)
    hidden.keys.write_text(key)
    return World(laptop, jump, hidden, agent)


def test_a_command_runs_on_the_node_behind(world: World) -> None:
    done = world.run("sh", "-c", "echo $SSH_CONNECTION; cat; exit 7")
    assert done.returncode == 7, done.stderr
    assert done.stdout.split()[2:] == ["127.0.0.7", str(world.hidden.port)]
    assert hostkeys.fingerprint(world.hidden.host_key) in done.stderr
    assert world.known() == [world.hidden.host_key]
    again = world.run("echo", "there")
    assert (again.stdout, again.stderr) == ("there\n", "")


def test_plain_ssh_and_scp_reach_it_too(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(world.laptop.run("connect", "--print-config").stdout.replace("User root", f"User {USER}"))
    ssh = ["-F", str(config), "-o", "BatchMode=yes"]
    done = world.laptop.call(["ssh", *ssh, HIDDEN, "cat"], stdin="x" * 300_000)
    assert (done.returncode, len(done.stdout)) == (0, 300_000), done.stderr
    (tmp_path / "file").write_text("content")
    done = world.laptop.call(["scp", *ssh, str(tmp_path / "file"), f"{HIDDEN}:{tmp_path}/copied"])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copied").read_text() == "content"


def test_our_own_copy_reaches_it_with_several_sessions(world: World, tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    for number in range(5):
        (tmp_path / "sent" / str(number)).write_text(str(number) * 1000)
    done = world.laptop.run("cp", str(tmp_path / "sent"), f"{USER}@{HIDDEN}:{tmp_path}/got", timeout=270)
    assert done.returncode == 0, done.stderr
    assert sorted(path.read_text()[:1] for path in (tmp_path / "got").iterdir()) == list("01234")


def test_another_key_on_the_same_node_is_refused(world: World) -> None:
    assert world.run("true").returncode == 0
    private = world.hidden.folder / "host"
    kept = private.read_bytes()
    private.unlink()
    keygen(private)
    world.hidden.stop()
    world.hidden.start()
    try:
        done = world.run("echo", "fooled")
        assert (done.returncode, done.stdout) == (21, "")
        assert "Host key verification failed" in done.stderr
    finally:
        private.write_bytes(kept)
        world.hidden.stop()
        world.hidden.start()


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What we said, without ssh's own words."""
    return [line for line in done.stderr.splitlines() if line.startswith(("sm-ssh: ", "  hint: "))]


def test_a_node_that_does_not_take_our_key(world: World) -> None:
    world.hidden.keys.write_text("")
    done = world.run("true")
    assert done.returncode == 22
    assert lines(done)[0].startswith("sm-ssh: algo-7 has to know your key already")
    assert "SSH_AUTHORIZED_KEYS" in lines(done)[0]


def test_a_node_that_is_down(world: World) -> None:
    world.hidden.stop()
    try:
        done = world.run("true")
    finally:
        world.hidden.start()
    assert done.returncode == 21
    assert (
        f"algo-7, port {world.jump.port}, cannot be reached from {world.node.node_id}: Connection refused"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_a_name_that_the_first_node_does_not_know(world: World) -> None:
    done = world.run("true", name=f"algo-6.{NAME}")
    assert done.returncode == 10
    assert f"{world.node.node_id} does not know a host algo-6" in done.stderr


def test_a_number_that_the_job_does_not_have(world: World) -> None:
    done = world.run("true", name=f"algo-9.{NAME}")
    assert done.returncode == 10
    assert "training job My-Job has 8 nodes, algo-1 to algo-8; there is no algo-9" in done.stderr


def test_a_first_node_that_takes_no_key_says_so(world: World) -> None:
    assert world.run("true").returncode == 0
    world.jump.keys.write_text("")
    done = world.run("true")
    assert done.returncode == 22, done.stderr
    assert any("takes none of our keys" in line for line in lines(done))


def test_what_ends_us_ends_the_way(world: World) -> None:
    process = world.laptop.start(sys.executable, "-m", "sm_ssh_entry.cli.proxy", f"{USER}@{HIDDEN}")
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"SSH-2.0-")
    inner = wait_until(lambda: _children(process.pid), what="the inner ssh")
    process.terminate()
    assert process.wait(timeout=120) == 0
    wait_until(lambda: not any(_lives(pid) for pid in inner), what="the end of the inner ssh")
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(word) for word in found.split()]


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_commands_that_need_a_session_of_its_own_say_so(world: World) -> None:
    done = world.laptop.run("shell", HIDDEN)
    assert done.returncode == 2
    assert world.node.node_id in lines(done)[0]


def test_loopback_has_many_addresses() -> None:
    """What these tests stand on: 127.0.0.7 is this machine, too."""
    with socket.create_server(("127.0.0.7", 0)) as server:
        assert server.getsockname()[0] == "127.0.0.7"
