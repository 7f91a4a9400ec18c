"""Records in and out of Postgres."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias
from uuid import UUID

import msgspec

from hub import cursors
from hub.cursors import Cursor, Order, Paging, Sort
from hub.db import Connection, Pool, encoded, erasures, new_ids, query, retry_deadlocks
from hub.db.erasures import Markers
from hub.model import Created, Duplicate, NewRecord, Outcome, RecordFilter, RecordPatch

_INSERT = query("records/insert")
_FIND_IDS = query("records/find_ids")
_GET = query("records/get")
_PATCH = query("records/patch")
_WHOSE = query("records/whose")
_DELETE = query("records/delete")
_COUNT = query("records/count")
_PAGES: dict[tuple[Sort, Order], str] = {
    ("collected_at", "desc"): query("records/page_collected_desc"),
    ("collected_at", "asc"): query("records/page_collected_asc"),
    ("created_at", "desc"): query("records/page_created_desc"),
    ("created_at", "asc"): query("records/page_created_asc"),
}
_PAGE_OF_TENANT = query("records/page_of_tenant")
_NEWEST_FIRST = ("collected_at", "desc")
_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=0))  # asyncpg sends `infinity`
_MAX_ATTEMPTS = 5

Key: TypeAlias = tuple[str, str, str]
"""Tenant, submission and field: of each there is one record."""


class Position(msgspec.Struct):
    """As much of a record as a cursor needs."""

    id: UUID
    collected_at: cursors.Instant
    created_at: cursors.Instant


position = msgspec.json.Decoder(Position).decode


async def insert(pool: Pool, records: Sequence[NewRecord]) -> list[Outcome]:
    """Stores the records; one outcome each, in their order. Of a key that comes twice the first stands."""
    async with pool.acquire_planned() as connection:
        return await insert_on(connection, records)


async def insert_on(connection: Connection, records: Sequence[NewRecord]) -> list[Outcome]:
    """The same on a connection, which may be in a transaction."""
    ids = new_ids(len(records))
    outcomes: dict[int, Outcome] = {}
    waiting = list(range(len(records)))
    for _ in range(_MAX_ATTEMPTS):
        created = await _insert(connection, [(ids[n], records[n]) for n in waiting])
        outcomes |= {n: created[ids[n]] for n in waiting if ids[n] in created}
        waiting = [n for n in waiting if n not in outcomes]
        if waiting:
            found = await find_ids(connection, [records[n] for n in waiting])
            outcomes |= {n: Duplicate(found[key(records[n])]) for n in waiting if key(records[n]) in found}
            # Neither inserted nor found: the one that was in the way was deleted in between.
            waiting = [n for n in waiting if n not in outcomes]
        if not waiting:
            return [outcomes[n] for n in range(len(records))]
    raise TimeoutError("the same records were deleted again and again while they were inserted")


async def _insert(connection: Connection, records: Sequence[tuple[UUID, NewRecord]]) -> dict[UUID, Created]:
    statement = partial(connection.fetch, _INSERT, encoded(records))
    # A deadlock ends a transaction as a whole: then it is for its owner to begin again.
    rows = await (statement() if connection.is_in_transaction() else retry_deadlocks(statement))
    return {row["id"]: Created(row["id"], row["collected_at"], row["created_at"]) for row in rows}


def key(record: NewRecord) -> Key:
    return (record.tenant_id, record.submission_id, record.field_id)


async def find_ids(connection: Connection, records: Sequence[NewRecord]) -> dict[tuple[str, str, str], UUID]:
    rows = await connection.fetch(_FIND_IDS, *(list(column) for column in zip(*map(key, records), strict=True)))
    return {(row["tenant_id"], row["submission_id"], row["field_id"]): row["id"] for row in rows}


async def get(pool: Pool, record_id: UUID, tenant_id: str | None) -> str | None:
    """The record as JSON text, or None. `tenant_id` confines the search; None searches everywhere."""
    async with pool.acquire_planned() as connection:
        text: str | None = await connection.fetchval(_GET, record_id, tenant_id)
    return text


async def patch(pool: Pool, record_id: UUID, changes: RecordPatch, tenant_id: str | None) -> str | None:
    """The record as JSON text after the changes, or None when there is none. Equal values write nothing."""
    if changes == RecordPatch():  # Citus cannot plan an update that can match nothing
        return await get(pool, record_id, tenant_id)
    async with pool.acquire() as connection:
        text: str | None = await connection.fetchval(
            _PATCH, record_id, msgspec.json.encode(changes).decode(), tenant_id
        )
        if text is None:
            text = await connection.fetchval(_GET, record_id, tenant_id)
    return text


async def delete(pool: Pool, markers: Markers, record_id: UUID, tenant_id: str | None) -> bool:
    """Whether there was such a record. Payloads do not bring it back."""

    async def attempt() -> bool:
        async with connection.transaction():
            whose = await connection.fetchrow(_WHOSE, record_id, tenant_id)
            if whose is None:
                return False
            key: tuple[str, str] = whose["tenant_id"], whose["submission_id"]
            await erasures.lock(connection, markers.submission(*key))
            gone = await connection.fetchrow(_DELETE, record_id, key[0])
            if gone is None:
                return False
            names = [gone["field_id"]]
            # Without its form's definition a part of a question has a makeshift id, and another one with it. Which one is
            # not known yet, so then the whole question is held back.
            if gone["provisional"] and gone["field_group_id"]:
                names.append(gone["field_group_id"])
            await erasures.mark(connection, [markers.record(*key, name) for name in names])
            return True

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def page(pool: Pool, selection: RecordFilter, paging: Paging) -> tuple[list[str], Cursor | None]:
    """The records of one page as JSON texts, and where the next page begins, if there is one."""
    after = None if paging.cursor is None else (paging.cursor.t, paging.cursor.i)
    text: str | None
    size = paging.size + 1  # one more than asked for tells whether there is a next page
    if selection == RecordFilter(tenant_id=selection.tenant_id) and (paging.sort, paging.order) == _NEWEST_FIRST:
        async with pool.acquire_planned() as connection:
            text = await connection.fetchval(_PAGE_OF_TENANT, selection.tenant_id, *(after or _BEFORE_ALL), size)
    else:
        statement = _PAGES[paging.sort, paging.order]
        async with pool.acquire() as connection:
            text = await connection.fetchval(statement, *arguments(selection), *(after or (None, None)), size)
    texts = text.split("\n") if text else []
    if len(texts) <= paging.size:
        return texts, None
    last = position(texts[paging.size - 1])
    return texts[: paging.size], Cursor(t=getattr(last, paging.sort), i=last.id, s=paging.sort, o=paging.order)


async def count(pool: Pool, selection: RecordFilter) -> int:
    """How many records there are."""
    async with pool.acquire() as connection:
        number: int = await connection.fetchval(_COUNT, *arguments(selection))
    return number


def arguments(selection: RecordFilter) -> tuple[object, ...]:
    """The parameters of `sql/queries/records/_filter.sql`, which are the members of the filter in their order."""
    *values, metadata = msgspec.structs.astuple(selection)
    return *values, msgspec.json.encode([[wanted.path, wanted.values] for wanted in metadata]).decode()
