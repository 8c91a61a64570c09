"""Are the Secrets and ConfigMaps there that we do not watch? Read by name, outside the pass.

RBAC lets the operator `get` Secrets but neither list nor watch them, so those that count are read
every half minute. Of their content only digests stay, and of addresses where they lead.
"""

import asyncio
import base64
import binascii
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api, Body
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.model import logins
from hscjit_operator.model.addresses import Surroundings, pull_secret, survey
from hscjit_operator.model.observed import SecretFacts
from hscjit_operator.model.spec import Outside
from hscjit_operator.names import Key

log = structlog.stdlib.get_logger(__name__)

Reference = tuple[str, str]
"""Kind (Secret or ConfigMap) and name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an HSCJit names."""

    references: tuple[Reference, ...] = ()
    """Has to exist; a Secret's content counts as a whole."""
    outside: Mapping[str, Outside] = field(default_factory=dict)
    """External stores by component: of their Secrets only the keys they name count."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was last read for one HSCJit."""

    generated: SecretFacts | None
    """The generated Secret; None when there is none."""
    missing: tuple[Reference, ...] = ()
    """Objects that the spec names and that do not exist."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the Secrets among the references, by name."""
    around: Surroundings = field(default_factory=Surroundings)
    """What the Secrets of external stores say."""

    @property
    def wrong(self) -> list[tuple[str, str]]:
        """What is not as the spec needs it: reason and message of each."""
        absent = [
            f"{kind} {name}, which the spec names, does not exist" for kind, name in self.missing
        ]
        return [
            *(("ReferenceMissing", said) for said in (*absent, *self.around.missing)),
            *(("ReferenceInvalid", said) for said in self.around.malformed),
        ]

    def secrets(self, generated: SecretFacts) -> dict[str, str]:
        """Return the digest of every secret file that pods may mount, and of each pull secret."""
        pulled = {pull_secret(name): digest for name, digest in self.digests.items()}
        return {**generated.digests, **pulled, **self.around.digests}


@dataclass(slots=True)
class _Entry:
    wanted: Wanted
    known: Known | None = None
    due: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class References:
    """Polls what each HSCJit names, and says when something changed."""

    def __init__(
        self,
        api: Api,
        changed: Callable[[Key], None],
        *,
        period_s: float,
        clock: Callable[[], float],
        failed: Callable[[ApiError], None] = lambda _error: None,
    ) -> None:
        """Read through `api`; call `changed` with the owner when a poll brought news, and `failed`
        with what kept one from it."""
        self._failed = failed
        self._api = api
        self._changed = changed
        self._period_s = period_s
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}

    async def get(self, key: Key, wanted: Wanted) -> Known:
        """Return what is known; reads only where nothing is known yet. Raises ApiError then."""
        entry = self._entries.get(key)
        if entry is None or entry.wanted != wanted:
            entry = self._entries[key] = _Entry(wanted)
        return entry.known or await self._read(key, entry)

    async def refresh(self, key: Key, wanted: Wanted) -> Known:
        """Read now: before something is decided that cannot be taken back."""
        return await self._read(key, self._entries.setdefault(key, _Entry(wanted)))

    def learn(self, key: Key, body: Mapping[str, Any] | None) -> None:
        """Take the generated Secret as a call of ours returned it; None: it is gone."""
        entry = self._entries.get(key)
        if entry is not None and entry.known is not None:
            found = secret_facts(body) if body is not None else None
            entry.known = replace(entry.known, generated=found)

    def forget(self, key: Key) -> None:
        """Stop polling for an HSCJit that is gone."""
        self._entries.pop(key, None)

    async def run(self) -> None:
        """Poll what is due, a little each second, until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._period_s / 4))
            now = self._clock()
            due = [(k, e) for k, e in self._entries.items() if e.known and e.due <= now]
            await asyncio.gather(*(self._poll(key, entry) for key, entry in due))

    async def _poll(self, key: Key, entry: _Entry) -> None:
        before = entry.known
        try:
            known = await self._read(key, entry)
        except ApiError as error:
            # What was known stays true until we know better; the next round asks again.
            entry.due = self._clock() + self._period_s
            log.warning("Could not poll references", hscjit=key.name, error=str(error))
            self._failed(error)
            return
        if known != before and self._entries.get(key) is entry:
            self._changed(key)

    async def _read(self, key: Key, entry: _Entry) -> Known:
        async with entry.lock:
            own = await self._api.get(
                kinds.SECRET, key.namespace, names.child(key.name, names.SECRET)
            )
            wanted = entry.wanted
            stores = {
                ("Secret", ref.name)
                for store in wanted.outside.values()
                for ref in (store.address, store.ca)
                if ref is not None
            }
            found = {
                reference: await self._api.get(
                    kinds.by_name(reference[0]), key.namespace, reference[1]
                )
                for reference in dict.fromkeys((*wanted.references, *sorted(stores)))
            }
            entry.known = Known(
                generated=secret_facts(own) if own else None,
                missing=tuple(named for named in wanted.references if found[named] is None),
                digests={
                    name: _digest(found.get((kind, name)))
                    for kind, name in wanted.references
                    if kind == "Secret"
                },
                around=survey(
                    wanted.outside, {name: _values(found[kind, name]) for kind, name in stores}
                ),
            )
            spread = random.uniform(0.8, 1.2)  # noqa: S311  spreads load, hides nothing
            entry.due = self._clock() + self._period_s * spread
            return entry.known


def _values(secret: Body | None) -> dict[str, bytes] | None:
    return None if secret is None else values(secret)


def values(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a Secret's values as pods read them."""
    return {key: decoded(text) for key, text in (secret.get("data") or {}).items()}


def decoded(text: str) -> bytes:
    """Return a value of a Secret's `data`; the API server lets nothing in but base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _digest(secret: Body | None) -> str:
    found = hashlib.sha256()
    for key, value in sorted(((secret or {}).get("data") or {}).items()):
        found.update(f"{key}={value}\n".encode())
    return found.hexdigest()[:16]


def secret_facts(body: Mapping[str, Any]) -> SecretFacts:
    """Return what we keep of the generated Secret."""
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    return SecretFacts(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        owner_uid=labels.get(names.LABEL_OWNER_UID, ""),
        managed=labels.get(names.LABEL_MANAGED_BY) == names.MANAGER,
        owner_references=tuple(o["uid"] for o in metadata.get("ownerReferences") or ()),
        digests={key: logins.digest(value) for key, value in (body.get("data") or {}).items()},
        next_usable=logins.usable(values(body).get(logins.NEXT, b"").decode(errors="replace")),
    )
