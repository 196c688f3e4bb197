"""One file's way, from a real server that breaks off, lies and is slow."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sm_ssh_entry.errors import ArtifactRefused, NotFound, Unreachable
from sm_ssh_entry.images.download import Download, Stopped
from sm_ssh_entry.images.lockfile import Entry
from tests.images.heard import Heard, entry, network
from tests.images.publisher import Fault, Publisher
from tests.waiting import wait_until

CONTENT = os.urandom(700_001)
PATH = "/pool/a.bin"


@pytest.fixture(autouse=True)
def _published(site: Publisher) -> None:
    site.publish(PATH, CONTENT)


def download(site: Publisher, folder: Path, heard: Heard, wanted: Entry | None = None) -> Download:
    wanted = wanted or entry("x/a.bin", site.url + PATH, CONTENT)
    return Download(wanted, folder, network(heard), heard, threading.Event())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_in_its_place_and_nothing_else_is_left(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    download(site, tmp_path, heard).run()
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
    assert left(tmp_path) == ["a.bin"]
    assert heard.ended == {"x/a.bin": "fetched"}
    assert heard.most == {"x/a.bin": len(CONTENT)}


def test_a_file_that_is_there_is_not_asked_for(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    download(site, tmp_path, heard).run()
    site.asked.clear()
    download(site, tmp_path, heard).run()
    assert site.asked == []
    assert heard.ended == {"x/a.bin": "there already"}


def test_one_flipped_byte_in_a_file_that_is_there_is_repaired(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    download(site, tmp_path, heard).run()
    damaged = bytearray(CONTENT)
    damaged[350_000] ^= 1
    (tmp_path / "x" / "a.bin").write_bytes(damaged)
    download(site, tmp_path, heard).run()
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
    assert any("x/a.bin is damaged" in line for line in heard.lines)


def test_one_flipped_byte_from_the_server_is_refused_and_removed(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    wrong = bytearray(CONTENT)
    wrong[-1] ^= 1
    site.publish(PATH, bytes(wrong))
    with pytest.raises(ArtifactRefused, match=r"x/a\.bin is not the locked file"):
        Download(entry("x/a.bin", site.url + PATH, CONTENT), tmp_path, network(heard), heard, threading.Event()).run()
    assert left(tmp_path) == []
    assert len(site.gets(PATH)) == 1


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b""], ids=["shorter", "longer", "empty"])
def test_a_file_of_another_length_is_refused(site: Publisher, tmp_path: Path, heard: Heard, content: bytes) -> None:
    site.publish(PATH, content)
    with pytest.raises(ArtifactRefused):
        download(site, tmp_path, heard).run()
    assert left(tmp_path) == []


@pytest.mark.parametrize("tag", ["", '"v1"'], ids=["no tag", "tag"])
def test_what_came_before_a_break_is_not_fetched_again(site: Publisher, tmp_path: Path, heard: Heard, tag: str) -> None:
    site.tags[PATH] = tag
    site.fail(PATH, Fault(cut=300_000))
    download(site, tmp_path, heard).run()
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
    first, second = site.gets(PATH)
    assert first.get("Range") is None
    assert second["Range"] == "bytes=300000-"
    assert second.get("If-Range") == (tag or None)
    assert left(tmp_path) == ["a.bin"]


def test_the_next_run_goes_on_where_this_one_was_stopped(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    held = threading.Event()
    site.fail(PATH, Fault(cut=200_000, hold=held))
    stopped = download(site, tmp_path, heard)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            stopped.run()
        except Stopped as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: heard.most.get("x/a.bin") == 200_000)
    stopped.stop.set()
    held.set()
    thread.join(120)
    assert [type(error) for error in errors] == [Stopped]
    assert left(tmp_path) == ["a.bin.part"]
    download(site, tmp_path, heard).run()
    assert [one.get("Range") for one in site.gets(PATH)] == [None, "bytes=200000-"]
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away_and_the_file_fetched_whole(
    site: Publisher, tmp_path: Path, heard: Heard
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.bin.part").write_bytes(b"?" * 1000)
    download(site, tmp_path, heard).run()
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
    assert [one.get("Range") for one in site.gets(PATH)] == ["bytes=1000-", None]


def test_a_server_with_a_new_file_gives_it_whole(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    """If-Range: what is behind the tag has changed, so the begun part is worth nothing."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.bin.part").write_bytes(b"?" * 1000)
    (tmp_path / "x" / "a.bin.part.tag").write_text('"old"')
    site.tags[PATH] = '"new"'
    first_use = Entry("agent", "official", "x/a.bin", site.url + PATH, -1, "", "1.0")
    found = download(site, tmp_path, heard, first_use).run()
    assert found.size == len(CONTENT)
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
    assert [one.get("If-Range") for one in site.gets(PATH)] == ['"old"']


def test_a_first_fetch_never_goes_on_from_a_part_that_nothing_vouches_for(
    site: Publisher, tmp_path: Path, heard: Heard
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.bin.part").write_bytes(b"?" * 1000)
    first_use = Entry("agent", "official", "x/a.bin", site.url + PATH, -1, "", "1.0")
    found = download(site, tmp_path, heard, first_use).run()
    assert found == entry("x/a.bin", site.url + PATH, CONTENT, component="agent", source="official")
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
    assert [one.get("Range") for one in site.gets(PATH)] == [None]


def test_a_first_fetch_that_broke_before_the_last_step_is_done_whole(
    site: Publisher, tmp_path: Path, heard: Heard
) -> None:
    """All bytes are there, with their tag, but not in their place: a server has nothing to go on with."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.bin.part").write_bytes(CONTENT)
    (tmp_path / "x" / "a.bin.part.tag").write_text('"v1"')
    site.tags[PATH] = '"v1"'
    site.fail(PATH, Fault(status=416))
    first_use = Entry("agent", "official", "x/a.bin", site.url + PATH, -1, "", "1.0")
    assert download(site, tmp_path, heard, first_use).run().size == len(CONTENT)
    assert [one.get("Range") for one in site.gets(PATH)] == [f"bytes={len(CONTENT)}-", None]


def test_a_server_without_ranges_gives_it_whole(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    site.fail(PATH, Fault(cut=300_000), Fault(ranges=False))
    download(site, tmp_path, heard).run()
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT


def test_an_empty_file_is_a_file(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    download(site, tmp_path, heard, entry("x/empty", site.publish("/empty", b""), b"")).run()
    assert left(tmp_path) == ["empty"]


def test_a_busy_server_is_asked_again(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    site.fail(PATH, Fault(status=503), Fault(status=429))
    download(site, tmp_path, heard).run()
    assert len(site.gets(PATH)) == 3
    assert sum("trying again" in line for line in heard.lines) == 2


def test_a_file_that_is_gone_is_not_asked_for_again(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    site.files.clear()
    with pytest.raises(NotFound, match="404"):
        download(site, tmp_path, heard).run()
    assert len(site.gets(PATH)) == 1


def test_a_mirror_may_be_a_folder_and_is_gone_on_from(tmp_path: Path, heard: Heard) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.bin").write_bytes(CONTENT)
    (tmp_path / "to" / "x").mkdir(parents=True)
    (tmp_path / "to" / "x" / "a.bin.part").write_bytes(CONTENT[:1000])
    wanted = entry("x/a.bin", "https://files.example.com/a.bin", CONTENT)
    mirrored = network(heard, {"https://files.example.com/": (tmp_path / "mirror").as_uri() + "/"})
    Download(wanted, tmp_path / "to", mirrored, heard, threading.Event()).run()
    assert (tmp_path / "to" / "x" / "a.bin").read_bytes() == CONTENT


def test_a_port_where_nobody_listens_is_named(site: Publisher, tmp_path: Path, heard: Heard) -> None:
    wanted = entry("x/a.bin", "http://127.0.0.1:1/a.bin", CONTENT)
    stopping = Download(wanted, tmp_path, network(heard), heard, threading.Event())
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 cannot be reached"):
        stopping.network.size(wanted.url, tries=1)


FULL = """
import sys, threading
from pathlib import Path
from sm_ssh_entry.errors import NoSpace
from sm_ssh_entry.images.download import Download
from tests.images.heard import Heard, network
from sm_ssh_entry.images.lockfile import Entry
url, folder, size, sha256 = sys.argv[1:]
wanted = Entry("wheels", "pypi", "x/a.bin", url, int(size), sha256, "1.0")
try:
    Download(wanted, Path(folder), network(Heard()), Heard(), threading.Event()).run()
except NoSpace as error:
    print(error.message)
    sys.exit(error.exit_code)
"""


def test_what_came_before_the_disk_was_full_stays_and_the_next_run_goes_on(
    site: Publisher, tmp_path: Path, heard: Heard
) -> None:
    """The kernel's own limit on a file's size stands for the full disk: the write really fails."""
    wanted = entry("x/a.bin", site.url + PATH, CONTENT)
    argv = [sys.executable, "-c", FULL, wanted.url, str(tmp_path), str(wanted.size), wanted.sha256]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    root = Path(__file__).parents[2]
    done = subprocess.run(argv, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=180, cwd=root)
    assert (done.returncode, done.stdout) == (30, f"no space left for {tmp_path}/x/a.bin\n"), done.stderr
    assert left(tmp_path) == ["a.bin.part"]
    kept = (tmp_path / "x" / "a.bin.part").stat().st_size
    assert 0 < kept <= 400_000
    download(site, tmp_path, heard).run()
    assert site.gets(PATH)[-1]["Range"] == f"bytes={kept}-"
    assert (tmp_path / "x" / "a.bin").read_bytes() == CONTENT
