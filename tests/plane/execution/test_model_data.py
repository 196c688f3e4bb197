"""Model artifacts of the plane's S3 as a container that serves finds them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.plane.execution import model_data
from sm_ssh_entry.plane.execution.work import Failed
from sm_ssh_entry.plane.in_service import name_of
from tests.plane.conftest import ClientMaker


@pytest.fixture
def s3(client: ClientMaker) -> Any:
    made = client("s3")
    made.create_bucket(Bucket="models")
    for name in ("a", "b"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            member = tarfile.TarInfo("weights")
            member.size = 1
            archive.addfile(member, io.BytesIO(name.encode()))
        made.put_object(Bucket="models", Key=f"{name}.tar.gz", Body=packed.getvalue())
    made.put_object(Bucket="models", Key="plain/deep/weights", Body=b"p")
    made.put_object(Bucket="models", Key="torn.tar.gz", Body=b"no archive")
    return made


def source(uri: str, compression: str) -> dict[str, Any]:
    return {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": compression}}


def text(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("definition", "wanted"),
    [
        ({"ModelDataUrl": "s3://models/a.tar.gz"}, {"model/weights": "a"}),
        ({"ModelDataSource": source("s3://models/a.tar.gz", "Gzip")}, {"model/weights": "a"}),
        ({"ModelDataSource": source("s3://models/plain/", "None")}, {"model/deep/weights": "p"}),
        ({}, {}),
        (
            {"AdditionalModelDataSources": [{"ChannelName": "more", **source("s3://models/plain/", "None")}]},
            {"additional-model-data-sources/more/deep/weights": "p"},
        ),
    ],
    ids=["url", "archive", "prefix", "nothing", "more"],
)
def test_a_models_files_are_where_the_container_looks(
    s3: Any, tmp_path: Path, definition: dict[str, Any], wanted: dict[str, str]
) -> None:
    found = model_data.fetch(s3, definition, tmp_path)
    assert text(tmp_path) == wanted
    assert found == model_data.places(definition, tmp_path)
    assert all(path.is_dir() for path in found.values())
    assert "model" in found


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (
            "s3://models/none.tar.gz",
            'Failed to download model data for container "container_1" from URL: "s3://models/',
        ),
        ("s3://nowhere/a.tar.gz", 'Failed to download model data for container "container_1" from URL: "s3://nowhere/'),
        ("s3://models/torn.tar.gz", 'Failed to extract model data archive for container "container_1" from URL "s3://'),
        ("http://models/a.tar.gz", "ClientError: Invalid S3 URI: http://models/a.tar.gz"),
    ],
)
def test_what_cannot_be_had_is_worded_as_on_the_service(s3: Any, tmp_path: Path, uri: str, said: str) -> None:
    with pytest.raises(Failed) as caught:
        model_data.fetch(s3, {"ModelDataUrl": uri}, tmp_path)
    assert str(caught.value).startswith(said)


def test_one_of_many_models_is_there_as_a_whole_or_not_at_all(s3: Any, tmp_path: Path) -> None:
    many = {"Mode": "MultiModel", "ModelDataUrl": "s3://models"}
    assert model_data.fetch(s3, many, tmp_path / "own") == {}
    for target in ("a.tar.gz", "/b.tar.gz"):
        model_data.fetch_one(s3, many, target, tmp_path)
    assert text(tmp_path) == {
        f"{name_of(target)}/model/weights": name for target, name in (("a.tar.gz", "a"), ("/b.tar.gz", "b"))
    }
    for target in ("none.tar.gz", "torn.tar.gz", "../a.tar.gz"):
        with pytest.raises(Failed):
            model_data.fetch_one(s3, many, target, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    # What is there is not brought again.
    s3.delete_object(Bucket="models", Key="a.tar.gz")
    model_data.fetch_one(s3, many, "a.tar.gz", tmp_path)
