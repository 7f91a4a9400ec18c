"""Sends a file to a running hub, chunk by chunk, and keeps account: what was stored, what was rejected, how far it came.

A chunk may be sent twice, after a broken connection or a kill -9: the hub finds that it has it. So the state that `--resume`
goes by only saves time, and need not agree with the hub to the record.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

import msgspec
from msgspec import Raw, Struct

from hub.api.problems import Problem as HubProblem
from hub.api.tables import Columns
from hub.client import Client, Problem, RefusedError
from hub.documents import PayloadSplitter, RecordSplitter
from hub.model import OnConflict, TenantRecord
from hub.streams import (
    MAX_ITEM_BYTES,
    BrokenStreamError,
    CsvSplitter,
    Encoding,
    Inflater,
    Item,
    TooLargeError,
    delimiter_of,
)

OWN_SOURCES = ("records", "csv")
RECORDS = 20_000
PAYLOADS = 100
CHUNK_BYTES = 8 * 1024 * 1024
IN_FLIGHT = 3
"""What of the file is on its way at a time; beyond it the hub is busy anyway."""

_READ_BYTES = 256 * 1024
_NO_LIMIT = 1 << 62
_MAGIC: dict[bytes, Encoding] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BATCH = "/v1/feedback-records/batch"
_PART = 1_000  # as many rejected items as one answer names
_BAD_REQUEST, _TOO_LARGE, _UNPROCESSABLE = 400, 413, 422
# Skips that lose something somebody answered; the others are decisions.
LOSSES = frozenset({"out_of_range", "unparseable", "too_long", "unsupported_type"})
_MARK = re.compile(rb'\{\s*"_rejected"\s*:\s*\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+\}\s*,?', re.DOTALL)


class Plan(Struct, frozen=True, kw_only=True):
    """What to do with the file."""

    source: str = "records"
    tenant_id: str | None = None
    form_id: str | None = None
    mapping: str | None = None
    """How a CSV file with columns of its own is to be read."""
    on_conflict: OnConflict = "skip"
    dry_run: bool = False


class Failure(Struct, frozen=True):
    """An item that was rejected, and why."""

    item: Item
    reason: str


class Outcome(Struct):
    """What became of a chunk: how many of what, and the items that failed."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    failures: list[Failure] = []

    def add(self, other: "Outcome") -> None:
        self.counts += other.counts
        self.failures = [*self.failures, *other.failures]


class State(Struct, frozen=True, kw_only=True):
    """How far a backfill came: the items that the hub has answered for, all of them from the first."""

    items: int = 0
    counts: dict[str, int] = {}
    rejects_bytes: int = 0


class UnusableFileError(Exception):
    """The file cannot be read to its end; what came before is stored."""


class Ledger:
    """Where the state is kept: a file of its own for each file and its options."""

    def __init__(self, folder: Path, file: Path, plan: Plan, url: str) -> None:
        stat = file.stat()
        identity = [str(file.resolve()), stat.st_size, stat.st_mtime_ns, url, msgspec.to_builtins(plan)]
        self.path = folder / f"{hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:32]}.json"

    def load(self) -> State:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=State)
        except (FileNotFoundError, msgspec.MsgspecError):
            return State()

    def save(self, state: State) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(state))
        new.replace(self.path)

    def close(self) -> None:
        self.path.unlink(missing_ok=True)


class Rejects:
    """The file of what was rejected: each line is an item to be corrected, with the reason in `_rejected`, which is not sent."""

    def __init__(self, path: Path | None, keep_bytes: int) -> None:
        self._file = None if path is None else path.open("r+b" if keep_bytes and path.exists() else "wb")
        if self._file is not None:
            self._file.truncate(keep_bytes)
            self._file.seek(0, io.SEEK_END)

    def add(self, failures: Sequence[Failure]) -> int:
        """Writes them, and how long the file is now."""
        if self._file is None:
            return 0
        for failure in failures:
            self._file.write(_marked(failure) + b"\n")
        self._file.flush()
        return self._file.tell()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Upload(Protocol):
    """Knows how a kind of file is divided and sent."""

    most: int

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        """The items of the file."""

    def send(self, items: Sequence[Item]) -> Outcome:
        """Has the hub take a chunk, on any thread."""

    def stop(self) -> None:
        """Has chunks that wait to be tried again give up."""


class Input:
    """A file or a stream, plain or compressed, which its first bytes tell."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0

    def pieces(self) -> Iterator[bytes]:
        """What it holds. Raises `UnusableFileError` when the compressed data is damaged or ends in the middle."""
        data = self._read()
        encoding: Encoding = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "identity")
        inflater = Inflater(encoding, _NO_LIMIT)
        try:
            while data:
                yield from inflater.feed(data)
                data = self._read()
            inflater.finish()
        except BrokenStreamError as error:
            raise UnusableFileError(str(error).replace("body", "file")) from error

    def _read(self) -> bytes:
        data = self._file.read(_READ_BYTES)
        self.position += len(data)
        return data


class _Chunk(Struct, frozen=True):
    items: list[Item]
    position: int


Advance: TypeAlias = Callable[[State, int], None]


def run(  # noqa: PLR0913 - its collaborators
    file: Input, upload: Upload, start: State, rejects: Rejects, *,
    in_flight: int, advance: Advance, complain: Callable[[Failure], None],
) -> State:  # fmt: skip
    """Sends what comes after `start`. `advance` hears of each answered chunk, in their order.

    Raises `RefusedError` and `UnreachableError` of the client, and `UnusableFileError`: then what could be read is stored.
    """
    state = start
    waiting: deque[tuple[_Chunk, Future[Outcome]]] = deque()

    def settle() -> None:
        nonlocal state
        chunk, future = waiting.popleft()
        outcome = future.result()
        for failure in outcome.failures:
            complain(failure)
        state = State(
            items=state.items + len(chunk.items),
            counts=dict(Counter(state.counts) + outcome.counts),
            rejects_bytes=rejects.add(outcome.failures),
        )
        advance(state, chunk.position)

    broken: UnusableFileError | None = None
    with ThreadPoolExecutor(in_flight) as threads:
        try:
            chunks = _chunks(file, upload, start.items)
            while broken is None:
                try:
                    if (chunk := next(chunks, None)) is None:
                        break
                except UnusableFileError as error:
                    broken = error
                    break
                if len(waiting) == in_flight:
                    settle()
                waiting.append((chunk, threads.submit(upload.send, chunk.items)))
            while waiting:
                settle()
        except BaseException:
            upload.stop()
            raise
        finally:
            threads.shutdown(cancel_futures=True)
    if broken is not None:
        raise broken
    return state


def _chunks(file: Input, upload: Upload, skip: int) -> Iterator[_Chunk]:
    items: list[Item] = []
    size = 0
    try:
        for number, item in enumerate(upload.items(file.pieces())):
            if number < skip:
                continue
            if items and size + len(item.raw) > CHUNK_BYTES:
                yield _Chunk(items, file.position)
                items, size = [], 0
            items.append(item)
            size += len(item.raw) + 1
            if len(items) == upload.most:
                yield _Chunk(items, file.position)
                items, size = [], 0
    except (UnusableFileError, TooLargeError) as error:
        if items:
            yield _Chunk(items, file.position)
        raise UnusableFileError(
            str(error) if isinstance(error, UnusableFileError) else f"An item has {error}, and cannot be divided"
        ) from None
    if items:
        yield _Chunk(items, file.position)


class _Rejection(Struct):
    """As much of a result as is needed."""

    outcome: str
    line: int = 0
    error: Problem | None = None


class _Answer(Struct):
    summary: dict[str, int]
    results: list[_Rejection]


class _Tenant(Struct):
    tenant_id: Raw = Raw()


class RecordUpload:
    """Records as NDJSON, to the batch endpoint."""

    most = RECORDS

    def __init__(self, client: Client, plan: Plan) -> None:
        self._client = client
        self._plan = plan

    def stop(self) -> None:
        self._client.stop()

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        splitter = RecordSplitter()
        for data in pieces:
            yield from map(self._prepared, splitter.feed(data))
        yield from map(self._prepared, splitter.finish())

    def send(self, items: Sequence[Item]) -> Outcome:
        outcome = Outcome()
        sent = [item for item in items if not item.too_long]
        if len(sent) < len(items):
            reason = f"a record must be at most {MAX_ITEM_BYTES} bytes"
            outcome.failures = [Failure(item, reason) for item in items if item.too_long]
            outcome.counts.update(received=len(items) - len(sent), rejected=len(items) - len(sent))
        if sent:
            outcome.add(self._store(sent, dry_run=self._plan.dry_run))
        return outcome

    def _prepared(self, item: Item) -> Item:
        raw = _MARK.sub(b"{", item.raw, count=1) if item.raw.lstrip().startswith(b'{"_rejected"') else item.raw
        if self._plan.tenant_id is not None:
            raw = _with_tenant(raw, self._plan.tenant_id)
        return item if raw is item.raw else Item(item.line, raw, item.too_long)

    def _store(self, items: Sequence[Item], *, dry_run: bool) -> Outcome:
        body, at = self._body(items)
        answer = self._client.request(
            "POST", _BATCH,
            query={"on_conflict": self._plan.on_conflict, "dry_run": str(dry_run).lower()}, body=body,
            headers={"content-type": self._media_type}, accept=frozenset({_UNPROCESSABLE}),
        )  # fmt: skip
        read = msgspec.json.decode(answer.content, type=_Answer)
        rejected = [result for result in read.results if result.outcome == "rejected" and result.error is not None]
        outcome = Outcome(Counter(read.summary))
        if len(rejected) < read.summary["rejected"] and len(items) > _PART:
            # An answer names only the first thousand. What is rejected is so each time, so the rest is asked for in parts.
            for start in range(0, len(items), _PART):
                part = self._store(items[start : start + _PART], dry_run=True)
                outcome.failures = [*outcome.failures, *part.failures]
        else:
            outcome.failures = [self._failure(at[result.line], result.error) for result in rejected if result.error]
        return outcome

    def _failure(self, item: Item, problem: Problem) -> Failure:
        return Failure(item, _reason(problem))

    _media_type = "application/x-ndjson"

    def _body(self, items: Sequence[Item]) -> tuple[bytes, dict[int, Item]]:
        """The request, and which item each line of it begins."""
        return b"".join(item.raw + b"\n" for item in items), dict(enumerate(items, 1))


class CsvUpload(RecordUpload):
    """Records as CSV: each chunk begins with the header of the file."""

    _media_type = "text/csv"

    def __init__(self, client: Client, plan: Plan) -> None:
        super().__init__(client, plan)
        self._header = b""
        self._tenant: Callable[[bytes], bytes] = bytes

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        for item in _all(CsvSplitter(), pieces):
            if not self._header:
                self._begin(item.raw.removeprefix(b"\xef\xbb\xbf"))
            elif self._plan.tenant_id is None:
                yield item
            else:
                yield Item(item.line, self._tenant(item.raw), item.too_long)

    def _begin(self, header: bytes) -> None:
        """Reads the header. `--tenant` is one more column in front, or fills the empty cells of the one that is there."""
        self._header, tenant = header, self._plan.tenant_id
        if tenant is None:
            return
        delimiter = delimiter_of(header)
        names = [name.strip() for name in _cells(header, delimiter) or ()]
        if "tenant_id" in names:
            place = names.index("tenant_id")
            self._tenant = lambda row: _filled(row, place, tenant, delimiter)
        else:
            prefix = b'"' + tenant.replace('"', '""').encode() + b'"' + delimiter
            self._header = b"tenant_id" + delimiter + header
            self._tenant = lambda row: prefix + row

    def _failure(self, item: Item, problem: Problem) -> Failure:
        try:
            raw = Columns(self._header, TenantRecord).json(item.raw)
        except HubProblem:
            raw = item.raw
        return Failure(Item(item.line, raw), _reason(problem))

    def _body(self, items: Sequence[Item]) -> tuple[bytes, dict[int, Item]]:
        parts, at = [self._header], {}
        line = self._header.count(b"\n") + 2
        for item in items:
            at[line] = item
            parts.append(item.raw)
            line += item.raw.count(b"\n") + 1
        return b"\n".join(parts) + b"\n", at


class _Unread(Struct):
    index: int
    problem: str


class _Skipped(Struct):
    reason: str


class _Ingested(Struct):
    submissions: int
    created: int
    updated: int
    unchanged: int
    deleted: int
    stale: int
    skipped: list[_Skipped]
    errors: list[_Unread] = []


class PayloadUpload:
    """Payloads of a survey tool, to its source endpoint. What they mean is the hub's affair."""

    most = PAYLOADS

    def __init__(self, client: Client, plan: Plan) -> None:
        self._client = client
        self._plan = plan
        self._splitter = PayloadSplitter()

    def stop(self) -> None:
        self._client.stop()

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        for item in _all(self._splitter, pieces):
            marked = item.raw.startswith(b'{"_rejected"')
            yield Item(item.line, _MARK.sub(b"{", item.raw, count=1), item.too_long) if marked else item

    def send(self, items: Sequence[Item]) -> Outcome:
        if self._splitter.listed:
            return self._post(items)
        outcome = Outcome()
        for item in items:
            outcome.add(self._post([item]))
        return outcome

    def _post(self, items: Sequence[Item]) -> Outcome:
        try:
            answer = self._client.request(
                "POST", f"/v1/sources/{self._plan.source}/responses", query=self._query(), body=self._body(items),
                headers={"content-type": self._media_type},
            )  # fmt: skip
        except RefusedError as error:
            return self._refused(items, error)
        read = msgspec.json.decode(answer.content, type=_Ingested)
        counts = {name: getattr(read, name) for name in _Ingested.__struct_fields__[:6]}
        outcome = Outcome(Counter(counts), [_unread(items, each.index, each.problem) for each in read.errors])
        outcome.counts["rejected"] += len(read.errors)
        outcome.counts.update(f"skipped: {each.reason}" for each in read.skipped)
        return outcome

    _media_type = "application/json"

    def _body(self, items: Sequence[Item]) -> bytes:
        return b"[" + b",".join(item.raw for item in items) + b"]" if self._splitter.listed else items[0].raw

    def _query(self) -> dict[str, str]:
        query = {"tenant_id": self._plan.tenant_id, "form_id": self._plan.form_id}
        return {name: value for name, value in query.items() if value}

    def _refused(self, items: Sequence[Item], error: RefusedError) -> Outcome:
        """A payload that is wrong costs itself; a wrong key, tenant or form would cost them all."""
        problem = error.problem
        if problem.status == _UNPROCESSABLE:
            failures = [
                _unread(items, int(fault.name.strip("[]")), fault.reason)
                for fault in problem.invalid_params
                if fault.name.strip("[]").isdecimal()
            ]
            # A problem names a hundred faults at most, and a chunk has no more items.
            return Outcome(Counter(rejected=len(failures)), failures)
        if problem.status not in (_BAD_REQUEST, _TOO_LARGE) or problem.invalid_params:
            raise error
        if len(items) == 1:
            return Outcome(Counter(rejected=1), [Failure(items[0], _reason(problem))])
        outcome = self._post(items[: len(items) // 2])
        outcome.add(self._post(items[len(items) // 2 :]))
        return outcome


def _unread(items: Sequence[Item], index: int, reason: str) -> Failure:
    """The payload in question: the element of the list that was sent, or the whole of one that has several submissions."""
    return Failure(items[index], reason) if len(items) > 1 else Failure(items[0], f"[{index}] {reason}")


def _all(splitter: CsvSplitter | PayloadSplitter, pieces: Iterator[bytes]) -> Iterator[Item]:
    for data in pieces:
        yield from splitter.feed(data)
    yield from splitter.finish()


def _reason(problem: Problem) -> str:
    return "; ".join(f"{fault.name} {fault.reason}" for fault in problem.invalid_params) or problem.detail


def _with_tenant(raw: bytes, tenant: str) -> bytes:
    """The record with a tenant, if it has none. What is no record is left alone: the hub says what is wrong with it."""
    try:
        known = msgspec.json.decode(raw, type=_Tenant).tenant_id
        if bytes(known) not in (b"", b"null"):
            return raw
        if bytes(known) == b"null":
            members = msgspec.json.decode(raw, type=dict[str, Raw])
            return msgspec.json.encode(members | {"tenant_id": tenant})
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw
    inside = raw.lstrip()[1:]
    comma = b"" if inside.lstrip().startswith(b"}") else b","
    return b'{"tenant_id":' + msgspec.json.encode(tenant) + comma + inside


def _cells(row: bytes, delimiter: bytes) -> list[str] | None:
    try:
        return next(csv.reader([row.decode().removesuffix("\r")], delimiter=delimiter.decode(), strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None


def _filled(row: bytes, place: int, tenant: str, delimiter: bytes) -> bytes:
    cells = _cells(row, delimiter)
    if cells is None or place >= len(cells) or cells[place]:
        return row
    cells[place] = tenant
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter.decode(), lineterminator="").writerow(cells)
    return text.getvalue().encode()


def _marked(failure: Failure) -> bytes:
    raw = failure.item.raw.strip().replace(b"\n", b" ").replace(b"\r", b" ")
    mark: dict[str, object] = {"line": failure.item.line, "reason": failure.reason}
    try:
        members = json.loads(raw)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        return msgspec.json.encode({"_rejected": {**mark, "text": raw.decode(errors="replace")}})
    return b'{"_rejected":' + msgspec.json.encode(mark) + (b"," if members else b"") + raw[1:]


def upload_for(client: Client, plan: Plan) -> Upload:
    """How a source is sent."""
    kinds = {"records": RecordUpload, "csv": CsvUpload}
    return kinds.get(plan.source, PayloadUpload)(client, plan)


class _Source(Struct):
    source: str


class _Sources(Struct):
    data: list[_Source]


def sources(client: Client) -> list[str]:
    """What `--source` may be, as this hub has it."""
    answer = msgspec.json.decode(client.request("GET", "/v1/sources").content, type=_Sources)
    return list(dict.fromkeys([*OWN_SOURCES, *(each.source for each in answer.data)]))


def lost(counts: dict[str, int]) -> bool:
    """Whether something of the file is not in the hub that should be."""
    skipped = any(counts.get(f"skipped: {reason}") for reason in LOSSES)
    return bool(counts.get("rejected") or counts.get("duplicate") or skipped)
