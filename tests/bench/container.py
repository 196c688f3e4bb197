"""What the container's side costs: with SSH off, on, at the release, until Online, and in memory."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from sm_ssh_entry.boot import layout
from tests.bench.crowd import as_client
from tests.bench.measure import Row, quiet, seconds, side_by_side
from tests.end_to_end.machine import Machine, processes
from tests.waiting import wait_until

MS = 1000.0
# Prints the time of its first instruction, as near as a program can.
CLOCK = ["date", "+%s%N"]


def stub(machine: Machine, name: str) -> Path:
    """Install the entrypoint below a root of its own and return the stub."""
    root = machine.folder / name
    (root / "opt" / "ml" / "output").mkdir(parents=True, exist_ok=True)
    return layout.install(str(root)) / "sm-ssh-entry"


def until_first_instruction(argv: list[str], env: dict[str, str]) -> float:
    """Return the seconds from before the start of a program to its command's first instruction."""
    started = time.time_ns()
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return (int(done.stdout.split()[-1]) - started) / 1e9


def off(machine: Machine) -> list[Row]:
    """START_SSH unset: the stub against a bare exec."""
    entry = str(stub(machine, "off"))
    env = {name: value for name, value in machine.env.items() if name != "START_SSH"}
    bare, ours = side_by_side(
        60,
        lambda: seconds(lambda: quiet(["true"], env)),
        lambda: seconds(lambda: quiet([entry, "true"], env)),
    )
    over = (ours - bare) * MS
    return [Row("entrypoint, SSH off", f"+{over:.1f} ms", f"bare exec {bare * MS:.1f} ms", "<= 5 ms over", over <= 5)]


def on_without_wait(machine: Machine) -> list[Row]:
    """SSH on, no wait: until the user's command runs. The services behind it go to a plane that is not there."""
    entry = stub(machine, "on")
    env = machine.env | {
        "START_SSH": "true",
        "SM_SSH_ROOT": str(entry.parents[3]),
        "SM_SSH_PYTHON": sys.executable,
        "SM_SSH_AGENT": "false",
        "SSH_SSM_ROLE": "bench",
        "TRAINING_JOB_NAME": "bench",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }

    def once() -> float:
        # Through a cell, which ends what the entrypoint leaves behind; its own start is in both figures.
        return until_first_instruction([sys.executable, "-m", "sm_ssh_entry.plane.cell", str(entry), *CLOCK], env)

    def bare() -> float:
        return until_first_instruction([sys.executable, "-m", "sm_ssh_entry.plane.cell", *CLOCK], env)

    without, ours = side_by_side(12, bare, once)
    over = (ours - without) * MS
    return [Row("entrypoint, SSH on, no wait", f"{over:.1f} ms", "bare exec: 0", "<= 50 ms", over <= 50)]


def release(machine: Machine) -> list[Row]:
    """``sm-wait stop`` to the first instruction of the command."""
    found = []
    for number in range(5):
        job = machine.job(f"bench-wait-{number}", *CLOCK, options=("--wait", "300"))
        job.online()
        root = next((machine.folder / "local").glob(f"jobs/bench-wait-{number}/1/algo-1"))
        env = machine.env | {"SM_SSH_ROOT": str(root), "SM_SSH_PYTHON": sys.executable}
        started = time.time_ns()
        quiet([str(root / "opt/sm-ssh/bin/sm-wait"), "stop"], env)
        job.end()
        found.append((int(job.saw(r"algo-1 \| (\d{19})").group(1)) - started) / 1e6)
    middle = statistics.median(found)
    return [Row("sm-wait stop -> command", f"{middle:.0f} ms", "", "<= 100 ms", middle <= 100)]


def to_online(machine: Machine) -> list[Row]:
    """Container start to Online, beside the agent alone: registered and started by hand on the same plane."""
    from sm_ssh_entry import aws

    with as_client(machine.env):
        ssm = aws.client("ssm")

    def status(**wanted: list[str]) -> bool:
        key, values = next(iter(wanted.items()))
        found = ssm.describe_instance_information(Filters=[{"Key": key.replace("_", ":"), "Values": values}])
        return any(one["PingStatus"] == "Online" for one in found["InstanceInformationList"])

    counter = iter(range(100))

    def alone() -> float:
        root = machine.folder / f"agent-{next(counter)}"
        activation = ssm.create_activation(IamRole="service-role/bench")
        env = machine.env | {"SM_SSH_ROOT": str(root)}
        agent = [sys.executable, "-I", "-m", "sm_ssh_entry.plane.agent"]
        started = time.perf_counter()
        code = ["-code", activation["ActivationCode"], "-id", activation["ActivationId"], "-region", "us-east-1"]
        quiet([*agent, "-register", *code], env)
        running = subprocess.Popen(agent, env=env, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: status(ActivationIds=[activation["ActivationId"]]), 30, every=0.005)
            return time.perf_counter() - started
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(timeout=20)

    def whole() -> float:
        name = f"bench-online-{next(counter)}"
        started = time.time_ns()
        job = machine.job(name, "sh", "-c", "date +%s%N; exec sleep 60")
        wait_until(lambda: status(tag_SSHResourceName=[name]), 30, every=0.005)
        online = time.time_ns()
        begun = int(job.saw(r"algo-1 \| (\d{19})").group(1))
        job.kill()
        # From the container's start, which the command's first instruction stands for: 50 ms at most lie between.
        return (online - max(begun, started)) / 1e9

    by_itself, ours = side_by_side(5, alone, whole)
    over = ours - by_itself
    return [
        Row("container start -> Online", f"{ours:.2f} s", f"agent alone {by_itself:.2f} s", "<= 2.5 s", ours <= 2.5),
        Row("  of it beyond the agent's own", f"{over:.2f} s", "", "<= 1.5 s", over <= 1.5),
    ]


def memory(machine: Machine) -> list[Row]:
    """Resident memory of our own long-lived processes in a node, agent and sshd left out."""
    job = machine.job("bench-memory", "sleep", "300")
    job.online()
    root = next((machine.folder / "local").glob("jobs/bench-memory/1/algo-1"))
    wait_until(lambda: json.loads((root / "run/sm-ssh/status.json").read_text())["phase"] == "online", 20)

    def ours() -> list[int]:
        return processes(
            lambda words, env: (
                env.get("SM_SSH_ROOT") == str(root)
                and "plane.agent" not in words
                and "plane.cell" not in words
                and ("sm_ssh_entry" in words or "supervisord" in words)
            )
        )

    # The boot steps are one of ours too, but end once the node is up: what stays is what counts.
    wait_until(lambda: len(ours()) == 1, 20, what="one long-lived process of ours")
    total = sum(resident(pid) for pid in ours())
    job.kill()
    return [Row("memory of our own processes", f"{total:.1f} MB", "", "<= 30 MB", total <= 30)]


def resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1000
