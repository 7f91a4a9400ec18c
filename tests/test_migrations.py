"""The schema comes to be once, whoever asks first, and keeps its promises."""

import asyncio
import re
import shutil
from pathlib import Path

import asyncpg
import pytest

from hub.db import SQL, Connection
from hub.db.migrate import (
    DISTRIBUTED,
    LOCAL,
    REPLICATED,
    TRY_LOCK,
    Migration,
    MigrationError,
    Report,
    migrate,
    pending,
    read,
)
from tests.databases import connect

FOLDER = SQL / "migrations"
NAMES = [migration.name for migration in read(FOLDER)]

# Unique indexes that need no tenant_id, and why.
WITHOUT_TENANT = {
    "api_keys_pkey": "keys are few and copied to every node",
    "api_keys_hash_key": "a key is found before its tenant is known",
    "connections_pkey": "connections are few and copied to every node",
    "connections_insert_key_key": "an insert is recognized before its tenant is known",
    "secret_pkey": "stays on the coordinator",
    "reflattenings_pkey": "stays on the coordinator",
    "schema_migrations_pkey": "stays on the coordinator",
    **dict.fromkeys(
        (
            "pgqueuer_pkey",
            "pgqueuer_log_pkey",
            "pgqueuer_schedules_pkey",
            "pgqueuer_statistics_pkey",
            "pgqueuer_picked_slot_idx",
            "pgqueuer_unique_dedupe_key",
            "pgqueuer_schedules_expression_entrypoint_key",
            "pgqueuer_statistics_unique_count",
            "pulls_pkey",
        ),
        "stays on the coordinator, and there is one queue",
    ),
    "batches_pkey": "stays on the coordinator: a batch may have records of many tenants",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may change."""
    return Path(shutil.copytree(FOLDER, tmp_path / "migrations"))


async def test_an_empty_database_gets_every_migration_once(empty_dsn: str) -> None:
    assert await pending(empty_dsn) == NAMES
    assert (await migrate(empty_dsn)).applied == NAMES
    assert await pending(empty_dsn) == []
    assert (await migrate(empty_dsn)).applied == []


async def test_ten_instances_may_start_at_once(empty_dsn: str) -> None:
    reports = await asyncio.gather(*(migrate(empty_dsn) for _ in range(10)))
    assert sorted(len(report.applied) for report in reports) == [0] * 9 + [len(NAMES)]


async def test_ten_instances_may_build_an_index_concurrently(empty_dsn: str, folder: Path) -> None:
    """A blocking lock would deadlock here: building waits for every open snapshot, those of waiting sessions too."""
    (folder / "9000_index.sql").write_text(
        "-- transaction: none\n"
        "drop index concurrently if exists feedback_records_language_idx;\n"
        "create index concurrently feedback_records_language_idx on feedback_records (tenant_id, language);\n"
    )
    reports = await asyncio.gather(*(migrate(empty_dsn, folder=folder) for _ in range(10)))
    assert sorted(len(report.applied) for report in reports) == [0] * 9 + [len(NAMES) + 1]


async def test_a_migration_that_fails_leaves_nothing_behind_and_the_next_try_goes_on(dsn: str, folder: Path) -> None:
    broken = folder / "9000_broken.sql"
    broken.write_text("create table half (id integer); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn, folder=folder)
    assert await pending(dsn, folder=folder) == ["9000_broken"]
    broken.write_text("create table half (id integer); drop table half;")
    assert (await migrate(dsn, folder=folder)).applied == ["9000_broken"]
    await _forget(dsn, 9000)


async def test_a_file_edited_after_it_was_applied_is_refused_by_name(dsn: str, folder: Path) -> None:
    with (folder / f"{NAMES[1]}.sql").open("a") as file:
        file.write("-- a second thought\n")
    with pytest.raises(MigrationError, match=f"{NAMES[1]}.sql was edited"):
        await migrate(dsn, folder=folder)


async def test_line_endings_are_not_an_edit(dsn: str, folder: Path) -> None:
    path = folder / f"{NAMES[0]}.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert (await migrate(dsn, folder=folder)).applied == []


async def test_older_code_leaves_a_newer_database_alone(dsn: str, folder: Path) -> None:
    """In a rolling deploy the old instances may restart after the new ones have migrated."""
    newer = folder / "9000_newer.sql"
    newer.write_text("select 1;")
    await migrate(dsn, folder=folder)
    newer.unlink()
    (folder / "8000_elsewhere.sql").write_text("select 1 / 0;")
    assert await migrate(dsn, folder=folder) == Report(newer=["9000_newer"], citus=(await migrate(dsn)).citus)
    await _forget(dsn, 9000)


@pytest.mark.parametrize("name", ["4_short.sql", "0001_twice.sql", "0004-dash.sql"])
async def test_a_file_that_cannot_be_ordered_is_refused(dsn: str, folder: Path, name: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationError, match=r"\d+[_-]\w+\.sql: "):
        await migrate(dsn, folder=folder)


async def test_a_lock_held_elsewhere_is_waited_for(dsn: str) -> None:
    async with connect(dsn) as holder:
        assert await holder.fetchval(TRY_LOCK)
        waiting = asyncio.create_task(migrate(dsn))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    assert (await waiting).applied == []


@pytest.mark.not_on_citus("says what happens without it")
async def test_distributing_without_citus_changes_nothing_at_all(empty_dsn: str) -> None:
    assert await migrate(empty_dsn, distributed=True) == Report()
    assert await pending(empty_dsn) == NAMES


@pytest.mark.only_on_citus("without it there is nothing to distribute")
async def test_new_tables_are_distributed_at_once_and_filled_ones_when_asked(empty_dsn: str, tmp_path: Path) -> None:
    async with connect(empty_dsn) as connection:
        # As if the extension had come after the hub: the tables are there, and one has a row.
        for migration in read(FOLDER):
            await connection.execute(migration.text)
        await connection.execute(
            "insert into forms (tenant_id, source, form_id, updated_at) values ('t', 's', 'f', now())"
        )
        (tmp_path / "9000_later.sql").write_text("select 1;")

        report = await migrate(empty_dsn, folder=tmp_path)
        assert report.distributed == [*(table for table in DISTRIBUTED if table != "forms"), *REPLICATED]
        assert report.waiting == ["forms"]

        report = await migrate(empty_dsn, folder=tmp_path, distributed=True)
        assert (report.distributed, report.waiting) == (["forms"], [])
        assert await connection.fetchval("select form_id from forms where tenant_id = 't'") == "f"
        beside = "select count(distinct colocation_id) from citus_tables where distribution_column = 'tenant_id'"
        assert await connection.fetchval(beside) == 1


async def test_every_table_is_in_exactly_one_list(connection: Connection) -> None:
    rows = await connection.fetch(
        "select relname from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"
    )
    assert sorted(row["relname"] for row in rows) == sorted([*DISTRIBUTED, *REPLICATED, *LOCAL])


async def test_tenant_owned_tables_have_a_tenant_that_is_never_null(connection: Connection) -> None:
    rows = await connection.fetch(
        "select table_name from information_schema.columns"
        " where table_schema = 'public' and column_name = 'tenant_id' and is_nullable = 'NO'"
    )
    found = {row["table_name"] for row in rows} - {"citus_tables"}
    # A connection is looked for before its tenant is known; which tenants somebody reads is asked on every node.
    assert found == {*DISTRIBUTED, "connections", "reader_tenants"}


async def test_every_unique_index_contains_the_tenant(connection: Connection) -> None:
    """Citus and native partitions can only keep what is unique within a tenant unique."""
    rows = await connection.fetch(
        "select relname, exists ("
        "  select from pg_attribute where attrelid = indrelid and attname = 'tenant_id' and attnum = any(indkey)"
        ") as has_tenant"
        " from pg_index join pg_class on pg_class.oid = indexrelid"
        " where indisunique and relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in rows if not row["has_tenant"]} == set(WITHOUT_TENANT)


async def test_feedback_records_has_at_most_seven_indexes(connection: Connection) -> None:
    """Each costs about a tenth of the insert rate, but for that of changed records: a new one is not in it."""
    count = await connection.fetchval("select count(*) from pg_index where indrelid = 'feedback_records'::regclass")
    assert count <= 7 + 1


@pytest.mark.parametrize("migration", read(FOLDER), ids=lambda migration: migration.name)
def test_constraints_are_named_in_the_file(migration: Migration) -> None:
    """Errors are told apart by constraint name, so a name is a contract and not what Postgres makes up."""
    text = re.sub(r"--.*", "", migration.text).lower()
    for kind in ("primary key", "unique", "check", "references", "exclude"):
        for match in re.finditer(rf"(?<!create )\b{kind}\b", text):
            before = text[: match.start()].rstrip().split("\n")[-1]
            assert re.search(r"\bconstraint \w+$", before), f"{kind!r} without a name after {before!r}"


async def _forget(dsn: str, version: int) -> None:
    """On Citus the tests share a database, and a ledger that knows of the future would stop the others."""
    async with connect(dsn) as connection:
        await connection.execute("delete from schema_migrations where version = $1", version)
