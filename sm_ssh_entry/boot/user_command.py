"""The user's command as it was started, kept for a rerun: its words, working folder and file mode mask, mode 0600.

    python -I -m sm_ssh_entry.boot.user_command PID -- WORD...

is how the stub asks whether our Python works, where nobody waits: this process is there for milliseconds only, so that
nobody who looks for the job by its command line finds it twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sm_ssh_entry import contract
from sm_ssh_entry.boot import procfs, status, supervise
from sm_ssh_entry.contract import Paths
from sm_ssh_entry.errors import SmSshError

FILE = "command.json"


class UserCommand(NamedTuple):
    """A command: its words, the folder it was started in, its umask."""

    words: list[str]
    folder: str
    umask: int


def keep(paths: Paths, words: Sequence[str], job: int) -> None:
    """Keep the command, unless that was done for the same process before: a stub may start a stub.

    Args:
        paths: where the container keeps its files; the folder is there.
        words: the command.
        job: process id of what becomes, or starts, the command.

    Raises:
        OSError: it cannot be written.
    """
    process = procfs.processes().get(job)
    identity = [job, process.started if process else 0]
    file = paths.run / FILE
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads(file.read_bytes()).get("process") == identity:
            return
    umask = os.umask(0o077)
    os.umask(umask)
    # JSON in ASCII keeps bytes that are no text, as the escapes that Python has for them.
    found = {"process": identity, "words": list(words), "folder": str(Path.cwd()), "umask": umask}
    status.write_private(file, json.dumps(found).encode())


def kept(paths: Paths) -> UserCommand | None:
    """Return the command; None where none was kept.

    Args:
        paths: where the container keeps its files.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        found = json.loads((paths.run / FILE).read_bytes())
        return UserCommand([str(word) for word in found["words"]], str(found["folder"]), int(found["umask"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None


def main(words: Sequence[str]) -> int:
    """Keep the stub's command. Where that fails, supervise fails for the same reason, and says so.

    Args:
        words: process id, ``--`` and the command.
    """
    paths = Paths(os.environ.get(contract.ROOT, ""))
    with contextlib.suppress(OSError, SmSshError):
        status.prepare(paths)
        if not supervise.running(str(paths.run)):
            keep(paths, words[2:], int(words[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
