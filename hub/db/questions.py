"""Which questions a selection of records answers."""

import msgspec
from msgspec import Struct

from hub.db import Pool, query
from hub.db.records import arguments
from hub.model import FieldType, RecordFilter

_LIST = query("questions/list")


class Asked(Struct, frozen=True, kw_only=True):
    """A question, or a part of one."""

    field_id: str
    field_type: FieldType
    field_group_id: str | None
    label: str | None
    group_label: str | None
    source: str | None
    records: int


async def listed(pool: Pool, selection: RecordFilter) -> list[Asked]:
    """The most answered first."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_LIST, *arguments(selection))
    return [msgspec.convert(dict(row), Asked) for row in rows]
