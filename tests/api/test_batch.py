"""Many records in one request: what each answer says is what happened."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from hub.api.batch import CHUNK_RECORDS, MAX_INLINE, MAX_JSON_BYTES, MAX_RECORDS
from hub.app import create_app
from hub.settings import Settings
from hub.streams import MAX_ITEM_BYTES
from tests.conftest import client_of, make_record
from tests.test_streams import packed

URL = "/v1/feedback-records/batch"
RECORDS = "/v1/feedback-records"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, Any]


def numbered(count: int, **overrides: object) -> list[Json]:
    return [make_record(submission_id=f"s{n}", **overrides) for n in range(count)]


def ndjson(records: Sequence[object]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


async def send(
    client: httpx.AsyncClient, records: Sequence[object], *, status: int = 200, **query: object
) -> Json:  # fmt: skip
    answer = await client.post(URL, json=records, params={k: str(v).lower() for k, v in query.items()})
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def send_text(
    client: httpx.AsyncClient, text: str | bytes, kind: str = "text/csv", *, status: int = 200, **query: object
) -> Json:  # fmt: skip
    data = text.encode() if isinstance(text, str) else text
    answer = await client.post(
        URL, content=data, headers={"content-type": kind}, params={k: str(v).lower() for k, v in query.items()}
    )
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def stored(connection: Connection) -> list[Json]:
    """Every record, but for what the hub makes up."""
    rows = await connection.fetch(
        "select to_jsonb(r) - 'id' - 'created_at' - 'updated_at' - 'batch_id' as record from feedback_records as r"
        " order by tenant_id, submission_id, field_id"
    )
    return [{k: v for k, v in json.loads(row[0]).items() if v is not None} for row in rows]


def summary(**counts: int) -> Json:
    names = ("received", "created", "updated", "unchanged", "skipped", "duplicate", "rejected")
    return dict.fromkeys(names, 0) | counts


# JSON.


@pytest.mark.parametrize("wrapped", [False, True])
async def test_every_record_is_stored_and_answered_for_in_order(client: httpx.AsyncClient, wrapped: bool) -> None:
    """As a bare array, or under `records`."""
    records = numbered(3)
    answer = await client.post(URL, json={"records": records} if wrapped else records)
    body = answer.json()
    assert answer.status_code == 200
    assert body["summary"] == summary(received=3, created=3)
    assert [(r["index"], r["status"], r["outcome"], r["submission_id"], r["field_id"]) for r in body["results"]] == [
        (n, 201, "created", f"s{n}", "q1") for n in range(3)
    ]
    for result, record in zip(body["results"], records, strict=True):
        found = (await client.get(f"{RECORDS}/{result['id']}")).json()
        assert record.items() <= found.items()


async def test_failures_are_named_with_all_their_faults(client: httpx.AsyncClient) -> None:
    """Each by itself: the others are stored."""
    await client.post(RECORDS, json=make_record(submission_id="old"))
    body = await send(
        client,
        [
            make_record(),
            make_record(submission_id="bad", value_number="9", field_id="", tenant="acme"),
            make_record(submission_id="old"),
            "no object",
        ],
        status=207,
    )
    assert body["summary"] == summary(received=4, created=1, duplicate=1, rejected=2)
    first, bad, old, none = body["results"]
    assert first["status"] == 201
    assert (bad["index"], bad["status"], bad["outcome"], bad["submission_id"]) == (1, 400, "rejected", "bad")
    assert {fault["name"] for fault in bad["error"]["invalid_params"]} == {"value_number", "field_id", "tenant"}
    assert (old["status"], old["outcome"], old["error"]["code"]) == (409, "duplicate", "conflict")
    assert old["error"]["details"]["id"] == old["id"]
    assert none["error"]["detail"] == "Invalid request body: must be a JSON object"


async def test_all_rejected_is_422_and_duplicates_alone_never_are(client: httpx.AsyncClient) -> None:
    body = await send(client, [make_record(field_type="x"), {}], status=422)
    assert body["summary"] == summary(received=2, rejected=2)
    await send(client, numbered(2))
    body = await send(client, numbered(2), status=207)
    assert body["summary"] == summary(received=2, duplicate=2)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("[]", "application/json"),
        ('{"records": []}', "application/json"),
        ("", "application/x-ndjson"),
        ("\n \n\r\n", "application/x-ndjson"),
        ("", "text/csv"),
        ("tenant_id,submission_id,source_type,field_id,field_type\n\n", "text/csv"),
    ],
)
async def test_an_empty_batch_is_a_success(client: httpx.AsyncClient, data: str, kind: str) -> None:
    """And has its account."""
    body = await send_text(client, data, kind)
    assert body["summary"] == summary()
    assert body["results"] == []
    assert (await client.get(f"/v1/batches/{body['batch_id']}")).status_code == 200


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        ("", "Invalid request body"),
        ("{", "Invalid JSON"),
        ("[{]", "Invalid JSON"),
        ("[] []", "Invalid JSON"),
        ('["\\ud800", }', "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ("1", "must be an array of records"),
        ('{"records": [], "more": 1}', "must be an array of records"),
        ('{"records": {}}', "must be an array of records"),
        ('{"record": []}', "must be an array of records"),
    ],
)
async def test_a_body_that_is_no_list_of_records_is_refused(
    client: httpx.AsyncClient, data: str, detail: str
) -> None:  # fmt: skip
    answer = await client.post(URL, content=data, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert detail in answer.json()["detail"]


async def test_half_a_surrogate_pair_costs_its_own_record(client: httpx.AsyncClient) -> None:
    """Though msgspec refuses the array it stands in as a whole."""
    good, bad = json.dumps(make_record(value_text="\\ud800 \\\\")), json.dumps(make_record(value_text="X"))
    bad = bad.replace('"X"', '"\\ud800"')
    for text in (f"[{good}, {bad}, {bad}]", f'{{"records": [ {bad},{bad},\n{good} ]}}'):
        body = await send_text(client, text, "application/json", status=207, on_conflict="skip")
        assert body["summary"]["rejected"] == 2
        for result in body["results"]:
            if result["outcome"] == "rejected":
                assert [fault["name"] for fault in result["error"]["invalid_params"]] == ["value_text"]


async def test_too_many_records_are_413_with_the_numbers(client: httpx.AsyncClient) -> None:
    answer = await client.post(URL, content=b"[" + b",".join([b"1"] * (MAX_RECORDS + 1)) + b"]")
    assert answer.status_code == 413
    assert (answer.json()["limit"], answer.json()["actual"]) == (MAX_RECORDS, MAX_RECORDS + 1)


async def test_the_most_records_are_taken(client: httpx.AsyncClient) -> None:
    body = await send(client, numbered(MAX_RECORDS))
    assert body["summary"]["created"] == MAX_RECORDS
    assert len(body["results"]) == MAX_RECORDS


async def test_a_json_bomb_is_413_with_the_numbers(client: httpx.AsyncClient) -> None:
    """The limit is on what comes out of the compression."""
    bomb = gzip.compress(bytes(MAX_JSON_BYTES + 1))
    answer = await client.post(URL, content=bomb, headers={"content-encoding": "gzip"})
    assert answer.status_code == 413
    problem = answer.json()
    assert problem["limit"] == MAX_JSON_BYTES < problem["actual"]


async def test_a_record_that_is_too_long_is_rejected_alone(client: httpx.AsyncClient) -> None:
    """As its single post would be."""
    long = make_record(submission_id="long", metadata={"x": "x" * MAX_ITEM_BYTES})
    body = await send(client, [make_record(), long], status=207)
    assert [result["status"] for result in body["results"]] == [201, 413]
    body = await send_text(client, ndjson([long, make_record(field_id="q2")]), "application/x-ndjson", status=207)
    assert [(result["line"], result["status"]) for result in body["results"]] == [(1, 413)]


# Conflicts.


async def test_of_a_key_that_comes_twice_the_first_stands(client: httpx.AsyncClient, connection: Connection) -> None:
    """Later ones are duplicates, or skipped; all have the id of the first."""
    twice = [make_record(value_text="a"), make_record(value_text="b"), make_record(value_text="c")]
    body = await send(client, twice, status=207)
    assert [result["outcome"] for result in body["results"]] == ["created", "duplicate", "duplicate"]
    assert len({result["id"] for result in body["results"]}) == 1
    assert [record["value_text"] for record in await stored(connection)] == ["a"]
    body = await send(client, twice, on_conflict="skip")
    assert body["summary"] == summary(received=3, skipped=3)


async def test_an_update_replaces_what_is_different_and_leaves_the_rest(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """An absent column is cleared, an absent `collected_at` kept; an identical record is not touched."""
    await send(client, [make_record(collected_at="2026-01-01T00:00:00Z", language="de"), make_record(field_id="same")])
    before = await connection.fetchval("select xmin from feedback_records where field_id = 'same'")
    body = await send(
        client, [make_record(value_text="new"), make_record(field_id="same"), make_record(field_id="new")],
        on_conflict="update",
    )  # fmt: skip
    assert [(result["status"], result["outcome"]) for result in body["results"]] == [
        (200, "updated"), (200, "unchanged"), (201, "created"),
    ]  # fmt: skip
    row = await connection.fetchrow("select * from feedback_records where field_id = 'q1'")
    assert row is not None
    assert (row["value_text"], row["language"], row["collected_at"].year) == ("new", None, 2026)
    assert row["updated_at"] > row["created_at"]
    assert await connection.fetchval("select xmin from feedback_records where field_id = 'same'") == before
    assert all(UUID(result["id"]) for result in body["results"])


async def test_of_a_key_that_comes_twice_the_last_wins_an_update(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """It keeps the time of collection that the one before it would have left."""
    body = await send(
        client,
        [make_record(value_text="a", collected_at="2026-01-01T00:00:00Z"), make_record(value_text="b")],
        on_conflict="update",
    )
    assert [result["outcome"] for result in body["results"]] == ["skipped", "created"]
    (record,) = await stored(connection)
    assert (record["value_text"], record["collected_at"][:10]) == ("b", "2026-01-01")


async def test_atomic_stores_all_or_nothing(client: httpx.AsyncClient, connection: Connection) -> None:
    """What had nothing wrong with it is told so."""
    body = await send(client, [*numbered(2), make_record(field_type="x")], status=207, atomic=True)
    assert body["summary"] == summary(received=3, skipped=2, rejected=1)
    assert [(r["status"], r["outcome"]) for r in body["results"]] == [
        (424, "skipped"), (424, "skipped"), (400, "rejected"),
    ]  # fmt: skip
    assert all("id" not in result for result in body["results"])
    assert await stored(connection) == []
    body = await send(client, numbered(2), atomic=True)
    assert body["summary"] == summary(received=2, created=2)
    body = await send(client, numbered(3), status=207, atomic=True)
    assert body["summary"] == summary(received=3, skipped=1, duplicate=2)
    assert len(await stored(connection)) == 2


async def test_atomic_needs_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        URL, params={"atomic": "true"}, content=b"", headers={"content-type": "application/x-ndjson"}
    )
    assert answer.status_code == 400
    assert "atomic" in answer.json()["detail"]


@pytest.mark.parametrize("on_conflict", ["error", "skip", "update"])
async def test_a_dry_run_says_what_would_happen_and_does_nothing(
    client: httpx.AsyncClient, connection: Connection, on_conflict: str
) -> None:
    """No record, no reject, no account; and then it happens."""
    await send(client, [make_record(submission_id="old", value_text="old")])
    before = await stored(connection)
    records = [
        make_record(), make_record(value_text="other"), make_record(submission_id="old"), make_record(field_type="x")
    ]  # fmt: skip
    told = await send(client, records, status=207, dry_run=True, on_conflict=on_conflict)
    assert told["dry_run"] is True
    assert await stored(connection) == before
    assert await connection.fetchval("select count(*) from rejects") == 0
    assert (await client.get(f"/v1/batches/{told['batch_id']}")).status_code == 404
    done = await send(client, records, status=207, on_conflict=on_conflict)
    assert done["summary"] == told["summary"]
    assert "dry_run" not in done
    known = {str(row["id"]) for row in await connection.fetch("select id from feedback_records")}
    assert [r["outcome"] for r in told["results"]] == [r["outcome"] for r in done["results"]]
    assert {r["id"] for r in told["results"] if "id" in r} <= known


async def test_strict_refuses_what_does_not_fit_its_type(client: httpx.AsyncClient) -> None:
    records = [
        make_record(field_id="1", field_type="nps", value_text=..., value_number=11),
        make_record(field_id="2", field_type="nps", value_text="nine"),
        make_record(field_id="3"),
    ]
    body = await send(client, records, status=207, strict=True)
    first, second, third = body["results"]
    assert first["error"]["invalid_params"] == [{"name": "value_number", "reason": "must be between 0 and 10"}]
    assert {fault["name"] for fault in second["error"]["invalid_params"]} == {"value_text", "value_number"}
    assert third["status"] == 201
    assert (await send(client, records, on_conflict="skip"))["summary"]["created"] == 2


# Streams.


async def test_ndjson_names_failures_by_line(client: httpx.AsyncClient, connection: Connection) -> None:
    """Blank lines are no items, but lines; the last one needs no end."""
    text = b"\r\n".join([ndjson(numbered(1))[:-1], b"", b"{nonsense", b"  ", ndjson([make_record(field_id=...)])[:-1]])
    body = await send_text(client, text, "application/x-ndjson", status=207)
    assert body["summary"] == summary(received=3, created=1, rejected=2)
    assert [(result["line"], result["status"]) for result in body["results"]] == [(3, 400), (5, 400)]
    assert all("index" not in result for result in body["results"])
    assert len(await stored(connection)) == 1


async def test_a_stream_is_stored_in_chunks_and_counted_whole(client: httpx.AsyncClient) -> None:
    """With no more than the first failures in the answer, however many there are."""
    count = 2 * CHUNK_RECORDS + 10
    records = [make_record(submission_id=f"s{n}", field_type="text" if n % 2 else "x") for n in range(count)]
    body = await send_text(client, ndjson(records), "application/x-ndjson", status=207)
    assert body["summary"] == summary(received=count, created=count // 2, rejected=count // 2)
    assert [result["line"] for result in body["results"]] == [2 * n + 1 for n in range(MAX_INLINE)]
    account = (await client.get(f"/v1/batches/{body['batch_id']}")).json()
    assert {name: account[name] for name in body["summary"]} == body["summary"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
async def test_bodies_may_be_compressed(client: httpx.AsyncClient, encoding: Any, kind: str) -> None:
    records = numbered(50)
    data = json.dumps(records).encode() if kind == "application/json" else ndjson(records)
    answer = await client.post(
        URL, content=packed(data, encoding), headers={"content-encoding": encoding.upper(), "content-type": kind}
    )
    assert answer.json()["summary"] == summary(received=50, created=50), answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "br"}, {"content-encoding": "gzip, gzip"}, {"content-type": "application/xml"},
        {"content-type": "multipart/form-data; boundary=x"},
    ],
)  # fmt: skip
async def test_other_types_and_encodings_are_415_and_told_what_to_send(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post(URL, content=b"[]", headers={"content-type": "application/json"} | headers)
    assert answer.status_code == 415
    assert "Send the b" in answer.json()["detail"]


async def test_a_truncated_stream_is_told_what_was_stored(client: httpx.AsyncClient, connection: Connection) -> None:
    """Its whole chunks are; sending it again completes them."""
    data = zlib.compressobj(level=0, wbits=31)
    whole = data.compress(ndjson(numbered(CHUNK_RECORDS + 100))) + data.flush()
    headers = {"content-encoding": "gzip", "content-type": "application/x-ndjson"}
    broken = await client.post(URL, content=whole[:-50], headers=headers)
    assert broken.status_code == 400
    assert "ended in the middle" in broken.json()["detail"]
    assert f"{CHUNK_RECORDS} items" in broken.json()["detail"]
    assert len(await stored(connection)) == CHUNK_RECORDS
    again = await client.post(URL, content=whole, headers=headers, params={"on_conflict": "skip"})
    assert again.json()["summary"] == summary(
        received=CHUNK_RECORDS + 100, created=100, skipped=CHUNK_RECORDS
    )  # fmt: skip


async def test_a_stream_has_a_limit_too(settings: Settings) -> None:
    """By setting, on the decompressed bytes."""
    app = create_app(msgspec.structs.replace(settings, batch_max_bytes=2000))
    async with client_of(app) as client:
        answer = await client.post(
            URL, content=gzip.compress(ndjson(numbered(100))),
            headers={"content-encoding": "gzip", "content-type": "application/x-ndjson"},
        )  # fmt: skip
    assert answer.status_code == 413
    assert answer.json()["limit"] == 2000 < answer.json()["actual"]


async def test_minimal_leaves_out_what_did_not_fail(client: httpx.AsyncClient) -> None:
    for prefer in ("return=minimal", 'respond-async, Return = "minimal"'):
        answer = await client.post(
            URL, json=[*numbered(3), {}], params={"on_conflict": "skip"}, headers={"prefer": prefer}
        )
        assert [result["index"] for result in answer.json()["results"]] == [3]
        assert answer.json()["summary"]["received"] == 4
        assert answer.headers["preference-applied"] == "return=minimal"
    answer = await client.post(
        URL, json=numbered(1), params={"on_conflict": "skip"}, headers={"prefer": "return=minimalist"}
    )
    assert len(answer.json()["results"]) == 1


# CSV.

HEADER = "tenant_id,submission_id,source_type,field_id,field_type"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
async def test_csv_is_read_as_spreadsheets_write_it(
    client: httpx.AsyncClient, connection: Connection, delimiter: str, end: str, bom: str
) -> None:
    """Numbers, booleans, dates, metadata, quotes, line ends in cells; an empty cell is an absent member."""
    rows = [
        [*HEADER.split(","), "value_text", "value_number", "value_boolean", "collected_at", "metadata", "metadata.plan"],
        ["acme", "s1", "survey", "q1", "text", '"say ""hi""\n\n,;x"', "", "", "2026-01-02T03:04:05Z", '"{""n"": 1.50}"', "pro"],
        ["acme", "s2", "survey", "q1", "nps", "", "9.5", "TRUE", "", "", ""],
    ]  # fmt: skip
    text = bom + end.join(delimiter.join(row) for row in rows) + end
    body = await send_text(client, text)
    assert body["summary"] == summary(received=2, created=2)
    first, second = await stored(connection)
    assert first["value_text"] == 'say "hi"\n\n,;x'
    assert first["metadata"] == {"n": 1.5, "plan": "pro"}
    assert (second["value_number"], second["value_boolean"]) == (9.5, True)
    assert "value_text" not in second


async def test_a_bad_row_costs_itself(client: httpx.AsyncClient) -> None:
    rows = [
        HEADER + ",value_number,metadata", "acme,s1,survey,q1,nps,9,", "acme,s2,survey,q1,nps,nine,", "acme,s3,survey",
        'acme,"s4,survey,q1,nps,9,', "acme,s5,survey,q1,nps,9,", 'acme,s6,survey,q1,nps,9,"{""a"":1,""a"":2}"',
        "acme,s7,survey,q1,nps,9,[]",
    ]  # fmt: skip
    body = await send_text(client, "\n".join(rows), status=207)
    assert body["summary"] == summary(received=7, created=2, rejected=5)
    found = {r["line"]: r["error"].get("invalid_params") or r["error"]["detail"] for r in body["results"]}
    assert sorted(found) == [3, 4, 5, 7, 8]
    assert found[3] == [{"name": "value_number", "reason": "must be float64"}]
    assert found[4] == "Invalid CSV: expected 7 cells, got 3"
    assert found[7][0]["name"] == "metadata.a"
    assert found[8] == [{"name": "metadata", "reason": "must be object"}]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("tenant_id,submission_id,source_type,field_id", {"field_type"}),
        (f"{HEADER},nps,Value_Text,", {"nps", "Value_Text", ""}),
        (f"{HEADER},field_id", {"field_id"}),
        (f"{HEADER},metadata.", {"metadata."}),
        ("id", {"id", "tenant_id", "submission_id", "source_type", "field_id", "field_type"}),
    ],
)
async def test_a_wrong_header_is_refused_before_any_row(
    client: httpx.AsyncClient, connection: Connection, header: str, names: set[str]
) -> None:
    """With every column that is unknown, repeated or missing."""
    answer = await client.post(URL, content=f"{header}\n,,,,\n", headers={"content-type": "text/csv"})
    assert answer.status_code == 400
    assert {fault["name"] for fault in answer.json()["invalid_params"]} == names
    assert await connection.fetchval("select count(*) from batches") == 0


# Keys.


async def test_a_bound_key_applies_to_each_record(bound: httpx.AsyncClient, connection: Connection) -> None:
    """The tenant may be left out; another one is that record's 403, kept in the key's own tenant."""
    records = [make_record(tenant_id=...), make_record(tenant_id="other"), make_record(field_id="q2")]
    body = await send(bound, records, status=207)
    assert [result["status"] for result in body["results"]] == [201, 403, 201]
    assert {record["tenant_id"] for record in await stored(connection)} == {"acme"}
    assert await connection.fetchval("select tenant_id from rejects") == "acme"
    body = await send_text(bound, "submission_id,source_type,field_id,field_type\ns9,survey,q,text\n")
    assert body["summary"]["created"] == 1


async def test_the_request_may_name_the_tenant(client: httpx.AsyncClient, connection: Connection) -> None:
    """Of records that name none; another one is that record's fault."""
    records = [make_record(tenant_id=...), make_record(tenant_id="other"), make_record(field_id="q2")]
    body = await send(client, records, status=207, tenant_id="acme")
    assert [result["status"] for result in body["results"]] == [201, 400, 201]
    assert body["results"][1]["error"]["invalid_params"] == [
        {"name": "tenant_id", "reason": "must be acme or absent, as the parameter tenant_id says"}
    ]
    assert {record["tenant_id"] for record in await stored(connection)} == {"acme"}
    assert await connection.fetchval("select tenant_id from rejects") == "other"
    row = "submission_id,source_type,field_id,field_type\ns9,survey,q,text\n"
    assert (await send_text(client, row, tenant_id="acme"))["summary"]["created"] == 1


async def test_a_part_of_a_file_may_say_where_it_begins(client: httpx.AsyncClient) -> None:
    """Then its lines are those of the file, in the answer and of what is kept; the header of CSV is not counted."""
    header = "tenant_id,submission_id,source_type,field_id,field_type"
    for kind, text in (("application/x-ndjson", "\nno json\n"), ("text/csv", f'{header}\n\n"no\nrow"\n')):
        body = await send_text(client, text, kind, status=422, first_line=1000)
        assert [result["line"] for result in body["results"]] == [1001]
        (reject,) = (await client.get("/v1/rejects", params={"batch_id": body["batch_id"]})).json()["data"]
        assert reject["position"] == 1001
    await send_text(client, "{}", "application/x-ndjson", status=400, first_line=0)
    await send_text(client, "[]", "application/json", status=400, first_line=1)


async def test_a_batch_is_seen_by_who_may(client: httpx.AsyncClient, bound: httpx.AsyncClient) -> None:
    """A key bound to a tenant sees what came with such a key; anybody else's is not there for it."""
    own, foreign = await send(bound, numbered(1)), await send(client, numbered(2), on_conflict="skip")
    for url, status in (("", 200), ("/undo", 405)):
        assert (await bound.get(f"/v1/batches/{own['batch_id']}{url}")).status_code == status
    for who, batch, status in ((bound, own, 200), (bound, foreign, 404), (client, own, 200), (client, foreign, 200)):
        url = f"/v1/batches/{batch['batch_id']}"
        assert (await who.get(url)).status_code == status
        assert (await who.post(f"{url}/undo", params={"dry_run": "true"})).status_code == status


async def test_beyond_the_bound_batches_wait(settings: Settings, client: httpx.AsyncClient) -> None:
    """429 with `Retry-After`, and free again afterwards."""
    limit = settings.batch_concurrency
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        begun.release()  # the hub asks for the body
        yield b"["
        await end.wait()
        yield b"]"

    running = [asyncio.create_task(client.post(URL, content=slowly())) for _ in range(limit)]
    for _ in range(limit):
        await begun.acquire()
    refused = await client.post(URL, content=b"[]")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    end.set()
    assert [answer.status_code for answer in await asyncio.gather(*running)] == [200] * limit
    assert (await client.post(URL, content=b"[]")).status_code == 200


# Undo.


async def test_undo_deletes_what_a_batch_created_and_nobody_changed(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """Not what it updated, nor what others posted, nor what was changed since. It may be repeated."""
    await client.post(RECORDS, json=make_record(submission_id="posted"))
    await client.post(RECORDS, json=make_record(submission_id="updated"))
    records = [make_record(submission_id="updated", value_text="new"), *numbered(4), *numbered(3, tenant_id="other")]
    batch = await send(client, records, on_conflict="update")
    await client.patch(f"{RECORDS}/{batch['results'][1]['id']}", json={"value_text": "corrected"})
    await send(client, [make_record(submission_id="s1", value_text="later")], on_conflict="update")
    url = f"/v1/batches/{batch['batch_id']}/undo"
    told = (await client.post(url, params={"dry_run": "true"})).json()
    assert told == {"batch_id": batch["batch_id"], "dry_run": True, "deleted_count": 5}
    assert (await client.post(url)).json()["deleted_count"] == 5
    assert (await client.post(url)).json()["deleted_count"] == 0
    assert {record["submission_id"] for record in await stored(connection)} == {"posted", "updated", "s0", "s1"}
    account = (await client.get(f"/v1/batches/{batch['batch_id']}")).json()
    assert account["undone_at"] >= account["finished_at"]
    assert account["created"] == 7
    assert account["tenants"] == ["acme", "other"]


async def test_undo_of_what_never_was_is_404(client: httpx.AsyncClient) -> None:
    unknown = "01a1fd70-dc6b-7f9f-a179-fc0e8de6785f"
    assert (await client.post(f"/v1/batches/{unknown}/undo")).status_code == 404
    assert (await client.get(f"/v1/batches/{unknown}")).json()["details"] == {"resource_type": "batch"}
    assert (await client.post("/v1/batches/x/undo")).status_code == 400
    assert (await client.post(f"/v1/batches/{unknown}/undo", params={"dryrun": "true"})).status_code == 400


async def test_the_description_knows_every_shape(client: httpx.AsyncClient) -> None:
    """Of a batch, and of the rejects."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert set(paths[URL]["post"]["requestBody"]["content"]) == {"application/json", "application/x-ndjson", "text/csv"}
    assert set(paths[URL]["post"]["responses"]) >= {"200", "207", "422", "400", "413", "415", "429"}
    assert set(paths["/v1/rejects"]["get"]["responses"]["200"]["content"]) == {
        "application/json",
        "application/x-ndjson",
    }
    assert paths["/v1/rejects/{id}/retry"]["post"]["requestBody"]["required"] is False
