"""Which objects an S3 data source names, where each of them belongs in a folder, and which node has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sm_ssh_entry import aws
from sm_ssh_entry.errors import SmSshError
from sm_ssh_entry.plane.execution import storage
from sm_ssh_entry.plane.execution.work import Failed

SHARDED = "ShardedByS3Key"
# The two of S3DataType that the plane reads.
PREFIX, MANIFEST = "S3Prefix", "ManifestFile"
# A manifest names its objects one by one; the service's own limit is 16 MB.
_MANIFEST_BYTES = 16 << 20


@dataclass(frozen=True)
class Item:
    """One object of a data source.

    Args:
        bucket: its bucket.
        key: its key.
        path: where it belongs below the source's folder.
    """

    bucket: str
    key: str
    path: PurePosixPath

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


def found(s3: Any, uri: str, *, manifest: bool) -> list[Item]:
    """Return the objects that a data source names, in their order; none: there are none, or there is no manifest.

    Args:
        s3: the plane's S3.
        uri: a prefix, an object, or a manifest.
        manifest: whether it is a manifest.

    Raises:
        Failed: the address is none, or the manifest.
    """
    bucket, prefix = storage.parse(uri)
    if not manifest:
        return [Item(bucket, key, storage.relative(key, prefix)) for key in storage.keys(s3, uri)]
    try:
        with s3.get_object(Bucket=bucket, Key=prefix)["Body"] as body:
            text = bytes(body.read(_MANIFEST_BYTES))
    except s3.exceptions.ClientError:
        return []
    return manifest_items(text, uri)


def listed(s3: Any, uri: str, kind: str) -> list[Item]:
    """Return the objects of a processing or transform job's data source, in the order of their keys.

    Args:
        s3: the plane's S3.
        uri: ``S3Uri`` of the source.
        kind: its ``S3DataType``.

    Raises:
        Failed: there are none, or they cannot be told.
    """
    try:
        with aws.errors_of(action="read the input"):
            items = found(s3, uri, manifest=kind == MANIFEST)
    except SmSshError as error:
        raise Failed(f"ClientError: Failed to download data. {uri}: {error.message}") from error
    if not items:
        # The service's own words.
        raise Failed(f"ClientError: S3 key: {uri} matched no files on s3")
    return sorted(items, key=str)


def manifest_items(text: bytes, uri: str) -> list[Item]:
    """Return the objects of a manifest: ``[{"prefix": "s3://bucket/folder/"}, "a", "b/c", …]``.

    Args:
        text: the manifest.
        uri: where it lies, for messages.

    Raises:
        Failed: it is none.
    """
    try:
        first, *names = json.loads(text)
        prefix = first["prefix"]
        wanted = [f"{prefix}{name}" for name in names if isinstance(name, str)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Failed(f"ClientError: Data download failed: {uri} is no manifest file") from error
    if not isinstance(prefix, str) or len(wanted) != len(names):
        raise Failed(f"ClientError: Data download failed: {uri} is no manifest file")
    _, base = storage.parse(prefix)
    return [Item(bucket, key, storage.relative(key, base)) for bucket, key in map(storage.parse, wanted)]


def share(items: Sequence[Item], nodes: Sequence[str]) -> dict[str, list[Item]]:
    """Divide objects among nodes as ShardedByS3Key does: by turns, so that none has two more than another.

    Args:
        items: the objects, in the order of their keys.
        nodes: the nodes.
    """
    return {node: list(items[place :: len(nodes)]) for place, node in enumerate(nodes)}


def fetch(s3: Any, items: Iterable[Item], folder: Path) -> None:
    """Download objects into a folder.

    Args:
        s3: the plane's S3.
        items: the objects.
        folder: where they go; made if it is not there.

    Raises:
        Failed: one is not there, or two of them want the same place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for one in items:
        try:
            with aws.errors_of(action="read the input"):
                storage.fetch(s3, one.bucket, one.key, folder / one.path)
        except SmSshError as error:
            raise Failed(f"ClientError: Failed to download data. Cannot download s3://{one}") from error
        except OSError as error:
            # A key can be a file's and the beginning of another's: no file system has both.
            reason = "a previously downloaded file/folder clashes with it"
            raise Failed(f"ClientError: Failed to download data. Cannot download s3://{one}, {reason}") from error
