"""How do the HSCJits stand, as numbers? Read from their statuses whenever somebody scrapes.

Nothing is kept between scrapes: what an HSCJit says is in its status, and one that is gone has no
series left.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hscjit_operator.cluster.observe import Apps
from hscjit_operator.model.schedule import cron, time_zone

_VALUES: Final = {"True": 1.0, "False": 0.0}
_WHOSE: Final = ("namespace", "name")


class _Sample(NamedTuple):
    series: str
    labels: tuple[str, ...]
    value: float


_SERIES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "hscjit_condition": (
        "A condition of an HSCJit: 1 True, 0 False, -1 Unknown, with its present reason.",
        ("condition", "reason"),
    ),
    "hscjit_component_desired": ("Pods that a component shall have.", ("component",)),
    "hscjit_component_ready": ("Pods of a component that are ready.", ("component",)),
    "hscjit_autopilot_target": (
        "What the autopilot aims at: apiFloor, apiCeiling, workers.",
        ("target",),
    ),
    "hscjit_backup_last_success_timestamp_seconds": ("When the newest good backup was made.", ()),
    "hscjit_backup_last_size_bytes": ("Size of the newest good backup.", ()),
    "hscjit_backup_due_timestamp_seconds": (
        "When the first backup after the newest good one was or is due; nothing while there are "
        "none to be made.",
        (),
    ),
}
"""Series → help text, and its labels after namespace and name."""


class Standing(Collector):
    """The statuses of all HSCJits as Prometheus series."""

    def __init__(self, apps: Apps) -> None:
        """Read from `apps`."""
        self._apps = apps

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return every series as it stands."""
        families = {
            name: GaugeMetricFamily(name, text, labels=(*_WHOSE, *labels))
            for name, (text, labels) in _SERIES.items()
        }
        for key in self._apps:
            stored = self._apps.get(key)
            if stored is None:
                continue
            for sample in _samples(stored.read()):
                families[sample.series].add_metric((*key, *sample.labels), sample.value)
        yield from families.values()


def _samples(body: Mapping[str, Any]) -> Iterator[_Sample]:
    status = body.get("status") or {}
    for found in status.get("conditions") or ():
        labels = (found["type"], found.get("reason", ""))
        yield _Sample("hscjit_condition", labels, _VALUES.get(found["status"], -1.0))
    for component, found in (status.get("components") or {}).items():
        yield _Sample("hscjit_component_desired", (component,), found.get("desired", 0))
        yield _Sample("hscjit_component_ready", (component,), found.get("ready", 0))
    for target, value in ((status.get("autopilot") or {}).get("targets") or {}).items():
        yield _Sample("hscjit_autopilot_target", (target,), value)
    backup = status.get("backup") or {}
    last = backup.get("lastSuccessTime")
    if last:
        yield _Sample("hscjit_backup_last_success_timestamp_seconds", (), _instant(last))
        yield _Sample("hscjit_backup_last_size_bytes", (), backup.get("lastSize", 0))
    due = backup_due(body)
    if due is not None:
        yield _Sample("hscjit_backup_due_timestamp_seconds", (), due)


def backup_due(body: Mapping[str, Any]) -> float | None:
    """Return when the first backup after the newest good one is due, in Unix seconds.

    None while backups are off or suspended, and where the schedule cannot be read: SpecValid says
    so then. An HSCJit without any backup counts from its own beginning.
    """
    wanted = (body.get("spec") or {}).get("backup") or {}
    if not wanted.get("enabled", True) or wanted.get("suspend", False):
        return None
    made = ((body.get("status") or {}).get("backup") or {}).get("lastSuccessTime")
    since = _instant(made or body["metadata"]["creationTimestamp"])
    try:
        line = cron(wanted.get("schedule", "0 2 * * *"))
        zone = ZoneInfo(time_zone(wanted.get("timeZone", "Etc/UTC")))
        due: datetime = next(CronSim(line, datetime.fromtimestamp(since, zone)))
    except (ValueError, StopIteration):
        return None
    return due.timestamp()


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
