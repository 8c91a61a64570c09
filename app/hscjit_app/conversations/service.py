"""Storing, reading and deleting conversations, always by their owner's session."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import selectinload

from hscjit_app.db.models import Conversation, Feedback, Message, Source, utc_now
from hscjit_app.errors import NotFound
from hscjit_app.sessions import Session


@dataclass(frozen=True)
class Turn:
    """A question, its answer, and the pages (title, url, page) the answer rests on."""

    question: str
    answer_id: str
    answer: str
    product_id: str
    sources: Sequence[tuple[str, str, int]]


class Conversations:
    """The conversations in the database."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    async def store(self, owner: Session, turn: Turn) -> None:
        """Add one turn; the conversation begins with its first."""
        now = utc_now()
        async with self._sessions.begin() as db:
            conversation = await db.get(Conversation, owner.id)
            if conversation is None:
                conversation = Conversation(
                    id=owner.id, session_hash=owner.hash, created_at=now, updated_at=now
                )
                db.add(conversation)
                await db.flush()
            conversation.product_id = turn.product_id
            conversation.updated_at = now
            db.add_all(
                [
                    Message(
                        conversation_id=owner.id,
                        role="user",
                        content=turn.question,
                        product_id=turn.product_id,
                        created_at=now,
                    ),
                    Message(
                        id=turn.answer_id,
                        conversation_id=owner.id,
                        role="assistant",
                        content=turn.answer,
                        product_id=turn.product_id,
                        created_at=utc_now(),  # later than the question: reading sorts by it
                        sources=[
                            Source(title=title, url=url, page=page)
                            for title, url, page in turn.sources
                        ],
                    ),
                ]
            )

    async def read(self, owner: Session) -> Conversation:
        """Return the whole conversation, messages and sources loaded; raises `NotFound`."""
        async with self._sessions() as db:
            found = await db.scalar(
                select(Conversation)
                .where(Conversation.id == owner.id, Conversation.session_hash == owner.hash)
                .options(selectinload(Conversation.messages).selectinload(Message.sources))
            )
        if found is None:
            raise NotFound("This session has no stored conversation")
        return found

    async def last_product(self, owner: Session) -> str | None:
        """Return the product this conversation was last about."""
        async with self._sessions() as db:
            conversation = await db.get(Conversation, owner.id)
            return conversation.product_id if conversation else None

    async def delete(self, owner: Session) -> None:
        """Forget everything this session said; raises `NotFound` if there is nothing."""
        async with self._sessions.begin() as db:
            gone = await db.execute(
                delete(Conversation)
                .where(Conversation.id == owner.id, Conversation.session_hash == owner.hash)
                .returning(Conversation.id)
            )
            if gone.scalar() is None:
                raise NotFound("This session has no stored conversation")

    async def rate(self, owner: Session, message_id: str, rating: int, comment: str | None) -> None:
        """Note what the owner thought of one of their answers; raises `NotFound`."""
        async with self._sessions.begin() as db:
            found = await db.scalar(
                select(Message.id)
                .join(Conversation)
                .where(
                    Message.id == message_id,
                    Message.role == "assistant",
                    Conversation.id == owner.id,
                    Conversation.session_hash == owner.hash,
                )
            )
            if found is None:
                raise NotFound("This session has no such answer")
            db.add(Feedback(message_id=message_id, rating=rating, comment=comment))
