"""What is there that no watch shows? The Secret, what the spec names, and what the door says."""

from collections.abc import Callable

from hscjit_operator import asked, components, names, sight
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.cluster.front_door import FrontDoor
from hscjit_operator.cluster.references import Known, References, Wanted
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.kept import Keeper
from hscjit_operator.model.observed import Answer, SecretFacts
from hscjit_operator.names import Key
from hscjit_operator.passing import Pass
from hscjit_operator.refusals import problem_of


class Unseen:
    """Looks for it on behalf of a pass, and notes in the pass what is wrong with it."""

    def __init__(
        self,
        references: References,
        keeper: Keeper,
        door: FrontDoor,
        door_url: Callable[[str], str],
    ) -> None:
        """`door_url` makes an address to ask out of the API Service's ClusterIP."""
        self._references = references
        self._keeper = keeper
        self._door = door
        self._door_url = door_url

    def forget(self, key: Key) -> None:
        """Look for an HSCJit no more."""
        self._references.forget(key)
        self._door.forget(key)

    async def secret(self, run: Pass) -> tuple[Known, SecretFacts | None]:
        """Return what the spec names, and the generated Secret once it and the volumes are ours.

        What is missing or unusable is noted.
        """
        app = run.app
        name = (kinds.SECRET.kind, names.child(app.name, names.SECRET))
        known = Known(None)
        try:
            known = await self._references.get(app.key, Wanted(asked.references(app), app.outside))
            run.problems += [Problem(Gravity.FAULT, *wrong) for wrong in known.wrong]
            if run.pause.holds("all") and known.generated is None:
                return known, None
            found = await self._keeper.secure(app, known, run.observed)
        except ApiError as error:
            run.problems.append(problem_of(error, name))
            return known, None
        run.problems += found.problems
        return known, found.secret

    def answer(self, run: Pass) -> Answer | None:
        """Return what the front door says, since the last rollout ended."""
        app, recall = run.app, run.recall
        api = components.scaled(run.observed, app.name, names.API)
        ip = sight.cluster_ip(run.observed, app.name, names.API)
        if api is None or api.desired == 0 or ip is None:
            self._door.forget(app.key)
            return None
        rolling = components.rolling(run.observed, recall.children.rolled, app.name, names.API)
        recall.epoch += recall.rolling and not rolling
        recall.rolling = rolling
        return self._door.answer(app.key, self._door_url(ip), recall.epoch)
