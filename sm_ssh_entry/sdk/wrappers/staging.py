"""The folder that makes ``import sagemaker_ssh_helper`` work in a container; another room makes it, in a child."""

from __future__ import annotations

import sys

from sm_ssh_entry import command
from sm_ssh_entry.errors import SmSshError

_SCRIPT = "from sm_ssh_entry import in_script; print(in_script.dependency_dir())"


def dependency_dir() -> str:
    """Return the folder; its last word is ``sagemaker_ssh_helper``.

    Raises:
        SmSshError: it could not be made.
    """
    done = command.run([sys.executable, "-c", _SCRIPT])
    if not done.ok:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
        raise SmSshError(f"the folder of dependency_dir() could not be made: {last.strip()}")
    return done.stdout.strip()
