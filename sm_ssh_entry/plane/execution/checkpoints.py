"""A training job's checkpoints: restored from S3 when it starts, copied back while it runs and when it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from sm_ssh_entry.plane.execution import storage
from sm_ssh_entry.plane.execution.processing_outputs import Output, Outputs
from sm_ssh_entry.plane.execution.work import Failed, Work
from sm_ssh_entry.plane.local_job import Place

DEFAULT_PATH = "/opt/ml/checkpoints"


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


@contextlib.contextmanager
def copied(work: Work, place: Place) -> Iterator[None]:
    """Copy to S3 what changes in the checkpoints while the block runs the job, and the rest once it has ended.

    Args:
        work: the order.
        place: where the job runs.

    Raises:
        Failed: a file cannot be read or sent.
    """
    config = work.order.request.get("CheckpointConfig")
    if not config:
        yield
        return
    target, nodes = _local_path(config), place.job.node_names
    own = target == DEFAULT_PATH
    path = PurePosixPath(target.lstrip("/")) if own else PurePosixPath()
    roots = [place.job.root(node) if own else _folder(place, node, target) for node in nodes]
    with Outputs(work.s3, [Output(path, config["S3Uri"], continuous=True)], roots, work.say) as outputs:
        outputs.count_present()
        yield
        outputs.finish(all_of_them=False)


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
