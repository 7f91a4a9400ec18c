"""Batches: chunks of records by COPY, and an account of what became of them.

A chunk, what of it was rejected, and the batch's counters are one transaction: after a kill -9 they agree.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, structs

from hub.db import UNSTORABLE, Connection, Pool, new_ids, query, records, retry_deadlocks
from hub.model import BatchSummary, Fate, NewRecord, OnConflict, StoredBatch

_STAGE = query("batches/stage")
_INSERT = query("batches/insert")
_OVERWRITE = query("batches/overwrite")
_KEEP = query("batches/keep")
_GET = query("batches/get")
_UNDO = query("batches/undo")
_UNDOABLE = query("batches/undoable")
_UNDONE = query("batches/undone")
_LATEST = query("batches/latest")
_REJECT = query("rejects/insert")

_UNDO_STEP = 5000

# Without a tenant that could be read. No tenant is called so: names are never blank.
NO_TENANT = ""


class Batch(Struct, frozen=True, kw_only=True):
    """What is known of a batch when it begins."""

    id: UUID
    key_id: str
    key_tenant_id: str | None
    format: Literal["json", "ndjson", "csv"]
    on_conflict: OnConflict
    atomic: bool = False
    dry_run: bool = False


class Rejected(Struct, frozen=True, kw_only=True):
    """An item that cannot be stored, as it is kept."""

    tenant_id: str
    id: UUID
    batch_id: UUID
    position: int
    user_id: str | None
    raw: str
    status: int
    problem: msgspec.Raw


class Chunk(Struct, frozen=True, kw_only=True):
    """Some items of a batch: those that may be stored, and those that may not."""

    received: int
    records: list[NewRecord]
    rejected: list[Rejected]
    last: bool = False


class Settled(Struct, frozen=True, kw_only=True):
    """What became of a chunk; one fate and, but for new records of a dry run, one id for each of its records."""

    summary: BatchSummary
    fates: list[Fate]
    ids: list[UUID | None]


class Unstorable(Struct, frozen=True):
    """Postgres refused a value of these records; the chunk is to be tried without them."""

    ordinals: list[int]


async def store(pool: Pool, batch: Batch, chunk: Chunk, *, with_ids: bool) -> Settled | Unstorable:
    """Stores a chunk and its account. An atomic batch with something to reject, and a dry run, store nothing."""
    async with pool.acquire() as connection:
        try:
            return await retry_deadlocks(lambda: _attempt(connection, batch, chunk, with_ids=with_ids))
        except UNSTORABLE as error:
            if len(chunk.records) == 1 and not chunk.rejected:
                return Unstorable([0])
            refusal = error
    refused: list[int] = []
    for start, part in _halves(chunk):
        settled = await store(pool, structs.replace(batch, dry_run=True), part, with_ids=False)
        if isinstance(settled, Unstorable):
            refused += [start + ordinal for ordinal in settled.ordinals]
    if not refused:  # then it is none of the records, and trying again would go on for ever
        raise refusal
    return Unstorable(refused)


def _halves(chunk: Chunk) -> Iterator[tuple[int, Chunk]]:
    middle = len(chunk.records) // 2
    for start, part in ((0, chunk.records[:middle]), (middle, chunk.records[middle:])):
        yield start, Chunk(received=len(part), records=part, rejected=[])


async def _attempt(connection: Connection, batch: Batch, chunk: Chunk, *, with_ids: bool) -> Settled:
    transaction = connection.transaction()
    await transaction.start()
    try:
        settled = await _settle(connection, batch, chunk, with_ids=with_ids)
        if batch.dry_run:
            await transaction.rollback()
            return settled
        if batch.atomic and settled.summary.rejected + settled.summary.duplicate:
            await transaction.rollback()
            settled = _nothing(settled)
            transaction = connection.transaction()
            await transaction.start()
        if chunk.rejected:
            await connection.execute(_REJECT, msgspec.json.encode(chunk.rejected).decode())
        await _keep(connection, batch, chunk, settled.summary)
    except BaseException:
        if not connection.is_closed():
            await transaction.rollback()
        raise
    await transaction.commit()
    return settled


async def _settle(connection: Connection, batch: Batch, chunk: Chunk, *, with_ids: bool) -> Settled:
    ids = new_ids(len(chunk.records))
    fates: list[Fate] = []
    if chunk.records and batch.on_conflict == "update":
        fates = await _overwrite(connection, batch, chunk.records, ids)
    elif chunk.records:
        await _stage(connection, enumerate(zip(ids, chunk.records, strict=True)))
        created = {row["id"] for row in await connection.fetch(_INSERT, batch.id)}
        otherwise: Fate = "skipped" if batch.on_conflict == "skip" else "duplicate"
        fates = ["created" if key in created else otherwise for key in ids]
    kept: list[UUID | None] = [key if fate == "created" else None for key, fate in zip(ids, fates, strict=True)]
    if with_ids and (others := [n for n, fate in enumerate(fates) if fate != "created"]):
        found = await records.find_ids(connection, [chunk.records[n] for n in others])
        for n in others:
            kept[n] = found.get(records.key(chunk.records[n]))
    if batch.dry_run:  # what goes again has no id
        new = {key for key, fate in zip(ids, fates, strict=True) if fate == "created"}
        kept = [None if key in new else key for key in kept]
    counts: dict[str, int] = {**Counter(fates)}
    summary = BatchSummary(received=chunk.received, rejected=len(chunk.rejected), **counts)
    return Settled(summary=summary, fates=fates, ids=kept)


def _nothing(settled: Settled) -> Settled:
    """What became of an atomic batch of which an item failed."""
    fates: list[Fate] = [fate if fate == "duplicate" else "skipped" for fate in settled.fates]
    ids = [key if fate == "duplicate" else None for key, fate in zip(settled.ids, settled.fates, strict=True)]
    old = settled.summary
    summary = BatchSummary(
        received=old.received, rejected=old.rejected, duplicate=old.duplicate,
        skipped=old.received - old.rejected - old.duplicate,
    )  # fmt: skip
    return Settled(summary=summary, fates=fates, ids=ids)


async def _overwrite(connection: Connection, batch: Batch, new: Sequence[NewRecord], ids: Sequence[UUID]) -> list[Fate]:
    """Of a key that comes twice the last wins; Postgres would refuse to touch one row twice (21000)."""
    last = {records.key(record): n for n, record in enumerate(new)}
    await _stage(connection, ((n, (ids[n], record)) for n, record in _merged(new, set(last.values()))))
    written = {
        (row["tenant_id"], row["submission_id"], row["field_id"]): row["id"]
        for row in await connection.fetch(_OVERWRITE, batch.id)
    }
    fates: list[Fate] = []
    for n, record in enumerate(new):
        key = records.key(record)
        if last[key] != n:
            fates.append("skipped")
        elif key not in written:
            fates.append("unchanged")
        else:
            fates.append("created" if written[key] == ids[n] else "updated")
    return fates


def _merged(new: Sequence[NewRecord], last: set[int]) -> Iterator[tuple[int, NewRecord]]:
    """Those that stand, each with the time of collection that those before it, of its key, would have left."""
    collected: dict[tuple[str, str, str], datetime] = {}
    for n, record in enumerate(new):
        if n in last:
            earlier = collected.get(records.key(record))
            yield n, record if record.collected_at or not earlier else structs.replace(record, collected_at=earlier)
        elif record.collected_at:
            collected[records.key(record)] = record.collected_at


_COLUMNS = ["ordinal", "id", "metadata", *(name for name in NewRecord.__struct_fields__ if name != "metadata")]
_values = attrgetter(*_COLUMNS[3:])


async def _stage(connection: Connection, numbered: Iterable[tuple[int, tuple[UUID, NewRecord]]]) -> None:
    await connection.execute(_STAGE)
    rows = ((n, key, bytes(record.metadata).decode() or None, *_values(record)) for n, (key, record) in numbered)
    await connection.copy_records_to_table("staged", records=rows, columns=_COLUMNS)


async def _keep(connection: Connection, batch: Batch, chunk: Chunk, summary: BatchSummary) -> None:
    tenants = sorted({record.tenant_id for record in chunk.records})
    await connection.execute(
        _KEEP, batch.id, batch.key_tenant_id, batch.key_id, batch.format, batch.on_conflict, chunk.last,
        summary.received, summary.created, summary.updated, summary.unchanged, summary.skipped, summary.duplicate,
        summary.rejected, tenants,
    )  # fmt: skip


async def get(pool: Pool, batch_id: UUID, tenant_id: str | None) -> StoredBatch | None:
    """The account of a batch. `tenant_id` confines to what came with a key bound to that tenant."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_GET, batch_id, tenant_id)
    return None if row is None else msgspec.convert({k: v for k, v in row.items() if v is not None}, StoredBatch)


class Latest(Struct, frozen=True, kw_only=True):
    """A batch as it is listed."""

    id: UUID
    format: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    received: int
    stored: int
    rejected: int


async def latest(pool: Pool, tenant_id: str, key_tenant_id: str | None, most: int) -> list[Latest]:
    """The latest batches with records of a tenant; `key_tenant_id` as for `get`."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_LATEST, tenant_id, key_tenant_id, most)
    return [msgspec.convert(dict(row), Latest) for row in rows]


async def undo(pool: Pool, batch: StoredBatch) -> int:
    """Deletes the records that the batch created and nobody changed since, in small steps; how many there were."""
    deleted = 0
    for tenant_id in batch.tenants:
        since, step = batch.started_at, _UNDO_STEP
        while step == _UNDO_STEP:
            step, since = await _undo_step(pool, batch, tenant_id, since)
            deleted += step
    async with pool.acquire() as connection:
        await connection.execute(_UNDONE, batch.id)
    return deleted


async def _undo_step(pool: Pool, batch: StoredBatch, tenant_id: str, since: datetime) -> tuple[int, datetime]:
    """How many records were deleted, and from when on the next step looks: what it passed need not be read again."""
    async with pool.acquire() as connection:
        row = await retry_deadlocks(
            lambda: connection.fetchrow(_UNDO, tenant_id, batch.id, since, _end(batch), _UNDO_STEP)
        )
    assert row is not None  # noqa: S101 - a count
    return row["deleted"], row["latest"] or since


async def undoable(pool: Pool, batch: StoredBatch) -> int:
    """How many records `undo` would delete."""
    async with pool.acquire() as connection:
        number: int = await connection.fetchval(_UNDOABLE, batch.tenants, batch.id, batch.started_at, _end(batch))
    return number


def _end(batch: StoredBatch) -> datetime | None:
    # A batch that was broken off, or still runs, has no end.
    return None if batch.finished_at is UNSET else batch.finished_at
