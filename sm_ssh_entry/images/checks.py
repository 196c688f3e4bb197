"""What will not work in an image, or not as its owner may think; each finding with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sm_ssh_entry import __version__, contract
from sm_ssh_entry.images import facts
from sm_ssh_entry.images.config import LINK, OWN_WORDS, STUB
from sm_ssh_entry.images.facts import Facts

ARCHES = ("amd64", "arm64")
PROBLEM = "problem"
WARNING = "warning"
_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SERVING_PORT = "8080"
_PRIVILEGED = 1024
# What layer.json calls the agent that AWS publishes.
_OFFICIAL = "official"
_FIX_LAYER = "sm-ssh image wrap adds the layer anew"


class Finding(NamedTuple):
    """One thing to know: how grave it is (a problem: nobody can log in), what it is, what to do."""

    level: str
    text: str
    fix: str


def obstacles(known: Facts) -> Iterator[Finding]:
    """Yield what keeps the layer from being added.

    Args:
        known: what is known of the image.
    """
    if known.os != "linux":
        system = known.os or "an unknown system"
        yield Finding(PROBLEM, f"it is an image for {system}", "only Linux images can have the layer")
        return
    if known.arch not in ARCHES:
        yield Finding(PROBLEM, f"it is for processors of kind {known.arch}", "SageMaker runs amd64 and arm64")
    if facts.SHELL not in known.files:
        yield Finding(PROBLEM, "it has no /bin/sh, which the entrypoint needs", "take a base image with a shell")
    if known.musl:
        fix = "take a Debian, Ubuntu or Amazon Linux base"
        yield Finding(PROBLEM, "its C library is musl; the layer needs glibc", fix)
    if known.config.onbuild:
        fix = "wrap the image that is built from it"
        yield Finding(PROBLEM, "its ONBUILD instructions would run while the layer is added", fix)


def findings(known: Facts) -> tuple[Finding, ...]:
    """Return what there is to say about an image, problems first.

    Args:
        known: what is known of the image.
    """
    having = (_parts, _layer, _reached, _words, _agent) if known.layer is not None else (obstacles,)
    checks: tuple[Callable[[Facts], Iterator[Finding]], ...] = (*having, _account, _environment)
    found = [finding for check in checks for finding in check(known)] if known.os == "linux" else [*obstacles(known)]
    return tuple(sorted(found, key=lambda finding: finding.level != PROBLEM))


def reached(known: Facts) -> dict[str, bool]:
    """Tell by which of SageMaker's ways to start a container our stub is run.

    Training and everything that serves replace CMD with ``train`` or ``serve`` and keep ENTRYPOINT; a processing job
    without an entrypoint of its own keeps both.

    Args:
        known: what is known of the image.
    """
    config = known.config
    direct = config.has_stub or not config.entrypoint
    words = {word: config.has_stub or (direct and known.commands.get(word, False)) for word in ("train", "serve")}
    return {**words, "processing": config.has_stub or (direct and config.cmd[:1] in ((STUB,), (LINK,)))}


def _parts(known: Facts) -> Iterator[Finding]:
    """Look for what the layer consists of: a later step of the image may have taken it away."""
    needed = {
        facts.SHELL: "/bin/sh, which the entrypoint needs",
        STUB: "the entrypoint",
        facts.PYTHON: "the layer's interpreter, or the one that it leads to",
        facts.SSHD: "sshd",
        facts.AGENT: "the SSM agent",
    }
    for path, what in needed.items():
        file = known.files.get(path)
        if file is None:
            yield Finding(PROBLEM, f"{path} is gone: {what}", _FIX_LAYER)
        elif not file.mode & 0o111:
            yield Finding(PROBLEM, f"{path} cannot be executed: {what}", _FIX_LAYER)
    if not any(path in known.files for path in facts.CERTIFICATES):
        fix = "install the distribution's package ca-certificates"
        yield Finding(PROBLEM, "it has no certificates of authorities, so the agent trusts no AWS endpoint", fix)


def _layer(known: Facts) -> Iterator[Finding]:
    layer = known.layer or {}
    if (arch := layer.get("arch")) and arch != known.arch:
        text = f"the layer is for {arch}, the image for {known.arch}"
        yield Finding(PROBLEM, text, _FIX_LAYER)
    if (version := layer.get("version")) != __version__:
        text = f"the layer is of sm-ssh {version or 'without a version'}; this is {__version__}"
        yield Finding(WARNING, text, "sm-ssh image wrap renews it")


def _reached(known: Facts) -> Iterator[Finding]:
    ways = reached(known)
    missed = [way for way, fine in ways.items() if not fine]
    if missed:
        level = WARNING if any(ways.values()) else PROBLEM
        was = f"ENTRYPOINT is {list(known.config.entrypoint)}" if known.config.entrypoint else "there is no ENTRYPOINT"
        fix = f'make "{STUB}", "--" the first words of ENTRYPOINT; sm-ssh image wrap does'
        yield Finding(level, f"{was}: ssh does not start with {', '.join(missed)}", fix)
    elif known.config.entrypoint[0] not in (STUB, LINK):
        text = f"{known.config.entrypoint[0]} is the first process; only the entrypoint behind it starts ssh"
        yield Finding(WARNING, text, f'make "{STUB}", "--" the first words of ENTRYPOINT')


def _words(known: Facts) -> Iterator[Finding]:
    """A command with the name of one of the stub's own, right behind the stub."""
    words = (*known.config.entrypoint, *known.config.cmd)
    if words[:1] in ((STUB,), (LINK,)) and words[1:2] and words[1] in OWN_WORDS:
        text = f"the command {words[1]} is taken for the entrypoint's own {words[1]}"
        yield Finding(WARNING, text, f'ENTRYPOINT ["{STUB}", "--"] leaves all words to the image')


def _agent(known: Facts) -> Iterator[Finding]:
    if (source := _source(known)) != _OFFICIAL:
        text = f"its agent is the {source} one, which AWS does not know"
        yield Finding(WARNING, text, "it is for the local plane; sm-ssh image fetch --agent official, then build again")


def _source(known: Facts) -> str:
    return str(((known.layer or {}).get("agent") or {}).get("source", "unknown"))


def _account(known: Facts) -> Iterator[Finding]:
    user = known.account
    if not user.name:
        fix = f"RUN useradd --uid {user.uid} --create-home NAME" if user.uid >= 0 else "RUN useradd --create-home NAME"
        yield Finding(PROBLEM, f"its user {known.config.owner} has no entry in /etc/passwd; sshd needs one", fix)
        return
    if user.uid == 0:
        if user.locked and known.layer is not None:
            text = f"the account {user.name} is locked (! in /etc/shadow), so sshd refuses every login"
            yield Finding(PROBLEM, text, f"RUN usermod -p '*' {user.name}")
        return
    if _source(known) == _OFFICIAL:
        # It makes folders without the right to enter them (seen with 3.3.1142.0), which stops everybody but root.
        text = f"its user {user.name} is not root, and the official SSM agent works as root only"
        yield Finding(PROBLEM, text, "end the Dockerfile with USER root; the job runs without ssh otherwise")
        return
    port = known.config.env.get(contract.SSH_PORT, "")
    if port.isdigit() and 0 < int(port) < _PRIVILEGED:
        text = f"its user {user.name} is not root and may not listen on port {port} (SSH_PORT)"
        yield Finding(PROBLEM, text, "leave SSH_PORT unset: 2222 is used then")
    if known.layer is None:
        return  # the folders come with the layer
    for path in facts.STATE:
        if not _writable(known, path):
            text = f"its user {user.name} is not root and cannot write {path}"
            yield Finding(PROBLEM, text, f"RUN install -d -o {user.name} {path}")


def _writable(known: Facts, path: str) -> bool:
    """Whether the image's user can write in a folder, or make it."""
    folder = next((known.files[above] for above in facts.with_parents(path) if above in known.files), None)
    if folder is None:
        return False
    return bool(folder.mode & 0o200) if folder.uid == known.account.uid else bool(folder.mode & 0o002)


def _environment(known: Facts) -> Iterator[Finding]:
    env = known.config.env
    for name in _SECRETS:
        if env.get(name):
            text = f"{name} is in the image: everybody who can pull it has it"
            yield Finding(WARNING, text, "revoke it, and give the container a role; ENV cannot be taken back")
    if env.get(contract.START_SSH) == "true":
        text = "START_SSH=true is in the image: every container of it registers a node, wherever it runs"
        yield Finding(WARNING, text, "set it where a job is submitted")
    if env.get(contract.SSH_AUTHORIZED_KEYS):
        text = "SSH_AUTHORIZED_KEYS is in the image: the owners of these keys can log in to every container of it"
        yield Finding(WARNING, text, "set it where a job is submitted")
    if env.get(contract.SSH_PORT) == _SERVING_PORT:
        text = f"SSH_PORT is {_SERVING_PORT}, where SageMaker expects the model server"
        yield Finding(WARNING, text, "leave SSH_PORT unset")
    if env.get(contract.ROOT):
        text = f"{contract.ROOT} is in the image: the entrypoint then looks for the layer in another folder"
        yield Finding(PROBLEM, text, f"remove {contract.ROOT}; it is for several nodes on one host")
