"""Connections are kept as they are decided, counted as they fare, and found by the hashes of their secrets."""

import asyncio
import secrets
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from msgspec import Raw

from hub.db import Pool, connections, new_id
from hub.db.connections import ConnectionRow, Counts, InsertKeyTakenError, NewConnection


def wanted(**overrides: Any) -> NewConnection:
    """A connection that is its own, but for what the test is about."""
    row = NewConnection(
        id=new_id(), source="formbricks", tenant_id="acme", name="Surveys", base_url="https://tool.example",
        credentials="sealed", token_hash=secrets.token_bytes(32), insert_key_hash=secrets.token_bytes(32), forms=["f1", "f2"],
        options=Raw(b'{"attributes": ["plan"]}'), status="active", pull_minutes=15,
    )  # fmt: skip
    return msgspec.structs.replace(row, **overrides)


async def count(pool: Pool, row: ConnectionRow, error: str | None = None, **counts: int) -> ConnectionRow:
    async with pool.acquire() as connection:
        if error is None:
            await connections.succeeded(connection, row.id, Counts(**counts))
        else:
            await connections.failed(connection, row.id, error, Counts(**counts))
    found = await connections.get(pool, row.id)
    assert found is not None
    return found


async def test_a_connection_is_kept_as_it_was_decided(pool: Pool) -> None:
    """Each member has a value of its own, so that two cannot change places unseen."""
    given = wanted()
    row = await connections.insert(pool, given)

    assert await connections.get(pool, given.id) == row
    for name in NewConnection.__struct_fields__:
        assert getattr(row, name) == getattr(given, name), name
    assert (row.received, row.stored, row.failed, row.duplicates) == (0, 0, 0, 0)
    assert (row.last_success_at, row.last_error_at, row.last_error) == (None, None, None)


async def test_what_may_be_missing_may_be_missing(pool: Pool) -> None:
    row = await connections.insert(
        pool, wanted(base_url=None, insert_key_hash=None, forms=[], options=Raw(b"{}"), pull_minutes=None)
    )
    assert (row.base_url, row.insert_key_hash, row.forms, row.pull_minutes) == (None, None, [], None)


async def test_connections_are_listed_and_found_within_a_tenant(pool: Pool) -> None:
    ours = await connections.insert(pool, wanted())
    typeform = await connections.insert(pool, wanted(source="typeform"))
    theirs = await connections.insert(pool, wanted(tenant_id="other"))

    assert await connections.listed(pool) == [ours, typeform, theirs]
    assert await connections.listed(pool, "acme") == [ours, typeform]
    assert await connections.listed(pool, "acme", "typeform") == [typeform]
    assert await connections.get(pool, theirs.id, "acme") is None
    assert not await connections.delete(pool, theirs.id, "acme")
    assert await connections.delete(pool, theirs.id, "other")
    assert await connections.get(pool, theirs.id) is None


async def test_a_delivery_finds_its_connection_until_that_is_revoked(pool: Pool) -> None:
    """By its id and its token; a paused connection still takes what comes."""
    row = await connections.insert(pool, wanted(status="paused"))

    assert await connections.find_by_token(pool, row.id, row.token_hash) == row
    assert await connections.find_by_token(pool, row.id, b"another") is None
    assert await connections.find_by_token(pool, uuid4(), row.token_hash) is None
    assert row.insert_key_hash is not None
    assert await connections.find_by_insert_key(pool, "formbricks", row.insert_key_hash) == row
    assert await connections.find_by_insert_key(pool, "satismeter", row.insert_key_hash) is None
    await connections.change(pool, row.id, None, lambda row: msgspec.structs.replace(row, status="revoked"))
    assert await connections.find_by_token(pool, row.id, row.token_hash) is None
    assert await connections.find_by_insert_key(pool, "formbricks", row.insert_key_hash) is None


async def test_an_insert_key_is_for_one_connection(pool: Pool) -> None:
    """It says by itself where a response goes, so it cannot stand for two, but in two sources."""
    row = await connections.insert(pool, wanted())
    await connections.insert(pool, wanted(source="satismeter", insert_key_hash=row.insert_key_hash))
    other = await connections.insert(pool, wanted(tenant_id="other"))

    with pytest.raises(InsertKeyTakenError):
        await connections.insert(pool, wanted(insert_key_hash=row.insert_key_hash))
    with pytest.raises(InsertKeyTakenError):
        await connections.change(
            pool, other.id, None, lambda found: msgspec.structs.replace(found, insert_key_hash=row.insert_key_hash)
        )
    assert await connections.get(pool, other.id) == other


async def test_changes_are_made_one_after_the_other(pool: Pool) -> None:
    """Each sees what the one before made, and what is counted meanwhile is not lost."""
    row = await connections.insert(pool, wanted(forms=[]))

    def add(number: int) -> Any:
        return lambda found: msgspec.structs.replace(found, forms=[*found.forms, str(number)])

    await asyncio.gather(
        *(connections.change(pool, row.id, "acme", add(number)) for number in range(8)),
        *(count(pool, row, received=1) for _ in range(8)),
    )
    found = await connections.get(pool, row.id)
    assert found is not None
    assert sorted(found.forms) == [str(number) for number in range(8)]
    assert found.received == 8
    assert found.updated_at > row.updated_at


async def test_nobody_changes_a_connection_of_another_tenant(pool: Pool) -> None:
    row = await connections.insert(pool, wanted())

    assert await connections.change(pool, row.id, "other", lambda _: pytest.fail("there is none")) is None
    assert await connections.get(pool, row.id) == row


async def test_a_connection_knows_how_it_fared(pool: Pool) -> None:
    """What came is added up; the last success and the last error are told apart, and an error does not undo a success."""
    row = await connections.insert(pool, wanted())

    after = await count(pool, row, received=3, stored=1, failed=1, duplicates=1)
    assert (after.received, after.stored, after.failed, after.duplicates) == (3, 1, 1, 1)
    assert after.last_success_at is not None
    assert after.last_error_at is None
    broken = await count(pool, row, "The signature is wrong")
    assert (broken.last_success_at, broken.last_error) == (after.last_success_at, "The signature is wrong")
    assert broken.last_error_at is not None
    mended = await count(pool, row, received=1, stored=1)
    assert (mended.received, mended.stored, mended.last_error) == (4, 2, "The signature is wrong")
    assert mended.last_success_at is not None
    assert mended.last_success_at > broken.last_error_at
    assert mended.updated_at == row.updated_at
