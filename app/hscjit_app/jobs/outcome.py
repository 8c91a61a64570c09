"""How does a job say how it went? One JSON object for the operator, one log line for people."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from hscjit_app import logs
from hscjit_app.settings import Settings

_MAX_BYTES = 4096
"""What Kubernetes keeps of a termination message."""
_MAX_MESSAGE = 900
"""Letters; at most four bytes each, so that the message always fits."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a job went."""

    ok: bool
    reason: str
    """CamelCase, for programs."""
    message: str
    facts: dict[str, Any] = field(default_factory=dict)
    """More for programs; left out when it would not fit."""


class JobFailed(Exception):
    """The job can't do what it is for."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def main(job: Callable[[Settings], Outcome]) -> int:
    """Run a job and report; returns its exit code."""
    settings = Settings.from_env(os.environ)
    logs.configure(settings)
    try:
        outcome = job(settings)
    except JobFailed as e:
        outcome = Outcome(False, e.reason, str(e))
    except Exception as e:
        # The job's own boundary: whatever happened, the operator is told.
        log.exception("Job failed")
        outcome = Outcome(False, "Unexpected", f"{type(e).__name__}: {e}")
    speak = log.info if outcome.ok else log.error
    speak("Job ended", reason=outcome.reason, outcome=outcome.message, **outcome.facts)
    write(settings.termination_log, outcome)
    return 0 if outcome.ok else 1


def write(path: Path, outcome: Outcome) -> None:
    """Leave the outcome as JSON of at most 4 KiB; where nothing can be left the log has it."""
    words = {
        "ok": outcome.ok,
        "reason": outcome.reason,
        "message": outcome.message[:_MAX_MESSAGE],
    }
    body = json.dumps({**outcome.facts, **words}, ensure_ascii=False).encode()
    if len(body) > _MAX_BYTES:
        body = json.dumps(words, ensure_ascii=False).encode()
    try:
        path.write_bytes(body)
    except OSError as e:
        log.warning("Could not write the termination message", error=str(e))


def argument(name: str) -> Path:
    """Return the one argument of the command line; raises SystemExit with how to call it."""
    if len(sys.argv) != 2:  # noqa: PLR2004  # the program and its argument
        raise SystemExit(f"usage: python -m {_program()} <{name}>")
    return Path(sys.argv[1])


def _program() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec else sys.argv[0]
