"""What may the autopilot do by itself, from when on, and how often?"""

from dataclasses import dataclass
from typing import Annotated, Literal

from hscjit_operator.model.formats import Between
from hscjit_operator.model.reading import SpecError

Mode = Literal["Act", "Observe", "Off"]
"""Act; only compute and record; do neither."""


@dataclass(frozen=True)
class HealThresholds:
    """From when on a pod is bad. One sample is taken each second."""

    bad_seconds: Annotated[int, Between(2, 60)] = 5
    window_seconds: Annotated[int, Between(2, 120)] = 8
    failure_percent: Annotated[int, Between(1, 100)] = 50
    latency_milliseconds: Annotated[int, Between(10, 60_000)] = 2000
    min_requests: Annotated[int, Between(1, 10_000)] = 20
    event_loop_lag_milliseconds: Annotated[int, Between(50, 60_000)] = 1000
    worker_silent_seconds: Annotated[int, Between(10, 3600)] = 30

    def check(self, path: str) -> None:
        """Refuse more bad seconds than the window has."""
        if self.bad_seconds > self.window_seconds:
            raise SpecError(
                f"{path}.badSeconds",
                f"{self.bad_seconds} is above windowSeconds ({self.window_seconds}); "
                "lower the first or raise the second",
            )


@dataclass(frozen=True)
class HealBudgets:
    """How much healing is enough."""

    max_per_hour: Annotated[int, Between(1, 100)] = 6
    max_unhealthy_percent: Annotated[int, Between(1, 100)] = 50


@dataclass(frozen=True)
class Heal:
    """Replace pods that are bad."""

    mode: Mode = "Act"
    thresholds: HealThresholds = HealThresholds()
    budgets: HealBudgets = HealBudgets()
    cooldown_seconds: Annotated[int, Between(0, 3600)] = 60


@dataclass(frozen=True)
class ScaleThresholds:
    """What one API pod is meant to carry."""

    in_flight_per_pod: Annotated[int, Between(1, 10_000)] = 10
    connections_per_pod: Annotated[int, Between(1, 100_000)] = 200
    latency_target_milliseconds: Annotated[int, Between(1, 60_000)] = 250


@dataclass(frozen=True)
class ScaleBudgets:
    """How many changes are enough."""

    max_per_hour: Annotated[int, Between(1, 1000)] = 30


@dataclass(frozen=True)
class Scale:
    """Raise the API's floor and the number of workers with the load, and lower them with care."""

    mode: Mode = "Act"
    thresholds: ScaleThresholds = ScaleThresholds()
    budgets: ScaleBudgets = ScaleBudgets()
    cooldown_seconds: Annotated[int, Between(0, 3600)] = 15
    step_down_after_seconds: Annotated[int, Between(10, 86_400)] = 300
    step_down_seconds: Annotated[int, Between(5, 3600)] = 60


@dataclass(frozen=True)
class Autopilot:
    """The one-second loop's two offices."""

    heal: Heal = Heal()
    scale: Scale = Scale()
