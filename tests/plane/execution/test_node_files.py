"""Files of a job's node, and links that lead out of it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from sm_ssh_entry.plane.execution import node_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node's root, beside what is not the node's."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (tmp_path / "root" / "out" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "out" / "a").write_text("A")
    (tmp_path / "root" / "out" / "deep" / "b").write_text("BB")
    return tmp_path / "root"


def walked(root: Path, path: str = "out") -> dict[str, bytes]:
    found = {}
    for one in node_files.walk(root, PurePosixPath(path)):
        with one.open() as file:
            found[str(one.path)] = file.read()
    return found


def test_files_at_any_depth(root: Path) -> None:
    assert walked(root) == {"a": b"A", "deep/b": b"BB"}
    assert walked(root, "none") == {}


def test_links_lead_nowhere(root: Path) -> None:
    (root / "out" / "file").symlink_to(root.parent / "secret" / "key")
    (root / "out" / "folder").symlink_to(root.parent / "secret")
    (root / "linked").symlink_to(root.parent / "secret")
    (root / "above").symlink_to(root.parent)
    assert walked(root) == {"a": b"A", "deep/b": b"BB"}
    assert walked(root, "linked") == {}
    assert walked(root, "above/secret") == {}
    for path in ("out/file", "linked/key", "above/secret/key"):
        assert node_files.read(root, PurePosixPath(path), 10) is None


def test_a_pipe_is_no_file_and_nobody_waits_for_it(root: Path) -> None:
    os.mkfifo(root / "out" / "pipe")
    assert "pipe" not in walked(root)
    assert node_files.read(root, PurePosixPath("out/pipe"), 10) is None


def test_what_becomes_a_link_after_it_was_seen_is_not_opened(root: Path) -> None:
    walk = node_files.walk(root, PurePosixPath("out"))
    found = next(walk)
    (root / "out" / "a").unlink()
    (root / "out" / "a").symlink_to(root.parent / "secret" / "key")
    with pytest.raises(OSError, match="symbolic link"):
        found.open()


def test_the_beginning_of_a_file(root: Path) -> None:
    assert node_files.read(root, PurePosixPath("out/deep/b"), 1) == b"B"
    assert node_files.read(root, PurePosixPath("out/none"), 1) is None


def test_a_file_that_changes_looks_different(root: Path) -> None:
    before = {one.path: one.like for one in node_files.walk(root, PurePosixPath("out"))}
    (root / "out" / "a").write_text("longer")
    after = {one.path: one.like for one in node_files.walk(root, PurePosixPath("out"))}
    assert [path for path in after if after[path] != before[path]] == [PurePosixPath("a")]
