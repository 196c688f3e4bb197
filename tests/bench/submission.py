"""What turning SSH on costs a submission script: the import, and the first call, beside what the script has anyway."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench.measure import Row, quiet, seconds, side_by_side
from tests.end_to_end.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
_IMPORT = "from sm_ssh_entry.sdk import enable_ssh"
_CALL = 'enable_ssh({"TransformJobName": "a", "TransformInput": {}}, owner="me", public_key="")'


def importing(machine: Machine) -> list[Row]:
    """``enable_ssh`` beside boto3, which each submission script imports, and beside each SDK that is here."""
    return [
        _row(machine, "boto3", sys.executable, "import boto3"),
        _row(machine, "SDK v2", str(ROOT / ".sdk/v2/bin/python"), "import sagemaker"),
        _row(machine, "SDK v3", str(ROOT / ".sdk/v3/bin/python"), "from sagemaker.train import ModelTrainer"),
    ]


def _row(machine: Machine, what: str, python: str, has: str) -> Row:
    if not Path(python).is_file():
        return Row(f"enable_ssh beside {what}", "no such environment: .ci/sdks makes it", "", "", None)

    def timed(script: str) -> Callable[[], float]:
        # Inside the process: what an SDK's own import takes varies by more than ours costs.
        whole = f"{has}\nimport time; began = time.perf_counter()\n{script}\nprint(time.perf_counter() - began)"
        return lambda: _told([python, "-c", whole], machine.env)

    times = 5 if what == "boto3" else 3
    imported, called = side_by_side(times, timed(_IMPORT), timed(f"{_IMPORT}\n{_CALL}"))
    alone = seconds(lambda: quiet([python, "-c", has], machine.env))
    found = f"{1e3 * imported:.1f} ms, with the first call {1e3 * called:.1f} ms"
    return Row(f"enable_ssh beside {what}", found, f"{what} itself {alone:.2f} s", "< 50 ms", 1e3 * called < 50)


def _told(argv: list[str], env: Mapping[str, str]) -> float:
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout.split()[-1])
