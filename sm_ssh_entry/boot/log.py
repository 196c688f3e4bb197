"""Our lines in the container's log: one prefix, one write each, never a value of the environment."""

from __future__ import annotations

import contextlib
import os
import sys

from sm_ssh_entry.contract import LOG_PREFIX, SSH_LOG_TO_STDOUT
from sm_ssh_entry.errors import SmSshError

_LINE_MAX = 900


def say(text: str, *, fd: int | None = None) -> None:
    """Write one line to the container's log.

    Args:
        text: what happened; line breaks in it become spaces.
        fd: descriptor; None: the container's log, which SSH_LOG_TO_STDOUT moves.
    """
    if fd is None:
        fd = 1 if os.environ.get(SSH_LOG_TO_STDOUT) == "true" else 2
    line = " ".join(text.split())
    if len(line) > _LINE_MAX:
        line = line[: _LINE_MAX - 3] + "..."
    # The log's reader may be gone while the job lives on.
    with contextlib.suppress(OSError):
        os.write(fd, f"{LOG_PREFIX} {line}\n".encode(errors="replace"))


def describe(error: SmSshError) -> str:
    """Return an expected failure as one line: cause, then hint."""
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message


def fail(error: SmSshError, *, more: str = "", fd: int | None = None) -> None:
    """Write the one line of an expected failure.

    Args:
        error: cause and hint.
        more: what we do about it, put between the two.
        fd: see ``say``.
    """
    cause = f"{error.message}; {more}" if more else error.message
    say(f"ERROR {describe(type(error)(cause, hint=error.hint))}", fd=fd)


def unexpected(where: str) -> None:
    """Write one line for the exception being handled that nobody foresaw, without its text, which may hold anything."""
    kind, _, trace = sys.exc_info()
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"  # noqa: PTH119 # sm-wait and hold start faster without pathlib
    say(f"ERROR {where}: {kind.__name__ if kind else '?'} at {place} (hint: a defect of sm-ssh, please report it)")
