"""Several downloads at once. The first failure stops the others; what they have stays."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from sm_ssh_entry.images.download import Download, Progress, Stopped
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.network import Network

_TICK = 0.2


def fetch_all(
    entries: Sequence[Entry], folder: Path, network: Network, progress: Progress, *, workers: int
) -> list[Entry]:
    """Fetch files side by side and return their entries, all locked, in the given order.

    Args:
        entries: what to fetch.
        folder: the folder of artifacts.
        network: opens their addresses.
        progress: is told.
        workers: how many at once.

    Raises:
        SmSshError: the first that failed.
        KeyboardInterrupt: at once, also while a server says nothing.
    """
    stop = threading.Event()
    waiting: queue.SimpleQueue[Entry] = queue.SimpleQueue()
    results: queue.SimpleQueue[Entry | BaseException] = queue.SimpleQueue()
    for entry in entries:
        waiting.put(entry)

    def work() -> None:
        while not stop.is_set():
            try:
                entry = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results.put(Download(entry, folder, network, progress, stop).run())
            except Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - it is raised where somebody hears it
                results.put(error)
                return

    # Daemons: an interrupt does not wait for a server that is silent. A file is in its place or it is a part.
    threads = [threading.Thread(target=work, name=f"fetch-{n}", daemon=True) for n in range(min(workers, len(entries)))]
    for thread in threads:
        thread.start()
    done: dict[str, Entry] = {}
    try:
        while len(done) < len(entries):
            try:
                result = results.get(timeout=_TICK)
            except queue.Empty:
                continue
            if isinstance(result, BaseException):
                raise result
            done[result.file] = result
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=_TICK)
    return [done[entry.file] for entry in entries]
