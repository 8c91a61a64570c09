"""A step's line says what was done, how it ended and how long it took."""

import pytest
from tests.cluster.progress import Progress, Step, duration, line

DURATIONS = {
    "none": (0.4, "0 s"),
    "just below a minute": (59.4, "59 s"),
    "a minute by rounding": (59.6, "1 min 0 s"),
    "minutes": (725.0, "12 min 5 s"),
}


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.values(), ids=DURATIONS)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_line_of_a_step() -> None:
    step = Step("tools", "kind, kubectl, helm")
    step.result, step.remark = "cached", "nothing to do"
    assert line(1, 6, step) == (
        "[1/6] tools      kind, kubectl, helm ..................... cached"
        "            0 s   (nothing to do)"
    )


def test_a_failed_step_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2)
    with progress.step("one", "this"):
        pass
    with pytest.raises(ValueError, match="broken"), progress.step("two", "that"):
        raise ValueError("broken")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("[1/2] one")
    assert second.startswith("[2/2] two")
    assert "failed" in second
