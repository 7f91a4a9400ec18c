"""Which questions there are."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from hub import metrics
from hub.db import Pool, query
from hub.db.measures import MEASURED
from hub.db.records import arguments
from hub.model import FieldType, RecordFilter, Timestamp, query_string, shown

MAX_FIELDS = 500

_FIELDS = query("analytics/fields")
_FIELD = (
    "field_id", "field_type", "field_label", "field_group_id", "field_group_label", "source_type", "source_id", "source_name",
)  # fmt: skip


class Field(Struct, kw_only=True, frozen=True):
    """A question, as its latest record has it, with how often and when it was answered."""

    field_id: str
    field_type: FieldType
    field_label: str | None
    field_group_id: str | None
    field_group_label: str | None
    source_type: str
    source_id: str | None
    source_name: str | None
    count: metrics.Count
    first_seen: Timestamp
    last_seen: Timestamp
    metric: Annotated[str | None, Meta(description="Which metric measures it; null where none does")]
    records: str


class Fields(Struct, kw_only=True, frozen=True):
    """What there is, the most answered first."""

    fields: list[Field]
    fields_omitted: metrics.Count


async def fields(pool: Pool, selection: RecordFilter) -> Fields:
    """The questions of the selected records."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_FIELDS, *arguments(selection), MAX_FIELDS)
    return Fields(
        fields=[
            Field(
                **{name: row[name] for name in _FIELD},
                count=row["records"],
                first_seen=shown(row["first_seen"]),
                last_seen=shown(row["last_seen"]),
                metric="ranking" if row["ranked"] and row["field_group_id"] else MEASURED.get(row["field_type"]),
                records=query_string(
                    structs.replace(selection, field_id=(row["field_id"],), field_type=(row["field_type"],))
                ),
            )
            for row in rows
        ],
        fields_omitted=rows[0]["fields"] - len(rows) if rows else 0,
    )
