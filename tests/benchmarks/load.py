"""The clients of the benchmark: each round is one call in a process of its own.

HTTP of single records by hand, because a client library costs more than the server it would measure: requests are bytes made beforehand, and
of an answer only the status and the end are looked for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import islice
from typing import TypeAlias, cast

import asyncpg
import uvloop
from msgspec import Struct

from tests.benchmarks import rows


class Target(Struct, frozen=True):
    """A server of the feedback API."""

    port: int
    key: str


class Round(Struct, frozen=True):
    """What one client got done."""

    done: int
    seconds: float
    milliseconds: list[float]
    """Of half the requests, and of all but one in a hundred; none of a batch."""

    @property
    def rate(self) -> float:
        return self.done / self.seconds


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """An answer that was not the expected one. Then the numbers mean nothing, so the benchmark ends."""


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], status: bytes, until: float, times: list[float]) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._start = b"HTTP/1.1 " + status
        self._until = until
        self._times = times
        self._received = b""
        self._length = 0  # of the whole answer; 0 while unknown, -1 when it comes in chunks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        if not self._length:
            head, blank, _ = received.partition(b"\r\n\r\n")
            if not blank:
                self._received = received
                return
            if not head.startswith(self._start):
                self._fail(Refused(received.decode(errors="replace")))
                return
            _, _, length = head.lower().partition(b"\r\ncontent-length: ")
            self._length = len(head) + 4 + int(length.partition(b"\r\n")[0]) if length else -1
        if len(received) < self._length or (self._length < 0 and not received.endswith(b"\r\n0\r\n\r\n")):
            self._received = received
            return
        self._received, self._length = b"", 0
        now = time.perf_counter()
        self._times.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self.closed.done():
            self.closed.set_exception(error)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            if time.perf_counter() < self._until:
                self.closed.set_exception(exc or Refused("the server closed a connection"))
            else:
                self.closed.set_result(None)


def posts(target: Target, name: str, connections: int, seconds: float) -> Round:
    """Records posted one by one."""
    head = _head("POST", "/v1/feedback-records", target)

    def requests() -> Iterator[bytes]:
        ids = rows.submissions(name)
        whole = [
            (b"%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (head, length, before), after)
            for before, after, length in rows.bodies()
        ]
        while True:
            for before, after in whole:
                yield before + next(ids) + after

    return uvloop.run(_http(target, requests(), b"201", connections, seconds))


def lists(target: Target, connections: int, seconds: float) -> Round:
    """First pages of a hundred records."""
    paths = [f"/v1/feedback-records?tenant_id={tenant}&limit=100" for tenant in rows.TENANTS]
    return uvloop.run(_http(target, _gets(target, paths), b"200", connections, seconds))


_BATCH = "/v1/feedback-records/batch"
_CHUNK = 2_000
_PATIENCE = 600


def stream(target: Target, name: str, count: int, *, scattered: bool = False) -> Round:
    """One request with so many records as NDJSON."""
    pieces = list(rows.lines(name, count, rows.scattered if scattered else rows.submissions))
    return _batches(target, "application/x-ndjson", [pieces], count)


def arrays(target: Target, name: str, count: int, of: int) -> Round:
    """JSON arrays of so many records, one after another on one connection."""
    bodies = list(islice(rows.arrays(name, of), count // of))
    return _batches(target, "application/json", [[body] for body in bodies], count)


def _batches(target: Target, media_type: str, bodies: Sequence[Sequence[bytes]], count: int) -> Round:
    with closing(HTTPConnection("127.0.0.1", target.port, timeout=_PATIENCE)) as connection:
        started = time.perf_counter()
        for pieces in bodies:
            headers = {
                "Authorization": f"Bearer {target.key}",
                "Content-Type": media_type,
                "Content-Length": str(sum(map(len, pieces))),
            }
            connection.request("POST", _BATCH, pieces, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise Refused(text[:2000].decode(errors="replace"))
        return Round(count, time.perf_counter() - started, [])


def copies(dsn: str, name: str, count: int) -> Round:
    """What Postgres itself does with a batch: rows that are made beforehand, staged by COPY, inserted, committed chunk by chunk."""
    return uvloop.run(_copies(dsn, list(islice(rows.tuples(name), count))))


async def _copies(dsn: str, values: list[tuple[object, ...]]) -> Round:
    columns = ", ".join(rows.COLUMNS)
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"""
        create temporary table staged on commit delete rows as select {columns} from feedback_records with no data
    """)
    insert = f"""
        insert into feedback_records ({columns}, collected_at, created_at, updated_at)
        select {columns}, now(), now(), now() from staged
        on conflict (tenant_id, submission_id, field_id) do nothing
    """
    started = time.perf_counter()
    for first in range(0, len(values), _CHUNK):
        async with connection.transaction():
            chunk = values[first : first + _CHUNK]
            await connection.copy_records_to_table("staged", records=chunk, columns=rows.COLUMNS)
            await connection.execute(insert)
    elapsed = time.perf_counter() - started
    await connection.close()
    return Round(len(values), elapsed, [])


def fill(dsn: str, name: str, count: int) -> Round:
    """Rows of the last three years, straight into the table."""
    return uvloop.run(_fill(dsn, name, count))


async def _fill(dsn: str, name: str, count: int) -> Round:
    connection = await asyncpg.connect(dsn)
    started = time.perf_counter()
    step = timedelta(days=1000) / count
    begin = datetime.now(UTC) - count * step
    made = islice(rows.tuples(name, rows.scattered), count)
    values = ((*row, *(begin + n * step,) * 3) for n, row in enumerate(made))
    columns = (*rows.COLUMNS, "collected_at", "created_at", "updated_at")
    await connection.copy_records_to_table("feedback_records", records=values, columns=columns)
    await connection.close()
    return Round(count, time.perf_counter() - started, [])


def health(target: Target, connections: int, seconds: float) -> Round:
    """The cheapest answer there is: shows that the client is not the limit."""
    return uvloop.run(_http(target, _gets(target, ["/health"]), b"200", connections, seconds))


def _gets(target: Target, paths: list[str]) -> Iterator[bytes]:
    whole = [_head("GET", path, target) + b"\r\n" for path in paths]
    while True:
        yield from whole


def _head(method: str, path: str, target: Target) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {target.key}\r\n".encode()


async def _http(target: Target, requests: Iterator[bytes], status: bytes, connections: int, seconds: float) -> Round:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    started = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda: _Connection(requests, status, started + seconds, times), "127.0.0.1", target.port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.closed for _, protocol in made))
    return _round(times, time.perf_counter() - started)


def inserts(dsn: str, name: str, connections: int, seconds: float) -> Round:
    """What Postgres itself does with the same records: one prepared statement each, nothing around it."""
    values = rows.tuples(name)
    places = ", ".join(f"${n}" for n in range(1, len(rows.COLUMNS) + 1))
    statement = f"""
        insert into feedback_records ({", ".join(rows.COLUMNS)}, collected_at, created_at, updated_at)
        values ({places}, now(), now(), now())
    """
    return uvloop.run(_sql(dsn, statement, lambda prepared: prepared.fetch(*next(values)), connections, seconds))


def queries(dsn: str, connections: int, seconds: float) -> Round:
    """The first page as rows, nothing made of them."""
    statement = """
        select * from feedback_records where tenant_id = $1 order by collected_at desc, id limit 100
    """
    tenants = _endless(rows.TENANTS)
    return uvloop.run(_sql(dsn, statement, lambda prepared: prepared.fetch(next(tenants)), connections, seconds))


def _endless(values: list[str]) -> Iterator[str]:
    while True:
        yield from values


Prepared: TypeAlias = "asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]"


async def _sql(
    dsn: str, statement: str, ask: Callable[[Prepared], Awaitable[object]], connections: int, seconds: float
) -> Round:
    times: list[float] = []
    opened = [await asyncpg.connect(dsn) for _ in range(connections)]
    prepared = [await connection.prepare(statement) for connection in opened]
    started = time.perf_counter()

    async def work(statement: Prepared) -> None:
        now = started
        while now < started + seconds:
            sent = now
            await ask(statement)
            now = time.perf_counter()
            times.append(now - sent)

    await asyncio.gather(*map(work, prepared))
    elapsed = time.perf_counter() - started
    for connection in opened:
        await connection.close()
    return _round(times, elapsed)


def _round(times: list[float], seconds: float) -> Round:
    times.sort()
    return Round(len(times), seconds, [1000 * times[int(len(times) * part)] for part in (0.5, 0.99)])
