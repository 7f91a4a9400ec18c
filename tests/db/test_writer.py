"""Single inserts that arrive together: grouped, answered one by one, and none hurt by its neighbors."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from hub.db import Connection, Pool, records
from hub.db.writer import Writer
from hub.model import Created, Duplicate, NewRecord, RecordFilter
from tests.conftest import make_record


def new(submission_id: str, **overrides: object) -> NewRecord:
    return msgspec.convert(make_record(submission_id=submission_id, **overrides), NewRecord)


@pytest.fixture
async def writer(pool: Pool) -> AsyncIterator[Writer]:
    writer = Writer(pool)
    yield writer
    await writer.close()


async def test_records_that_come_together_are_stored_in_few_statements(writer: Writer, connection: Connection) -> None:
    """A hundred posts at once share a moment of arrival with many others: they were one statement, or a few."""
    outcomes = await asyncio.gather(*(writer.insert(new(f"s{n}")) for n in range(100)))

    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert len({outcome.id for outcome in outcomes}) == 100
    moments = await connection.fetchval("select count(distinct created_at) from feedback_records")
    assert moments <= 5


async def test_each_request_learns_its_own_outcome(writer: Writer) -> None:
    """Of a key that comes twice in a group the first is created, the second learns its id."""
    first, second, other = await asyncio.gather(
        writer.insert(new("s1")), writer.insert(new("s1", value_text="again")), writer.insert(new("s2"))
    )

    assert isinstance(first, Created)
    assert second == Duplicate(first.id)
    assert isinstance(other, Created)


async def test_what_postgres_refuses_does_not_hurt_its_neighbors(writer: Writer, pool: Pool) -> None:
    """One record that Postgres cannot hold fails alone, with its own error."""
    bad = msgspec.structs.replace(new("bad"), value_text="a\0b")
    outcomes = await asyncio.gather(
        *(writer.insert(record) for record in (new("s1"), bad, new("s2"))), return_exceptions=True
    )

    assert isinstance(outcomes[0], Created)
    assert isinstance(outcomes[1], asyncpg.DataError)
    assert isinstance(outcomes[2], Created)
    assert await records.count(pool, RecordFilter(tenant_id="acme")) == 2


async def test_a_client_that_leaves_takes_nobody_with_it(writer: Writer, pool: Pool) -> None:
    """A request that is canceled before its turn is not stored; those around it are."""
    tasks = [asyncio.create_task(writer.insert(new(f"s{n}"))) for n in range(3)]
    await asyncio.sleep(0)  # all three wait now
    tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[0], Created)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert isinstance(outcomes[2], Created)
    assert await records.count(pool, RecordFilter(tenant_id="acme")) == 2


async def test_one_that_waits_for_a_lock_does_not_hold_up_the_others(writer: Writer, connection: Connection) -> None:
    """While a record waits for somebody's open transaction on the same key, the next ones are stored."""
    async with connection.transaction():
        await connection.execute(
            "insert into feedback_records (id, collected_at, created_at, updated_at, source_type, field_id, field_type,"
            " tenant_id, submission_id) values (gen_random_uuid(), now(), now(), now(), 'survey', 'q1', 'text', 'acme', 's1')"
        )
        waits = asyncio.create_task(writer.insert(new("s1")))
        await asyncio.sleep(0)
        passed = await asyncio.wait_for(writer.insert(new("s2")), 5)

        assert isinstance(passed, Created)
        assert not waits.done()
    assert isinstance(await waits, Duplicate)


async def test_a_full_queue_refuses(pool: Pool) -> None:
    """Beyond its room the writer refuses, so that memory stays bounded."""
    writer = Writer(pool, room=2)
    outcomes = await asyncio.gather(*(writer.insert(new(f"s{n}")) for n in range(4)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Created, Created, TimeoutError, TimeoutError]
    await writer.close()
