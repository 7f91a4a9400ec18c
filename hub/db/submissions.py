"""Submissions: the latest snapshot of each, and the records made of it. One submission is one transaction.

How a payload becomes records is not known here: a pure function comes with each call, and is called again when a deadlock
made the transaction start anew.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias, TypeVar

import asyncpg
from msgspec import Raw, Struct

from hub.db import Connection, Pool, encoded, new_id, query, retry_deadlocks
from hub.model import NewRecord

_OPEN = query("submissions/open")
_LOCK = query("submissions/lock")
_KEEP = query("submissions/keep")
_SYNC = query("submissions/sync")
_PAGE_OF_FORM = query("submissions/page_of_form")
_OPEN_FORM = query("forms/open")
_SHARE_FORM = query("forms/share")

_PAGE = 500
_MAX_ATTEMPTS = 5


class Submission(Struct, frozen=True, kw_only=True):
    """A row of submissions."""

    tenant_id: str
    submission_id: str
    source: str
    form_id: str | None
    user_id: str | None
    status: str
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: float | None
    snapshot_order: str
    payload: Raw
    options: Raw


class Stored(Struct, frozen=True, kw_only=True):
    """What a source needs of a stored submission."""

    submission_id: str
    form_id: str | None
    payload: Raw
    options: Raw


class Flattened(Struct, frozen=True, kw_only=True):
    """What a submission becomes."""

    submission: Submission
    source_type: str
    """Records of this type that the submission has beyond `records` are no longer true."""
    records: list[NewRecord]


class Changes(Struct, frozen=True, kw_only=True):
    """How the records of a submission changed."""

    created: int
    updated: int
    unchanged: int
    deleted: int


class Stale(Struct, frozen=True):
    """A newer snapshot is stored already; nothing changed."""


class Foreign(Struct, frozen=True):
    """Another source has a submission of this id; nothing changed."""

    source: str


F = TypeVar("F", bound=Flattened)
# The stored submission, if there is one, and the definition of its form, if there is one.
Flatten: TypeAlias = Callable[[Stored | None, Raw | None], F]
Again: TypeAlias = Callable[[Stored, Raw | None], F]


async def take(pool: Pool, arrived: Submission, flatten: Flatten[F]) -> tuple[F, Changes] | Stale | Foreign:
    """Makes the submission what its snapshot says, unless a newer one was there first. Of equal ones the later wins."""

    async def attempt() -> tuple[F, Changes] | Stale | Foreign:
        async with connection.transaction():
            row = await _opened(connection, arrived)
            if row["source"] != arrived.source:
                return Foreign(row["source"])
            if arrived.snapshot_order < row["snapshot_order"]:
                return Stale()
            form_id = arrived.form_id or row["form_id"]
            definition = await _definition(connection, arrived.tenant_id, arrived.source, form_id)
            flattened = flatten(_stored(row), definition)
            return flattened, await _settle(connection, flattened)

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def flatten_again(pool: Pool, tenant_id: str, source: str, form_id: str, flatten: Again[Flattened]) -> int:
    """Flattens the kept submissions of a form again, each in a transaction of its own; how many there were."""
    count, last = 0, ""
    while True:
        async with pool.acquire() as connection:
            rows = await connection.fetch(_PAGE_OF_FORM, tenant_id, source, form_id, last, _PAGE)
        for row in rows:
            last = row["submission_id"]
            count += await _again(pool, tenant_id, last, flatten)
        if len(rows) < _PAGE:
            return count


async def _again(pool: Pool, tenant_id: str, submission_id: str, flatten: Again[Flattened]) -> bool:
    async def attempt() -> bool:
        async with connection.transaction():
            row = await connection.fetchrow(_LOCK, tenant_id, submission_id)
            stored = None if row is None else _stored(row)
            if row is None or stored is None:  # erased since the page was read
                return False
            definition = await _definition(connection, tenant_id, row["source"], stored.form_id)
            await _settle(connection, flatten(stored, definition))
            return True

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def _opened(connection: Connection, arrived: Submission) -> asyncpg.Record:
    """The submission's row, locked; a new one when there was none."""
    key = (arrived.tenant_id, arrived.submission_id)
    for _ in range(_MAX_ATTEMPTS):
        await connection.execute(_OPEN, *key, arrived.source, arrived.form_id)
        row = await connection.fetchrow(_LOCK, *key)
        if row is not None:
            return row
        # Erased between the two statements.
    raise TimeoutError("the same submission was erased again and again while it was stored")


def _stored(row: asyncpg.Record) -> Stored | None:
    if row["payload"] is None:
        return None
    return Stored(
        submission_id=row["submission_id"],
        form_id=row["form_id"],
        payload=Raw(row["payload"].encode()),
        options=Raw(row["options"].encode()),
    )


async def _definition(connection: Connection, tenant_id: str, source: str, form_id: str | None) -> Raw | None:
    if form_id is None:
        return None
    await connection.execute(_OPEN_FORM, tenant_id, source, form_id)
    text: str | None = await connection.fetchval(_SHARE_FORM, tenant_id, source, form_id)
    return None if text is None else Raw(text.encode())


async def _settle(connection: Connection, flattened: Flattened) -> Changes:
    kept = flattened.submission
    rows = encoded([(new_id(), record) for record in flattened.records])
    counts = await connection.fetchrow(_SYNC, kept.tenant_id, kept.submission_id, flattened.source_type, rows)
    assert counts is not None  # noqa: S101 - an aggregate has one row
    await connection.execute(
        _KEEP, kept.tenant_id, kept.submission_id, kept.form_id, kept.user_id, kept.status, kept.started_at,
        kept.completed_at, kept.duration_seconds, kept.snapshot_order, bytes(kept.payload).decode(),
        bytes(kept.options).decode(),
    )  # fmt: skip
    return Changes(
        created=counts["created"],
        updated=counts["written"] - counts["created"],
        unchanged=counts["produced"] - counts["written"],
        deleted=counts["deleted"],
    )
