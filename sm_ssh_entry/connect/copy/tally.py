"""What a copy has done so far: what progress shows, and the summary at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from sm_ssh_entry.errors import SmSshError


@dataclass
class Tally:
    """Counted while it goes on.

    Attributes:
        files: to be copied.
        bytes: of these.
        done: files that are whole at their places.
        moved: bytes copied by this run.
        resumed: bytes that an earlier run of the same command had copied.
        verified: files whose SHA-256 was the same on both sides.
        sessions: open now.
        most_sessions: open at once at most.
        lost: sessions that broke on the way.
        skipped: what is not copied, in words.
        failures: what failed.
    """

    files: int = 0
    bytes: int = 0
    done: int = 0
    moved: int = 0
    resumed: int = 0
    verified: int = 0
    sessions: int = 0
    most_sessions: int = 0
    lost: int = 0
    skipped: list[str] = field(default_factory=list)
    failures: list[SmSshError] = field(default_factory=list)
