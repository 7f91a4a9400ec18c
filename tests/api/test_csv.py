"""CSV over HTTP: a mapping, then tables that are read with it."""

import json
from pathlib import Path
from typing import TypeAlias

import asyncpg
import httpx
import pytest

SAMPLES = Path(__file__).parent.parent / "sources" / "csv"
RESPONSES = "/v1/sources/csv/responses"
CSV = {"Content-Type": "text/csv; charset=utf-8"}

Json = dict[str, object]
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

MAPPING: Json = {
    "form_id": "pulse",
    "layout": "wide",
    "columns": {
        "id": {"as": "submission_id"}, "when": {"as": "collected_at"}, "mail": {"as": "email"},
        "score": {"as": "rating"}, "why": {"as": "text"}, "name": {"as": "ignore"},
    },
}  # fmt: skip
TABLE = b'id;when;mail;score;why;name\n1;2026-08-01;ada@acme.example;4;"so\nso";Ada\n2;;;5;;Bob\n'


async def define(client: httpx.AsyncClient, mapping: object = MAPPING, form_id: str = "pulse") -> Json:
    answer = await client.put(f"/v1/sources/csv/forms/{form_id}", params={"tenant_id": "acme"}, json=mapping)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def post(client: httpx.AsyncClient, table: bytes, form_id: str = "pulse") -> httpx.Response:
    return await client.post(RESPONSES, params={"tenant_id": "acme", "form_id": form_id}, content=table, headers=CSV)


async def send(client: httpx.AsyncClient, table: bytes, form_id: str = "pulse") -> tuple[object, ...]:
    answer = await post(client, table, form_id)
    assert answer.status_code == 200, answer.text
    return tuple(answer.json()[name] for name in ("created", "updated", "unchanged", "deleted", "stale"))


async def records(client: httpx.AsyncClient) -> dict[str, Json]:
    answer = await client.get("/v1/feedback-records", params={"tenant_id": "acme", "limit": "1000"})
    return {f"{record['submission_id']} {record['field_id']}": record for record in answer.json()["data"]}


async def test_table_becomes_records(client: httpx.AsyncClient) -> None:
    """And sent again it changes nothing; an emptied cell takes its answer away."""
    assert (await define(client))["fields"] == 2
    assert await send(client, TABLE) == (3, 0, 0, 0, 0)
    assert await send(client, b"\xef\xbb\xbf" + TABLE.replace(b"\n1;", b"\r\n1;")) == (0, 0, 3, 0, 0)
    found = await records(client)

    assert {name: (record.get("value_number"), record.get("value_text")) for name, record in found.items()} == {
        "pulse:1 score": (4, None), "pulse:1 why": (None, "so\nso"), "pulse:2 score": (5, None),
    }  # fmt: skip
    assert await send(client, b"id,score,why\n1,3,\n") == (0, 1, 0, 1, 0)


async def test_person_is_known_by_a_hash_and_the_address_is_not_kept(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """Nor is a column that the mapping ignores."""
    await define(client)
    await send(client, TABLE)
    payloads = str(await connection.fetch("select payload from submissions"))
    (user,) = {record["user_id"] for record in (await records(client)).values() if "user_id" in record}

    assert str(user).startswith("email:")
    assert "ada@" not in payloads
    assert "Ada" not in payloads
    assert "so" in payloads


async def test_mapping_that_changes_reads_what_is_kept_anew(client: httpx.AsyncClient) -> None:
    """Type and scale of a question, also of a column that made no record before."""
    await define(client)
    await send(client, TABLE)
    changed = json.loads(json.dumps(MAPPING))
    changed["columns"]["score"] = {"as": "csat", "id": "support", "scale": {"min": 1, "max": 5}}

    assert (await define(client, changed))["reflattened"] == 2
    found = await records(client)
    assert found.keys() == {"pulse:1 support", "pulse:1 why", "pulse:2 support"}
    assert found["pulse:1 support"]["metadata"]["scale"] == {"min": 1, "max": 5}  # type: ignore[index]
    assert await send(client, TABLE) == (0, 0, 3, 0, 0)


async def test_rows_with_their_mapping_may_come_before_it(client: httpx.AsyncClient) -> None:
    """They are kept, and become records as soon as it is stored."""
    rows = [{"id": "1", "score": "4"}, {"id": "2", "score": 5}]
    answer = await client.post(RESPONSES, params={"tenant_id": "acme"}, json={"mapping": MAPPING, "rows": rows})

    assert [skip["reason"] for skip in answer.json()["skipped"]] == ["needs_definition"] * 2
    assert (await define(client))["reflattened"] == 2
    assert {record["value_number"] for record in (await records(client)).values()} == {4, 5}


async def test_rows_that_cannot_be_read_cost_themselves(client: httpx.AsyncClient) -> None:
    """207 names each by its place; 422 when there is no other."""
    await define(client)
    some = await post(client, b"id,score,when\n1,4,2026-08-01\n,5,2026-08-01\n3,5\n4,5,tomorrow\n5,5,\n")
    none = await post(client, b"id,score,when\n,5,2026-08-01\n")

    assert some.status_code == 207
    assert some.json()["submissions"] == 2
    assert some.json()["errors"] == [
        {"index": 1, "problem": "id is required"},
        {"index": 2, "problem": "Invalid CSV: expected 3 cells, got 2"},
        {"index": 3, "problem": "when is not a date that can be read"},
    ]
    assert none.status_code == 422


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"", "there is no header"),
        (b"id,,score\n1,,4\n", "column 2 has no name"),
        (b"id,score,id\n1,4,1\n", "id appears more than once"),
        (b"\xff\xfe\n", "not UTF-8"),
    ],
)
async def test_header_that_cannot_be_read_refuses_the_table(client: httpx.AsyncClient, table: bytes, said: str) -> None:
    """400 says what to correct."""
    await define(client)
    answer = await post(client, table)
    faults = " ".join(f"{fault['name']} {fault['reason']}" for fault in answer.json().get("invalid_params", []))

    assert answer.status_code == 400
    assert said in f"{answer.json()['detail']} {faults}"


async def test_table_needs_its_mapping_first(client: httpx.AsyncClient) -> None:
    """400 names the parameter, whether it is missing or the mapping is; other sources take no CSV."""
    missing = await client.post(RESPONSES, params={"tenant_id": "acme"}, content=TABLE, headers=CSV)
    unknown = await post(client, TABLE)
    other = await client.post(
        "/v1/sources/formbricks/responses", params={"tenant_id": "acme"}, content=TABLE, headers=CSV
    )

    for answer, said in ((missing, "is required"), (unknown, "has no mapping yet")):
        assert answer.status_code == 400
        ((name, reason),) = [(fault["name"], fault["reason"]) for fault in answer.json()["invalid_params"]]
        assert name == "form_id"
        assert reason.startswith(said)
    assert other.status_code == 415


async def test_definition_is_read_as_it_was_stored(client: httpx.AsyncClient) -> None:
    """Of every source; 404 for a form that has none, also when submissions wait for it."""
    await define(client)
    await client.post(
        "/v1/sources/formbricks/responses",
        params={"tenant_id": "acme"},
        json={"id": "r", "surveyId": "sv", "data": {"q": 1}},
    )
    found = await client.get("/v1/sources/csv/forms/pulse", params={"tenant_id": "acme"})
    absent = [
        await client.get(f"/v1/sources/{path}", params={"tenant_id": tenant_id})
        for path, tenant_id in (("csv/forms/other", "acme"), ("csv/forms/pulse", "globex"), ("formbricks/forms/sv", "acme"), ("no/forms/f", "acme"))
    ]  # fmt: skip

    assert found.json()["definition"] == MAPPING
    assert (found.json()["fields"], found.json()["defined"]) == (2, True)
    assert [answer.status_code for answer in absent] == [404] * 4


async def test_rows_of_one_response_may_come_in_parts(client: httpx.AsyncClient) -> None:
    """A long table that is sent in two pieces is the same as one that is not."""
    mapping = json.loads((SAMPLES / "02_long.mapping.json").read_text())
    await define(client, mapping, "long")
    header, *rows = (SAMPLES / "02_long.csv").read_bytes().splitlines(keepends=True)
    for part in (rows[:1], rows[1:3], rows[3:]):
        await send(client, header + b"".join(part), "long")

    assert len(await records(client)) == 4
    assert await send(client, header + b"".join(rows), "long") == (0, 0, 4, 0, 0)
