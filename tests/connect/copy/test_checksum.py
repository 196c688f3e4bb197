"""The node's shell computes sums, with whatever it has, of files with whatever name."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.connect.copy import checksum
from sm_ssh_entry.connect.copy.checksum import Checksums
from tests.connect.copy.server import SFTP_SERVER, LocalRoute, run, served

pytestmark = pytest.mark.skipif(not SFTP_SERVER, reason="sftp-server is not installed")
NAMES = ["plain", "-x", "a b'\"", "$(touch oops)`id`", "new\nline\n", "back\\slash\\0101", "%s%n", "ü\udcff日本", "*"]


def only(programs: Path, *names: str) -> str:
    """Make a folder with these programs and return it as a PATH."""
    programs.mkdir()
    for name in ("sh", "env", "tail", *names):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        (programs / name).symlink_to(found)
    return str(programs)


@pytest.mark.parametrize("way", ["sha256sum", "openssl", "our Python"])
def test_every_way_and_every_name(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(name.encode("utf-8", "surrogateescape") * 1000)
    (folder / "empty").touch()
    monkeypatch.setenv("PATH", only(tmp_path / "programs", *([] if way == "our Python" else [way])))
    ours = tmp_path / "root" / "opt" / "sm-ssh" / "bin"
    ours.mkdir(parents=True)
    if way == "our Python":
        (ours / "python").symlink_to(sys.executable)
    monkeypatch.setenv("SM_SSH_ROOT", str(tmp_path / "root"))
    route = LocalRoute(folder)

    async def work() -> dict[str, str | None]:
        sums = Checksums(route, read_back=False)
        link = await route.sftp()
        try:
            names = [*NAMES, "empty", "missing"]
            asked = [sums.of(link.remote, f"{folder}/{name}", 0) for name in names]
            return dict(zip(names, await asyncio.gather(*asked), strict=True))  # all at once: none waits for another
        finally:
            await sums.end()
            await link.end()

    found = run(work())
    assert found.pop("missing") is None
    assert found == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_node_that_can_do_nothing_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", only(tmp_path / "programs"))
    monkeypatch.setenv("SM_SSH_ROOT", str(tmp_path))
    route = LocalRoute(tmp_path)

    async def work() -> None:
        async with served(tmp_path) as remote:
            sums = Checksums(route, read_back=False)
            assert await sums.of(remote, "/x", 0) is None
            assert await sums.of(remote, "/y", 0) is None
            assert sums.impossible
            await sums.end()

    run(work())
    assert len(route.children) == 1


def test_a_loop_that_dies_is_started_again(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    route = LocalRoute(tmp_path)

    async def work() -> None:
        async with served(tmp_path) as remote:
            sums = Checksums(route, read_back=False)
            first = await sums.of(remote, f"{tmp_path}/x", 1)
            route.children[-1].process.kill()
            assert await sums.of(remote, f"{tmp_path}/x", 1) == first == hashlib.sha256(b"x").hexdigest()
            await sums.end()

    run(work())
    assert len(route.children) == 2


def test_reading_back_and_the_sum_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 300_000)

    async def work() -> None:
        async with served(tmp_path) as remote:
            sums = Checksums(LocalRoute(tmp_path), read_back=True)
            there = await sums.of(remote, f"{tmp_path}/x", 300_000)
            assert there == await checksum.of_local(str(tmp_path / "x"))
            assert there == hashlib.sha256(b"x" * 300_000).hexdigest()

    run(work())


def test_a_path_is_one_line_of_plain_letters() -> None:
    assert checksum.escaped("/a b\n%$ü") == b"/a\\0040b\\0012\\0045\\0044\\0303\\0274\n"
