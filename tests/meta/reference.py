"""What is there to look up? `python -m tests.meta.reference` writes it into docs/."""

import json
from pathlib import Path
from typing import get_args

import yaml
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from hscjit_app import metrics as app_metrics
from hscjit_app.ws import protocol
from hscjit_app.ws.schema import schema
from hscjit_operator import conditions
from hscjit_operator import metrics as operator_metrics
from hscjit_operator.cluster.observe import Apps
from hscjit_operator.decisions import reasons
from hscjit_operator.manifests import alerts, dashboard
from hscjit_operator.model.autopilot import Action
from hscjit_operator.standing import Standing

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "reference.md"
SCHEMA = FILE.with_name("ws-schema.json")
DASHBOARD = FILE.with_name("dashboard.json")
ALERTS = ROOT / "charts" / "hscjit-operator" / "files" / "alerts.yaml"


def render() -> str:
    """Return the whole page."""
    return "\n".join(
        [
            "# Reference",
            "Written by `python -m tests.meta.reference`; a test fails when it is out of date.",
            "The fields of an HSCJit are described by `kubectl explain hscjit --recursive`.",
            "",
            "## Conditions",
            *table("Condition", "True means", conditions.TYPES.items()),
            "",
            "## Reasons",
            *table("Reason", "Meaning", conditions.REASONS.items()),
            "",
            "## What the autopilot does",
            "Each is an action in the ledger and the reason of an Event; a refusal's Event ends "
            "in `Refused`.",
            "",
            *(f"- `{action}`" for action in Action),
            "",
            "### Why it wants to",
            *table("Reason", "Meaning", reasons.DECISIONS.items()),
            "",
            "### Why it does not",
            *table("Reason", "Meaning", reasons.REFUSALS.items()),
            "",
            "### What it says in conditions",
            *table("Reason", "Meaning", reasons.FINDINGS.items()),
            "",
            "## Metrics of the operator",
            *table("Metric", "Meaning", of_the_operator()),
            "",
            "## Metrics of the app",
            *table("Metric", "Meaning", series(app_metrics.REGISTRY)),
            "",
            "## Messages of /ws",
            "JSON text frames; `type` says which. See [protocol.md](protocol.md) for their order.",
            "",
            *table("Message", "Fields", messages()),
            "",
        ]
    )


def render_schema() -> str:
    """Return the wire format as it is served."""
    return json.dumps(schema(), indent=1) + "\n"


def render_alerts() -> str:
    """Return the rule file of the chart's Prometheus."""
    head = (
        "# Written by `python -m tests.meta.reference` from the operator's manifests/alerts.py.\n"
    )
    return head + yaml.safe_dump(alerts.everything(), sort_keys=False, width=100)


def table(left: str, right: str, rows: object) -> list[str]:
    """Return a Markdown table of two columns."""
    assert hasattr(rows, "__iter__")
    body = [f"| `{name}` | {text} |" for name, text in rows]
    return [f"| {left} | {right} |", "|---|---|", *body]


def of_the_operator() -> list[tuple[str, str]]:
    """Return what the operator's /metrics shows: its counts, and how the HSCJits stand."""
    standing = CollectorRegistry()
    standing.register(Standing(Apps(lost=lambda _: None)))
    return sorted([*series(operator_metrics.REGISTRY), *series(standing)])


def series(registry: CollectorRegistry) -> list[tuple[str, str]]:
    """Return the names and help texts of a registry, but for the process's own."""
    found = [(m.name, m.type, m.documentation) for m in registry.collect()]
    return sorted(
        (f"{name}_total" if kind == "counter" else name, text)
        for name, kind, text in found
        if not name.startswith(("process_", "python_"))
    )


def messages() -> list[tuple[str, str]]:
    """Return every message of the wire format with its fields."""
    models = [m for m in vars(protocol).values() if isinstance(m, type)]
    return [
        (name, fields(model))
        for model in models
        if issubclass(model, BaseModel) and "type" in model.model_fields
        for name in get_args(model.model_fields["type"].annotation)
    ]


def fields(model: type[BaseModel]) -> str:
    """Return a model's fields; a question mark means it may be absent."""
    named = [
        f"{name}{'' if field.is_required() else '?'}"
        for name, field in model.model_fields.items()
        if name != "type"
    ]
    return ", ".join(named) or "none"


if __name__ == "__main__":
    FILE.write_text(render())
    SCHEMA.write_text(render_schema())
    ALERTS.write_text(render_alerts())
    DASHBOARD.write_text(dashboard.of_all())
