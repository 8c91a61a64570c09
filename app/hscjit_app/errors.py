"""What can go wrong on a user's way, and how each outcome is told.

    AppError
    ├── BadRequest        400  the request can't be understood
    ├── NotAllowed        401  no or a wrong secret
    ├── NotFound          404  no such product, conversation or message
    │   └── ProductNotFound
    ├── TooFast           429  come back in `retry_after` seconds
    ├── Unavailable       503  something we need is away; come back in `retry_after` seconds
    │   └── ManualUnavailable
    └── CatalogError      500  a catalogue file is wrong; names file and field

REST renders them as `{"error": {"code", "message", "retry_after"?}}`, a socket as an `error` frame.
"""

from typing import ClassVar


class AppError(Exception):
    """An outcome with a code for programs and a message for people."""

    status: ClassVar[int] = 500
    code: str = "internal"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        """Seconds after which trying again makes sense; None = it does not."""
        if code is not None:
            self.code = code


class BadRequest(AppError):
    """The request can't be understood; the message says what was expected."""

    status = 400
    code = "malformed"


class NotAllowed(AppError):
    """No secret, or not the right one."""

    status = 401
    code = "not_allowed"


class NotFound(AppError):
    """There is no such thing, or it is not the asker's."""

    status = 404
    code = "not_found"


class ProductNotFound(NotFound):
    """The catalogue holds no product of this id."""

    code = "unknown_product"

    def __init__(self, product_id: str) -> None:
        super().__init__(f"There is no product {product_id[:80]!r} in the catalogue")


class TooFast(AppError):
    """A limit was reached; `retry_after` says when it opens again."""

    status = 429
    code = "too_fast"


class Unavailable(AppError):
    """A dependency is away; the rest goes on."""

    status = 503
    code = "unavailable"


class ManualUnavailable(Unavailable):
    """The product's manual could not be fetched or read, or is not there in time."""

    code = "manual_unavailable"


class CatalogError(AppError):
    """A catalogue file is wrong; the message names file and field, what was found and expected."""

    code = "bad_catalog"
