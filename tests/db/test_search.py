"""What search reads agrees with the records, whoever writes at the same moment."""

import asyncio
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
import msgspec
import pytest

from hub.db import Pool, query, records, search
from hub.db.records import arguments
from hub.db.search import Index, Search
from hub.model import NewRecord, RecordFilter
from tests.conftest import make_record
from tests.databases import connect
from tests.test_sql import explain

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
ACME = RecordFilter(tenant_id="acme")


@pytest.fixture
async def index(pool: Pool) -> "Index":
    return Index(pool, patience=10)


def text(value: str, submission: str = "s1", **members: object) -> NewRecord:
    return msgspec.convert(make_record(value_text=value, submission_id=submission, **members), NewRecord)


async def found(pool: Pool, index: Index, q: str) -> list[str]:
    assert await index.catch_up("acme")
    texts, _ = await search.page(pool, ACME, Search(q=q))
    return [msgspec.json.decode(each)["value_text"] for each in texts]


async def test_record_that_is_committed_late_is_found(pool: Pool, index: Index, dsn: str) -> None:
    """It arrived, by its time, before others that were found already."""
    async with connect(dsn) as slow:
        await found(pool, index, "export")
        async with slow.transaction():
            await records.insert_on(slow, [text("slow export", "slow")])
            await records.insert(pool, [text(f"export {n}", f"s{n}") for n in range(3)])
            assert len(await found(pool, index, "export")) == 3
            assert len(await found(pool, index, "export")) == 3
        assert len(await found(pool, index, "export")) == 4


async def test_records_deleted_while_a_first_search_begins_leave_nothing(pool: Pool, index: Index, dsn: str) -> None:
    """A transaction that began before the first search does not know of it; the search waits for its end."""
    await records.insert(pool, [text("export", user_id="u1")])
    async with connect(dsn) as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.fetch(query("records/erase_user"), "u1", None)
        first = asyncio.create_task(index.catch_up("acme"))
        done, _ = await asyncio.wait([first], timeout=0.3)
        assert not done
        await transaction.commit()
    assert await first
    async with pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from search_texts") == 0


async def test_record_deleted_while_its_words_are_read_leaves_nothing(pool: Pool, index: Index, dsn: str) -> None:
    """Whoever of the two is first, the other waits, or comes back."""
    await found(pool, index, "export")
    await records.insert(pool, [text("export", user_id="u1")])
    async with connect(dsn) as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.fetch(query("records/erase_user"), "u1", None)
        reading = asyncio.create_task(index.catch_up("acme"))
        done, _ = await asyncio.wait([reading], timeout=0.3)
        assert not done
        await transaction.commit()
    assert await reading
    assert await found(pool, index, "export") == []
    async with pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from search_texts") == 0


async def test_words_that_a_crash_has_emptied_are_made_again(pool: Pool, index: Index, connection: Connection) -> None:
    """Both tables are emptied by one, since neither is logged."""
    await records.insert(pool, [text("export")])
    assert await found(pool, index, "export") == ["export"]
    unlogged = (
        "select count(*) from pg_class where relname in ('search_tenants', 'search_texts') and relpersistence = 'u'"
    )
    assert await connection.fetchval(unlogged) == 2
    await connection.execute("delete from search_tenants")
    await connection.execute("delete from search_texts")

    assert await found(pool, index, "export") == ["export"]


async def test_imported_records_of_old_times_are_found(pool: Pool, index: Index, connection: Connection) -> None:
    """They keep the time of their first arrival, which is long passed."""
    await records.insert(pool, [text("export now")])
    assert len(await found(pool, index, "export")) == 1
    old = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    moved = make_record(
        id="01890a5d-ac96-774b-bcce-b302099a8057", created_at=old, updated_at=old, collected_at=old,
        value_text="export then", submission_id="old",
    )  # fmt: skip
    await connection.execute(query("imports/write"), "01890a5d-ac96-774b-bcce-b302099a8058", msgspec.json.encode([moved]).decode())  # fmt: skip

    assert sorted(await found(pool, index, "export")) == ["export now", "export then"]


async def test_two_processes_may_make_words_of_one_tenant(pool: Pool) -> None:
    await records.insert(pool, [text(f"export {n}", f"s{n}") for n in range(300)])
    indexes = [Index(pool, patience=10) for _ in range(3)]

    assert await asyncio.gather(*(index.catch_up("acme") for index in indexes)) == [True] * 3
    async with pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from search_texts where words is not null") == 300


SEED = """
insert into feedback_records (
    id, collected_at, created_at, updated_at, source_type, field_id, field_type, value_text, tenant_id, submission_id
)
select gen_random_uuid(), '2026-01-01'::timestamptz + n * interval '1 minute', now(), now(), 'survey', 'q', 'text',
    'words of all ' || n || case when n % 10 = 0 then ' export' else '' end || case when n < 10000 and n % 10 = 1 then ' legacy' else '' end,
    $1, 's' || n
from generate_series(0, $2 - 1) as n
"""


@pytest.mark.not_on_citus("plans are made by each node for its shards")
async def test_first_page_reads_little(pool: Pool, index: Index) -> None:
    """Of a frequent word the latest texts, of one nobody says any more its own, in a small tenant none of the large one's."""
    async with pool.acquire() as connection:
        for tenant, count in (("large", 30_000), ("small", 300)):
            await connection.execute(SEED, tenant, count)
            assert await index.catch_up(tenant)
        await connection.execute("vacuum analyze feedback_records, search_texts")

        async def read(most: int, name: str, tenant: str, q: str, *more: object) -> None:
            words = await connection.fetchval(query("search/words"), tenant, q)
            values = (*arguments(RecordFilter(tenant_id=tenant)), None, 101, None, None, q, words, *more)
            plan = await explain(connection, query(f"search/{name}"), *values)
            assert "Seq Scan" not in plan.kinds, plan.text
            assert 0 < plan.scanned <= most, plan.text

        # What a CTE has is read twice; each hit on the page, and what its submission scored, besides.
        await read(2 * 5000 + 4 * 101, "page_latest", "large", "export", 5000)
        await read(2 * 1000 + 4 * 101, "page", "large", "legacy")
        await read(2 * 30 + 4 * 30, "page", "small", "export")


async def test_every_language_is_known_to_the_database(connection: Connection) -> None:
    """Those of Postgres 15 are in every later one."""
    codes = [
        "ar",
        "ca",
        "da",
        "de",
        "el",
        "en",
        "es",
        "eu",
        "fi",
        "fr",
        "ga",
        "hi",
        "hu",
        "hy",
        "id",
        "it",
        "lt",
        "nb",
        "ne",
        "nl",
        "nn",
        "no",
        "pt",
        "ro",
        "ru",
        "sr",
        "sv",
        "ta",
        "tr",
        "yi",
    ]
    asked = [*codes, *(code.upper() + "-XX" for code in codes), "zh", "", None, "pt_BR", "e"]
    rows = await connection.fetch(
        f"select language, {query('search/_configuration')} as configuration from unnest($1::text[]) as language", asked
    )
    known = {row["cfgname"] for row in await connection.fetch("select cfgname from pg_ts_config")}
    assert {row["configuration"] for row in rows} <= known
    assert {row["language"] for row in rows if row["configuration"] == "simple"} == {"zh", "e"}
    assert {row["language"] for row in rows if row["configuration"] == "english"} == {"en", "EN-XX", "", None}
