"""What the laptop's side costs: help, a login beside the AWS CLI's, throughput, one node among many."""

from __future__ import annotations

import subprocess
import sys

from tests.bench import beside
from tests.bench.measure import Row, quiet, seconds, side_by_side
from tests.bench.tunnel import their_proxy
from tests.end_to_end.machine import SM_SSH, Machine

MEGABYTES = 256


def help_text(machine: Machine) -> list[Row]:
    """``sm-ssh --help`` beside a Python that does nothing."""
    bare, ours = side_by_side(
        15,
        lambda: seconds(lambda: quiet([sys.executable, "-c", "pass"], machine.env)),
        lambda: seconds(lambda: quiet([*SM_SSH, "--help"], machine.env)),
    )
    return [Row("sm-ssh --help", f"{ours * 1e3:.0f} ms", f"python {bare * 1e3:.0f} ms", "<= 100 ms", ours <= 0.1)]


def _config(machine: Machine) -> list[str]:
    path = machine.home / "config"
    done = machine.run("connect", "--print-config")
    path.write_text(done.stdout)
    return ["ssh", "-F", str(path)]


def login(machine: Machine) -> list[Row]:
    """``ssh host true`` with the key known, beside the same over the AWS CLI and the official plugin."""
    job = machine.job("bench-login", "sleep", "900")
    node = job.online()
    ssh = _config(machine)
    quiet([*ssh, job.host, "true"], machine.env)
    ours_run = [*ssh, job.host, "true"]
    budget = "<= 0.6 s"
    if beside.no_cli():
        (ours,) = side_by_side(10, lambda: seconds(lambda: quiet(ours_run, machine.env)))
        job.kill()
        return [
            Row("ssh host true", f"{ours:.2f} s", "", budget, ours <= 0.6),
            Row("  beside AWS CLI and plugin", beside.no_cli(), "", ">= 1.5 times as fast", None),
        ]
    proxy = " ".join(their_proxy(machine, "bench-login", node))
    theirs_run = [*ssh, "-o", f"ProxyCommand={proxy}", job.host, "true"]
    ours, theirs = side_by_side(
        10,
        lambda: seconds(lambda: quiet(ours_run, machine.env)),
        lambda: seconds(lambda: quiet(theirs_run, beside.with_path(machine.env))),
    )
    job.kill()
    return [
        Row("ssh host true", f"{ours:.2f} s", "", budget, ours <= 0.6),
        Row(
            "  beside AWS CLI and plugin",
            f"{theirs / ours:.1f} times",
            f"theirs {theirs:.2f} s",
            ">= 1.5 times as fast",
            theirs >= 1.5 * ours,
        ),
    ]


def second_login(machine: Machine) -> list[Row]:
    """``ssh host true`` and ``sm-ssh run`` while another login is open, with what ``sm-ssh config`` writes."""
    job = machine.job("bench-second", "sleep", "900")
    job.online()
    quiet([*SM_SSH, "config"], machine.env)
    ssh = ["ssh", "-F", str(machine.home / ".ssh" / "config")]
    with subprocess.Popen(
        [*ssh, job.host, "echo up; cat >/dev/null"], env=machine.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdout.readline()
        plain, run = side_by_side(
            10,
            lambda: seconds(lambda: quiet([*ssh, job.host, "true"], machine.env)),
            lambda: seconds(lambda: quiet([*SM_SSH, "run", job.host, "--", "true"], machine.env)),
        )
        first.stdin.close()
    quiet([*ssh, "-O", "exit", job.host], machine.env)
    quiet([*SM_SSH, "config", "--remove"], machine.env)
    job.kill()
    return [
        Row("ssh host true, second login", f"{plain * 1e3:.0f} ms", "", "<= 100 ms", plain <= 0.1),
        Row("  sm-ssh run, likewise", f"{run * 1e3:.0f} ms", "", "", None),
    ]


def throughput(machine: Machine) -> list[Row]:
    """Bulk data through ``ssh`` and the stand-in agent, a login's time taken off, beside plain ``ssh`` to the sshd."""
    job = machine.job("bench-copy", "sleep", "900")
    job.online()
    ssh = _config(machine)
    payload = machine.folder / "payload"
    with payload.open("wb") as file:
        file.truncate(MEGABYTES * 1_000_000)

    def down() -> float:
        return seconds(lambda: quiet([*ssh, job.host, f"cat {payload}"], machine.env))

    def up() -> float:
        with payload.open("rb") as source:
            return seconds(
                lambda: subprocess.run([*ssh, job.host, "cat >/dev/null"], env=machine.env, stdin=source, check=True)
            )

    def nothing() -> float:
        return seconds(lambda: quiet([*ssh, job.host, "true"], machine.env))

    base, downward, upward = side_by_side(3, nothing, down, up)
    job.kill()
    rates = [MEGABYTES / (one - base) for one in (downward, upward)]
    return [
        Row("download, stand-in agent", f"{rates[0]:.0f} MB/s", "", ">= 20 MB/s", rates[0] >= 20),
        Row("upload, stand-in agent", f"{rates[1]:.0f} MB/s", "", ">= 20 MB/s", rates[1] >= 20),
    ]


def many_nodes(_machine: Machine) -> list[Row]:
    """Find one node among 20,000, and count the calls."""
    from tests.bench.crowd import calls_to_find

    calls, took, alone = calls_to_find(20_000)
    found = f"{calls} calls, {took * 1e3:.0f} ms"
    return [Row("one node among 20,000", found, f"alone {alone * 1e3:.0f} ms", "<= 2 calls", calls <= 2)]
