"""A session with the system's own ``sftp-server``, and with servers that are slow, wrong or gone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sm_ssh_entry.connect.copy import packets
from sm_ssh_entry.connect.copy.attributes import Attributes
from sm_ssh_entry.connect.copy.packets import Packet
from sm_ssh_entry.connect.copy.remote import Refused, Remote, SessionLost
from tests.connect.copy.server import SFTP_SERVER, Scripted, run, served

real = pytest.mark.skipif(not SFTP_SERVER, reason="sftp-server is not installed")
NAME = "ü -x\n'\"$(id)\udcff"


@real
def test_a_file_is_written_and_read_in_many_requests_at_once(tmp_path: Path) -> None:
    data = os.urandom(5_000_001)
    path = str(tmp_path / NAME)

    async def work() -> None:
        async with served(tmp_path) as remote:
            assert remote.read_bytes == remote.write_bytes == 64 * 1024
            handle = await remote.open(path, packets.OPEN_WRITE | packets.OPEN_CREATE, 0o600)
            wrote: list[tuple[int, int]] = []
            starts = range(0, len(data), remote.write_bytes)
            parts = ((at, data[at : at + remote.write_bytes]) for at in starts)
            await remote.write(handle, parts, lambda *part: wrote.append(part), path)
            await remote.close(handle, path)
            assert sum(length for _, length in wrote) == len(data)
            handle = await remote.open(path, packets.OPEN_READ)
            got = bytearray(len(data))

            def take(offset: int, piece: bytes) -> None:
                got[offset : offset + len(piece)] = piece

            await remote.read(handle, (7, len(data)), take, path)
            remote.forget(handle)
            assert got[7:] == data[7:]

    run(work())
    assert (tmp_path / NAME).read_bytes() == data
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@real
def test_folders_names_attributes_and_renames(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("new")
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    here = str(tmp_path.resolve())

    async def work() -> None:
        async with served(tmp_path) as remote:
            assert await remote.realpath(".") == here
            await remote.mkdir("folder", 0o700)
            entries = dict(await remote.entries("."))
            assert set(entries) == {NAME, "old", "link", "folder"}
            assert entries["folder"].is_folder
            assert entries["link"].is_link
            assert (await remote.stat("link")).is_file
            await remote.set(NAME, Attributes(permissions=0o751, times=(5, 6)))
            await remote.replace(NAME, "old")
            assert await remote.find(NAME) is None
            about = await remote.stat("old")
            assert (about.size, about.mode, about.changed) == (3, 0o751, 6)
            assert (await remote.free_bytes(".") or 0) > 0
            with pytest.raises(Refused) as raised:
                await remote.entries("nowhere")
            assert raised.value.code == packets.NO_SUCH_FILE

    run(work())
    assert (tmp_path / "old").read_text() == "new"


@pytest.mark.parametrize("name", [b"../x", b"a/b", b"", b"a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(name: bytes) -> None:
    def answer(request: Packet) -> Packet:
        if isinstance(request, packets.Readdir):
            return packets.Names((packets.Name(name, b"", Attributes()),))
        return packets.Handle(b"h") if isinstance(request, packets.Opendir) else packets.Status(0)

    async def work() -> None:
        async with Scripted(answer).session() as remote:
            with pytest.raises(Refused, match="gives the name"):
                await remote.entries("/")

    run(work())


def test_short_reads_are_read_on(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1024

    def answer(request: Packet) -> Packet:
        assert isinstance(request, packets.Read)
        return packets.Data(data[request.offset : request.offset + min(request.length, 10_000)])

    async def work() -> None:
        async with Scripted(answer).session() as remote:
            assert remote.read_bytes == 32 * 1024  # a server that says no limit
            got = bytearray(len(data))

            def take(offset: int, piece: bytes) -> None:
                got[offset : offset + len(piece)] = piece

            await remote.read(b"h", (0, len(data)), take, "/x")
            assert got == data

    run(work())


def test_rename_without_the_extension_removes_first() -> None:
    server = Scripted(lambda _: packets.Status(0))

    async def work() -> None:
        async with server.session() as remote:
            await remote.replace("a", "b")

    run(work())
    assert server.seen == [packets.Remove(b"b"), packets.Rename(b"a", b"b")]


def test_who_waits_hears_that_the_session_is_lost() -> None:
    server = Scripted(lambda _: None)

    async def work() -> None:
        async with server.session() as remote:
            waiting = asyncio.create_task(remote.stat("/"))
            await asyncio.sleep(0)
            server.hang_up()
            with pytest.raises(SessionLost):
                await waiting
            with pytest.raises(SessionLost):
                await remote.stat("/")

    run(work())


@pytest.mark.parametrize("said", [b"", b"Welcome to this node!\n", packets.Version(2).encode()])
def test_what_is_no_sftp_server(said: bytes) -> None:
    class Other(Scripted):
        def write(self, data: bytes) -> None:
            self._out.put_nowait(said)

    async def work() -> None:
        other = Other(lambda _: None)
        remote = Remote(other, other)
        with pytest.raises(SessionLost):
            await remote.begin()
        await remote.end()

    run(work())
