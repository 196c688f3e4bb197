"""What several tests of this room share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.archive import Key
from tests.images.heard import Heard
from tests.images.publisher import Publisher, publisher


@pytest.fixture
def site() -> Iterator[Publisher]:
    with publisher() as found:
        yield found


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Key, Key]:
    """A publisher's key and a stranger's."""
    if shutil.which("gpg") is None or shutil.which("gpgv") is None:
        pytest.skip("gpg and gpgv are not installed: no archive can be signed")
    # gpg's agent has a socket in its folder, whose path must be short.
    folder = Path(tmp_path_factory.mktemp("k"))
    return Key.make(folder, "publisher"), Key.make(folder, "stranger")
