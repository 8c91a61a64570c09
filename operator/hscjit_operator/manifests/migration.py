"""How does the database get the schema that an image needs?"""

from hscjit_operator import names
from hscjit_operator.manifests import credentials, jobs, pods
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

_KEYS = ("database-url",)


def migration(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the one Job that migrates to `inputs.migrate_image`; None once that is recorded.

    None too while it is not known where the database is.

    It reads nothing that is made later than the first pass: the database is set up and migrated
    while the rest of the workload is still waiting for its settings.
    """
    image = inputs.migrate_image
    if image is None or not credentials.reachable(app, inputs, [names.POSTGRES]):
        return None
    volumes = [credentials.files(app, _KEYS), pods.tmp("16Mi")]
    container = jobs.app_container(
        app,
        "migrate",
        image,
        volumes=volumes,
        keys=_KEYS,
        command=["python", "-m", "hscjit_app.jobs.migrate"],
    )
    found = metadata(app, names.MIGRATE, annotations={names.ANNOTATION_IMAGE: image})
    found["name"] = names.migration_job(app.name, image)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": found,
        "spec": jobs.job_spec(
            app, names.MIGRATE, volumes, deadline_s=900, retries=6, containers=[container]
        ),
    }
