"""`/v1/feedback-records/export`: all that a filter selects as one file, made while it is read."""

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal

import structlog
from litestar import get
from litestar.types import Receive, Scope, Send
from msgspec import Meta, Struct

from hub import cursors, parquet
from hub.api import params
from hub.api.edge import CLIENT_CLOSED
from hub.api.openapi import Operation
from hub.api.problems import ServiceUnavailable
from hub.api.strict import StrictRequest
from hub.db import Connection, changes, exports
from hub.db.exports import COLUMNS, WRITABLE, Column
from hub.model import RecordFilter
from hub.settings import Settings

# A reader may wait once in a while, but on the whole it has to be as fast as this: a snapshot is held open for it.
LEAST_BYTES_A_SECOND = 64 * 1024
_GZIP_LEVEL = 1  # a better one would be slower than Postgres
_GZIP = 16 + zlib.MAX_WBITS

CSV, NDJSON, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
_MEDIA_TYPES = {"csv": f"{CSV}; charset=utf-8", "ndjson": NDJSON, "parquet": PARQUET}
_ACCEPTED = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?(?=,|$)", re.IGNORECASE)

log = structlog.get_logger()


class Exporting(Struct, kw_only=True, frozen=True):
    """The file that is made of the records."""

    format: Literal["csv", "ndjson", "parquet"] = "csv"
    columns: tuple[Literal[Column, "writable"], ...] = ()
    escape_formulas: Annotated[
        bool, Meta(description="In CSV, texts that a spreadsheet would take for a formula begin with an apostrophe")
    ] = False

    @property
    def names(self) -> Sequence[str]:
        """The columns in their order, each once."""
        named = (name for each in self.columns for name in (WRITABLE if each == "writable" else (each,)))
        return tuple(dict.fromkeys(named)) or COLUMNS


@get(
    "/v1/feedback-records/export",
    opt={
        "operation": Operation(
            scope="read", query=(RecordFilter, Exporting), answers={200: CSV}, streams_out=(NDJSON, PARQUET),
            problems=(400, 429),
        )
    },
)  # fmt: skip
async def export_feedback_records(request: StrictRequest) -> "Export":
    """Export a tenant's records as one file, latest first.

    As they are at this moment, whatever happens while they are read. `columns` names those of the file, in their order;
    `writable` stands for those that the batch endpoint takes. CSV and NDJSON are compressed for who accepts gzip. Who reads
    too slowly is cut off.
    """
    selection, wanted = params.read(
        request.scope["query_string"], RecordFilter, Exporting, tenant_id=request.principal.tenant_id, closed=True
    )
    request.exchange.tenant_id = selection.tenant_id
    return Export(request, selection, wanted)


class Export:
    """The answer: an ASGI application that sends the file."""

    def __init__(self, request: StrictRequest, selection: RecordFilter, wanted: Exporting) -> None:
        self._request = request
        self._selection = selection
        self._wanted = wanted

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        state, wanted = self._request.app.state, self._wanted
        settings: Settings = state.settings
        headers = {
            "content-type": _MEDIA_TYPES[wanted.format],
            "content-disposition": f'attachment; filename="feedback-records.{wanted.format}"',
            "cache-control": "no-store",
        }
        compressed = wanted.format != "parquet" and _accepts_gzip(self._request)
        if wanted.format != "parquet":
            headers["vary"] = "accept-encoding"
        if compressed:
            headers["content-encoding"] = "gzip"
        body = _Body(send, headers, settings.request_timeout_seconds, compressed=compressed)
        if self._request.exchange.without_body:
            await body.finish()
            return
        try:
            with state.exports:
                async with asyncio.timeout(settings.export_timeout_seconds), exports.connected(settings) as connection:
                    await _while_there(receive, self._send(connection, body))
        except _GoneError:
            self._request.exchange.status = CLIENT_CLOSED
        except Exception as error:
            if body.begun:  # too late for a problem: the answer ends before its end
                log.warning(
                    "export broken off", error=type(error).__name__, request_id=self._request.exchange.request_id
                )
            raise

    async def _send(self, connection: Connection, body: "_Body") -> None:
        if (start := await changes.start(connection)) is not None:
            body.headers["x-changes-cursor"] = cursors.encode(start)
        wanted, names = self._wanted, self._wanted.names
        match wanted.format:
            case "csv":
                count = await exports.copy_csv(
                    connection, self._selection, names, body.write, escaped=wanted.escape_formulas, header=True
                )
            case "ndjson":
                count = await exports.copy_ndjson(connection, self._selection, names, body.write)
            case "parquet":
                rows = _Rows(names, body.write)
                count = await exports.copy_csv(
                    connection, self._selection, names, rows.write, escaped=False, header=False
                )
                await rows.finish()
        await body.finish()
        self._request.exchange.counts = {"records": count}


def _accepts_gzip(request: StrictRequest) -> bool:
    found = _ACCEPTED.search(",".join(request.headers.getall("accept-encoding", [])))
    return found is not None and (found[1] or "1").strip("0.") != ""


class _Body:
    """The body as it leaves. It begins with its first bytes: what fails before them is still a problem."""

    def __init__(self, send: Send, headers: dict[str, str], patience_seconds: float, *, compressed: bool) -> None:
        self.begun = False
        self._send = send
        self.headers = headers
        self._gzip = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP) if compressed else None
        # How long this reader may still keep us waiting. What it reads earns it more.
        self._patience = patience_seconds

    async def write(self, data: bytes) -> None:
        if self._gzip is not None:
            data = await asyncio.to_thread(self._gzip.compress, data)
        if data:
            await self._part(data, more=True)

    async def finish(self) -> None:
        await self._part(b"" if self._gzip is None else self._gzip.flush(), more=False)

    async def _part(self, data: bytes, *, more: bool) -> None:
        if not self.begun:
            self.begun = True
            headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with asyncio.timeout(self._patience):
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self._patience += len(data) / LEAST_BYTES_A_SECOND - (clock() - begun)


class _Rows:
    """Rows of CSV on their way to being Parquet, a group at a time."""

    def __init__(self, columns: Sequence[str], write: Callable[[bytes], Awaitable[None]]) -> None:
        try:
            self._file = parquet.Writer(columns)
        except parquet.MissingError:
            raise ServiceUnavailable(
                "Parquet is not available: the hub was installed without its extra `parquet` (`pip install '.[parquet]'` in its checkout)",
                headers={"x-should-retry": "false"},
            ) from None
        self._write = write
        self._gathered: list[bytes] = []
        self._size = 0

    async def write(self, rows: bytes) -> None:
        self._gathered.append(rows)
        self._size += len(rows)
        if self._size >= parquet.GROUP_BYTES:
            await self._flush()

    async def finish(self) -> None:
        if self._gathered:
            await self._flush()
        await self._write(await asyncio.to_thread(self._file.finish))

    async def _flush(self) -> None:
        rows, self._gathered, self._size = b"".join(self._gathered), [], 0
        if data := await asyncio.to_thread(self._file.write, rows):
            await self._write(data)


class _GoneError(Exception):
    """The client went away."""


async def _while_there(receive: Receive, work: Awaitable[None]) -> None:
    """The work, ended when its client goes away: the server would take what is sent to nobody, as fast as it comes."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _GoneError
        working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


ROUTES = (export_feedback_records,)
