"""Submissions: the latest snapshot of each, and the records made of it. One submission is one transaction.

How a payload becomes records is not known here: a pure function comes with each call, and is called again when a deadlock
made the transaction start anew.

What was erased is marked, and what a payload says of it is held back.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, TypeVar

import asyncpg
import msgspec
from msgspec import Raw, Struct

from hub.cursors import SubmissionCursor, SubmissionPaging
from hub.db import Connection, Pool, encoded, erasures, new_ids, query, retry_deadlocks
from hub.db.erasures import Marker, Markers
from hub.model import NewRecord, Status, SubmissionFilter

_OPEN = query("submissions/open")
_LOCK = query("submissions/lock")
_KEEP = query("submissions/keep")
_SYNC = query("submissions/sync")
_FORGET = query("submissions/forget")
_NAMED_BY_VENDOR = query("submissions/named_by_vendor")
_EXPIRE = query("submissions/expire")
_PAGE_ROWS = query("submissions/page")
_GET = query("submissions/get")
_RECORDS = query("submissions/records")
_PAGE_SELECTED = query("submissions/page_selected")
_COUNT_SELECTED = query("submissions/count_selected")
_GET_RUN = query("reflattenings/get")
_KEEP_RUN = query("reflattenings/keep")
_FINISH_RUN = query("reflattenings/finish")
_PAGE_OF_FORM = query("submissions/page_of_form")
_OPEN_FORM = query("forms/open")
_SHARE_FORM = query("forms/share")

_PAGE = 500
_MAX_ATTEMPTS = 5
_EXPIRY_STEP = 1000


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


class SubmissionRow(Struct, frozen=True, kw_only=True):
    """A submission as it is shown."""

    tenant_id: str
    submission_id: str
    source: str
    form_id: str | None
    user_id: str | None
    status: Status
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: float | None
    received_at: datetime
    payload_kept: bool
    time: datetime
    """What the list is ordered by."""


class Stale(Struct, frozen=True):
    """A newer snapshot is stored already; nothing changed."""


class Foreign(Struct, frozen=True):
    """Another source has a submission of this id; nothing changed."""

    source: str


F = TypeVar("F", bound=Flattened)
# The stored submission, if there is one, and the definition of its form, if there is one.
Flatten: TypeAlias = Callable[[Stored | None, Raw | None], F]
Again: TypeAlias = Callable[[Stored, Raw | None], F]
Marks: TypeAlias = Mapping[bytes, datetime]


async def take(
    pool: Pool, markers: Markers, arrived: Submission, flatten: Flatten[F]
) -> tuple[F, Changes, list[str]] | Stale | Foreign:
    """Makes the submission what its snapshot says, unless a newer one was there first. Of equal ones the later wins.

    The list has the fields that were held back, because they, the submission or its user were erased; the empty text stands
    for a submission without any.
    """
    key = (arrived.tenant_id, arrived.submission_id)
    user = None if arrived.user_id is None else markers.user(None, arrived.user_id)

    async def attempt() -> tuple[F, Changes, list[str]] | Stale | Foreign:
        async with connection.transaction():
            await erasures.share(connection, markers.submission(*key), user)
            row, is_new = await _opened(connection, arrived)
            if row["source"] != arrived.source:
                return Foreign(row["source"])
            is_stale = arrived.snapshot_order < row["snapshot_order"]
            # An old snapshot may be the first to name a person who was erased: then what a newer one left is theirs, too.
            if is_stale and (arrived.user_id is None or not await _was_erased(connection, markers, arrived)):
                return Stale()
            form_id = arrived.form_id or row["form_id"]
            definition = await _definition(connection, arrived.tenant_id, arrived.source, form_id)
            flattened = flatten(None if is_stale else _stored(row), definition)
            return flattened, *await _settle(connection, markers, flattened, is_new=is_new)

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def flatten_again(  # noqa: PLR0913, PLR0917 - a form is named by three
    pool: Pool, markers: Markers, tenant_id: str, source: str, form_id: str, flatten: Again[Flattened]
) -> int:
    """Flattens the kept submissions of a form again, each in a transaction of its own; how many there were."""
    count, last = 0, ""
    while True:
        async with pool.acquire() as connection:
            rows = await connection.fetch(_PAGE_OF_FORM, tenant_id, source, form_id, last, _PAGE)
        for row in rows:
            last = row["submission_id"]
            count += await _again(pool, markers, tenant_id, last, flatten)
        if len(rows) < _PAGE:
            return count


async def _again(pool: Pool, markers: Markers, tenant_id: str, submission_id: str, flatten: Again[Flattened]) -> bool:
    async def attempt() -> bool:
        async with connection.transaction():
            await erasures.share(connection, markers.submission(tenant_id, submission_id))
            row = await connection.fetchrow(_LOCK, tenant_id, submission_id)
            stored = None if row is None else _stored(row)
            if row is None or stored is None:  # erased since the page was read
                return False
            definition = await _definition(connection, tenant_id, row["source"], stored.form_id)
            await _settle(connection, markers, flatten(stored, definition), is_new=False)
            return True

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def _opened(connection: Connection, arrived: Submission) -> tuple[asyncpg.Record, bool]:
    """The submission's row, locked, and whether it is new."""
    key = (arrived.tenant_id, arrived.submission_id)
    for _ in range(_MAX_ATTEMPTS):
        opened = await connection.execute(_OPEN, *key, arrived.source, arrived.form_id)
        row = await connection.fetchrow(_LOCK, *key)
        if row is not None:
            return row, opened != "INSERT 0 0"
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


async def _settle(
    connection: Connection, markers: Markers, flattened: Flattened, *, is_new: bool
) -> tuple[Changes, list[str]]:
    """Stores what was not erased; the fields that were are named."""
    kept, records = flattened.submission, flattened.records
    marks = await erasures.find(connection, kept.tenant_id, _markers(markers, kept, records))
    if _is_erased(markers, kept, marks):
        changes = await _remove(connection, markers, flattened, is_new=is_new)
        return changes, [record.field_id for record in records] or [""]
    # By name, for field ids are unique within a submission. A question that was erased may have had thousands of parts.
    held = {record.field_id: None for record in records if _is_held(markers, record, marks)} if marks else {}
    records = [record for record in records if record.field_id not in held]
    changes = await _sync(connection, flattened, records, list(held))
    await connection.execute(
        _KEEP, kept.tenant_id, kept.submission_id, kept.form_id, kept.user_id, kept.status, kept.started_at,
        kept.completed_at, kept.duration_seconds, kept.snapshot_order, bytes(kept.payload).decode(),
        bytes(kept.options).decode(),
    )  # fmt: skip
    return changes, list(held)


async def _sync(
    connection: Connection, flattened: Flattened, records: Sequence[NewRecord], held: Sequence[str]
) -> Changes:
    kept = flattened.submission
    rows = encoded(list(zip(new_ids(len(records)), records, strict=True)))
    counts = await connection.fetchrow(
        _SYNC,
        kept.tenant_id,
        kept.submission_id,
        flattened.source_type,
        rows,
        msgspec.json.encode(held).decode(),
    )
    assert counts is not None  # noqa: S101 - an aggregate has one row
    return Changes(
        created=counts["created"],
        updated=counts["written"] - counts["created"],
        unchanged=counts["produced"] - counts["written"],
        deleted=counts["deleted"],
    )


async def _remove(connection: Connection, markers: Markers, flattened: Flattened, *, is_new: bool) -> Changes:
    """The submission of somebody who was erased. What another channel, that did not name them, had brought goes too.

    Records of a submission that no payload had brought were posted directly, and stay.
    """
    key = (flattened.submission.tenant_id, flattened.submission.submission_id)
    changes = (
        Changes(created=0, updated=0, unchanged=0, deleted=0) if is_new else await _sync(connection, flattened, [], [])
    )
    await connection.execute(_FORGET, *key)
    # Marked by its id as well, for the channels that do not name the person.
    await erasures.mark(connection, [markers.submission(*key)])
    return changes


async def _was_erased(connection: Connection, markers: Markers, arrived: Submission) -> bool:
    marks = await erasures.find(connection, arrived.tenant_id, _markers(markers, arrived, []))
    return _is_erased(markers, arrived, marks)


def _markers(markers: Markers, kept: Submission, records: Sequence[NewRecord]) -> list[Marker]:
    """Everything that may have been erased of a submission."""
    key = (kept.tenant_id, kept.submission_id)
    users = [] if kept.user_id is None else [markers.user(where, kept.user_id) for where in (kept.tenant_id, None)]
    names = dict.fromkeys(name for record in records for name in (record.field_id, record.field_group_id) if name)
    return [markers.submission(*key), *users, *(markers.record(*key, name) for name in names)]


def _is_erased(markers: Markers, kept: Submission, marks: Marks) -> bool:
    """A submission is erased by its id; a user's are when they were begun before the erasure, the later ones are not."""
    if markers.submission(kept.tenant_id, kept.submission_id).hash in marks:
        return True
    times = [moment for moment in (kept.started_at, kept.completed_at) if moment is not None]
    if kept.user_id is None or not times:  # without a time it is from now
        return False
    erased = (marks.get(markers.user(where, kept.user_id).hash) for where in (kept.tenant_id, None))
    return any(moment is not None and min(times) < moment for moment in erased)


def _is_held(markers: Markers, record: NewRecord, marks: Marks) -> bool:
    """Whether the answer was erased: by its own name, or with its question while that was not defined."""
    key = (record.tenant_id, record.submission_id)
    if markers.record(*key, record.field_id).hash in marks:
        return True
    if not record.field_group_id or markers.record(*key, record.field_group_id).hash not in marks:
        return False
    metadata = bytes(record.metadata)
    return not (metadata and msgspec.json.decode(metadata, type=_Makeshift).definition_missing)


class _Makeshift(Struct):
    """What a record's metadata say when its question is not defined: the parts of it are named by what they hold."""

    definition_missing: bool = False


async def page(
    pool: Pool, selection: SubmissionFilter, paging: SubmissionPaging
) -> tuple[list[SubmissionRow], SubmissionCursor | None]:
    """The submissions of one page, latest first, and where the next page begins, if there is one."""
    after = (paging.cursor.t, paging.cursor.n) if paging.cursor is not None else (None, None)
    async with pool.acquire() as connection:
        # One more than asked for tells whether there is a next page.
        found = await connection.fetch(_PAGE_ROWS, *msgspec.structs.astuple(selection), *after, paging.size + 1)
    rows = [msgspec.convert(dict(row), SubmissionRow) for row in found[: paging.size]]
    if len(found) <= paging.size:
        return rows, None
    return rows, SubmissionCursor(t=rows[-1].time, n=rows[-1].submission_id)


async def get(
    pool: Pool, tenant_id: str, submission_id: str, *, payload: bool
) -> tuple[SubmissionRow, list[str], str | None] | None:
    """A submission, its records as JSON texts and, when asked for, its payload as one; None when there is none."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(_GET, tenant_id, submission_id, payload)
        if row is None:
            return None
        records = await connection.fetch(_RECORDS, tenant_id, submission_id)
    return msgspec.convert(dict(row), SubmissionRow), [record[0] for record in records], row["payload"]


async def named_by_vendor(pool: Pool, tenant_id: str, source: str, form_id: str) -> list[str]:
    """The submissions of a form that the vendor knows, or knew: they have its ids, and payloads that say so."""
    async with pool.acquire() as connection:
        return [row["submission_id"] for row in await connection.fetch(_NAMED_BY_VENDOR, tenant_id, source, form_id)]


async def remove(pool: Pool, markers: Markers, tenant_id: str, submission_id: str, source_type: str) -> bool:
    """Deletes a submission that its vendor has deleted, and the records made of it; whether there was one.

    It leaves no marker: what the vendor has again, comes again.
    """

    async def attempt() -> bool:
        async with connection.transaction():
            await erasures.share(connection, markers.submission(tenant_id, submission_id))
            if await connection.fetchrow(_LOCK, tenant_id, submission_id) is None:
                return False
            await connection.fetchrow(_SYNC, tenant_id, submission_id, source_type, "[]", "[]")
            await connection.execute(_FORGET, tenant_id, submission_id)
            return True

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def expire_payloads(pool: Pool, days: int) -> int:
    """Forgets the payloads that were received longer ago, in small steps; how many there were."""
    count = 0
    while True:
        async with pool.acquire() as connection:
            status = await connection.execute(_EXPIRE, days, _EXPIRY_STEP)
        step = int(status.rpartition(" ")[2])
        count += step
        if step < _EXPIRY_STEP:
            return count


class Selection(Struct, frozen=True, kw_only=True):
    """What is to be flattened again; None is all."""

    source: str | None = None
    form_id: str | None = None
    tenant_id: str | None = None


class Extent(Struct, frozen=True, kw_only=True):
    """How much a selection has."""

    kept: int
    """With a payload."""
    expired: int
    """Those whose payload is gone stay as they are: its retention ended."""


async def extent(pool: Pool, selection: Selection) -> Extent:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_COUNT_SELECTED, *msgspec.structs.astuple(selection))
    return msgspec.convert(dict(row or {}), Extent)


async def flatten_selected(
    pool: Pool,
    markers: Markers,
    selection: Selection,
    version: str,
    again: Callable[[str, str], Again[Flattened] | None],
) -> AsyncIterator[int]:
    """Flattens the kept submissions of a selection again; how many are done, after each page.

    A run that was broken off goes on where it stopped, unless another version of the hub began it. `again` gives the flattener
    for a tenant and a source, or None for a source that is no more.
    """
    name = msgspec.json.encode(selection).decode()
    async with pool.acquire() as connection:
        run = await connection.fetchrow(_GET_RUN, name, version)
    done: int = 0 if run is None else run["done"]
    last: tuple[str, str] = ("", "") if run is None else (run["last_tenant"], run["last_submission"])
    while True:
        yield done
        async with pool.acquire() as connection:
            rows = await connection.fetch(_PAGE_SELECTED, *msgspec.structs.astuple(selection), *last, _PAGE)
            if not rows:
                await connection.execute(_FINISH_RUN, name)
                return
        for row in rows:
            last = (row["tenant_id"], row["submission_id"])
            if (flatten := again(row["tenant_id"], row["source"])) is not None:
                done += await _again(pool, markers, *last, flatten)
        async with pool.acquire() as connection:
            await connection.execute(_KEEP_RUN, name, version, *last, done)
