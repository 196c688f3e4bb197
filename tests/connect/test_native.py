"""Logins by SageMaker's own ways: real ``ssh``, a real sshd, and the stand-in for the agent that SageMaker starts."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from sm_ssh_entry.plane import job_records, native
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect import resources
from tests.connect.world import WITHOUT_SSHD, Laptop, Sshd, keygen, public
from tests.plane.agent.processes import Agent
from tests.plane.scripted import aws
from tests.waiting import wait_until

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")]

USER = getpass.getuser()
REGION = "us-east-1"


@dataclass
class World:
    """A laptop, and an account in which a job trains with remote debug and a space runs with remote access."""

    plane: PlaneThread
    laptop: Laptop
    sshd: Sshd
    space: str

    def run(self, name: str, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self.laptop.run("run", *options, f"{USER}@{name}", "--", *command)

    def known(self, alias: str) -> list[str]:
        """What the laptop holds to be the key of a host."""
        lines = (self.laptop.own / "known_hosts").read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines if line.startswith(alias + " ")]


def _sagemaker(plane: PlaneThread) -> Any:
    environment = plane.environment()
    return botocore.session.get_session().create_client(
        "sagemaker",
        region_name=REGION,
        endpoint_url=plane.url,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def _agent(plane: PlaneThread, folder: Path, target: str, sshd: Sshd) -> Agent:
    """Start what SageMaker would start in the container."""
    agent = Agent(plane, aws(plane), folder / "root", folder / "log", extra={"HOME": str(sshd.folder)})
    made = plane.call(lambda there: native.activate(there.store, target, REGION, port=sshd.port))
    flags = ("-register", "-code", made.code, "-id", made.activation_id, "-region", REGION)
    assert agent.cli(*flags).ok
    agent.start()

    def attached() -> bool:
        node = plane.call(lambda there: there.store.nodes.native(target, REGION))
        return node is not None and node.control is not None

    wait_until(attached, what="the agent")
    return agent


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlaneThread, Sshd, str]]:
    folder = tmp_path_factory.mktemp("account")
    with PlaneThread() as plane:
        sshd = Sshd(folder / "sshd").start()
        variables = {"SSH_PORT": str(sshd.port)}
        fields: dict[str, Any] = {"name": "j", "region": REGION, "native": True, "request": {"Environment": variables}}
        plane.call(lambda there: job_records.note(there.store, fields))
        sagemaker = _sagemaker(plane)
        domain = resources.domain(sagemaker)
        resources.space(sagemaker, domain, "desk")
        space = str(sagemaker.describe_space(DomainId=domain, SpaceName="desk")["SpaceArn"])
        agents = [
            _agent(plane, folder / str(number), target, sshd)
            for number, target in enumerate(("sagemaker-training-job:j_algo-1", space))
        ]
        try:
            yield plane, sshd, f"desk.{domain}.studio.sagemaker"
        finally:
            for agent in agents:
                agent.stop()
            sshd.stop()


@pytest.fixture
def world(account: tuple[PlaneThread, Sshd, str], tmp_path: Path) -> World:
    """A fresh laptop whose key the sshd knows."""
    plane, sshd, space = account
    home = tmp_path / "home"
    home.mkdir()
    laptop = Laptop(home, {"HOME": str(home), "SSH_AUTH_SOCK": "", "SSH_KEY": "", **plane.environment()})
    sshd.keys.write_text(public(laptop.make_key()) + "\n")
    plane.plane.faults.reset()
    return World(plane, laptop, sshd, space)


def documents(plane: PlaneThread) -> list[str]:
    """Documents of the sessions so far."""
    return plane.call(lambda there: [session.document.name for session in there.store.sessions.values()])


@pytest.mark.parametrize("options", [(), ("--via", "native")])
def test_ssh_into_a_job_with_remote_debug(world: World, options: tuple[str, ...]) -> None:
    done = world.run("j.training.sagemaker", "sh", "-c", "echo there; exit 7", options=options)
    assert (done.returncode, done.stdout) == (7, "there\n"), done.stderr
    assert "seen for the first time" in done.stderr
    assert world.known("j.training.sagemaker") == [world.sshd.host_key]
    again = world.run("j.training.sagemaker", "echo", "again", options=options)
    assert (again.stdout, again.stderr) == ("again\n", "")


def test_a_space_with_remote_access(world: World) -> None:
    done = world.run(world.space, "echo", "there")
    assert (done.returncode, done.stdout) == (0, "there\n"), done.stderr
    shell = world.laptop.run("shell", world.space)
    assert shell.returncode == 2
    assert "carries ssh alone" in shell.stderr


@pytest.mark.parametrize("code", ["InvalidDocument", "AccessDeniedException"])
def test_where_the_document_for_ssh_is_refused_its_port_is_forwarded(world: World, code: str) -> None:
    """One connection at a time, so that there is nothing around the stream of ssh."""
    world.plane.plane.faults.add("StartSession", code, times=1)
    text = "x" * 200_000
    done = world.laptop.run("run", f"{USER}@j.training.sagemaker", "--", "cat", stdin=text)
    assert (done.returncode, done.stdout) == (0, text), done.stderr
    assert documents(world.plane)[-1] == "AWS-StartPortForwardingSession"


def test_another_key_in_the_same_container_is_refused(world: World) -> None:
    assert world.run("j.training.sagemaker", "true").returncode == 0
    private = world.sshd.folder / "host"
    kept = private.read_bytes()
    private.unlink()
    keygen(private)
    world.sshd.stop()
    world.sshd.start()
    try:
        done = world.run("j.training.sagemaker", "echo", "fooled")
        assert (done.returncode, done.stdout) == (21, "")
        assert "Host key verification failed" in done.stderr
    finally:
        private.write_bytes(kept)
        world.sshd.stop()
        world.sshd.start()


def test_a_key_that_the_job_was_not_given(world: World) -> None:
    world.sshd.keys.write_text("")
    done = world.run("j.training.sagemaker", "true")
    assert done.returncode == 22
    assert "takes none of our keys" in done.stderr


def test_a_shell_needs_neither_key_nor_sshd(world: World) -> None:
    done = world.laptop.run("shell", "--via", "native", "j.training.sagemaker", stdin="echo $((40 + 2))\nexit\n")
    assert done.returncode == 0, done.stderr
    assert "42" in done.stdout
