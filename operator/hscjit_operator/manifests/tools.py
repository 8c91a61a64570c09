"""How do the databases' own tools find a store? pg_dump, psql and redis-cli read files alone.

For an embedded store the generated Secret holds these files. For an external one a first step, in
the app's image, writes them out of the user's address into memory that the pod's steps share.
"""

from typing import NamedTuple

from hscjit_operator import names
from hscjit_operator.manifests import credentials, jobs, pods
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.manifests.secret import DATABASE
from hscjit_operator.model.addresses import FILES
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

AUTHENTICATED = f'REDISCLI_AUTH="$(cat {pods.SECRETS_DIR}/redis-password)"'
"""Put before redis-cli in a shell: the password is in a file, and in no argument or manifest."""

_WAYS = pods.scratch("ways", "/ways", "1Mi", memory=True)


class Ways(NamedTuple):
    """What the steps of a pod need to reach the stores."""

    volumes: list[pods.Volume]
    steps: list[Manifest]
    """Come first."""
    postgres: list[Manifest]
    """Environment by which libpq's tools find the database and its password, from a file."""
    queue: str
    """Line of a shell script after which `redis-cli "$@"` reaches the queue."""
    tables: str
    """File with the SQL that removes the app's tables; empty for an embedded database."""


def ways(app: HSCJit, inputs: Inputs, *, queue: bool, keys: tuple[str, ...] = ()) -> Ways:
    """Return the ways to the database and, if asked for, to the queue.

    `keys` are further secret files that the pod's own steps read.
    """
    stores = [names.POSTGRES, *([names.REDIS_QUEUE] if queue else [])]
    outside = [store for store in stores if store in app.outside]
    own = [] if names.POSTGRES in outside else ["pg_service.conf"]
    if queue and names.REDIS_QUEUE not in outside:
        own.append("redis-password")
    written = [FILES[store] for store in outside]
    mounted = credentials.files(app, dict.fromkeys([*own, *written, *keys]))
    folder = _WAYS.path if names.POSTGRES in outside else pods.SECRETS_DIR
    postgres = [
        {"name": "PGSERVICE", "value": DATABASE},
        {"name": "PGSERVICEFILE", "value": f"{folder}/pg_service.conf"},
    ]
    host = names.child(app.name, names.REDIS_QUEUE)
    embedded_queue = f"export {AUTHENTICATED}; set -- -h {host}"
    volumes = [mounted, *([_WAYS] if outside else [])]
    return Ways(
        volumes=volumes,
        steps=[_write(app, inputs, written, volumes)] if outside else [],
        postgres=postgres,
        queue=f". {_WAYS.path}/queue.sh" if names.REDIS_QUEUE in outside else embedded_queue,
        tables=f"{_WAYS.path}/tables.sql" if names.POSTGRES in outside else "",
    )


def _write(app: HSCJit, inputs: Inputs, written: list[str], volumes: list[pods.Volume]) -> Manifest:
    return jobs.app_container(
        app,
        "ways",
        inputs.image,
        volumes=[*volumes, pods.tmp("64Mi")],
        keys=written,
        command=["python", "-m", "hscjit_app.jobs.ways", _WAYS.path],
    )
