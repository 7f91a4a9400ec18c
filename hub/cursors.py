"""Pages of a list and the opaque cursor between them: padded base64url of the last row's sort value and id, and of the order they belong to."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True)]
Sort = Literal["collected_at", "created_at"]
Order = Literal["asc", "desc"]


class Position(Struct, frozen=True, kw_only=True):
    """Where the last page of any list ended."""

    t: Instant


class Cursor(Position, frozen=True, kw_only=True):
    """Where the last page ended. `s` and `o` are absent in cursors of the first Formbricks Hubs: the default order."""

    i: UUID
    s: Sort = "collected_at"
    o: Order = "desc"


class SubmissionCursor(Position, frozen=True, kw_only=True):
    """The same for a list of submissions, which have names instead of ids and one order."""

    n: Annotated[str, Meta(min_length=1, max_length=4096, pattern="^[^\\x00]*$")]


class ChangesCursor(Position, frozen=True, kw_only=True):
    """Where a copy is that follows the changes; `b` is when it was begun."""

    i: UUID
    b: Instant


DEFAULT_LIMIT = 100
Limit = Annotated[int, Meta(ge=0, le=1000, description="How many a page has; 0 means the default")]


class Paging(Struct, kw_only=True, frozen=True):
    """Which page of a list, how long, and in which order; ties are broken by id."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None
    sort: Sort = "collected_at"
    order: Order = "desc"

    @property
    def size(self) -> int:
        """How many records the page has at most."""
        return self.limit or DEFAULT_LIMIT


class SubmissionPaging(Struct, kw_only=True, frozen=True):
    """Which page of a list of submissions, and how long; the latest come first."""

    limit: Limit = DEFAULT_LIMIT
    cursor: SubmissionCursor | None = None

    @property
    def size(self) -> int:
        return self.limit or DEFAULT_LIMIT


class ChangesPaging(Struct, kw_only=True, frozen=True):
    """From where on changes are told, and how many at once."""

    limit: Limit = DEFAULT_LIMIT
    cursor: ChangesCursor | None = None

    @property
    def size(self) -> int:
        return self.limit or DEFAULT_LIMIT


class InvalidCursorError(Exception):
    """The text is not a cursor that this server made."""


C = TypeVar("C", bound=Position)


def encode(cursor: Position) -> str:
    """The cursor as a client keeps it; `decode` gives it back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def decode(text: str, kind: type[C]) -> C:
    """Raises `InvalidCursorError` for anything `encode` did not make (blanks around it and lost padding aside)."""
    text = text.strip()
    try:
        cursor = msgspec.json.decode(
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), type=kind
        )
        for moment in msgspec.structs.astuple(cursor):
            if isinstance(
                moment, datetime
            ):  # Postgres asks for it in UTC, and the first year has moments that are in none there
                moment.astimezone(UTC)
    except (binascii.Error, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidCursorError from error
    return cursor
