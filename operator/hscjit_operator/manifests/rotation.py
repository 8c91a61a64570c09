"""Who gives a login of the embedded database its password?"""

from collections.abc import Mapping

from hscjit_operator import names
from hscjit_operator.manifests import api, credentials, jobs, pods, worker
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit


def rotation(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the Job of the step that `inputs.exchange` names; None for none.

    It logs in as pods do, and is given the password as a file: no object holds it but the Secret.
    """
    wanted = inputs.exchange
    if wanted is None or names.POSTGRES in app.outside:
        return None
    keys = ("database-url", wanted.key)
    volumes = [credentials.files(app, keys), pods.tmp("16Mi")]
    container = jobs.app_container(
        app,
        "rotate",
        inputs.image,
        volumes=volumes,
        keys=keys,
        command=[
            *("python", "-m", "hscjit_app.jobs.rotate"),
            *(wanted.login, f"{pods.SECRETS_DIR}/{wanted.key}", wanted.mark),
        ],
    )
    # To the policies and to people it is one of those who go to the database and nowhere else.
    found = metadata(app, names.MIGRATE)
    found["name"] = wanted.job
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": found,
        "spec": jobs.job_spec(
            app, names.MIGRATE, volumes, deadline_s=600, retries=3, containers=[container]
        ),
    }


def users(app: HSCJit, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the components whose pods are connected to the database as long as they run.

    Each with what its template carries while the Secrets hold what these digests say.
    """
    return {
        names.API: credentials.app_digest(app, secrets, api.KEYS),
        names.WORKER: credentials.app_digest(app, secrets, worker.KEYS),
    }
