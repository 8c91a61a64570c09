"""What does the release's Prometheus say? Asked from outside, through its port of 127.0.0.1."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any


class QueryFailed(AssertionError):
    """Prometheus refused a query; its own words are the message."""


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus behind a port of 127.0.0.1."""

    port: int

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the series an expression has at this moment."""
        found = self._ask("query", query=expr)
        return list(found["result"])

    def targets(self) -> list[dict[str, Any]]:
        """Return what is scraped."""
        return list(self._ask("targets", state="active")["activeTargets"])

    def rules(self) -> list[dict[str, Any]]:
        """Return all alerting rules as they were judged last."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **fields: str) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(fields)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return dict(json.load(answer)["data"])
        except urllib.error.HTTPError as error:
            with error:
                raise QueryFailed(f"{fields}: {error.read().decode()}") from error
