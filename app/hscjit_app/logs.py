"""One line a record: JSON for machines, colours for people; our records and the libraries' alike.

Every JSON line has timestamp, level, logger, message and service; what is bound to the context
(request_id, session_id, product_id, confidence, …) follows. Secrets are masked by key and never
logged by us; a session id in a log is its public half, which opens nothing.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from hscjit_app.settings import Settings

_SECRET_KEY = re.compile(
    r"token|password|passwd|secret|authorization|cookie|api_?key|session_key", re.I
)
_URL_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+@", re.I)
_QUIET = (
    "alembic.runtime",
    "asyncio",
    "bm25s",
    "uvicorn.access",
    "uvicorn.error",
    "websockets",
)
"""Loggers that say at INFO what our own records and metrics say better."""


def configure(settings: Settings) -> None:
    """Set up structlog and the root logger; may be called again (tests, a second app)."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _Service(settings.name, settings.component),
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *[p for p in shared if not isinstance(p, structlog.stdlib.ExtraAdder)],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_render(settings.log_format)
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level_number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, settings.log_level_number))


def mask_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace values under telling keys, and passwords inside URLs, wherever they turn up."""
    for key, value in event.items():
        if _SECRET_KEY.search(key):
            event[key] = "***"
        elif isinstance(value, str) and "://" in value:
            event[key] = _URL_PASSWORD.sub(r"\g<scheme>***@", value)
    return event


def _render(log_format: str) -> list[Processor]:
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "console":
        return [remove_meta, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    return [
        remove_meta,
        structlog.processors.format_exc_info,
        _mask_exception,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False),
    ]


def _mask_exception(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tracebacks quote URLs too."""
    if isinstance(text := event.get("exception"), str):
        event["exception"] = _URL_PASSWORD.sub(r"\g<scheme>***@", text)
    return event


class _Service:
    """Stamps each record with whose it is."""

    def __init__(self, name: str, component: str) -> None:
        self._service = f"{name}-{component}"

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = self._service
        return event
