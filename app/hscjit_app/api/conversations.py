"""A customer's own conversation: read, take away, delete, and say whether an answer helped.

Every route wants the session's secret: `Authorization: Bearer <session>`.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from hscjit_app.db.models import Conversation
from hscjit_app.db.text import STORABLE
from hscjit_app.deps import OwnerDep, ServicesDep

_secret = HTTPBearer(scheme_name="session", auto_error=False, description="The session's secret")
router = APIRouter(prefix="/api", tags=["conversation"], dependencies=[Depends(_secret)])


class SourceOut(BaseModel):
    """A page an answer rests on."""

    title: str
    url: str
    page: int | None


class MessageOut(BaseModel):
    """One turn."""

    id: str
    role: str
    content: str
    product_id: str | None
    created_at: datetime
    sources: list[SourceOut]


class ConversationOut(BaseModel):
    """All that is stored about a session."""

    id: str
    product_id: str | None
    created_at: datetime
    updated_at: datetime
    messages: list[MessageOut]


class Rating(BaseModel):
    """What a customer thought of one answer."""

    model_config = ConfigDict(extra="forbid")

    message_id: Annotated[str, Field(min_length=1, max_length=32, pattern=STORABLE)]
    """The answer's id, as its frames carried it."""
    rating: Literal[1, -1]
    comment: Annotated[str, Field(max_length=2000, pattern=STORABLE)] | None = None


@router.get("/conversation")
async def read_conversation(owner: OwnerDep, services: ServicesDep) -> ConversationOut:
    """Return the conversation of this session."""
    return _out(await services.conversations.read(owner))


@router.get("/conversation/export")
async def export_conversation(owner: OwnerDep, services: ServicesDep) -> Response:
    """Return the same as a file to keep."""
    body = _out(await services.conversations.read(owner)).model_dump_json(indent=2)
    return Response(
        body,
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="conversation.json"'},
    )


@router.delete("/conversation", status_code=204)
async def delete_conversation(owner: OwnerDep, services: ServicesDep) -> None:
    """Forget everything this session said and was told."""
    await services.conversations.delete(owner)


@router.post("/feedback", status_code=204)
async def give_feedback(rating: Rating, owner: OwnerDep, services: ServicesDep) -> None:
    """Note what the customer thought of one of their answers."""
    await services.conversations.rate(owner, rating.message_id, rating.rating, rating.comment)


def _out(found: Conversation) -> ConversationOut:
    return ConversationOut(
        id=found.id,
        product_id=found.product_id,
        created_at=found.created_at,
        updated_at=found.updated_at,
        messages=[
            MessageOut(
                id=m.id,
                role=m.role,
                content=m.content,
                product_id=m.product_id,
                created_at=m.created_at,
                sources=[SourceOut(title=s.title, url=s.url, page=s.page) for s in m.sources],
            )
            for m in found.messages
        ],
    )
