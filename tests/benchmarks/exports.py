"""`python -m tests.benchmarks.exports`: an export through a hub as it runs, against bare COPY of the same rows, in turns."""

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Self

import asyncpg
import click

from hub.model import Record
from tests.benchmarks import servers
from tests.benchmarks.servers import Database

ROUNDS = 5
RATIO = 0.6
# As records are: a score or a text each, in metadata what a survey tool tells of a response. A tenth is not of the tenant.
FILL = """
insert into feedback_records (
    id, collected_at, created_at, updated_at, source_type, source_id, source_name, field_id, field_label, field_type, value_number,
    value_text, metadata, language, user_id, tenant_id, submission_id
)
select
    gen_random_uuid(), '2026-01-01'::timestamptz + n * interval '1 second', now(), now(), 'formbricks_survey', 'survey-' || n % 40,
    'Customer Pulse', 'q' || n % 8, 'How likely are you to recommend us?', case n % 2 when 0 then 'nps' else 'text' end,
    case n % 2 when 0 then n % 11 end, case n % 2 when 1 then repeat('some "words", ', 5) end,
    jsonb_build_object('url', 'https://surveys.example/s/' || n, 'scale', jsonb_build_object('min', 0, 'max', 10), 'finished', true),
    'en', 'user-' || n / 8, case n % 10 when 0 then 'other' else 'big' end, 'response-' || n / 8
from generate_series(1, {count}) as n
"""
BARE = f"select {', '.join(Record.__struct_fields__)} from feedback_records where tenant_id = 'big'"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.exports", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    with servers.scratch() as folder, servers.hub(folder / "data", WEB_CONCURRENCY="1") as hub:
        database = Database(servers.dsn_of(folder / "data"))
        database.run(FILL.format(count=records * 10 // 9))
        database.run("vacuum (analyze) feedback_records")
        idle = servers.memory(hub.pid).rss

        def export(query: str, **headers: str) -> Callable[[], tuple[float, float, int]]:
            return lambda: _export(hub, f"/v1/feedback-records/export?tenant_id=big&{query}", headers)

        asyncio.run(_copy(database.dsn))
        fine = True
        for name, play in (
            ("CSV", export("format=csv")),
            ("NDJSON", export("format=ndjson")),
            ("CSV, formulas escaped", export("format=csv&escape_formulas=true")),
            ("CSV, gzip", export("format=csv", **{"accept-encoding": "gzip"})),
            ("Parquet", export("format=parquet")),
        ):
            bare, made = [], []
            with _Memory(hub.pid) as memory:
                for _ in range(ROUNDS):
                    bare.append(asyncio.run(_copy(database.dsn)))
                    made.append(play())
            seconds, first, size = (statistics.median(values) for values in zip(*made, strict=True))
            ratio = statistics.median(ours / each[0] for ours, each in zip(bare, made, strict=True))
            fine = fine and ratio >= RATIO
            click.echo(
                f"{name}: {records / seconds:,.0f} records/s, {ratio:.2f} of bare COPY; {size / records:.0f} bytes each, first byte"
                f" after {1000 * first:.0f} ms; memory over idle {memory.most - idle:.0f} MiB"
                + ("" if ratio >= RATIO else f"  MISSED: at least {RATIO} is wanted")
            )
    raise SystemExit(0 if fine else 1)


async def _copy(dsn: str) -> float:
    async def nowhere(_: bytes) -> None: ...

    connection = await asyncpg.connect(dsn)
    began = time.perf_counter()
    await connection.copy_from_query(BARE, output=nowhere, format="csv", header=True)
    took = time.perf_counter() - began
    await connection.close()
    return took


def _export(hub: servers.Server, path: str, headers: dict[str, str]) -> tuple[float, float, int]:
    """Seconds to the end and to the first byte, and how many bytes there are."""
    connection = HTTPConnection("127.0.0.1", hub.target.port)
    began = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {hub.target.key}", **headers})
    answer = connection.getresponse()
    assert answer.status == 200
    size = len(answer.read(1))
    first = time.perf_counter() - began
    while piece := answer.read(1 << 18):
        size += len(piece)
    took = time.perf_counter() - began
    connection.close()
    return took, first, size


class _Memory:
    """The most that a server takes while something is done."""

    def __init__(self, pid: int) -> None:
        self.most = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, servers.memory(self._pid).rss)


if __name__ == "__main__":
    main()
