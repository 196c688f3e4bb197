"""The commands of SageMaker SSH Helper under their old names: each says what is used now, and does that.

One function, ``main``, stands behind all of them and goes by the name it was called by. ``translate`` turns old words
into words of ``sm-ssh``; nothing else here knows how anything is done.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_ssh_entry import command, contract
from sm_ssh_entry.cli.main import main as sm_ssh
from sm_ssh_entry.cli.main import report
from sm_ssh_entry.errors import BadInput, SmSshError

# Where the debugger of an IDE listens, on both ends.
_DEBUGGER = ("-R", "localhost:12345:localhost:12345")
_DOMAIN, _PROFILE, _LICENSE = ".sm-studio-domain-id", ".sm-studio-user-profile-name", ".sm-jb-license-server"
_OLD_KEY = "sagemaker-ssh-gw"
_CONNECT = {"connect", "connect-job", "connect-endpoint", "connect-notebook", "connect-app"}
_PROXY = {"proxy-host", "proxy-job"}
_NODE_ID = re.compile(r"mi-[0-9a-f]+\s*$")


@dataclass(frozen=True)
class _Kind:
    kind: str
    port: int
    forwards: tuple[str, ...] = _DEBUGGER


KINDS = {
    "sm-local-ssh-training": _Kind("training", 11022),
    "sm-local-ssh-inference": _Kind("inference", 12022),
    "sm-local-ssh-processing": _Kind("processing", 14022),
    "sm-local-ssh-transform": _Kind("transform", 16022),
    "sm-local-ssh-notebook": _Kind("notebook", 17022, ()),
    "sm-local-ssh-ide": _Kind("studio", 10022, ()),
}
CONFIGURE, START, PROXY, DEREGISTER = (
    "sm-local-configure",
    "sm-local-start-ssh",
    "sm-connect-ssh-proxy",
    "sm-ssh-deregister-instances",
)


def main() -> int:
    """Do what the old command that we were called by did, and return its exit status."""
    program = Path(sys.argv[0]).name.removesuffix(".exe").removesuffix(".py")
    return run(program, sys.argv[1:])


def run(program: str, words: Sequence[str]) -> int:
    """Do what an old command did, and return the exit status.

    Args:
        program: its name.
        words: what followed it.
    """
    try:
        new = translate(program, words)
        if new[:1] == ["connect"]:
            _remember(new)
            new[1:1] = _key_words()
    except SmSshError as error:
        return report(error)
    if not new:
        return 0
    _say(f"{command.join([program, *words])} is now: {command.join(['sm-ssh', *new])}")
    return sm_ssh(new)


def translate(program: str, words: Sequence[str]) -> list[str]:
    """Return the words of ``sm-ssh`` that mean the same; none where it is done already: a setting was written.

    Args:
        program: name of the old command.
        words: what followed it.

    Raises:
        BadInput: they make no sense.
    """
    rest = list(words)
    if program in KINDS:
        return _of_a_kind(program, KINDS[program], rest)
    if program == CONFIGURE:
        _say("there is nothing to install: sm-ssh needs no AWS CLI and no session-manager-plugin")
        return ["doctor"]
    if program == START:
        if rest[:1] == ["--proxy-setup-only"]:
            return ["start-proxy", _node_id(rest[1:2])]
        return ["connect", _node_id(rest[:1]), *rest[1:]]
    if program == PROXY:
        silent = rest[:1] == ["--silent-setup-only"]
        rest = rest[silent:]
        # The second word is the bucket for keys: SSH_AUTHORIZED_KEYS_PATH says that now.
        node_id, options = _node_id(rest[:1]), rest[2:]
        return ["run", node_id, "--", "true"] if silent else ["connect", node_id, *options]
    if program == DEREGISTER:
        return _deregister(rest)
    raise BadInput(f"{program} is not a command of old", hint="docs/moving.md lists them all")


def _of_a_kind(program: str, kind: _Kind, rest: list[str]) -> list[str]:
    given: dict[str, str] = {}
    while kind.kind == "studio" and rest[:1] and rest[0] in {"--domain-id", "--user-profile-name"}:
        option = rest.pop(0)
        given[option] = rest.pop(0) if rest else ""
    verb = rest.pop(0) if rest else ""
    if kind.kind == "studio" and verb.startswith("set-"):
        _set(program, verb, rest)
        return []
    if verb in _PROXY:
        return ["start-proxy", _first(rest, program, f"{verb} NAME.{kind.kind}.sagemaker")]
    if verb == "stop-waiting":
        return ["stop-waiting", _host(kind, rest.pop(0), given) if rest else _last(kind)]
    if verb == "run-command":
        return ["run", _last(kind), "--", *(rest or [_first(rest, program, "run-command COMMAND")])]
    if kind.kind == "studio" and verb and verb not in _CONNECT:  # of version 1: the app at once
        rest.insert(0, verb)
        verb = "connect"
    if verb not in _CONNECT:
        raise BadInput(f"{program}: {verb or 'no'} command", hint=f"sm-ssh connect NAME.{kind.kind}.sagemaker")
    host = _host(kind, _first(rest, program, f"{verb} NAME"), given)
    return ["connect", host, *_forwards(kind, rest[1:])]


def _forwards(kind: _Kind, rest: list[str]) -> list[str]:
    """Return the ports that were always forwarded, and the user's own options."""
    own = ["-L", f"localhost:{kind.port}:localhost:22"]
    if kind.kind != "studio":
        return [*kind.forwards, *own, *rest]
    if rest[:1] == ["--ssh-only"]:
        return [*own, *rest[1:]]
    desktop = ["-L", "localhost:5901:localhost:5901", "-L", "localhost:8889:localhost:8889"]
    license_server = _setting(_LICENSE)
    licence = ["-R", f"127.0.0.1:443:{license_server}:443"] if license_server else []
    return [*own, *desktop, *licence, *rest]


def _host(kind: _Kind, name: str, given: dict[str, str]) -> str:
    """Return the whole name of what an old command called by its short one."""
    if name.startswith("mi-") or name.endswith(contract.NAME_SUFFIX):
        return name
    if kind.kind != "studio":
        return f"{name}.{kind.kind}{contract.NAME_SUFFIX}"
    domain = given.get("--domain-id") or ("" if given else _setting(_DOMAIN))
    user = given.get("--user-profile-name") or ("" if given else _setting(_PROFILE))
    middle = f".{user}.{domain}" if user and domain else ""
    return f"{name}{middle}.studio{contract.NAME_SUFFIX}"


def _deregister(rest: list[str]) -> list[str]:
    days = "0"
    approved = False
    while rest:
        word = rest.pop(0)
        if word == "--preapproving-deregistration":
            approved = True
        elif word == "--delete-older-than-n-days" and rest and rest[0].isdecimal():
            days = rest.pop(0)
        else:
            raise BadInput(f"{DEREGISTER}: {word!r} is not understood", hint="sm-ssh deregister --help")
    return ["deregister", "--older-than", f"{days}d", *(["--yes"] if approved else [])]


def _node_id(words: list[str]) -> str:
    """Return the node's id at the end of what may be a whole printed line."""
    found = _NODE_ID.search(words[0]) if words else None
    if not found:
        raise BadInput("no id of a managed node is given", hint="ids look like mi-1234567890abcdef0")
    return found[0].strip()


def _first(rest: list[str], program: str, form: str) -> str:
    if not rest or rest[0].startswith("-"):
        raise BadInput(f"{program}: a word is missing", hint=f"{program} {form}")
    return rest[0]


def _set(program: str, verb: str, rest: list[str]) -> None:
    settings = {"set-domain-id": _DOMAIN, "set-user-profile-name": _PROFILE, "set-jb-license-server": _LICENSE}
    if verb not in settings:
        raise BadInput(f"{program}: {verb} is not understood", hint=f"it knows {', '.join(settings)}")
    path = Path.home() / settings[verb]
    path.write_text(_first(rest, program, f"{verb} VALUE") + "\n", encoding="utf-8")
    _say(f"{path} is written. Names say it all now: APP.USER-PROFILE.DOMAIN-ID.studio.sagemaker")


def _setting(name: str) -> str:
    from sm_ssh_entry.connect import folder

    return folder.read(Path.home() / name).strip()


def _remember(new: list[str]) -> None:
    """Note whom a ``connect`` means: ``stop-waiting`` and ``run-command`` had no name of their own."""
    from sm_ssh_entry.connect import folder, names

    target = names.parse(new[1])
    if target.kind:
        folder.write(_last_file(target.kind), new[1] + "\n")


def _last(kind: _Kind) -> str:
    from sm_ssh_entry.connect import folder

    host = folder.read(_last_file(kind.kind)).strip()
    if not host:
        raise BadInput(
            f"which {kind.kind} resource? None was connected to before",
            hint=f"sm-ssh stop-waiting NAME.{kind.kind}.sagemaker, or sm-ssh run NAME.{kind.kind}.sagemaker -- COMMAND",
        )
    return host


def _last_file(kind: str) -> Path:
    from sm_ssh_entry.connect import folder

    return folder.private_folder() / f"last-{kind}"


def _key_words() -> list[str]:
    """Return the option that names the key which the old documents tell people to use on the forwarded port.

    An Ed25519 key is made in its place where there is none. An older one is ECDSA, which nodes do not take.
    """
    import os

    from sm_ssh_entry.connect import folder, keys

    if os.environ.get(keys.KEY_VARIABLE):
        return []
    path = folder.ssh_folder() / _OLD_KEY
    if not path.exists():
        folder.private_folder()
        made = command.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sm-ssh", "-f", path])
        if not made.ok:
            return []
    if folder.read(path.with_name(path.name + ".pub")).startswith(f"{keys.ED25519} "):
        return ["--identity", str(path)]
    _say(f"{path} is not an Ed25519 key, which nodes take; your usual key is used")
    return []


def _say(line: str) -> None:
    print(f"sm-ssh: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":  # python -m sm_ssh_entry.cli.old_names sm-local-ssh-training connect JOB
    sys.exit(run(sys.argv[1], sys.argv[2:]) if sys.argv[1:] else report(BadInput("which old command?")))
