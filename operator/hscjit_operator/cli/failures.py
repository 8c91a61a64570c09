"""How does a verb end when it does not end well? Each failure knows its exit code."""

from typing import ClassVar


class Failure(Exception):
    """It failed; the message says why and the way out."""

    code: ClassVar[int] = 1


class NoSuchThing(Failure):
    """What was named is not there."""

    code = 3


class Unreachable(Failure):
    """There is no way to the API server."""

    code = 4


class TimedOut(Failure):
    """It takes longer than was allowed; it goes on without us."""

    code = 5
