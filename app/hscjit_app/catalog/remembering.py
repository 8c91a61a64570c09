"""What a catalogue's parts looked up already, kept in a way that lets the catalogue go.

A cache of bound methods that hangs on its own object is a ring, which only the collector undoes:
a catalogue that was swapped would stay in memory, mapped files included, until it comes by, and
what a process began with it never looks at.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast
from weakref import WeakMethod

F = TypeVar("F", bound=Callable[..., Any])


def remembering(method: F, most: int) -> F:
    """Return a method that remembers its latest results; called while its object lives."""
    found = WeakMethod(method)

    @lru_cache(most)
    def call(*args: Any) -> Any:
        return found()(*args)  # type: ignore[misc]  # it lives: it is who calls

    return cast("F", call)
