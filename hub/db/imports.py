"""Records of another hub, moved over as they are: ids, times and enrichment too.

A page, what of it could not be stored, what is gone since, and how far the move is are one transaction.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import msgspec
from msgspec import Meta, Raw, Struct, structs

from hub.cursors import Sort
from hub.db import UNSTORABLE, Connection, query, retry_deadlocks
from hub.db.batches import Rejected

_STATE = query("imports/state")
_KEEP = query("imports/keep")
_KNOWN = query("imports/known")
_WRITE = query("imports/write")
_BETWEEN: dict[Sort, str] = {
    "collected_at": query("imports/between_collected"),
    "created_at": query("imports/between_created"),
}
_DELETE = query("imports/delete")
_DISPLACE = query("imports/displace")
_REJECT = query("imports/reject")
_OURS = query("imports/ours")
_THEIR_TENANTS = query("imports/their_tenants")
_THEIR_PAGE = query("imports/their_page")
_THEIR_COUNT = query("imports/their_count")
_THEIR_IDS = query("imports/their_ids")

# As the hub's own connections: optional bounds need a plan for their values to use an index.
SESSION = {
    "application_name": "hub import-hub",
    "TimeZone": "UTC",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
PREFETCH = 2_000
THEIR_PAGE = 5_000
_REFUSED: tuple[type[Exception], ...] = (*UNSTORABLE, asyncpg.IntegrityConstraintViolationError)
_UNPROCESSABLE = 422
_MAX_ATTEMPTS = 5

Instant = Annotated[datetime, Meta(tz=True)]
Fate = Literal["created", "updated", "unchanged", "kept", "deleted", "rejected"]


class Moved(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A record of another hub: the members of ours, with the limits of the table instead of those of the API."""

    id: UUID
    collected_at: Instant
    created_at: Instant
    updated_at: Instant
    source_type: str
    source_id: str | None = None
    source_name: str | None = None
    field_id: str
    field_label: str | None = None
    field_type: str
    field_group_id: str | None = None
    field_group_label: str | None = None
    value_text: str | None = None
    value_id: str | None = None
    value_number: float | None = None
    value_boolean: bool | None = None
    value_date: Instant | None = None
    metadata: Raw = Raw()
    language: str | None = None
    user_id: str | None = None
    tenant_id: str
    submission_id: str
    value_text_translated: str | None = None
    translation_lang_key: str | None = None
    sentiment: str | None = None
    sentiment_score: float | None = None
    emotions: list[str] | None = None

    @property
    def digest(self) -> int:
        """Of the record as parsed JSON: how a hub spells numbers, escapes and zones makes no difference."""
        changes: dict[str, object] = {
            name: moment.astimezone(UTC)
            for name in _TIMES
            if (moment := getattr(self, name)) is not None and moment.tzinfo is not UTC
        }
        # Minus zero is a number of its own to a float, and none to JSON in Postgres.
        changes |= {name: 0.0 for name in ("value_number", "sentiment_score") if getattr(self, name) == 0}
        if self.metadata:
            changes["metadata"] = Raw(_canonical.encode(_metadata.decode(bytes(self.metadata).decode())))
        text = _canonical.encode(structs.replace(self, **changes) if changes else self)
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def _number(text: str) -> str:
    """A number of any length in the one way to write it; as a float, long ones would be alike."""
    sign, digits, exponent = Decimal(text).as_tuple()
    written = "".join(map(str, digits)).lstrip("0")
    significant = written.rstrip("0")
    return f"{'-' * sign}{significant}e{int(exponent) + len(written) - len(significant)}" if significant else "0"


_metadata = json.JSONDecoder(parse_float=_number, parse_int=_number)
_canonical = msgspec.json.Encoder(order="deterministic")
_TIMES = ("collected_at", "created_at", "updated_at", "value_date")
_COLUMNS = Moved.__struct_fields__
_decoder = msgspec.json.Decoder(Moved)


class Move(Struct, frozen=True):
    """One tenant of one other hub."""

    id: UUID
    """Of the hub: made from its address, so that a later run goes on with it."""
    tenant_id: str


class Refused(Struct, frozen=True):
    """A record that cannot be stored here, as it was there, and why."""

    id: UUID | None
    raw: bytes
    reason: str


class Position(Struct, frozen=True):
    """Where a page ends, in the order of the walk."""

    at: Instant
    id: UUID


class State(Struct, kw_only=True, frozen=True):
    """How far a walk through a tenant is, and what it did so far."""

    sort: Sort
    cursor: str | None = None
    position: Position | None = None
    read: int = 0
    checksum: int = 0
    """Of the records read, those aside that were refused: the sum of their digests."""
    counts: dict[str, int] = {}
    finished: bool = False


class Sum(Struct, frozen=True):
    """How many records there are, and the sum of their digests."""

    count: int
    checksum: int


class Read(Struct, frozen=True):
    """A page of the other hub, read."""

    records: list[Moved]
    digests: dict[UUID, int]
    refused: list[Refused]
    ids: frozenset[UUID]
    unknown: Counter[str]
    """Members that a record here has no place for."""


class _Id(Struct):
    id: UUID


def identity(address: str) -> UUID:
    """Of another hub, by its address."""
    return uuid5(NAMESPACE_URL, address)


def read(page: Sequence[bytes], tenant_id: str) -> Read:
    """The records of a page, and those that cannot be records here."""
    records: list[Moved] = []
    digests: dict[UUID, int] = {}
    refused: list[Refused] = []
    ids: set[UUID] = set()
    unknown: Counter[str] = Counter()
    for raw in page:
        record_id: UUID | None = None
        try:
            record_id = msgspec.json.decode(raw, type=_Id).id
            ids.add(record_id)
            record = _decoder.decode(raw)
            digest = record.digest  # a time that overflows in UTC shows here
            if record.tenant_id != tenant_id or tenant_id != tenant_id.strip():
                refused.append(Refused(record_id, raw, "tenant_id: no list here would show it"))
                continue
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError, RecursionError) as error:
            refused.append(Refused(record_id, raw, str(error)))
            continue
        records.append(record)
        digests[record.id] = digest
        unknown.update(msgspec.json.decode(raw, type=dict[str, Raw]).keys() - set(_COLUMNS))
    return Read(records, digests, refused, frozenset(ids), unknown)


async def state(connection: Connection, move: Move) -> State | None:
    """Where the last run ended."""
    text = await connection.fetchval(_STATE, move.id, move.tenant_id)
    return None if text is None else msgspec.json.decode(text, type=State)


async def missing(
    connection: Connection, move: Move, before: State, upto: Position | None, ids: frozenset[UUID]
) -> list[UUID]:
    """What came from the other hub before, and is not on the page that begins there. It may be gone."""
    bounds = [
        part
        for at in (before.position, upto)
        for part in ((at.at.astimezone(UTC).isoformat(), at.id) if at is not None else (None, None))
    ]
    rows = await connection.fetch(_BETWEEN[before.sort], move.tenant_id, move.id, *bounds)
    return [row["id"] for row in rows if row["id"] not in ids]


async def store(connection: Connection, move: Move, page: Read, gone: Sequence[UUID], then: State) -> State:
    """Brings what is here to what the page says. `then` is the state that is reached, but for what this adds to it."""

    async def attempt() -> State:
        async with connection.transaction():
            counts, refused = await _settle(connection, move, page)
            if gone:
                counts["deleted"] += await connection.fetchval(_DELETE, move.tenant_id, move.id, list(gone))
            if everything := [*page.refused, *refused]:
                counts["rejected"] += len(everything)
                kept = [_kept(move, each) for each in everything]
                await connection.execute(_REJECT, msgspec.json.encode(kept).decode())
            counts.update({f"without {name}": number for name, number in page.unknown.items()})
            left_out = {each.id for each in refused}
            checksum = sum(digest for key, digest in page.digests.items() if key not in left_out)
            reached = structs.replace(
                then,
                checksum=(then.checksum + checksum) % (1 << 64),
                counts=dict(Counter(then.counts) + counts),
            )
            await connection.execute(_KEEP, move.id, move.tenant_id, msgspec.json.encode(reached).decode())
            return reached

    return await retry_deadlocks(attempt)


async def _settle(connection: Connection, move: Move, page: Read) -> tuple[Counter[str], list[Refused]]:
    """Decides for each record what becomes of it, and writes what is not here as it should be.

    Of two versions the one that was changed last stands; but a record that nobody changed since it came here directly, from
    clients that post to both hubs for a while, becomes the old one. The id and the time of arrival are always the old ones.
    """
    keys = [[getattr(record, name) for record in page.records] for name in ("submission_id", "field_id")]
    known = {
        (record.submission_id, record.field_id): (record, row["batch_id"])
        for row in await connection.fetch(_KNOWN, move.tenant_id, *keys)
        for record in (_decoder.decode(row["record"]),)
    }
    fates: dict[UUID, Fate] = {}
    written: list[Moved] = []
    for record in page.records:
        here, batch_id = known.get((record.submission_id, record.field_id), (None, None))
        if here is None:
            fates[record.id] = "created"
            written.append(record)
            continue
        untouched = batch_id != move.id and here.updated_at == here.created_at
        stands = here.updated_at > record.updated_at and not untouched
        wanted = structs.replace(here, id=record.id, created_at=record.created_at) if stands else record
        digest = wanted.digest if stands else page.digests[record.id]
        if digest == here.digest and batch_id == move.id:
            fates[record.id] = "kept" if stands else "unchanged"
        else:
            fates[record.id] = "kept" if stands else "updated"
            written.append(wanted)
    refused = await _write(connection, move, written)
    for each in refused:
        fates.pop(each.id)  # type: ignore[arg-type] # these were records, and have an id
    counts: Counter[str] = Counter(fates.values())
    return counts, refused


async def _write(connection: Connection, move: Move, records: Sequence[Moved]) -> list[Refused]:
    """Writes them, and returns those that the table cannot hold: found by halves, since one spoils the statement."""
    if not records:
        return []
    try:
        async with connection.transaction():
            await _put(connection, move, records)
    except asyncpg.DeadlockDetectedError:
        raise
    except _REFUSED as error:
        if len(records) == 1:
            return [Refused(records[0].id, msgspec.json.encode(records[0]), str(error))]
    else:
        return []
    middle = len(records) // 2
    return [
        *await _write(connection, move, records[:middle]),
        *await _write(connection, move, records[middle:]),
    ]


async def _put(connection: Connection, move: Move, records: Sequence[Moved]) -> None:
    for _ in range(_MAX_ATTEMPTS):
        keys = [[getattr(record, name) for record in records] for name in ("submission_id", "field_id", "id")]
        await connection.execute(_DISPLACE, move.tenant_id, *keys)
        rows = await connection.fetch(_WRITE, move.id, msgspec.json.encode(records).decode())
        written = {row["record_id"] for row in rows}
        # One with the same key was posted in between.
        records = [record for record in records if record.id not in written]
        if not records:
            return
    raise TimeoutError("the same records were posted again and again while they moved over")


def _kept(move: Move, refused: Refused) -> Rejected:
    raw = refused.raw.decode(errors="replace").replace("\0", "�")
    # One row for each record, whatever the number of runs.
    name = str(refused.id) if refused.id else raw
    problem = {"title": "Validation Error", "status": _UNPROCESSABLE, "detail": refused.reason, "code": "validation"}
    return Rejected(
        tenant_id=move.tenant_id, id=uuid5(move.id, name), batch_id=move.id, position=0, user_id=_user(refused.raw), raw=raw,
        status=_UNPROCESSABLE, problem=Raw(msgspec.json.encode(problem)),
    )  # fmt: skip


class _User(Struct):
    user_id: str | None = None


def _user(raw: bytes) -> str | None:
    try:
        found = msgspec.json.decode(raw, type=_User).user_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found.replace("\0", "�") if found else None


async def here(connection: Connection, move: Move) -> Sum:
    """What came of a tenant, read back."""
    count = checksum = 0
    async for text in _texts(connection, move):
        count += 1
        checksum = (checksum + _decoder.decode(text).digest) % (1 << 64)
    return Sum(count, checksum)


async def _texts(connection: Connection, move: Move) -> AsyncIterator[str]:
    async with connection.transaction(readonly=True):
        async for row in connection.cursor(_OURS, move.tenant_id, move.id, prefetch=PREFETCH):
            yield row["record"]


class TheirDatabase:
    """The other hub's Postgres. It is only read."""

    sort: Sort = "collected_at"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # A page is fetched ahead while other things are asked.
        self._lock = asyncio.Lock()

    async def tenants(self) -> list[str]:
        async with self._lock:
            return [row["tenant_id"] for row in await self._connection.fetch(_THEIR_TENANTS)]

    async def count(self, tenant_id: str) -> int:
        async with self._lock:
            number: int = await self._connection.fetchval(_THEIR_COUNT, tenant_id)
        return number

    async def page(self, tenant_id: str, cursor: str | None) -> tuple[list[bytes], str | None]:
        """The records after the cursor as JSON, and the next cursor, if there may be more."""
        at, last = msgspec.json.decode(cursor, type=tuple[str, UUID]) if cursor else (None, None)
        async with self._lock:
            rows = await self._connection.fetch(_THEIR_PAGE, tenant_id, at, last, THEIR_PAGE)
        following = None
        if len(rows) == THEIR_PAGE:
            following = msgspec.json.encode((rows[-1]["collected_at"], rows[-1]["id"])).decode()
        return [row["record"].encode() for row in rows], following

    async def gone(self, ids: Sequence[UUID]) -> list[UUID]:
        """Which of these records are no longer there."""
        async with self._lock:
            there = {row["id"] for row in await self._connection.fetch(_THEIR_IDS, list(ids))}
        return [each for each in ids if each not in there]
