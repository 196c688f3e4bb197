"""What the laptop's tool itself weighs: on disk when installed alone, and in memory while a login is open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench.measure import Row, quiet
from tests.end_to_end.machine import Machine, processes
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def installed(machine: Machine) -> list[Row]:
    """``pip install sm-ssh-entry`` into an empty folder, without pip and without compiled files."""
    target = machine.folder / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    quiet([*pip, "--target", str(target), str(ROOT)])
    size = sum(path.lstat().st_size for path in target.rglob("*")) / 1e6
    return [Row("the client, installed alone", f"{size:.0f} MB", "", "< 60 MB", size < 60)]


def proxy_memory(machine: Machine) -> list[Row]:
    """Proportional memory of the ProxyCommand of an open, quiet login."""
    job = machine.job("bench-proxy", "sleep", "300")
    job.online()
    login = subprocess.Popen(
        [sys.executable, "-m", "sm_ssh_entry.cli.main", "run", job.host, "--", "echo up; exec sleep 100"],
        env=machine.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert login.stdout is not None
        login.stdout.readline()
        home, proxy = str(machine.home), f"{sys.executable} -m sm_ssh_entry.cli.proxy"

        def mine() -> list[int]:
            return processes(lambda words, env: words.startswith(proxy) and env.get("HOME") == home)

        wait_until(lambda: len(mine()) == 1, 20, what="one proxy")
        total = _proportional(mine()[0])
    finally:
        login.terminate()
        login.wait(timeout=20)
        job.kill()
    return [
        Row("memory of the proxy of a login", f"{total:.0f} MB", "the official plugin 18 MB", "<= 40 MB", total <= 40)
    ]


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1000
