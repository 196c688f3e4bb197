"""One file from its address to its place: goes on where an earlier try stopped, and is not there before it is right.

What has come lies in ``NAME.part``; ``NAME.part.tag`` holds the server's name for that content (its ETag), so that the
rest of another file is never put behind it. The place itself is only ever taken by a rename.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sm_ssh_entry.errors import ArtifactRefused, NotFound
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.network import Broken, Network, failures
from sm_ssh_entry.images.storage import BLOCK, sha256_of, writing

FETCHED, THERE = "fetched", "there already"


class Progress(Protocol):
    """Who is told how far things are. Called from several threads."""

    def begin(self, name: str, total: int) -> None:
        """Say that a file of so many bytes (-1: unknown) is being fetched."""

    def at(self, name: str, done: int, total: int) -> None:
        """Say how many of its bytes are there."""

    def end(self, name: str, how: str) -> None:
        """Say what became of it: FETCHED or THERE."""

    def say(self, line: str) -> None:
        """Show a line."""


class Stopped(Exception):
    """Another download failed, or the user wants no more: what has come is kept."""


@dataclass
class _Part:
    """What has come of a file so far."""

    path: Path

    @property
    def tag(self) -> Path:
        return self.path.with_name(self.path.name + ".tag")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


class Download:
    """One file's way.

    Args:
        entry: what it is.
        folder: the folder of artifacts.
        network: opens its address.
        progress: is told.
        stop: set when nobody wants it any more.
    """

    def __init__(self, entry: Entry, folder: Path, network: Network, progress: Progress, stop: threading.Event) -> None:
        self.entry = entry
        self.place = folder / entry.file
        self.network = network
        self.progress = progress
        self.stop = stop
        self.part = _Part(self.place.with_name(self.place.name + ".part"))

    def run(self) -> Entry:
        """Return the entry with size and checksum, once its file is in its place.

        Raises:
            ArtifactRefused: what came is not what is locked; it is removed.
            NoSpace: the disk is full; what has come stays.
            SmSshError: it cannot be fetched.
            Stopped: nobody wants it any more; what has come stays.
        """
        if self.entry.locked and self.place.is_file():
            if matches(self.entry, self.place):
                self.progress.end(self.entry.file, THERE)
                return self.entry
            self.progress.say(f"{self.entry.file} is damaged: it is fetched again")
            with writing(self.place):
                self.place.unlink()
        with writing(self.place):
            self.place.parent.mkdir(parents=True, exist_ok=True)
        return self.network.persistently(self._try, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped

    def _try(self) -> Entry:
        resumed = self._receive()
        size, sha256 = self.part.size(), sha256_of(self.part.path)
        if self.entry.locked and (size, sha256) != (self.entry.size, self.entry.sha256):
            self.part.forget()
            if resumed:
                # The first part came from another time: perhaps from another file. Once more, whole.
                raise Broken(f"{self.entry.file}: its two parts do not fit")
            raise ArtifactRefused(
                f"{self.entry.file} is not the locked file: {size} bytes with sha256 {sha256}, "
                f"locked are {self.entry.size} bytes with {self.entry.sha256}",
                hint=f"it came from {self.network.mirrors.towards(self.entry.url)} and is removed; "
                "ask whoever runs that server, or lock anew if the file was changed with intent",
            )
        with writing(self.place):
            self.part.path.replace(self.place)
        self.part.forget()
        self.progress.end(self.entry.file, FETCHED)
        return self.entry if self.entry.locked else self.entry.seen(size, sha256)

    def _receive(self) -> bool:
        """Receive into the part. Return whether what was there before was kept."""
        begin = self._begin()
        if begin and begin == self.entry.size:
            return True
        with self._open(begin) as response:
            begin, total = self._continues(response, begin)
            self.progress.begin(self.entry.file, total)
            with writing(self.place), self.part.path.open("r+b" if begin else "wb") as file:
                file.seek(begin)
                file.truncate()
                if not begin:
                    self._remember(response)
                self._copy(response, file, begin, total)
        return begin > 0

    def _begin(self) -> int:
        """Return how much is there to go on from."""
        have = self.part.size()
        usable = self.part.tag.is_file() or self.entry.locked
        if have and (not usable or (self.entry.locked and have > self.entry.size)):
            self.part.forget()
            return 0
        return have

    def _open(self, begin: int) -> Any:
        try:
            return self.network.open(self.entry.url, self._headers(begin))
        except NotFound as error:
            if not begin:
                raise
            # 416: the part is all there is, or more. Whole, then; a file that is gone is gone then, too.
            self.part.forget()
            raise Broken(f"{self.entry.file}: the server does not go on from {begin} bytes") from error

    def _headers(self, begin: int) -> dict[str, str]:
        if not begin:
            return {}
        tag = self.part.tag.read_text(encoding="latin-1") if self.part.tag.is_file() else ""
        return {"Range": f"bytes={begin}-", **({"If-Range": tag} if tag else {})}

    def _continues(self, response: Any, begin: int) -> tuple[int, int]:
        """Return where the response begins and how long the whole file is (-1: unknown)."""
        length = int(response.headers.get("Content-Length") or -1)
        if response.status is None and begin:  # a file: it knows no ranges
            with failures(self.entry.url):
                response.seek(begin)
            return begin, length
        if response.status != 206:
            return 0, length
        span, _, total = str(response.headers.get("Content-Range", "")).removeprefix("bytes ").partition("/")
        fits = span.startswith(f"{begin}-") and total.isdigit()
        if not fits or (self.entry.locked and int(total) != self.entry.size):
            self.part.forget()
            raise Broken(f"{self.entry.file}: the server has another file than the one begun")
        return begin, int(total)

    def _remember(self, response: Any) -> None:
        tag = response.headers.get("ETag", "")
        if tag.startswith('"'):  # a weak one does not promise the same bytes
            self.part.tag.write_text(tag, encoding="latin-1")
        else:
            self.part.tag.unlink(missing_ok=True)

    def _copy(self, response: Any, file: Any, done: int, total: int) -> None:
        limit = self.entry.size if self.entry.locked else total
        while True:
            if self.stop.is_set():
                raise Stopped
            with failures(self.entry.url):
                # read1: what has come, so that a slow server's bytes are kept and a stop is seen.
                block = response.read1(BLOCK) if hasattr(response, "read1") else response.read(BLOCK)
            if not block:
                break
            file.write(block)
            done += len(block)
            self.progress.at(self.entry.file, done, total)
            if done > limit >= 0:
                break  # more than there should be: the checksum says so
        file.flush()
        if total >= 0 and done < total:
            raise Broken(f"{self.entry.file}: the connection broke off at {done} of {total} bytes")


def matches(entry: Entry, path: Path) -> bool:
    """Whether a file is the locked one.

    Args:
        entry: what is locked.
        path: the file.
    """
    return path.stat().st_size == entry.size and sha256_of(path) == entry.sha256
