from __future__ import annotations

import os
import time
from pathlib import Path

from sm_ssh_entry.boot import waiters


def test_word_reaches_every_fifo(tmp_path: Path) -> None:
    folder = str(tmp_path / "waiters")
    descriptor, path = waiters.open_fifo(folder, time.time() + 5)
    assert waiters.words(descriptor) == []
    assert waiters.notify(folder, waiters.READY) == [os.getpid()]
    assert waiters.notify(folder, waiters.STOP) == [os.getpid()]
    assert waiters.words(descriptor) == [waiters.READY, waiters.STOP]
    os.close(descriptor)
    assert waiters.notify(folder, waiters.STOP) == []
    assert not Path(path).exists()


def test_fifo_of_an_earlier_process_with_our_number_is_replaced(tmp_path: Path) -> None:
    first, path = waiters.open_fifo(str(tmp_path), 7.0)
    second, again = waiters.open_fifo(str(tmp_path), 7.0)
    assert path == again
    waiters.notify(str(tmp_path), waiters.STOP)
    assert (waiters.words(first), waiters.words(second)) == ([], [waiters.STOP])
    os.close(first)
    os.close(second)


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("readme", "12", "x.y", "12.x"):
        (tmp_path / name).write_text("")
    assert waiters.notify(str(tmp_path), waiters.STOP) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_missing_folder_means_nobody(tmp_path: Path) -> None:
    assert waiters.waiting(str(tmp_path / "none")) == []
    waiters.remove(str(tmp_path / "none"))
