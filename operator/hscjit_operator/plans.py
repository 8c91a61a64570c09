"""What does an HSCJit run, and what would a newer operator have it run? Pins and plans.

The status and an annotation on what runs the pods hold what is in use; either restores the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from hscjit_operator import manifests, names, sight
from hscjit_operator.decisions import plan, rollout
from hscjit_operator.decisions.plan import Plan, Release
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.observed import Observed
from hscjit_operator.model.spec import TEMPLATE_VERSIONS, HSCJit
from hscjit_operator.settings import Settings

Status = Mapping[str, Any]

_RUN_PODS: Final = frozenset({"Deployment", "StatefulSet"})


@dataclass(frozen=True, slots=True)
class Course:
    """What one pass works towards."""

    going: Mapping[str, str]
    """The changes of the plan that is being carried out."""
    redis: str
    postgres: str

    @property
    def image(self) -> str | None:
        """The app image that the plan wants; None when it wants none."""
        return self.going.get("image")


class Plans:
    """Keeps what is in use, and offers what is newer."""

    def __init__(self, settings: Settings) -> None:
        """Offer what the settings hold."""
        self._newest = Release(
            image=settings.image_app,
            version=TEMPLATE_VERSIONS[0],
            redis=settings.image_redis,
            postgres=settings.image_postgres,
        )

    def course(self, app: HSCJit, status: Status, observed: Observed) -> Course:
        """Return where this pass goes: what is in use, and what an approved plan makes of it."""
        asked = app.annotations.get(names.ANNOTATION_APPROVE)
        found = plan.under_way(status.get("plan") or {}, asked)
        going = {key: value for key, value in found.items() if key not in _fixed(app)}

        def store(key: str, used: str, component: str, newest: str) -> str:
            on_it = sight.pinned_on(observed, app.name, names.ANNOTATION_IMAGE, (component,))
            pins = rollout.Pins((status.get("images") or {}).get(used), on_it)
            return rollout.pinned(going.get(key), pins, newest)

        return Course(
            going,
            redis=store("redisImage", "redis", names.REDIS_QUEUE, self._newest.redis),
            postgres=store("postgresImage", "postgres", names.POSTGRES, self._newest.postgres),
        )

    def version(
        self, app: HSCJit, status: Status, observed: Observed, course: Course, image: str
    ) -> str:
        """Return the template version of the pods that run `image`.

        A plan's version comes with its image, so that the pods are replaced once.
        """
        planned = course.going.get("version") if image == (course.image or image) else None
        on_it = sight.pinned_on(observed, app.name, names.ANNOTATION_TEMPLATE_VERSION)
        pins = rollout.Pins(status.get("version"), on_it)
        return rollout.pinned(app.version or planned, pins, self._newest.version)

    def tell(
        self,
        app: HSCJit,
        status: Status,
        used: Release,
        course: Course,
        inputs: Inputs | None,
        *,
        held: str,
        now: datetime,
    ) -> Plan | None:
        """Return the plan as the status is to show it."""
        found = plan.decide(
            used,
            self._newest,
            fixed=_fixed(app),
            going=course.going,
            asked=app.annotations.get(names.ANNOTATION_APPROVE),
            windows=app.maintenance.windows,
            held=held,
            now=now,
        )
        if found is None:
            return None
        before = status.get("plan") or {}
        if before.get("hash") == found.hash:
            known = replace(found, restarts=tuple(before.get("restarts") or ()))
            same = status.get("observedGeneration") == app.generation
            if inputs is None or found.begun or (same and known.restarts):
                return known  # a settled pass builds nothing
        if inputs is None:
            return found
        return replace(found, restarts=restarts(app, inputs, used.with_(found.changes)))


def restarts(app: HSCJit, inputs: Inputs, then: Release) -> tuple[str, ...]:
    """Return the names of the Deployments and StatefulSets whose pods another release replaces."""
    after = replace(
        inputs,
        image=then.image,
        template_version=then.version,
        redis_image=then.redis,
        postgres_image=then.postgres,
    )
    old, new = _templates(app, inputs), _templates(app, after)
    return tuple(sorted(name for name in new if name in old and new[name] != old[name]))


def _templates(app: HSCJit, inputs: Inputs) -> dict[str, Any]:
    return {
        child["metadata"]["name"]: child["spec"]["template"]
        for child in manifests.desired(app, inputs)
        if child["kind"] in _RUN_PODS
    }


def upgrade_required(version: str) -> Problem:
    """Return what is said of pods whose template version is carried no more."""
    carried = ", ".join(TEMPLATE_VERSIONS)
    said = (
        f"Template version {version} is in use, this operator carries {carried}; set spec.version "
        "or approve the plan in status.plan"
    )
    return Problem(Gravity.STALL, "UpgradeRequired", said)


def _fixed(app: HSCJit) -> frozenset[str]:
    """Return the parts of a release that the spec decides."""
    given = {"image": app.image.reference, "version": app.version}
    return frozenset(part for part, value in given.items() if value)
