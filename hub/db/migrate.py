"""Brings a database to this code's schema. Forward only, and safe when ten instances start at once."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from msgspec import Struct, field

from hub.db import SQL, Connection, query

# On Citus: spread by tenant_id, each beside the first; copied to every node; kept on the coordinator.
DISTRIBUTED = (
    "feedback_records",
    "submissions",
    "forms",
    "rejects",
    "imports",
    "erasures",
    "changes",
    "deliveries",
    "search_tenants",
    "search_texts",
)
REPLICATED = ("api_keys", "connections", "reader_tenants")
LOCAL = (
    "schema_migrations", "batches", "secret", "reflattenings", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules",
    "pgqueuer_statistics", "pulls",
)  # fmt: skip

TRY_LOCK = query("migrations/try_lock")
HAS_LEDGER = query("migrations/has_ledger")
CREATE_LEDGER = query("migrations/create_ledger")
APPLIED = query("migrations/applied")
RECORD = query("migrations/record")
HAS_CITUS = query("migrations/has_citus")
LOCAL_TABLES = query("citus/local_tables")
DISTRIBUTE = query("citus/distribute")
REPLICATE = query("citus/replicate")
FORGET_LOCAL_ROWS = query("citus/forget_local_rows")

POLL_SECONDS = 0.05


class MigrationError(Exception):
    """The migration files cannot be applied as they are."""


class Report(Struct, kw_only=True, frozen=True):
    """What a run did."""

    applied: list[str] = field(default_factory=list)
    distributed: list[str] = field(default_factory=list)
    citus: bool = False
    newer: list[str] = field(default_factory=list)
    """Applied by newer code and unknown here: then nothing was done, for this code is the one being replaced."""
    waiting: list[str] = field(default_factory=list)
    """Tables with rows in them that Citus could distribute, left for `hub migrate --distributed`."""


class Migration(Struct, kw_only=True, frozen=True):
    version: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        return not self.text.startswith("-- transaction: none")


async def migrate(dsn: str, *, distributed: bool = False, folder: Path = SQL / "migrations") -> Report:
    """Applies what is pending. With `distributed`, filled tables are distributed too, or nothing is done without Citus."""
    migrations = read(folder)
    async with _connect(dsn) as connection:
        citus = await connection.fetchval(HAS_CITUS)
        if distributed and not citus:
            return Report()
        # Held until this connection ends.
        while not await connection.fetchval(TRY_LOCK):  # noqa: ASYNC110 # no event is heard from another process
            await asyncio.sleep(POLL_SECONDS)
        await connection.execute(CREATE_LEDGER)
        ledger = await _ledger(connection)
        known = {migration.version for migration in migrations}
        newer = [name for version, (name, _) in ledger.items() if version not in known]
        if newer:
            return Report(citus=citus, newer=newer)
        missing = _missing(migrations, ledger)
        for migration in missing:
            await _apply(connection, migration)
        moved, waiting = await _distribute(connection, filled=distributed) if citus else ([], [])
        return Report(applied=[m.name for m in missing], distributed=moved, citus=citus, waiting=waiting)


async def pending(dsn: str, *, folder: Path = SQL / "migrations") -> list[str]:
    """The names of the migrations that were not applied yet."""
    async with _connect(dsn) as connection:
        return await pending_on(connection, folder=folder)


async def pending_on(connection: Connection, *, folder: Path = SQL / "migrations") -> list[str]:
    ledger = await _ledger(connection) if await connection.fetchval(HAS_LEDGER) else {}
    return [migration.name for migration in read(folder) if migration.version not in ledger]


def read(folder: Path) -> list[Migration]:
    """The migrations of a folder in their order."""
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        if not (match := re.fullmatch(r"(\d{4})_[a-z0-9_]+", path.stem)):
            raise MigrationError(f"{path.name}: Expected a name like 0004_what_it_does.sql")
        version = int(match[1])
        if migrations and migrations[-1].version == version:
            raise MigrationError(f"{path.name}: {migrations[-1].name} has this number already")
        migrations.append(Migration(version=version, name=path.stem, text=path.read_text(encoding="utf-8")))
    if not migrations:
        raise MigrationError(f"{folder}: Expected the migrations here")
    return migrations


@asynccontextmanager
async def _connect(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    # A migration takes the time it takes, whatever limit the role has for requests.
    settings = {"search_path": "public", "statement_timeout": "0", "application_name": "hub migrate"}
    connection = await asyncpg.connect(dsn, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


async def _ledger(connection: Connection) -> dict[int, tuple[str, str]]:
    return {row["version"]: (row["name"], row["sha256"]) for row in await connection.fetch(APPLIED)}


def _missing(migrations: Iterable[Migration], ledger: dict[int, tuple[str, str]]) -> list[Migration]:
    missing: list[Migration] = []
    for migration in migrations:
        if migration.version not in ledger:
            missing.append(migration)
        elif ledger[migration.version][1] != migration.sha256:
            raise MigrationError(
                f"{migration.name}.sql was edited after it was applied. Put it back, and make the change in a new file."
            )
    return missing


async def _apply(connection: Connection, migration: Migration) -> None:
    row = (migration.version, migration.name, migration.sha256)
    if migration.transactional:
        async with connection.transaction():
            await connection.execute(migration.text)
            await connection.execute(RECORD, *row)
        return
    # Sent together, statements would share a transaction; `create index concurrently` must have none.
    for statement in re.split(r";[ \t]*$", migration.text, flags=re.MULTILINE):
        if statement.strip():
            await connection.execute(statement)
    await connection.execute(RECORD, *row)


async def _distribute(connection: Connection, *, filled: bool) -> tuple[list[str], list[str]]:
    """The tables distributed now, and those left because they are filled: moving them would hold up a start for long."""
    moved: list[str] = []
    waiting: list[str] = []
    for row in await connection.fetch(LOCAL_TABLES, [*DISTRIBUTED, *REPLICATED]):
        table = row["name"]
        if row["filled"] and not filled:
            waiting.append(table)
            continue
        if table in REPLICATED:
            await connection.execute(REPLICATE, table)
        else:
            await connection.execute(DISTRIBUTE, table, "none" if table == DISTRIBUTED[0] else DISTRIBUTED[0])
        if row["filled"]:
            await connection.execute(FORGET_LOCAL_ROWS, table)
        moved.append(table)
    return moved, waiting
