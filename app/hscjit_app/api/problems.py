"""Every error a request can end in, rendered the same way, and described in /openapi.json."""

from collections.abc import Mapping
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match, Route

from hscjit_app.errors import AppError, BadRequest, Unavailable

log = structlog.get_logger(__name__)


class Error(BaseModel):
    """What went wrong."""

    code: Annotated[str, Field(description="For programs: one word that does not change")]
    message: Annotated[str, Field(description="For people: what was found and what to do")]
    retry_after: Annotated[
        float | None, Field(description="Seconds after which trying again makes sense")
    ] = None


class Problem(BaseModel):
    """The body of every answer that is not a success."""

    error: Error


DESCRIBED: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "Anything else than a success"}
}
"""What every route may answer besides its own success."""

_CODES = {401: "not_allowed", 404: "not_found", 405: "method_not_allowed"}


def install(app: FastAPI) -> None:
    """Teach the app to render errors as `{"error": {code, message, retry_after?}}`."""

    @app.exception_handler(AppError)
    async def known(_: Request, error: AppError) -> JSONResponse:
        return _render(error, error.status)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return _render(BadRequest(f"{where}: {first['msg']}" if where else first["msg"]), 400)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "http")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # noqa: PLR2004 the one status that must say what is allowed
            headers["Allow"] = ", ".join(sorted(_methods(app, request)))
        return _render(AppError(str(error.detail), code=code), error.status_code, headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    async def database_away(_: Request, error: Exception) -> JSONResponse:
        log.warning("Database is away", reason=type(error).__name__)
        return _render(Unavailable("The database is away", retry_after=5), 503)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        # The traceback is logged by the server; the customer learns nothing of it.
        return _render(AppError("Something went wrong on our side"), 500)


def _methods(app: FastAPI, request: Request) -> set[str]:
    """Return what the path may be asked with; the router itself names its first route's only."""
    routes = (route for route in app.routes if isinstance(route, Route))
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in route.methods or ()}


def _render(error: AppError, status: int, given: Mapping[str, str] | None = None) -> JSONResponse:
    body: dict[str, object] = {"code": error.code, "message": error.message}
    headers = dict(given or {})
    if error.retry_after is not None:
        body["retry_after"] = error.retry_after
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == Unavailable.status:
        headers.setdefault("Retry-After", "5")
    if status == 401:  # noqa: PLR2004 the one status that must say how to do better
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": body}, status_code=status, headers=headers)
