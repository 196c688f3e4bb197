"""Several regions at once: those that answer, those that refuse, those that do not answer in time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.fleet import regions
from sm_ssh_entry.connect.fleet.listing import Listing, Question
from sm_ssh_entry.errors import CredentialsMissing
from tests.connect.world import Fleet, Laptop


def test_answers_come_with_their_region(fleet: Fleet, laptop: Laptop) -> None:
    ids = {region: fleet.add("j", region=region) for region in ("us-east-1", "eu-west-1", "us-west-2")}
    accesses = [Access(region) for region in (*ids, "eu-central-1")]
    answers = {answer.region: answer for answer in regions.ask(accesses, Question(status="online"))}
    assert {region: [entry.node_id for entry in answer.entries] for region, answer in answers.items()} == {
        **{region: [node_id] for region, node_id in ids.items()},
        "eu-central-1": [],
    }
    assert not [note for answer in answers.values() for note in answer.notes]


def test_a_region_that_is_not_enabled_is_a_note(fleet: Fleet, laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.add("j")
    real = Listing

    def listing(access: Access, *rest: Any, **options: Any) -> Any:
        if access.region == "me-south-1":
            raise CredentialsMissing("AWS does not accept these credentials")
        return real(access, *rest, **options)

    monkeypatch.setattr(regions, "Listing", listing)
    found = list(regions.ask([Access("us-east-1"), Access("me-south-1")], Question(status="online")))
    assert sorted((answer.region, len(answer.entries)) for answer in found) == [("me-south-1", 0), ("us-east-1", 1)]
    assert [note for answer in found for note in answer.notes] == ["me-south-1: AWS does not accept these credentials"]


def test_a_region_that_hangs_is_not_waited_for(fleet: Fleet, laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = Listing

    def listing(access: Access, *rest: Any, **options: Any) -> Any:
        if access.region == "me-south-1":
            release.wait(180)
        return real(access, *rest, **options)

    monkeypatch.setattr(regions, "Listing", listing)
    answers = regions.ask([Access("me-south-1"), Access("us-east-1")], Question(status="online"), patience=3.0)
    found = [(answer.region, answer.notes) for answer in answers]
    release.set()
    assert found == [("us-east-1", ()), ("me-south-1", ("me-south-1: no answer within 3 s",))]
