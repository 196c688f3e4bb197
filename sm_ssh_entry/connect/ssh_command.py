"""The system's ``ssh``, with the options that make it come through us: proxy, pinned host key, our key, keep-alive."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.connect import hostkeys
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.names import ROOT_USER, Target
from sm_ssh_entry.errors import BadInput

# ssh(1), synopsis of OpenSSH 9: options that take a word, and those that take none.
_WITH_WORD = frozenset("BbcDEeFIiJLlmOoPpQRSWw")
_WITHOUT_WORD = frozenset("46AaCfGgKkMNnqsTtVvXxYy")
# First choices for the key exchange. OpenSSH before 9.9 starts with sntrup761x25519, portable C that takes 0.13 s of a
# login on both ends together; the stream is inside the service's TLS already. ML-KEM withstands quantum computers as
# well and costs nothing, so it goes first where this ssh has it. The user's own KexAlgorithms go before ours.
_FAST_KEX = ("mlkem768x25519-sha256", "curve25519-sha256")
ALIVE_INTERVAL = 15
ALIVE_COUNT = 8


@dataclass(frozen=True)
class Words:
    """What a user wrote after the host name: options for ``ssh``, and the remote command."""

    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def value_of(self, letter: str) -> str:
        """Return the word given to an option (``i``), ``""`` where it was not given."""
        for index, word in enumerate(self.options):
            if word == f"-{letter}" and index + 1 < len(self.options):
                return self.options[index + 1]
            if word.startswith(f"-{letter}") and len(word) > 2:
                return word[2:]
        return ""


def split(words: Sequence[str]) -> Words:
    """Tell options of ``ssh`` from the remote command, as ``ssh`` itself does: up to ``--`` or the first other word.

    Raises:
        BadInput: an option that ``ssh`` does not have, or one without its word.
    """
    rest = list(words)
    options: list[str] = []
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        options.append(word)
        letters = word[1:]
        for place, letter in enumerate(letters):
            if letter in _WITH_WORD:
                if place == len(letters) - 1:
                    if not rest:
                        raise BadInput(f"ssh's option -{letter} needs a word after it")
                    options.append(rest.pop(0))
                break
            if letter not in _WITHOUT_WORD:
                raise BadInput(f"ssh has no option -{letter}", hint="write -- before a command that starts with a dash")
    return Words(tuple(options), tuple(rest))


def proxy_words(target: Target, reach: Reach, *, outcome: Path) -> list[str]:
    """Return the ProxyCommand: this very interpreter and package, wherever PATH points.

    Args:
        target: whom to reach.
        reach: how.
        outcome: file into which the proxy writes why it failed.
    """
    return [
        sys.executable,
        "-m",
        "sm_ssh_entry.cli.proxy",
        "--outcome",
        str(outcome),
        *reach.words(target),
        target.host,
    ]


def ssh_argv(
    target: Target, proxy: Sequence[str], keys: Sequence[Key], words: Words, *, extra: Sequence[str] = ()
) -> list[str]:
    """Return the whole command line of ``ssh``.

    The user's own options stand first, because ``ssh`` takes the first value it is given for each. The host key is
    looked up under the host's name and the node's id in our own file only, and an unknown or changed key ends it.

    Raises:
        ToolMissing: there is no ``ssh``.

    Args:
        target: whom to reach, and as which user.
        proxy: argument list of the ProxyCommand.
        keys: keys that may open the node.
        words: options and remote command of the user.
        extra: options of the calling command.
    """
    user = target.user or ("" if words.value_of("l") else ROOT_USER)
    settings = [
        f"ProxyCommand={_shell_words(proxy)}",
        f"HostKeyAlias={target.alias}",
        f"UserKnownHostsFile={_quoted(hostkeys.known_hosts())}",
        "GlobalKnownHostsFile=none",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        f"KexAlgorithms={key_exchange()}",
        "CheckHostIP=no",
        *(f"IdentityFile={_quoted(key.identity)}" for key in keys),
        "IdentitiesOnly=yes",
        f"ServerAliveInterval={ALIVE_INTERVAL}",
        f"ServerAliveCountMax={ALIVE_COUNT}",
    ]
    options = [word for setting in settings for word in ("-o", setting)]
    login = ["-l", user] if user else []
    return ["ssh", *words.options, *extra, *options, *login, "--", target.host, *words.command]


def key_exchange() -> str:
    """Return the value for KexAlgorithms: our first choices that this ``ssh`` has, and then all of its own.

    Raises:
        ToolMissing: there is no ``ssh``.
    """
    known = command.run(["ssh", "-Q", "kex"], timeout=10).stdout.split()
    return "^" + ",".join(name for name in _FAST_KEX if name in known)


def remote_line(words: Sequence[str]) -> str:
    """Return what the remote shell is given: a single word as it stands, several exactly as they are.

    The shell ends with the command's status by itself; said aloud it does so for a command that a signal ended, too
    (128 + signal). Else it would become that command, a shell's own shortcut, and ``ssh`` has no status for a signal.
    """
    return (words[0] if len(words) == 1 else shlex.join(words)) + "\nexit $?"


def _shell_words(words: Sequence[str]) -> str:
    """Quote a ProxyCommand: for the user's shell on POSIX, for CreateProcess on Windows. ``%`` is ``ssh``'s own."""
    if os.name == "nt":
        return " ".join(f'"{word}"' if " " in word else word for word in words).replace("%", "%%")
    return shlex.join(words).replace("%", "%%")


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("%", "%%") + '"'
