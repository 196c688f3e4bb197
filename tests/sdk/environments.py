"""Python environments with one major version of SageMaker's SDK each; `make test` makes them (.ci/sdks)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("v2", "v3")


def python(version: str) -> str:
    """Return the interpreter of an environment; the test is skipped where there is none.

    Args:
        version: ``v2`` or ``v3``.
    """
    found = ROOT / ".sdk" / version / "bin" / "python"
    if not (found.parent.parent / ".made").is_file():
        if os.environ.get("SM_SSH_SDKS_REQUIRED"):
            pytest.fail(f"there is no environment of SageMaker's SDK {version}: .ci/sdks makes it")
        pytest.skip(f"there is no environment of SageMaker's SDK {version}: .ci/sdks makes it")
    return str(found)
