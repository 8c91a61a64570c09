"""What comes together in one pass, and what is remembered of one HSCJit until the next?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.memory import Memory
from hscjit_operator.model.observed import Observed
from hscjit_operator.model.pause import Pause
from hscjit_operator.model.spec import HSCJit

_LEAVING_S: Final = 1.0
"""Something of a former HSCJit is on its way out, and no watch of ours may tell when it is."""


@dataclass(slots=True)
class Recall:
    """What is remembered of one HSCJit between passes; lost with no harm."""

    uid: str
    children: Memory = field(default_factory=Memory)
    epoch: int = 0
    """How many rollouts of the API have ended: after each the front door is asked anew."""
    rolling: bool = False


@dataclass(slots=True)
class Pass:
    """One pass as its facts come together."""

    app: HSCJit
    body: Mapping[str, Any]
    status: Mapping[str, Any]
    observed: Observed
    recall: Recall
    pause: Pause
    now: datetime
    problems: list[Problem] = field(default_factory=list)
    acted: bool = False
    restoring: bool = False

    def next_look(self, *due: datetime | None) -> float | None:
        """Return in how many seconds something may be otherwise without any event."""
        looks = [_LEAVING_S for problem in self.problems if problem.gravity is Gravity.WAIT]
        times = (at for at in (self.pause.until, *due) if at is not None)
        looks += [max((at - self.now).total_seconds(), 0.1) for at in times]
        return min(looks, default=None)
