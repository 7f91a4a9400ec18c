"""Form definitions in and out of Postgres."""

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from hub.db import Pool, query, queue

_PUT = query("forms/put")
_GET = query("forms/get")
_LIST = query("forms/list")


class DefinedForm(Struct, frozen=True, kw_only=True):
    """A form with its definition."""

    name: str | None
    fields: int
    definition: Raw
    updated_at: datetime


class FormRow(Struct, frozen=True, kw_only=True):
    """A form as it is listed."""

    form_id: str
    name: str | None
    fields: int
    defined: bool
    updated_at: datetime


async def put(  # noqa: PLR0913 - the columns of a row
    pool: Pool, tenant_id: str, source: str, form_id: str, *, name: str | None, definition: Raw, fields: int
) -> None:
    """Stores a definition. It waits for the submissions that are being flattened with the one before."""
    async with pool.acquire() as connection:
        await connection.execute(_PUT, tenant_id, source, form_id, name, bytes(definition).decode(), fields)


async def fetched(  # noqa: PLR0913 - the columns of a row
    pool: Pool, tenant_id: str, source: str, form_id: str, *, name: str | None, definition: Raw, fields: int
) -> None:
    """Stores a definition, and has its submissions flattened again by the worker."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_PUT, tenant_id, source, form_id, name, bytes(definition).decode(), fields)
        await queue.put(connection, queue.Flatten(tenant_id=tenant_id, source=source, form_id=form_id))


async def listed(pool: Pool, tenant_id: str, source: str) -> list[FormRow]:
    """The forms a tenant has at a source."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_LIST, tenant_id, source)
    return [msgspec.convert(dict(row), FormRow) for row in rows]


async def get(pool: Pool, tenant_id: str, source: str, form_id: str) -> DefinedForm | None:
    """A form that has a definition."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_GET, tenant_id, source, form_id)
    if row is None or row["definition"] is None:
        return None
    return DefinedForm(
        name=row["name"],
        fields=row["fields"],
        definition=Raw(row["definition"].encode()),
        updated_at=row["updated_at"],
    )
