"""The program that the plane starts for each job: the one place that knows both the plane and the container's half."""

from __future__ import annotations

import sys


def main() -> int:
    """Take an order from standard input and run it; everything else comes from there as well."""
    from sm_ssh_entry.boot import layout
    from sm_ssh_entry.plane.environment import adopt
    from sm_ssh_entry.plane.execution import order, runner
    from sm_ssh_entry.plane.execution.work import Work, environment

    # Unbuffered: a thread that waits for more of it must hold no lock when the process ends.
    with open(0, "rb", buffering=0, closefd=False) as words:
        line = words.readline()
        if not line:
            return 0
        given = order.read(line)
        adopt(environment(given))
        runner.run(Work(given, words, layout.install))
    return 0


if __name__ == "__main__":
    sys.exit(main())
