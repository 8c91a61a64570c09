"""Which backups are there? The index that the operator keeps in the ConfigMap `<name>-backups`.

One key a backup, its name; the value is a JSON object with what is known of it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

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


def index_data(backups: Iterable[KnownBackup]) -> dict[str, str]:
    """Return the data of the index."""
    return {backup.name: json.dumps({"size": backup.size}) for backup in sorted(backups)}


def from_index(data: Mapping[str, str]) -> list[KnownBackup]:
    """Return the backups that an index lists, the newest first; what is no backup is left out."""
    found = [
        KnownBackup(name, int(json.loads(entry).get("size", 0)))
        for name, entry in data.items()
        if NAME.fullmatch(name)
    ]
    return sorted(found, reverse=True)
