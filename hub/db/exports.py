"""Exports: all that a filter selects, by one COPY, which sees one moment however long it takes.

Each has a connection of its own: it lasts as long as its client reads, and those of the pool are for requests that do not.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

import asyncpg

from hub.db import Connection, query
from hub.db.records import arguments
from hub.model import NewRecord, Record, RecordFilter
from hub.settings import Settings

_CSV = query("exports/csv")
_CSV_ESCAPED = query("exports/csv_escaped")
_NDJSON = query("exports/ndjson")

# No JSON text has them: told that they quote and separate, COPY leaves the lines of NDJSON as they are.
_NEVER = "\x01", "\x02"

APPLICATION = "feedback-hub export"
_FAREWELL_SECONDS = 5.0

Column = Literal[
    "id", "collected_at", "created_at", "updated_at", "source_type", "source_id", "source_name", "field_id", "field_label",
    "field_type", "field_group_id", "field_group_label", "value_text", "value_id", "value_number", "value_boolean", "value_date",
    "metadata", "language", "user_id", "tenant_id", "submission_id", "value_text_translated", "translation_lang_key",
    "sentiment", "sentiment_score", "emotions",
]  # fmt: skip
COLUMNS = Record.__struct_fields__
WRITABLE = tuple(name for name in COLUMNS if name in NewRecord.__struct_fields__)

Write: TypeAlias = Callable[[bytes], Coroutine[None, None, None]]


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection]:
    """A connection for one export. When that ends early, Postgres is told so, and little time is given to hear it."""
    milliseconds = str(round(settings.export_timeout_seconds * 1000))
    connection = await asyncpg.connect(
        settings.database_url,
        timeout=settings.database_connect_timeout_seconds,
        server_settings={
            "application_name": APPLICATION,
            "TimeZone": "UTC",
            "jit": "off",
            "statement_timeout": milliseconds,
        },
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=_FAREWELL_SECONDS)


async def copy_csv(  # noqa: PLR0913 - what and how
    connection: Connection, selection: RecordFilter, columns: Sequence[str], write: Write, *, escaped: bool, header: bool
) -> int:  # fmt: skip
    """Writes the records as CSV, whole rows at a time, and returns their number.

    `columns` are some of `COLUMNS`: nothing else may get into the statement.
    """
    statement = _of_columns(", ".join(columns), _CSV_ESCAPED if escaped else _CSV)
    status = await connection.copy_from_query(
        statement, *arguments(selection), output=write, format="csv", header=header
    )
    return _number(status)


async def copy_ndjson(connection: Connection, selection: RecordFilter, columns: Sequence[str], write: Write) -> int:
    """Writes the records as JSON, one a line, and returns their number."""
    statement = _of_columns(f"concat('{{', concat_ws(',', {', '.join(columns)}), '}}')", _NDJSON)
    quote, delimiter = _NEVER
    status = await connection.copy_from_query(
        statement, *arguments(selection), output=write, format="csv", quote=quote, escape=quote, delimiter=delimiter
    )
    return _number(status)


def _of_columns(chosen: str, statement: str) -> str:
    """What COPY writes are the columns of its statement, which no parameter can name.

    Comments go: asyncpg puts the values in the place of parameters everywhere, and one in a comment could end its line.
    """
    text = "\n".join(line for line in statement.split("\n") if not line.lstrip().startswith("--"))
    return f"select {chosen} from ({text}) as records"  # noqa: S608 - names of columns, from a closed set


def _number(status: str) -> int:
    return int(status.rpartition(" ")[2])
