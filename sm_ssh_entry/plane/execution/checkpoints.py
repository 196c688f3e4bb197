"""A training job's checkpoints: restored from S3 when it starts, copied back while it runs and when it ends."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from sm_ssh_entry.plane.execution import storage
from sm_ssh_entry.plane.execution.work import Failed, Work
from sm_ssh_entry.plane.local_job import Place

DEFAULT_PATH = "/opt/ml/checkpoints"
# How often changed files are copied to S3 while the job runs.
INTERVAL = 2.0


def lay(work: Work, place: Place) -> Place:
    """Restore the checkpoints of each node, and return the place with a job that finds them.

    Args:
        work: the order.
        place: where the job is to run.

    Raises:
        Failed: the request's LocalPath is none.
    """
    config = work.order.request.get("CheckpointConfig")
    if not config:
        return place
    target, mounts = _local_path(config), {}
    for node in place.job.node_names:
        folder = _folder(place, node, target)
        folder.mkdir(parents=True, exist_ok=True)
        storage.download(work.s3, config["S3Uri"], folder)
        mounts[node] = [*place.job.mounts.get(node, ())]
        if target != DEFAULT_PATH:
            # As the whole of /opt/ml: an image's own user has no account here.
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o777 if path.is_dir() else 0o666)
            mounts[node].append((folder, target, False))
    return replace(place, job=replace(place.job, mounts=mounts))


class Sync:
    """Copies to S3 what changes in the checkpoints of a running job, and once more when it has ended.

    Args:
        work: the order.
        place: where the job runs.
    """

    def __init__(self, work: Work, place: Place) -> None:
        config = work.order.request.get("CheckpointConfig")
        self._work = work
        self._uri: str = config["S3Uri"] if config else ""
        target = _local_path(config) if config else ""
        self._folders = [_folder(place, node, target) for node in place.job.node_names] if config else []
        self._root = place.job.folder
        self._known: dict[Path, tuple[int, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def __enter__(self) -> Sync:
        if self._uri:
            # What was restored is in S3 already.
            self._known = {path: state for folder in self._folders for path, state in _files(folder).items()}
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._uri:
            self._over.set()
            self._thread.join()

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(INTERVAL)
            for folder in self._folders:
                self._copy(folder)

    def _copy(self, folder: Path) -> None:
        if not storage.within(folder, self._root):
            return
        bucket, prefix = storage.parse(self._uri)
        for path, state in _files(folder).items():
            if self._known.get(path) == state:
                continue
            key = "/".join(part for part in (prefix.rstrip("/"), path.relative_to(folder).as_posix()) if part)
            try:
                storage.put(self._work.s3, path, bucket, key)
            except (OSError, self._work.s3.exceptions.ClientError) as error:
                # It may be gone again, or not ours to read while the container still has it: the last pass tells.
                self._work.say(f"checkpoint {path.name} was not copied: {error}")
            else:
                self._known[path] = state


def _local_path(config: Mapping[str, Any]) -> str:
    given = str(config.get("LocalPath") or DEFAULT_PATH)
    path = PurePosixPath(given)
    if not path.is_absolute() or ".." in path.parts or path == PurePosixPath("/"):
        raise Failed(f"ClientError: CheckpointConfig.LocalPath cannot be {given}")
    return str(path)


def _folder(place: Place, node: str, target: str) -> Path:
    """Return where on this machine a node's checkpoints are."""
    if target == DEFAULT_PATH:
        return place.job.root(node) / DEFAULT_PATH.lstrip("/")
    return place.job.folder / "checkpoints" / node


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink():
                said = path.stat()
                found[path] = (said.st_mtime_ns, said.st_size)
        except OSError:
            continue
    return found
