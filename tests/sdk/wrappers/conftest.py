"""The laptop and the plane of the connect room's tests, which hold the nodes that the wrappers find."""

from __future__ import annotations

from tests.connect.conftest import connect_plane, fleet, home, laptop, plane, ssm

__all__ = ["connect_plane", "fleet", "home", "laptop", "plane", "ssm"]
