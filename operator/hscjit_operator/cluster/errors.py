"""What is an error of the API server? Which call it refused, and why."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hscjit_operator.cluster.kinds import Kind

JSON: Final = "application/json"

GONE: Final = 404
CONFLICT: Final = 409
INVALID: Final = (400, 422)
FORBIDDEN: Final = 403
TOO_MANY: Final = 429
UNREACHED: Final = 0
"""Stands for a status code where no answer came."""

_BODY_CUT: Final = 256
_LACKING: Final = re.compile(r'cannot (\S+) resource "([^"]*)" in API group "([^"]*)"')
"""What every authorizer's refusal says, in the API server's own words."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it goes over the wire."""

    method: str
    kind: Kind
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content: str = JSON


class ApiError(Exception):
    """The API server refused a call or did not answer it; says which call and why."""

    def __init__(
        self,
        request: Request,
        code: int,
        reason: str,
        message: str,
        causes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Keep what a condition, a log line and a decision need."""
        self.request = request
        self.verb = request.method
        self.path = request.path
        self.kind = request.kind.kind
        self.code = code
        self.reason = reason
        """CamelCase as the API server gives it: NotFound, Invalid, Forbidden…; Unreachable where no
        answer came, NotLeading where nothing was sent."""
        self.right = _right(message) if code == FORBIDDEN else ""
        """What a role would have to grant, such as `create pods/eviction`; empty where no role is
        to blame, as with a quota."""
        self.message = message[:_BODY_CUT]
        self.causes = causes
        """For Invalid: path of each field at fault, and what is wrong with it."""
        super().__init__(f"{self.verb} {self.path}: {code} {reason}: {self.message}")


def _right(message: str) -> str:
    found = _LACKING.search(message)
    if found is None:
        return ""
    verb, resource, group = found.groups()
    return f"{verb} {resource} ({group})" if group else f"{verb} {resource}"


def refusal(request: Request, code: int, raw: bytes) -> ApiError:
    """Read the Status object of an error answer; a proxy in between may send something else."""
    try:
        status = json.loads(raw)
        told = (status.get("details") or {}).get("causes") or []
        causes = tuple(
            (str(cause["field"]), str(cause.get("message"))[:_BODY_CUT])
            for cause in told
            if cause.get("field")
        )
        reason, message = status.get("reason") or "Unknown", status.get("message") or ""
    except (ValueError, AttributeError, TypeError):
        causes, reason, message = (), "Unknown", raw.decode(errors="replace")
    return ApiError(request, code, reason, message, causes)
