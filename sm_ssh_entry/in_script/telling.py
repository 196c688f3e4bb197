"""Our lines in the log of the user's script. Stdlib of Python 3.8."""

from __future__ import annotations

import os
import sys

from sm_ssh_entry.contract import LOG_PREFIX, SSH_LOG_TO_STDOUT
from sm_ssh_entry.errors import SmSshError


def say(text: str) -> None:
    """Write one line: to standard error, or where SSH_LOG_TO_STDOUT moves it.

    Args:
        text: what happened, without a line break.
    """
    stream = sys.stdout if os.environ.get(SSH_LOG_TO_STDOUT) == "true" else sys.stderr
    try:
        # In one write: several ranks share a log.
        stream.write(f"{LOG_PREFIX} {text}\n")
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return  # a script may have closed it, or run without any


def relay(line: str) -> None:
    """Write a line that a program of ours has written, with our prefix once.

    Args:
        line: what it wrote.
    """
    text = line.rstrip()
    if text.startswith(LOG_PREFIX):
        text = text[len(LOG_PREFIX) :].lstrip()
    if text:
        say(text)


def describe(error: SmSshError) -> str:
    """Return an expected failure as one line: cause, then hint.

    Args:
        error: the failure.
    """
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message
