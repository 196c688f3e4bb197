"""Logins with the system's ``ssh`` to a real sshd, through the plane and the stand-in agent."""

from __future__ import annotations

import getpass
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.plane.server import Plane, PlaneThread
from tests.connect.world import WITHOUT_SSHD, Laptop, Sshd, keygen
from tests.plane.agent.processes import Agent
from tests.plane.scripted import aws
from tests.waiting import wait_until

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")]

USER = getpass.getuser()
NAME = "My-Job.training.sagemaker"
HOST = f"{USER}@{NAME}"


@dataclass
class World:
    """A laptop, and a node on which an sshd runs."""

    plane: PlaneThread
    laptop: Laptop
    sshd: Sshd
    node: Agent

    def commands(self) -> int:
        """How many Run Commands there were."""
        return self.plane.call(lambda plane: len(plane.store.commands))

    def open_sessions(self) -> int:
        """How many sessions the plane still holds open."""

        def count(plane: Plane) -> int:
            return sum(
                session.status.value not in ("Terminated", "Failed") for session in plane.store.sessions.values()
            )

        return self.plane.call(count)

    def config(self) -> Path:
        """Write what ``--print-config`` prints, for our user, and return the file."""
        printed = self.laptop.run("connect", "--print-config")
        assert printed.returncode == 0, printed.stderr
        path = self.laptop.home / "config"
        path.write_text(printed.stdout.replace("User root", f"User {USER}"))
        return path

    def ssh(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run plain ``ssh`` with that configuration."""
        return self.laptop.call(["ssh", "-F", str(self.config()), "-o", "BatchMode=yes", *words], stdin=stdin)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlaneThread, Sshd, Agent]]:
    """A plane, an sshd, and a stand-in agent that is Online with the sshd in its tags."""
    folder = tmp_path_factory.mktemp("node")
    with PlaneThread() as plane:
        sshd = Sshd(folder / "sshd").start()
        agent = Agent(plane, aws(plane), folder / "root", folder / "log", extra={"HOME": str(sshd.folder)})
        tags = {
            contract.TAG_RESOURCE_NAME: "My-Job",
            contract.TAG_RESOURCE_KIND: "training",
            contract.TAG_NODE: "algo-1",
            contract.TAG_HOST_KEY: sshd.host_key,
            contract.TAG_PORT: str(sshd.port),
        }
        flags = agent.activate(Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
        assert agent.cli(*flags).ok
        agent.node_id = agent.paths.registration.read_text().split('"ManagedInstanceID":')[1].split('"')[1]
        agent.start()
        try:
            agent.online()
            yield plane, sshd, agent
        finally:
            agent.stop()
            sshd.stop()


@pytest.fixture
def world(node: tuple[PlaneThread, Sshd, Agent], tmp_path: Path) -> World:
    """A fresh laptop that the node has never seen."""
    plane, sshd, agent = node
    sshd.keys.write_text("")
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "SSH_AUTH_SOCK": "", "SSH_KEY": "", **plane.environment()}
    return World(plane, Laptop(home, env), sshd, agent)


def test_the_first_login_makes_a_key_pushes_it_and_pins_the_host_key(world: World) -> None:
    first = world.ssh(NAME, "echo hello; echo warned >&2; exit 7")
    assert (first.returncode, first.stdout, first.stderr) == (7, "hello\n", "warned\n")
    assert world.sshd.keys.read_text().split()[:2] == (world.laptop.own / "id_ed25519.pub").read_text().split()[:2]
    known = (world.laptop.own / "known_hosts").read_text().splitlines()
    assert sorted(known) == sorted(
        f"{name} {world.sshd.host_key}" for name in ("my-job.training.sagemaker", world.node.node_id)
    )
    before = world.commands()
    assert world.ssh(NAME, "true").returncode == 0
    assert world.commands() == before
    wait_until(lambda: world.open_sessions() == 0, what="the end of every session")


@pytest.mark.parametrize("name", ["algo-1." + NAME, "id"])
def test_other_names_of_the_node(world: World, name: str) -> None:
    name = world.node.node_id if name == "id" else name
    assert world.ssh(name, "echo here").stdout == "here\n"
    assert world.laptop.run("run", f"{USER}@{name}", "--", "echo", "here").stdout == "here\n"


@pytest.mark.parametrize("status", [0, 7, 21, 255])
def test_run_ends_with_the_remote_status(world: World, status: int) -> None:
    done = world.laptop.run("run", HOST, "--", f"exit {status}")
    assert (done.returncode, done.stderr) == (status, "")


def test_run_tells_a_signal_as_a_shell_does(world: World) -> None:
    assert world.laptop.run("run", HOST, "--", "sh", "-c", "kill -TERM $$").returncode == 143


def test_run_hands_words_over_as_they_are_and_keeps_streams_apart(world: World) -> None:
    words = ["a b", "$HOME", "it's", '"', "\\", "*", "größe", ""]
    script = "for word; do printf '%s\\0' \"$word\"; done; cat; echo err >&2"
    done = world.laptop.run("run", HOST, "--", "sh", "-c", script, "sh", *words, stdin="input")
    assert done.stdout == "".join(word + "\0" for word in words) + "input"
    assert (done.returncode, done.stderr) == (0, "err\n")


def test_run_moves_much_data_unchanged(world: World) -> None:
    text = hashlib.shake_256(b"much").hexdigest(1 << 20)
    done = world.laptop.run("run", HOST, "--", "cat", stdin=text)
    assert done.stdout == text


def test_connect_hands_options_and_command_to_ssh(world: World) -> None:
    done = world.laptop.run(
        "connect", HOST, "-T", "-o", "SendEnv=NONE", "-oBatchMode=yes", "--", "echo", "there; exit 3"
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "there\n", "")


@pytest.mark.parametrize(
    "command", [["connect", "nobody.training.sagemaker", "true"], ["run", "nobody.training.sagemaker", "true"]]
)
def test_an_unknown_job_is_one_line_a_hint_and_its_own_status(world: World, command: list[str]) -> None:
    done = world.laptop.run(*command)
    assert (done.returncode, done.stdout) == (10, "")
    lines = [line for line in done.stderr.splitlines() if "onnection closed by" not in line]  # ssh's own words
    assert lines[0].startswith("sm-ssh: there is no training job nobody")
    assert lines[1].startswith("  hint: ")
    assert len(lines) == 2


def test_plain_ssh_shows_the_line_before_its_own_255(world: World) -> None:
    done = world.ssh("nobody.training.sagemaker", "true")
    assert done.returncode == 255
    assert done.stderr.startswith("sm-ssh: there is no training job nobody")


def test_a_host_key_that_is_not_the_nodes_is_refused(world: World) -> None:
    assert world.laptop.run("run", HOST, "--", "true").returncode == 0
    private = world.sshd.folder / "host"
    kept = private.read_bytes()
    private.unlink()
    keygen(private)
    world.sshd.stop()
    world.sshd.start()
    try:
        done = world.laptop.run("run", HOST, "--", "echo", "fooled")
        assert (done.returncode, done.stdout) == (21, "")
        assert "Host key verification failed" in done.stderr
        plain = world.ssh(NAME, "echo fooled")
        assert (plain.returncode, plain.stdout) == (255, "")
        assert "Host key verification failed" in plain.stderr
        fresh = Laptop(world.laptop.home / "other", {**world.laptop.env, "HOME": str(world.laptop.home / "other")})
        fresh.home.mkdir()
        assert fresh.run("run", HOST, "--", "echo", "fooled").returncode == 21
    finally:
        private.write_bytes(kept)
        world.sshd.stop()
        world.sshd.start()


def test_a_second_users_key_is_refused(world: World) -> None:
    assert world.laptop.run("run", HOST, "--", "true").returncode == 0
    other = world.laptop.home / "other-key"
    keygen(other)
    config = world.config()
    config.write_text("\n".join(line for line in config.read_text().splitlines() if "IdentityFile" not in line) + "\n")
    argv = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", str(other), NAME, "true"]
    done = world.laptop.call(argv)
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_a_key_that_the_node_lost_is_said_to_be_refused(world: World) -> None:
    assert world.laptop.run("run", HOST, "--", "true").returncode == 0
    world.sshd.keys.write_text("")
    done = world.laptop.run("run", HOST, "--", "true")
    assert done.returncode == 22
    assert "takes none of our keys" in done.stderr


def test_an_sshd_that_is_down_is_said_to_be(world: World) -> None:
    world.sshd.stop()
    try:
        done = world.laptop.run("run", HOST, "--", "true")
        assert done.returncode == 21, done.stderr
        assert done.stderr.startswith("sm-ssh: ")
        assert "Traceback" not in done.stderr
    finally:
        world.sshd.start()


def test_many_at_once(world: World) -> None:
    assert world.laptop.run("run", HOST, "--", "true").returncode == 0

    def login(number: int) -> str:
        return world.laptop.run("run", HOST, "--", "echo", str(number), timeout=180).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(login, range(8))) == [f"{number}\n" for number in range(8)]
    wait_until(lambda: world.open_sessions() == 0, what="the end of every session")


def test_over_tls_with_an_authority_of_its_own(world: World) -> None:
    world.laptop.env.update(world.plane.environment(tls=True))
    done = world.laptop.run("run", HOST, "--", "echo", "sealed")
    assert (done.returncode, done.stdout) == (0, "sealed\n"), done.stderr


def test_a_debug_log_shows_the_protocol_and_no_secret(world: World) -> None:
    world.laptop.env["SM_SSH_DEBUG"] = "1"
    done = world.laptop.run("run", HOST, "--", "echo", "sealed-value")
    assert done.returncode == 0
    assert "output_stream_data" in done.stderr
    secrets = [world.laptop.env["AWS_SECRET_ACCESS_KEY"], "sealed-value"]
    secrets += world.plane.call(lambda plane: [str(token) for token in plane.store.tokens.__dict__.get("_tokens", {})])
    assert not [secret for secret in secrets if secret and secret in done.stderr]


def test_stop_waiting_says_who_was_released(world: World) -> None:
    script = world.node.root / "opt/sm-ssh/bin/sm-wait"
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/sh\n[ "$1" = stop ] || exit 9\necho "released 4711: train --epochs 3"\n')
    script.chmod(0o755)
    done = world.laptop.run("stop-waiting", NAME)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"algo-1.{NAME} ({world.node.node_id}): released 4711: train --epochs 3\n"
    script.write_text("#!/bin/sh\necho nobody waits here >&2\nexit 1\n")
    done = world.laptop.run("stop-waiting", NAME)
    assert done.returncode == 1
    assert "nobody waits here" in done.stderr


def test_the_entry_in_the_container_takes_the_key_where_it_is_there(world: World) -> None:
    script = world.node.root / "opt/sm-ssh/bin/sm-ssh-entry"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f'#!/bin/sh\necho "$2" >> {world.sshd.keys}; echo "$1" >> {world.sshd.folder}/asked\n')
    script.chmod(0o755)
    try:
        assert world.laptop.run("run", HOST, "--", "true").returncode == 0
        assert (world.sshd.folder / "asked").read_text() == "authorize\n"
        script.write_text("#!/bin/sh\necho not a key >&2\nexit 2\n")
        (world.laptop.own / "authorized").unlink()
        refused = world.laptop.run("run", HOST, "--", "true")
        assert refused.returncode == 22
        assert "not a key" in refused.stderr
    finally:
        script.unlink()


def test_the_proxy_reports_without_ssh_too(world: World) -> None:
    argv = [sys.executable, "-m", "sm_ssh_entry.cli.main", "start-proxy", "nobody.training.sagemaker"]
    done = world.laptop.call(argv)
    assert (done.returncode, done.stdout) == (10, "")
