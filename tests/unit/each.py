"""One test that holds for each of many: told by name when it does not."""

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def each(of: Mapping[str, T]) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make a check of one case a test of all cases, in order; its failure names the case.

    For properties that hold of hundreds: a test each would cost more than the check does. A table
    whose rows differ in what they expect stays a parametrized test.
    """
    assert of

    def whole(check: Callable[[T], None]) -> Callable[[], None]:
        def test() -> None:
            for name, case in of.items():
                try:
                    check(case)
                except BaseException as error:
                    error.add_note(f"This was about {name}.")
                    raise

        test.__doc__ = check.__doc__
        return test

    return whole
