"""What does the user ask for, and what holds while that cannot be read?"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hscjit_operator import report, sight
from hscjit_operator.cluster.references import Reference
from hscjit_operator.decisions import restore
from hscjit_operator.model import pause
from hscjit_operator.model.autopilot import Pilot
from hscjit_operator.model.spec import HSCJit, parse
from hscjit_operator.names import Key


class Asked:
    """Reads specs, and keeps the autopilot flying on the last good one while there is none."""

    def __init__(self, pilot: Pilot) -> None:
        """Nothing has been read yet."""
        self._pilot = pilot
        self._read: dict[Key, HSCJit] = {}

    def read(self, key: Key, body: Mapping[str, Any]) -> HSCJit:
        """Return what is asked for; the same object while neither spec nor annotations changed.

        Raises SpecError.
        """
        metadata = body["metadata"]
        known = self._read.get(key)
        if (
            known is None
            or known.uid != metadata["uid"]
            or known.generation != metadata["generation"]
            or known.annotations != (metadata.get("annotations") or {})
        ):
            known = self._read[key] = parse(body)
        return known

    def hold(self, key: Key, seen: report.Seen) -> None:
        """Keep the autopilot's view fresh: by the last valid spec it heals and scales on."""
        last = self._pilot.app(key)
        if last is None:
            return
        step = (seen.before.get("restore") or {}).get("step")
        restoring = step is not None and step not in restore.OVER
        subject = sight.subject(
            last, seen.before, seen.observed, seen.rolled, seen.pause, restoring=restoring
        )
        self._pilot.set_subject(key, subject)

    def forget(self, key: Key) -> None:
        """Drop what was read of an HSCJit that is gone."""
        self._read.pop(key, None)


def paused(body: Mapping[str, Any], now: datetime) -> tuple[pause.Pause, str]:
    """Return what is paused, and why the annotations cannot be read ("" when they can)."""
    try:
        return pause.read(body["metadata"].get("annotations") or {}, now), ""
    except pause.PauseError as error:
        return pause.Pause(), str(error)


def references(app: HSCJit) -> tuple[Reference, ...]:
    """Return the objects that the spec names and that have to exist."""
    named: list[Reference] = [("Secret", ref.name) for ref in app.image.pull_secrets]
    if app.catalog.config_map_ref is not None:
        named.append(("ConfigMap", app.catalog.config_map_ref.name))
    if app.network.ingress is not None and app.network.ingress.tls_secret_ref is not None:
        named.append(("Secret", app.network.ingress.tls_secret_ref.name))
    return tuple(named)
