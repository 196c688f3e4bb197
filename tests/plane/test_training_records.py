"""ListTrainingJobs and DeleteTrainingJob: filters before pages, the order asked for; nothing that runs is deleted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import Plane, PlaneThread
from tests.plane.conftest import REGION, ClientMaker


@pytest.fixture
def sagemaker(shared_plane: PlaneThread, client: ClientMaker) -> Any:
    def fill(plane: Plane) -> None:
        for number, (name, status) in enumerate(
            [("b-train", "Completed"), ("a-train", "Failed"), ("c-other", ""), ("d-train", "Completed")]
        ):
            fields = {"name": name, "region": REGION}
            job_records.note(plane.store, fields)
            if status:
                job_records.note(plane.store, {**fields, "job_status": status})
            job = job_records.found(plane.store, "training", REGION, name)
            job.creation_time = datetime(2030, 1, 1 + number)  # noqa: DTZ001 - as moto's own

    shared_plane.call(fill)
    return client("sagemaker")


def names(sagemaker: Any, **params: Any) -> list[str]:
    pages = sagemaker.get_paginator("list_training_jobs").paginate(**params)
    return [one["TrainingJobName"][0] for page in pages for one in page["TrainingJobSummaries"]]


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, "bacd"),
        ({"SortOrder": "Descending"}, "dcab"),
        ({"SortBy": "Name"}, "abcd"),
        ({"SortBy": "Status", "SortOrder": "Descending"}, "cadb"),
        ({"StatusEquals": "Completed"}, "bd"),
        ({"StatusEquals": "InProgress"}, "c"),
        ({"NameContains": "TRAIN", "SortBy": "Name"}, "abd"),
        ({"CreationTimeAfter": datetime(2030, 1, 1, 12, tzinfo=timezone.utc)}, "acd"),
        ({"CreationTimeBefore": datetime(2030, 1, 2, 12, tzinfo=timezone.utc)}, "ba"),
        ({"LastModifiedTimeAfter": datetime.now(timezone.utc) + timedelta(days=1)}, ""),
        ({"LastModifiedTimeBefore": datetime.now(timezone.utc) + timedelta(days=1), "NameContains": "other"}, "c"),
    ],
)
def test_a_listing_is_what_was_asked_for_however_it_is_cut(sagemaker: Any, params: Any, wanted: str) -> None:
    assert names(sagemaker, **params) == list(wanted)
    # moto would look for a name among the first of all, and find none.
    assert names(sagemaker, **params, PaginationConfig={"PageSize": 1}) == list(wanted)


def test_a_summary_says_how_a_job_stands(sagemaker: Any) -> None:
    summaries = {one["TrainingJobName"]: one for one in sagemaker.list_training_jobs()["TrainingJobSummaries"]}
    assert summaries["a-train"]["TrainingJobStatus"] == summaries["a-train"]["SecondaryStatus"] == "Failed"
    assert summaries["a-train"]["CreationTime"] == datetime(2030, 1, 2, tzinfo=timezone.utc)
    assert "TrainingEndTime" in summaries["a-train"]
    assert "TrainingEndTime" not in summaries["c-other"]


def test_only_what_has_ended_can_be_deleted(sagemaker: Any) -> None:
    sagemaker.delete_training_job(TrainingJobName="a-train")
    assert names(sagemaker, SortBy="Name") == list("bcd")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.delete_training_job(TrainingJobName="a-train")
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.delete_training_job(TrainingJobName="c-other")
