"""What images weigh: layer by layer as the engine has them, our layer part by part, and the budget it has to keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_ssh_entry import engine
from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import facts, files

# What the layer may add beyond agent, sshd and AWS CLI: our own files, and the interpreter where one is brought.
BUDGET = 60_000_000
COUNTED = ("ours", "interpreter")
PARTS = ("ours", "interpreter", "sshd", "agent", "aws-cli")
_WORDS = 90


@dataclass(frozen=True)
class Layer:
    """One layer of an image.

    Args:
        size: bytes.
        made_by: the line of a Dockerfile that made it.
    """

    size: int
    made_by: str


@dataclass(frozen=True)
class Weight:
    """What an image weighs.

    Args:
        image: its name.
        size: bytes in all.
        layers: those that are not empty, the base's first.
        layer: our layer.json; None: it has none.
    """

    image: str
    size: int
    layers: tuple[Layer, ...]
    layer: Mapping[str, Any] | None

    @property
    def parts(self) -> dict[str, int]:
        """Our layer's parts in bytes; empty without the layer."""
        given = (self.layer or {}).get("bytes", {})
        return {part: int(given.get(part, 0)) for part in PARTS} if given else {}

    @property
    def counted(self) -> int:
        """Bytes that the budget is for."""
        return sum(self.parts.get(part, 0) for part in COUNTED)

    @property
    def agent(self) -> str:
        """Which agent is inside."""
        about = (self.layer or {}).get("agent") or {}
        return f"{about.get('source', 'no agent')} {about.get('version', '')}".strip()

    @property
    def excess(self) -> str:
        """Say by how much the budget is missed; empty: it is kept."""
        if self.counted <= BUDGET:
            return ""
        return (
            f"{self.image}: {' and '.join(COUNTED)} take {megabytes(self.counted)} MB, "
            f"{megabytes(BUDGET)} MB are allowed"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as one object."""
        return {
            "image": self.image,
            "bytes": self.size,
            "agent": self.agent,
            "parts": self.parts,
            "counted": self.counted,
            "budget": BUDGET,
            "layers": [{"bytes": one.size, "made_by": one.made_by} for one in self.layers],
        }


def listed(group: str) -> list[str]:
    """Return the images that bake lists.

    Args:
        group: a group or target of docker-bake.hcl.

    Raises:
        BadInput: there is none of that name, or no list.
        EngineFailed: bake cannot read it.
    """
    root: Path = files.source()
    print_list = ("buildx", "bake", "--file", str(root / "docker-bake.hcl"), "--print", group)
    targets = json.loads(engine.docker(*print_list, timeout=60.0))["target"]
    names = [tag for target in targets.values() for tag in target.get("tags", ())]
    if not names:
        raise BadInput(f"bake lists no image under {group}", hint="docker buildx bake --print shows what there is")
    return sorted(names)


def weigh(image: str) -> Weight:
    """Weigh an image.

    Args:
        image: its name.

    Raises:
        NotFound: the engine has no such image.
        EngineFailed: it cannot be read.
    """
    known = facts.gather(image)
    history = engine.docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image)
    rows = [json.loads(line) for line in history.splitlines()]
    layers = tuple(Layer(int(row["Size"]), _line(row["CreatedBy"])) for row in reversed(rows) if int(row["Size"]))
    return Weight(image, known.size, layers, known.layer)


def megabytes(size: int) -> str:
    """Return bytes as millions, as the engine's own lists do."""
    return f"{size / 1e6:.1f}"


def page(weights: Sequence[Weight], prefix: str = "") -> str:
    """Return the page of the documentation.

    Args:
        weights: the images.
        prefix: a registry's, which is left out of names.
    """

    def row(*cells: str) -> str:
        return f"| {' | '.join(cells)} |"

    lines = [
        "# Sizes",
        "",
        "Written by `sm-ssh image sizes --write docs/sizes.md`. Megabytes (10^6 bytes) on disk, unpacked.",
        f"Budget: {' and '.join(COUNTED)} at most {megabytes(BUDGET)} MB; the command fails where it is missed.",
        "",
        row("image", "agent inside", "all", *PARTS, "budgeted"),
        row("---", "---", *["---:"] * (len(PARTS) + 2)),
    ]
    lines += [
        row(
            f"`{one.image.removeprefix(prefix)}`",
            one.agent,
            *(megabytes(size) for size in (one.size, *(one.parts.get(part, 0) for part in PARTS), one.counted)),
        )
        for one in weights
    ]
    lines += [
        "",
        "`ours` is /opt/sm-ssh without the AWS CLI; `interpreter` is 0 where the base has a Python that serves.",
    ]
    for one in weights:
        lines += ["", f"## {one.image.removeprefix(prefix)}", "", row("MB", "layer"), row("---:", "---")]
        lines += [row(megabytes(layer.size), f"`{layer.made_by}`") for layer in one.layers]
    return "\n".join(lines) + "\n"


def _line(made_by: str) -> str:
    # What a build was given stands before the command in some engines' histories: |3 NAME=value ... /bin/sh -c.
    words = made_by.partition("/bin/sh -c ")[2] if made_by.startswith("|") else made_by
    text = " ".join((words or "imported").removesuffix("# buildkit").split()).replace("|", "¦").replace("`", "'")
    return text if len(text) <= _WORDS else text[: _WORDS - 1] + "…"
