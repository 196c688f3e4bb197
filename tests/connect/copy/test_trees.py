"""Walks here and on a node find the same; patterns are read by us, not by a shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sm_ssh_entry.connect.copy import local_tree, remote_tree
from sm_ssh_entry.connect.copy.found import Tree
from sm_ssh_entry.errors import NotFound
from tests.connect.copy.server import SFTP_SERVER, run, served

pytestmark = pytest.mark.skipif(not SFTP_SERVER, reason="sftp-server is not installed")
WALKS = ["here", "there"]


def walk(side: str, folder: Path, path: str, *, follow: bool = False) -> Tree:
    if side == "here":
        return local_tree.walk(path, follow=follow)

    async def work() -> Tree:
        async with served(folder) as remote:
            return await remote_tree.walk(remote, path, "node", follow=follow)

    result = run(work())
    assert isinstance(result, Tree)
    return result


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "top"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "sub" / "-a b'\"\udcff").write_text("1234")
    (top / "sub" / "-a b'\"\udcff").chmod(0o750)
    os.utime(top / "sub" / "-a b'\"\udcff", (5, 6))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("x")
    (top / "to-file").symlink_to("sub/-a b'\"\udcff")
    (top / "to-folder").symlink_to("sub")
    (top / "sub" / "loop").symlink_to("..")
    (top / "out").symlink_to("../outside")
    (top / "nowhere").symlink_to("nothing")
    os.mkfifo(top / "pipe")
    return top


@pytest.mark.parametrize("side", WALKS)
def test_links_inside_stand_for_what_they_point_to(side: str, top: Path, tmp_path: Path) -> None:
    tree = walk(side, tmp_path, str(top))
    name = "-a b'\"\udcff"
    assert [one.inside for one in tree.found] == [
        "",
        "sub",
        f"sub/{name}",
        "sub/empty",
        "to-file",
        "to-folder",
        f"to-folder/{name}",
        "to-folder/empty",
    ]
    file = tree.found[2]
    assert (file.size, file.seconds, file.mode, file.is_folder) == (4, 6, 0o750, False)
    assert tree.found[4].size == 4
    said = "\n".join(tree.skipped)
    assert "out: a link that leads out of the folder" in said
    assert "nowhere: a link that leads nowhere" in said
    assert "pipe: neither a file nor a folder" in said
    assert said.count("a link to a folder that it is in") == 2
    assert len(tree.skipped) == 5
    assert not tree.failures


@pytest.mark.parametrize("side", WALKS)
def test_follow_copies_what_is_outside_as_well(side: str, top: Path, tmp_path: Path) -> None:
    found = [one.inside for one in walk(side, tmp_path, str(top), follow=True).found]
    assert "out/x" in found


@pytest.mark.parametrize("side", WALKS)
def test_a_link_that_is_named_itself_is_followed(side: str, top: Path, tmp_path: Path) -> None:
    tree = walk(side, tmp_path, str(top / "out"))
    assert [one.inside for one in tree.found] == ["", "x"]


@pytest.mark.parametrize("side", WALKS)
def test_what_is_missing(side: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing: no such file"):
        walk(side, tmp_path, str(tmp_path / "nothing"))


def expand(folder: Path, pattern: str) -> list[str]:
    async def work() -> list[str]:
        async with served(folder) as remote:
            return await remote_tree.expand(remote, pattern, "node")

    return list(run(work()))


def test_patterns(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", ".hidden.json", "c.txt", "$(id).json", "odd[1].json"):
        (tmp_path / name).touch()
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
    (tmp_path / "two" / "deep" / "x").touch()
    assert expand(tmp_path, "*.json") == ["$(id).json", "a.json", "b.json", "odd[1].json"]
    assert expand(tmp_path, f"{tmp_path}/[ab].json") == [f"{tmp_path}/a.json", f"{tmp_path}/b.json"]
    assert expand(tmp_path, ".h*") == [".hidden.json"]
    assert expand(tmp_path, "*/deep/x") == ["two/deep/x"]
    assert expand(tmp_path, "odd[1].json") == ["odd[1].json"]  # a file of that very name
    assert expand(tmp_path, "plain") == ["plain"]
    with pytest.raises(NotFound, match="matches"):
        expand(tmp_path, "*.nothing")


def test_patterns_here_where_no_shell_has_read_them(tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()
    assert local_tree.expand(f"{tmp_path}/*.json") == [f"{tmp_path}/a.json"]
    assert local_tree.expand(f"{tmp_path}/*.txt") == [f"{tmp_path}/*.txt"]
