"""What the layer costs an image with SSH off: container start to the first instruction, beside the plain base image."""

from __future__ import annotations

import statistics
import time

from tests.bench.container import CLOCK, MS
from tests.bench.measure import Row, in_turn, spread
from tests.end_to_end.machine import Machine
from tests.images.built import engine, family

_WHAT = "container start -> command, SSH off"
_BUDGET = "no measurable difference"
_TIMES = 40
# Below this the engine's own noise decides; the entrypoint by itself is measured apart, without any engine.
_NOISE_MS = 5.0


def until_first_instruction(image: str) -> float:
    """Return the seconds from the order to start a container that is made already to its command's first instruction.

    Args:
        image: its image.
    """
    name = engine.docker("create", "--label", engine.LABEL, "--network", "none", image, *CLOCK).stdout.strip()
    try:
        started = time.time_ns()
        printed = engine.docker("start", "--attach", name).stdout
        return (int(printed) - started) / 1e9
    finally:
        engine.docker("rm", "--force", name)


def start(_machine: Machine) -> list[Row]:
    """Compare the layered images with what they are made of; no difference: medians closer than one run to another."""
    if reason := engine.missing():
        return [Row(_WHAT, reason, "", _BUDGET, None)]
    return [_compared(name) for name in family.BASES]


def _compared(name: str) -> Row:
    image, what = family.tag(name), f"{_WHAT}, {name.rpartition(':')[2]}"
    plain = engine.labels(image).get("org.opencontainers.image.base.name", "") if engine.has_image(image) else ""
    if not plain or not engine.has_image(plain):
        return Row(what, f"no image {plain or image} here", "", _BUDGET, None)
    runs = in_turn(_TIMES, lambda: until_first_instruction(plain), lambda: until_first_instruction(image))
    theirs, ours = (statistics.median(run) * MS for run in runs)
    noise = max(_NOISE_MS, *(spread(run) * MS for run in runs))
    beside = f"base image {theirs:.0f} ms, spread {noise:.0f} ms"
    return Row(what, f"{ours - theirs:+.1f} ms", beside, _BUDGET, ours - theirs <= noise)
