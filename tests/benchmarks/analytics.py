"""`python -m tests.benchmarks.analytics`: every metric over HTTP against the statements it runs, bare, in turns.

A tenth of the records answers each question, so that of ten million one million is measured. Filled by COPY, as a list of tuples.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import click
import httpx
import msgspec

from hub.api.analytics import asked
from hub.db import Pool, analytics, measures, new_ids, open_pool
from hub.db.measures import Metric
from hub.settings import Settings
from tests.benchmarks import servers
from tests.benchmarks.load import Target

MILLION = 1_000_000
STEP = 100_000
DAYS = 540
START = datetime(2025, 6, 1, tzinfo=UTC)
PLANS, LANGUAGES = ("free", "pro", "team"), ("en", "de", "fr")
COLUMNS = (
    "id", "collected_at", "created_at", "updated_at", "source_type", "source_id", "field_id", "field_type", "field_group_id",
    "value_text", "value_id", "value_number", "value_boolean", "metadata", "language", "user_id", "tenant_id", "submission_id",
)  # fmt: skip
# The questions of each submission, by their types; three are there to make up the tenth.
QUESTIONS = ("nps", "csat", "ces", "rating", "number", "boolean", "categorical", "ranking", "text", "text2")

# What is asked, and how many milliseconds it may take on four cores.
ASKED: list[tuple[Metric[Any], str, int | None]] = [
    (measures.NPS, "field_id=nps&interval=week", 300),
    (measures.NPS, "field_id=nps&interval=week&tz=Europe/Berlin&group_by=metadata.plan", None),
    (measures.NPS, "field_id=nps&group_by=answer:categorical", None),
    (measures.NPS, "field_id=nps&interval=month&latest_per_user=true", None),
    (measures.CSAT, "field_id=csat&interval=week", None),
    (measures.CES, "field_id=ces&interval=week", None),
    (measures.RATING, "field_id=rating&interval=month", None),
    (measures.NUMBER, "field_id=number", None),
    (measures.BOOLEAN, "field_id=boolean&interval=week", None),
    (measures.CATEGORICAL, "field_id=categorical", None),
    (measures.RANKING, "field_group_id=ranking", None),
    (measures.VOLUME, "field_id=text&interval=week", None),
]
RATIO = 1.2


def rows(count: int) -> Iterator[tuple[object, ...]]:
    """Always the same ones, but for their ids."""
    chance = random.Random(6)
    ids = new_ids(count)
    scales = {
        name: msgspec.json.encode({"plan": "@", "scale": {"min": low, "max": high}}).decode()
        for name, low, high in (("nps", 0, 10), ("csat", 1, 5), ("ces", 1, 7), ("rating", 1, 5))
    }
    for number, each in enumerate(ids):
        submission, name = number // len(QUESTIONS), QUESTIONS[number % len(QUESTIONS)]
        if name == QUESTIONS[0]:
            collected = START + timedelta(seconds=chance.randrange(DAYS * 86400))
            plan, user = chance.choice(PLANS), f"user-{chance.randrange(count // 30 + 1)}"
        option = chance.randrange(6)
        score: float | None = None
        if name in scales:
            score = chance.randint(0 if name == "nps" else 1, {"nps": 10, "ces": 7}.get(name, 5))
        elif name == "number":
            score = round(chance.gauss(40, 12), 1)
        elif name == "ranking":
            score = chance.randint(1, 3)
        metadata = scales.get(name, '{"plan": "@", "total_items": 3}' if name == "ranking" else '{"plan": "@"}')
        yield (
            each, collected, collected, collected, "survey", f"survey-{submission % 20}", name,
            {"ranking": "number", "text2": "text"}.get(name, name), name if name == "ranking" else None,
            "the export takes far too long and support could not say when it will be fixed" if name[:4] == "text" else
            f"Option {option}" if name == "categorical" else None,
            f"o{option}" if name == "categorical" else None, score, chance.random() < 0.7 if name == "boolean" else None,
            metadata.replace("@", plan), LANGUAGES[submission % 3], user, "bench", f"s{submission}",
        )  # fmt: skip


async def fill(dsn: str, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    source, done = rows(count), 0
    while done < count:
        part = [row for _, row in zip(range(min(STEP, count - done)), source, strict=False)]
        await connection.copy_records_to_table("feedback_records", records=part, columns=COLUMNS)
        done += len(part)
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{done:,} records", err=True, nl=False)
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
    await connection.execute("vacuum (analyze) feedback_records")
    await connection.close()


class Recorder:
    """A pool of one connection that remembers what it was asked, and with which values."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.said: list[tuple[str, tuple[object, ...]]] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[object]:
        async with self._pool.acquire() as connection:
            with connection.query_logger(self._note):
                yield connection

    def _note(self, query: asyncpg.connection.LoggedQuery) -> None:
        if query.args:  # and not where the transaction begins and ends
            self.said.append((query.query, query.args))


async def measure(dsn: str, target: Target, rounds: int) -> bool:
    """Prints a line for each metric; whether all of them are as they should be."""
    pool = await open_pool(Settings(database_url=dsn))
    headers = {"Authorization": f"Bearer {target.key}"}
    base = f"http://127.0.0.1:{target.port}"
    fine = True
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=300) as client, pool.acquire() as bare:
        for metric, query, most in ASKED:
            selection, breakdown = asked(f"tenant_id=bench&{query}".encode(), metric, None)
            recorder = Recorder(pool)
            await analytics.report(cast("Pool", recorder), metric, selection, breakdown)
            times: dict[str, list[float]] = {"http": [], "bare": []}
            for _ in range(rounds):
                begun = time.perf_counter()
                answer = await client.get(f"/v1/analytics/{metric.name}?tenant_id=bench&{query}")
                answer.raise_for_status()
                times["http"].append(time.perf_counter() - begun)
                begun = time.perf_counter()
                for statement, values in recorder.said:
                    await bare.fetch(statement, *values)
                times["bare"].append(time.perf_counter() - begun)
            ours, theirs = (1000 * statistics.median(times[name]) for name in ("http", "bare"))
            ratio = statistics.median(a / b for a, b in zip(times["http"], times["bare"], strict=True))
            missed = ratio > RATIO or (most is not None and ours > most)
            fine = fine and not missed
            target_text = f"at most {RATIO}" + (f" and {most} ms" if most else "")
            click.echo(
                f"{metric.name + ' ' + query:<75} {ours:8.0f} ms {theirs:8.0f} ms bare {ratio:6.2f}  {target_text}"
                + ("  MISSED" if missed else "")
            )
    await pool.close()
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.analytics", description=__doc__)
    parser.add_argument("--rows", type=float, metavar="MILLION", default=10, help="size of the table (10)")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with servers.scratch() as folder, servers.hub(folder / "data") as hub:
        dsn = servers.dsn_of(folder / "data")
        asyncio.run(fill(dsn, int(options.rows * MILLION)))
        fine = asyncio.run(measure(dsn, hub.target, options.rounds))
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
