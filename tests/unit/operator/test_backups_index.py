"""The index of backups is read as the newest first, whatever else stands in it."""

import json

import pytest

from hscjit_operator.model.backups import KnownBackup, from_index

OLD, NEW = "20260101T020000Z", "20260131T020000Z"

INDEXES = {
    "no index yet": ({}, []),
    "an empty index": ({"index.json": "[]"}, []),
    "two backups": (
        {"index.json": json.dumps([{"stamp": OLD, "size": 1}, {"stamp": NEW, "size": 2}])},
        [KnownBackup(NEW, 2), KnownBackup(OLD, 1)],
    ),
    "a size unknown": ({"index.json": json.dumps([{"stamp": OLD}])}, [KnownBackup(OLD, 0)]),
    "what is no backup's name": (
        {"index.json": json.dumps([{"stamp": ".partial-" + OLD}, {"size": 3}])},
        [],
    ),
    "another key": ({"notes": "mine"}, []),
}


@pytest.mark.parametrize(("data", "backups"), INDEXES.values(), ids=INDEXES)
def test_an_index_is_read(data: dict[str, str], backups: list[KnownBackup]):
    assert from_index(data) == backups


def test_a_backup_knows_when_it_was_begun():
    assert KnownBackup(NEW, 0).begun.isoformat() == "2026-01-31T02:00:00+00:00"
