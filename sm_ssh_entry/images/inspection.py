"""``sm-ssh image inspect``: whether an image has the layer, what is in it, and what will not work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sm_ssh_entry.images import checks, facts
from sm_ssh_entry.images.checks import Finding
from sm_ssh_entry.images.facts import Facts

# Exit statuses of the command, those of the errors that say the same.
USABLE = 0
NO_LAYER = 1
UNUSABLE = 25


@dataclass(frozen=True)
class Report:
    """What there is to say about an image.

    Args:
        known: what it was read from.
        reached: SageMaker's ways to start a container → whether ssh starts with them; empty without the layer.
        findings: what will not work, problems first.
    """

    known: Facts
    reached: dict[str, bool]
    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """The exit status of ``inspect``."""
        if self.known.layer is None:
            return NO_LAYER
        return UNUSABLE if any(finding.level == checks.PROBLEM for finding in self.findings) else USABLE

    def as_json(self) -> dict[str, Any]:
        """Return the report as one object."""
        known = self.known
        return {
            "image": known.image,
            "id": known.id,
            "platform": f"{known.os}/{known.arch}",
            "distribution": known.release,
            "bytes": known.size,
            "layer": known.layer,
            "entrypoint": list(known.config.entrypoint),
            "cmd": list(known.config.cmd),
            "user": known.account.name or known.config.owner,
            "reached": self.reached,
            "usable": self.status == USABLE,
            "findings": [finding._asdict() for finding in self.findings],
        }


def inspect(image: str) -> Report:
    """Read an image and judge it; nothing of it is run.

    Args:
        image: its name.

    Raises:
        NotFound: the engine has no such image.
        EngineFailed: it cannot be read.
    """
    return judge(facts.gather(image))


def judge(known: Facts) -> Report:
    """Judge what is known of an image."""
    return Report(known, checks.reached(known) if known.layer is not None else {}, checks.findings(known))
