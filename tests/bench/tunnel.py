"""The tunnel beside the AWS CLI's with the official plugin: how soon it opens, how much goes through, on one node."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench import beside
from tests.bench.measure import Row, quiet, seconds, side_by_side
from tests.end_to_end.machine import Machine

# The plugin sends half a megabyte a second (protocol page, section 13); the stand-in agent sends as fast as it can.
_UP_MEGABYTES = 4
_DOWN_MEGABYTES = 128


def until_banner(argv: Sequence[str], env: Mapping[str, str]) -> float:
    """Return the seconds from the start of a ProxyCommand until sshd's first bytes have come through it."""
    started = time.perf_counter()
    with subprocess.Popen(
        argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as proxy:
        assert proxy.stdout is not None
        # The plugin prints two lines of its own before.
        came = any(line.startswith(b"SSH-2.0") for line in proxy.stdout)
        took = time.perf_counter() - started
        proxy.terminate()
    if not came:
        raise RuntimeError(f"{argv[0]} ended without a banner")
    return took


def their_proxy(machine: Machine, name: str, node: str) -> list[str]:
    """Return the AWS CLI's ProxyCommand to a job's sshd."""
    path = next((machine.folder / "local").glob(f"jobs/{name}/1/algo-1/run/sm-ssh/sshd_config"))
    port = next(line.split()[1] for line in path.read_text().splitlines() if line.startswith("Port "))
    parameters = ["--document-name", "AWS-StartSSHSession", "--parameters", f"portNumber={port}"]
    return ["aws", "ssm", "start-session", "--target", node, *parameters]


def proxy_start(machine: Machine) -> list[Row]:
    """``start-proxy`` until sshd's banner, beside ``aws ssm start-session``."""
    job = machine.job("bench-banner", "sleep", "900")
    node = job.online()
    quiet([sys.executable, "-m", "sm_ssh_entry.cli.main", "run", job.host, "--", "true"], machine.env)
    ours_run = [sys.executable, "-m", "sm_ssh_entry.cli.main", "start-proxy", job.host]
    what, budget = "proxy start until sshd's banner", ">= 1.5 times as fast"
    try:
        if beside.no_cli():
            (ours,) = side_by_side(7, lambda: until_banner(ours_run, machine.env))
            return [Row(what, f"{ours:.2f} s", beside.no_cli(), budget, None)]
        theirs_run, env = their_proxy(machine, "bench-banner", node), beside.with_path(machine.env)
        ours, theirs = side_by_side(
            7, lambda: until_banner(ours_run, machine.env), lambda: until_banner(theirs_run, env)
        )
    finally:
        job.kill()
    return [Row(what, f"{ours:.2f} s", f"aws ssm start-session {theirs:.2f} s", budget, theirs >= 1.5 * ours)]


def throughput(machine: Machine) -> list[Row]:
    """Bulk data both ways, a login's time taken off, beside the plugin; messages of 1,024 bytes as AWS takes them."""
    if beside.no_cli():
        return [Row("tunnel beside the plugin", beside.no_cli(), "", ">= 5 times up, >= once down", None)]
    job = machine.job("bench-tunnel", "sleep", "900")
    node = job.online()
    config = machine.home / "config"
    config.write_text(machine.run("connect", "--print-config").stdout)
    own = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
    theirs = ["-o", f"ProxyCommand={' '.join(their_proxy(machine, 'bench-tunnel', node))}"]
    env = beside.with_path(machine.env) | {"SM_SSH_PAYLOAD_BYTES": "1024"}
    small, large = machine.folder / "tunnel-up", machine.folder / "tunnel-down"
    for path, megabytes in ((small, _UP_MEGABYTES), (large, _DOWN_MEGABYTES)):
        path.write_bytes(bytes(megabytes * 1_000_000))
    rates: list[tuple[float, float]] = []
    try:
        for options in (own, [*own, *theirs]):
            ssh = ["ssh", "-F", str(config), *options, job.host]
            base, down, up = side_by_side(
                3,
                lambda ssh=ssh: seconds(lambda: quiet([*ssh, "true"], env)),  # type: ignore[misc]
                lambda ssh=ssh: seconds(lambda: quiet([*ssh, f"cat {large}"], env)),  # type: ignore[misc]
                lambda ssh=ssh: seconds(lambda: _feed(ssh, small, env)),  # type: ignore[misc]
            )
            rates.append((_DOWN_MEGABYTES / (down - base), _UP_MEGABYTES / (up - base)))
    finally:
        job.kill()
    (down, up), (their_down, their_up) = rates
    return [
        Row(
            "tunnel up, 1 KiB messages",
            f"{up:.1f} MB/s",
            f"plugin {their_up:.2f} MB/s",
            ">= 5 times",
            up >= 5 * their_up,
        ),
        Row("tunnel down", f"{down:.1f} MB/s", f"plugin {their_down:.2f} MB/s", ">= the plugin", down >= their_down),
    ]


def _feed(ssh: list[str], payload: Path, env: Mapping[str, str]) -> None:
    with payload.open("rb") as source:
        subprocess.run([*ssh, "cat >/dev/null"], env=env, stdin=source, check=True, timeout=120)
