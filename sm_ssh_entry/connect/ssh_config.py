"""The lines for ``~/.ssh/config`` with which ``ssh my-job.training.sagemaker``, ``scp`` and IDEs just work."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace

from sm_ssh_entry.connect import hostkeys, keys, names
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.ssh_command import ALIVE_COUNT, ALIVE_INTERVAL, key_exchange

EVERY_HOST = "*.sagemaker mi-*"


def lines(name: str = "", reach: Reach = Reach()) -> str:  # noqa: B008 - frozen
    """Return one ``Host`` block.

    ``%n`` is the name as it was typed; ``%h`` would be in lower case, and names of jobs are not. The host key is looked
    up by that same name in our file, which the proxy has written by then.

    Only keys that exist are named, because ``ssh`` complains about each that does not; one is made where there is none.
    A key named by ``SSH_KEY`` goes into the block. Other keys of an ssh-agent are not tried: a server lets us try six.

    Args:
        name: for this name only; ``""``: for every name of ours.
        reach: what is given in it is written into the block.
    """
    pattern, called, user = EVERY_HOST, "%n", names.ROOT_USER
    if name:
        target = names.parse(name)
        pattern, called = target.host, target.host
        reach, user = replace(reach, region=reach.region or target.region or None), target.user or user
    words = [sys.executable, "-m", "sm_ssh_entry.cli.proxy"]
    candidates = keys.candidates(reach.identity)
    if os.environ.get(keys.KEY_VARIABLE):
        reach = replace(reach, identity=str(candidates[0].identity))
    words += reach.words()
    settings = (
        ("User", user),
        ("ProxyCommand", f"{shlex.join(words).replace('%', '%%')} {called}"),
        ("UserKnownHostsFile", f'"{hostkeys.known_hosts()}"'),
        ("GlobalKnownHostsFile", "none"),
        ("StrictHostKeyChecking", "yes"),
        ("UpdateHostKeys", "no"),
        ("KexAlgorithms", key_exchange()),
        *(("IdentityFile", f'"{key.identity}"') for key in candidates),
        ("IdentitiesOnly", "yes"),
        ("ServerAliveInterval", str(ALIVE_INTERVAL)),
        ("ServerAliveCountMax", str(ALIVE_COUNT)),
    )
    return "\n".join([f"Host {pattern}", *(f"    {key} {value}" for key, value in settings)]) + "\n"
