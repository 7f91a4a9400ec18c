"""How far the answers of each form were fetched from its vendor."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from hub.db import Connection, Pool, connections, query
from hub.db.connections import Counts

_BEGIN = query("pulls/begin")
_KEEP = query("pulls/keep")
_FINISH = query("pulls/finish")
_COMPARED = query("pulls/compared")
_FORGET = query("pulls/forget")
_TRY_LOCK = query("pulls/try_lock")
_UNLOCK = query("pulls/unlock")


class Pull(Struct, frozen=True, kw_only=True):
    """A pull of one form that is under way."""

    connection_id: UUID
    form_id: str
    since: datetime | None
    """What was asked for; None is everything."""
    checkpoint: str | None
    """Where it is; None at its beginning."""
    fetched: int
    comparison_due: bool
    """Whether it is time to look for what the vendor has deleted."""


@asynccontextmanager
async def alone(pool: Pool, connection_id: UUID) -> AsyncIterator[bool]:
    """Whether nobody else pulls this connection; nobody does until this is over, then."""
    async with pool.acquire_planned() as connection:
        if not await connection.fetchval(_TRY_LOCK, connection_id):
            yield False
            return
        try:
            yield True
        finally:
            if not connection.is_closed():
                await connection.fetchval(_UNLOCK, connection_id)


async def begin(pool: Pool, connection_id: UUID, form_id: str, since: datetime | None, overlap: timedelta) -> Pull:
    """Goes on with the pull that was broken off, or begins one where the last ended, less the overlap."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_BEGIN, connection_id, form_id, since, overlap)
    return msgspec.convert(dict(row or {}), Pull)


async def keep(pool: Pool, pull: Pull, checkpoint: str, *, fetched: int, stored: int) -> None:
    """A page was stored."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_KEEP, pull.connection_id, pull.form_id, checkpoint, fetched)
        await connections.succeeded(connection, pull.connection_id, Counts(received=1, stored=stored))


async def finish(pool: Pool, pull: Pull) -> None:
    """All pages were stored. The next pull begins where this one began."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_FINISH, pull.connection_id, pull.form_id)
        await connections.succeeded(connection, pull.connection_id, Counts())


async def forget_others(connection: Connection, connection_ids: Sequence[UUID]) -> None:
    """Forgets the pulls of connections that are no more: all but these."""
    await connection.execute(_FORGET, connection_ids)


async def compared(pool: Pool, pull: Pull) -> None:
    """What the vendor has deleted is deleted here."""
    async with pool.acquire() as connection:
        await connection.execute(_COMPARED, pull.connection_id, pull.form_id)
