"""Which bodies is a resource made of? The operator's own, with holes for name and UID."""

import json
from pathlib import Path
from typing import Any

from hscjit_operator import manifests
from hscjit_operator.model.spec import parse
from tests.integration.operator.process import IMAGES
from tests.unit.operator.manifests.builders import inputs

HOLES = {"name": "zz-name-zz", "namespace": "zz-namespace-zz", "uid": "zz-uid-zz"}


def bodies() -> list[dict[str, Any]]:
    """Return what is made before a new resource's migration ends: nothing waits for anybody."""
    app = parse({"metadata": {**HOLES, "generation": 1}, "spec": {}})
    facts = inputs(
        image=IMAGES["app"],
        migrate_image=IMAGES["app"],
        redis_image=IMAGES["redis"],
        postgres_image=IMAGES["postgres"],
        workload=False,
    )
    secret = manifests.secret.generated(app, lambda: "a-token-of-the-bench-0123456789")
    return [dict(secret), *(dict(child) for child in manifests.desired(app, facts))]


def write(path: Path) -> list[tuple[str, str]]:
    """Write the template; return kind and name of each child, the name with a hole."""
    made = bodies()
    path.write_text(json.dumps(made), encoding="utf-8")
    return [(body["kind"], body["metadata"]["name"]) for body in made]


def filled(template: str, name: str, namespace: str, uid: str) -> str:
    """Return the template's text for one resource."""
    text = template.replace(HOLES["name"], name).replace(HOLES["namespace"], namespace)
    return text.replace(HOLES["uid"], uid)
