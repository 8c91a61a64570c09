"""The whole wire format of `/ws`: JSON text frames, one model a message.

A frame with an `id` and a `seq` belongs to an answer and is durable: whoever reconnects with
`hello {session, last_id}` gets every later one once, on any pod. `last_id` is `<id>.<seq>` of the
last such frame received; `seq` counts from 1 without gaps. The other frames are of the moment.

    client: hello, typing, query, lock_and_query
    server: welcome, resync_required, prediction, status*, answer_chunk*, answer_restart*, context*,
            answer_done*, error(*)                      (* = durable; error when it ends an answer)
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from hscjit_app.catalog.prediction import MAX_TEXT
from hscjit_app.catalog.views import BrandOut, Candidate, ProductOut, RelatedItem
from hscjit_app.db.text import STORABLE

VERSION = 1
OTHER_VERSION = "unknown_version"
"""The code of an error that answers a hello of a version we don't speak."""
MAX_MESSAGE_BYTES = 16 * 1024
"""A larger message is answered with an error; beyond four times that the connection ends."""
MAX_QUESTION = 2000
MAX_ID = 200
REF = r"^[0-9A-Za-z_-]{1,64}$"

CLOSE_MOVING = 1012
"""Service restart: reconnect at once, another pod answers."""
CLOSE_POLICY = 1008
"""Abuse: too many messages that were refused."""
CLOSE_IDLE = 1000


class _In(BaseModel):
    """What a client sends; a field we don't know is an error, so that none is ignored silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Hello(_In):
    """Opens or resumes a conversation; once a socket, before any question."""

    type: Literal["hello"]
    version: Literal[1]
    session: str | None = Field(default=None, max_length=MAX_ID)
    """From an earlier `welcome`; absent = a new conversation."""
    last_id: str | None = Field(default=None, max_length=MAX_ID, pattern=r"^[0-9a-z]+\.\d{1,9}$")
    """The last durable frame received; absent = everything still kept is sent again."""


class Typing(_In):
    """The text in the box after a keystroke; only the newest is answered."""

    type: Literal["typing"]
    content: str = Field(max_length=MAX_TEXT)


class Query(_In):
    """A question about `product_id`; without it about the locked product, else the one the text
    names, else the one last talked about."""

    type: Literal["query"]
    query: str = Field(min_length=1, max_length=MAX_QUESTION, pattern=STORABLE)
    product_id: str | None = Field(default=None, min_length=1, max_length=MAX_ID, pattern=STORABLE)
    ref: str | None = Field(default=None, pattern=REF)
    """The client's own name for this question, new for each. Who does not know whether a question
    arrived sends it again with the same one: it is answered once."""


class LockAndQuery(_In):
    """A question that also settles which product the next ones are about."""

    type: Literal["lock_and_query"]
    product_id: str = Field(min_length=1, max_length=MAX_ID, pattern=STORABLE)
    query: str = Field(min_length=1, max_length=MAX_QUESTION, pattern=STORABLE)
    ref: str | None = Field(default=None, pattern=REF)
    """See `query`."""


ClientMessage = Annotated[Hello | Typing | Query | LockAndQuery, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Hello | Typing | Query | LockAndQuery] = TypeAdapter(ClientMessage)


class _Out(BaseModel):
    """What the server sends."""

    model_config = ConfigDict(frozen=True)

    def encode(self) -> str:
        """Return the frame's text; what is not set is left out."""
        return self.model_dump_json(exclude_none=True)


class _Durable(_Out):
    """A frame of an answer; `id` and `seq` are filled in when it is appended to the stream."""

    id: str = ""
    seq: int = 0


class SourceOut(_Out):
    """A page an answer rests on."""

    title: str
    url: str
    page: int | None = None


class Welcome(_Out):
    """The conversation is open; `session` is its secret."""

    type: Literal["welcome"] = "welcome"
    session: str
    resumed: bool
    """False = this is a new conversation (also when the session offered was not valid)."""
    version: int = VERSION
    """Of the protocol, as it is spoken from here on; absent = 1."""


class ResyncRequired(_Out):
    """What the client has and what is kept don't meet: forget the answer `id` (without `id`: every
    answer that did not end). What is still kept comes again, from its first frame."""

    type: Literal["resync_required"] = "resync_required"
    reason: Literal["history_gone", "ahead", "session", "unavailable"]
    """history_gone: too old, or too much was said since; ahead: nobody was ever given this
    `last_id`, or its frame was lost with a store; session: it opens nothing here, a new one was
    begun; unavailable: the store is away, and nothing comes again."""
    message: str
    id: str | None = None


class Prediction(_Out):
    """Who may be meant by `content`, best first."""

    type: Literal["prediction"] = "prediction"
    content: str
    data: list[Candidate]


def prediction(content: str, lines: Iterable[str]) -> str:
    """Return the text of a `Prediction` whose candidates are JSON already: keystrokes are many."""
    said = str(to_json(content), "utf-8")
    return f'{{"type":"prediction","content":{said},"data":[{",".join(lines)}]}}'


class Status(_Durable):
    """How far an answer is; without `id`: what becomes of the connection (`moving`)."""

    type: Literal["status"] = "status"
    state: Literal["accepted", "fetching", "reading", "moving"]
    message: str
    query: str | None = None
    """With `accepted`: the question, so that a page that was reloaded can show it."""
    ref: str | None = None
    """With `accepted`: the question's, if it had one."""
    product: ProductOut | None = None


class AnswerChunk(_Durable):
    """The next piece of an answer; pieces are joined as they are."""

    type: Literal["answer_chunk"] = "answer_chunk"
    content: str


class AnswerRestart(_Durable):
    """Forget this answer's chunks so far: it begins anew."""

    type: Literal["answer_restart"] = "answer_restart"


class Context(_Durable):
    """What an answer rests on and what goes with the product; no source = the answer has none."""

    type: Literal["context"] = "context"
    brand: BrandOut
    related_items: list[RelatedItem]
    sources: list[SourceOut]


class AnswerDone(_Durable):
    """The answer is complete."""

    type: Literal["answer_done"] = "answer_done"


class Error(_Out):
    """Something was refused or went wrong; with `id` and `seq` it is an answer's last frame."""

    type: Literal["error"] = "error"
    code: str
    message: str
    retry_after: float | None = None
    """Seconds; absent = trying again changes nothing."""
    version: int | None = None
    """With `unknown_version`: the one this server speaks."""
    id: str | None = None
    seq: int | None = None


AnswerFrame = Status | AnswerChunk | AnswerRestart | Context | AnswerDone | Error
LAST_FRAMES = ("answer_done", "error")
