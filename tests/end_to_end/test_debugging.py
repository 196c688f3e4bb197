"""Debugging a job from the laptop: threads of a stuck one, its command again, debuggers both ways."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.debuggers import DebugAdapterClient, PydevdServer
from tests.end_to_end.forwarded import closed_port, forwarding
from tests.end_to_end.machine import SM_SSH, Job, Machine
from tests.end_to_end.terminal import UserTerminal
from tests.waiting import wait_until

# Runs until Ctrl-C, and shows what it has of the job.
TRAIN = """
import os, sys, threading, time
def wait_for_batch():
    lock.acquire()
lock = threading.Lock()
lock.acquire()
print("training", sys.argv[1:], os.getcwd(), os.environ["FLAVOUR"], sys.stdout.isatty(), flush=True)
threading.Thread(target=wait_for_batch, name="loader", daemon=True).start()
try:
    wait_for_batch()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(9)
"""
LOOP = """
import time
def train(epoch):
    loss = 100 - epoch
    return loss
epoch = 0
while epoch < 10**6:
    train(epoch)
    epoch += 1
    time.sleep(0.02)
"""
CALLS = """
import sys
import pydevd_pycharm
def train(batch):
    pydevd_pycharm.settrace("127.0.0.1", port=int(sys.argv[1]), suspend=True)
    loss = batch * 2
    return loss
print("loss", train(21), flush=True)
"""


@pytest.fixture(scope="module")
def held(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Path]]:
    script = tmp_path_factory.mktemp("code") / "train.py"
    script.write_text("raise SystemExit(3)\n")
    command = (sys.executable, str(script), "--batch", "two  words")
    job = machine.job(
        "held",
        *command,
        options=("--wait", "900", "--env", "FLAVOUR=plain", "--env", "SSH_HOLD_ON_FAILURE_SECONDS=900"),
    )
    job.online()
    yield job, script
    job.kill()


def test_from_an_edit_to_an_outcome(machine: Machine, held: tuple[Job, Path]) -> None:
    job, script = held
    # Held before its start: the command fails, is edited, and runs on the laptop's terminal.
    assert machine.run("rerun", job.host).returncode == 3
    script.write_text(TRAIN)
    with UserTerminal([*SM_SSH, "rerun", job.host], machine.env) as terminal:
        begun = terminal.saw(r"training \['--batch', 'two  words'\] /\S+ plain True")
        done = machine.run("run", job.host, "--", "sm-ssh-entry", "dump")
        assert done.returncode == 0, done.stderr
        # What a rerun has started is the job's; the job's own command has not been started.
        assert len(re.findall("^process", done.stdout, re.MULTILINE)) == 1
        assert re.search(rf"^process \d+: {Path(sys.executable).name} {script}$", done.stdout, re.MULTILINE)
        assert "two  words" not in done.stdout
        assert re.search(r"thread \d+ loader \(idle\)\n    wait_for_batch \(", done.stdout)
        other = machine.run("rerun", job.host)
        assert (other.returncode, "another rerun is running" in other.stderr) == (2, True)
        terminal.type("\x03")
        terminal.saw("interrupted", after=begun)
        assert terminal.end() == 9
    # Another command in its place, by words and by a line; through plain sm-ssh run too.
    done = machine.run("rerun", job.host, "--node", "algo-1", "--", "printenv", "FLAVOUR")
    assert (done.returncode, done.stdout) == (0, "plain\n"), done.stderr
    done = machine.run("rerun", job.host, "--", 'echo "$FLAVOUR" | tr a-z A-Z; exit 4')
    assert (done.returncode, done.stdout) == (4, "PLAIN\n"), done.stderr
    done = machine.run("run", job.host, "--", "sm-ssh-entry", "rerun", "--", "pwd")
    assert (done.returncode, done.stdout.startswith("/")) == (0, True), done.stderr
    # Released, it fails, and is held: the log says how to get in, for how long, and what ends it.
    script.write_text("raise SystemExit(5)\n")
    machine.run("run", job.host, "--", "sm-wait", "stop")
    line = job.saw(r"the command failed with 5; the container stays for 900 s.*")[0]
    assert f"sm-ssh connect {job.host} gets in" in line
    assert "sm-wait stop ends it" in line
    done = machine.run("run", job.host, "--", "sm-ssh-entry", "dump")
    assert (done.returncode, "the job has no Python process" in done.stderr) == (10, True)
    assert machine.run("rerun", "--finish", job.host).returncode == 5
    assert job.process.poll() is None
    script.write_text("print('trained')\n")
    done = machine.run("rerun", "--finish", job.host)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    assert job.end() == 0
    assert "the job ends with 0 instead of 5" in job.log


def test_each_node_has_its_own_and_who_is_gone_takes_it_along(machine: Machine) -> None:
    job = machine.job("gone", "true", options=("--wait", "900", "--nodes", "2"))
    job.online()
    assert machine.run("wait", f"algo-2.{job.host}", "--timeout", "180").returncode == 0
    here = "cat $SAGEMAKER_BASE_DIR/input/config/resourceconfig.json"
    done = machine.run("rerun", "--node", "algo-2", job.host, "--", here)
    assert json.loads(done.stdout)["current_host"] == "algo-2", done.stderr
    long = ["sh", "-c", "echo up; while :; do sleep 0.1; done"]
    with subprocess.Popen([*SM_SSH, "rerun", job.host, "--", *long], env=machine.env, stdout=subprocess.PIPE) as laptop:
        assert laptop.stdout is not None
        assert laptop.stdout.readline() == b"up\n"
        laptop.terminate()
    # The command is gone, and somebody else may begin.
    wait_until(lambda: machine.run("rerun", job.host, "--", "true").returncode == 0, 60, every=0.5)
    job.kill()


def test_wrong_calls_say_so(machine: Machine) -> None:
    for words, said in (
        (("rerun", "--node", "algo-2", "algo-1.j.training.sagemaker"), "does not go with"),
        (("rerun", "--node", "second", "j.training.sagemaker"), "second.j.training.sagemaker"),
        (("rerun", "--node", "algo-1", "e.inference.sagemaker"), "does not go with"),
        (("rerun",), "NAME"),
    ):
        done = machine.run(*words)
        assert done.returncode == 2
        assert said in done.stderr


def test_debugpy_attaches_through_a_forwarded_port_and_again_through_ssh(machine: Machine, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(LOOP)
    line = LOOP.splitlines().index("    return loss") + 1
    port = str(closed_port())
    listen = ("-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client")
    env = ("--env", "PYDEVD_DISABLE_FILE_VALIDATION=1")
    job = machine.job("debugged", sys.executable, *listen, str(script), options=env)
    job.online()
    with forwarding(machine, job.host, f"0:{port}", log=tmp_path / "log") as forward:
        client = DebugAdapterClient(forward.ports[0])
        client.attach(str(script), line)
        thread, stopped, variables = client.stopped()
        assert (stopped, variables) == (line, {"epoch": "0", "loss": "100"})
        client.ask("continue", threadId=thread)
        _, _, variables = client.stopped()
        assert variables == {"epoch": "1", "loss": "99"}
        client.ask("disconnect", terminateDebuggee=False)
        client.close()
    here = closed_port()
    words = ["connect", job.host, "-N", "-L", f"{here}:127.0.0.1:{port}", "-o", "ExitOnForwardFailure=yes"]
    with subprocess.Popen([*SM_SSH, *words], env=machine.env, stdin=subprocess.DEVNULL) as tunnel:
        client = wait_until(lambda: attached(here), 30)
        client.attach(str(script), line)
        thread, stopped, variables = client.stopped()
        assert stopped == line
        assert int(variables["epoch"]) >= 2
        client.ask("setBreakpoints", source={"path": str(script)}, breakpoints=[])
        client.ask("evaluate", expression="globals().update(epoch=10**6)", frameId=frame(client, thread))
        client.ask("continue", threadId=thread)
        client.event("terminated")
        client.close()
        tunnel.terminate()
    assert job.end() == 0


def attached(port: int) -> DebugAdapterClient | None:
    try:
        return DebugAdapterClient(port)
    except OSError:
        return None


def frame(client: DebugAdapterClient, thread: int) -> int:
    return int(client.ask("stackTrace", threadId=thread)["stackFrames"][0]["id"])


def test_pydevd_calls_the_ide_through_ssh(machine: Machine, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(CALLS)
    there = str(closed_port())
    # The job is held until the way back is there.
    job = machine.job("calling", sys.executable, str(script), there, options=("--wait", "900"))
    job.online()
    ide = PydevdServer()
    words = ["connect", job.host, "-R", f"{there}:127.0.0.1:{ide.port}", "--", "sm-wait stop; exec sleep 300"]
    with subprocess.Popen([*SM_SSH, *words], env=machine.env, stdin=subprocess.DEVNULL) as tunnel:
        ide.accept()
        thread, place, function, line = ide.suspended()
        assert (function, line) == ("train", CALLS.splitlines().index("    loss = batch * 2") + 1)
        assert ide.variables(thread, place)["batch"] == "21"
        ide.resume(thread)
        assert job.end() == 0
        ide.close()
        tunnel.terminate()
    assert "loss 42" in job.log
