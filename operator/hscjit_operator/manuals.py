"""At which address are the bundled manuals served? The app's settings name it.

A new HSCJit's Service for them is made before all else: so its other children are built once and
made in one pass, where the settings had to wait for a second one.
"""

import structlog

from hscjit_operator import names, sight
from hscjit_operator.cluster.apply import Applier, Leaving, NameConflict
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.decisions.drift import Why
from hscjit_operator.manifests import services
from hscjit_operator.model.observed import Observed, ServiceFacts
from hscjit_operator.model.spec import HSCJit

log = structlog.stdlib.get_logger(__name__)


async def address(
    applier: Applier,
    app: HSCJit,
    observed: Observed,
    remembered: str | None,
    *,
    begins: bool,
) -> str | None:
    """Return the address of the manuals' Service, None while it has none.

    `remembered` is what the last pass went by; `begins`: nothing was made of the HSCJit yet, and
    may be now. What stands in the way of making it is said when it is tried again with the others.
    """
    known = sight.manuals_ip(observed, app.name, remembered)
    name = names.child(app.name, names.MANUALS)
    if known is not None or not begins or ("Service", name) in observed:
        return known
    log.info("Applying child", kind="Service", name=name, reason=Why.CREATE.value, diff="")
    try:
        made = await applier.apply(services.manuals(app), None, app.uid, reason=Why.CREATE.value)
    except (ApiError, NameConflict, Leaving):
        return None
    return made.facts.cluster_ip if isinstance(made.facts, ServiceFacts) else None
