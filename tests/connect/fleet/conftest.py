"""A crowd on the plane."""

from __future__ import annotations

import pytest

from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.fleet.crowd import Crowd


@pytest.fixture
def crowd(plane: PlaneThread) -> Crowd:
    return Crowd(plane)
