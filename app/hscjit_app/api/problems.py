"""Every error a request can end in, rendered the same way."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from hscjit_app.errors import AppError, BadRequest, Unavailable

log = structlog.get_logger(__name__)

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
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "http")
        return _render(AppError(str(error.detail), code=code), error.status_code)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    async def database_away(_: Request, error: Exception) -> JSONResponse:
        log.warning("Database is away", reason=type(error).__name__)
        return _render(Unavailable("The database is away", retry_after=5), 503)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        # The traceback is logged by the server; the customer learns nothing of it.
        return _render(AppError("Something went wrong on our side"), 500)


def _render(error: AppError, status: int) -> JSONResponse:
    body: dict[str, object] = {"code": error.code, "message": error.message}
    headers = {}
    if error.retry_after is not None:
        body["retry_after"] = error.retry_after
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == Unavailable.status:
        headers.setdefault("Retry-After", "5")
    if status == 401:  # noqa: PLR2004 the one status that must say how to do better
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": body}, status_code=status, headers=headers)
