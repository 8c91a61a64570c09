"""Which secret files does a pod mount, from which Secrets, and when does a change restart it?

The generated Secret holds what the operator made; the address of an external store, and who vouches
for it, stay in the user's own Secret. Both lie in one folder under fixed names, and the environment
holds paths alone.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from hscjit_operator import names
from hscjit_operator.manifests.checksum import checksum
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.manifests.pods import SECRETS_DIR, Volume
from hscjit_operator.model.addresses import FILES, authority_file, pull_secret
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

_VARIABLES: Final = {
    "database-url": "HSCJIT_DATABASE_URL_FILE",
    "redis-cache-url": "HSCJIT_REDIS_CACHE_URL_FILE",
    "redis-queue-url": "HSCJIT_REDIS_QUEUE_URL_FILE",
    "database-ca.pem": "HSCJIT_DATABASE_CA_FILE",
    "redis-cache-ca.pem": "HSCJIT_REDIS_CACHE_CA_FILE",
    "redis-queue-ca.pem": "HSCJIT_REDIS_QUEUE_CA_FILE",
    "admin-token": "HSCJIT_ADMIN_TOKEN_FILE",
    "session-key": "HSCJIT_SESSION_KEY_FILE",
}
_MODE: Final = 0o440
"""The group is the pod's fsGroup, so our user reads them and nobody writes them."""


def files(app: HSCJit, keys: Iterable[str]) -> Volume:
    """Return the named files: a pod sees what it needs, no more.

    `keys` are keys of the generated Secret. Those that an external store replaces come from the
    user's Secrets instead, with a further file for the store's authority if one is named.
    """
    own: list[str] = []
    theirs: dict[str, list[tuple[str, str]]] = {}
    component_of = {file: component for component, file in FILES.items()}
    for key in keys:
        component = component_of.get(key, "")
        store = app.outside.get(component)
        if store is None:
            own.append(key)
            continue
        theirs.setdefault(store.address.name, []).append((store.address.key, key))
        if store.ca is not None:
            item = (store.ca.key, authority_file(component))
            theirs.setdefault(store.ca.name, []).append(item)
    generated = names.child(app.name, names.SECRET)
    items = [{"key": key, "path": key} for key in own]
    if not theirs:
        source: Manifest = {"secretName": generated, "defaultMode": _MODE, "items": items}
        return Volume({"name": "secrets", "secret": source}, SECRETS_DIR, read_only=True)
    sources = [{"secret": {"name": generated, "items": items}}] if own else []
    sources += [
        {"secret": {"name": name, "items": [{"key": k, "path": p} for k, p in found]}}
        for name, found in sorted(theirs.items())
    ]
    projected = {"defaultMode": _MODE, "sources": sources}
    return Volume({"name": "secrets", "projected": projected}, SECRETS_DIR, read_only=True)


def variables(app: HSCJit, keys: Iterable[str]) -> list[Manifest]:
    """Return the environment that tells the app where its secrets' files are."""
    return [
        {"name": _VARIABLES[file], "value": f"{SECRETS_DIR}/{file}"}
        for file in mounted(app, keys)
        if file in _VARIABLES
    ]


def mounted(app: HSCJit, keys: Iterable[str]) -> list[str]:
    """Return the files that a pod finds which asks for `keys`."""
    found = list(keys)
    for component, store in app.outside.items():
        if FILES[component] in found and store.ca is not None:
            found.append(authority_file(component))
    return found


def digest(secrets: Mapping[str, str], files: Iterable[str]) -> str:
    """Return what a template carries: another value when one of these files has another one."""
    return checksum({file: secrets.get(file, "") for file in files})


def app_digest(app: HSCJit, secrets: Mapping[str, str], keys: Iterable[str]) -> str:
    """Return the digest for pods of the app's image: they follow its pull secrets too.

    The stores do not: nothing restarts a database for a password of a registry.
    """
    pulled = [pull_secret(secret.name) for secret in app.image.pull_secrets]
    return digest(secrets, [*mounted(app, keys), *pulled])


def reachable(app: HSCJit, inputs: Inputs, components: Iterable[str]) -> bool:
    """Tell whether the external ones of these stores have an address that can be used."""
    return all(c in inputs.places for c in components if c in app.outside)
