"""Tasks about manuals: they do what `manuals/ingest.py` says, on behalf of an outbox row."""

from typing import Any

from sqlalchemy.orm import Session

from hscjit_app import broker
from hscjit_app.broker import celery
from hscjit_app.cache import keys, outside
from hscjit_app.manuals import ingest
from hscjit_app.manuals.fetch import FetchError
from hscjit_app.manuals.parse import ParseError
from hscjit_app.manuals.wanted import TASK, Wanted
from hscjit_app.tasks import runner


@celery.task(name=TASK)
def fetch_manual(key: str) -> None:
    """Fetch, parse and store one product's manual, if its row is still to be worked on."""
    runner.run(key, _fetch)


def _fetch(args: dict[str, Any]) -> runner.Done:
    wanted = Wanted(**args)
    try:
        pdf = ingest.bring(wanted, broker.settings())
    except FetchError as e:
        raise (runner.PermanentFailure if e.permanent else runner.TryAgain)(str(e)) from e
    with Session(runner.engine()) as session:
        document = ingest.known(session, ingest.digest(pdf))
    if document is None:
        try:
            document = ingest.read(pdf, wanted)
        except ParseError as e:
            raise runner.PermanentFailure(str(e)) from e
    found = document
    return runner.Done(
        result={"content_hash": found.content_hash, "pages": found.pages},
        store=lambda session: ingest.store(session, wanted, found),
        after=lambda: outside.invalidate(broker.settings(), [keys.manual(wanted.product_id)]),
    )
