"""What the system's ``ssh`` can do: asked once for each ``ssh`` and remembered, two processes less for a login."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry import command
from sm_ssh_entry.connect import folder
from sm_ssh_entry.errors import SmSshError, ToolMissing

# First choices for the key exchange. OpenSSH before 9.9 starts with sntrup761x25519, portable C that takes 0.13 s of a
# login on both ends together; the stream is inside the service's TLS already. ML-KEM withstands quantum computers as
# well and costs nothing, so it goes first where this ssh has it. The user's own KexAlgorithms go before ours.
_FAST_KEX = ("mlkem768x25519-sha256", "curve25519-sha256")
# Release notes of OpenSSH: 8.0 puts names before its own list (^); 8.1 knows %n in a ProxyCommand. Older ones know %h
# alone, which is the name in lower case.
_SINCE_HEAD_OF_LIST = (8, 0)
_SINCE_TYPED_NAME = (8, 1)
# "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0", "OpenSSH_for_Windows_8.1p1, LibreSSL 3.0".
_VERSION = re.compile(r"OpenSSH_(?:for_Windows_)?([0-9]+)\.([0-9]+)")


@dataclass(frozen=True)
class OpenSsh:
    """One ``ssh`` program.

    Attributes:
        version: major and minor; (0, 0) where it is not OpenSSH.
        key_exchanges: names that ``ssh -Q kex`` lists and that we prefer.
    """

    version: tuple[int, int]
    key_exchanges: tuple[str, ...]

    @property
    def kex_setting(self) -> str:
        """The value for KexAlgorithms: our first choices, then all of its own; ``""``: leave it as it is.

        A version without ``^`` has none of the slow ones either.
        """
        return "^" + ",".join(self.key_exchanges) if self.version >= _SINCE_HEAD_OF_LIST and self.key_exchanges else ""

    @property
    def keeps_case(self) -> bool:
        """Whether a ProxyCommand can be given the name as it was typed."""
        return self.version >= _SINCE_TYPED_NAME


def installed() -> OpenSsh:
    """Say what the ``ssh`` on PATH can do.

    Raises:
        ToolMissing: there is no ``ssh``.
    """
    found = shutil.which("ssh")
    if not found:
        raise ToolMissing("cannot run ssh: No such file or directory", hint="install ssh, or put it on PATH")
    state = Path(found).stat()
    name = [found, state.st_mtime_ns, state.st_size]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, SmSshError):
        kept = json.loads(_note().read_text(encoding="utf-8"))
        if kept["name"] == name:
            major, minor = kept["version"]
            return OpenSsh((int(major), int(minor)), tuple(str(one) for one in kept["key_exchanges"]))
    asked = _ask(found)
    with contextlib.suppress(SmSshError):  # a note, no more
        folder.write(_note(), json.dumps({"name": name, **asdict(asked)}) + "\n")
    return asked


def _ask(program: str) -> OpenSsh:
    said: Any = command.run([program, "-V"], timeout=10)
    match = _VERSION.search(said.stderr + said.stdout)
    known = command.run([program, "-Q", "kex"], timeout=10).stdout.split()
    return OpenSsh(
        (int(match[1]), int(match[2])) if match else (0, 0), tuple(name for name in _FAST_KEX if name in known)
    )


def _note() -> Path:
    return folder.private_folder() / "openssh.json"
