"""Whole copies to and from the system's own ``sftp-server``: what arrives, what goes on, what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.connect.copy import arguments, copying, journal
from sm_ssh_entry.connect.copy.copying import Options, Watcher
from sm_ssh_entry.connect.copy.dial import Child
from sm_ssh_entry.connect.copy.tally import Tally
from sm_ssh_entry.errors import (
    AccessDenied,
    BadInput,
    KeyRefused,
    NoSpace,
    NotFound,
    SmSshError,
)
from tests.connect.copy.server import HOST, SFTP_SERVER, LocalRoute, run
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not SFTP_SERVER, reason="sftp-server is not installed")
MIB = 1 << 20


class World:
    """A node's folder and one of this machine; ``cp`` between them."""

    def __init__(self, folder: Path) -> None:
        self.there, self.here = folder / "there", folder / "here"
        self.there.mkdir()
        self.here.mkdir()
        self.said: list[str] = []

    def fresh(self) -> LocalRoute:
        """Return the way to the node for the next copy."""
        return LocalRoute(self.there)

    def cp(self, *words: str, route: LocalRoute | None = None, **options: Any) -> Tally:
        """Copy; ``there:`` stands for the node's folder."""
        words = tuple(word.replace("there:", f"{HOST}:{self.there}/") for word in words)
        order = arguments.parse(words)
        watcher = Watcher(self.said.append, lambda _: None)
        with journal.opened(list(words)) as kept:
            way = route or self.fresh()
            result = run(copying._Copying(order, way, Options(**options), watcher, kept).run())
        assert isinstance(result, Tally)
        return result

    def leftovers(self) -> list[str]:
        return [path.name for side in (self.here, self.there) for path in side.rglob("*.sm-ssh-part")]


@pytest.fixture
def world(home: Path, tmp_path: Path) -> World:
    return World(tmp_path)


def same(one: Path, other: Path) -> bool:
    return hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def snapshot(top: Path) -> dict[str, tuple[int, int, bytes | None]]:
    found = {}
    for path in [top, *top.rglob("*")]:
        about = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(top))] = (about.st_mode, int(about.st_mtime), content)
    return found


def make_tree(top: Path) -> None:
    (top / "sub dir" / "ü").mkdir(parents=True)
    (top / "empty").mkdir()
    for name in ("-x", "a 'b' \"c\"", "$HOME `id`", "new\nline", "\udcff", "日本.txt", "back\\slash"):
        (top / "sub dir" / name).write_text(name.encode("utf-8", "surrogateescape").hex())
    (top / "sub dir" / "-x").chmod(0o755)
    (top / "sub dir" / "ü" / "nothing").touch()
    (top / "locked").mkdir()
    (top / "locked" / "file").write_text("x")
    (top / "locked" / "file").chmod(0o400)
    (top / "long").write_bytes(os.urandom(3 * MIB + 5))
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, (number, 1_000_000 + number))
    (top / "locked").chmod(0o555)
    os.utime(top, (1, 2))


def test_a_tree_there_and_back_is_the_same(world: World) -> None:
    make_tree(world.here / "tree")
    up = world.cp(str(world.here / "tree"), "there:")
    assert snapshot(world.there / "tree") == snapshot(world.here / "tree")
    down = world.cp("there:tree", str(world.here / "back"))
    assert snapshot(world.here / "back") == snapshot(world.here / "tree")
    assert up.done == up.verified == down.done == down.verified == up.files == 10
    assert not up.failures + down.failures
    assert not world.leftovers()
    assert not list((Path.home() / ".ssh" / "sm-ssh" / "copies").iterdir())


@pytest.mark.parametrize("parallel", [1, 3, 8])
def test_a_long_file_over_several_sessions(world: World, parallel: int) -> None:
    (world.here / "long").write_bytes(os.urandom(20 * MIB + 3))
    tally = world.cp(str(world.here / "long"), "there:copy", parallel=parallel)
    assert same(world.here / "long", world.there / "copy")
    assert (tally.most_sessions, tally.verified, tally.moved) == (parallel, 1, 20 * MIB + 3)
    tally = world.cp("there:copy", str(world.here / "back"), parallel=parallel)
    assert same(world.here / "back", world.there / "copy")


def test_places_are_those_of_cp(world: World) -> None:
    for name in ("a", "b"):
        (world.here / name).write_text(name)
    world.cp(str(world.here / "a"), "there:renamed")
    world.cp(str(world.here / "a"), str(world.here / "b"), "there:new/deep")  # several: a folder
    world.cp(str(world.here / "a"), "there:made/")
    (world.here / "folder").mkdir()
    (world.here / "folder" / "x").touch()
    world.cp(str(world.here / "folder"), "there:as")  # not there: it becomes that
    world.cp(str(world.here / "folder"), "there:as")  # there: it goes into it
    world.cp(f"{world.here}/folder/.", "there:made")
    world.cp("there:*a*", str(world.here / "down") + "/")
    found = sorted(str(path.relative_to(world.there)) for path in world.there.rglob("*") if path.is_file())
    assert found == ["as/folder/x", "as/x", "made/a", "made/x", "new/deep/a", "new/deep/b", "renamed"]
    found = sorted(str(path.relative_to(world.here / "down")) for path in (world.here / "down").rglob("*"))
    assert found == ["as", "as/folder", "as/folder/x", "as/x", "made", "made/a", "made/x", "renamed"]


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        (["nothing", "there:"], NotFound, "nothing: no such file or folder on this machine"),
        (["there:nothing", "."], NotFound, "nothing: no such file or folder on job"),
        (["there:file", "no/where"], NotFound, "there is no folder .*/no on this machine"),
        (["file", "there:no/where"], NotFound, "there is no folder .*/no on job"),
        (["there:file", "there:file", "x/"], BadInput, "several sources would become"),
        (["folder", "there:file"], BadInput, "is a folder|is a file"),
        (["file", "file", "there:file"], BadInput, "is a file"),
        (["there:folder", "file"], BadInput, "is a file"),
    ],
)
def test_what_cannot_be_done(
    world: World, monkeypatch: pytest.MonkeyPatch, words: list[str], error: type[SmSshError], match: str
) -> None:
    monkeypatch.chdir(world.here)
    for side in (world.here, world.there):
        (side / "file").write_text("kept")
        (side / "folder").mkdir()
    with pytest.raises(error, match=match):
        world.cp(*words)
    assert (world.here / "file").read_text() == (world.there / "file").read_text() == "kept"
    assert not world.leftovers()


def test_one_that_fails_does_not_keep_the_others(world: World) -> None:
    (world.here / "tree").mkdir()
    for name in ("a", "b", "c"):
        (world.here / "tree" / name).write_text(name)
    (world.there / "tree" / "b").mkdir(parents=True)  # a folder in the way
    tally = world.cp(str(world.here / "tree"), "there:")
    assert (tally.done, len(tally.failures)) == (2, 1)
    assert "tree/b" in tally.failures[0].message
    assert (world.there / "tree" / "a").read_text() == "a"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permission_denied_says_which_side(world: World) -> None:
    (world.there / "secret").write_text("x")
    (world.there / "secret").chmod(0)
    with_failure = world.cp("there:secret", str(world.here))
    assert isinstance(with_failure.failures[0], AccessDenied)
    assert "on job" in with_failure.failures[0].message


async def wait_for(world: World, least: int) -> None:
    """Wait until partial files have so many bytes on the disk."""

    def there() -> int:
        parts = [path for side in (world.here, world.there) for path in side.glob(".*.sm-ssh-part")]
        return sum(path.stat().st_blocks * 512 for path in parts)

    await asyncio.to_thread(wait_until, lambda: there() >= least, 30, every=0.002)


def both_ways(world: World, direction: str, size: int) -> tuple[tuple[str, str], Path]:
    """Make a long file on either side; return the words that copy it, and where the copy will be."""
    data = os.urandom(size)
    (world.here / "long").write_bytes(data)
    (world.there / "source").write_bytes(data)
    if direction == "up":
        return (str(world.here / "long"), "there:copy"), world.there / "copy"
    return ("there:source", str(world.here / "copy")), world.here / "copy"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_session_that_breaks_is_opened_again_and_the_others_go_on(world: World, direction: str) -> None:
    words, copy = both_ways(world, direction, 48 * MIB)
    route = LocalRoute(world.there)
    killers: list[asyncio.Task[None]] = []

    async def opened(child: Child) -> None:
        async def kill(least: int) -> None:
            await wait_for(world, least)
            child.process.kill()

        if len(killers) < 3:
            killers.append(asyncio.create_task(kill((1 + len(killers)) * MIB)))

    route.opened = opened
    tally = world.cp(*words, route=route, parallel=3)
    assert tally.lost == 3
    assert tally.done == tally.verified == 1
    assert same(world.here / "long", copy)
    assert not world.leftovers()


@pytest.mark.parametrize("direction", ["up", "down"])
def test_an_interrupted_copy_goes_on_where_it_was(world: World, direction: str) -> None:
    words, copy = both_ways(world, direction, 48 * MIB)
    route = LocalRoute(world.there)
    killers: list[asyncio.Task[None]] = []

    async def opened(child: Child) -> None:
        async def kill() -> None:
            await wait_for(world, 8 * MIB)
            route.refusals = [KeyRefused("no more")]
            child.process.kill()

        killers.append(asyncio.create_task(kill()))

    route.opened = opened
    with pytest.raises(KeyRefused):
        world.cp(*words, route=route, parallel=1)
    assert not copy.exists()
    assert len(world.leftovers()) == 1
    tally = world.cp(*words, parallel=2)
    assert tally.resumed >= 4 * MIB  # less what was under way
    assert tally.resumed + tally.moved == tally.bytes
    assert tally.verified == 1
    assert same(world.here / "long", copy)
    assert any("are there already" in line for line in world.said)
    assert not world.leftovers()


def test_files_that_have_arrived_are_not_copied_again(world: World) -> None:
    """A tree of which one file failed: the second run copies that one alone, and what has changed meanwhile."""
    (world.here / "tree").mkdir()
    for name in ("a", "b", "c"):
        (world.here / "tree" / name).write_text(name)
    (world.there / "tree" / "b").mkdir(parents=True)
    assert len(world.cp(str(world.here / "tree"), "there:").failures) == 1
    (world.there / "tree" / "b").rmdir()
    (world.here / "tree" / "c").write_text("changed")
    tally = world.cp(str(world.here / "tree"), "there:")
    assert (tally.done, tally.resumed, tally.moved) == (3, 1, 1 + len("changed"))
    assert (world.there / "tree" / "c").read_text() == "changed"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_bytes_that_were_spoilt_never_get_the_final_name(world: World, direction: str) -> None:
    words, copy = both_ways(world, direction, 24 * MIB)
    route = LocalRoute(world.there)
    killers: list[asyncio.Task[None]] = []

    async def opened(child: Child) -> None:
        async def kill() -> None:
            await wait_for(world, 4 * MIB)
            route.refusals = [KeyRefused("no more")]
            child.process.kill()

        killers.append(asyncio.create_task(kill()))

    route.opened = opened
    with pytest.raises(KeyRefused):
        world.cp(*words, route=route, parallel=1)
    (partial,) = copy.parent.glob(".*.sm-ssh-part")
    with partial.open("r+b") as file:
        file.write(b"spoilt by somebody")
    tally = world.cp(*words)
    assert "differs from its source" in tally.failures[0].message
    assert not copy.exists()
    assert not world.leftovers()
    assert world.cp(*words).verified == 1
    assert same(world.here / "long", copy)


def test_a_source_that_does_not_hold_still(world: World) -> None:
    (world.there / "log").write_bytes(b"x" * (3 * MIB))
    route = LocalRoute(world.there)

    async def opened(_: Child) -> None:
        with (world.there / "log").open("ab") as file:
            file.write(b"more")

    async def later(child: Child) -> None:
        route.opened = opened

    route.opened = later
    tally = world.cp("there:log", str(world.here), route=route, parallel=2)
    assert "changes while it is copied" in tally.failures[0].message
    assert not (world.here / "log").exists()
    tally = world.cp("there:log", str(world.here), verify=False)
    assert (tally.done, tally.verified) == (1, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB of its own, full within moments."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("seen", ["beforehand", "on the way"])
def test_a_full_disk_says_which_side(
    world: World, small_disk: Path, direction: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seen == "on the way":

        async def unknown(*_: object) -> None:
            """There was room when we looked."""

        monkeypatch.setattr(copying._Copying, "_check_room", unknown)
    (world.here / "long").write_bytes(bytes(9 * MIB))
    words = (str(world.here / "long"), f"{HOST}:{small_disk}/copy")
    if direction == "down":
        words = (f"{HOST}:{world.here}/long", str(small_disk / "copy"))
    with pytest.raises(NoSpace, match=f"the disk of {HOST if direction == 'up' else 'this machine'}"):
        world.cp(*words, parallel=2)
    assert not (small_disk / "copy").exists()


def test_a_node_without_checksums_is_not_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.here / "long").write_bytes(bytes(2 * MIB))
    programs = world.there.parent / "programs"
    programs.mkdir()
    for name in ("sh", "mkdir"):
        program = shutil.which(name)
        assert program
        (programs / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    tally = world.cp(str(world.here / "long"), "there:")
    assert (tally.done, tally.verified) == (1, 0)
    assert "only sizes were compared, not SHA-256" in world.said[-1]
