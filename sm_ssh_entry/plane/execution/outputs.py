"""What a training job leaves: its model and its output on S3, each of all nodes together, after a failure too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sm_ssh_entry import contract
from sm_ssh_entry.plane.execution import node_files, reasons, storage
from sm_ssh_entry.plane.execution.work import Work
from sm_ssh_entry.plane.local_job import Place


def model_uri(request: Mapping[str, Any], name: str) -> str:
    """Return where the model of a training job is, or would be if it had written one.

    Args:
        request: its request.
        name: its name.
    """
    return f"{_base(request, name)}/{'model/' if _loose(request) else 'model.tar.gz'}"


def upload(work: Work, place: Place) -> None:
    """Upload the model, where there is one, and the output.

    The archive of the output holds /opt/ml/output: the folder ``data`` and the files by which a job says how it ended.

    Args:
        work: the order.
        place: where the job ran.
    """
    request, name = work.order.request, work.order.name
    models = _folders(place, "model")
    if models:
        uri = model_uri(request, name)
        if _loose(request):
            for folder in models:
                storage.upload(work.s3, folder, uri)
        else:
            storage.upload_archive(work.s3, models, uri)
    outputs = _folders(place, "output")
    if outputs:
        storage.upload_archive(work.s3, outputs, f"{_base(request, name)}/output.tar.gz")


def failure(place: Place) -> str:
    """Return what the first node that says why it failed has written.

    Args:
        place: where the job ran.
    """
    path = PurePosixPath(str(contract.Paths().failure).lstrip("/"))
    for node in place.job.node_names:
        # It may be of any size; a character has four bytes at the most.
        said = node_files.read(place.job.root(node), path, 4 * reasons.FAILURE_CHARACTERS)
        if said is not None:
            return said.decode("utf-8", "replace")
    return ""


def _base(request: Mapping[str, Any], name: str) -> str:
    return f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{name}/output"


def _loose(request: Mapping[str, Any]) -> bool:
    return bool(request["OutputDataConfig"].get("CompressionType") == "NONE")


def _folders(place: Place, name: str) -> list[Path]:
    """Return a folder of each node, if there is a file in any of them."""
    found = []
    for node in place.job.node_names:
        folder = place.job.root(node) / "opt" / "ml" / name
        if storage.within(folder, place.job.root(node)):
            found.append(folder)
    return found if any(not path.is_dir() for folder in found for path in folder.rglob("*")) else []
