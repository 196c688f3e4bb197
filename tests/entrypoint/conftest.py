"""The stub's tests run in the same containers as boot's."""

from __future__ import annotations

from tests.boot.conftest import container, ssm

__all__ = ["container", "ssm"]
