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

# A manifest names objects; one that is larger than this is data.
_MANIFEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Source:
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


def listed(s3: Any, uri: str, kind: str) -> list[Source]:
    """Return the objects that a data source names, in the order of their keys.

    Args:
        s3: the plane's S3.
        uri: ``S3Uri`` of the source.
        kind: its ``S3DataType``: ``S3Prefix`` or ``ManifestFile``.

    Raises:
        Failed: there are none, or the manifest cannot be read.
    """
    bucket, prefix = storage.parse(uri)
    try:
        with aws.errors_of(action="read the input"):
            if kind == "ManifestFile":
                found = _of_manifest(s3, uri)
            else:
                found = [Source(bucket, key, storage.relative(key, prefix)) for key in storage.keys(s3, uri)]
    except SmSshError as error:
        raise Failed(f"ClientError: Failed to download data. {uri}: {error.message}") from error
    if not found:
        # The service's own words.
        raise Failed(f"ClientError: S3 key: {uri} matched no files on s3")
    return sorted(found, key=str)


def share(found: Sequence[Source], node: int, nodes: int) -> list[Source]:
    """Return what one of several nodes has of objects that are shared out by their keys.

    Args:
        found: all of them.
        node: from 0.
        nodes: how many there are.
    """
    return list(found[node::nodes])


def fetch(s3: Any, found: Iterable[Source], folder: Path) -> None:
    """Download objects into a folder.

    Args:
        s3: the plane's S3.
        found: the objects.
        folder: where they go; made if it is not there.

    Raises:
        Failed: one is not there, or two of them want the same place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        try:
            with aws.errors_of(action="read the input"):
                storage.fetch(s3, one.bucket, one.key, folder / one.path)
        except SmSshError as error:
            raise Failed(f"ClientError: Failed to download data. Cannot download s3://{one}") from error
        except OSError as error:
            # A key can be a file's and the beginning of another's: no file system has both.
            reason = "a previously downloaded file/folder clashes with it"
            raise Failed(f"ClientError: Failed to download data. Cannot download s3://{one}, {reason}") from error


def _of_manifest(s3: Any, uri: str) -> list[Source]:
    """Read a manifest: ``[{"prefix": "s3://bucket/prefix/"}, "relative/path", ...]``."""
    bucket, key = storage.parse(uri)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        with body:
            text = body.read(_MANIFEST_BYTES)
    except s3.exceptions.ClientError as error:
        raise Failed(f"ClientError: S3 key: {uri} matched no files on s3") from error
    try:
        first, *names = json.loads(text)
        prefix = first["prefix"]
        if not isinstance(prefix, str) or not all(isinstance(name, str) for name in names):
            raise TypeError
    except (ValueError, TypeError, KeyError) as error:
        raise Failed(f'ClientError: the manifest {uri} is not [{{"prefix": "s3://..."}}, "path", ...]') from error
    found = []
    for name in names:
        where, whole = storage.parse(prefix + name)
        path = PurePosixPath(name.lstrip("/"))
        if not path.parts or ".." in path.parts:
            raise Failed(f"ClientError: {name!r} of the manifest {uri} has no place in a folder")
        found.append(Source(where, whole, path))
    return found
