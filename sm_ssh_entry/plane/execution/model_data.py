"""Model artifacts from S3, as a container that serves finds them below /opt/ml (contract page, section 1.4)."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_ssh_entry.plane.execution import storage
from sm_ssh_entry.plane.execution.work import Failed
from sm_ssh_entry.plane.in_service import name_of

# Where a container finds the sources beside its model, each in a folder of its name.
ADDITIONAL = "additional-model-data-sources"


def places(definition: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Return what of a container's model data belongs where: place below /opt/ml -> its folder in ``folder``.

    Args:
        definition: ContainerDefinition of CreateModel.
        folder: the folder that ``fetch`` fills.
    """
    names = [] if is_multi_model(definition) else ["model"]
    names += [f"{ADDITIONAL}/{one['ChannelName']}" for one in definition.get("AdditionalModelDataSources") or ()]
    return {name: folder / name for name in names}


def fetch(s3: Any, definition: Mapping[str, Any], folder: Path, *, container: str = "container_1") -> dict[str, Path]:
    """Download all that a container's definition names; the models of a multi-model one come later, one by one.

    Args:
        s3: the plane's S3.
        definition: ContainerDefinition of CreateModel.
        folder: an empty folder of this container's.
        container: what a failure reason calls it.

    Returns:
        What ``places`` gives.

    Raises:
        Failed: nothing is there, or it cannot be unpacked.
    """
    made = places(definition, folder)
    for path in made.values():
        path.mkdir(parents=True, exist_ok=True)
    uri, archive = source(definition)
    if uri and "model" in made:
        _bring(s3, uri, made["model"], archive=archive, container=container)
    for one in definition.get("AdditionalModelDataSources") or ():
        given = one["S3DataSource"]
        target = made[f"{ADDITIONAL}/{one['ChannelName']}"]
        _bring(s3, given["S3Uri"], target, archive=given.get("CompressionType") == "Gzip", container=container)
    return made


def fetch_one(s3: Any, definition: Mapping[str, Any], target: str, folder: Path) -> None:
    """Download one of many models to ``<folder>/<its name>/model``; does nothing if it is there.

    Args:
        s3: the plane's S3.
        definition: ContainerDefinition with Mode MultiModel.
        target: TargetModel of an invocation: what follows the prefix.
        folder: what the container sees as its models' folder.

    Raises:
        Failed: there is no such artifact, or it cannot be unpacked.
    """
    whole = folder / name_of(target)
    if whole.is_dir():
        return
    prefix, archive = source(definition)
    uri = f"{prefix.rstrip('/')}/{target.lstrip('/')}"
    partial = folder / f".{whole.name}"
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "model").mkdir(parents=True)
    try:
        _bring(s3, uri, partial / "model", archive=archive, container="")
    except Failed:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # All at once: the container sees the whole folder.
    partial.rename(whole)


def is_multi_model(definition: Mapping[str, Any]) -> bool:
    """Say whether a container has many models.

    Args:
        definition: ContainerDefinition.
    """
    return definition.get("Mode") == "MultiModel"


def source(definition: Mapping[str, Any]) -> tuple[str, bool]:
    """Return where a container's model data is, and whether it is an archive; ``""``: it has none.

    Args:
        definition: ContainerDefinition.
    """
    given = (definition.get("ModelDataSource") or {}).get("S3DataSource") or {}
    if given.get("S3Uri"):
        return str(given["S3Uri"]), given.get("CompressionType") != "None"
    return str(definition.get("ModelDataUrl") or ""), True


def _bring(s3: Any, uri: str, folder: Path, *, archive: bool, container: str) -> None:
    try:
        if archive:
            storage.download_archive(s3, uri, folder)
            return
        if storage.download(s3, uri, folder):
            return
    except Failed as error:
        if isinstance(error.__cause__, (tarfile.TarError, EOFError, OSError)):
            whose = f' for container "{container}"' if container else ""
            raise Failed(
                f'Failed to extract model data archive{whose} from URL "{uri}". '
                "Please ensure that the object located at the URL is a valid tar.gz archive."
            ) from error
    raise Failed(_missing(uri, container))


def _missing(uri: str, container: str) -> str:
    bucket, key = storage.parse(uri)
    where = f' for container "{container}" from URL: "{uri}"' if container else f"(bucket: {bucket}, key: {key})"
    return (
        f"Failed to download model data{where}. Please ensure that there is an object located at the URL and that the "
        "role passed to CreateModel has permissions to download the model."
    )
