"""Several downloads at once, from a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sm_ssh_entry.errors import NotFound
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.parallel import fetch_all
from tests.images.heard import Heard, entry, network
from tests.images.publisher import Fault, Publisher
from tests.waiting import wait_until


def published(site: Publisher, count: int) -> list[Entry]:
    contents = {f"/{number}.bin": os.urandom(10_000) for number in range(count)}
    return [entry(f"x{path}", site.publish(path, content), content) for path, content in contents.items()]


def test_files_come_side_by_side_and_their_order_stays(site: Publisher, tmp_path: Path) -> None:
    wanted = published(site, 6)
    # Each answer waits for two others: fewer than three at once would never end.
    site.together = threading.Barrier(3)
    heard = Heard()
    assert fetch_all(wanted, tmp_path, network(heard), heard, workers=3) == wanted
    assert site.busiest == 3
    assert sorted(heard.ended) == sorted(one.file for one in wanted)


def test_one_at_a_time_is_one_at_a_time(site: Publisher, tmp_path: Path) -> None:
    heard = Heard()
    fetch_all(published(site, 5), tmp_path, network(heard), heard, workers=1)
    assert site.busiest == 1


def test_the_first_failure_ends_it_and_what_came_stays(site: Publisher, tmp_path: Path) -> None:
    first, missing, *rest = published(site, 5)
    site.files.pop("/1.bin")
    with pytest.raises(NotFound, match=r"/1\.bin"):
        fetch_all([first, missing, *rest], tmp_path, network(Heard()), Heard(), workers=1)
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["0.bin"]
    assert len(site.gets()) == 2


INTERRUPTED = """
import sys
from pathlib import Path
from sm_ssh_entry.images import lockfile
from sm_ssh_entry.images.parallel import fetch_all
from tests.images.heard import Heard, network
folder = Path(sys.argv[1])
try:
    fetch_all(list(lockfile.read(folder / "lock").values()), folder, network(Heard()), Heard(), workers=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_does_not_wait_for_a_silent_server(site: Publisher, tmp_path: Path) -> None:
    from sm_ssh_entry.images import lockfile

    wanted = published(site, 2)
    lockfile.write(tmp_path / "lock", wanted)
    held = threading.Event()
    for path in ("/0.bin", "/1.bin"):
        site.fail(path, Fault(cut=5_000, hold=held))
    argv = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[2]) as child:
        parts = [tmp_path / "x" / f"{number}.bin.part" for number in range(2)]
        wait_until(lambda: all(part.is_file() and part.stat().st_size == 5_000 for part in parts), timeout=30)
        child.send_signal(signal.SIGINT)
        # The server keeps both connections open, and says nothing, until the test is over.
        assert child.wait(20) == 130
    held.set()
    heard = Heard()
    fetch_all(wanted, tmp_path, network(heard), heard, workers=2)
    assert sorted(one["Range"] for one in site.gets() if "Range" in one) == ["bytes=5000-"] * 2
