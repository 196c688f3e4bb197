"""Connection sharing: a second login goes over the connection of the first one, by OpenSSH's own ControlMaster.

The socket's name holds a hash of everything that decides whom a name means: options, and the AWS environment. So the
same name in another account or region never shares. Not on Windows, whose ``ssh`` cannot.

A connection that is shared stays for a minute after its last login, and holds a session on the node so long. That is
why commands use one that is there, and only an interactive login and plain ``ssh`` leave one behind.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Sequence, Set
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.connect import folder
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.errors import SmSshError, TimedOut

SHARE_VARIABLE = "SM_SSH_SHARE"
PERSIST_SECONDS = 60
_SHARES = os.name == "posix"
# What botocore reads to decide on account, region and endpoint.
ENVIRONMENT = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_ACCESS_KEY_ID",
)
_BY_REGION = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})
_BY_PROFILE = frozenset({"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID"})
_ACCESS_KEY = "AWS_ACCESS_KEY_ID"
# The shell's: the value without its first 16 characters, of 20.
_BUT_LAST_FOUR = "#" + 16 * "?"
# A connection of one's own, whatever ~/.ssh/config says.
OWN = ("-o", "ControlMaster=no", "-o", "ControlPath=none")
# sun_path of unix(7) has 108 bytes, of macOS 104, the last one for NUL; ssh makes the socket under a name that is 17
# longer. Hash of ours, a dash, ssh's %C (SHA-1 in hexadecimal).
_LONGEST_FOLDER = 104 - 1 - 17 - len("/") - 10 - len("-") - 40
_CHECK_SECONDS = 5.0
# Forwards of a login that shares would outlive it, and its agent and display would be everybody's.
_ALONE = frozenset("LRDWNfwAXYSOM")


def wanted() -> bool:
    """Whether connections are to be shared here: the system's ``ssh`` can, and the user did not say no."""
    return _SHARES and os.environ.get(SHARE_VARIABLE, "").lower() not in ("no", "false", "0", "off")


def allowed(letters: Set[str]) -> bool:
    """Whether a login with these options of ``ssh`` may share: not if they change the connection itself.

    Args:
        letters: of the options, as ``ssh_command.Words.letters`` has them.
    """
    return not _ALONE & letters


def options(
    reach: Reach, check: Callable[[Sequence[str]], list[str]], tell: Callable[[str], None], *, create: bool
) -> list[str]:
    """Return ssh's options to go over a connection that is there already, if there is one that answers.

    Args:
        reach: how the name is to be reached.
        check: makes the whole command line of ``ssh`` from options, for ``-O check``.
        tell: takes one line for the user.
        create: where there is none, share the new one and leave it behind for the next login.
    """
    mark = digest(reach)
    for place in _folders():
        if not any(name.startswith(mark) for name in _names(place)):
            continue
        join = _words("ControlMaster=no", "ControlPersist=no", f"ControlPath={_path(place, mark)}")
        try:
            found = command.run(check([*join, "-O", "check"]), timeout=_CHECK_SECONDS)
        except TimedOut:
            tell("the shared connection does not answer; this login makes one of its own")
            return list(OWN)
        if found.ok:
            return join
    fresh = usable_folder() if create else None
    if fresh is None:
        return list(OWN)
    return _words("ControlMaster=auto", f"ControlPersist={PERSIST_SECONDS}", f"ControlPath={_path(fresh, mark)}")


def digest(reach: Reach) -> str:
    """Return what stands for options and AWS environment in a socket's name: 60 bits, 10 characters.

    Args:
        reach: how the name is to be reached.
    """
    environment = (f"{name}={os.environ.get(name, '')}" for name in _deciding(reach))
    said = [str(folder.ssh_folder()), *reach.words(), *environment]
    whole = hashlib.sha256("\0".join(said).encode("utf-8", errors="surrogateescape")).digest()
    return base64.urlsafe_b64encode(whole).decode("ascii")[:10]


def usable_folder() -> Path | None:
    """Return a private folder in which ``ssh`` can make its socket, None where there is none.

    It is tried out, because an ``ssh`` that cannot make its socket ends the login: file systems of networks and of
    other systems have no sockets or no hard links.
    """
    for place in _folders():
        with contextlib.suppress(OSError):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_ours(place) and _takes_sockets(place):
                return place
    return None


def config_lines(reach: Reach, patterns: str) -> list[str]:
    """Return the lines of ssh_config with which plain ``ssh`` shares; none where it cannot.

    They count only while the AWS environment is the one of now and the folder is there: a shell checks both before
    each login, in 3 ms. An access key is compared by its last four characters, all that ``aws configure list`` shows.

    Args:
        reach: what the block says.
        patterns: of hosts, separated by commas.
    """
    place = usable_folder() if wanted() else None
    names = _deciding(reach)
    values = [_plain(name) for name in names]
    if place is None or None in values or not _is_plain(str(place)):
        return []
    now = ",".join("${" + name + (_BUT_LAST_FOUR if name == _ACCESS_KEY else "") + "}" for name in names)
    then = ",".join(value or "" for value in values)
    test = f"case ${{{SHARE_VARIABLE}#yes}},{now} in (,{then}) test -O {place};; (*) false;; esac"
    return [
        f"Match originalhost {patterns} exec \"/bin/sh -c '{test}'\"",
        "    ControlMaster auto",
        f"    ControlPath {_path(place, digest(reach))}",
        f"    ControlPersist {PERSIST_SECONDS}",
    ]


def _words(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("-o", setting)]


def _path(place: Path, mark: str) -> str:
    return f"{place}/{mark}-%C".replace("%", "%%").replace("%%C", "%C")


def _folders() -> list[Path]:
    """List where sockets may be, best first: our folder, or where its name is too long, the system's places."""
    if os.name != "posix":
        return []
    places = [Path(f"{tempfile.gettempdir()}/sm-ssh-{os.getuid()}"), Path(f"/tmp/sm-ssh-{os.getuid()}")]  # noqa: S108
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        places.insert(0, Path(runtime) / "sm-ssh")
    with contextlib.suppress(SmSshError):
        places.insert(0, folder.private_folder() / "s")
    return [place for place in places if len(os.fsencode(place)) <= _LONGEST_FOLDER]


def _names(place: Path) -> list[str]:
    try:
        return [one.name for one in place.iterdir()] if _is_ours(place) else []
    except OSError:
        return []


def _is_ours(place: Path) -> bool:
    state = place.lstat()
    return state.st_uid == os.getuid() and state.st_mode & 0o170077 == 0o040000


def _takes_sockets(place: Path) -> bool:
    """Do what ``ssh`` does: make a socket under another name and link it."""
    import socket

    first, second = (place / f".try-{secrets.token_hex(4)}" for _ in range(2))
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(first))
            second.hardlink_to(first)
    except OSError:
        return False
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
    return True


def _is_plain(text: str) -> bool:
    return all(letter.isascii() and (letter.isalnum() or letter in "_.:/@+=-") for letter in text)


def _deciding(reach: Reach) -> tuple[str, ...]:
    """Return the variables that still decide where options say something: an option counts before a variable."""
    said = (_BY_REGION if reach.region else frozenset()) | (_BY_PROFILE if reach.profile else frozenset())
    return tuple(name for name in ENVIRONMENT if name not in said)


def _plain(name: str) -> str | None:
    """Return a variable's value as it can stand in a shell's pattern, unquoted; None where it cannot."""
    value = os.environ.get(name, "")
    value = value[16:] if name == _ACCESS_KEY and len(value) >= 16 else value
    return value if _is_plain(value) else None
