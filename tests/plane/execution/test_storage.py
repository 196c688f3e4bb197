"""Keys of S3 and the files that they become."""

from __future__ import annotations

import pytest

from sm_ssh_entry.plane.execution import storage
from sm_ssh_entry.plane.execution.work import Failed


@pytest.mark.parametrize(
    ("key", "prefix", "wanted"),
    [
        ("data/train/a.csv", "data/train", "a.csv"),
        ("data/train/a.csv", "data/train/", "a.csv"),
        ("data/train/b/a.csv", "data/train", "b/a.csv"),
        ("data/train/a.csv", "data/tr", "train/a.csv"),
        ("data/train/a.csv", "data/train/a.csv", "a.csv"),
        ("a.csv", "", "a.csv"),
    ],
)
def test_a_key_becomes_a_file_below_its_folder(key: str, prefix: str, wanted: str) -> None:
    assert str(storage.relative(key, prefix)) == wanted


@pytest.mark.parametrize("key", ["data/../../etc/passwd", "data/.."])
def test_no_key_leaves_its_folder(key: str) -> None:
    with pytest.raises(Failed):
        storage.relative(key, "data")


@pytest.mark.parametrize("uri", ["bucket/key", "s3://", "https://bucket/key", ""])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(Failed):
        storage.parse(uri)
