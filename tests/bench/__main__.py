"""Measure the speed budgets that exist by now, side by side in one run, and print one table.

The exit status is 1 if a budget is missed. Rows that need a program which is not here say so and do not count.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import client, container, copying, images, laptop, predecessor, submission, tunnel
from tests.bench.measure import Row, machine, table
from tests.end_to_end.machine import Machine

MEASUREMENTS: tuple[Callable[[Machine], list[Row]], ...] = (
    container.off,
    container.on_without_wait,
    container.release,
    container.to_online,
    laptop.help_text,
    laptop.login,
    laptop.second_login,
    tunnel.proxy_start,
    tunnel.throughput,
    laptop.throughput,
    copying.copy_rows,
    laptop.many_nodes,
    container.memory,
    client.proxy_memory,
    client.installed,
    predecessor.logins,
    images.start,
    submission.importing,
)


def main() -> int:
    """Run every measurement on one machine of its own."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sm-ssh-bench-") as folder:
        user = Machine(Path(folder))
        user.up()
        try:
            for measure in MEASUREMENTS:
                print(f"measuring: {measure.__module__.rpartition('.')[2]}.{measure.__name__}", file=sys.stderr)
                try:
                    rows += measure(user)
                except Exception as error:  # noqa: BLE001 - one that fails must not cost the others' figures
                    rows.append(
                        Row(measure.__name__, f"failed: {type(error).__name__}: {error}"[:90], "", "", ok=False)
                    )
        finally:
            user.down()
    print(f"\n{machine()}\n\n{table(rows)}")
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
