"""Blocks of ssh_config with which ``ssh my-job.training.sagemaker``, ``scp``, ``git`` and IDEs just work."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from sm_ssh_entry.connect import hostkeys, keys, names, openssh, sharing
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.ssh_command import ALIVE_COUNT, ALIVE_INTERVAL, config_word, proxy_line

# Ids of managed nodes are mi- and 17 digits: somebody's own host mi-laptop is none of ours.
EVERY_HOST = ("*.sagemaker", "mi-" + 17 * "?")
# The ProxyCommand goes through the user's shell, and a name may come from elsewhere, a git submodule's address for one
# (CVE-2023-51385; OpenSSH before 9.6 takes any name). So it stands in quotes; with a quote in it, it is none of ours.
_NO_QUOTE = '"!*\'*"'


def lines(name: str = "", reach: Reach = Reach()) -> str:  # noqa: B008 - frozen
    """Return one ``Host`` block that shares no connection.

    Args:
        name: for this name only; ``""``: for every name of ours.
        reach: what is given in it is written into the block.
    """
    if not name:
        return _text(_every_host(reach))
    target = names.parse(name)
    return _text(_block(target.host, target, replace(reach, region=reach.region or target.region or None)))


def every_host(reach: Reach, *, share: bool) -> str:
    """Return the blocks for every name of ours.

    Args:
        reach: what is given in it is written into the block.
        share: whether plain ``ssh`` shares connections.
    """
    # Matched after the user's own Host lines for one of our names would have been: theirs may stand in any file.
    shared = sharing.config_lines(reach, ",".join(EVERY_HOST)) if share else []
    return _text([*_every_host(reach), *shared, *_with_region()])


def alias(name: str, target: Target, reach: Reach, *, share: bool) -> str:
    """Return the blocks for an alias.

    Args:
        name: what the user wants to type.
        target: whom it means.
        reach: how that is reached; region and profile are written into the block.
        share: whether plain ``ssh`` shares connections.
    """
    block = _block(name, target, reach)
    if name != target.host:
        block.append(f"    HostKeyAlias {target.alias}")
    shared = sharing.config_lines(reach, name) if share else []
    # An alias that is itself one of our names must not share by the blocks for every name, which reach elsewhere.
    return _text([*block, *shared, f"Host {name}", "    ControlMaster no", "    ControlPath none"])


def _every_host(reach: Reach) -> list[str]:
    """Make the block for every name.

    ``%n`` is the name as it was typed; ``%h`` would be in lower case, and names of jobs are not. The host key is looked
    up by that same name in our file, which the proxy has written by then.
    """
    called = "%n" if openssh.installed().keeps_case else "%h"
    if os.name != "posix":  # Windows has no shell there
        return _settings(" ".join(EVERY_HOST), called, names.ROOT_USER, reach)
    return _settings(" ".join((*EVERY_HOST, _NO_QUOTE)), f"'{called}'", names.ROOT_USER, reach)


def _with_region() -> list[str]:
    """Make the block for ``name@region``: ``ssh`` takes the region for the host, and the name for a user.

    Nothing can be done about that but to say it. Windows has no shell for it.
    """
    if os.name != "posix":
        return []
    said = "sm-ssh: ssh takes no name@region: use sm-ssh connect, or make an alias: sm-ssh config ALIAS NAME@REGION"
    return [
        "Match originalhost ??-*-?,??-*-??,???-*-?,???-*-?? user *.sagemaker,mi-*",
        f"    ProxyCommand /bin/sh -c 'echo \"{said}\" >&2; exit 1'",
    ]


def _block(pattern: str, target: Target, reach: Reach) -> list[str]:
    return _settings(pattern, target.host, target.user or names.ROOT_USER, reach)


def _settings(pattern: str, called: str, user: str, reach: Reach) -> list[str]:
    """Make a block.

    Only keys that exist are named, because ``ssh`` complains about each that does not; one is made where there is none.
    A key named by ``SSH_KEY`` goes into the block. Other keys of an ssh-agent are not tried: a server lets us try six.
    """
    candidates = keys.candidates(reach.identity)
    if reach.identity or os.environ.get(keys.KEY_VARIABLE):
        reach = replace(reach, identity=str(candidates[0].identity))
    words = [sys.executable, "-m", "sm_ssh_entry.cli.proxy", *reach.words()]
    kex = openssh.installed().kex_setting
    if user != names.ROOT_USER:  # the proxy logs in to a node on the way, and root is what it takes by itself
        called = f"{user}@{called}"
    settings = (
        ("User", user),
        ("ProxyCommand", f"{proxy_line(words)} {called}"),
        ("UserKnownHostsFile", config_word(hostkeys.known_hosts())),
        ("GlobalKnownHostsFile", "none"),
        ("StrictHostKeyChecking", "yes"),
        ("UpdateHostKeys", "no"),
        *((("KexAlgorithms", kex),) if kex else ()),
        *(("IdentityFile", config_word(key.identity)) for key in candidates),
        ("IdentitiesOnly", "yes"),
        ("ServerAliveInterval", str(ALIVE_INTERVAL)),
        ("ServerAliveCountMax", str(ALIVE_COUNT)),
    )
    return [f"Host {pattern}", *(f"    {key} {value}" for key, value in settings)]


def _text(block: list[str]) -> str:
    return "\n".join(block) + "\n"
