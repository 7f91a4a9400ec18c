"""What vendors deliver: each delivery counts once, and what could not be read waits in the dead letter."""

from collections.abc import Collection
from datetime import timedelta

import msgspec
from msgspec import Raw, Struct

from hub.db import Connection, Pool, connections, new_id, query, queue
from hub.db.connections import ConnectionRow, Counts

_KNOWN = query("deliveries/known")
_NOTE = query("deliveries/note")
_EXPIRE = query("deliveries/expire")
_REJECT = query("rejects/insert")

# Typeform tries longest: ten hours.
_DAYS = 7
_PATIENCE = timedelta(seconds=5)


class Unread(Struct, frozen=True, kw_only=True):
    """A payload that could not be stored, or not all of it."""

    raw: str
    status: int
    problem: Raw
    error: str
    """What is told of the connection."""
    form_id: str | None = None
    """What it was asked for by, when it was pulled."""
    was_held_up: bool = False
    """Nothing is wrong with it: it can be stored a little later."""


async def is_known(pool: Pool, row: ConnectionRow, delivery: bytes) -> bool:
    """Whether this was delivered before, and dealt with."""
    async with pool.acquire() as connection:
        return bool(await connection.fetchval(_KNOWN, row.tenant_id, row.id, delivery))


async def settle(  # noqa: PLR0913 - what became of a delivery
    pool: Pool, row: ConnectionRow, delivery: bytes, *, stored: int, unread: Unread | None, undefined: Collection[str]
) -> None:
    """Notes what became of a delivery, and has the forms fetched that it shows to be unknown, all of it or nothing.

    Then the vendor may be answered. Of two that came at the same moment, the second is a duplicate.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.execute(_NOTE, row.tenant_id, row.id, delivery) == "INSERT 0 0":
            await connections.succeeded(connection, row.id, Counts(received=1, duplicates=1))
            return
        await _fetch(connection, row, undefined)
        counts = Counts(received=1, stored=stored, failed=int(unread is not None))
        if unread is None:
            await connections.succeeded(connection, row.id, counts)
        else:
            await _reject(connection, row, unread)
            await connections.failed(connection, row.id, unread.error, counts)


async def count(pool: Pool, row: ConnectionRow, *, stored: int = 0, undefined: Collection[str] = ()) -> None:
    """Notes what may come again: a response that was inserted, a delivery that is not wanted as things are."""
    async with pool.acquire() as connection, connection.transaction():
        await _fetch(connection, row, undefined)
        await connections.succeeded(connection, row.id, Counts(received=1, stored=stored))


async def repeated(pool: Pool, row: ConnectionRow) -> None:
    """Notes that something came again."""
    async with pool.acquire() as connection:
        await connections.succeeded(connection, row.id, Counts(received=1, duplicates=1))


async def _fetch(connection: Connection, row: ConnectionRow, undefined: Collection[str]) -> None:
    for form_id in sorted(undefined):
        await queue.put(connection, queue.FetchForm(connection_id=row.id, form_id=form_id))


async def _reject(connection: Connection, row: ConnectionRow, unread: Unread) -> None:
    reject_id = new_id()
    reject = {
        "tenant_id": row.tenant_id, "id": reject_id, "connection_id": row.id, "form_id": unread.form_id, "position": 0, "raw": unread.raw,
        "status": unread.status, "problem": unread.problem,
    }  # fmt: skip
    await connection.execute(_REJECT, msgspec.json.encode([reject]).decode())
    if unread.was_held_up:
        await queue.put(connection, queue.Retry(reject_id=reject_id), after=_PATIENCE)


async def expire(pool: Pool) -> None:
    """Forgets the deliveries that no vendor sends again."""
    async with pool.acquire() as connection:
        await connection.execute(_EXPIRE, _DAYS)
