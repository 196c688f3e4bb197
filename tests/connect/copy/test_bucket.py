"""A bucket of the plane: what is put there is gone afterwards."""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.copy.bucket import Bucket
from sm_ssh_entry.errors import NotFound
from tests.connect.world import Laptop

NAME = "a-bucket-of-ours"


@pytest.fixture
def s3(laptop: Laptop) -> Any:
    client = aws.client("s3", region="us-east-1")
    client.create_bucket(Bucket=NAME)
    return client


def left(s3: Any) -> list[Any]:
    objects = s3.list_objects_v2(Bucket=NAME).get("Contents", [])
    return [*objects, *s3.list_multipart_uploads(Bucket=NAME).get("Uploads", [])]


def test_up_by_us_and_down_by_whoever_has_the_address(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 10_000_000)
    bucket = Bucket(Access(), NAME, "a/prefix/")
    key, moved = bucket.key(), [0]
    bucket.move("upload", str(tmp_path / "x"), key, moved.append, threading.Event())
    assert sum(moved) == 10_000_000
    assert key.startswith("a/prefix/")
    assert len(key.split("/")[2]) == 32  # nobody guesses it
    with urllib.request.urlopen(bucket.address(key)) as answer:
        assert answer.read() == b"x" * 10_000_000
    assert "X-Amz-Expires=3600" in bucket.address(key)
    bucket.remove(key)
    assert left(s3) == []


def test_down_in_parts(s3: Any, tmp_path: Path) -> None:
    bucket = Bucket(Access(), NAME, "")
    key, size = bucket.key(), (32 << 20) + 5
    parts = bucket.addresses(key, size, whole=False)
    assert [(first, length) for first, length, _ in parts] == [(0, 16 << 20), (16 << 20, 16 << 20), (32 << 20, 5)]
    tags = []
    for first, length, address in parts:
        data, headers = bytes([first >> 24]) * length, {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(address, data=data, headers=headers, method="PUT")
        with urllib.request.urlopen(request) as answer:
            tags.append(answer.headers["ETag"])
    bucket.join(key, tags)
    bucket.move("download", str(tmp_path / "x"), key, lambda _: None, threading.Event())
    assert (tmp_path / "x").read_bytes() == bytes(16 << 20) + b"\1" * (16 << 20) + b"\2" * 5
    assert bucket.clear() == []
    assert left(s3) == []


def test_what_never_came_to_be_is_removed_too(s3: Any) -> None:
    bucket = Bucket(Access(), NAME, "p")
    bucket.addresses(bucket.key(), 100 << 20, whole=False)
    assert left(s3)
    assert bucket.clear() == []
    assert left(s3) == []


def test_a_long_file_has_no_more_parts_than_the_service_takes(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "_sign", lambda *_, **__: "")  # thousands of signatures take seconds
    bucket = Bucket(Access(), NAME, "p")
    parts = bucket.addresses(bucket.key(), 1 << 40, whole=False)
    assert len(parts) <= 10_000
    assert sum(length for _, length, _ in parts) == 1 << 40
    bucket.clear()


def test_the_usual_bucket_is_sagemakers_own(s3: Any) -> None:
    with pytest.raises(NotFound, match=r"there is no bucket sagemaker-us-east-1-\d{12}") as raised:
        Bucket(Access(), "", "p")
    assert "--bucket" in raised.value.hint
    account = aws.client("sts").get_caller_identity()["Account"]
    s3.create_bucket(Bucket=f"sagemaker-us-east-1-{account}")
    assert Bucket(Access(), "", "p").name == f"sagemaker-us-east-1-{account}"
