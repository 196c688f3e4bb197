"""Input channels: what a request says of them, and which objects are whose."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from sm_ssh_entry.plane.execution import channels, sources
from sm_ssh_entry.plane.execution.sources import Item
from sm_ssh_entry.plane.execution.work import Failed


def request(*inputs: dict[str, Any], mode: str = "File") -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingInputMode": mode}, "InputDataConfig": list(inputs)}


def one(name: str = "train", *, source: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data", **(source or {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": found}, **more}


def test_a_channel_has_the_algorithms_mode_unless_it_says_another() -> None:
    found = channels.read(request(one("a"), one("b", InputMode="File"), mode="FastFile"))
    assert [channel.mode for channel in found] == ["FastFile", "File"]
    assert found[0].settings["TrainingInputMode"] == "FastFile"
    assert channels.read({"AlgorithmSpecification": {"TrainingInputMode": "File"}}) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (one(InputMode="Pipe"), "no input mode Pipe"),
        (one(source={"S3DataType": "AugmentedManifestFile"}), "no AugmentedManifestFile"),
        ({"ChannelName": "train", "DataSource": {"FileSystemDataSource": {}}}, "no FileSystemDataSource"),
        (one(".."), "cannot name a channel"),
        (one("a/b"), "cannot name a channel"),
    ],
)
def test_what_the_plane_has_not_is_refused_by_its_name(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Failed, match=words):
        channels.read(request(given))


@pytest.mark.parametrize(
    ("objects", "nodes", "wanted"),
    [(5, 2, [[0, 2, 4], [1, 3]]), (2, 3, [[0], [1], []]), (3, 1, [[0, 1, 2]])],
)
def test_shards_are_as_even_as_they_can_be(objects: int, nodes: int, wanted: list[list[int]]) -> None:
    items = [Item("b", str(number), PurePosixPath(str(number))) for number in range(objects)]
    names = [f"algo-{number}" for number in range(1, nodes + 1)]
    shared = sources.share(items, names)
    assert [[int(item.key) for item in shared[name]] for name in names] == wanted


def test_a_manifest_names_objects_below_its_prefix() -> None:
    text = json.dumps([{"prefix": "s3://bucket/data/"}, "a", "b/c"]).encode()
    found = sources.manifest_items(text, "s3://bucket/m")
    assert [(item.bucket, item.key, str(item.path)) for item in found] == [
        ("bucket", "data/a", "a"),
        ("bucket", "data/b/c", "b/c"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'["a"]',
        b'[{"prefix": 1}, "a"]',
        b'[{"prefix": "s3://b/"}, 1]',
        b'[{"prefix": "s3://b/d/"}, "../../x"]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(Failed, match="ClientError"):
        sources.manifest_items(text, "s3://bucket/m")
