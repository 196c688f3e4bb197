"""Limits of containers out of the plane's environment."""

from __future__ import annotations

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane.containers import Box
from sm_ssh_entry.plane.execution import limits


def test_nothing_said_is_no_limit() -> None:
    assert limits.box("image", {}) == Box("image")
    assert limits.box("image", {"SM_SSH_LOCAL_MEMORY": ""}, isolated=True) == Box("image", isolated=True)


def test_the_environment_limits_every_container() -> None:
    given = {"MEMORY": "4g", "CPUS": "1.5", "SHM_SIZE": "1g", "GPUS": "all"}
    found = limits.box("image", {f"SM_SSH_LOCAL_{name}": value for name, value in given.items()})
    assert found == Box("image", cpus=1.5, memory="4g", shm_size="1g", gpus="all")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CPUS", "many"),
        ("CPUS", "0"),
        ("CPUS", "nan"),
        ("MEMORY", "4 GB"),
        ("SHM_SIZE", "-1"),
        ("GPUS", "--privileged"),
    ],
)
def test_what_no_engine_takes_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput):
        limits.box("image", {f"SM_SSH_LOCAL_{name}": value})


def test_an_image_is_no_option() -> None:
    with pytest.raises(BadInput, match="cannot name an image"):
        limits.box("--privileged", {})
