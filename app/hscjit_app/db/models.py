"""Which tables hold what the assistant remembers?

Ids are random hexadecimal text made by the app, so that a row is known before it is stored. Times
are in UTC with their zone. Children of a conversation go when it goes.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=UTC)


def new_id() -> str:
    """Return a fresh random id, 32 hexadecimal digits."""
    return uuid.uuid4().hex


def utc_now() -> datetime:
    """Return this process's idea of the present, with its zone."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Conversation(Base):
    """One customer's talk about gear; owned by whoever holds the session secret."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    session_hash: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the session secret, in hex: the secret itself is stored nowhere."""
    product_id: Mapped[str | None] = mapped_column(String(200))
    """The product last talked about."""
    created_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(Instant, default=utc_now, index=True)
    messages: Mapped[list["Message"]] = relationship(
        back_populates="conversation",
        order_by="Message.created_at",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class Message(Base):
    """One turn: a question (`role` = user) or an answer (`role` = assistant)."""

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    """For an answer this is the id its chunks carried on the wire."""
    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    product_id: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    conversation: Mapped[Conversation] = relationship(back_populates="messages")
    sources: Mapped[list["Source"]] = relationship(
        order_by="Source.id", cascade="all, delete-orphan", passive_deletes=True
    )


class Source(Base):
    """Where an answer was taken from: a page of a manual."""

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    message_id: Mapped[str] = mapped_column(
        ForeignKey("messages.id", ondelete="CASCADE"), index=True
    )
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    page: Mapped[int | None] = mapped_column(Integer)
    """Counted from 1, as a reader counts; None = the source has no pages."""


class Feedback(Base):
    """What a customer thought of one answer."""

    __tablename__ = "feedback"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    message_id: Mapped[str] = mapped_column(
        ForeignKey("messages.id", ondelete="CASCADE"), index=True
    )
    rating: Mapped[int] = mapped_column(Integer)
    """1 = it helped, -1 = it did not."""
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)


class Manual(Base):
    """Which document a product's manual is at present; two products may share one."""

    __tablename__ = "manuals"

    product_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    """As the catalogue says it; another url there means another fetch."""
    content_hash: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the file's bytes, in hex: the key of its chunks."""
    title: Mapped[str] = mapped_column(Text)
    pages: Mapped[int] = mapped_column(Integer)
    truncated: Mapped[bool] = mapped_column(default=False)
    """The file is larger than we read; what is stored is its beginning."""
    size_bytes: Mapped[int] = mapped_column(Integer)
    fetched_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)


class Chunk(Base):
    """A passage of a document; stored once however many products share the document."""

    __tablename__ = "chunks"

    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    page: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)


class OutboxRow(Base):
    """One piece of work that must not be lost: Celery carries it, this row knows about it."""

    __tablename__ = "outbox"

    key: Mapped[str] = mapped_column(String(250), primary_key=True)
    """What the work is about; asking again while it is under way adds nothing."""
    task: Mapped[str] = mapped_column(String(100))
    args: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    """pending, running, done or failed: see `db/outbox.py`."""
    due_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    """pending: not before this; running: the lease ends here, unless its worker renews it."""
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    """When it was last handed to the carrier."""
    token: Mapped[int] = mapped_column(Integer, default=0)
    """Grows with each claim: only the newest claimant may store a result."""
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt failed, in words for people."""
    updated_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)

    __table_args__ = (Index("ix_outbox_state_due_at", "state", "due_at"),)
