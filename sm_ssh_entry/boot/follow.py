"""What a growing file has got since the last look: the agent's own log, which its workers write past our pipe.

Seen running 3.3.1142.0: only the core process writes to its standard output; that the control channel is open stands in
``/var/log/amazon/ssm/amazon-ssm-agent.log`` alone.
"""

from __future__ import annotations

import os

# More than this since the last look is passed over but for its end: an agent that floods its log must not busy us.
LIMIT = 1 << 18


class Follower:
    """Reads what is added to a file that may come late, be replaced, or be cut.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self.skip()

    def skip(self) -> None:
        """Forget what is there by now."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - pathlib is not loaded in the process that stays
        except OSError:
            self._inode = self._offset = 0
            return
        self._inode, self._offset = found.st_ino, found.st_size

    def added(self) -> bytes:
        """Return what was added since the last look; empty where the file cannot be read."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            found = os.fstat(descriptor)
            if found.st_ino != self._inode or found.st_size < self._offset:
                self._inode, self._offset = found.st_ino, 0
            begin = max(self._offset, found.st_size - LIMIT)
            data = os.pread(descriptor, LIMIT, begin)
            self._offset = begin + len(data)
        except OSError:
            return b""
        finally:
            os.close(descriptor)
        return data
