"""How is a backup made, and what is cleaned up?

The backup's pod works in `.partial-<stamp>` on the claim. Each dump lies beside what its tool said
(`<dump>.log`) and, for Postgres, what it holds (`<dump>.facts`). A dump that failed is absent and
its log stays: so the last container, which seals the folder, is always there to report.
"""

from hscjit_operator import names
from hscjit_operator.manifests import credentials, jobs, pods, tools
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

POSTGRES_DUMP = "postgres.dump"
REDIS_DUMP = "redis-queue.rdb"

_STAMP = "/handover/stamp"
_HANDOVER = pods.scratch("handover", "/handover", "1Mi")
_PARTIAL = f'{pods.BACKUPS_DIR}/.partial-"$(cat {_STAMP})"'

# Rows are counted in the dump itself: what is counted in the database a moment later differs. To
# read it to its end also proves it readable; the last line tells that the end was reached.
_COUNT_ROWS = r"""
!copying && /^COPY / { table = $2; sub(/^.*\./, "", table); rows = 0; copying = 1; next }
copying && /^\\\.$/ { print "rows", table, rows; copying = 0; next }
copying { rows++; if (table == "alembic_version") print "revision", $1; next }
/^-- Dumped from database version / { print "server", $6 }
/^-- Dumped by pg_dump version / { print "tool", $6 }
/^-- PostgreSQL database dump complete/ { whole = 1 }
END { exit !whole }
"""

# The first container names the backup; the next two read the name.
_DUMP_POSTGRES = f"""\
set -eu
date -u +%Y%m%dT%H%M%SZ >{_STAMP}
mkdir {_PARTIAL}
cd {_PARTIAL}
pg_dump --format=custom --file={POSTGRES_DUMP} 2>{POSTGRES_DUMP}.log || rm -f {POSTGRES_DUMP}
if [ -e {POSTGRES_DUMP} ]; then
    pg_restore --data-only --file=- {POSTGRES_DUMP} 2>>{POSTGRES_DUMP}.log |
        awk '{_COUNT_ROWS}' >{POSTGRES_DUMP}.facts || rm -f {POSTGRES_DUMP}.facts
fi
cat {POSTGRES_DUMP}.log >&2
"""


def _dump_redis(way: str) -> str:
    return f"""\
set -eu
{way}
cd {_PARTIAL}
redis-cli "$@" --rdb {REDIS_DUMP} >{REDIS_DUMP}.log 2>&1 || rm -f {REDIS_DUMP}
cat {REDIS_DUMP}.log >&2
"""


_SEAL = f"exec python -m hscjit_app.jobs.backup_seal {_PARTIAL}"


def backup(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the CronJob that makes backups; None while `backup.enabled` is off."""
    wanted = app.backup
    if not wanted.enabled:
        return None
    claim = backups_volume(app)
    ways = tools.ways(app, inputs, queue=True)
    volumes = [claim, _HANDOVER, *ways.volumes, pods.tmp("64Mi")]
    dumps = [
        *ways.steps,
        jobs.tool_container(
            "postgres",
            inputs.postgres_image,
            volumes=volumes,
            script=_DUMP_POSTGRES,
            env=ways.postgres,
        ),
        jobs.tool_container(
            "redis", inputs.redis_image, volumes=volumes, script=_dump_redis(ways.queue)
        ),
    ]
    seal = jobs.app_container(
        app,
        "seal",
        inputs.image,
        volumes=[claim, _HANDOVER, pods.tmp("64Mi")],
        command=pods.shell(_SEAL),
        env=[*_retention(app), *_queue_refuses(app)],
    )
    return jobs.cron_job(
        app,
        names.BACKUP,
        schedule=wanted.schedule,
        time_zone=wanted.time_zone,
        # A restore reads the claim and rewrites what would be dumped.
        suspend=wanted.suspend or inputs.stopped,
        spec=jobs.job_spec(
            app,
            names.BACKUP,
            volumes,
            deadline_s=3600,
            retries=2,
            init_containers=dumps,
            holder=jobs.claim_holder(app, inputs.image, claim),
            containers=[seal],
        ),
    )


def cleanup(app: HSCJit, inputs: Inputs) -> Manifest:
    """Return the CronJob that removes what is too old: rows and backups."""
    keys = ("database-url",)
    volumes = [credentials.files(app, keys), pods.tmp("16Mi")]
    holder = None
    if app.backup.enabled:
        volumes.append(backups_volume(app))
        holder = jobs.claim_holder(app, inputs.image, volumes[-1])
    container = jobs.app_container(
        app,
        names.CLEANUP,
        inputs.image,
        volumes=volumes,
        keys=keys,
        command=["python", "-m", "hscjit_app.jobs.cleanup"],
        env=_retention(app) if app.backup.enabled else (),
    )
    return jobs.cron_job(
        app,
        names.CLEANUP,
        schedule=app.maintenance.cleanup_schedule,
        time_zone="Etc/UTC",
        suspend=inputs.stopped,
        spec=jobs.job_spec(
            app,
            names.CLEANUP,
            volumes,
            deadline_s=1800,
            retries=2,
            containers=[container],
            holder=holder,
        ),
    )


def backups_volume(app: HSCJit) -> pods.Volume:
    """Return the claim for backups as a pod mounts it."""
    return pods.claim("backups", names.child(app.name, names.BACKUP), pods.BACKUPS_DIR)


def _queue_refuses(app: HSCJit) -> list[Manifest]:
    """Return the leave to go without the queue's dump: who runs an external one may refuse it."""
    outside = names.REDIS_QUEUE in app.outside
    return [{"name": "HSCJIT_BACKUP_QUEUE_MAY_REFUSE", "value": "true"}] if outside else []


def _retention(app: HSCJit) -> list[Manifest]:
    kept = app.backup.retention
    return [
        {"name": "HSCJIT_BACKUP_DIR", "value": pods.BACKUPS_DIR},
        {"name": "HSCJIT_BACKUP_KEEP_LAST", "value": str(kept.keep_last)},
        {"name": "HSCJIT_BACKUP_KEEP_DAILY", "value": str(kept.keep_daily)},
    ]
