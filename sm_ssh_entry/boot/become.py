"""The last act: this process becomes the user's command."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence

from sm_ssh_entry.boot import log


def run(words: Sequence[str], env: Mapping[bytes, bytes]) -> int:
    """Exec the user's command with its own environment; return a status only where that fails.

    Args:
        words: the command.
        env: the environment that the container was given.
    """
    try:
        os.execvpe(words[0], list(words), dict(env))  # noqa: S606 # the user's own command, as given
    except FileNotFoundError:
        log.say(f"ERROR command not found: {words[0]} (hint: is it in the image, and on PATH?)")
        return 127
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            _interpret(words, env)
        log.say(f"ERROR cannot execute {words[0]}: {error.strerror} (hint: chmod +x, and it must be a file)")
        return 126


def _interpret(words: Sequence[str], env: Mapping[bytes, bytes]) -> None:
    """Have the shell read a script that names no interpreter, as the stub does where nobody waits (execvp(3))."""
    import shutil

    file = shutil.which(words[0], path=os.fsdecode(env.get(b"PATH", os.defpath)))
    if file:
        with contextlib.suppress(OSError):
            os.execve("/bin/sh", ["sh", file, *words[1:]], dict(env))  # noqa: S606
