"""What is remembered of one HSCJit's children between passes? Each thing once: there are many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hscjit_operator.decisions.drift import Name
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.observed import Child
from hscjit_operator.model.spec import HSCJit


@dataclass(slots=True)
class Memory:
    """What is remembered of one HSCJit's children between passes; lost with no harm."""

    app: HSCJit | None = None
    inputs: Inputs | None = None
    wanted: dict[Name, bytes] = field(default_factory=dict)
    """Digests of what `app` and `inputs` imply."""
    standing: dict[Name, bytes] = field(default_factory=dict)
    """Child → digest of a manifest that was in place."""
    rewritten: dict[Name, bytes] = field(default_factory=dict)
    """Of what the live object held then, where the server made something else of the manifest."""
    lean: bool = False
    """What is as the cache has it is the cache's own, see `share`."""
    templates: dict[Name, bytes] = field(default_factory=dict)
    """Digest of the pod template that was applied last."""
    rolled: dict[Name, int] = field(default_factory=dict)
    """Generation that the newest pod template got: what the controller says is about it or not."""
    fixed: dict[Name, list[Any]] = field(default_factory=dict)
    """Claim templates of StatefulSets that differ from the spec's: they can never change."""
    taken: set[Name] = field(default_factory=set)
    """Children whose names somebody else's objects have."""
    unserved: dict[Name, float] = field(default_factory=dict)
    """Children whose kind turned out to be served no more, and when: nobody has noticed yet."""

    def note(self, name: Name, child: Child) -> None:
        """Take note that a child is in place as wanted."""
        self.standing[name] = self.wanted[name]
        if child.digest == self.wanted[name]:
            self.rewritten.pop(name, None)
        else:
            self.rewritten[name] = child.digest

    def share(self, observed: Mapping[Name, Child]) -> None:
        """Let names and digests that are equal to the cache's be the same objects.

        They were made of other texts: twice, they are an eighth of what an HSCJit takes.
        """
        there = {name: (name, child.digest) for name, child in observed.items()}

        def shared(digests: Mapping[Name, bytes]) -> dict[Name, bytes]:
            kept = {}
            for name, digest in digests.items():
                known, found = there.get(name, (name, digest))
                kept[known] = found if found == digest else digest
            return kept

        self.wanted, self.standing = shared(self.wanted), shared(self.standing)
        self.lean = True
