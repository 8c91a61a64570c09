"""What does our chart make of some values? Helm says it; no cluster is asked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import operator
from tests.cluster.shell import output


def render(helm: str | Path, values: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a release; `folder` is for the values' file."""
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    where = ("--namespace", operator.NAMESPACE, "--values", file)
    text = output(helm, "template", operator.RELEASE, operator.CHART, *where)
    return [one for one in yaml.safe_load_all(text) if one]
