"""How far is the exchange of the database's password, and what does this pass do for it?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from hscjit_operator import components, kept, manifests, names, sight
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.cluster.events import Events
from hscjit_operator.cluster.references import Known, References, secret_facts, values
from hscjit_operator.decisions import restore, rollout, rotation
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.decisions.rotation import Rotation, Write
from hscjit_operator.manifests.storage import data_claim
from hscjit_operator.model import logins
from hscjit_operator.model.inputs import Exchange
from hscjit_operator.model.observed import Observed, SecretFacts
from hscjit_operator.model.pause import Pause
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.refusals import problem_of

log = structlog.stdlib.get_logger(__name__)

_AT_WORK: Final = (names.BACKUP, names.CLEANUP, names.MIGRATE, names.RESTORE)
"""Components whose pods read the Secret as they start, and end by themselves."""
_ENDED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a pass knows when it comes to it."""

    app: HSCJit
    body: Mapping[str, Any]
    """Of the HSCJit, for Events."""
    known: Known
    observed: Observed
    pause: Pause
    going: rollout.Rollout
    back: restore.Restore | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of it in one pass."""

    secret: SecretFacts | None
    """The generated Secret as it is now; None: there is none to build on."""
    rotation: Rotation | None = None
    exchange: Exchange | None = None
    """The Job that is wanted."""
    problems: tuple[Problem, ...] = ()
    wrote: bool = False


class Rotator:
    """Writes into the Secret what each step begins with."""

    def __init__(self, api: Api, references: References, events: Events) -> None:
        """Read and write through `api`; tell `references` what was written, `events` the end."""
        self._api = api
        self._references = references
        self._events = events

    async def step(self, scene: Scene, secret: SecretFacts | None) -> Turn:
        """Decide, and write into the Secret what everything else follows from."""
        if secret is None:
            return Turn(None)
        held = logins.read(secret.digests, usable=secret.next_usable)
        if held.next is None and not held.former and not held.second:
            return Turn(secret)  # most of the time, for most of them
        seen, exchange = look(scene, secret, held)
        found = rotation.decide(seen)
        if found is None:
            return Turn(secret)
        if found.write is None:
            return Turn(secret, found, exchange if found.job else None, _problems(scene, found))
        # Until the Secret says that a Job's work is done, the Job tells it.
        told = exchange if seen.job is not None else None
        try:
            written = await self._write(scene, secret, held, found)
        except ApiError as error:
            name = (kinds.SECRET.kind, names.child(scene.app.name, names.SECRET))
            return Turn(secret, found, told, (problem_of(error, name),))
        # What comes next is decided by the pass that follows at once.
        return Turn(written or secret, found, None if written else told, wrote=True)

    async def _write(
        self, scene: Scene, secret: SecretFacts, held: logins.Logins, found: Rotation
    ) -> SecretFacts | None:
        """Change the Secret as it was seen; if it is another by now, learn that and return None."""
        app, name = scene.app, names.child(scene.app.name, names.SECRET)
        body = await self._api.get(kinds.SECRET, app.namespace, name)
        self._references.learn(app.key, body)
        if body is None or secret_facts(body) != secret:
            return None
        changed = _changes(scene, held, found, values(body))
        metadata = {"uid": secret.uid, "resourceVersion": secret.version}
        patch = {"metadata": metadata, "data": manifests.secret.data(changed)}
        log.info("Rotating the database's password", reason=found.message)
        body = await self._api.merge(kinds.SECRET, app.namespace, name, patch, reason="rotate")
        self._references.learn(app.key, body)
        if found.write is Write.CLOSE:
            said = "The database has its next password; the former one is refused"
            await self._events.post(scene.body, "Normal", "PasswordRotated", said)
        return secret_facts(body)


def look(scene: Scene, secret: SecretFacts, found: logins.Logins) -> tuple[rotation.Seen, Exchange]:
    """Return what there is to know, and what a Job would do in the present step."""
    app, observed = scene.app, scene.observed
    volume = logins.digest_of(uid) if (uid := _volume(scene)) else ""
    # In both steps it is the other login that gets a password: the next one, then the present one.
    key, password = logins.PASSWORD, found.password
    if not found.former and found.next is not None:
        key, password = logins.NEXT, found.next
    job = names.rotation_job(app.name, found.other, password, volume)
    seen = rotation.Seen(
        logins=found,
        external=names.POSTGRES in app.outside,
        volume=volume,
        held="everything is paused" if scene.pause.holds("all") else "",
        busy=_busy(scene),
        behind=_behind(scene, secret) if found.former else "",
        job=sight.job(observed, job),
        said=sight.last_words(observed, job),
    )
    return seen, Exchange(found.other, key, password[:7], job)


def _volume(scene: Scene) -> str:
    claim = scene.observed.get((kinds.CLAIM.kind, data_claim(scene.app, names.POSTGRES)))
    return claim.uid if claim is not None and not claim.deleting else ""


def _busy(scene: Scene) -> str:
    if scene.pause.holds("rollout"):
        return "rollouts are paused"
    if scene.back is not None and scene.back.running:
        return "a restore is under way"
    if scene.going.migrate_image is not None:
        return "a migration is under way"
    database = components.scaled(scene.observed, scene.app.name, names.POSTGRES)
    if database is None or database.ready < 1 or not _volume(scene):
        return "the database is not ready"
    return ""


def _behind(scene: Scene, secret: SecretFacts) -> str:
    """Return a component of which a pod may have read the Secret before it was as it is."""
    app, observed = scene.app, scene.observed
    current = manifests.rotation.users(app, scene.known.secrets(secret))
    for component, digest in current.items():
        found = components.scaled(observed, app.name, component)
        if found is None or found.secrets != digest or found.seen < found.generation:
            return component
        if found.rolling:
            return component
    for child, pod in sight.pods(observed):
        if child.deleting and pod.component in current:
            return f"{child.name}, which is leaving,"
        if pod.component in _AT_WORK and pod.phase not in _ENDED:
            return f"{child.name}, which is at work,"
    return ""


def _changes(
    scene: Scene, found: logins.Logins, decided: Rotation, held: Mapping[str, bytes]
) -> manifests.secret.Values:
    """Return what the step writes into the Secret, which holds these values."""
    match decided.write:
        case Write.WISH:
            return manifests.secret.wished(kept.token())
        case Write.MOVE:
            following = held[logins.NEXT].decode()
            return manifests.secret.moved(scene.app, found, following, _volume(scene))
        case Write.ANEW:
            return manifests.secret.begun_anew(scene.app, held[logins.PASSWORD].decode())
    return manifests.secret.closed()


def _problems(scene: Scene, found: Rotation) -> tuple[Problem, ...]:
    if found.state == "Rotating":
        return ()
    secret = names.child(scene.app.name, names.SECRET)
    where = f" (Secret {secret}, key {logins.NEXT})" if found.state == "Refused" else ""
    said = f"The database's password was not rotated: {found.message}{where}"
    return (Problem(Gravity.FAULT, "PasswordNotRotated", said),)
