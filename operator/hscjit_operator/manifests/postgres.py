"""How does the embedded Postgres run: one instance, sized to its memory?"""

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods, storage
from hscjit_operator.manifests.meta import Manifest, match, metadata
from hscjit_operator.manifests.secret import DATABASE
from hscjit_operator.model.formats import amount
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

_MIB = 1024 * 1024
_VOLUME = "/var/lib/postgresql/data"
_PGDATA = f"{_VOLUME}/pgdata"
"""A subfolder: the root of a volume may hold `lost+found`, and need not be ours alone."""
_SPARE_CONNECTIONS = 15
"""Beside the pods' pools: migration, backup, restore, cleanup, and people who look."""

# Over TCP on purpose: while the image's entry point sets the database up, a server that only
# listens on the socket is running, and must not be taken for the real one.
_ASK = f"pg_isready -q -h 127.0.0.1 -U {DATABASE} -d {DATABASE}"
# Exit 1 is "I am recovering": alive, not ready. Killing it would begin the recovery anew.
_ALIVE = f"{_ASK} || [ $? -eq 1 ]"
# The kubelet's SIGTERM alone would wait for every client to leave; SIGINT ends their sessions and
# writes a checkpoint, so that the next start is quick. Process 1 is the server.
_STOP_FAST = "kill -INT 1"


def stateful_set(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the database's StatefulSet; its major version changes only with the image.

    None for an external database.
    """
    if app.postgres.external is not None:
        return None
    wanted = app.postgres.server
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(
            app, names.POSTGRES, annotations={names.ANNOTATION_IMAGE: inputs.postgres_image}
        ),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "serviceName": names.child(app.name, names.POSTGRES),
            # With OrderedReady a pod that never got ready would block its own correction.
            "podManagementPolicy": "Parallel",
            "selector": match(app, names.POSTGRES),
            "template": {
                "metadata": {"labels": names.labels(app.name, names.POSTGRES, app.uid)},
                "spec": _pod(app, inputs),
            },
            "persistentVolumeClaimRetentionPolicy": storage.data_claim_policy(app),
            "volumeClaimTemplates": [
                storage.data_claim_template(
                    app, names.POSTGRES, wanted.storage, wanted.storage_class
                )
            ],
        },
    }


def _pod(app: HSCJit, inputs: Inputs) -> Manifest:
    wanted = app.postgres.server
    volumes = [
        credentials.files(app, ["postgres-password"]),
        # The root is read-only: the socket's folder and shared memory are volumes.
        pods.scratch("run", "/var/run/postgresql", "1Mi"),
        pods.scratch("shm", "/dev/shm", "64Mi", memory=True),  # noqa: S108  a volume of the pod
        pods.tmp("64Mi"),
    ]
    database = pods.container(
        "postgres",
        inputs.postgres_image,
        volumes=[*volumes, pods.Volume({"name": storage.DATA}, _VOLUME)],
        resources=pods.with_disk(wanted.resources, "256Mi"),
        imagePullPolicy="IfNotPresent",
        args=["postgres", *_settings(app)],
        env=[
            {"name": "PGDATA", "value": _PGDATA},
            {"name": "POSTGRES_DB", "value": DATABASE},
            {"name": "POSTGRES_INITDB_ARGS", "value": "--data-checksums"},
            {
                "name": "POSTGRES_PASSWORD_FILE",
                "value": f"{pods.SECRETS_DIR}/postgres-password",
            },
            {"name": "POSTGRES_USER", "value": DATABASE},
        ],
        ports=[{"name": "postgres", "containerPort": pods.POSTGRES_PORT, "protocol": "TCP"}],
        lifecycle={"preStop": {"exec": {"command": pods.shell(_STOP_FAST)}}},
        # Ten minutes to set the database up on a slow volume.
        startupProbe=pods.script_probe(_ALIVE, period_s=1, failures=600, timeout_s=2),
        readinessProbe=pods.script_probe(_ASK, period_s=5, failures=3, timeout_s=2),
        livenessProbe=pods.script_probe(_ALIVE, period_s=10, failures=6, timeout_s=5),
    )
    return pods.spec(app, volumes, terminationGracePeriodSeconds=60, containers=[database])


def _settings(app: HSCJit) -> list[str]:
    """Return the server's settings as arguments, sized to the container's memory limit."""
    memory = int(amount(app.postgres.server.resources.limits.memory))
    pool = app.postgres.pool
    settings = {
        "listen_addresses": "*",
        "max_connections": pool.size + pool.max_overflow + _SPARE_CONNECTIONS,
        # An eighth: the page cache serves the rest, and connections need room.
        "shared_buffers": f"{max(16, memory // 8 // _MIB)}MB",
        "unix_socket_directories": "/var/run/postgresql",
    }
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
