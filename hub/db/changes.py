"""What became of a tenant's records, in an order that loses nothing, for copies that are kept of them.

A row bears the time at which its transaction began, and is seen when that is committed. So the feed ends before the oldest transaction
that may still write: what is committed later has a later time.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from hub.cursors import ChangesCursor
from hub.db import Connection, Pool, query

_HORIZON = query("changes/horizon")
_PAGE = query("changes/page")
_EXPIRE = query("changes/expire")

# A transaction takes its time an instant before others see that it is open.
SETTLE_SECONDS = 1.0

_EXPIRE_STEP = 5000
_LAST_ID = UUID(int=(1 << 128) - 1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)  # asyncpg sends `-infinity`


Kind = Literal["created", "updated", "deleted", "purged"]


class Change(Struct, frozen=True, kw_only=True):
    """A record as it is now, as JSON text, or that it is gone; `purged` is of everything before it."""

    at: datetime
    id: UUID
    change: Kind
    record: str | None


class Feed(Struct, frozen=True, kw_only=True):
    """Some changes, and where the next ones begin."""

    changes: list[Change]
    cursor: ChangesCursor
    more: bool
    until: datetime
    """All that happened before this is told."""


class Forgotten(Struct, frozen=True):
    """The cursor is from before what is kept: what was deleted since is not known any more."""


class Unsettled(Struct, frozen=True):
    """A prepared transaction is open, and nobody knows when it began."""


async def start(connection: Connection, *, settle_seconds: float = SETTLE_SECONDS) -> ChangesCursor | None:
    """Where a copy has to begin to follow that is made after this; None while a prepared transaction is open."""
    until: datetime | None = await connection.fetchval(_HORIZON, settle_seconds)
    return None if until is None else ChangesCursor(t=until, i=_LAST_ID, b=until)


async def page(  # noqa: PLR0913 - what is asked for, and of what
    pool: Pool, tenant_id: str, cursor: ChangesCursor | None, size: int, days: int, *, settle_seconds: float = SETTLE_SECONDS
) -> Feed | Forgotten | Unsettled:  # fmt: skip
    """The changes after the cursor, the oldest first; from the beginning without one. `days` is how long deletions are known."""
    async with pool.acquire() as connection:
        begin = await start(connection, settle_seconds=settle_seconds)
        if begin is None:
            return Unsettled()
        until = begin.t
        if cursor is None:
            cursor = ChangesCursor(t=_BEGINNING, i=_LAST_ID, b=until)
        elif max(cursor.t, cursor.b) < until - timedelta(days=days):
            return Forgotten()
        # One more than asked for tells whether there is more.
        rows = await connection.fetch(_PAGE, tenant_id, cursor.t, cursor.i, until, size + 1, cursor.b)
    changes = [msgspec.convert(dict(row), Change) for row in rows[:size]]
    more = len(rows) > size
    if more:
        reached = ChangesCursor(t=changes[-1].at, i=changes[-1].id, b=cursor.b)
    else:  # a transaction that holds the end back may be older than what was told before
        reached = max(cursor, ChangesCursor(t=until, i=_LAST_ID, b=cursor.b), key=lambda each: each.t)
    return Feed(changes=changes, cursor=reached, more=more, until=until)


async def expire(pool: Pool, days: int) -> int:
    """Forgets what was told longer ago, in small steps; how many there were."""
    count, step = 0, _EXPIRE_STEP
    while step == _EXPIRE_STEP:
        async with pool.acquire() as connection:
            step = int((await connection.execute(_EXPIRE, days, _EXPIRE_STEP)).rpartition(" ")[2])
        count += step
    return count
