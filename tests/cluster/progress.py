"""What does a waiting person see? One line for each step, and a sign of life while one is long."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Step:
    """One line of the transcript, printed when the step is done; notes come before it."""

    def __init__(self, name: str, subject: str) -> None:
        self.name = name
        self.subject = subject
        self.result = "ready"
        self.remark = ""
        self._started = time.monotonic()

    def note(self, text: str) -> None:
        """Say now what is being done, because it takes a while."""
        say(f"      {self.name:<10} … {text} ({duration(self.elapsed)})")

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started


class Progress:
    """Counts the steps of one run."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0

    @contextmanager
    def step(self, name: str, subject: str) -> Iterator[Step]:
        """Run one step; its line says how it ended and how long it took."""
        self._number += 1
        step = Step(name, subject)
        try:
            yield step
        except BaseException:
            step.result = "failed"
            raise
        finally:
            say(line(self._number, self._total, step))


def line(number: int, total: int, step: Step) -> str:
    """Draw the line of a step that has ended."""
    dots = "." * max(3, 40 - len(step.subject))
    remark = f"   ({step.remark})" if step.remark else ""
    head = f"[{number}/{total}] {step.name:<10} {step.subject} {dots} {step.result:<10}"
    return f"{head} {duration(step.elapsed):>10}{remark}"


def duration(seconds: float) -> str:
    """`7 s`, `3 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def say(text: str) -> None:
    """Print for the person; results for programs go to the standard output instead."""
    print(text, file=sys.stderr, flush=True)
