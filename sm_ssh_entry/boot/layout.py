"""Where our files lie: the folder they come from, their place below a root, and the templates among them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sm_ssh_entry.contract import Paths

PROGRAMS = ("sm-ssh-entry", "sm-wait")
LOGIN = "sm_ssh_login.py"


def source() -> Path:
    """Return the folder of the files that go into an image as they are: in the wheel, or in a checkout beside it."""
    package = Path(__file__).resolve().parent.parent
    return next(folder for folder in (package / "entrypoint", package.parent / "entrypoint") if folder.is_dir())


def install(root: str) -> Path:
    """Put our programs into ``<root>/opt/sm-ssh/bin``; return that folder.

    An image gets them when it is built; a node under a root prefix, before it starts.

    Args:
        root: the prefix; ``""`` for the real root.
    """
    folder = Paths(root).bin
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*PROGRAMS, LOGIN):
        fresh = folder / f".{name}"
        shutil.copyfile(source() / name, fresh)
        fresh.chmod(0o755)
        fresh.replace(folder / name)
    return folder


def render(name: str, values: Mapping[str, str]) -> str:
    """Return a template with each ``@key@`` replaced.

    Args:
        name: file name of the template.
        values: what to put in.

    Raises:
        ValueError: a value has a line break, which would add a line of configuration.
    """
    text = (source() / name).read_text(encoding="utf-8")
    for key, value in values.items():
        if "\n" in value:
            raise ValueError(f"line break in {key}")
        text = text.replace(f"@{key}@", value)
    return text
