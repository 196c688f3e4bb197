"""The system's ``ssh``, with the options that make it come through us: proxy, pinned host key, our key, keep-alive."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry.connect import hostkeys, openssh, sharing, windows_quoting
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.keys import Key
from sm_ssh_entry.connect.names import ROOT_USER, Target
from sm_ssh_entry.errors import BadInput

# ssh(1), synopsis of OpenSSH 9: options that take a word, and those that take none.
_WITH_WORD = frozenset("BbcDEeFIiJLlmOoPpQRSWw")
_WITHOUT_WORD = frozenset("46AaCfGgKkMNnqsTtVvXxYy")
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

    @property
    def letters(self) -> frozenset[str]:
        """The letters of all options, without what stands behind one that takes a word."""
        found: set[str] = set()
        skip = False
        for option in self.options:
            if skip:
                skip = False
                continue
            for place, letter in enumerate(option[1:], start=2):
                found.add(letter)
                if letter in _WITH_WORD:
                    skip = place == len(option)
                    break
        return frozenset(found)


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
        f"{target.user}@{target.host}" if target.user else target.host,  # a node on the way has the same user
    ]


def ssh_argv(
    target: Target,
    proxy: Sequence[str],
    keys: Sequence[Key],
    words: Words,
    *,
    extra: Sequence[str] = (),
    shared: Sequence[str] = sharing.OWN,
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
        shared: options of ``sharing``; default: a connection of its own.
    """
    user = target.user or ("" if words.value_of("l") else ROOT_USER)
    kex = openssh.installed().kex_setting
    settings = [
        f"ProxyCommand={proxy_line(proxy)}",
        f"HostKeyAlias={target.alias}",
        f"UserKnownHostsFile={config_word(hostkeys.known_hosts())}",
        "GlobalKnownHostsFile=none",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        *((f"KexAlgorithms={kex}",) if kex else ()),
        "CheckHostIP=no",
        *(f"IdentityFile={config_word(key.identity)}" for key in keys),
        "IdentitiesOnly=yes",
        f"ServerAliveInterval={ALIVE_INTERVAL}",
        f"ServerAliveCountMax={ALIVE_COUNT}",
    ]
    options = [word for setting in settings for word in ("-o", setting)]
    login = ["-l", user] if user else []
    return ["ssh", *words.options, *extra, *shared, *options, *login, "--", target.host, *words.command]


def remote_line(words: Sequence[str]) -> str:
    """Return what the remote shell is given: a single word as it stands, several exactly as they are.

    The shell ends with the command's status by itself; said aloud it does so for a command that a signal ended, too
    (128 + signal). Else it would become that command, a shell's own shortcut, and ``ssh`` has no status for a signal.
    """
    return (words[0] if len(words) == 1 else shlex.join(words)) + "\nexit $?"


def proxy_line(words: Sequence[str]) -> str:
    """Return a ProxyCommand: for the user's shell on POSIX, for CreateProcess on Windows. ``%`` is ``ssh``'s own."""
    line = windows_quoting.proxy_line(words) if os.name == "nt" else shlex.join(words)
    return line.replace("%", "%%")


def config_word(path: Path) -> str:
    """Return a path as a value of ssh_config: in quotation marks, which a path cannot hold itself.

    Raises:
        BadInput: it does hold one.
    """
    text = path.as_posix() if os.name == "nt" else str(path)
    if '"' in text:
        raise BadInput(f"ssh_config cannot name {text}", hint="use a path without quotation marks")
    return '"' + text.replace("%", "%%") + '"'
