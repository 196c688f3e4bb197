"""supervisord's part is shown on real processes in test_start; here is what can be said about the module itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sm_ssh_entry.boot import services

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
    done = subprocess.run([sys.executable, "-I", "-c", LOAD], capture_output=True, text=True, timeout=30, check=False)
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
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
