"""Who is told how far downloads are, and remembers it."""

from __future__ import annotations

import hashlib

from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.network import Mirrors, Network


class Heard:
    """Remembers."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}
        self.lines: list[str] = []
        self.most: dict[str, int] = {}

    def begin(self, name: str, total: int) -> None:
        pass

    def at(self, name: str, done: int, total: int) -> None:
        self.most[name] = done

    def end(self, name: str, how: str) -> None:
        self.ended[name] = how

    def say(self, line: str) -> None:
        self.lines.append(line)


def network(heard: Heard, mirrors: dict[str, str] | None = None, **environment: str) -> Network:
    return Network(Mirrors(mirrors or {}), say=heard.say, environment=environment)


def entry(file: str, url: str, content: bytes, *, component: str = "wheels", source: str = "pypi") -> Entry:
    return Entry(component, source, file, url, len(content), hashlib.sha256(content).hexdigest(), "1.0")
