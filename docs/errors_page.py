"""Writes docs/errors.md: every error that the laptop tool and the container can end with, taken from the source.

    python docs/errors_page.py          # after a message has changed; a test compares the page with the source

The messages and what to do stand where they are raised. What kind of error it is, and what helps where nothing more is
said, stands here, once for each kind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sm_ssh_entry"
PAGE = ROOT / "docs" / "errors.md"
# The local control plane answers as AWS does; its own errors are AWS's.
LEFT_OUT = {"plane", "errors.py"}
PLACES = {
    "boot": "container",
    "connect": "laptop",
    "pump": "laptop",
    "cli": "command line",
    "images": "images",
    "engine.py": "images",
}
GAP = "…"
# kind -> what it means, what to do where the error itself has no hint.
KINDS = {
    "SmSshError": (
        "Something expected went wrong that has no code of its own.",
        "The line itself says what to change.",
    ),
    "BadInput": (
        "A word on the command line, a variable or a file cannot be right.",
        "Correct it. `sm-ssh COMMAND --help` shows the forms.",
    ),
    "NotFound": (
        "Nothing has that name in this account and region.",
        "Check the name, capitals included; then the account (`AWS_PROFILE`) and the region (`AWS_REGION`). "
        "`sm-ssh list` shows what is there.",
    ),
    "NotRegistered": (
        "The job exists, and no managed node has registered for it: it is still starting, SSH is off in it, or its "
        "role may not create activations.",
        "`sm-ssh wait NAME`, then `sm-ssh doctor NAME`. The job's log has a line of `[sm-ssh]` that says why.",
    ),
    "ConnectionLost": (
        "The node has registered, and its agent is not connected now: the container has ended, or it has no network.",
        "`sm-ssh list` shows when it was last heard; the job's log says which of the two it is.",
    ),
    "Ambiguous": ("Several nodes have that name.", "Name one of them: by its id, by `--index`, or in full."),
    "CredentialsMissing": (
        "There are no AWS credentials, or AWS does not accept them.",
        "Set `AWS_PROFILE` or `--profile`; check with `aws sts get-caller-identity`. A clock that is wrong looks the "
        "same: `sm-ssh doctor` tells them apart.",
    ),
    "CredentialsExpired": ("The credentials were good once.", "`aws sso login`, or what else you got them by."),
    "AccessDenied": (
        "A policy does not allow the action, or not on this node: a node belongs to the `aws:userid` in its tag "
        "SSHOwner.",
        "`sm-ssh doctor NAME` says which statement is missing; `sm-ssh doctor --policies` prints the whole policies.",
    ),
    "WrongRegion": ("No region is set, it is none, or the job is in another one.", "`--region`, or `AWS_REGION`."),
    "AdvancedTierOff": (
        "Session Manager reaches hybrid nodes only with the advanced-instances tier of Systems Manager.",
        "An administrator turns it on, once for each region. It costs money for each node and hour.",
    ),
    "Throttled": ("AWS asked us to slow down, and went on asking.", "Wait a minute. Fewer nodes at a time."),
    "Unreachable": (
        "An endpoint does not answer: no network, a proxy, a firewall, or a VPC without interface endpoints.",
        "`sm-ssh doctor` says which endpoint; `sm-ssh doctor NAME` looks at the job's VPC too.",
    ),
    "SessionFailed": (
        "The session was refused, did not come to life, or broke.",
        "Connect again. `sm-ssh doctor NAME` opens one and says how far it came.",
    ),
    "KeyRefused": (
        "There is no usable key, or the node does not take it. Nodes take Ed25519 keys.",
        "`SSH_KEY=path` names the key of the job; `ssh-keygen -t ed25519` makes one.",
    ),
    "ToolMissing": ("A program that is needed is not there.", "Install it, or put it on PATH."),
    "PlaneDown": ("The local control plane does not run.", "`sm-ssh local up`."),
    "SetupFailed": (
        "The container could not be made reachable. Your command runs all the same, unless `SSH_ON_ERROR=fail`.",
        "The line in the job's log has the cause; `sm-ssh-entry status` repeats it.",
    ),
    "TimedOut": ("A deadline passed.", "Give it longer with `--timeout` where there is one, or try again."),
    "ServiceError": (
        "AWS answered with an error that has no better name here. Its own code is in the line.",
        "Look the code up in AWS's reference of that operation.",
    ),
    "BuildFailed": ("An image could not be built.", "The engine's own words stand above."),
    "ArtifactRefused": (
        "A checksum or a signature does not match: what was downloaded is not what was locked.",
        "Do not use it. Find out whether a mirror or a proxy changes files, then fetch again.",
    ),
    "NoSpace": ("A disk is full.", "Make room, or name another folder."),
}
_HEAD = """\
# Errors

Every line with which `sm-ssh` and the container's entrypoint can end, by kind and exit code, with what to do about it.
{gap} stands for a name, a number or AWS's own words.

This page is written by `python docs/errors_page.py` from the source: edit the messages there.

An error of the laptop tool is one line and a hint on standard error:

    sm-ssh: there is no training job my-job in eu-west-1
      hint: check the name, upper and lower case included, and the account (AWS_PROFILE)

In a container it is a line of the job's log that begins with `[sm-ssh]`. Where `ssh` runs us as its ProxyCommand, `ssh`
itself ends with 255 after our line. `sm-ssh doctor` (docs/doctor.md) checks all of the causes at once.
"""


@dataclass(frozen=True, order=True)
class Entry:
    """One message: its kind, where it comes from, its text and its hint, with gaps for what only a run knows."""

    kind: str
    place: str
    text: str
    hint: str


def kinds() -> dict[str, int]:
    """Return the exit code of each kind, in the order of errors.py."""
    found = {}
    for node in ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant):
                    found[node.name] = int(str(line.value.value))
    return found


def texts(node: ast.expr | None) -> list[str]:
    """Return what a message may be: one text, or for a choice one for each branch."""
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in texts(node.left) for right in texts(node.right)]
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return [
            "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values).replace(
                GAP * 2, GAP
            )
        ]
    return [GAP]


def entries() -> list[Entry]:
    """Return every message of the source that is more than gaps."""
    found = set()
    known = kinds()
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0]
        if room in LEFT_OUT:
            continue
        for kind, message, hint in _raised(ast.parse(path.read_text(encoding="utf-8")), set(known)):
            place = PLACES.get(room, "everywhere")
            found |= {Entry(kind, place, one, hint) for one in texts(message) if re.search(r"[a-z]{3}", one)}
    return sorted(found)


def page() -> str:
    """Return the page."""
    every = entries()
    parts = [_HEAD.format(gap=GAP)]
    for kind, code in kinds().items():
        cause, remedy = KINDS[kind]
        parts.append(f"\n## {code} {kind}\n\n{cause} {remedy}\n")
        rows = [one for one in every if one.kind == kind]
        parts += ["\n| message | what to do | where |\n| --- | --- | --- |\n"] if rows else []
        parts += [f"| `{_cell(one.text)}` | {_cell(one.hint) or 'as above'} | {one.place} |\n" for one in rows]
    parts.append(
        "\n## 130\n\nInterrupted with Ctrl-C.\n\n## 2, with `Usage:`\n\nThe command line was not understood; "
        "the line below `Usage:` names the option or the word.\n"
    )
    return "".join(parts)


def _raised(tree: ast.AST, known: set[str]) -> Iterator[tuple[str, ast.expr, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in known:
            hints = [texts(word.value) for word in node.keywords if word.arg == "hint"]
            said = [one for one in (hints[0] if hints else []) if one.strip(GAP)]
            yield name, node.args[0], "; or: ".join(dict.fromkeys(said))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
