"""`make bench`: the hub as it runs, against Postgres itself and against the Go Hub, in turns on one server.

Machines are noisy and differ; so every figure that matters is a ratio of rounds that ran side by side, and the median of them.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeAlias

import click

from hub.db.migrate import migrate
from tests.benchmarks import load, servers
from tests.benchmarks.load import Round
from tests.benchmarks.servers import Database

P = ParamSpec("P")
Play: TypeAlias = Callable[[], Round]

WIDE, LISTS, BARE = 64, 16, 16
ARRAY = 1_000
STREAM = 1_000_000
MILLION = 1_000_000
ROOM = 2_500  # bytes on disk a row: the table, its indexes, their sorting, the log

POSTS, LIST, LOG = f"single POST, {WIDE} at once", f"list of 100, {LISTS} at once", "log (WAL) per record"
NDJSON, JSON = "NDJSON batch, one request", f"JSON batches of {ARRAY:,}, one at a time"
LARGE, GROWTH = "NDJSON batch into a table of millions", "memory over idle, during 1 million records of NDJSON"
COPY, EMPTY = "bare COPY and insert", "an empty table"
TARGETS = {
    (POSTS, "Go Hub"): "at least 1.5",
    (LIST, "Go Hub"): "at least 1.0",
    (LOG, "Go Hub"): "at most 0.65",
    (NDJSON, COPY): "at least 0.7",
    (NDJSON, "Go Hub"): "at least 5",
    (JSON, COPY): "at least 0.4",
    (LARGE, EMPTY): "at least 0.8",
    (GROWTH, ""): "less than 200 MB",
}


class Contestant:
    """A server of the feedback API, its database, and what it wrote while records were posted over many connections."""

    def __init__(self, name: str, server: servers.Server, database: Database) -> None:
        self.name = name
        self.server = server
        self.database = database
        self.idle = servers.memory(server.pid)
        self.stored = 0
        self.logged = 0.0


class Bench:
    def __init__(self, pool: ProcessPoolExecutor, *, quick: bool, millions: int) -> None:
        self.rounds = 3 if quick else 7
        self.millions = millions
        self.bulk_rounds = 3 if quick else 5
        self.warm_up = 1.0 if quick else 3.0
        self._seconds = 0.7 if quick else 2.5
        self.batch = 40_000 if quick else 200_000
        self._pool = pool
        self._lines: list[tuple[str, str, str, str, str, str]] = []
        self._labels = (f"r{number:03}" for number in itertools.count())
        self._begun = time.monotonic()

    def call(self, play: Callable[P, Round], *arguments: P.args, **named: P.kwargs) -> Round:
        """One round, in a process of its own."""
        return self._pool.submit(play, *arguments, **named).result()

    def posting(self, to: Contestant, connections: int) -> Play:
        def play() -> Round:
            before = to.database.wal
            made = self.call(load.posts, to.server.target, next(self._labels), connections, self._seconds)
            if connections == WIDE:
                to.stored += made.done
                to.logged += to.database.wal - before
            return made

        return play

    def inserting(self, dsn: str, connections: int) -> Play:
        def play() -> Round:
            processes = min(connections, 2)  # one Python process is not enough to load Postgres
            parts = [
                self._pool.submit(load.inserts, dsn, next(self._labels), connections // processes, self._seconds)
                for _ in range(processes)
            ]
            return _together([part.result() for part in parts])

        return play

    def listing(self, of: Contestant) -> Play:
        return lambda: self.call(load.lists, of.server.target, LISTS, self._seconds)

    def querying(self, dsn: str) -> Play:
        def play() -> Round:
            parts = [self._pool.submit(load.queries, dsn, LISTS // 2, self._seconds) for _ in range(2)]
            return _together([part.result() for part in parts])

        return play

    def asking(self, server: servers.Server) -> Play:
        return lambda: self.call(load.health, server.target, WIDE, self._seconds)

    def streaming(self, to: servers.Server) -> Play:
        return lambda: self.call(load.stream, to.target, next(self._labels), self.batch)

    def scattering(self, to: servers.Server, before: Callable[[], object] = int) -> Play:
        def play() -> Round:
            before()
            return self.call(load.stream, to.target, next(self._labels), self.batch // 2, scattered=True)

        return play

    def sending(self, to: servers.Server) -> Play:
        return lambda: self.call(load.arrays, to.target, next(self._labels), self.batch // 4, ARRAY)

    def copying(self, dsn: str, count: int) -> Play:
        return lambda: self.call(load.copies, dsn, next(self._labels), count)

    def filling(self, database: Database, count: int) -> None:
        """A table of so many rows. Its indexes are made afterwards, as a restored backup would."""
        database.run("update pg_index set indisready = false where indrelid = 'feedback_records'::regclass")
        parts = [self._pool.submit(load.fill, database.dsn, next(self._labels), count // 3) for _ in range(3)]
        for part in parts:
            part.result()
        self.say("indexes of the large table")
        database.run("set maintenance_work_mem = '1GB'; reindex table feedback_records")
        database.run("vacuum (analyze) feedback_records")  # or it would begin by itself during the rounds
        database.run("checkpoint")

    def growth(self, of: Contestant) -> float:
        """The most MiB a server takes while a stream comes in, over what it took when it was started."""
        most = 0.0
        stream = self._pool.submit(load.stream, of.server.target, next(self._labels), STREAM)
        while not stream.done():
            most = max(most, servers.memory(of.server.pid).rss)
            time.sleep(0.05)
        stream.result()
        return most - of.idle.rss

    def contest(self, what: str, plays: Mapping[str, Play], rounds: int) -> None:
        """Rounds in turn: A B C A B C. The first contestant is compared with each of the others."""
        made: dict[str, list[Round]] = {name: [] for name in plays}
        for n in range(rounds):
            for name, play in plays.items():
                self.say(f"{what}: {name}, round {n + 1} of {rounds}")
                made[name].append(play())
        ours, *others = made
        for other in others:
            ratio = statistics.median(a.rate / b.rate for a, b in zip(made[ours], made[other], strict=True))
            self._add(what, _shown(made[ours]), other, _shown(made[other]), f"{ratio:.2f}")
        if not others:
            self._add(what, _shown(made[ours]))

    def compare(self, what: str, unit: str, figures: Mapping[str, float]) -> None:
        """One number of each."""
        (_, ours), *others = figures.items()
        for other, figure in others:
            self._add(what, f"{ours:,.0f} {unit}", other, f"{figure:,.0f} {unit}", f"{ours / figure:.3f}")
        if not others:
            self._add(what, f"{ours:,.0f} {unit}")

    def _add(self, what: str, ours: str, other: str = "", theirs: str = "", ratio: str = "") -> None:
        self._lines.append((what, ours, other, theirs, ratio, TARGETS.get((what, other), "")))

    def say(self, text: str) -> None:
        """Where the run is, at a terminal."""
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{time.monotonic() - self._begun:4.0f} s  {text}", nl=False, err=True)

    def print(self) -> None:
        """The table, as Markdown."""
        self.say("\r\033[K")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        click.echo(f"{cores} cores shared by client, hub and Postgres; Python {platform.python_version()}.")
        click.echo(f"Large table: {self.millions} million rows.\n")
        table = [("what", "this hub", "against", "its figure", "ratio", "wanted"), *self._lines]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in table]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        click.echo("\n".join(lines))


def _shown(made: list[Round]) -> str:
    rate = statistics.median(each.rate for each in made)
    if not made[0].milliseconds:
        return f"{rate:,.0f}/s"
    p50, p99 = (statistics.median(each.milliseconds[n] for each in made) for n in (0, 1))
    return f"{rate:,.0f}/s (p50 {p50:.1f}, p99 {p99:.1f} ms)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes, rough numbers")
    parser.add_argument("--only", choices=("single", "bulk"), help="records one by one and lists, or batches")
    parser.add_argument("--rows", type=int, metavar="MILLION", help="size of the large table (10; 1 with --quick)")
    options = parser.parse_args()
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")))
        bench = Bench(pool, quick=options.quick, millions=options.rows or (1 if options.quick else 10))
        folder = stack.enter_context(servers.scratch())
        bench.say("first start")
        with servers.hub(folder / "data") as hub:
            first = hub.started_in
        bench.say("second start")
        hub = stack.enter_context(servers.hub(folder / "data"))
        contestants = [Contestant("this hub", hub, Database(servers.dsn_of(folder / "data")))]
        if servers.go_hub_is_here():
            theirs = _database(contestants[0], "go")
            go = stack.enter_context(servers.go_hub(theirs.dsn, folder / "go"))
            contestants.append(Contestant("Go Hub", go, theirs))
        else:
            click.echo(f"No Go Hub in {servers.GO_HUB}; FORMBRICKS_HUB may name another folder.", err=True)
        bench.say("warming up")
        for each in contestants:
            bench.call(load.posts, each.server.target, "w00", WIDE, bench.warm_up)
        if options.only != "bulk":
            _single(bench, contestants)
            bench.compare("first start, database made", "ms", {"this hub": 1000 * first})
            bench.compare("second start", "ms", {"this hub": 1000 * hub.started_in})
        if options.only != "single":
            _bulk(bench, contestants)
            _large(bench, contestants[0], folder)
        bench.print()


def _database(of: Contestant, name: str) -> Database:
    of.database.run(f"create database {name}")
    return Database(of.database.dsn.rpartition("/")[0] + f"/{name}")


def _single(bench: Bench, contestants: list[Contestant]) -> None:
    ours = contestants[0]
    raw = _database(ours, "raw").dsn
    asyncio.run(migrate(raw))
    bench.call(load.inserts, raw, "w00", BARE, bench.warm_up)
    for each in contestants:
        bench.call(load.lists, each.server.target, LISTS, bench.warm_up / 2)

    for what, connections, rounds in ((POSTS, WIDE, bench.rounds), ("single POST, 1 at once", 1, bench.rounds // 2)):
        plays = {each.name: bench.posting(each, connections) for each in contestants}
        plays["bare insert"] = bench.inserting(raw, BARE if connections == WIDE else 1)
        bench.contest(what, plays, rounds)
    plays = {each.name: bench.listing(each) for each in contestants}
    plays["bare query"] = bench.querying(ours.database.dsn)
    bench.contest(LIST, plays, bench.rounds)
    bench.contest(f"/health, {WIDE} at once (what the client can do)", {"this hub": bench.asking(ours.server)}, 1)

    bench.compare(LOG, "bytes", {each.name: each.logged / each.stored for each in contestants})
    bench.compare(
        "disk per record, with indexes",
        "bytes",
        {each.name: each.database.size / each.database.records for each in contestants},
    )
    bench.compare("memory idle (PSS of all its processes)", "MiB", {each.name: each.idle.pss for each in contestants})
    bench.compare(
        "memory after the load", "MiB", {each.name: servers.memory(each.server.pid).pss for each in contestants}
    )


def _bulk(bench: Bench, contestants: list[Contestant]) -> None:
    ours, *others = contestants
    plays = {ours.name: bench.streaming(ours.server), COPY: bench.copying(ours.database.dsn, bench.batch)}
    plays |= {each.name: bench.posting(each, WIDE) for each in others}
    bench.contest(NDJSON, plays, bench.bulk_rounds)
    plays = {ours.name: bench.sending(ours.server), COPY: bench.copying(ours.database.dsn, bench.batch // 4)}
    bench.contest(JSON, plays, bench.bulk_rounds)
    bench.say(GROWTH)
    bench.compare(GROWTH, "MiB", {ours.name: bench.growth(ours)})


def _large(bench: Bench, ours: Contestant, folder: Path) -> None:
    millions = bench.millions
    if shutil.disk_usage(folder).free < millions * MILLION * ROOM:
        click.echo(f"No room on the disk for {millions} million rows, so they are left out.", err=True)
        return
    with ExitStack() as stack:
        databases = {name: _database(ours, name) for name in ("large", "empty")}
        hubs = {
            name: stack.enter_context(servers.hub(folder / name, DATABASE_URL=database.dsn))
            for name, database in databases.items()
        }
        bench.say(f"filling a table with {millions} million rows")
        bench.filling(databases["large"], millions * MILLION)
        empty = partial(databases["empty"].run, "truncate feedback_records")
        plays = {
            "large": bench.scattering(hubs["large"]),
            EMPTY: bench.scattering(hubs["empty"], before=empty),
        }
        bench.contest(LARGE, plays, bench.bulk_rounds)


def _together(parts: list[Round]) -> Round:
    done = sum(part.done for part in parts)
    return Round(
        done,
        max(part.seconds for part in parts),
        [statistics.mean(part.milliseconds[n] for part in parts) for n in (0, 1)],
    )


if __name__ == "__main__":
    main()
