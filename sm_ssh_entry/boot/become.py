"""The last act: this process becomes the user's command."""

from __future__ import annotations

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
        log.say(f"ERROR cannot execute {words[0]}: {error.strerror} (hint: chmod +x, and it must be a file)")
        return 126
