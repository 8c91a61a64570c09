"""What outlives an HSCJit, and whose is it? The generated Secret and the volumes.

They carry the UID of the HSCJit they were made for, and no owner under Retain. So a new HSCJit of
the same name can tell what it finds: its own, what another left behind, or a stranger's.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from hscjit_operator import manifests, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.apply import Applier
from hscjit_operator.cluster.client import Api, Body
from hscjit_operator.cluster.references import Known, References, secret_facts
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.manifests.meta import owner_reference
from hscjit_operator.manifests.storage import data_claim
from hscjit_operator.model.observed import Observed, SecretFacts
from hscjit_operator.model.spec import HSCJit

log = structlog.stdlib.get_logger(__name__)


_STATEFUL = (names.POSTGRES, names.REDIS_QUEUE)


@dataclass(frozen=True, slots=True)
class Found:
    """What the pass may build on."""

    secret: SecretFacts | None
    """The generated Secret, ours; None: nothing can be made without it."""
    problems: tuple[Problem, ...] = ()


def token() -> str:
    """Return a new secret value: 43 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(32)


class Keeper:
    """Makes, finds and adopts what is kept."""

    def __init__(
        self,
        api: Api,
        applier: Applier,
        references: References,
        new_token: Callable[[], str] = token,
    ) -> None:
        """Read and write through `api` and `applier`; tell `references` what was written."""
        self._api = api
        self._applier = applier
        self._references = references
        self._token = new_token

    async def secure(self, app: HSCJit, known: Known, observed: Observed) -> Found:
        """Return the Secret and the volumes as ours, or what stands against it. Raises ApiError."""
        secret = known.generated
        if secret is not None and _ours(secret, app) and self._complete(app, observed):
            return Found(await self._with_owner(app, secret))
        # A database may be there even where another's is used now: then the Secret was lost.
        looked = _claim_names(app) + ([data_claim(app, names.POSTGRES)] if secret is None else [])
        there = await self._claims(app, observed, looked)
        problem = await self._adopt(app, there)
        if problem is not None:
            return Found(None, (problem,))
        if secret is None:
            return await self._make(app, data_claim(app, names.POSTGRES) in there)
        if _ours(secret, app):
            return Found(await self._with_owner(app, secret))
        return await self._take_over(app, secret)

    @staticmethod
    def _complete(app: HSCJit, observed: Observed) -> bool:
        """Tell whether whatever mounts a volume is there already: then no volume is in doubt."""
        return all(
            ("StatefulSet", names.child(app.name, component)) in observed
            for component in _stateful(app)
        )

    async def _claims(
        self, app: HSCJit, observed: Observed, claims: Sequence[str]
    ) -> dict[str, Body | None]:
        """Return which volumes are there: None for one the watch shows as ours, else the body.

        A watch hides those without our labels, so what it does not show is read, all at once.
        """
        there: dict[str, Body | None] = {}
        doubtful = []
        for name in dict.fromkeys(claims):
            known = observed.get((kinds.CLAIM.kind, name))
            if known is not None and known.owner_uid == app.uid and not known.deleting:
                there[name] = None
            else:
                doubtful.append(name)
        reads = (self._api.get(kinds.CLAIM, app.namespace, name) for name in doubtful)
        found = zip(doubtful, await asyncio.gather(*reads), strict=True)
        return there | {name: body for name, body in found if body is not None}

    async def _adopt(self, app: HSCJit, there: Mapping[str, Body | None]) -> Problem | None:
        """Adopt the volumes that are there before we made any, if that was asked for."""
        left = []
        for name in _claim_names(app):
            found = there.get(name)
            if found is None or _owner_uid(found) == app.uid:
                continue
            if _leaving(found):
                said = f"PersistentVolumeClaim {name} is still being deleted"
                return Problem(Gravity.WAIT, "Leaving", said)
            left.append(found)
        if left and not app.bootstrap.adopt_volumes:
            return _left_behind(", ".join(found["metadata"]["name"] for found in left))
        for found in left:
            log.info("Adopting volume", name=found["metadata"]["name"])
            # The StatefulSet's own controller sets the owner of its claims, by its policy.
            made_by_us = found["metadata"]["name"] == names.child(app.name, names.BACKUP)
            owner = self._owner(app) if made_by_us else None
            labels = {names.LABEL_OWNER_UID: app.uid}
            await self._applier.relabel(kinds.CLAIM, found, labels, owner)
        return None

    async def _make(self, app: HSCJit, database: bool) -> Found:
        """Make the Secret, unless a database still has the password of one that is gone."""
        if not database:
            log.info("Making Secret", name=names.child(app.name, names.SECRET))
            manifest = manifests.secret.generated(app, self._token)
            body = await self._api.apply(kinds.SECRET, manifest, reason="create")
            self._references.learn(app.key, body)
            return Found(secret_facts(body))
        name, claim = names.child(app.name, names.SECRET), data_claim(app, names.POSTGRES)
        said = (
            f"Secret {name} is gone, but the database on {claim} still has its password: restore "
            f"the Secret from your own copy, or delete {claim} to start with an empty database"
        )
        return Found(None, (Problem(Gravity.FAULT, "SecretLost", said),))

    async def _take_over(self, app: HSCJit, secret: SecretFacts) -> Found:
        name = names.child(app.name, names.SECRET)
        if not secret.managed:
            said = (
                f"Secret {name} exists and is not ours; remove or rename it, or give the HSCJit "
                "another name"
            )
            return Found(None, (Problem(Gravity.STALL, "NameConflict", said),))
        if secret.owner_references:
            said = f"Secret {name} of a former resource is still being deleted"
            return Found(None, (Problem(Gravity.WAIT, "Leaving", said),))
        if not app.bootstrap.adopt_volumes:
            return Found(None, (_left_behind(f"Secret {name}"),))
        log.info("Adopting Secret", name=name)
        return Found(await self._relabel(app, secret))

    async def _with_owner(self, app: HSCJit, secret: SecretFacts) -> SecretFacts:
        """Give the Secret the owner that the deletion policy asks for: the HSCJit, or none."""
        wanted = (app.uid,) if app.deletion_policy == "Delete" else ()
        if secret.owner_references == wanted and secret.managed and secret.owner_uid == app.uid:
            return secret
        return await self._relabel(app, secret)

    async def _relabel(self, app: HSCJit, secret: SecretFacts) -> SecretFacts:
        found: Body = {
            "metadata": {
                "name": names.child(app.name, names.SECRET),
                "namespace": app.namespace,
                "uid": secret.uid,
                "resourceVersion": secret.version,
            }
        }
        labels = names.labels(app.name, names.SECRET, app.uid)
        body = await self._applier.relabel(kinds.SECRET, found, labels, self._owner(app))
        self._references.learn(app.key, body)
        return secret_facts(body)

    @staticmethod
    def _owner(app: HSCJit) -> Body | None:
        return owner_reference(app) if app.deletion_policy == "Delete" else None


def _stateful(app: HSCJit) -> list[str]:
    """Return the components whose data the operator keeps."""
    return [component for component in _STATEFUL if component not in app.outside]


def _claim_names(app: HSCJit) -> list[str]:
    claims = [data_claim(app, component) for component in _stateful(app)]
    return [*claims, names.child(app.name, names.BACKUP)] if app.backup.enabled else claims


def _ours(secret: SecretFacts, app: HSCJit) -> bool:
    """Tell whether the Secret is this HSCJit's, even where somebody stripped label or owner."""
    return app.uid in (secret.owner_uid, *secret.owner_references)


def _owner_uid(body: Body) -> str:
    return str((body["metadata"].get("labels") or {}).get(names.LABEL_OWNER_UID, ""))


def _leaving(body: Body) -> bool:
    """Tell whether it goes by itself: it is being deleted, or has an owner that is gone."""
    metadata = body["metadata"]
    return "deletionTimestamp" in metadata or bool(metadata.get("ownerReferences"))


def _left_behind(what: str) -> Problem:
    said = (
        f"{what}: left behind by a former HSCJit of this name; recreate this one with "
        "spec.bootstrap.adoptVolumes: true to take it over, or delete it to start afresh"
    )
    return Problem(Gravity.STALL, "VolumesLeftBehind", said)
