"""Who sets the number of API pods, and how does it change hands without a dip?

A field that its last owner stops applying goes back to its default: one pod. So before our main
apply lets go of `spec.replicas`, another manager of ours takes hold of the number as it is, and
loses it to the HPA at the HPA's first write.
"""

from dataclasses import dataclass

from hscjit_operator.model.observed import Scaled


@dataclass(frozen=True, slots=True)
class Replicas:
    """What becomes of `spec.replicas` in this pass."""

    main: int | None
    """The main apply holds this number; None: it holds none."""
    handover: int | None = None
    """The handover manager takes hold of this number first; None: nothing to hand over."""


def decide(
    *, api: Scaled | None, autoscaling: bool, autoscaler: bool, start: int, floor: int, ceiling: int
) -> Replicas:
    """Return who holds the number.

    `autoscaling`: the spec wants an HPA; `autoscaler`: there is one; `start`: `spec.api.replicas`.
    """
    if not autoscaling:
        # The HPA is still there: taking the number over as it stands keeps the two from fighting.
        keeps = api is not None and autoscaler and not api.owns_replicas and api.desired > 0
        return Replicas(main=api.desired if api is not None and keeps else start)
    if api is None or api.desired == 0:
        return Replicas(main=min(max(start, floor), ceiling))
    if api.owns_replicas:
        if not autoscaler:
            return Replicas(main=max(api.desired, floor))
        return Replicas(main=None, handover=max(api.desired, floor))
    return Replicas(main=None, handover=floor if api.desired < floor else None)
