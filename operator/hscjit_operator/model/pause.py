"""What is the operator told to leave alone, and until when?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast

from hscjit_operator import names
from hscjit_operator.model.schedule import moment

Part = Literal["all", "heal", "scale", "rollout"]

PARTS: Final[tuple[Part, ...]] = ("all", "heal", "scale", "rollout")


class PauseError(ValueError):
    """An annotation cannot be read; the message names it and what is expected."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The parts that are held still, and why."""

    parts: frozenset[Part] = frozenset()
    until: datetime | None = None
    """When it ends by itself; None: when the annotation is removed."""
    reason: str = ""

    def holds(self, part: Part) -> bool:
        """Tell whether a part is held still."""
        return part in self.parts or "all" in self.parts


def read(annotations: Mapping[str, str], now: datetime) -> Pause:
    """Return what the annotations pause at that moment; raise PauseError for nonsense."""
    text = annotations.get(names.ANNOTATION_PAUSED, "").strip()
    if not text or text == "false":
        return Pause()
    words = {"all" if word == "true" else word for word in text.replace(" ", "").split(",")}
    unknown = sorted(words.difference(PARTS))
    if unknown:
        raise PauseError(
            f"{names.ANNOTATION_PAUSED} is {text!r}; expected any of {', '.join(PARTS)}, "
            "separated by commas"
        )
    until = _until(annotations.get(names.ANNOTATION_PAUSED_UNTIL, ""))
    if until is not None and until <= now:
        return Pause()
    parts = frozenset(cast("set[Part]", words))
    return Pause(parts, until, annotations.get(names.ANNOTATION_PAUSED_REASON, ""))


def _until(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return moment(text)
    except ValueError as error:
        raise PauseError(f"{names.ANNOTATION_PAUSED_UNTIL}: {error}") from error
