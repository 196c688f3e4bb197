"""What several tests of this room share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.images import files
from tests.images.archive import Key
from tests.images.heard import Heard
from tests.images.publisher import Publisher, publisher
from tests.images.user import World, make


@pytest.fixture
def site() -> Iterator[Publisher]:
    with publisher() as found:
        yield found


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Key, Key]]:
    """A publisher's key and a stranger's."""
    if shutil.which("gpg") is None or shutil.which("gpgv") is None:
        pytest.skip("gpg and gpgv are not installed: no archive can be signed")
    # gpg's agent has a socket in its folder, whose path must be short.
    folder = Path(tmp_path_factory.mktemp("k"))
    pair = Key.make(folder, "publisher"), Key.make(folder, "stranger")
    yield pair
    for key in pair:
        key.close()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of sm-ssh as it is installed: one of the test's own."""
    images = tmp_path / "shipped" / "images"
    images.mkdir(parents=True)
    shutil.copy(files.source() / "images" / "artifacts.toml", images)
    monkeypatch.setattr(files, "source", lambda: tmp_path / "shipped")
    return images / "artifacts.lock"


@pytest.fixture
def world(
    site: Publisher,
    keys: tuple[Key, Key],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    shipped: Path,
) -> World:
    """A user, and everybody who publishes."""
    return make(World(site, keys, tmp_path, capsys), shipped)
