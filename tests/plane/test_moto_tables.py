"""moto's tables, wanted by several threads of a fresh process at once."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import threading
from sm_ssh_entry.plane import cloudwatch, job_records
from sm_ssh_entry.plane.store import Store

store, barrier, errors = Store(), threading.Barrier(8), []

def work(number):
    barrier.wait()
    try:
        kind = job_records.KINDS[number % len(job_records.KINDS)]
        job_records.note(store, {"name": f"x{number}", "region": "us-east-1", "kind": kind})
        cloudwatch.put(store, "us-east-1", "group", f"stream{number}", [])
    except Exception as error:
        errors.append(repr(error))

threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(errors)
"""


def test_the_first_use_may_be_many_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=180)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
