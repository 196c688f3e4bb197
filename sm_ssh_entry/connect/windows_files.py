"""Who may read a key on Windows: the answers of ``icacls`` and ``whoami`` understood, and what to ask of them.

OpenSSH for Windows refuses a private key that anybody but its owner, SYSTEM and the administrators can read, as ``ssh``
elsewhere refuses one of mode 0644. Nothing here runs a program: ``windows_keys`` does.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

# The names differ by language; the security identifiers do not. learn.microsoft.com, "Well-known SIDs".
_TRUSTED_SIDS = frozenset({"S-1-5-18", "S-1-5-32-544", "S-1-3-4"})
_TRUSTED_NAMES = frozenset(
    {
        "NT AUTHORITY\\SYSTEM",
        "BUILTIN\\ADMINISTRATORS",
        "OWNER RIGHTS",
        "NT-AUTORITÄT\\SYSTEM",
        "VORDEFINIERT\\ADMINISTRATOREN",
        "AUTORITE NT\\SYSTÈME",
        "BUILTIN\\ADMINISTRATEURS",
        "BUILTIN\\ADMINISTRADORES",
    }
)
# One entry of icacls: a principal, a colon, and rights in brackets: "PC\me:(I)(F)", "Everyone:(DENY)(R)".
_ENTRY = re.compile(r"^(?P<who>[^:()]+?):(?P<rights>(\([A-Za-z,]+\))+)$")
# Rights that give no access: inheritance flags, and N, no access.
_NO_ACCESS = frozenset({"I", "OI", "CI", "IO", "NP", "N"})


@dataclass(frozen=True)
class Identity:
    """The user that runs us: ``DOMAIN\\name`` and security identifier."""

    name: str
    sid: str


def identity(said: str) -> Identity | None:
    """Read ``whoami /user /fo csv /nh``; None where it cannot be read.

    Args:
        said: its output, ``"pc\\me","S-1-5-21-…-1001"``.
    """
    for row in csv.reader(io.StringIO(said)):
        if len(row) == 2 and row[1].startswith("S-1-"):
            return Identity(row[0], row[1])
    return None


def protect_argv(path: str, who: Identity) -> list[str]:
    """Return the command that makes a file its owner's alone: nothing inherited, full access for one.

    The security identifier is named, because a name may have spaces, letters of any language, and two domains.

    Args:
        path: the file.
        who: its owner.
    """
    return ["icacls", path, "/inheritance:r", "/grant:r", f"*{who.sid}:F", "/q"]


def protect_by_hand(path: str, who: Identity) -> str:
    """Return the same for a user to type, alike in PowerShell and cmd.exe."""
    return f'icacls "{path}" /inheritance:r /grant:r "{who.name}:F"'


def list_argv(path: str) -> list[str]:
    """Return the command that lists who may do what with a file."""
    return ["icacls", path]


def others(said: str, path: str, who: Identity) -> list[str]:
    """Return who else can use a file, as ``icacls`` names them.

    Args:
        said: what ``icacls PATH`` printed: the path and the first entry in one line, further entries below it.
        path: the file, as ``icacls`` was given it.
        who: its owner.
    """
    found = []
    for line in said.splitlines():
        match = _ENTRY.match(line.removeprefix(path).strip())
        if not match:
            continue
        name = match["who"].strip()
        rights = set(re.split(r"[(),]+", match["rights"])) - {""}
        if "DENY" in rights or not rights - _NO_ACCESS:
            continue
        trusted = name.removeprefix("*") in (_TRUSTED_SIDS | {who.sid}) or name.upper() in _TRUSTED_NAMES
        if not trusted and name.upper() != who.name.upper():
            found.append(name)
    return found
