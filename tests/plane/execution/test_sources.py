"""Objects that a data source names, in the plane's S3."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from sm_ssh_entry.plane.execution import sources
from sm_ssh_entry.plane.execution.sources import Item
from sm_ssh_entry.plane.execution.work import Failed
from tests.plane.conftest import ClientMaker

BUCKET = "source-data"


@pytest.fixture
def s3(client: ClientMaker) -> Any:
    made = client("s3")
    made.create_bucket(Bucket=BUCKET)
    for key in ("in/b/2", "in/a", "in/c", "in/folder/", "inner/d"):
        made.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    return made


def paths(found: list[Item]) -> list[str]:
    return [str(one.path) for one in found]


def manifest(s3: Any, content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    s3.put_object(Bucket=BUCKET, Key="lists/manifest", Body=text.encode())
    return f"s3://{BUCKET}/lists/manifest"


def test_prefixes_and_objects(s3: Any) -> None:
    assert paths(sources.listed(s3, f"s3://{BUCKET}/in/", "S3Prefix")) == ["a", "b/2", "c"]
    assert paths(sources.listed(s3, f"s3://{BUCKET}/in/a", "S3Prefix")) == ["a"]
    assert len(sources.listed(s3, f"s3://{BUCKET}", "S3Prefix")) == 4


def test_a_manifest_says_where_files_belong(s3: Any, tmp_path: Path) -> None:
    uri = manifest(s3, [{"prefix": f"s3://{BUCKET}/"}, "inner/d", "in/b/2"])
    found = sources.listed(s3, uri, "ManifestFile")
    assert [str(one) for one in found] == [f"{BUCKET}/in/b/2", f"{BUCKET}/inner/d"]
    sources.fetch(s3, found, tmp_path / "x")
    assert (tmp_path / "x" / "inner" / "d").read_text() == "inner/d"
    assert (tmp_path / "x" / "in" / "b" / "2").read_text() == "in/b/2"


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        (f"s3://{BUCKET}/none/", "S3Prefix"),
        (f"s3://{BUCKET}/in/folder/", "S3Prefix"),
        ("s3://no-such-bucket/in/", "S3Prefix"),
        (f"s3://{BUCKET}/none", "ManifestFile"),
        ("s3://no-such-bucket/none", "ManifestFile"),
    ],
)
def test_nothing_there_is_a_failure(s3: Any, uri: str, kind: str) -> None:
    with pytest.raises(Failed, match="matched no files on s3"):
        sources.listed(s3, uri, kind)


@pytest.mark.parametrize("uri", ["s3://no_such/bucket_name", "no address", "s3://"])
def test_what_is_no_address_is_a_failure_too(s3: Any, uri: str) -> None:
    with pytest.raises(Failed, match="ClientError"):
        sources.listed(s3, uri, "S3Prefix")


def test_what_is_no_manifest_is_said(s3: Any) -> None:
    with pytest.raises(Failed, match="is no manifest file"):
        sources.listed(s3, f"s3://{BUCKET}/in/a", "ManifestFile")


@pytest.mark.parametrize("name", ["../up", "a/../../up", "", "/"])
def test_no_entry_of_a_manifest_leaves_its_folder(s3: Any, name: str) -> None:
    with pytest.raises(Failed, match="no place in a folder"):
        sources.listed(s3, manifest(s3, [{"prefix": f"s3://{BUCKET}/in/"}, name]), "ManifestFile")


def test_what_is_gone_or_clashes_is_a_failure(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="Cannot download"):
        sources.fetch(s3, [Item(BUCKET, "none", PurePosixPath("none"))], tmp_path)
    both = [Item(BUCKET, "in/a", PurePosixPath("a")), Item(BUCKET, "in/c", PurePosixPath("a/c"))]
    with pytest.raises(Failed, match="clashes"):
        sources.fetch(s3, both, tmp_path)


def test_nodes_share_and_nobody_has_what_another_has() -> None:
    found = [Item(BUCKET, str(number), PurePosixPath(str(number))) for number in range(5)]
    shares = sources.share(found, ["algo-1", "algo-2", "algo-3"])
    assert [paths(share) for share in shares.values()] == [["0", "3"], ["1", "4"], ["2"]]
