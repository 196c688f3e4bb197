"""``sm-ssh forward`` to real servers through real data channels: what arrives, what ends, and what is left behind."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.forwarded import closed_port, connect, content, echo, forwarding, pages, read, serving
from tests.end_to_end.machine import SM_SSH, Job, Machine
from tests.end_to_end.relay import Relay
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("forwards", "sleep", "900")
    job.online()
    yield job
    job.kill()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def sessions(machine: Machine, job: Job, state: str = "Active") -> list[str]:
    """The sessions of a node, as the service lists them."""
    node_id = job.saw(r"Managed instance-id: (mi-[0-9a-f]{17})").group(1)
    script = (
        "import sys; from sm_ssh_entry import aws; "
        "test = [{'key': 'Target', 'value': sys.argv[2]}]; "
        "found = aws.client('ssm').describe_sessions(State=sys.argv[1], Filters=test); "
        "print(*(one['SessionId'] for one in found['Sessions']))"
    )
    done = machine.call([SM_SSH[0], "-c", script, state, node_id])
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def get(port: int, name: str, size: int) -> bool:
    """Get a page over a connection of its own; return whether it is the right one."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
    try:
        client.request("GET", f"/{size}/{name}")
        return hashlib.sha256(client.getresponse().read()).digest() == hashlib.sha256(content(name, size)).digest()
    finally:
        client.close()


@pytest.mark.parametrize("most", ["1", "4"])
def test_a_page_with_thirty_parallel_requests_loads(machine: Machine, job: Job, log: Path, most: str) -> None:
    with pages() as port, forwarding(machine, job.host, f"0:{port}", "--sessions", most, log=log) as forward:
        wanted = [(forward.ports[0], f"part-{number}", number * number * 331) for number in range(30)]
        with ThreadPoolExecutor(30) as pool:
            assert list(pool.map(lambda one: get(*one), wanted)) == [True] * 30
        # Again, over sessions that have carried something.
        assert get(forward.ports[0], "again", 12_345)
    assert forward.log == ""


def test_a_hundred_connections_at_once_and_none_lost(machine: Machine, job: Job, log: Path) -> None:
    with serving(echo) as port, forwarding(machine, job.host, f"0:{port}", log=log) as forward:
        opened = [connect(forward.ports[0]) for _ in range(100)]
        texts = [content(f"connection {number}", 3000 + number) for number in range(100)]
        # All are open before the first is read; then each gives back what it alone was given, and again.
        for turn in range(2):
            for one, text in zip(opened, texts, strict=True):
                one.sendall(text)
            for number, (one, text) in enumerate(zip(opened, texts, strict=True)):
                assert read(one, len(text)) == text, (turn, number)
        for one in opened:
            one.close()
        assert 1 < len(sessions(machine, job)) <= 4


def test_four_mebibytes_up_and_down(machine: Machine, job: Job, log: Path) -> None:
    data = content("four", 4 << 20)

    def count(connection: socket.socket) -> None:
        connection.sendall(hashlib.sha256(read(connection, len(data))).digest())
        connection.sendall(data)

    with (
        serving(count) as port,
        forwarding(machine, job.host, f"0:{port}", log=log) as forward,
        connect(forward.ports[0]) as one,
    ):
        one.sendall(data)
        assert read(one, 32) == hashlib.sha256(data).digest()
        assert read(one, len(data) + 1) == data


def test_an_idle_connection_is_not_harmed_by_bulk_beside_it(machine: Machine, job: Job, log: Path) -> None:
    def both(connection: socket.socket) -> None:
        """Echo; to ``!`` alone answer with very much."""
        while word := connection.recv(7):
            connection.sendall(content("bulk", 2 << 20) if word == b"!" else word)

    def load(port: int) -> bool:
        with connect(port) as one:
            one.sendall(b"!")
            return read(one, 2 << 20) == content("bulk", 2 << 20)

    with (
        serving(both) as port,
        forwarding(machine, job.host, f"0:{port}", "--sessions", "1", log=log) as forward,
        connect(forward.ports[0]) as idle,
    ):
        idle.sendall(b"hello")
        assert read(idle, 5) == b"hello"
        with ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load, forward.ports[0]) for _ in range(4)]
            for number in range(20):
                word = f"ping {number:02}".encode()
                idle.sendall(word)
                assert read(idle, 7) == word
            assert all(one.result() for one in loads)
        idle.sendall(b"still")
        assert read(idle, 5) == b"still"


def test_the_network_is_cut_in_between(machine: Machine, job: Job, log: Path) -> None:
    data = content("cut", 2 << 20)
    with serving(echo) as port, Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        env = {"AWS_ENDPOINT_URL": relay.url}
        with forwarding(machine, job.host, f"0:{port}", "--sessions", "1", log=log, env=env) as forward:
            with connect(forward.ports[0]) as one, connect(forward.ports[0]) as other:
                writer = threading.Thread(target=one.sendall, args=(data,))
                writer.start()
                found = read(one, 500_000)
                relay.cut()
                forward.saw("is lost, resuming")
                relay.mend()
                found += read(one, len(data) - len(found))
                writer.join()
                assert found == data
                other.sendall(b"other")
                assert read(other, 5) == b"other"
            forward.saw("resumed the connection")
            assert forward.log.count("\n") == 2


def test_ctrl_c_ends_it_while_the_network_is_gone(machine: Machine, log: Path) -> None:
    # On a node of its own: without a network the session can only be left to the service's own patience.
    job = machine.job("cut-off", "sleep", "900")
    job.online()
    with serving(echo) as port, Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        env = {"AWS_ENDPOINT_URL": relay.url}
        with forwarding(machine, job.host, f"0:{port}", log=log, env=env) as forward, connect(forward.ports[0]) as one:
            one.sendall(b"x")
            assert read(one, 1) == b"x"
            relay.cut()
            # More than the window and every buffer takes: somebody is in the midst of sending.
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    one.send(bytes(1 << 16))
            forward.saw("is lost, resuming")
            assert forward.end(signal.SIGINT) == 130
            relay.mend()
    job.kill()


def test_a_refused_port_closes_the_connection_and_not_the_session(machine: Machine, job: Job, log: Path) -> None:
    port = closed_port()
    with forwarding(machine, job.host, f"0:{port}", log=log) as forward:
        before = sessions(machine, job)
        for _ in range(20):
            with connect(forward.ports[0]) as one:
                assert read(one, 1) == b""
        forward.saw(f"nothing answers at {job.host}:{port}")
        assert 1 <= forward.log.count("\n") < 20
        with serving(echo, port), connect(forward.ports[0]) as one:
            one.sendall(b"now")
            assert read(one, 3) == b"now"
        assert set(sessions(machine, job)) >= set(before)


def test_a_session_that_is_over_is_replaced_for_the_next_connection(machine: Machine, job: Job, log: Path) -> None:
    with serving(echo) as port, forwarding(machine, job.host, f"0:{port}", log=log) as forward:
        one = connect(forward.ports[0])
        one.sendall(b"one")
        assert read(one, 3) == b"one"
        (first,) = sessions(machine, job)
        script = "import sys; from sm_ssh_entry import aws; aws.client('ssm').terminate_session(SessionId=sys.argv[1])"
        assert machine.call([SM_SSH[0], "-c", script, first]).returncode == 0
        # Whoever was connected must not take it for the server's end.
        with pytest.raises(ConnectionResetError):
            one.recv(1)
        one.close()
        forward.saw("the session is over")
        with connect(forward.ports[0]) as two:
            two.sendall(b"two")
            assert read(two, 3) == b"two"
            assert first not in sessions(machine, job)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_no_session(machine: Machine, job: Job, log: Path, number: int) -> None:
    with serving(echo) as port, forwarding(machine, job.host, f"0:{port}", f"0:{port}", log=log) as forward:
        with connect(forward.ports[0]) as one:
            one.sendall(b"x")
            assert read(one, 1) == b"x"
            assert len(sessions(machine, job)) == 2
            assert forward.end(number) == 128 + number
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
        assert forward.log == ""
        wait_until(lambda: not sessions(machine, job), what="no session left")


def test_a_command_runs_meanwhile_and_its_status_is_ours(machine: Machine, job: Job) -> None:
    with pages() as port:
        script = (
            "import os, sys, urllib.request; e = os.environ; "
            "assert e['SM_SSH_FORWARD_PORT'] == e['SM_SSH_FORWARD_PORT_1']; "
            "read = lambda p: urllib.request.urlopen(f'http://127.0.0.1:{p}/5/x').read(); "
            "assert read(e['SM_SSH_FORWARD_PORT_1']) == read(e['SM_SSH_FORWARD_PORT_2']); "
            "print(sys.argv[1]); sys.exit(7)"
        )
        words = [f"0:{port}", f"0:{port}", "--", SM_SSH[0], "-c", script, "--sessions"]
        done = machine.run("forward", job.host, *words)
    assert (done.returncode, done.stdout) == (7, "--sessions\n"), done.stderr
    # What is forwarded is said where it does not mix with the command's output.
    assert done.stderr.count(" -> ") == 2
    wait_until(lambda: not sessions(machine, job), what="no session left")
    done = machine.run("forward", job.host, f"0:{port}", "--", "no-such-program-here")
    assert done.returncode == 23


def test_what_cannot_be_is_said_in_one_line(machine: Machine, job: Job) -> None:
    with serving(echo) as taken:
        done = machine.run("forward", job.host, f"{taken}:80")
        assert done.returncode == 2
        assert f"127.0.0.1:{taken}, wanted for {job.host}:80, is taken" in done.stderr
        assert "Traceback" not in done.stderr
    done = machine.run("forward", job.host, "0:169.254.169.254:80")
    assert (done.returncode, done.stdout) == (21, "")
    assert "Forwarding to IP address 169.254.169.254 is forbidden." in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = machine.run("forward", "no-such-job.training.sagemaker", "80")
    assert done.returncode == 10
    assert sessions(machine, job) == []


def test_an_agent_that_is_gone_is_said_and_the_port_stays(machine: Machine, log: Path) -> None:
    gone = machine.job("goes", "sleep", "900")
    gone.online()
    with serving(echo) as port, forwarding(machine, gone.host, f"0:{port}", log=log) as forward:
        # In good order: the service hears that the container has ended. It would miss a killed one a minute later.
        gone.process.terminate()
        gone.end(60)
        forward.saw("the session is over")

        def turned_away() -> bool:
            with connect(forward.ports[0]) as one, pytest.raises(ConnectionResetError):
                one.recv(1)
            return "trying again" in forward.log

        wait_until(turned_away, 30, what="a line")
        assert forward.process.poll() is None
        assert forward.log.count("trying again") == 1


def test_other_machines_only_when_asked_for(machine: Machine, job: Job, log: Path) -> None:
    words = ["0.0.0.0:0:80", "*:0:80", "0:80"]
    with forwarding(machine, job.host, *words, log=log) as forward:
        assert forward.log.count("is open to other machines") == 2
        assert [one["bind"] for one in forward.announced["forwards"]] == ["0.0.0.0", "*", "127.0.0.1"]
        # proc(5): local address and port in hexadecimal, 0A: it listens.
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {int(row[1][9:], 16): row[1][:8] for row in rows if row[3] == "0A"}
        assert [listening.get(port) for port in forward.ports] == ["00000000", "00000000", "0100007F"]


def test_plain_lines_for_scripts(machine: Machine, job: Job) -> None:
    with serving(echo) as port:
        process = subprocess.Popen(
            [*SM_SSH, "forward", job.host, f"0:{port}"], env=machine.env, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as lines:
            here, there = lines.readline().rstrip("\n").split(" -> ")
            assert there == f"{job.host}:{port}"
            with socket.create_connection(("127.0.0.1", int(here.rpartition(":")[2])), timeout=120) as one:
                one.sendall(b"x")
                assert read(one, 1) == b"x"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 130
