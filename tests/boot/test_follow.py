"""Following the agent's log on real files."""

from __future__ import annotations

from pathlib import Path

from sm_ssh_entry.boot.follow import LIMIT, Follower


def test_what_was_there_before_is_not_new(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n")
    follower = Follower(str(log))
    assert follower.added() == b""
    with log.open("ab") as more:
        more.write(b"one\n")
    assert follower.added() == b"one\n"
    assert follower.added() == b""


def test_a_file_that_comes_late_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = Follower(str(log))
    assert follower.added() == b""
    log.write_bytes(b"first\n")
    assert follower.added() == b"first\n"


def test_a_rotated_or_cut_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a long first line\n")
    follower = Follower(str(log))
    log.rename(tmp_path / "log.1")
    log.write_bytes(b"a new file, longer than before\n")
    assert follower.added() == b"a new file, longer than before\n"
    log.write_bytes(b"cut\n")
    assert follower.added() == b"cut\n"


def test_of_a_flood_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = Follower(str(log))
    log.write_bytes(b"x" * (2 * LIMIT) + b"end\n")
    found = follower.added()
    assert len(found) == LIMIT
    assert found.endswith(b"end\n")
    assert follower.added() == b""


def test_what_was_skipped_stays_so(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = Follower(str(log))
    log.write_bytes(b"of the agent before\n")
    follower.skip()
    assert follower.added() == b""


def test_a_folder_or_a_file_that_may_not_be_read_is_no_error(tmp_path: Path) -> None:
    assert Follower(str(tmp_path)).added() == b""
    assert Follower(str(tmp_path / "none" / "log")).added() == b""
