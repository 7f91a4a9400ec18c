"""Chunks of a batch and its account, one transaction each."""

import asyncio
from uuid import UUID

import asyncpg
import msgspec
import pytest

from hub.db import Connection, Pool, batches, new_id
from hub.db.batches import Batch, Chunk, Rejected, Settled, Unstorable
from hub.model import NewRecord, OnConflict, StoredBatch
from tests.conftest import make_record


def record(**members: object) -> NewRecord:
    return msgspec.convert(make_record(**members), NewRecord)


def unchecked(text: str, n: int) -> NewRecord:
    """What no door would let in."""
    return msgspec.structs.replace(record(submission_id=f"s{n}"), value_text=text)


def new_batch(on_conflict: OnConflict = "error", *, atomic: bool = False) -> Batch:
    return Batch(
        id=new_id(), key_id="k", key_tenant_id=None, format="ndjson", on_conflict=on_conflict, atomic=atomic
    )  # fmt: skip


def chunk(*records: NewRecord, last: bool = False, rejected: int = 0, batch: UUID | None = None) -> Chunk:
    return Chunk(
        received=len(records) + rejected, records=list(records), last=last,
        rejected=[
            Rejected(
                tenant_id="", id=new_id(), batch_id=batch or new_id(), position=n, user_id=None, raw="?", status=400,
                problem=msgspec.Raw(b"{}"),
            )
            for n in range(rejected)
        ],
    )  # fmt: skip


async def store(pool: Pool, batch: Batch, chunk: Chunk) -> Settled:
    settled = await batches.store(pool, batch, chunk, with_ids=False)
    assert isinstance(settled, Settled)
    return settled


async def account(pool: Pool, batch: Batch) -> StoredBatch:
    found = await batches.get(pool, batch.id, None)
    assert found is not None
    return found


async def test_chunks_add_up_to_their_account(pool: Pool) -> None:
    """It ends with the last one; until then it has no end."""
    batch = new_batch("skip")
    await store(pool, batch, chunk(record(), record(tenant_id="z"), rejected=2, batch=batch.id))
    running = await account(pool, batch)
    assert running.finished_at is msgspec.UNSET
    await store(pool, batch, chunk(record(), record(tenant_id="b"), last=True))
    done = await account(pool, batch)
    assert (done.received, done.created, done.skipped, done.rejected) == (6, 3, 1, 2)
    assert done.tenants == ["acme", "b", "z"]
    assert done.started_at == running.started_at
    assert isinstance(done.finished_at, type(done.started_at))


@pytest.mark.parametrize("bad", [[], [0], [7], [3, 17], [18, 19], list(range(20))])
async def test_what_postgres_refuses_is_found_among_the_others(
    pool: Pool, connection: Connection, bad: list[int]
) -> None:
    """And nothing of the chunk is stored meanwhile."""
    records = [unchecked("\0" if n in bad else "fine", n) for n in range(20)]
    settled = await batches.store(pool, new_batch(), chunk(*records, rejected=1), with_ids=False)
    assert isinstance(settled, Unstorable) == bool(bad)
    if isinstance(settled, Unstorable):
        assert settled.ordinals == bad
    assert await connection.fetchval("select count(*) from feedback_records") == (0 if bad else 20)


async def test_a_reject_that_cannot_be_kept_is_an_error_and_no_endless_search(pool: Pool) -> None:
    """None of the records is to blame."""
    batch = new_batch()
    rejected = msgspec.structs.replace(chunk(rejected=1).rejected[0], raw="\0")
    with pytest.raises(asyncpg.PostgresError):
        await batches.store(
            pool, batch, Chunk(received=2, records=[record()], rejected=[rejected]), with_ids=False
        )  # fmt: skip
    assert await batches.get(pool, batch.id, None) is None


@pytest.mark.parametrize("on_conflict", ["skip", "update"])
async def test_batches_with_the_same_keys_in_opposite_order_do_not_hurt_each_other(
    pool: Pool, connection: Connection, on_conflict: OnConflict
) -> None:
    """Every record is there once, and each was created by one of them."""
    records = [record(submission_id=f"s{n}") for n in range(300)]
    settled = await asyncio.gather(
        *(
            store(pool, new_batch(on_conflict), chunk(*(records if n % 2 else reversed(records)), last=True))
            for n in range(4)
        )
    )
    assert sum(each.summary.created for each in settled) == 300
    assert await connection.fetchval("select count(*) from feedback_records") == 300


async def test_undoing_goes_in_steps(pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many records share a moment, and whatever others put between them."""
    monkeypatch.setattr(batches, "_UNDO_STEP", 3)
    batch, other = new_batch(), new_batch()
    for part in range(4):
        for number, tenant in enumerate(("a", "b")):
            await store(
                pool, batch, chunk(*(record(tenant_id=tenant, field_id=f"{part}-{n}") for n in range(4 + number)))
            )
        await store(pool, other, chunk(*(record(tenant_id="a", field_id=f"other {part}-{n}") for n in range(5))))
    broken_off = await account(pool, batch)
    assert broken_off.finished_at is msgspec.UNSET
    assert await batches.undoable(pool, broken_off) == 36
    assert await batches.undo(pool, broken_off) == 36
    assert await connection.fetchval("select count(*) from feedback_records") == 20
    assert await batches.undo(pool, await account(pool, batch)) == 0


async def test_a_record_that_came_again_in_another_batch_belongs_to_the_first(pool: Pool) -> None:
    """Undoing the second leaves it."""
    first, second = new_batch(), new_batch("update")
    await store(pool, first, chunk(record(), last=True))
    await store(pool, second, chunk(record(), last=True))
    assert await batches.undo(pool, await account(pool, second)) == 0
    assert await batches.undo(pool, await account(pool, first)) == 1
