"""What vendors deliver: each delivery counts once, and what could not be read waits in the dead letter."""

import msgspec
from msgspec import Raw, Struct

from hub.db import Connection, Pool, connections, new_id, query
from hub.db.connections import ConnectionRow, Counts

_KNOWN = query("deliveries/known")
_NOTE = query("deliveries/note")
_EXPIRE = query("deliveries/expire")
_REJECT = query("rejects/insert")

# Typeform tries longest: ten hours.
_DAYS = 7


class Unread(Struct, frozen=True, kw_only=True):
    """A payload that could not be stored, or not all of it."""

    raw: str
    status: int
    problem: Raw
    error: str
    """What is told of the connection."""


async def is_known(pool: Pool, row: ConnectionRow, delivery: bytes) -> bool:
    """Whether this was delivered before, and dealt with."""
    async with pool.acquire() as connection:
        return bool(await connection.fetchval(_KNOWN, row.tenant_id, row.id, delivery))


async def settle(pool: Pool, row: ConnectionRow, delivery: bytes, *, stored: int, unread: Unread | None) -> None:
    """Notes what became of a delivery, all of it or nothing: then the vendor may be answered.

    Of two that came at the same moment, the second is a duplicate.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.execute(_NOTE, row.tenant_id, row.id, delivery) == "INSERT 0 0":
            await connections.succeeded(connection, row.id, Counts(received=1, duplicates=1))
            return
        counts = Counts(received=1, stored=stored, failed=int(unread is not None))
        if unread is None:
            await connections.succeeded(connection, row.id, counts)
        else:
            await _reject(connection, row, unread)
            await connections.failed(connection, row.id, unread.error, counts)


async def _reject(connection: Connection, row: ConnectionRow, unread: Unread) -> None:
    reject = {
        "tenant_id": row.tenant_id, "id": new_id(), "connection_id": row.id, "position": 0, "raw": unread.raw,
        "status": unread.status, "problem": unread.problem,
    }  # fmt: skip
    await connection.execute(_REJECT, msgspec.json.encode([reject]).decode())


async def expire(pool: Pool) -> None:
    """Forgets the deliveries that no vendor sends again."""
    async with pool.acquire() as connection:
        await connection.execute(_EXPIRE, _DAYS)
