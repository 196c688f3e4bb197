"""Tables of Studio's user profiles, spaces and apps. Plain state; the operations are in studio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IN_SERVICE = "InService"


@dataclass
class Entry:
    """A user profile, a space or an app. ``fields`` are AWS's own, as Describe gives them."""

    serial: int
    key: tuple[str, ...]
    fields: dict[str, Any]


@dataclass
class Studio:
    """What Studio knows, in all regions: each table by region, domain and name; apps by owner, type and name too."""

    profiles: dict[tuple[str, ...], Entry] = field(default_factory=dict)
    spaces: dict[tuple[str, ...], Entry] = field(default_factory=dict)
    apps: dict[tuple[str, ...], Entry] = field(default_factory=dict)
    serial: int = 0

    def add(self, table: dict[tuple[str, ...], Entry], key: tuple[str, ...], fields: Mapping[str, Any]) -> Entry:
        """Enter something; what had the key before is replaced.

        Args:
            table: one of the three.
            key: its key.
            fields: AWS's own.
        """
        self.serial += 1
        # Replaced, not changed in place: tables stay in order of serials.
        table.pop(key, None)
        table[key] = Entry(self.serial, key, {name: value for name, value in fields.items() if value is not None})
        return table[key]

    def running(self, region: str, domain: str, space: str) -> list[Entry]:
        """Return the apps of a space that are in service."""
        every = (self.apps[key] for key in list(self.apps) if key[:4] == (region, domain, "space", space))
        return [app for app in every if app.fields["Status"] == IN_SERVICE]
