"""ListProcessingJobs and ListTransformJobs; ListTrainingJobs has the same handler and its own tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from sm_ssh_entry.plane import job_records
from sm_ssh_entry.plane.server import Plane, PlaneThread
from tests.plane.conftest import REGION, ClientMaker


@pytest.fixture
def sagemaker(shared_plane: PlaneThread, client: ClientMaker) -> Any:
    def fill(plane: Plane) -> None:
        for kind in ("processing", "transform"):
            for number, (name, status) in enumerate([("b", "Completed"), ("a", "Failed"), ("c", "")]):
                fields = {"kind": kind, "name": name, "region": REGION}
                job_records.note(plane.store, fields)
                job = job_records.found(plane.store, kind, REGION, name)
                # As one that was submitted: its runner tells why it failed.
                job.local = False
                if status:
                    reason = {"failure": "why" if status == "Failed" else ""}
                    job_records.note(plane.store, {**fields, "job_status": status, **reason})
                job.creation_time = datetime(2030, 1, 1 + number)  # noqa: DTZ001 - as moto's own

    shared_plane.call(fill)
    return client("sagemaker")


def names(sagemaker: Any, kind: str, **params: Any) -> str:
    noun = f"{kind.capitalize()}Job"
    pages = sagemaker.get_paginator(f"list_{kind}_jobs").paginate(**params)
    return "".join(one[f"{noun}Name"] for page in pages for one in page[f"{noun}Summaries"])


@pytest.mark.parametrize(
    ("params", "processing", "transform"),
    [
        # The service's own defaults differ.
        ({}, "bac", "cab"),
        ({"SortOrder": "Descending"}, "cab", "cab"),
        ({"SortBy": "Name", "SortOrder": "Ascending"}, "abc", "abc"),
        ({"StatusEquals": "Failed"}, "a", "a"),
        ({"StatusEquals": "InProgress"}, "c", "c"),
        ({"NameContains": "C"}, "c", "c"),
    ],
)
def test_a_listing_is_what_was_asked_for_however_it_is_cut(
    sagemaker: Any, params: Any, processing: str, transform: str
) -> None:
    for kind, wanted in (("processing", processing), ("transform", transform)):
        assert names(sagemaker, kind, **params) == wanted
        assert names(sagemaker, kind, **params, PaginationConfig={"PageSize": 1}) == wanted


def test_a_summary_says_why_a_job_failed(sagemaker: Any) -> None:
    for kind in ("processing", "transform"):
        noun = f"{kind.capitalize()}Job"
        listed = getattr(sagemaker, f"list_{kind}_jobs")()[f"{noun}Summaries"]
        summaries = {one.pop(f"{noun}Name"): one for one in listed}
        failed, running = summaries["a"], summaries["c"]
        assert (failed[f"{noun}Status"], failed["FailureReason"]) == ("Failed", "why")
        assert failed[f"{kind.capitalize()}EndTime"] >= summaries["b"][f"{kind.capitalize()}EndTime"]
        assert running[f"{noun}Status"] == "InProgress"
        assert f"{kind.capitalize()}EndTime" not in running
        assert "FailureReason" not in running
