"""supervisord's part is shown on real processes in test_start; here is what can be said about the module itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import services, status
from sm_ssh_entry.contract import Paths

LOAD = """
import sys
from sm_ssh_entry.boot import services
services.load()
import hashlib, bz2, http.client, xmlrpc.client, importlib.metadata
assert hashlib.sha256(b"").hexdigest().startswith("e3b0")
print("_hashlib" in sys.modules, hasattr(http.client, "HTTPConnection"), hasattr(xmlrpc.client, "ServerProxy"))
import supervisor.xmlrpc
print(hasattr(supervisor.xmlrpc, "SupervisorTransport"), "supervisor.http" in sys.modules)
"""


def test_what_is_left_out_can_be_imported_afterwards() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", LOAD], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == ["False", "True", "True", "True", "True"]


def test_readable_stops_when_it_is_done(capfd: pytest.CaptureFixture[str]) -> None:
    answers = [True, False]
    readable = services.Readable(7, lambda: answers.pop(0))
    assert (readable.readable(), readable.writable()) == (True, False)
    readable.handle_read_event()
    assert readable.readable()
    readable.handle_read_event()
    assert not readable.readable()
    try:
        raise OSError
    except OSError:
        readable.handle_error()
    assert capfd.readouterr().err.startswith("[sm-ssh] ERROR services: OSError")


def test_descendants_are_ended_stubborn_ones_too() -> None:
    code = """
import ctypes, os, subprocess
from sm_ssh_entry.boot import procfs, services
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
script = "trap '' TERM; (sleep 60 & ); echo up; sleep 60; sleep 60"
child = subprocess.Popen(["setsid", "sh", "-c", script], stdout=subprocess.PIPE)
child.stdout.readline()
services.end_descendants()
print([one.name for one in procfs.descendants(os.getpid(), procfs.processes())])
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("job_ended", [False, True])
def test_a_set_up_that_ends_with_its_job_has_not_failed(
    job_ended: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At a job's end everything is killed, the set-up perhaps before us."""
    paths = Paths(str(tmp_path))
    status.prepare(paths)
    status.update(paths, phase=status.REGISTERING)
    job = subprocess.Popen(["sleep", "60"])
    if job_ended:
        job.kill()
        job.wait()
    orders, set_up = os.pipe()
    os.close(set_up)
    try:
        assert not services.Services(paths, orders=orders, job=job.pid)._order()
    finally:
        os.close(orders)
        job.kill()
        job.wait()
    wanted = (status.REGISTERING, 0) if job_ended else (status.FAILED, 1)
    assert (status.read(paths)["phase"], capfd.readouterr().err.count("ERROR the set-up ended")) == wanted
