"""Connections to survey tools, and what was delivered through them.

What a connection is kept as; its credentials are a text here, which `hub.credentials` can open.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from hub.db import Connection, Pool, query

_INSERT = query("connections/insert")
_LIST = query("connections/list")
_GET = query("connections/get")
_LOCK = query("connections/lock")
_UPDATE = query("connections/update")
_DELETE = query("connections/delete")
_FIND_TOKEN = query("connections/find_token")
_FIND_INSERT_KEY = query("connections/find_insert_key")
_SUCCEEDED = query("connections/succeeded")
_FAILED = query("connections/failed")

ConnectionStatus = Literal["active", "paused", "revoked"]


class InsertKeyTakenError(Exception):
    """Another connection of this source has this insert key."""


class NewConnection(Struct, frozen=True, kw_only=True):
    """What is decided about a connection. The members are the first columns of a row, in their order."""

    id: UUID
    source: str
    tenant_id: str
    name: str
    base_url: str | None
    credentials: str
    """As `hub.credentials.Vault` sealed them."""
    token_hash: bytes
    insert_key_hash: bytes | None
    forms: list[str]
    """The surveys that were chosen; none is all."""
    options: Raw
    """`hub.sources.interface.Options`."""
    status: ConnectionStatus
    pull_minutes: int | None


class ConnectionRow(NewConnection, frozen=True, kw_only=True):
    """A connection, and how it fared."""

    created_at: datetime
    updated_at: datetime
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    received: int
    stored: int
    failed: int
    duplicates: int


class Counts(Struct, frozen=True, kw_only=True):
    """What came through a connection just now. The members are columns, and parameters of `succeeded.sql` and `failed.sql`, in their order."""

    received: int = 0
    stored: int = 0
    failed: int = 0
    duplicates: int = 0


async def insert(pool: Pool, row: NewConnection) -> ConnectionRow:
    """Raises `InsertKeyTakenError`."""
    async with pool.acquire() as connection:
        try:
            found = await connection.fetchrow(_INSERT, *_values(row))
        except asyncpg.UniqueViolationError:  # ids are never the same, and of the constraint's name Citus tells nothing
            raise InsertKeyTakenError from None
    assert found is not None  # noqa: S101 - an insert returns its row
    return _row(found)


async def listed(pool: Pool, tenant_id: str | None = None, source: str | None = None) -> list[ConnectionRow]:
    """The connections of a tenant or of all, of a source or of all, the oldest first; revoked ones too."""
    async with pool.acquire() as connection:
        return [_row(found) for found in await connection.fetch(_LIST, tenant_id, source)]


async def get(pool: Pool, connection_id: UUID, tenant_id: str | None = None) -> ConnectionRow | None:
    """A connection. `tenant_id` confines the search; None searches everywhere."""
    async with pool.acquire() as connection:
        found = await connection.fetchrow(_GET, connection_id, tenant_id)
    return None if found is None else _row(found)


async def change(
    pool: Pool, connection_id: UUID, tenant_id: str | None, changed: Callable[[ConnectionRow], ConnectionRow]
) -> ConnectionRow | None:
    """What a pure function makes of a connection is kept, and nobody changes it meanwhile. None when there is none.

    Raises `InsertKeyTakenError`, and what the function does.
    """
    async with pool.acquire() as connection, connection.transaction():
        found = await connection.fetchrow(_LOCK, connection_id, tenant_id)
        if found is None:
            return None
        row = changed(_row(found))
        try:
            found = await connection.fetchrow(_UPDATE, row.id, *_values(row)[3:])
        except asyncpg.UniqueViolationError:  # ids are never the same, and of the constraint's name Citus tells nothing
            raise InsertKeyTakenError from None
    assert found is not None  # noqa: S101 - it is locked
    return _row(found)


async def delete(pool: Pool, connection_id: UUID, tenant_id: str | None) -> bool:
    """Whether there was such a connection. What came through it stays."""
    async with pool.acquire() as connection:
        return await connection.execute(_DELETE, connection_id, tenant_id) != "DELETE 0"


async def find_by_token(pool: Pool, connection_id: UUID, token_hash: bytes) -> ConnectionRow | None:
    """The connection that a delivery is for, unless it was revoked."""
    async with pool.acquire() as connection:
        found = await connection.fetchrow(_FIND_TOKEN, connection_id, token_hash)
    return None if found is None else _row(found)


async def find_by_insert_key(pool: Pool, source: str, insert_key_hash: bytes) -> ConnectionRow | None:
    """The connection that a response is inserted into, unless it was revoked."""
    async with pool.acquire() as connection:
        found = await connection.fetchrow(_FIND_INSERT_KEY, source, insert_key_hash)
    return None if found is None else _row(found)


async def succeeded(connection: Connection, connection_id: UUID, counts: Counts) -> None:
    """Adds to what came through a connection, and notes that it works."""
    await connection.execute(_SUCCEEDED, connection_id, *msgspec.structs.astuple(counts))


async def failed(connection: Connection, connection_id: UUID, error: str, counts: Counts = Counts()) -> None:  # noqa: B008 - a constant
    """Notes what went wrong with a connection, in our own words: people read it, and it must not hold what was answered."""
    await connection.execute(_FAILED, connection_id, *msgspec.structs.astuple(counts), error)


def _values(row: NewConnection) -> list[object]:
    values: dict[str, object] = {name: getattr(row, name) for name in NewConnection.__struct_fields__}
    return list((values | {"options": bytes(row.options).decode()}).values())


def _row(found: asyncpg.Record) -> ConnectionRow:
    return msgspec.convert(dict(found) | {"options": Raw(found["options"].encode())}, ConnectionRow)
