"""`/v1/feedback-records/batch`: many records in one request, stored and answered for one by one.

NDJSON and CSV are streamed: while Postgres stores some chunks, the next is read and checked. Memory holds four, whatever the
length of the stream.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec
from litestar import Response, post
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, structs

from hub.api import params
from hub.api.faults import unfit
from hub.api.openapi import Operation
from hub.api.problems import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    Forbidden,
    InvalidParam,
    Problem,
    ProblemDocument,
    UnsupportedMediaType,
    ValidationFailed,
)
from hub.api.strict import StrictRequest, record
from hub.api.tables import Columns
from hub.db import batches, new_id
from hub.db.batches import NO_TENANT, Batch, Chunk, Rejected, Settled
from hub.db.records import Key, key
from hub.model import BatchSummary, Fate, NewRecord, OnConflict, TenantId, TenantRecord
from hub.streams import (
    MAX_ITEM_BYTES,
    BrokenStreamError,
    CsvSplitter,
    Encoding,
    Inflater,
    Item,
    NdjsonSplitter,
    TooLargeError,
)

MAX_RECORDS = 10_000
MAX_JSON_BYTES = 32 * 1024 * 1024
CHUNK_RECORDS = 2_000
CHUNK_BYTES = 4 * 1024 * 1024
MAX_INLINE = 1_000
MAX_NAME_LENGTH = 255
_TURN = 20
# Chunks of one stream that Postgres stores at the same time, each on a connection of its own. A large table keeps Postgres waiting for
# memory; a third connection makes up for that.
_AT_ONCE = 3
_NOT_STORED = 424
_ESCAPE = re.compile(rb"\\(?:(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_MINIMAL = re.compile(r"(?:^|,)\s*return\s*=\s*\"?minimal\b", re.IGNORECASE)

Format = Literal["json", "ndjson", "csv"]

_FORMATS: dict[str, Format] = {
    "": "json",
    "application/json": "json",
    "text/plain": "json",
    "application/x-www-form-urlencoded": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
}
_ENCODINGS: dict[str, Encoding] = {
    "": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd",
}  # fmt: skip
_STATUS: dict[Fate, int] = {"created": 201, "updated": 200, "unchanged": 200, "skipped": 200, "duplicate": 409}


class Batching(Struct, kw_only=True, frozen=True):
    """How a batch is stored."""

    on_conflict: OnConflict = "error"
    atomic: bool = False
    dry_run: bool = False
    strict: bool = False
    tenant_id: (
        Annotated[
            TenantId, Meta(description="The tenant of records that name none. One that names another is rejected.")
        ]
        | None
    ) = None
    first_line: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="NDJSON and CSV that are part of a file: on which line of it they begin, after the header. `line` counts on from there.",
            ),
        ]
        | None
    ) = None


class BatchResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one item: `index` in a JSON batch, from 0; `line` in a stream, from 1.

    A `skipped` item with status 424 would have been stored, had nothing else of its atomic batch failed.
    """

    index: int | UnsetType = UNSET
    line: int | UnsetType = UNSET
    status: int
    outcome: Fate | Literal["rejected"]
    id: UUID | UnsetType = UNSET
    submission_id: str | UnsetType = UNSET
    field_id: str | UnsetType = UNSET
    error: ProblemDocument | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a batch. Of a stream, `results` has the first 1,000 items that were rejected."""

    batch_id: UUID
    dry_run: bool = False
    summary: BatchSummary
    results: list[BatchResult]


@post(
    "/v1/feedback-records/batch",
    status_code=200,
    request_max_body_size=None,
    opt={
        "operation": Operation(
            scope="write",
            tag="batches",
            query=(Batching,),
            body=list[NewRecord],
            answers={200: BatchAnswer, 207: BatchAnswer, 422: BatchAnswer},
            problems=(400, 413, 415, 429),
            streams=("application/x-ndjson", "text/csv"),
        )
    },
)
async def create_feedback_records(request: StrictRequest) -> Response[bytes]:
    """Store many records.

    A JSON array (or `{"records": […]}`) of up to 10,000, or a stream of NDJSON or CSV of any length; gzip, deflate or zstd
    as `Content-Encoding`. 200 when no item failed, 207 when some did, 422 when all were rejected.
    """
    wanted = params.read(request.scope["query_string"], Batching, tenant_id=request.principal.tenant_id)
    format_, encoding = _format(request), _encoding(request)
    if wanted.atomic and format_ != "json":
        raise BadRequest("atomic=true needs a JSON body: a stream is stored chunk by chunk")
    if wanted.first_line is not None and format_ == "json":
        raise BadRequest("first_line needs a stream: a JSON body has no lines")
    intake = _Intake(request, wanted, format_)
    with request.app.state.batches:
        try:
            if format_ == "json":
                await intake.store(await intake.read(await _array(request, encoding)), last=True)
            else:
                await intake.stream(_chunks(request, format_, encoding, wanted.first_line))
        except BrokenStreamError as error:
            raise BadRequest(f"{error}. {intake.so_far}") from None
        except TooLargeError as error:
            detail = f"The decompressed body is larger than {error.limit} bytes. {intake.so_far}"
            raise ContentTooLarge(detail, limit=error.limit, actual=error.actual) from None
        finally:
            request.exchange.counts = msgspec.to_builtins(intake.summary)
    summary = intake.summary
    minimal = _MINIMAL.search(",".join(request.headers.getall("prefer", []))) is not None
    failed = summary.rejected + summary.duplicate
    status = 200 if not failed else 422 if summary.rejected == summary.received else 207
    return Response(
        msgspec.json.encode(intake.answer(minimal=minimal)),
        status_code=status,
        media_type="application/json",
        headers={"preference-applied": "return=minimal"} if minimal else {},
    )


def _format(request: StrictRequest) -> Format:
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media_type.endswith("+json"):
        return "json"
    if media_type not in _FORMATS:
        raise UnsupportedMediaType("Send the batch as application/json, application/x-ndjson or text/csv")
    return _FORMATS[media_type]


def _encoding(request: StrictRequest) -> Encoding:
    name = request.headers.get("content-encoding", "").strip().lower()
    if name not in _ENCODINGS:
        raise UnsupportedMediaType("Send the body as it is, or with Content-Encoding gzip, deflate or zstd")
    return _ENCODINGS[name]


async def _array(request: StrictRequest, encoding: Encoding) -> list[Item]:
    """The items of a JSON batch, each still text: one that is wrong costs no other."""
    inflater = Inflater(encoding, MAX_JSON_BYTES)
    body = b"".join([piece async for data in request.stream() for piece in inflater.feed(data)])
    inflater.finish()
    if not body.strip():
        raise BadRequest
    try:
        raws = _split(body)
    except msgspec.ValidationError:
        raise BadRequest(
            "Invalid request body: must be an array of records, or an object with only `records`"
        ) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRequest(f"Invalid JSON: {error}") from None
    if len(raws) > MAX_RECORDS:
        raise ContentTooLarge("too many records in one JSON batch", limit=MAX_RECORDS, actual=len(raws))
    return [Item(index, raw[:MAX_ITEM_BYTES], too_long=len(raw) > MAX_ITEM_BYTES) for index, raw in enumerate(raws)]


def _split(body: bytes) -> list[bytes]:
    """The text of each record."""
    try:
        return [bytes(raw) for raw in _raws(body)]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Half a surrogate pair is the fault of its record, for which msgspec would refuse them all.
        masked = _ESCAPE.sub(lambda match: b"\\u0020" if match[1] else match[0], body)
        if masked == body:
            raise
    position = masked.index(b"[") + 1
    found: list[bytes] = []
    for raw in map(bytes, _raws(masked)):
        position = masked.index(raw, position)
        found.append(body[position : position + len(raw)])
        position += len(raw)
    return found


def _raws(body: bytes) -> list[Raw]:
    if body.lstrip()[:1] == b"{":
        return msgspec.json.decode(body, type=_Records).records
    return msgspec.json.decode(body, type=list[Raw])


class _Records(Struct, forbid_unknown_fields=True):
    records: list[Raw]


async def _chunks(
    request: StrictRequest, format_: Format, encoding: Encoding, first_line: int | None
) -> AsyncIterator[list[Item]]:
    """The items of a stream in chunks, as they arrive. Of CSV, each row is the JSON object it stands for."""
    inflater = Inflater(encoding, request.app.state.batch_max_bytes)
    # The header, which each part of a CSV file repeats, takes the line before.
    splitter = NdjsonSplitter(first_line or 1) if format_ == "ndjson" else CsvSplitter((first_line or 2) - 1)
    items: list[Item] = []
    size = 0
    async for data in request.stream():
        for piece in inflater.feed(data):
            for item in splitter.feed(piece):
                items.append(item)
                size += len(item.raw)
                if len(items) == CHUNK_RECORDS or size > CHUNK_BYTES:
                    yield items
                    items, size = [], 0
    inflater.finish()
    items += splitter.finish()
    if items:
        yield items


async def _oldest(storing: dict[asyncio.Task[None], set[Key]]) -> None:
    task = next(iter(storing))
    await asyncio.wait({task})
    del storing[task]
    task.result()


_Read: TypeAlias = tuple[Item, NewRecord | Problem]


class _Intake:
    """One batch on its way: reads items, stores chunks, and keeps the account."""

    def __init__(self, request: StrictRequest, wanted: Batching, format_: Format) -> None:
        principal = request.principal
        self._request = request
        # What a request says of the tenant of its records is as good as what its key says.
        self._owner = structs.replace(principal, tenant_id=wanted.tenant_id)
        self._strict = wanted.strict
        self._columns: Columns | None = None
        self._results: list[BatchResult] = []
        self.summary = BatchSummary()
        self.batch = Batch(
            id=new_id(),
            key_id=principal.key_id,
            key_tenant_id=principal.tenant_id,
            format=format_,
            on_conflict=wanted.on_conflict,
            atomic=wanted.atomic,
            dry_run=wanted.dry_run,
        )

    @property
    def so_far(self) -> str:
        """What a client learns whose stream broke off."""
        return f"{self.summary.received} items of batch {self.batch.id} were read before; sending them again is safe"

    async def stream(self, chunks: AsyncIterator[list[Item]]) -> None:
        """Stores chunk by chunk: up to `_AT_ONCE` are on their way to Postgres while the next is read.

        A chunk that has a key of one on its way waits for it, so that of two records the right one stands.
        """
        storing: dict[asyncio.Task[None], set[Key]] = {}
        try:
            async for items in chunks:
                read = await self.read(items)
                keys = {key(record) for _, record in read if isinstance(record, NewRecord)}
                while len(storing) == _AT_ONCE or not all(keys.isdisjoint(others) for others in storing.values()):
                    await _oldest(storing)
                storing[asyncio.create_task(self.store(read))] = keys
            while storing:
                await _oldest(storing)
            await self.store([], last=True)
        finally:
            if storing:
                done, _ = await asyncio.wait(storing)
                for task in done:
                    task.exception()  # what broke the stream off is raised, and not what came of it

    async def read(self, items: Sequence[Item]) -> list[_Read]:
        """Each item as a record, or as what is wrong with it.

        Now and then others get their turn: the chunk before, whose statements wait to be sent, and other requests.
        """
        read: list[_Read] = []
        for start in range(0, len(items), _TURN):
            read += [(item, self._record(item)) for item in items[start : start + _TURN] if not self._is_header(item)]
            await asyncio.sleep(0)
        return read

    def _is_header(self, item: Item) -> bool:
        if self.batch.format != "csv" or self._columns is not None:
            return False
        self._columns = Columns(item.raw, NewRecord if self._owner.tenant_id is None else TenantRecord)
        return True

    def _record(self, item: Item) -> NewRecord | Problem:
        try:
            if item.too_long:
                raise ContentTooLarge(f"a record must be at most {MAX_ITEM_BYTES} bytes")
            raw = item.raw if self._columns is None else self._columns.json(item.raw)
            found = record(raw, self._owner)
            if self._strict and (faults := list(unfit(found))):
                raise ValidationFailed(faults)
        except Forbidden as problem:
            if self.batch.key_tenant_id is not None:
                return problem
            reason = f"must be {self._owner.tenant_id} or absent, as the parameter tenant_id says"
            return ValidationFailed([InvalidParam("tenant_id", reason)])
        except Problem as problem:
            return problem
        return found

    async def store(self, read: list[_Read], *, last: bool = False) -> None:
        """Stores what may be stored, keeps what may not, and adds both to the account."""
        while True:
            good = [(item, record) for item, record in read if isinstance(record, NewRecord)]
            bad = [(item, problem) for item, problem in read if isinstance(problem, Problem)]
            chunk = Chunk(
                received=len(read),
                records=[record for _, record in good],
                rejected=[self._rejected(item, problem) for item, problem in bad],
                last=last,
            )
            async with self._request.app.state.storing:
                settled = await batches.store(
                    self._request.pool,
                    self.batch,
                    chunk,
                    with_ids=self.batch.format == "json" and not self.batch.dry_run,
                )
            if isinstance(settled, Settled):
                break
            refused = {good[ordinal][0] for ordinal in settled.ordinals}
            problem = BadRequest("The database cannot hold a value of this record")
            read = [(item, problem if item in refused else record) for item, record in read]
        self._add(settled, [item for item, _ in good], chunk.records, bad)

    def _add(
        self, settled: Settled, items: list[Item], records: list[NewRecord], bad: list[tuple[Item, Problem]]
    ) -> None:
        self.summary = BatchSummary(
            **{
                name: getattr(self.summary, name) + getattr(settled.summary, name)
                for name in BatchSummary.__struct_fields__
            }
        )
        room = MAX_INLINE - len(self._results) if self._streams else None
        results = [self._failure(item, problem) for item, problem in bad[:room]]
        if not self._streams:
            withdrawn = self.batch.atomic and bool(settled.summary.rejected + settled.summary.duplicate)
            for item, record, fate, key in zip(items, records, settled.fates, settled.ids, strict=True):
                results.append(self._result(item, record, fate, key, withdrawn=withdrawn))
            results.sort(key=lambda result: result.index or 0)
        self._results += results

    @property
    def _streams(self) -> bool:
        return self.batch.format != "json"

    def _result(
        self, item: Item, record: NewRecord, fate: Fate, key: UUID | None, *, withdrawn: bool
    ) -> BatchResult:  # fmt: skip
        return BatchResult(
            index=item.line,
            status=_NOT_STORED if withdrawn and fate == "skipped" else _STATUS[fate],
            outcome=fate,
            id=key or UNSET,
            submission_id=record.submission_id,
            field_id=record.field_id,
            error=self._document(Conflict(details={"id": str(key)} if key else None)) if fate == "duplicate" else UNSET,
        )

    def _failure(self, item: Item, problem: Problem) -> BatchResult:
        known = _members(item.raw)
        return BatchResult(
            index=UNSET if self._streams else item.line,
            line=item.line if self._streams else UNSET,
            status=problem.status,
            outcome="rejected",
            submission_id=_name(known.submission_id) or UNSET,
            field_id=_name(known.field_id) or UNSET,
            error=self._document(problem),
        )

    def _document(self, problem: Problem) -> ProblemDocument:
        exchange = self._request.exchange
        return problem.document(base=exchange.problem_base, instance="", request_id=exchange.request_id)

    def _rejected(self, item: Item, problem: Problem) -> Rejected:
        """The item as it is kept: under the tenant of the key, else the one it names itself, else that of the request."""
        raw = item.raw if self._columns is None else self._as_object(item.raw)
        known = _members(raw)
        return Rejected(
            tenant_id=self.batch.key_tenant_id or _name(known.tenant_id) or self._owner.tenant_id or NO_TENANT,
            id=new_id(),
            batch_id=self.batch.id,
            position=item.line,
            user_id=_name(known.user_id),
            # What no text can hold is spelled out: that is no JSON any more, so it cannot pass for what was meant.
            raw=raw.decode(errors="backslashreplace").replace("\0", "\\x00"),
            status=problem.status,
            problem=Raw(msgspec.json.encode(self._document(problem))),
        )

    def _as_object(self, row: bytes) -> bytes:
        assert self._columns is not None  # noqa: S101 - a header was read before any row
        try:
            return self._columns.json(row)
        except BadRequest:
            return row

    def answer(self, *, minimal: bool) -> BatchAnswer:
        """The answer; `minimal` leaves out the items that did not fail."""
        results = [result for result in self._results if not minimal or result.error is not UNSET]
        if self._streams:  # chunks may have finished in any order
            results.sort(key=lambda result: result.line or 0)
        return BatchAnswer(
            batch_id=self.batch.id, dry_run=self.batch.dry_run, summary=self.summary, results=results,
        )  # fmt: skip


class _Known(Struct, frozen=True):
    """What can be read of an item that is wrong."""

    tenant_id: str | None = None
    user_id: str | None = None
    submission_id: str | None = None
    field_id: str | None = None


def _members(raw: bytes) -> _Known:
    """Each member by itself: that one is wrong must not hide the others. Of one that is repeated none is known."""
    try:
        members = msgspec.json.decode(raw, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Known()
    found: dict[str, str] = {}
    for name in _Known.__struct_fields__:
        try:
            text = msgspec.json.decode(members[name], type=str)
        except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if raw.count(f'"{name}"'.encode()) == 1:
            found[name] = text
    return _Known(**found)


def _name(text: str | None) -> str | None:
    """The text, if it can be anybody's name."""
    text = (text or "").strip()
    return text if 0 < len(text) <= MAX_NAME_LENGTH and "\0" not in text else None


ROUTES = (create_feedback_records,)
