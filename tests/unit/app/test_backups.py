"""Which backups are kept, and what a Redis dump says of itself."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hscjit_app.jobs import backups, rdb
from hscjit_app.jobs.backups import Retention, expired
from hscjit_app.jobs.outcome import Outcome, write
from hscjit_app.jobs.restore_verify import compare

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAYS = [f"202603{day:02d}T020000Z" for day in range(1, 11)]

RETAINED = {
    "nothing there": ([], Retention(7, 14), []),
    "fewer than are kept": (DAYS[:3], Retention(7, 0), []),
    "as many as are kept": (DAYS[:7], Retention(7, 0), []),
    "one more than are kept": (DAYS[:8], Retention(7, 0), DAYS[:1]),
    "never the newest": (DAYS[:3], Retention(0, 0), DAYS[:2]),
    "daily keeps what last would not": (DAYS, Retention(2, 5), DAYS[:5]),
    "daily counts days that have one": (DAYS[::3], Retention(1, 4), []),
    "the newest of a day": (
        ["20260301T010000Z", "20260301T020000Z", "20260302T010000Z"],
        Retention(1, 2),
        ["20260301T010000Z"],
    ),
    "strange names are nobody's": (["lost+found", "20269999T000000Z"], Retention(1, 0), []),
}


@pytest.mark.parametrize(("stamps", "retention", "gone"), RETAINED.values(), ids=RETAINED)
def test_retention(stamps, retention, gone):
    assert expired(stamps, retention) == gone


@given(
    st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), min_size=1),  # noqa: DTZ001
    st.integers(-3, 9),
    st.integers(-3, 9),
)
def test_the_newest_backup_stays_whatever_is_asked(times, last, daily):
    stamps = [f"{t:%Y%m%dT%H%M%SZ}" for t in times]

    assert max(stamps) not in expired(stamps, Retention(last, daily))


def made(folder, name, complete=True):
    (folder / name).mkdir()
    (folder / name / backups.POSTGRES_DUMP).write_bytes(b"PGDMP")
    if complete:
        (folder / name / backups.MANIFEST).write_text(json.dumps({"format": 1, "size": 5}))


def test_unfinished_backups_count_for_nothing_and_go_when_they_are_abandoned(tmp_path):
    made(tmp_path, "20260309T020000Z")
    made(tmp_path, "20260310T020000Z", complete=False)  # newer, but its manifest is missing
    made(tmp_path, ".partial-20260310T030000Z", complete=False)
    made(tmp_path, ".partial-20260310T115000Z", complete=False)  # still being made
    (tmp_path / "lost+found").mkdir()

    gone = backups.retain(tmp_path, Retention(1, 0), NOW)

    assert gone == [".partial-20260310T030000Z", "20260310T020000Z"]
    assert sorted(e.name for e in tmp_path.iterdir()) == [
        ".partial-20260310T115000Z",
        "20260309T020000Z",
        "lost+found",
    ]
    assert backups.index(tmp_path) == [{"stamp": "20260309T020000Z", "size": 5}]


STALE = {
    "just within": (timedelta(hours=6) - timedelta(seconds=1), 0),
    "over": (timedelta(hours=6), 1),
}


@pytest.mark.parametrize(("age", "gone"), STALE.values(), ids=STALE)
def test_when_an_unfinished_backup_is_abandoned(tmp_path, age, gone):
    made(tmp_path, f".partial-{NOW - age:%Y%m%dT%H%M%SZ}", complete=False)

    assert len(backups.stale(tmp_path, NOW)) == gone


def test_a_claim_that_is_not_mounted_is_empty(tmp_path):
    assert backups.retain(tmp_path / "none", Retention(1, 1), NOW) == []


HEAD = b"REDIS0010" + b"\xfa\x09redis-ver\x067.0.15" + b"\xfa\x0aredis-bits\xc0\x40"
END = b"\xff" + b"\0" * 8
DUMPS = {
    "two keys": (HEAD + b"\xfe\x00\xfb\x02\x01" + b"\x00\x01a\xc0\x01" + END, ("7.0.15", 2, 1)),
    "more than 63": (HEAD + b"\xfe\x00\xfb\x43\xe8\x00" + END, ("7.0.15", 1000, 0)),
    "more than 16383": (HEAD + b"\xfe\x00\xfb\x80\x00\x01\x00\x00\x00" + END, ("7.0.15", 65536, 0)),
    "empty": (HEAD + END, ("7.0.15", 0, 0)),
    "with a function": (HEAD + b"\xf5\x03abc" + b"\xfe\x00\xfb\x01\x00" + END, ("7.0.15", 1, 0)),
}


@pytest.mark.parametrize(("dump", "said"), DUMPS.values(), ids=DUMPS)
def test_what_a_redis_dump_says(tmp_path, dump, said):
    (tmp_path / "d.rdb").write_bytes(dump)

    facts = rdb.read(tmp_path / "d.rdb")

    assert (facts.redis_version, facts.keys, facts.expiring) == said


BROKEN = {
    "nothing": b"",
    "something else": b"PGDMP and more of it",
    "cut off in the head": HEAD[:20],
    "cut off at the end": (HEAD + b"\xfe\x00\xfb\x02\x00" + b"\x00\x01a\xc0\x01" + END)[:-3],
    "text without end": b"REDIS0010\xfa\x80\xff\xff\xff\xff" + END,
}


@pytest.mark.parametrize("dump", BROKEN.values(), ids=BROKEN)
def test_a_broken_redis_dump_is_told(tmp_path, dump):
    (tmp_path / "d.rdb").write_bytes(dump)

    with pytest.raises(rdb.BadDump):
        rdb.read(tmp_path / "d.rdb")


COUNTS = {
    "all there": ({"a": 1, "b": 0}, {"a": 1, "b": 0}, []),
    "a row less": ({"a": 2}, {"a": 1}, ["a: 1, sealed were 2"]),
    "a row more": ({"a": 2}, {"a": 3}, ["a: 3, sealed were 2"]),
    "no table": ({"a": 0}, {"a": None}, ["a: no such table, sealed were 0"]),
}


@pytest.mark.parametrize(("sealed", "found", "words"), COUNTS.values(), ids=COUNTS)
def test_rows_are_compared_one_by_one(sealed, found, words):
    assert compare(sealed, found) == words


def test_a_termination_message_always_fits(tmp_path):
    write(tmp_path / "log", Outcome(False, "Reason", "🥁" * 5000, {"much": "x" * 5000}))

    body = (tmp_path / "log").read_bytes()
    assert len(body) <= 4096
    assert json.loads(body)["reason"] == "Reason"
    assert "much" not in json.loads(body)
