"""What the operator tells a rotation's Job, and what the Job makes of it."""

import pytest

from hscjit_app.jobs import rotate
from hscjit_operator.model import logins


@pytest.mark.parametrize("password", ["x" * 20, "a-Z_09" * 7])
def test_both_sides_make_the_same_mark_of_a_password(password: str) -> None:
    assert rotate.mark(password) == logins.digest_of(password)[:7]
