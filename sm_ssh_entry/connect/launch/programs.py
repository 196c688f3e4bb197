"""The laptop's IDEs: where they are, how they are told to open a folder on a node, and how one does it by hand."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from sm_ssh_entry.errors import ToolMissing


@dataclass(frozen=True)
class Program:
    """An IDE.

    Attributes:
        name: as its makers write it.
        commands: names of its launcher on PATH, best first.
        places: where installers put the launcher without PATH knowing; ``~`` is the home folder.
        words: what the launcher is given, from host, user and folder.
        link: the same as a link that the desktop opens.
        by_hand: what to click, for who has neither.
    """

    name: str
    commands: tuple[str, ...]
    places: tuple[str, ...]
    words: Callable[[str, str, str], list[str]]
    link: Callable[[str, str, str], str]
    by_hand: str


def _vscode(scheme: str) -> Callable[[str, str, str], str]:
    return lambda host, _user, folder: f"{scheme}://vscode-remote/ssh-remote+{host}{quote(folder)}"


def _remote(host: str, _user: str, folder: str) -> list[str]:
    return ["--remote", f"ssh-remote+{host}", folder]


def _gateway(host: str, user: str, folder: str) -> str:
    """JetBrains Gateway's link. It fills the form in; the user clicks on from there."""
    said = {"type": "ssh", "deploy": "true", "host": host, "port": "22", "user": user, "projectPath": folder}
    return "jetbrains-gateway://connect#" + urlencode(said, quote_via=quote)


PROGRAMS = {
    "vscode": Program(
        "Visual Studio Code",
        ("code", "code-insiders"),
        (
            "/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code",
            "~/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code",
            "~/AppData/Local/Programs/Microsoft VS Code/bin/code.cmd",
            "/usr/share/code/bin/code",
            "/snap/bin/code",
        ),
        _remote,
        _vscode("vscode"),
        "in VS Code: Remote-SSH: Connect to Host...",
    ),
    "cursor": Program(
        "Cursor",
        ("cursor",),
        (
            "/Applications/Cursor.app/Contents/Resources/app/bin/cursor",
            "~/AppData/Local/Programs/cursor/resources/app/bin/cursor.cmd",
        ),
        _remote,
        _vscode("cursor"),
        "in Cursor: Remote-SSH: Connect to Host...",
    ),
    "pycharm": Program(
        "JetBrains Gateway",
        ("gateway", "gateway.sh", "gateway64.exe", "jetbrains-gateway"),
        (
            "/Applications/JetBrains Gateway.app/Contents/MacOS/gateway",
            "~/Applications/JetBrains Gateway.app/Contents/MacOS/gateway",
            "~/.local/share/JetBrains/Toolbox/scripts/gateway",
            "~/AppData/Local/Programs/Gateway/bin/gateway64.exe",
        ),
        lambda host, user, folder: [_gateway(host, user, folder)],
        _gateway,
        "in JetBrains Gateway: SSH, New Connection",
    ),
}


def launcher(program: Program, host: str, user: str, folder: str) -> list[str]:
    """Return the command line that opens a folder of a host.

    Args:
        program: which IDE.
        host: name that ``ssh`` knows.
        user: whom it logs in as.
        folder: absolute path on the node.

    Raises:
        ToolMissing: it is not installed; the hint says how to do it by hand.
    """
    found = next((path for name in program.commands if (path := shutil.which(name))), "")
    installed = (Path(place).expanduser() for place in program.places)
    found = found or next((str(path) for path in installed if path.is_file() and os.access(path, os.X_OK)), "")
    if not found:
        raise ToolMissing(
            f"{program.name} is not here: there is no {program.commands[0]} on PATH",
            hint=f"{program.by_hand}, host {host}, folder {folder}; or open {program.link(host, user, folder)}",
        )
    return [found, *program.words(host, user, folder)]


def detached() -> bool:
    """Whether a launcher must be given a session of its own, so that our Ctrl-C is not its own."""
    return sys.platform != "win32"
