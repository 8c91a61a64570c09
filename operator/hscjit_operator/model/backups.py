"""Which backups are there? The index that the operator keeps in the ConfigMap `<name>-backups`.

One key, whose value is a JSON list of objects with `stamp` and `size`, as the backup's own last
word gives them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

INDEX: Final = "index.json"
"""The key of the ConfigMap."""
NAME: Final = re.compile(r"\d{8}T\d{6}Z")
"""A backup is called by the second it was begun in, UTC: `20260131T020000Z`."""


@dataclass(frozen=True, order=True)
class KnownBackup:
    """One complete backup; the order is that of time."""

    name: str
    size: int
    """Bytes of everything in it."""

    @property
    def begun(self) -> datetime:
        """When it was begun."""
        return datetime.strptime(self.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def from_index(data: Mapping[str, str]) -> list[KnownBackup]:
    """Return the backups that an index lists, the newest first; what is no backup is left out."""
    found = [
        KnownBackup(entry["stamp"], int(entry.get("size", 0)))
        for entry in json.loads(data.get(INDEX, "[]"))
        if NAME.fullmatch(entry.get("stamp", ""))
    ]
    return sorted(found, reverse=True)
