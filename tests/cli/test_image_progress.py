"""How downloads show: plain lines in a pipe, moving bars on a terminal. Both are real."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from sm_ssh_entry.cli import image_progress
image_progress._LINE_SECONDS = 0.0
with image_progress.shown() as progress:
    progress.begin("wheels/big.whl", 5_000_000)
    progress.at("wheels/big.whl", 2_000_000, 5_000_000)
    progress.begin("wheels/unknown.whl", -1)
    progress.at("wheels/unknown.whl", 1_000_000, -1)
    progress.say("WARNING [bold]not markup[/bold]")
    progress.end("wheels/big.whl", "fetched")
    progress.end("wheels/old.whl", "there already")
print("done")
"""


def test_a_pipe_gets_plain_lines_on_standard_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=180
    )
    assert done.stdout == "done\n"
    assert done.stderr.splitlines() == [
        "wheels/big.whl: 2.0 MB of 5.0 MB",
        "wheels/unknown.whl: 1.0 MB",
        "WARNING [bold]not markup[/bold]",
        "wheels/big.whl: fetched",
    ]


def test_a_terminal_gets_bars_and_the_same_lines() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    argv = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(ours, 65536):
                shown += block
        except OSError:
            pass  # how Linux says that nobody has the other side any more
        assert child.stdout is not None
        assert (child.stdout.read(), child.wait(180)) == (b"done\n", 0)
    os.close(ours)
    text = shown.decode()
    assert "big.whl" in text
    assert "2.0/5.0 MB" in text
    assert "WARNING [bold]not markup[/bold]" in text
    assert "wheels/big.whl: fetched" in text
    assert "there already" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor stays hidden"
