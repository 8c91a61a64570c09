"""A spec becomes values with defaults, or an error that names the field and the way out."""

import gc
import weakref
from datetime import timedelta
from typing import Any

import pytest

from hscjit_operator.model.spec import HSCJit, SpecError, Window, parse

METADATA = {"name": "support", "namespace": "care", "uid": "u-1", "generation": 3}


def parsed(spec: dict[str, Any]) -> HSCJit:
    return parse({"metadata": METADATA, "spec": spec})


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return the spec that holds `value` at a dotted path below `spec`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def test_an_empty_spec_is_a_whole_assistant():
    app = parsed({})

    assert (app.key.namespace, app.key.name, app.uid, app.generation) == (
        "care", "support", "u-1", 3,
    )  # fmt: skip
    assert (app.api.replicas, app.worker.min_replicas) == (2, 1)
    assert app.image.reference is None
    assert app.catalog.config_map_ref is None
    assert app.backup.enabled
    assert app.deletion_policy == "Retain"


def test_a_spec_left_out_is_an_empty_one():
    assert parse({"metadata": METADATA}) == parsed({})


def test_what_is_not_given_falls_back_where_it_stands_and_not_elsewhere():
    api = parsed({"api": {"resources": {"requests": {"cpu": "300m"}}}}).api

    assert api.resources.manifest() == {
        "requests": {"cpu": "300m", "memory": "256Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    worker = parsed({"worker": {"resources": {"requests": {"memory": "1Gi"}}}}).worker
    assert worker.resources.requests.cpu == "100m"
    postgres = parsed({"postgres": {"pool": {"size": 60}}}).postgres
    assert (postgres.pool.max_overflow, postgres.server.storage) == (20, "5Gi")


def test_hscjits_that_ask_alike_share_what_they_ask():
    blocks = ("api", "worker", "redis", "postgres", "network", "autopilot", "maintenance")
    one, other = parsed({}), parse({"metadata": {**METADATA, "name": "other"}, "spec": {}})
    assert all(getattr(one, block) is getattr(other, block) for block in blocks)

    larger = parsed({"api": {"replicas": 3}})
    assert (larger.api == one.api, larger.worker is one.worker) == (False, True)


def test_what_nobody_asks_for_any_more_is_not_kept():
    asked = parsed({"api": {"replicas": 9}})
    known = weakref.ref(asked.api)
    del asked
    gc.collect()
    assert known() is None


def test_null_is_as_if_left_out():
    assert parsed({"api": {"replicas": None}, "bootstrap": None}) == parsed({})


def test_a_field_of_a_newer_schema_is_left_alone():
    assert parsed({"teleport": {"destination": "moon"}}) == parsed({})


def test_values_take_their_own_types():
    app = parsed(
        {
            "image": {"repository": "registry.example.com/hscjit/app", "tag": "1.2"},
            "catalog": {"configMapRef": {"name": "brands"}, "manuals": {"cacheTTL": "1h30m"}},
            "maintenance": {
                "cleanupSchedule": "@daily",
                "windows": [{"schedule": "@weekly", "duration": "90m"}],
                "offPeak": [{"name": "nights", "schedule": "0 22 * * *", "duration": "8h"}],
            },
            "api": {
                "resources": {"limits": {"cpu": 2}},
                "tolerations": [{"key": "spot", "operator": "Exists"}],
            },
        }
    )

    assert app.image.reference == "registry.example.com/hscjit/app:1.2"
    assert app.catalog.config_map_ref is not None
    assert app.catalog.config_map_ref.name == "brands"
    assert app.catalog.manuals.cache_ttl == timedelta(minutes=90)
    assert app.maintenance.cleanup_schedule == "0 0 * * *"
    assert app.maintenance.windows == (Window("0 0 * * 0", timedelta(minutes=90), "Etc/UTC"),)
    assert app.maintenance.off_peak[0].duration == timedelta(hours=8)
    assert app.maintenance.off_peak[0].time_zone == "Etc/UTC"
    assert app.api.resources.limits.cpu == "2"
    assert app.api.tolerations == ({"key": "spot", "operator": "Exists"},)


DIGEST = "sha256:" + "a" * 64


def test_an_image_may_be_known_by_its_digest():
    app = parsed({"image": {"repository": "hscjit/app", "digest": DIGEST}})
    assert app.image.reference == f"hscjit/app@{DIGEST}"


def test_without_autoscaling_the_size_is_the_most_there_can_be():
    assert parsed({"api": {"replicas": 3}}).api.most == 10
    assert parsed({"api": {"replicas": 3, "autoscaling": {"enabled": False}}}).api.most == 3


OFF_PEAK = {"name": "nights", "schedule": "0 22 * * *", "duration": "8h"}

REFUSED = {
    "a list for a block": ("api", [], "spec.api", "expected an object"),
    "a string for a number": ("api.replicas", "3", "spec.api.replicas", "expected an integer"),
    "true for a number": ("api.replicas", True, "spec.api.replicas", "expected an integer"),
    "a number for a switch": ("backup.enabled", 1, "spec.backup.enabled", "true or false"),
    "an object for a list": ("api.env", {}, "spec.api.env", "expected a list"),
    "a list for a map": ("api.podLabels", [], "spec.api.podLabels", "expected an object"),
    "a number for a label": (
        "api.podLabels", {"team": 1}, "spec.api.podLabels[team]", "expected a string",
    ),
    "replicas below one": ("api.replicas", 0, "spec.api.replicas", "set 1 to 100"),
    "replicas above a hundred": ("api.replicas", 101, "spec.api.replicas", "set 1 to 100"),
    "floor above ceiling": (
        "api.autoscaling", {"minReplicas": 11},
        "spec.api.autoscaling.minReplicas", "above maxReplicas (10)",
    ),
    "fewest workers above most": (
        "worker", {"minReplicas": 5}, "spec.worker.minReplicas", "above maxReplicas (4)",
    ),
    "off-peak floor above its ceiling": (
        "maintenance.offPeak", [OFF_PEAK | {"apiMinReplicas": 3, "apiMaxReplicas": 2}],
        "spec.maintenance.offPeak[0].apiMinReplicas", "above apiMaxReplicas (2)",
    ),
    "a window without schedule": (
        "maintenance.windows", [{"duration": "1h"}],
        "spec.maintenance.windows[0].schedule", "is required",
    ),
    "a window of no time": (
        "maintenance.windows", [{"schedule": "@daily", "duration": "0h"}],
        "spec.maintenance.windows[0].duration", "is not a duration",
    ),
    "off-peak without duration": (
        "maintenance.offPeak", [{"name": "a", "schedule": "@daily"}],
        "spec.maintenance.offPeak[0].duration", "is required",
    ),
    "two off-peak times of one name": (
        "maintenance.offPeak", [OFF_PEAK, OFF_PEAK], "spec.maintenance.offPeak", "twice",
    ),
    "more bad seconds than the window has": (
        "autopilot.heal.thresholds", {"badSeconds": 9},
        "spec.autopilot.heal.thresholds.badSeconds", "above windowSeconds (8)",
    ),
    "a rollout that cannot begin": (
        "api.rollout", {"maxSurge": 0}, "spec.api.rollout.maxUnavailable", "set one above 0",
    ),
    "a request above its limit": (
        "api.resources.requests", {"cpu": "1001m"},
        "spec.api.resources.requests.cpu", "above limits.cpu (1)",
    ),
    "memory above its limit": (
        "redis.embedded.cache.resources.requests", {"memory": "257Mi"},
        "spec.redis.embedded.cache.resources.requests.memory", "above limits.memory (256Mi)",
    ),
    "a quantity in words": (
        "worker.resources.requests.cpu", "INVALID",
        "spec.worker.resources.requests.cpu", "not a quantity",
    ),
    "a negative quantity": (
        "worker.resources.requests.cpu", -1, "spec.worker.resources.requests.cpu", "'-1'",
    ),
    "a quantity of nothing": (
        "postgres.embedded.storage", "0Gi", "spec.postgres.embedded.storage", "above zero",
    ),
    "a bare number as storage": (
        "postgres.embedded.storage", 5, "spec.postgres.embedded.storage", "expected a string",
    ),
    "a mode that is none": (
        "autopilot.heal.mode", "On", "spec.autopilot.heal.mode", "one of Act, Observe, Off",
    ),
    "a template version we do not carry": ("version", "9", "spec.version", "carries 1"),
    "a template version that is none": ("version", "v1", "spec.version", "not a template version"),
    "a tag without repository": ("image", {"tag": "1"}, "spec.image.repository", "is required"),
    "a repository without tag": (
        "image", {"repository": "app"}, "spec.image.tag", "exactly one of tag and digest",
    ),
    "tag and digest": (
        "image", {"repository": "app", "tag": "1", "digest": DIGEST},
        "spec.image.tag", "exactly one of tag and digest",
    ),
    "a broken digest": (
        "image", {"repository": "app", "digest": "sha256:00"}, "spec.image.digest", "64 hex digits",
    ),
    "two catalogues": (
        "catalog", {"bundled": {}, "configMapRef": {"name": "brands"}},
        "spec.catalog.configMapRef", "remove one of the two",
    ),
    "a variable of ours": (
        "worker.env", [{"name": "HSCJIT_PORT", "value": "1"}],
        "spec.worker.env[0].name", "the operator's to set",
    ),
    "a variable twice": ("api.env", [{"name": "A"}, {"name": "A"}], "spec.api.env", "twice"),
    "a label of ours": (
        "api.podLabels", {"app.kubernetes.io/name": "x"}, "spec.api.podLabels", "operator's own",
    ),
    "a label that is none": (
        "api.podLabels", {"team": "a b"}, "spec.api.podLabels", "not a value for the label team",
    ),
    "a label's name that is none": (
        "worker.nodeSelector", {"a/b/c": "x"}, "spec.worker.nodeSelector", "not a label's name",
    ),
    "a long annotation": (
        "api.podAnnotations", {"note": "x" * 1025}, "spec.api.podAnnotations", "at most 1024",
    ),
    "a host with a path": (
        "catalog.manuals.allowedHosts", [{"host": "a.example.com/x"}],
        "spec.catalog.manuals.allowedHosts[0].host", "not a host",
    ),
    "a host with a port beyond the last": (
        "catalog.manuals.allowedHosts", [{"host": "a.example.com:65536"}],
        "spec.catalog.manuals.allowedHosts[0].host", "not a host",
    ),
    "a host twice": (
        "catalog.manuals.allowedHosts", [{"host": "a"}, {"host": "a"}],
        "spec.catalog.manuals.allowedHosts", "twice",
    ),
    "manuals of no size": (
        "catalog.manuals.maxBytes", 1023, "spec.catalog.manuals.maxBytes", "set 1024 to",
    ),
    "a node port without its type": (
        "network.service", {"nodePort": 30080}, "spec.network.service.nodePort", "needs type",
    ),
    "an address without mask": (
        "network.trustedProxies", ["10.0.0.1"], "spec.network.trustedProxies[0]", "10.0.0.1/32",
    ),
    "an origin with a path": (
        "network.allowedOrigins", ["https://a/b"], "spec.network.allowedOrigins[0]", "an origin",
    ),
    "a proxy twice": (
        "network.trustedProxies", ["10.0.0.0/8", "10.0.0.0/8"],
        "spec.network.trustedProxies", "twice",
    ),
    "too many variables": (
        "api.env", [{"name": f"A{i}"} for i in range(65)], "spec.api.env", "at most 64",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "value", "field", "says"), REFUSED.values(), ids=REFUSED)
def test_refused(path: str, value: Any, field: str, says: str):
    with pytest.raises(SpecError) as refusal:
        parsed(nested(path, value))

    assert refusal.value.field == field
    assert says in refusal.value.message
    assert str(refusal.value) == f"{field}: {refusal.value.message}"


def test_a_host_may_have_the_last_port():
    spec = {"catalog": {"manuals": {"allowedHosts": [{"host": "a.example.com:65535"}]}}}
    assert parsed(spec).catalog.manuals.allowed_hosts[0].host == "a.example.com:65535"


POOLS = {
    "a connection for each pod": (15, True),
    "one pod would go without": (14, False),
}


@pytest.mark.parametrize(("size", "accepted"), POOLS.values(), ids=POOLS)
def test_the_pool_has_a_connection_for_every_pod_there_can_be(size: int, accepted: bool):
    # 10 API pods at most, 1 more in a rollout, 4 workers.
    spec = {"postgres": {"pool": {"size": size}}}
    if accepted:
        assert parsed(spec).postgres.pool.size == size
    else:
        with pytest.raises(SpecError, match="cannot serve up to 15 pods"):
            parsed(spec)


NAMES = {
    "one letter": ("a", True),
    "forty characters": ("a" * 40, True),
    "forty-one characters": ("a" * 41, False),
    "sixty characters": ("a" * 60, False),
    "a dash within": ("care-2", True),
    "a dash at the end": ("care-", False),
    "a digit first": ("1care", False),
    "a dot": ("care.eu", False),
    "a capital": ("Care", False),
    "a line break": ("care\n", False),
}


@pytest.mark.parametrize(("name", "accepted"), NAMES.values(), ids=NAMES)
def test_names(name: str, accepted: bool):
    body = {"metadata": METADATA | {"name": name}, "spec": {}}
    if accepted:
        assert parse(body).name == name
    else:
        with pytest.raises(SpecError, match=r"^metadata\.name: "):
            parse(body)
