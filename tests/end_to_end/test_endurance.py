"""What a session and a node survive: a bad network, killed agents, many logins at once, a thousand sessions."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.machine import SM_SSH, Job, Machine, fault, processes
from tests.end_to_end.relay import Relay
from tests.waiting import wait_until

COPY_BYTES = 64 << 20


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("endures", "sleep", "900")
    job.online()
    assert machine.run("run", job.host, "--", "true").returncode == 0
    yield job
    job.kill()


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("payload") / "data"
    path.write_bytes(os.urandom(COPY_BYTES))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def copy_through(  # noqa: PLR0917 - what to copy, through what, and where to
    machine: Machine, job: Job, relay: Relay, payload: Path, out: Path, up: bool
) -> subprocess.Popen[bytes]:
    """Start a copy whose data channel goes through the relay: up, the sum that the node counts; down, the data."""
    env = {**machine.env, "AWS_ENDPOINT_URL": relay.url}
    words = ["sha256sum"] if up else [f"cat {payload}"]
    with (payload if up else Path(os.devnull)).open("rb") as source, out.open("wb") as sink:
        return subprocess.Popen([*SM_SSH, "run", job.host, "--", *words], env=env, stdin=source, stdout=sink)


def sum_of(out: Path, up: bool) -> str:
    return out.read_text().split()[0] if up else digest(out)


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_copy_survives_a_relay_that_is_cut_for_ten_seconds(
    machine: Machine, job: Job, payload: Path, tmp_path: Path, up: bool
) -> None:
    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        copy = copy_through(machine, job, relay, payload, tmp_path / "out", up)
        wait_until(lambda: relay.passed > COPY_BYTES // 8, 60, what="an eighth of the copy")
        relay.cut()
        assert copy.poll() is None
        threading.Event().wait(10)  # the cut itself: its length is what is tested
        relay.mend()
        copy.wait(timeout=120)
    assert copy.returncode == 0
    assert sum_of(tmp_path / "out", up) == digest(payload)


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_copy_survives_loss_reordering_and_duplicates(
    machine: Machine, job: Job, payload: Path, tmp_path: Path, up: bool
) -> None:
    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        relay.weather.loss = relay.weather.duplicates = relay.weather.reordering = 0.05
        copy = copy_through(machine, job, relay, payload, tmp_path / "out", up)
        copy.wait(timeout=180)
        assert min(relay.lost, relay.doubled, relay.swapped) > 10
    assert copy.returncode == 0
    assert sum_of(tmp_path / "out", up) == digest(payload)


class Conversation:
    """An ``ssh`` session whose line goes through a relay, and a command there that answers each line."""

    def __init__(self, machine: Machine, job: Job, relay: Relay) -> None:
        proxy = shlex.join([sys.executable, "-m", "tests.end_to_end.impatient_proxy", job.host])
        words = ["connect", job.host, "-T", "-o", f"ProxyCommand={proxy}", "--", "while read x; do echo got $x; done"]
        root = str(Path(__file__).resolve().parents[2])
        self.process = subprocess.Popen(
            [*SM_SSH, *words],
            env={**machine.env, "AWS_ENDPOINT_URL": relay.url, "PYTHONPATH": root},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.said = ""
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Conversation:
        self.say("hello")
        assert self.hears() == "got hello"
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=120)
        finally:
            self.process.kill()
            self._thread.join(timeout=120)
            for pipe in (self.process.stdout, self.process.stderr):
                assert pipe is not None
                pipe.close()

    def say(self, line: str) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def hears(self) -> str:
        """Wait for the answer."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line


@pytest.fixture
def relay(machine: Machine) -> Iterator[Relay]:
    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        yield relay


def silent_for_a_while(relay: Relay, ssh: Conversation) -> None:
    """Freeze the network until somebody has noticed and wants another connection."""
    asked, opened = relay.asked, relay.opened
    relay.freeze()
    ssh.say(f"over gap {opened}")
    wait_until(lambda: relay.asked > asked, 20, what="somebody who noticed")
    relay.thaw()
    assert ssh.hears() == f"got over gap {opened}"
    assert relay.opened > opened


def test_ssh_does_not_notice_a_network_that_was_silent_for_a_while(machine: Machine, job: Job, relay: Relay) -> None:
    """No connection is closed, nothing is answered: a cable that was out, a network that was changed."""
    with Conversation(machine, job, relay) as ssh:
        silent_for_a_while(relay, ssh)
        silent_for_a_while(relay, ssh)
    assert (ssh.process.returncode, ssh.said) == (0, "")


def test_ssh_does_not_notice_a_node_that_was_silent_for_a_while(machine: Machine, job: Job, relay: Relay) -> None:
    """The service answers all the while; it is the messages that do not get through."""
    with Conversation(machine, job, relay) as ssh:
        opened = relay.opened
        relay.weather.loss = 1.0
        ssh.say("into nothing")
        wait_until(lambda: relay.opened > opened, 20, what="another connection beside the first")
        relay.weather.loss = 0.0
        assert ssh.hears() == "got into nothing"
    assert (ssh.process.returncode, ssh.said) == (0, "")


def test_credentials_that_ran_out_meanwhile_are_read_anew(machine: Machine, job: Job, relay: Relay) -> None:
    with Conversation(machine, job, relay) as ssh:
        fault(machine, operation="ResumeSession", code="ExpiredTokenException", times=1)
        relay.cut()
        relay.mend()
        ssh.say("renewed")
        assert ssh.hears() == "got renewed"
        assert ssh.said == ""
        fault(machine, operation="ResumeSession", code="ExpiredTokenException")
        relay.cut()
        relay.mend()
        ssh.say("renewed late")
        wait_until(lambda: "expired" in ssh.said, 20, what="a word to the user")
        fault(machine)
        assert ssh.hears() == "got renewed late"
    assert ssh.process.returncode == 0
    assert ssh.said.count("sm-ssh:") == 1


def agents(job: Job) -> list[int]:
    """Return the processes of the node's agent, the oldest first."""
    return sorted(
        processes(lambda words, env: "plane.agent" in words and job.host.split(".")[0] in env.get("SM_SSH_ROOT", ""))
    )


@pytest.mark.parametrize("which", ["core", "worker"])
def test_killed_agent_comes_back_and_the_job_does_not_notice(machine: Machine, job: Job, which: str) -> None:
    before = agents(job)
    assert len(before) >= 2
    victim = before[0] if which == "core" else before[1]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in agents(job), what="the killed agent gone")

    def logs_in() -> bool:
        return machine.run("run", job.host, "--", "true").returncode == 0

    wait_until(logs_in, 60, every=0.2, what="a login after the kill")
    assert job.process.poll() is None


def test_fifty_logins_at_once(machine: Machine, job: Job) -> None:
    def login(number: int) -> tuple[int, str]:
        done = machine.run("run", job.host, "--", "echo", str(number), timeout=180)
        return done.returncode, done.stdout.strip()

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(login, range(50))) == [(0, str(i)) for i in range(50)]
