"""The plane's S3 as a job uses it: prefixes and objects into folders, folders and archives back."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sm_ssh_entry.plane.execution.work import Failed

_CHUNK = 1 << 20


def parse(uri: str) -> tuple[str, str]:
    """Return the bucket and the key of ``s3://bucket/key``.

    Args:
        uri: the address.

    Raises:
        Failed: it is none.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise Failed(f"ClientError: Invalid S3 URI: {uri}")
    return bucket, key


def keys(s3: Any, uri: str) -> Iterator[str]:
    """Give the keys below a prefix, or that very object, in order; markers of folders are left out.

    Args:
        s3: the plane's S3.
        uri: address of an object or a prefix.

    Raises:
        Failed: there is no such bucket.
    """
    bucket, prefix = parse(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        for page in pages:
            yield from (one["Key"] for one in page.get("Contents", ()) if not one["Key"].endswith("/"))
    except s3.exceptions.NoSuchBucket:
        return


def fetch(s3: Any, bucket: str, key: str, target: Path) -> None:
    """Download one object; folders above the target are made.

    Args:
        s3: the plane's S3.
        bucket: its bucket.
        key: its key.
        target: the file to write.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file, s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
        shutil.copyfileobj(body, file, _CHUNK)


def relative(key: str, prefix: str) -> PurePosixPath:
    """Return where below a folder a key's file belongs, as the service lays out a prefix.

    Args:
        key: the object's key.
        prefix: the prefix that was asked for; the key itself: its last part is the file's name.

    Raises:
        Failed: the key would leave the folder.
    """
    # A prefix need not end at a slash: "data/tr" takes "data/train/1" to "train/1".
    base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0]
    folder = f"{prefix}/"
    base = folder if key.startswith(folder) else base
    found = PurePosixPath(key[len(base) :].lstrip("/"))
    if ".." in found.parts or not found.parts:
        raise Failed(f"ClientError: the key {key} has no place in a folder")
    return found


def download(s3: Any, uri: str, folder: Path, *, wanted: list[str] | None = None) -> int:
    """Download what lies below a prefix into a folder; return how many objects there were.

    Args:
        s3: the plane's S3.
        uri: address of an object or a prefix.
        folder: where the files go.
        wanted: keys to take; None: all.
    """
    bucket, prefix = parse(uri)
    taken = list(keys(s3, uri)) if wanted is None else wanted
    for key in taken:
        fetch(s3, bucket, key, folder / relative(key, prefix))
    return len(taken)


def within(path: Path, root: Path) -> bool:
    """Whether a path that a container could write to is below its root: it may have put a link in the way.

    Args:
        path: what is to be read here.
        root: the folder that the container has.
    """
    return path.resolve().is_relative_to(root.resolve())


def upload(s3: Any, folder: Path, uri: str) -> list[str]:
    """Upload every file of a folder below a prefix; return the keys.

    Args:
        s3: the plane's S3.
        folder: the folder.
        uri: address of the prefix.
    """
    bucket, prefix = parse(uri)
    made = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            key = "/".join(part for part in (prefix.rstrip("/"), path.relative_to(folder).as_posix()) if part)
            put(s3, path, bucket, key)
            made.append(key)
    return made


def put(s3: Any, path: Path, bucket: str, key: str) -> None:
    """Upload one file; its bucket is made where it is not there.

    Args:
        s3: the plane's S3.
        path: the file.
        bucket: its bucket.
        key: its key.
    """
    require_bucket(s3, bucket)
    with path.open("rb") as file:
        s3.put_object(Bucket=bucket, Key=key, Body=file)


def require_bucket(s3: Any, bucket: str) -> None:
    """Make a bucket unless it is there: on this plane nobody has to make the output's first.

    Args:
        s3: the plane's S3.
        bucket: its name.
    """
    region = s3.meta.region_name
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **place)
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        return


def upload_archive(s3: Any, folder: Path | Sequence[Path], uri: str) -> str:
    """Pack a folder's content into a .tar.gz object; return its address.

    Args:
        s3: the plane's S3.
        folder: the folder, or several as if they were one: of two files of one name the first one's is packed.
        uri: address of the object.
    """
    bucket, key = parse(uri)
    packed_names: set[Path] = set()
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            for one in [folder] if isinstance(folder, Path) else folder:
                for path in sorted(one.rglob("*")):
                    name = path.relative_to(one)
                    if name not in packed_names:
                        packed.add(path, str(name), recursive=False)
                        packed_names.add(name)
        put(s3, archive, bucket, key)
    return uri


def download_archive(s3: Any, uri: str, folder: Path) -> None:
    """Unpack a .tar.gz object into a folder.

    Args:
        s3: the plane's S3.
        uri: address of the object.
        folder: where its files go; made if it is not there.

    Raises:
        Failed: there is no such object, or it is no archive.
    """
    bucket, key = parse(uri)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "archive.tar.gz"
        try:
            fetch(s3, bucket, key, archive)
            with tarfile.open(archive) as packed:
                # Members that would lie outside of the folder are refused.
                packed.extractall(folder, filter="data")
        except s3.exceptions.ClientError as error:
            raise Failed(f"ClientError: Failed to download model data from {uri}") from error
        except (tarfile.TarError, EOFError, OSError) as error:
            raise Failed(f"ClientError: Failed to extract model data archive {uri}: {error}") from error
