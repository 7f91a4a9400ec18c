"""What batches could not store: listed, repaired and, in the end, forgotten."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Raw

from hub.cursors import Cursor
from hub.db import Connection, Pool, query, records, retry_deadlocks
from hub.model import Created, NewRecord, Outcome, Reject

_GET = query("rejects/get")
_PAGE = query("rejects/page")
_DELETE = query("rejects/delete")
_EXPIRE = query("rejects/expire")
_EXPIRE_BATCHES = query("batches/expire")
_REASONS = query("rejects/reasons")

_EXPIRE_STEP = 5000
_EXPORT_PAGE = 200


class RejectFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rejects; the members are the first parameters of `sql/queries/rejects/page.sql`, in their order."""

    batch_id: UUID | None = None
    tenant_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    connection_id: UUID | None = None


async def get(pool: Pool, reject_id: UUID, tenant_id: str | None) -> Reject | None:
    """A reject. `tenant_id` confines the search; None searches everywhere."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_GET, reject_id, tenant_id)
    return None if row is None else _reject(dict(row))


async def page(
    pool: Pool, selection: RejectFilter, cursor: Cursor | None, size: int
) -> tuple[list[Reject], Cursor | None]:
    """The rejects of one page, the oldest first, and where the next page begins, if there is one."""
    after = (None, None) if cursor is None else (cursor.t, cursor.i)
    async with pool.acquire() as connection:
        rows = await connection.fetch(_PAGE, *msgspec.structs.astuple(selection), *after, size + 1)
    found = [_reject(dict(row)) for row in rows[:size]]
    return found, Cursor(t=found[-1].created_at, i=found[-1].id) if len(rows) > size else None


async def export(pool: Pool, selection: RejectFilter, cursor: Cursor | None) -> AsyncIterator[Reject]:
    """All rejects from the cursor on, read page by page."""
    while True:
        found, cursor = await page(pool, selection, cursor, _EXPORT_PAGE)
        for reject in found:
            yield reject
        if cursor is None:
            return


async def reasons(pool: Pool, tenant_id: str, most: int) -> list[tuple[str, int]]:
    """Why items were rejected, and how many, the most frequent first."""
    async with pool.acquire() as connection:
        return [(row["reason"], row["count"]) for row in await connection.fetch(_REASONS, tenant_id, most)]


def _reject(row: dict[str, object]) -> Reject:
    known = {name: value for name, value in row.items() if value is not None}
    return msgspec.convert(known | {"problem": Raw(str(row["problem"]).encode())}, Reject)


async def delete(pool: Pool, reject_id: UUID, tenant_id: str | None) -> bool:
    """Whether there was such a reject."""
    async with pool.acquire() as connection:
        return await connection.execute(_DELETE, reject_id, tenant_id) != "DELETE 0"


async def repair(pool: Pool, reject_id: UUID, tenant_id: str | None, record: NewRecord) -> Outcome | None:
    """Stores the record and deletes the reject, both or neither. None when the reject is gone; a duplicate leaves it."""
    async with pool.acquire() as connection:
        return await retry_deadlocks(lambda: _repair(connection, reject_id, tenant_id, record))


async def _repair(
    connection: Connection, reject_id: UUID, tenant_id: str | None, record: NewRecord
) -> Outcome | None:  # fmt: skip
    transaction = connection.transaction()
    await transaction.start()
    outcome: Outcome | None = None
    try:
        # The reject first, as erasing does: whoever of the two comes second sees what the other did.
        if await connection.execute(_DELETE, reject_id, tenant_id) != "DELETE 0":
            (outcome,) = await records.insert_on(connection, [record])
    except BaseException:
        if not connection.is_closed():
            await transaction.rollback()
        raise
    await (transaction.commit() if isinstance(outcome, Created) else transaction.rollback())
    return outcome


async def expire(pool: Pool, days: int) -> int:
    """Deletes batches and rejects older than that, in small steps; how many rejects."""
    deleted, step = 0, _EXPIRE_STEP
    while step == _EXPIRE_STEP:
        async with pool.acquire() as connection, connection.transaction():
            step = int((await connection.execute(_EXPIRE, days, _EXPIRE_STEP)).rpartition(" ")[2])
            if step < _EXPIRE_STEP:
                await connection.execute(_EXPIRE_BATCHES, days)
        deleted += step
    return deleted
