"""Our commands on a terminal of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

ARGV = [sys.executable, "-m", "sm_ssh_entry.cli.main"]


def on_a_terminal(*words: str, columns: int = 200) -> str:
    """Run a command with a terminal as its standard output and return what it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*ARGV, *words], stdout=theirs, env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:  # Linux's way of saying that the last writer has gone
        pass
    os.close(ours)
    assert process.wait(timeout=120) == 0
    return seen.decode()
