"""Submissions over HTTP: listed, read, and gone when erased."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from msgspec import structs

from hub import retention
from hub.db import Pool
from hub.settings import Settings
from tests.api.test_sources import ALL_TYPES, DEFINITION, FORM, SURVEY, Json, body, counts, define, records, send
from tests.conftest import make_record

URL = "/v1/submissions"
RESPONSE = "cmwujsswh21iwzgdxtp15u3m2"
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def listed(client: httpx.AsyncClient, **parameters: str) -> Json:
    answer = await client.get(URL, params={"tenant_id": "acme", **parameters})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def ids(client: httpx.AsyncClient, **parameters: str) -> list[str]:
    data = (await listed(client, **parameters))["data"]
    assert isinstance(data, list)
    return [row["submission_id"] for row in data]


async def read(client: httpx.AsyncClient, submission_id: str, **parameters: str) -> httpx.Response:
    return await client.get(f"{URL}/{submission_id}", params={"tenant_id": "acme", **parameters})


def reasons(answer: Json) -> dict[str, str]:
    skipped = answer["skipped"]
    assert isinstance(skipped, list)
    return {skip["field_id"]: skip["reason"] for skip in skipped}


def at(minute: int, **members: object) -> Json:
    moment = f"2026-08-20T09:{minute:02}:00Z"
    return body({"q": minute}, id=f"r{minute}", createdAt=moment, updatedAt=moment, **members)


async def test_submission_is_shown_with_its_records(client: httpx.AsyncClient) -> None:
    """Its own members, its records as the list of records has them, its payload only when that is asked for."""
    await define(client)
    await send(client, ALL_TYPES)
    shown = (await read(client, RESPONSE)).json()
    whole = (await read(client, RESPONSE, payload="true")).json()
    by_field = await records(client)

    assert {record["field_id"]: record for record in shown.pop("records")} == by_field
    assert shown.pop("received_at").endswith("Z")
    assert shown == {
        "tenant_id": "acme", "submission_id": RESPONSE, "source": "formbricks", "form_id": SURVEY, "user_id": "usr_7f3a",
        "status": "completed", "started_at": "2026-08-20T09:14:02.12Z", "completed_at": "2026-08-20T09:17:45.301Z",
        "duration_seconds": shown["duration_seconds"], "payload_kept": True,
    }  # fmt: skip
    assert whole["payload"]["id"] == RESPONSE
    assert (await listed(client))["data"] == [
        {name: whole[name] for name in whole if name not in ("records", "payload")}
    ]


async def test_submission_that_is_not_there(client: httpx.AsyncClient) -> None:
    """Unknown, another tenant's, impossible, or only posted as records: 404."""
    await send(client, body({"q": 1}), tenant_id="globex")
    await client.post("/v1/feedback-records", json=make_record(submission_id="s1"))

    for name in ("nothing", "r1", "s1", "a%00b", "%F0%9F%98%80"):
        answer = await read(client, name)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), name
    assert (await client.get(f"{URL}/r1")).json()["invalid_params"][0]["name"] == "tenant_id"


@pytest.mark.parametrize("name", ["a/b", "a b", "ü?#&%2F", "sha256:abc", "x" * 255])
async def test_submission_is_found_by_any_name(client: httpx.AsyncClient, name: str) -> None:
    """An id that a path cannot hold as it is comes percent-encoded."""
    await send(client, body({"q": 1}, id=name))
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())

    assert (await read(client, encoded)).json()["submission_id"] == name
    assert await ids(client) == [name]


async def test_submissions_are_listed_by_what_is_asked(client: httpx.AsyncClient) -> None:
    """Every filter narrows; several values of one mean any of them."""
    await send(
        client, [at(1), at(2, finished=False), at(3, surveyId="other"), at(4, contactAttributes={"userId": "ann"})]
    )
    await send(client, at(5), tenant_id="globex")

    assert await ids(client) == ["r4", "r3", "r2", "r1"]
    assert await ids(client, status="partial") == ["r2"]
    assert await ids(client, status="partial,dismissed") == ["r2"]
    assert await ids(client, form_id="other") == ["r3"]
    assert await ids(client, source="formbricks", user_id="ann") == ["r4"]
    assert await ids(client, source="typeform") == []
    assert await ids(client, since="2026-08-20T09:02:00Z", until="2026-08-20T09:03:00Z") == ["r3", "r2"]
    answer = await client.get(f"{URL}?tenant_id=acme&form_id=other&form_id=sv&status=completed")
    assert [row["submission_id"] for row in answer.json()["data"]] == ["r4", "r3", "r1"]


async def test_submission_without_a_beginning_stands_where_it_was_received(client: httpx.AsyncClient) -> None:
    """Nothing better is known of it."""
    await send(client, [{"id": "now", "surveyId": "sv", "data": {"q": 1}}, at(1)])
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    assert await ids(client) == ["now", "r1"]
    assert await ids(client, since=hour_ago) == ["now"]


@pytest.mark.parametrize("limit", ["1", "2", "3", "7", "8", "0"])
async def test_pages_concatenate_to_the_list(client: httpx.AsyncClient, limit: str) -> None:
    """Without gaps and repeats, also where many were started at the same moment."""
    same = [body({"q": 1}, id=name, createdAt="2026-08-20T10:00:00Z") for name in "bacd"]
    await send(client, [at(1), at(2), *same, at(3)])
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await listed(client, limit=limit, **cursor)
        assert isinstance(page["data"], list)
        found += [row["submission_id"] for row in page["data"]]
        assert page["limit"] == (int(limit) or 100)
        if "next_cursor" not in page:
            break
        cursor = {"cursor": str(page["next_cursor"])}

    assert found == ["a", "b", "c", "d", "r3", "r2", "r1"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        {"t": "2026-01-01T00:00:00Z"},
        {"t": "2026-01-01T00:00:00Z", "i": "018e1234-5678-7abc-8ef0-123456789abc"},
        {"t": "2026-01-01T00:00:00", "n": "r1"},
        {"t": "0001-01-01T00:00:00+10:00", "n": "r1"},
        {"t": "2026-01-01T00:00:00Z", "n": ""},
        {"t": "2026-01-01T00:00:00Z", "n": "a\0b"},
        {"t": "2026-01-01T00:00:00Z", "n": 5},
    ],
)
async def test_cursor_of_another_make_is_refused(client: httpx.AsyncClient, cursor: object) -> None:
    """The list of records' own, too."""
    text = cursor if isinstance(cursor, str) else base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    answer = await client.get(URL, params={"tenant_id": "acme", "cursor": text})

    assert answer.status_code == 400
    assert [fault["name"] for fault in answer.json()["invalid_params"]] == ["cursor"]


async def test_every_fault_of_a_list_is_told(client: httpx.AsyncClient) -> None:
    """As everywhere."""
    answer = await client.get(
        URL,
        params={"status": "done", "since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z", "limit": "1001"},
    )
    payload = await read(client, "r1", payload="perhaps")

    assert {fault["name"] for fault in answer.json()["invalid_params"]} == {"tenant_id", "status", "since", "limit"}
    assert [fault["name"] for fault in payload.json()["invalid_params"]] == ["payload"]


# Erased stays erased.


async def test_deleted_record_is_skipped_as_erased(client: httpx.AsyncClient) -> None:
    """By redelivery, an edit and a definition alike; posted directly it may be there again."""
    await send(client, ALL_TYPES)
    found = await records(client)
    nps = found["nps_main"]
    assert (await client.delete(f"/v1/feedback-records/{nps['id']}")).status_code == 204

    again = await send(client, ALL_TYPES)
    assert reasons(again)["nps_main"] == "erased"
    assert counts(again) == (0, 0, len(found) - 1, 0, 0)
    await define(client)
    assert "nps_main" not in await records(client)
    posted = {name: nps[name] for name in ("source_type", "field_id", "field_type", "tenant_id", "submission_id")}
    assert (await client.post("/v1/feedback-records", json=posted)).status_code == 201
    await send(client, ALL_TYPES)
    assert "value_number" not in (await records(client))["nps_main"]


async def test_option_deleted_before_the_survey_was_known_does_not_come_back_under_its_real_id(
    client: httpx.AsyncClient,
) -> None:
    """Its makeshift id was a hash of its label."""
    await send(client, ALL_TYPES)
    makeshift = await records(client)
    group = next(record["field_group_id"] for record in makeshift.values() if "field_group_id" in record)
    (gone, *others) = [record for record in makeshift.values() if record.get("field_group_id") == group]
    await client.delete(f"/v1/feedback-records/{gone['id']}")
    await send(client, ALL_TYPES)
    assert {record["field_id"] for record in others} <= (await records(client)).keys()

    await define(client)
    defined = await records(client)
    assert [record for record in defined.values() if record.get("field_group_id") == group] == []
    assert len(defined) > 10
    again = await send(client, ALL_TYPES)
    assert "erased" in reasons(again).values()
    assert await records(client) == defined


@pytest.mark.parametrize("where", [{"tenant_id": "acme"}, {}], ids=["in one tenant", "everywhere"])
async def test_erased_person_does_not_come_back(client: httpx.AsyncClient, where: dict[str, str]) -> None:
    """By no channel: redelivered, edited, in a page of the API that does not name them, with a definition, in another tenant."""
    await send(client, ALL_TYPES)
    erased = await client.delete("/v1/feedback-records", params={"user_id": "usr_7f3a", **where})
    edited = ALL_TYPES.replace(b"2026-08-20T09:17:45", b"2026-08-21T09:17:45")
    unnamed = json.loads(ALL_TYPES)["data"]
    for name in ("contact", "contactAttributes", "person"):
        unnamed.pop(name, None)

    assert erased.json()["deleted_count"] > 20
    for payload in (ALL_TYPES, edited, unnamed):
        answer = await send(client, payload)
        assert counts(answer) == (0, 0, 0, 0, 0)
        assert answer["submissions"] == 1
        assert list(reasons(answer).values()).count("erased") > 20
    assert (await define(client))["reflattened"] == 0
    assert (await read(client, RESPONSE)).status_code == 404
    assert await records(client) == {}
    await client.put(FORM, params={"tenant_id": "globex"}, content=DEFINITION)
    elsewhere = await send(client, ALL_TYPES, tenant_id="globex")
    assert (elsewhere["created"] == 0) == (where == {})


async def test_new_response_of_an_erased_person_comes_in(client: httpx.AsyncClient) -> None:
    """They may have changed their mind."""
    person = {"contactAttributes": {"userId": "ann"}}
    await client.delete("/v1/feedback-records", params={"user_id": "ann"})
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    assert (await send(client, at(1, **person)))["created"] == 0
    assert (await send(client, body({"q": 1}, id="r2", createdAt=tomorrow, updatedAt=tomorrow, **person)))[
        "created"
    ] == 1


# Retention.


async def test_payloads_expire_by_setting(
    settings: Settings, connection: Database, client: httpx.AsyncClient, pool: Pool
) -> None:
    """A hub that is told so forgets them; one that is not keeps them."""
    await send(client, [at(1), at(2)])
    await connection.execute(
        "update submissions set received_at = now() - interval '31 days' where submission_id = 'r1'"
    )
    await retention.expire(pool, settings)
    assert (await read(client, "r1", payload="true")).json()["payload"]["id"] == "r1"

    await retention.expire(pool, structs.replace(settings, payload_retention_days=30))

    expired, kept = [(await read(client, name, payload="true")).json() for name in ("r1", "r2")]
    assert "payload" not in expired
    assert [record["submission_id"] for record in expired["records"]] == ["r1"]
    assert kept["payload"]["id"] == "r2"
    form = await client.put(
        "/v1/sources/formbricks/forms/sv", params={"tenant_id": "acme"}, json={"id": "sv", "blocks": []}
    )
    assert form.json()["reflattened"] == 1
