"""Typeform over HTTP: what its two channels and its forms do to what is stored."""

import json
import re
from pathlib import Path
from typing import TypeAlias

import asyncpg
import httpx

SAMPLES = Path(__file__).parent.parent / "sources" / "typeform"
RESPONSES = "/v1/sources/typeform/responses"
FORM_ID = "kQ7vB2xT"

Json = dict[str, object]
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


async def send(client: httpx.AsyncClient, payload: bytes, **parameters: str) -> Json:
    answer = await client.post(
        RESPONSES, params={"tenant_id": "acme", "form_id": FORM_ID, **parameters}, content=payload
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def define(client: httpx.AsyncClient) -> Json:
    url = f"/v1/sources/typeform/forms/{FORM_ID}"
    answer = await client.put(url, params={"tenant_id": "acme"}, content=sample("20_form_definition"))
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def records(client: httpx.AsyncClient) -> dict[str, Json]:
    answer = await client.get("/v1/feedback-records", params={"tenant_id": "acme", "limit": "1000"})
    return {f"{record['submission_id']} {record['field_id']}": record for record in answer.json()["data"]}


def counts(answer: Json) -> tuple[object, ...]:
    return tuple(answer[name] for name in ("created", "updated", "unchanged", "deleted", "stale"))


async def test_page_without_its_form_is_refused_as_a_whole(client: httpx.AsyncClient, connection: Database) -> None:
    """400 names the parameter, and nothing is stored, not even a delivery beside it; an empty page needs no form."""
    page = json.loads(sample("01_api_page_completed_all_types"))
    mixed = json.dumps([json.loads(sample("10_webhook_form_response")), page["items"][0]]).encode()
    for payload in (sample("01_api_page_completed_all_types"), mixed):
        answer = await client.post(RESPONSES, params={"tenant_id": "acme"}, content=payload)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation")
        assert [fault["name"] for fault in answer.json()["invalid_params"]] == ["form_id"]
    empty = await client.post(RESPONSES, params={"tenant_id": "acme"}, content=sample("04_api_page_empty"))

    assert await connection.fetchval("select count(*) from submissions") == 0
    assert (empty.status_code, empty.json()["submissions"]) == (200, 0)


async def test_page_whose_items_cannot_be_read(client: httpx.AsyncClient) -> None:
    """422 when there is no other item, 207 beside one that can be read."""
    one = {"token": "t", "answers": []}
    for items, status in (([5], 422), ([{"answers": []}], 422), ([5, one], 207)):
        answer = await client.post(RESPONSES, params={"tenant_id": "acme", "form_id": FORM_ID}, json={"items": items})
        assert answer.status_code == status


async def test_two_channels_are_one_submission(client: httpx.AsyncClient) -> None:
    """The second channel adds what only it knows; from then on neither says anything new."""
    await define(client)
    delivery, page = sample("10_webhook_form_response"), sample("32_api_page_same_as_10")

    assert counts(await send(client, delivery)) == (12, 0, 0, 0, 0)
    assert counts(await send(client, page)) == (0, 12, 0, 0, 0)
    for again in (delivery, page, sample("11_webhook_redelivery_same_token")):
        assert counts(await send(client, again)) == (0, 0, 12, 0, 0)
    metadata = [record["metadata"] for record in (await records(client)).values()]
    assert all(known["platform"] == "mobile" and known["tags"] == ["champion"] for known in metadata)  # type: ignore[index]


async def test_partial_response_is_completed(client: httpx.AsyncClient, connection: Database) -> None:
    """What was deselected in the meantime is deleted; a partial that comes late is stale."""
    await define(client)
    partial, complete = sample("31_webhook_partial"), sample("10_webhook_form_response")
    await send(client, sample("30_api_page_started"))
    await send(client, partial)

    assert counts(await send(client, complete)) == (6, 6, 0, 1, 0)
    assert counts(await send(client, partial)) == (0, 0, 0, 0, 1)
    assert await connection.fetchval("select status from submissions") == "completed"


async def test_landings_are_kept_as_submissions(client: httpx.AsyncClient, connection: Database) -> None:
    """Response rates need those who came and went."""
    answer = await send(client, sample("02_api_page_landings_without_answers"))
    rows = await connection.fetch("select status, form_id, user_id from submissions order by user_id")

    assert (answer["submissions"], await records(client)) == (3, {})
    assert [tuple(row) for row in rows] == [
        ("started", FORM_ID, "usr_10900"), ("started", FORM_ID, None), ("started", FORM_ID, None),
    ]  # fmt: skip


async def test_form_takes_out_what_turns_out_to_be_personal(client: httpx.AsyncClient) -> None:
    """Names are short texts until the form tells that they stand in a contact question; then they are gone."""
    await send(client, sample("17_webhook_contact_info_and_group"))
    before = {record.get("value_text") for record in (await records(client)).values()}
    defined = await define(client)
    after = await records(client)

    assert "José" in before
    assert (defined["fields"], defined["reflattened"]) == (30, 1)
    assert {record.get("value_text") for record in after.values()} == {None, "The import wizard."}
    assert {record["field_group_label"] for record in after.values()} == {"About your onboarding"}
    again = await send(client, sample("17_webhook_contact_info_and_group"))
    assert counts(again) == (0, 0, 2, 0, 0)
    assert {skip["reason"] for skip in again["skipped"]} == {"personal_data"}  # type: ignore[attr-defined]


async def test_pull_without_answers_leaves_them(client: httpx.AsyncClient) -> None:
    """`answers: null` of a pull with other fields is no deletion."""
    await define(client)
    await send(client, sample("32_api_page_same_as_10"))
    page = json.loads(sample("32_api_page_same_as_10"))
    page["items"][0]["answers"] = None

    assert counts(await send(client, json.dumps(page).encode())) == (0, 0, 12, 0, 0)


async def test_person_is_known_by_an_email_answer_alone(client: httpx.AsyncClient, connection: Database) -> None:
    """One user for every spelling of an address, which the id does not tell; a hidden field names them better."""

    def response(token: str, *addresses: str, **members: object) -> bytes:
        nps = {"field": {"id": "n", "type": "nps"}, "type": "number", "number": 9}
        mails = [
            {"field": {"id": f"e{index}", "type": "email"}, "type": "email", "email": address}
            for index, address in enumerate(addresses)
        ]
        return json.dumps(
            {"token": token, "submitted_at": "2026-07-14T09:00:00Z", "answers": [nps, *mails], **members}
        ).encode()

    for payload in (
        response("one", "ada@acme.example"),
        response("two", " Ada@Acme.example "),
        response("hidden", "ada@acme.example", hidden={"user_id": "usr_1"}),
        response("both", "ada@acme.example", "bob@acme.example"),
        response("none"),
    ):
        await send(client, payload)
    await define(client)  # flattens again
    rows = await connection.fetch("select submission_id, user_id from submissions where user_id is not null order by 1")
    (hidden, _), (_, one), (_, two) = [(row["user_id"], row["user_id"]) for row in rows]
    of_records = await connection.fetch("select distinct user_id from feedback_records where user_id like 'email:%'")

    assert (hidden, one) == ("usr_1", two)
    assert re.fullmatch("email:[0-9a-f]{32}", one)
    assert [row["user_id"] for row in of_records] == [one]

    erased = await client.delete("/v1/feedback-records", params={"tenant_id": "acme", "user_id": one})
    assert erased.json()["deleted_count"] == 2
    assert (await send(client, response("one", "ada@acme.example")))["skipped"]
    assert await connection.fetchval("select count(*) from submissions where user_id like 'email:%'") == 0
