"""How does a backup come back? Each store is made whole beside the old one, then takes its place.

So a restore that fails, or dies anywhere, leaves the old data where they were, and may run again.
"""

from hscjit_operator import names
from hscjit_operator.manifests import credentials, jobs, pods, storage, tools
from hscjit_operator.manifests.backup import POSTGRES_DUMP, REDIS_DUMP, backups_volume
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.manifests.secret import DATABASE
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

_KEYS = ("database-url",)

# Two renames in one transaction: at every moment there is one whole database of the name. No
# `pg_restore --clean`: it would leave the tables that a newer schema has added since.
_RESTORE_POSTGRES = f"""\
set -eu
export PGAPPNAME=restore PGOPTIONS=--client-min-messages=warning
admin() {{ psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 'dbname=postgres' "$@"; }}
admin -c 'DROP DATABASE IF EXISTS {DATABASE}_new WITH (FORCE)' \\
      -c 'DROP DATABASE IF EXISTS {DATABASE}_old WITH (FORCE)' \\
      -c 'CREATE DATABASE {DATABASE}_new TEMPLATE template0'
pg_restore --no-owner --exit-on-error --single-transaction \\
    --dbname='dbname={DATABASE}_new' "$BACKUP/{POSTGRES_DUMP}"
admin -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'" \\
    >/dev/null
admin --single-transaction \\
    -c 'ALTER DATABASE {DATABASE} RENAME TO {DATABASE}_old' \\
    -c 'ALTER DATABASE {DATABASE}_new RENAME TO {DATABASE}'
admin -c 'DROP DATABASE {DATABASE}_old WITH (FORCE)'
"""  # noqa: S608  a script made of constants

# An external database may let us make no other beside it. So its tables are replaced in one
# transaction: what ends before COMMIT leaves the old ones. The app's own are removed first, those
# too that only a newer schema has; --clean removes what else the dump brings.
_REPLACE_TABLES = """\
set -eu
export PGAPPNAME=restore PGOPTIONS=--client-min-messages=warning
{{
    echo 'BEGIN;'
    cat {tables}
    pg_restore --no-owner --no-privileges --clean --if-exists --file=- "$BACKUP/{dump}" &&
        echo 'COMMIT;'
}} | psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 >/dev/null
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 -c 'ANALYZE'
"""

# With the append-only file on, Redis ignores a lone dump.rdb and starts empty. So the dump is
# loaded with it off, counted, and only then written out as an append-only file. Keys whose time
# was up by now are not loaded, but counted: both must add up to what the dump holds.
_RESTORE_REDIS = f"""\
set -eu
if ! [ -e "$BACKUP/{REDIS_DUMP}" ]; then
    echo "Redis queue: the backup holds none, its queue was external; the queue is left as it is"
    exit 0
fi
new=/data/.restore
rm -rf "$new"
mkdir "$new"
cp "$BACKUP/{REDIS_DUMP}" "$new/dump.rdb"
held=$(redis-check-rdb "$new/dump.rdb" | sed -n 's/.*\\] \\([0-9]*\\) keys read.*/\\1/p')
redis-server --dir "$new" --port 0 --unixsocket /tmp/redis.sock --appendonly no --save '' &
server=$!
ask() {{ redis-cli -s /tmp/redis.sock "$@" | tr -d '\\r'; }}
told() {{ ask INFO persistence | sed -n "s/^$1://p"; }}
until [ "$(ask PING 2>/dev/null)" = PONG ]; do kill -0 "$server"; sleep 0.1; done
loaded=$(told rdb_last_load_keys_loaded)
expired=$(told rdb_last_load_keys_expired)
echo "Redis queue: $held keys in the dump, $loaded loaded, $expired expired since"
[ "$((loaded + expired))" -eq "$held" ]
[ "$(ask CONFIG SET appendonly yes)" = OK ]
until [ "$(told aof_rewrite_in_progress)$(told aof_rewrite_scheduled)" = 00 ]; do
    kill -0 "$server"; sleep 0.1
done
[ "$(told aof_last_bgrewrite_status)" = ok ]
ask SHUTDOWN NOSAVE
wait "$server"
rm -rf /data/appendonlydir /data/dump.rdb
mv "$new/appendonlydir" /data/
rm -rf "$new"
"""


def restore(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the Job that brings back `inputs.restore`, the stamp of a backup; None for none.

    It mounts the queue's own claim, and so runs only while the queue is stopped. An external queue
    is left as it is. None too while it is not known where the database is.
    """
    stamp = inputs.restore
    if stamp is None or not credentials.reachable(app, inputs, [names.POSTGRES]):
        return None
    folder = f"{pods.BACKUPS_DIR}/{stamp}"
    ways = tools.ways(app, inputs, queue=False, keys=_KEYS)
    backups = backups_volume(app)
    common = [backups, *ways.volumes, pods.tmp("64Mi")]
    where = [{"name": "BACKUP", "value": folder}]
    replace = _REPLACE_TABLES.format(tables=ways.tables, dump=POSTGRES_DUMP)
    steps = [
        _app_step(app, inputs, "check", common, folder),
        *ways.steps,
        jobs.tool_container(
            "postgres",
            inputs.postgres_image,
            volumes=common,
            script=replace if ways.tables else _RESTORE_POSTGRES,
            env=[*where, *ways.postgres],
        ),
    ]
    mounted = list(common)
    if names.REDIS_QUEUE not in app.outside:
        queue = pods.claim("queue", storage.data_claim(app, names.REDIS_QUEUE), "/data")
        mounted.append(queue)
        steps.append(
            jobs.tool_container(
                "redis",
                inputs.redis_image,
                volumes=mounted,
                script=_RESTORE_REDIS,
                env=where,
                # It holds all of the queue's keys in memory, as the queue does.
                wanted=app.redis.servers.queue.resources,
            )
        )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(
            app, names.RESTORE, annotations={names.ANNOTATION_RESTORE_FROM: stamp}
        ),
        "spec": jobs.job_spec(
            app,
            names.RESTORE,
            mounted,
            deadline_s=3600,
            retries=3,
            init_containers=steps,
            holder=jobs.claim_holder(app, inputs.image, backups),
            containers=[_app_step(app, inputs, "verify", common, folder)],
        ),
    }


def _app_step(
    app: HSCJit, inputs: Inputs, step: str, volumes: list[pods.Volume], folder: str
) -> Manifest:
    """Return a container that checks: before, the backup itself; after, what came of it."""
    return jobs.app_container(
        app,
        step,
        inputs.image,
        volumes=volumes,
        keys=_KEYS,
        command=["python", "-m", f"hscjit_app.jobs.restore_{step}", folder],
    )
