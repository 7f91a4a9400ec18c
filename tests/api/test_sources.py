"""Payloads of survey tools in over HTTP, records out."""

import asyncio
import json
from pathlib import Path
from typing import TypeAlias

import asyncpg
import httpx
import pytest

from hub.db import Pool, keys
from hub.sources import formbricks

SAMPLES = Path(__file__).parent.parent / "sources" / "formbricks"
SURVEY = "cmmcwoxiy1v71rukv7hr6wv00"
RESPONSES = "/v1/sources/formbricks/responses"
FORM = f"/v1/sources/formbricks/forms/{SURVEY}"

Json = dict[str, object]
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


DEFINITION = sample("01_v1_survey_get_blocks_plus_derived_questions")
ALL_TYPES = sample("12_webhook_responseFinished_all_types")


def body(data: object = None, **members: object) -> Json:
    basics = {"id": "r1", "surveyId": "sv", "createdAt": "2026-08-20T09:00:00Z", "updatedAt": "2026-08-20T09:01:00Z"}
    return {**basics, "finished": True, "data": data or {}, **members}


async def send(client: httpx.AsyncClient, payload: object, **parameters: str) -> Json:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    answer = await client.post(RESPONSES, params={"tenant_id": "acme", **parameters}, content=content)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def define(client: httpx.AsyncClient, definition: bytes = DEFINITION) -> Json:
    answer = await client.put(FORM, params={"tenant_id": "acme"}, content=definition)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def records(client: httpx.AsyncClient, tenant_id: str = "acme", **filters: str) -> dict[str, Json]:
    answer = await client.get("/v1/feedback-records", params={"tenant_id": tenant_id, "limit": "1000", **filters})
    assert answer.status_code == 200, answer.text
    return {record["field_id"]: record for record in answer.json()["data"]}


def counts(answer: Json) -> tuple[object, ...]:
    return tuple(answer[name] for name in ("created", "updated", "unchanged", "deleted", "stale"))


async def test_real_response_becomes_records(client: httpx.AsyncClient) -> None:
    """The survey in, a finished response in, and each answer is listed as a record or named as skipped."""
    assert await define(client) == {
        "tenant_id": "acme", "source": "formbricks", "form_id": SURVEY, "fields": 20, "reflattened": 0,
    }  # fmt: skip
    answer = await send(client, ALL_TYPES)
    expected = json.loads(sample("12_webhook_all_types.expected"))["submissions"][0]
    listed = await records(client)

    assert answer["submissions"] == 1
    assert counts(answer) == (22, 0, 0, 0, 0)
    assert answer["skipped"] == expected["skipped"]
    assert "errors" not in answer
    for record in expected["records"]:
        assert {**record, "collected_at": "2026-08-20T09:14:02.12Z"} == {
            name: listed[record["field_id"]][name] for name in record
        }


async def test_same_payload_again_changes_nothing(client: httpx.AsyncClient) -> None:
    """Redelivery is free: no row is touched, `updated_at` neither."""
    await send(client, ALL_TYPES)
    before = await records(client)
    again = await send(client, ALL_TYPES)

    assert counts(again) == (0, 0, len(before), 0, 0)
    assert await records(client) == before


async def test_submission_follows_its_snapshots(client: httpx.AsyncClient) -> None:
    """A newer snapshot adds, changes and removes; an older one is stale."""
    first = body({"a": 1, "b": ["x", "y"], "c": "same"}, updatedAt="2026-08-20T09:01:00Z")
    second = body({"a": 2, "b": ["x"], "c": "same", "d": True}, updatedAt="2026-08-20T09:02:00Z")

    assert counts(await send(client, first)) == (4, 0, 0, 0, 0)
    assert counts(await send(client, second)) == (1, 1, 2, 1, 0)
    assert counts(await send(client, first)) == (0, 0, 0, 0, 1)
    assert {record["value_text"] for record in (await records(client)).values() if "value_text" in record} == {
        "x",
        "same",
    }


async def test_definition_flattens_what_was_there_before(client: httpx.AsyncClient) -> None:
    """Answers given before the definition was known do not remain beside the ones made with it."""
    await send(client, ALL_TYPES)
    await send(client, sample("04_v1_responses_list"))
    stored = await define(client)
    late = await records(client, submission_id="cmwujsswh21iwzgdxtp15u3m2")

    await client.put(FORM, params={"tenant_id": "globex"}, content=DEFINITION)
    await send(client, sample("04_v1_responses_list"), tenant_id="globex")
    early = await records(client, "globex", submission_id="cmwujsswh21iwzgdxtp15u3m2")

    assert stored["reflattened"] == 4
    assert early.keys() == late.keys()
    assert all("definition_missing" not in json.dumps(record) for record in late.values())


async def test_options_of_a_request_outlive_a_new_definition(client: httpx.AsyncClient) -> None:
    """Attributes asked for once are still there when the submission is flattened again."""
    await send(client, ALL_TYPES, attributes="plan, account_id,plan")
    await define(client)

    for record in (await records(client)).values():
        assert record["metadata"]["attributes"] == {"plan": "pro", "account_id": "acc_8841"}  # type: ignore[index]


async def test_channels_of_one_vendor_complete_each_other(client: httpx.AsyncClient) -> None:
    """The same response by webhook, v2 and v1: nothing is lost by the second, and the first says nothing new again."""
    await define(client)
    await send(client, sample("05_v1_response_get_single"))
    by_v1 = await records(client)
    answers = [
        await send(client, sample(name))
        for name in ("08_v2_response_get_single", "12_webhook_responseFinished_all_types")
    ]

    assert [counts(answer) for answer in answers] == [(0, 0, 22, 0, 0)] * 2
    assert await records(client) == by_v1
    assert {record["user_id"] for record in by_v1.values()} == {"usr_7f3a"}
    assert by_v1["nps_main"]["metadata"]["tags"] == ["champion", "needs-follow-up"]  # type: ignore[index]
    assert (await define(client))["reflattened"] == 1
    assert await records(client) == by_v1


async def test_create_body_is_named_by_the_request_or_by_its_content(client: httpx.AsyncClient) -> None:
    """`submission_id`, else `Idempotency-Key`, else a hash: a retry is never a second submission."""
    documented = sample("40_documented_v1_create_body")
    url = f"{RESPONSES}?tenant_id=acme"
    await send(client, documented)
    await send(client, documented)
    await send(client, documented, submission_id="mine")
    await client.post(url, content=documented, headers={"Idempotency-Key": "theirs"})
    await client.post(f"{url}&submission_id=mine", content=documented, headers={"Idempotency-Key": "ignored"})
    answer = await client.get("/v1/feedback-records", params={"tenant_id": "acme"})
    ids = sorted(record["submission_id"][:7] for record in answer.json()["data"])

    assert ids == ["mine", "sha256:", "theirs"]


async def test_one_id_does_not_stand_for_several_submissions(client: httpx.AsyncClient) -> None:
    """In a list the id given with the request names nothing: each body is known by its content."""
    answer = await send(client, [{"surveyId": "sv", "data": {"q": n}} for n in (1, 2)], submission_id="mine")

    assert answer["submissions"] == 2
    assert counts(answer) == (2, 0, 0, 0, 0)


async def test_receive_time_is_no_change(client: httpx.AsyncClient) -> None:
    """A body without a date keeps the time it was first received."""
    bare = {"surveyId": "sv", "data": {"q": 1}}
    await send(client, bare)
    before = await records(client)

    assert counts(await send(client, bare)) == (0, 0, 1, 0, 0)
    assert await records(client) == before


async def test_same_submission_twice_in_one_payload(client: httpx.AsyncClient) -> None:
    """One after the other, in the order of the payload."""
    old, new = body({"q": 1}), body({"q": 2}, updatedAt="2026-08-21T00:00:00Z")

    assert counts(await send(client, [old, new, old, new])) == (1, 1, 1, 0, 1)


async def test_test_ping_is_acknowledged(client: httpx.AsyncClient) -> None:
    """A vendor's test answers 200 with zeros."""
    answer = await send(client, sample("19_webhook_testEndpoint"))

    assert answer == {
        "submissions": 0, "created": 0, "updated": 0, "unchanged": 0, "deleted": 0, "stale": 0, "skipped": [],
    }  # fmt: skip


async def test_finished_submission_without_answers_is_kept(client: httpx.AsyncClient, connection: Database) -> None:
    """Completion rates need it, though it makes no record."""
    answer = await send(client, body({}))
    row = await connection.fetchrow("select status, form_id, started_at is not null as started from submissions")

    assert answer["submissions"] == 1
    assert row is not None
    assert tuple(row) == ("completed", "sv", True)


async def test_unreadable_submission_does_not_cost_the_others(client: httpx.AsyncClient) -> None:
    """207 names it by its place; 422 when there was no other."""
    mixed = await client.post(RESPONSES, params={"tenant_id": "acme"}, json=[body({"q": 1}), {"id": 5}, 7])
    none = await client.post(RESPONSES, params={"tenant_id": "acme"}, json={"data": [{"surveyId": 5}]})

    assert mixed.status_code == 207
    assert counts(mixed.json()) == (1, 0, 0, 0, 0)
    assert [error["index"] for error in mixed.json()["errors"]] == [1, 2]
    assert none.status_code == 422
    assert none.json()["code"] == "unprocessable"
    assert none.json()["invalid_params"] == [{"name": "[0]", "reason": "surveyId is required"}]


@pytest.mark.parametrize("content", [b"", b"{", b"NaN", b'"\xff"', b"[" * 100_000, b'{"form_response": {}}', b"5"])
async def test_what_is_not_of_the_source_is_a_bad_request(client: httpx.AsyncClient, content: bytes) -> None:
    """No JSON, absurd JSON, and another tool's JSON."""
    for method, url in (("POST", RESPONSES), ("PUT", FORM)):
        answer = await client.request(method, url, params={"tenant_id": "acme"}, content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_lone_surrogates_and_nul_are_repaired(client: httpx.AsyncClient) -> None:
    """A payload with escapes that Postgres refuses is stored, and says so when it is flattened again, too."""
    await send(client, rb'{"id": "r1", "surveyId": "sv", "data": {"q": "a\u0000b\ud800"}}')
    form = {"id": "sv", "blocks": [{"elements": [{"id": "q", "type": "openText"}]}]}
    await client.put("/v1/sources/formbricks/forms/sv", params={"tenant_id": "acme"}, json=form)
    record = (await records(client))["q"]

    assert record["value_text"] == "a\ufffdb\ufffd"
    assert record["metadata"]["repaired"] == ["value_text"]  # type: ignore[index]


async def test_payload_beyond_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    """The limit of a source payload is its own, and larger than a record's."""
    large = json.dumps(body({"q": "x" * 1_000_000})).encode()
    too_large = b" " * (16 * 1024 * 1024 + 1)

    assert (await send(client, large))["created"] == 1
    answer = await client.post(RESPONSES, params={"tenant_id": "acme"}, content=too_large)
    assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


async def test_query_is_checked(client: httpx.AsyncClient) -> None:
    """Every fault of the query string in one answer; a form_id beside the payload's own gives way."""
    answer = await client.post(RESPONSES, params={"form_id": "x" * 256}, json=body())
    assert [fault["name"] for fault in answer.json()["invalid_params"]] == ["tenant_id", "form_id"]

    await send(client, body({"q": 1}), form_id="other")
    assert (await records(client))["q"]["source_id"] == "sv"


async def test_submission_of_another_source_is_left_alone(client: httpx.AsyncClient, connection: Database) -> None:
    """An id that two tools share does not let one overwrite the other."""
    await connection.execute(
        "insert into submissions (tenant_id, submission_id, source, status, snapshot_order, received_at)"
        " values ('acme', 'r1', 'typeform', 'completed', '', now())"
    )
    answer = await client.post(RESPONSES, params={"tenant_id": "acme"}, json=body({"q": 1}))

    assert answer.status_code == 422
    assert await records(client) == {}


async def test_record_posted_directly_is_taken_over(client: httpx.AsyncClient) -> None:
    """Formbricks' own importer and this one agree on ids: the record stays, its id too."""
    posted = {
        "source_type": "formbricks_survey",
        "field_id": "q",
        "field_type": "text",
        "tenant_id": "acme",
        "submission_id": "r1",
        "value_text": "old",
    }
    created = (await client.post("/v1/feedback-records", json=posted)).json()

    assert counts(await send(client, body({"q": "new"}))) == (0, 1, 0, 0, 0)
    assert (await records(client))["q"]["id"] == created["id"]
    assert (await records(client))["q"]["value_text"] == "new"


async def test_records_of_other_origin_stay(client: httpx.AsyncClient) -> None:
    """A snapshot deletes what its own source made, not what somebody added to the submission."""
    added = {
        "source_type": "support",
        "field_id": "note",
        "field_type": "text",
        "tenant_id": "acme",
        "submission_id": "r1",
        "value_text": "x",
    }
    await client.post("/v1/feedback-records", json=added)
    await send(client, body({"q": 1}))
    await send(client, body({}, updatedAt="2026-08-22T00:00:00Z"))

    assert (await records(client)).keys() == {"note"}


async def test_sources_say_what_they_understand(client: httpx.AsyncClient) -> None:
    """Each source with its shapes and its kinds of questions."""
    (found,) = (
        source for source in (await client.get("/v1/sources")).json()["data"] if source["source"] == "formbricks"
    )

    assert found["question_types"] == list(formbricks.READERS)
    assert len(found["question_types"]) == 17


async def test_forms_are_listed(client: httpx.AsyncClient) -> None:
    """Those with a definition, and those that wait for one."""
    await define(client)
    await send(client, body({"q": 1}))
    answer = await client.get("/v1/sources/formbricks/forms", params={"tenant_id": "acme"})
    found = [(form["form_id"], form.get("name"), form["fields"], form["defined"]) for form in answer.json()["data"]]

    assert found == [(SURVEY, "Q3 Customer Pulse", 20, True), ("sv", None, 0, False)]
    assert (await client.get("/v1/sources/formbricks/forms", params={"tenant_id": "other"})).json() == {"data": []}


async def test_definition_of_another_form_is_refused(client: httpx.AsyncClient) -> None:
    """A definition stored under the wrong id would relabel another survey's answers."""
    answer = await client.put("/v1/sources/formbricks/forms/other", params={"tenant_id": "acme"}, content=DEFINITION)

    assert answer.status_code == 400
    assert answer.json()["invalid_params"][0]["name"] == "form_id"


@pytest.mark.parametrize(("method", "path"), [("GET", "forms"), ("PUT", "forms/x"), ("POST", "responses")])
async def test_unknown_source_is_not_found(client: httpx.AsyncClient, method: str, path: str) -> None:
    """The answer names the sources there are."""
    answer = await client.request(method, f"/v1/sources/nonesuch/{path}", params={"tenant_id": "acme"}, json={})

    assert answer.status_code == 404
    assert "formbricks" in answer.json()["detail"]


async def test_bound_key_needs_no_tenant_and_reaches_no_other(client: httpx.AsyncClient, pool: Pool) -> None:
    """A key of one tenant leaves tenant_id out; another tenant's is forbidden on every route."""
    async with pool.acquire() as connection:
        token, _ = await keys.create(connection, name="k", scopes=["read", "write"], tenant_id="acme", expires_at=None)
    headers = {"Authorization": f"Bearer {token}"}
    taken = await client.post(RESPONSES, json=body({"q": 1}), headers=headers)
    defined = await client.put(FORM, content=DEFINITION, headers=headers)

    assert (taken.status_code, defined.status_code) == (200, 200)
    assert defined.json()["tenant_id"] == "acme"
    assert (await records(client, "acme")).keys() == {"q"}
    for method, url in (("POST", RESPONSES), ("PUT", FORM), ("GET", "/v1/sources/formbricks/forms")):
        answer = await client.request(method, url, params={"tenant_id": "other"}, content=DEFINITION, headers=headers)
        assert answer.status_code == 403


async def test_many_deliveries_at_once_end_with_the_newest(client: httpx.AsyncClient) -> None:
    """Snapshots that arrive together are taken one after the other, in any order, to the same end."""
    snapshots = [body({"q": n, f"only_{n}": n}, updatedAt=f"2026-08-20T09:{n:02}:00Z") for n in range(12)]
    await asyncio.gather(*(send(client, snapshot) for snapshot in snapshots), define(client))
    found = await records(client)

    assert {field_id: record["value_number"] for field_id, record in found.items()} == {"q": 11, "only_11": 11}
