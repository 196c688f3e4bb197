"""The report on an image: its exit status and its JSON, from what is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sm_ssh_entry.images import facts, inspection
from sm_ssh_entry.images.config import STUB, Config
from sm_ssh_entry.images.facts import Facts
from tests.images.test_checks import GOOD, PLAIN, having, without

BROKEN = without(facts.SSHD)


@pytest.mark.parametrize(
    ("known", "status"),
    [
        (GOOD, 0),
        (having(START_SSH="true"), 0),
        (BROKEN, 25),
        (PLAIN, 1),
        (replace(PLAIN, config=Config(onbuild=("RUN make",))), 1),
    ],
    ids=["good", "warned of", "broken", "no layer", "no layer and none possible"],
)
def test_exit_status(known: Facts, status: int) -> None:
    report = inspection.judge(known)
    assert report.status == status
    assert report.as_json()["usable"] is (status == 0)


def test_json_has_what_there_is_to_know() -> None:
    found = json.loads(json.dumps(inspection.judge(BROKEN).as_json()))
    (finding,) = found.pop("findings")
    assert (finding["level"], sorted(finding)) == ("problem", ["fix", "level", "text"])
    assert found == {
        "image": "mine:1",
        "id": "sha256:1",
        "platform": "linux/amd64",
        "distribution": "debian-12",
        "bytes": 0,
        "layer": GOOD.layer,
        "entrypoint": [STUB, "--", "run"],
        "cmd": ["a"],
        "user": "root",
        "reached": {"train": True, "serve": True, "processing": True},
        "usable": False,
    }


def test_an_image_without_the_layer_is_reached_by_nothing() -> None:
    found = inspection.judge(PLAIN).as_json()
    assert (found["layer"], found["reached"]) == (None, {})
