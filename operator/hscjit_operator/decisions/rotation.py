"""How does the embedded database get another password, with nobody locked out at any moment?

It has two logins that take turns (see `model.logins`). The Secret is the record: each step follows
from it and from what is seen, so an operator that dies anywhere goes on from there.

1. A Job gives the login that nobody uses the next password. Both logins are good.
2. The Secret leads to that login, and its password becomes the present one. Pods roll, once.
3. When no pod of before is left, a Job gives the former login the present password too. The former
   password is refused from then on.
4. The Secret forgets the former login.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from hscjit_operator.model.logins import Logins
from hscjit_operator.model.observed import JobFacts


class Write(Enum):
    """What has to be written into the Secret before anything else follows."""

    WISH = auto()
    """A next password, which the user leaves to us."""
    MOVE = auto()
    """The other login and the next password: they are the present ones from now on."""
    CLOSE = auto()
    """The former login has the present password: it is forgotten."""
    ANEW = auto()
    """The database is a new one: it knows the owner alone, with the present password."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to know in this pass."""

    logins: Logins
    external: bool
    """The database is not ours."""
    volume: str
    """Digest of the UID of the claim under the database; empty while there is none."""
    held: str
    """Why nothing at all may be done; empty: it may."""
    busy: str
    """Why this is no moment to ask the database or to replace pods; empty: it is."""
    behind: str
    """Who may not have heard of the present login yet; empty: all pods of before are gone."""
    job: JobFacts | None
    """The Job of the present step."""
    said: str
    """The last words of its pod."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a pass does for it, and says of it."""

    message: str
    state: Literal["Rotating", "Refused", "Failed"] = "Rotating"
    """Refused: the user has to change something. Failed: a Job did, and is tried again."""
    write: Write | None = None
    job: bool = False
    """The Job of the present step shall be there."""


def decide(seen: Seen) -> Rotation | None:
    """Return the present step; None when no other password is asked for."""
    found = seen.logins
    if seen.external:
        if found.next is None:
            return None
        said = "the database is external: change its password there, then in your own Secret"
        return Rotation(said, "Refused")
    if seen.volume and found.second and found.volume != seen.volume:
        said = "the database is a new one, and knows the present password already"
        return _written(seen, Write.ANEW, said)
    if found.former:
        return _close(seen)
    return _open(seen) if found.next is not None else None


def _open(seen: Seen) -> Rotation:
    """Return how the other login comes to have the next password, and the pods to use it."""
    if seen.logins.blank:
        return _written(seen, Write.WISH, "making the next password")
    if not seen.logins.usable:
        said = "the next password has to be 20 to 128 letters, digits, - or _; or empty for one"
        return Rotation(f"{said} made by the operator", "Refused")
    if _is(seen.job, "Complete") and not seen.busy:
        return _written(seen, Write.MOVE, "the next password is good; the pods begin to use it")
    said = "a Job makes the next password good beside the present one"
    return _asked(seen, said, "the present one stays good")


def _close(seen: Seen) -> Rotation:
    """Return how the former password comes to be refused."""
    if _is(seen.job, "Complete"):
        return _written(seen, Write.CLOSE, "the former password is refused")
    if seen.job is None and seen.behind:
        return Rotation(f"waiting until {seen.behind} uses the next password; both are good")
    return _asked(seen, "a Job makes the former password good for nothing", "both are good")


def _asked(seen: Seen, said: str, meanwhile: str) -> Rotation:
    """Return a step in which a Job asks the database for something."""
    if _is(seen.job, "Failed"):
        why = seen.said or (seen.job.message if seen.job else "")
        return Rotation(f"{why}; it is tried again, {meanwhile}", "Failed", job=True)
    waits = seen.held or seen.busy
    ended = _is(seen.job, "Complete")
    if waits and (seen.job is None or ended):
        return Rotation(f"waiting: {waits}; {meanwhile}", job=ended)
    return Rotation(said, job=True)


def _written(seen: Seen, write: Write, said: str) -> Rotation:
    if seen.held:
        return Rotation(f"waiting: {seen.held}", job=seen.job is not None)
    return Rotation(said, write=write)


def _is(job: JobFacts | None, outcome: str) -> bool:
    return job is not None and job.outcome == outcome
