"""Sends a file to a running hub, chunk by chunk, and keeps account: what was stored, what was rejected, how far it came.

A chunk may be sent twice, after a broken connection or a kill -9: the hub finds that it has it. So the state that `--resume`
goes by only saves time, and need not agree with the hub to the record.
"""

import hashlib
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
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
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
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
    rejects: str | None = None
    rejects_bytes: int = 0

    def rejects_are_in(self, path: Path) -> bool:
        """Whether all that was rejected so far stands in this file."""
        if not self.counts.get("rejected"):
            return True
        return self.rejects == str(path.resolve()) and path.is_file() and path.stat().st_size >= self.rejects_bytes


class UnusableFileError(Exception):
    """The file cannot be read to its end; what came before is stored."""


class UnwritableFileError(Exception):
    """The file of rejects cannot be written; the message says why."""


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
    """The file of what was rejected, to be corrected and sent again.

    Until the hub has answered for something, it holds what an earlier backfill wrote.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises `UnwritableFileError`."""
        self.path = None if path is None else str(path.resolve())
        try:
            self._file = None if path is None else path.open("ab")
        except OSError as error:
            raise UnwritableFileError(f"{path}: {error.strerror}") from None

    def add(self, lines: bytes, after: int) -> int:
        """Writes them behind the first bytes, so many of which are of this backfill; how long the file is now.

        Raises `UnwritableFileError`.
        """
        if self._file is None:
            return 0
        try:
            self._file.truncate(after)
            self._file.write(lines)
            self._file.flush()
        except OSError as error:
            raise UnwritableFileError(f"{self.path}: {error.strerror}") from None
        return after + len(lines)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written was told
                self._file.close()


class Upload(Protocol):
    """Knows how a kind of file is divided and sent."""

    most: int

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        """The items of the file."""

    def send(self, items: Sequence[Item]) -> Outcome:
        """Has the hub take a chunk, on any thread."""

    def rejected(self, failures: Sequence[Failure], *, first: bool) -> bytes:
        """Those items as lines of a file that can be corrected and sent like this one; `first` begins it."""

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
        checked = False
        try:
            while data:
                for piece in inflater.feed(data):
                    if not checked and (piece.startswith(_UTF_16) or b"\0" in piece[:4]):
                        raise UnusableFileError("It is no UTF-8, which JSON and CSV have to be: save it as that")
                    checked = True
                    yield piece
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

    Raises `RefusedError` and `UnreachableError` of the client, `UnwritableFileError`, and `UnusableFileError`: then what could be
    read is stored.
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
            rejects=rejects.path,
            rejects_bytes=rejects.add(
                upload.rejected(outcome.failures, first=not state.rejects_bytes), state.rejects_bytes
            ),
        )
        advance(state, chunk.position)

    broken: UnusableFileError | None = None
    with ThreadPoolExecutor(in_flight) as threads:
        try:
            chunks = _chunks(file, upload, start.items)
            while True:
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
            # Blank lines are sent as well, so that the lines of a chunk are those of the file.
            blank = item.line - items[-1].line if items else 0
            if items and size + blank + len(item.raw) > CHUNK_BYTES:
                yield _Chunk(items, file.position)
                items, size, blank = [], 0, 0
            items.append(item)
            size += blank + len(item.raw) + 1
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

    def rejected(self, failures: Sequence[Failure], *, first: bool) -> bytes:  # noqa: ARG002 - lines of JSON have no header
        return _marked(failures)

    def _prepared(self, item: Item) -> Item:
        item = _unmarked(item)
        return item if self._plan.tenant_id is None else _without_null_tenant(item)

    def _store(self, items: Sequence[Item], *, dry_run: bool) -> Outcome:
        query: dict[str, str | int] = {
            "on_conflict": self._plan.on_conflict, "dry_run": str(dry_run).lower(), "first_line": items[0].line,
        }  # fmt: skip
        if self._plan.tenant_id is not None:
            query["tenant_id"] = self._plan.tenant_id
        answer = self._client.request(
            "POST", _BATCH, query=query, body=self._body(items), headers={"content-type": self._media_type},
            accept=frozenset({_UNPROCESSABLE}),
        )  # fmt: skip
        at = {item.line: item for item in items}
        read = msgspec.json.decode(answer.content, type=_Answer)
        rejected = [result for result in read.results if result.outcome == "rejected" and result.error is not None]
        outcome = Outcome(Counter(read.summary))
        if len(rejected) < read.summary["rejected"] and len(items) > _PART:
            # An answer names only the first thousand. What is rejected is so each time, so the rest is asked for in parts.
            for start in range(0, len(items), _PART):
                part = self._store(items[start : start + _PART], dry_run=True)
                outcome.failures = [*outcome.failures, *part.failures]
        else:
            outcome.failures = [
                Failure(at[result.line], reason_of(result.error)) for result in rejected if result.error
            ]
        return outcome

    _media_type = "application/x-ndjson"

    def _body(self, items: Sequence[Item]) -> bytes:
        """The items, on lines that are as far apart as those of the file."""
        parts, line = [], items[0].line
        for item in items:
            parts += [b"\n" * (item.line - line), item.raw, b"\n"]
            line = item.line + item.raw.count(b"\n") + 1
        return b"".join(parts)


class CsvRows:
    """The rows of a CSV file. One of rejects has a column `_rejected` in front, which is not sent."""

    def __init__(self) -> None:
        self.header = b""
        self._delimiter = b""

    def read(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        """Reads the header; the rows are those after it."""
        rows = _all(CsvSplitter(), pieces)
        first = next(rows, None)
        if first is None:
            return rows
        header = first.raw.removeprefix(b"\xef\xbb\xbf")
        self._delimiter = delimiter_of(header)
        cell = re.compile(rb'\A(?:"(?:[^"]|"")*+"|[^"%b]*+)%b' % (self._delimiter, self._delimiter), re.DOTALL)
        mark = cell.match(header)
        if mark is None or mark[0].removesuffix(self._delimiter).strip(b'" ') != b"_rejected":
            self.header = header
            return rows
        self.header = header[mark.end() :]
        return (Item(row.line, cell.sub(b"", row.raw, count=1), row.too_long) for row in rows)

    def marked(self, failures: Sequence[Failure], *, first: bool) -> bytes:
        """The rows of the items as they came, each behind its line and the reason."""
        lines = [b"_rejected" + self._delimiter + self.header + b"\n"] if first and failures else []
        for failure in failures:
            # The rows of a response are one item.
            splitter = CsvSplitter(failure.item.line - 1)
            found = [*splitter.feed(self.header + b"\n" + failure.item.raw), *splitter.finish()]
            for row in found[1:]:
                mark = f"{row.line}: {failure.reason}".replace("\n", " ").replace('"', '""').encode()
                lines.append(b'"' + mark + b'"' + self._delimiter + row.raw + b"\n")
        return b"".join(lines)


class CsvUpload(RecordUpload):
    """Records as CSV: each chunk begins with the header of the file."""

    _media_type = "text/csv"

    def __init__(self, client: Client, plan: Plan) -> None:
        super().__init__(client, plan)
        self._rows = CsvRows()

    def items(self, pieces: Iterator[bytes]) -> Iterator[Item]:
        """Raises `UnusableFileError` for a header that no hub takes: without rows nothing else would tell."""
        rows = self._rows.read(pieces)
        if self._rows.header:
            try:
                Columns(self._rows.header, TenantRecord)
            except HubProblem as error:
                raise UnusableFileError(reason_of(error)) from None
        yield from rows

    def rejected(self, failures: Sequence[Failure], *, first: bool) -> bytes:
        return self._rows.marked(failures, first=first)

    def _body(self, items: Sequence[Item]) -> bytes:
        return self._rows.header + b"\n" + super()._body(items)


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
        yield from map(_unmarked, _all(self._splitter, pieces))

    def rejected(self, failures: Sequence[Failure], *, first: bool) -> bytes:  # noqa: ARG002 - lines of JSON have no header
        return _marked(failures)

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
            return Outcome(Counter(rejected=1), [Failure(items[0], reason_of(problem))])
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


def reason_of(problem: Problem | HubProblem) -> str:
    """What is wrong, in words."""
    return "; ".join(f"{fault.name} {fault.reason}" for fault in problem.invalid_params) or problem.detail or ""


class _Mark(Struct):
    text: str | None = None


class _Textual(Struct, rename={"mark": "_rejected"}, forbid_unknown_fields=True):
    mark: _Mark


def _unmarked(item: Item) -> Item:
    """An item of a file of rejects as it is to be sent: without the mark, or the text that was no object."""
    mark = _MARK.match(item.raw.lstrip())
    if mark is None:
        return item
    raw = b"{" + item.raw.lstrip()[mark.end() :]
    try:
        # Of one with members of its own these are sent: the text was corrected.
        text = msgspec.json.decode(item.raw, type=_Textual).mark.text
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = None
    return Item(item.line, raw if text is None else text.replace("\n", " ").encode(), item.too_long)


def _without_null_tenant(item: Item) -> Item:
    """Many write null for none. The hub refuses it, lest a tenant be filled in where one was lost; `--tenant` means to."""
    if b"null" not in item.raw or b'"tenant_id"' not in item.raw:
        return item
    try:
        members = msgspec.json.decode(item.raw, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return item
    if bytes(members.get("tenant_id", b"")) != b"null":
        return item
    del members["tenant_id"]
    return Item(item.line, msgspec.json.encode(members), item.too_long)


def _marked(failures: Sequence[Failure]) -> bytes:
    """Lines of JSON, each an item with its line and the reason in `_rejected`, which is not sent."""
    lines = []
    for failure in failures:
        raw = failure.item.raw.strip().replace(b"\n", b" ").replace(b"\r", b" ")
        mark: dict[str, object] = {"line": failure.item.line, "reason": failure.reason}
        try:
            members = json.loads(raw.decode())
        except (ValueError, RecursionError):
            members = None
        if isinstance(members, dict):
            lines.append(b'{"_rejected":' + msgspec.json.encode(mark) + (b"," if members else b"") + raw[1:])
        else:
            # What is no text is spelled out: that is no JSON either, so it cannot pass for what was meant when it is sent again.
            text = raw.decode(errors="backslashreplace")
            lines.append(msgspec.json.encode({"_rejected": {**mark, "text": text}}))
    return b"".join(line + b"\n" for line in lines)


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
