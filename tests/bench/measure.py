"""How things are timed: alternating runs, medians, and rows of one table."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: what was measured.
        found: the figure, with its unit.
        beside: what it was measured beside, in the same run; ``""``: nothing.
        budget: what design asks for, in words.
        ok: whether the figure is within; None: not measured, and ``found`` says why.
    """

    what: str
    found: str
    beside: str
    budget: str
    ok: bool | None


def seconds(run: Callable[[], object]) -> float:
    """Time one call, wall clock."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def in_turn(times: int, *runs: Callable[[], float]) -> list[list[float]]:
    """Call several measurements in turn, so that each meets the same machine, and return what each has found.

    Args:
        times: calls of each; one more of each goes before, unmeasured, to warm the caches.
        runs: each returns seconds.
    """
    for run in runs:
        run()
    found: list[list[float]] = [[] for _ in runs]
    for _ in range(times):
        for one, run in zip(found, runs, strict=True):
            one.append(run())
    return found


def side_by_side(times: int, *runs: Callable[[], float]) -> list[float]:
    """Call several measurements in turn and return the median of each; the arguments are those of ``in_turn``."""
    return [statistics.median(one) for one in in_turn(times, *runs)]


def spread(values: Sequence[float]) -> float:
    """Return the median distance from the median: how much one run differs from another for no reason."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def quiet(argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run a program that must succeed, without its output."""
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv[:6])} ... ended with {done.returncode}: {done.stderr.strip()[-400:]}")


def machine() -> str:
    """Name this machine: processor, cores, memory, system, Python."""
    model = platform.processor() or platform.machine()
    memory = ""
    if os.path.exists("/proc/cpuinfo"):  # noqa: PTH110
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = f", {pages / 2**30:.0f} GiB"
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores{memory}, {system}"


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as text."""
    head = Row("what", "found", "beside", "budget", None)
    cells = [[row.what, row.found, row.beside, row.budget] for row in (head, *rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(4)]
    verdicts = ["", *({True: "ok", False: "OVER", None: "-"}[row.ok] for row in rows)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(f"{line}  {verdict}".rstrip() for line, verdict in zip(lines, verdicts, strict=True))
