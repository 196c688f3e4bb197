"""The Dockerfile of a wrapped image: the layer's own one, on another base, and what goes on top of the layer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from sm_ssh_entry import command
from sm_ssh_entry.images.config import STUB, Config, compose

TARGET = "wrapped"
# The stage of the layer's Dockerfile that has the layer on the untouched base, and nothing else.
_LAYERED = "layered"
_RENEWED = "renewed"
# What an earlier layer of ours left; what came as the distribution's packages stays, and is used again.
_OLD = ("/opt/sm-ssh", "/usr/lib/sm-ssh-stand-in")
# What our services write, and who must own it where they do not run as root.
_STATE = ("/run/sm-ssh",)
_OWNED = ("/var/lib/amazon", "/var/log/amazon", "/etc/amazon", "/etc/amazon/ssm")


def wrapped(layer: str, image: str, config: Config, arguments: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Return the Dockerfile.

    Args:
        layer: the text of Dockerfile.base or Dockerfile.internet_free.
        image: what it goes on.
        config: that image's configuration.
        arguments: values for ARG of the layer's Dockerfile, which need not be given to the build then.
        labels: what the layer says of itself.
    """
    text = _until_layered(layer)
    for name, value in {"BASE_IMAGE": image, **arguments}.items():
        text = _set(name, value, text)
    if config.has_stub:
        old = f"FROM {image} AS {_RENEWED}\n{_as_root(config, ['rm', '-rf', *_OLD])}\n"
        text = _replace(r"^FROM \$\{BASE_IMAGE\} ", f"{old}FROM {_RENEWED} ", text)
    return text + "\n" + _top(config, labels)


def instructions(image: str, tag: str, artifacts: Path, context: Path) -> str:
    """Return comment lines that say what a printed Dockerfile is, and how it is built.

    Args:
        image: what is wrapped.
        tag: what the result is called; empty: the reader's choice.
        artifacts: folder of fetched artifacts.
        context: folder with the layer's files.
    """
    build: list[str | Path] = [
        *("docker", "buildx", "build", "--load", "--tag", tag or "NEW-IMAGE"),
        *("--build-context", f"artifacts={artifacts}", "--file", "THIS-FILE", context),
    ]
    return f"# {image} with the sm-ssh layer, made by: sm-ssh image wrap --print\n# Build it: {command.join(build)}\n"


def _top(config: Config, labels: Mapping[str, str]) -> str:
    lines = [f"FROM {_LAYERED} AS {TARGET}"]
    if config.owner not in ("0", "root"):
        script = (
            f"mkdir -p {' '.join(_STATE + _OWNED)} && chmod 700 {' '.join(_STATE)}"
            f' && chown "$0" {" ".join(_STATE + _OWNED)}'
        )
        lines.append(_as_root(config, ["/bin/sh", "-c", script, config.owner]).rstrip())
    lines += [f"LABEL {name}={_quoted(value)}" for name, value in labels.items()]
    composed = compose(config)
    lines.append(f"ENTRYPOINT {json.dumps(composed.entrypoint)}")
    if composed.cmd:
        lines.append(f"CMD {json.dumps(composed.cmd)}")
    if not config.health:
        lines.append(f"HEALTHCHECK CMD {json.dumps([STUB, 'health'])}")
    return "\n".join(lines) + "\n"


def _as_root(config: Config, words: list[str]) -> str:
    """Return a step that root runs; what comes after it has the image's own user again."""
    return f"USER 0\nRUN {json.dumps(words)}\nUSER {_escaped(config.user) or 0}\n"


def _quoted(value: str) -> str:
    return '"' + _escaped(value).replace('"', '\\"') + '"'


def _escaped(value: str) -> str:
    """Keep a Dockerfile from reading a value as its own syntax."""
    return value.replace("\\", "\\\\").replace("$", "\\$")


def _until_layered(layer: str) -> str:
    """Return the stages up to the one that has the layer, without the opening comment, which is about another use."""
    stages = re.split(r"^(?=FROM )", re.sub(r"\A(#.*\n)+", "", layer), flags=re.MULTILINE)
    wanted = re.compile(rf"FROM .* AS {_LAYERED}\s*$", re.MULTILINE)
    named = [index for index, stage in enumerate(stages) if wanted.match(stage)]
    if len(named) != 1:
        raise RuntimeError(f"the layer's Dockerfile has no stage {_LAYERED}")
    return "".join(stages[: named[0] + 1]).rstrip() + "\n"


def _set(name: str, value: str, text: str) -> str:
    """Give every ARG of a name this value, whatever its default was."""
    return _replace(rf"^(ARG (?:.* )?{name})(?:=\S*)?(?=\s|$)", lambda found: f"{found[1]}={value}", text)


def _replace(pattern: str, by: str | Callable[[re.Match[str]], str], text: str) -> str:
    replaced, count = re.subn(pattern, by, text, flags=re.MULTILINE)
    if not count:
        raise RuntimeError(f"the layer's Dockerfile has no line {pattern}")
    return replaced
