"""A tenant's records as one file: the same records as the list has, in every format."""

import asyncio
import csv
import gzip
import io
import json
import sys
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
import httpx
import msgspec
import pyarrow.parquet
import pytest
from litestar.types import HTTPReceiveMessage, Message

from hub.api.edge import Edge
from hub.app import create_app
from hub.db.exports import APPLICATION, COLUMNS, WRITABLE, Column
from hub.model import Record
from hub.settings import Settings
from tests.conftest import API_KEY, client_of, make_record

URL = "/v1/feedback-records"
EXPORT = f"{URL}/export"
Json = dict[str, object]
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Each with something that a format could trip over.
ODD: list[Json] = [
    {"value_text": 'a "quote", a comma; a\ttab\nand a second line\r\nand a third'},
    {"value_text": "\\.", "user_id": "\\N", "source_name": " blanks ", "field_label": "a\\b"},
    {"value_text": "\x01\x02\x7f", "language": "de", "source_id": "übung 😀"},
    {"field_type": "nps", "value_text": ..., "value_number": 9},
    {"field_type": "number", "value_text": ..., "value_number": -1e15},
    {"field_type": "number", "value_text": ..., "value_number": 1e-7, "value_id": "null"},
    {"field_type": "boolean", "value_text": ..., "value_boolean": False},
    {"field_type": "date", "value_text": ..., "value_date": "1999-12-31T23:59:59.5+01:00"},
    {"metadata": {"a": {"b": [None, 1.50, "x\ny", '"']}, "c": 12345678901234567890123, "d": "\x01"}},
    {"metadata": {}, "field_group_id": "g", "field_group_label": "=G", "collected_at": "2026-01-01T00:00:00.000001Z"},
    {"value_text": "=1+1", "user_id": "@u", "field_id": "-1", "source_type": "+s"},
    {"value_text": "\t=x", "field_label": "\r=x", "source_name": "a=b", "value_id": "'=x"},
]


async def fill(client: httpx.AsyncClient, records: list[Json]) -> None:
    numbered = [make_record(**{"submission_id": f"s{n}", **record}) for n, record in enumerate(records)]
    answer = await client.post(f"{URL}/batch", json=numbered)
    assert answer.status_code == 200, answer.text


async def enrich(connection: Connection) -> None:
    """What only an import brings."""
    await connection.execute(
        "update feedback_records set value_text_translated = 'fine', translation_lang_key = 'en', sentiment = 'mixed',"
        " sentiment_score = -0.25, emotions = array['joy', 'fear'] where tenant_id = 'acme' and submission_id = 's0'"
    )


async def listed(client: httpx.AsyncClient, query: str = "", tenant: str = "acme") -> list[Json]:
    answer = await client.get(f"{URL}?tenant_id={tenant}&limit=1000&{query}")
    found: list[Json] = answer.json()["data"]
    return found


async def exported(client: httpx.AsyncClient, query: str = "", **headers: str) -> httpx.Response:
    answer = await client.get(f"{EXPORT}?tenant_id=acme&{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def lines(answer: httpx.Response) -> list[Json]:
    return [json.loads(line) for line in answer.text.split("\n")[:-1]]


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def test_the_columns_are_the_members_of_a_record() -> None:
    assert Column.__args__ == Record.__struct_fields__ == COLUMNS  # type: ignore[attr-defined] # of a Literal


async def test_ndjson_has_the_records_of_the_list(client: httpx.AsyncClient, connection: Connection) -> None:
    """Letter for letter, in the same order."""
    await fill(client, ODD)
    await enrich(connection)
    answer = await exported(client, "format=ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    page = msgspec.json.decode((await client.get(f"{URL}?tenant_id=acme")).content, type=dict[str, msgspec.Raw])
    texts = msgspec.json.decode(page["data"], type=list[msgspec.Raw])
    assert answer.content == b"".join(bytes(text) + b"\n" for text in texts)


async def test_csv_has_the_records_of_the_list(client: httpx.AsyncClient, connection: Connection) -> None:
    await fill(client, ODD)
    await enrich(connection)
    answer = await exported(client)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="feedback-records.csv"'
    assert answer.text.split("\n", 1)[0] == ",".join(COLUMNS)
    for row, record in zip(rows(answer), await listed(client), strict=True):
        for name, cell in row.items():
            value = record.get(name, "")
            if isinstance(value, str):
                assert cell == value
            else:
                assert json.loads(cell) == value


async def test_parquet_has_the_records_of_the_list(client: httpx.AsyncClient, connection: Connection) -> None:
    """Times are times and numbers are numbers; metadata and emotions are JSON."""
    await fill(client, ODD)
    await enrich(connection)
    answer = await exported(client, "format=parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert table.column_names == list(COLUMNS)
    for row, record in zip(table.to_pylist(), await listed(client), strict=True):
        for name, value in row.items():
            wanted = record.get(name)
            if isinstance(value, datetime):
                assert value == datetime.fromisoformat(str(wanted))
            elif name in {"metadata", "emotions"} and value is not None:
                assert json.loads(value) == wanted
            else:
                assert value == wanted


@pytest.mark.parametrize("format_", ["ndjson", "csv"])
async def test_what_is_writable_can_be_stored_again(client: httpx.AsyncClient, format_: str) -> None:
    """The same records, their ids and the times of storing aside."""
    await fill(client, ODD)
    before = await listed(client)
    file = await exported(client, f"format={format_}&columns=writable")
    await client.delete(f"{URL}?user_id=\\N&tenant_id=acme")
    for record in before:
        await client.delete(f"{URL}/{record['id']}")
    assert await listed(client) == []

    kind = {"ndjson": "application/x-ndjson", "csv": "text/csv"}[format_]
    answer = await client.post(f"{URL}/batch", content=file.content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["summary"]["created"]) == (200, len(ODD)), answer.text
    after = await listed(client)
    for record in (*before, *after):
        for name in ("id", "created_at", "updated_at"):
            del record[name]
    key = lambda record: record["submission_id"]  # noqa: E731 - of two sorts
    assert sorted(after, key=key) == sorted(before, key=key)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("columns=value_number&columns=id", ["value_number", "id"]),
        ("columns=id,user_id,id", ["id", "user_id"]),
        ("columns=id,writable", ["id", *(name for name in WRITABLE)]),
        ("columns=", list(COLUMNS)),
    ],
)
async def test_columns_are_chosen(client: httpx.AsyncClient, query: str, names: list[str]) -> None:
    """In the order they are asked for, each once."""
    await fill(client, ODD)
    assert list(rows(await exported(client, query))[0]) == names
    table = pyarrow.parquet.read_table(io.BytesIO((await exported(client, f"format=parquet&{query}")).content))
    assert table.column_names == names
    full = await listed(client)
    for line, record in zip(lines(await exported(client, f"format=ndjson&{query}")), full, strict=True):
        assert line == {name: record[name] for name in names if name in record}
        assert list(line) == [name for name in names if name in record]


@pytest.mark.parametrize(
    "query",
    [
        "field_type=nps,number",
        "submission_id=s3",
        "submission_id=s3&submission_id=s4",
        "user_id=%40u",
        "user_id=%5CN",
        "source_id=%C3%BCbung+%F0%9F%98%80",
        "value_number_min=-1&value_number_max=10",
        "since=2020-01-01T00:00:00Z&until=2026-06-01T00:00:00%2B02:00",
        "created_since=2020-01-01T00:00:00Z&updated_until=2079-01-01T00:00:00Z",
        "value_date_max=2000-01-01T00:00:00Z",
        "has_sentiment=true",
        "value_boolean=false",
        "value_text=%3D1%2B1",
        "value_text=%3D1%2B1&value_text=%5C.",
        "metadata.d=%01",
        "metadata.d=%01&metadata.c=12345678901234567890123",
        "emotions=joy",
        "sentiment=mixed&sentiment_score_max=0.5",
        "field_id=a%27%29%3B+drop+table+feedback_records%3B+--",
        "source_name=%0A%27%5C%27%241%242",
    ],
)
async def test_filters_are_those_of_the_list(client: httpx.AsyncClient, connection: Connection, query: str) -> None:
    """The values, which become part of the statement, are odd ones."""
    await fill(client, [*ODD, {"field_id": "a'); drop table feedback_records; --"}, {"source_name": "\n'\\'$1$2"}])
    await fill(client, [make_record(tenant_id="other")])
    await enrich(connection)
    wanted = await listed(client, query)
    assert wanted
    assert lines(await exported(client, f"format=ndjson&{query}")) == wanted
    assert [row["id"] for row in rows(await exported(client, query))] == [record["id"] for record in wanted]


@pytest.mark.parametrize("tenant", ["a'b", "a\\'b\n--\n", "$1", "x\n) to stdout; drop table feedback_records; --"])
async def test_a_tenant_may_have_any_name(client: httpx.AsyncClient, tenant: str) -> None:
    """It becomes part of the statement, wherever that has a parameter."""
    await fill(client, [{"tenant_id": tenant}, {"tenant_id": "other"}])
    for escaped in ("false", "true"):
        answer = await client.get(EXPORT, params={"tenant_id": tenant, "escape_formulas": escaped})
        assert [row["tenant_id"].strip() for row in rows(answer)] == [tenant.strip()]


async def test_formulas_are_made_harmless_when_asked(client: httpx.AsyncClient) -> None:
    """In every text from outside; a negative number is none."""
    await fill(client, [*ODD, {"field_type": "number", "value_text": ..., "value_number": -5}])
    plain, escaped = rows(await exported(client)), rows(await exported(client, "escape_formulas=true"))
    found = 0
    for before, after in zip(plain, escaped, strict=True):
        for name, cell in before.items():
            is_text = not name.startswith("value_number")
            formula = is_text and cell[:1] in set("=+-@\t\r\n") - {""}
            assert after[name] == (f"'{cell}" if formula else cell)
            found += formula
    assert found == 7


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("x-gzip", True),
        ("GZIP ; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, br", False),
        ("identity", False),
        ("not-gzip", False),
    ],
)
async def test_files_are_compressed_for_who_accepts_it(
    client: httpx.AsyncClient, accepted: str, compressed: bool
) -> None:
    await fill(client, ODD)
    plain = await exported(client, **{"accept-encoding": "identity"})
    assert plain.headers["vary"] == "accept-encoding"
    async with client.stream("GET", f"{EXPORT}?tenant_id=acme", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert (answer.headers.get("content-encoding") == "gzip") == compressed
    assert (gzip.decompress(raw) if compressed else raw) == plain.content


@pytest.mark.parametrize("format_", ["csv", "ndjson", "parquet"])
async def test_nothing_is_an_empty_file(client: httpx.AsyncClient, format_: str) -> None:
    answer = await exported(client, f"format={format_}&columns=id")
    if format_ == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(answer.content)).to_pylist() == []
    else:
        assert answer.text == {"csv": "id\n", "ndjson": ""}[format_]


async def test_who_asks_for_the_head_costs_nothing(settings: Settings) -> None:
    """Nothing is copied: the database need not even be there."""
    app = create_app(msgspec.structs.replace(settings, database_url="postgresql://u@127.0.0.1:1/x"))
    async with client_of(app) as client:
        answer = await client.head(f"{EXPORT}?tenant_id=acme&format=ndjson")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/x-ndjson", b"")


async def test_what_is_wrong_with_the_query_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get(
        f"{EXPORT}?format=xml&columns=id,name&escape_formulas=maybe&value_number_min=x&fieldid=nps"
    )
    assert answer.status_code == 400
    assert [fault["name"] for fault in answer.json()["invalid_params"]] == [
        "fieldid", "tenant_id", "value_number_min", "format", "columns", "escape_formulas",
    ]  # fmt: skip


async def test_without_the_extra_there_is_no_parquet(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = await client.get(f"{EXPORT}?tenant_id=acme&format=parquet")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (503, "false")
    assert "extra" in answer.json()["detail"]


# How it is sent: the app is called as a server does, so that a test can decide when a client reads.


class Reader:
    """A client of one export."""

    def __init__(self, app: Edge, query: str = "format=csv") -> None:
        self._app = app
        self._query = query
        self.status: int | None = None
        self.body = b""
        self.complete = False
        self.reads = asyncio.Event()
        self.begun = asyncio.Event()
        self.leaves = asyncio.Event()
        self._asked = False

    async def __call__(self) -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": EXPORT,
            "raw_path": EXPORT.encode(), "query_string": f"tenant_id=acme&{self._query}".encode(), "root_path": "",
            "headers": [(b"authorization", f"Bearer {API_KEY}".encode())], "scheme": "http", "server": ("hub.test", 80),
            "client": ("reader", 1),
        }  # fmt: skip
        await self._app(scope, self._receive, self._send)  # type: ignore[arg-type] # a server writes the types of ASGI its own way

    async def _receive(self) -> HTTPReceiveMessage:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        assert message["type"] == "http.response.body"
        self.begun.set()
        await self.reads.wait()
        self.body += message["body"]
        self.complete = not message["more_body"]


MANY = 5000


@pytest.fixture
async def many(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """More than fits into the buffers between Postgres and a client."""
    await fill(client, [{"value_text": "word " * 100} for _ in range(MANY)])
    return client


async def exporting(connection: Connection) -> int:
    """How many exports Postgres is at."""
    number: int = await connection.fetchval(
        "select count(*) from pg_stat_activity where application_name = $1 and datname = current_database()",
        APPLICATION,
    )
    return number


async def none_exporting(connection: Connection) -> None:
    async with asyncio.timeout(10):
        while await exporting(connection):  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(0.02)


async def test_an_export_is_of_one_moment(app: Edge, many: httpx.AsyncClient, connection: Connection) -> None:
    """What happens while it is read is not in it."""
    reader = Reader(app, "format=ndjson&columns=value_text")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reader())
        await reader.begun.wait()
        await connection.execute("update feedback_records set value_text = 'changed' where tenant_id = 'acme'")
        await connection.execute("delete from feedback_records where submission_id = 's17'")
        await fill(many, [{"submission_id": "new"}])
        reader.reads.set()
    assert reader.complete
    assert reader.body == b'{"value_text":"%b"}\n' % (b"word " * 100) * MANY


async def test_only_so_many_exports_run_at_once(settings: Settings, many: httpx.AsyncClient) -> None:
    """One more is 429, and everything else goes on."""
    app = create_app(msgspec.structs.replace(settings, export_concurrency=2, database_max_conns=1))
    async with client_of(app) as client:
        readers = [Reader(app), Reader(app)]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader())
                await reader.begun.wait()
            refused = await client.get(f"{EXPORT}?tenant_id=acme")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert len(await listed(client)) == 1000
            for reader in readers:
                reader.reads.set()
        assert all(reader.complete for reader in readers)
        assert (await exported(client)).text.count("\n") == MANY + 1


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_reader_that_is_too_slow_is_cut(
    settings: Settings, many: httpx.AsyncClient, connection: Connection, compressed: bool
) -> None:
    """Its snapshot is given up, and its place is free."""
    app = create_app(msgspec.structs.replace(settings, request_timeout_seconds=0.2, export_concurrency=1))
    async with client_of(app) as client:
        reader = Reader(app)
        await reader()
        assert (reader.status, reader.complete) == (200, False)
        await none_exporting(connection)
        await exported(client)


async def test_an_export_ends_when_its_time_is_over(
    settings: Settings, many: httpx.AsyncClient, connection: Connection
) -> None:
    app = create_app(msgspec.structs.replace(settings, export_timeout_seconds=0.3))
    async with client_of(app):
        reader = Reader(app)
        await reader()
        assert (reader.status, reader.complete) == (200, False)
        await none_exporting(connection)


async def test_an_export_ends_with_its_client(app: Edge, many: httpx.AsyncClient, connection: Connection) -> None:
    """Nothing is copied for nobody."""
    reader = Reader(app)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reader())
        await reader.begun.wait()
        assert await exporting(connection) == 1
        reader.leaves.set()
    assert not reader.complete
    await none_exporting(connection)


async def test_a_database_that_is_away_is_a_problem(settings: Settings) -> None:
    app = create_app(msgspec.structs.replace(settings, database_url="postgresql://u@127.0.0.1:1/x"))
    async with client_of(app) as client:
        answer = await client.get(f"{EXPORT}?tenant_id=acme")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


async def test_times_in_a_file_are_utc(client: httpx.AsyncClient) -> None:
    await fill(client, [{"collected_at": "2026-07-01T12:00:00.25+02:00"}])
    (row,) = rows(await exported(client))
    assert row["collected_at"] == "2026-07-01T10:00:00.25Z"
    assert datetime.fromisoformat(row["created_at"]).tzinfo == UTC
