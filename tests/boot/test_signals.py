from __future__ import annotations

import subprocess
import sys

from tests.boot.container import LIBRARYS_OWN

PROGRAM = """
import os, signal, sys
from sm_ssh_entry.boot import signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
pipe = signals.SignalPipe(signals.STOPPING)
{body}
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    code = PROGRAM.format(body=body)
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False)


def test_signals_arrive_as_numbers_and_ignored_ones_stay_ignored() -> None:
    done = run("for n in (15, 1, 2): os.kill(os.getpid(), n)\nprint(pipe.read(), pipe.read())")
    assert done.stdout == "[15, 2] []\n"


def test_everything_is_undone() -> None:
    become = "os.execvp('grep', ['grep', '-E', 'SigBlk|SigIgn', '/proc/self/status'])"
    body = f"assert signals.stop_before_exec(pipe) == 0\n{become}"
    masks = dict(line.split(":\t") for line in run(body).stdout.splitlines())
    assert int(masks["SigBlk"], 16) == 0
    # What was ignored before us still is; what Python ignores is not.
    assert int(masks["SigIgn"], 16) & ~LIBRARYS_OWN == 1


def test_stop_that_came_before_is_seen() -> None:
    assert run("os.kill(os.getpid(), 15); print(signals.stop_before_exec(pipe))").stdout == "15\n"
    # While signals are held back, one is pending rather than caught.
    body = "signal.pthread_sigmask(signal.SIG_BLOCK, [15])\nos.kill(os.getpid(), 15)\n"
    body += "print(signals.stop_before_exec(pipe))"
    assert run(body).stdout == "15\n"
