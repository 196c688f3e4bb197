from __future__ import annotations

from pathlib import Path

from sm_ssh_entry.boot import orders, status, waiters
from sm_ssh_entry.contract import Paths


def test_words_reach_who_listens_and_nobody_else(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    assert orders.listen(paths) == -1
    status.prepare(paths)
    assert not orders.send(paths, orders.BEGIN)
    descriptor = orders.listen(paths)
    assert orders.send(paths, orders.BEGIN)
    assert orders.send(paths, orders.FINISH)
    assert waiters.words(descriptor) == [orders.BEGIN, orders.FINISH]
    orders.deaf(paths, descriptor)
    assert not orders.send(paths, orders.END)
    assert not Path(orders.path(paths)).exists()
    orders.deaf(paths, -1)
