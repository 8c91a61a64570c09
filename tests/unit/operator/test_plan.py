"""What a newer operator offers, when it is carried out, and what it never does by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.operator.manifests.builders import hscjit, inputs

from hscjit_operator.decisions.plan import Plan, Release, decide, under_way
from hscjit_operator.model.spec import Window
from hscjit_operator.plans import restarts

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
OLD = Release("app:1", "1", "redis:7.2", "postgres:17.1")
NEW = Release("app:2", "2", "redis:7.4", "postgres:17.2")
ALL = {
    "image": "app:2",
    "version": "2",
    "redisImage": "redis:7.4",
    "postgresImage": "postgres:17.2",
}
SHUT = (Window("0 3 * * *", timedelta(hours=2)),)
OPEN = (Window("0 11 * * *", timedelta(hours=2)),)
GIVEN = {
    "fixed": frozenset(),
    "going": {},
    "asked": None,
    "windows": (),
    "held": "",
    "now": NOON,
}


def offered(used=OLD, newest=NEW, **given) -> Plan | None:
    return decide(used, newest, **{**GIVEN, **given})


HASH = offered().hash

CHANGES = {
    "nothing is newer": (OLD, OLD, set(), None),
    "all of it": (OLD, NEW, set(), ALL),
    "only the image": (OLD, replace(OLD, image="app:2"), set(), {"image": "app:2"}),
    "an older operator's are others too": (NEW, OLD, {"version"}, {
        "image": "app:1", "redisImage": "redis:7.2", "postgresImage": "postgres:17.1",
    }),
    "the spec decides": (OLD, replace(NEW, redis="redis:7.2"), {"image", "version"}, {
        "postgresImage": "postgres:17.2",
    }),
    "the spec decides all that is newer": (OLD, replace(OLD, image="app:2"), {"image"}, None),
    "another major version of Postgres": (
        OLD, replace(OLD, postgres="postgres:18.0"), set(), None,
    ),
    "tags that tell no version": (
        replace(OLD, postgres="pg:blue"), replace(OLD, postgres="pg:green"), set(),
        {"postgresImage": "pg:green"},
    ),
    "a port is no version": (
        replace(OLD, postgres="example.com:5000/pg"), replace(OLD, postgres="example.com:5001/pg"),
        set(), {"postgresImage": "example.com:5001/pg"},
    ),
    "majors with words": (
        replace(OLD, postgres="pg:17-bookworm"), replace(OLD, postgres="pg:18-bookworm"),
        set(), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("used", "newest", "fixed", "changes"), CHANGES.values(), ids=CHANGES)
def test_what_is_offered(used, newest, fixed, changes):
    found = offered(used, newest, fixed=frozenset(fixed))

    assert (found.changes if found else None) == changes
    assert found is None or not found.begun


STEPS = {
    # given -> approved, begun, due, part of the message
    "not asked": ({}, (False, False, None, f"set hscjit.dev/approve: {HASH}")),
    "another one is approved": (
        {"asked": "0123456789"},
        (False, False, None, f"{HASH}; '0123456789' approves another one"),
    ),
    "approved": ({"asked": HASH}, (True, True, None, "being carried out")),
    "approved, a window is open": (
        {"asked": HASH, "windows": OPEN},
        (True, True, None, "being carried out"),
    ),
    "approved, none is open": (
        {"asked": HASH, "windows": SHUT},
        (True, False, datetime(2026, 6, 16, 3, 0, tzinfo=UTC), "begins at 2026-06-16T03:00:00Z"),
    ),
    "approved, and held": (
        {"asked": HASH, "held": "rollouts are paused"},
        (True, False, None, "it waits: rollouts are paused"),
    ),
    "under way, whatever is shut or held": (
        {"asked": HASH, "going": ALL, "windows": SHUT, "held": "rollouts are paused"},
        (False, True, None, "being carried out"),
    ),
}


@pytest.mark.parametrize(("given", "wanted"), STEPS.values(), ids=STEPS)
def test_when_it_is_carried_out(given, wanted):
    found = offered(**given)

    *flags, words = wanted
    assert [found.approved, found.begun, found.due] == flags
    assert words in found.message
    assert found.hash == HASH


def test_it_is_over_when_all_of_it_is_in_use():
    going = {"asked": HASH, "going": ALL}

    assert offered(replace(NEW, image="app:1"), **going).begun
    assert offered(NEW, **going) is None


def test_a_plan_under_way_goes_on_when_a_still_newer_operator_comes():
    newer = replace(NEW, image="app:3")
    found = offered(replace(NEW, image="app:1"), newer, asked=HASH, going=ALL)
    assert (found.hash, found.changes) == (HASH, ALL)

    after = offered(NEW, newer, asked=HASH, going=ALL)
    assert (after.changes, after.begun) == ({"image": "app:3"}, False)
    assert "approves another one" in after.message


RECORDED = {"hash": HASH, **ALL, "begun": True, "message": "", "restarts": ["support-api"]}

UNDER_WAY = {
    "begun": (RECORDED, HASH, ALL),
    "only offered": (RECORDED | {"begun": False}, HASH, {}),
    "called off": (RECORDED, None, {}),
    "another one is approved": (RECORDED, "0123456789", {}),
    "never": ({}, None, {}),
}


@pytest.mark.parametrize(("recorded", "asked", "wanted"), UNDER_WAY.values(), ids=UNDER_WAY)
def test_what_is_under_way(recorded, asked, wanted):
    assert under_way(recorded, asked) == wanted


def test_the_status_holds_all_that_a_pass_needs_to_go_on():
    begun = offered(asked=HASH)

    assert under_way(begun.as_dict(), HASH) == begun.changes


RESTARTS = {
    "nothing": ({}, ()),
    "the app": ({"image": "app:2"}, ("support-api", "support-beat", "support-worker")),
    "the templates": ({"version": "2"}, ("support-api", "support-beat", "support-worker")),
    "Redis": ({"redis": "redis:8"}, ("support-redis-cache", "support-redis-queue")),
    "Postgres": ({"postgres": "postgres:16"}, ("support-postgres",)),
}


@pytest.mark.parametrize(("change", "names"), RESTARTS.values(), ids=RESTARTS)
def test_whose_pods_a_release_replaces(change, names):
    given = inputs()
    used = Release(given.image, given.template_version, given.redis_image, given.postgres_image)

    assert restarts(hscjit(), given, replace(used, **change)) == names
