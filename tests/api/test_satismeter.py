"""SatisMeter's payloads over HTTP: what its rules ask of the hub beyond the flattener."""

import json
from pathlib import Path

import httpx
import pytest

SAMPLES = Path(__file__).parent.parent / "sources" / "satismeter"
CAMPAIGN = "fd9d47b840218631887257a3"

Json = dict[str, object]


def sample(name: str) -> Json:
    found: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


async def send(client: httpx.AsyncClient, payload: object, **parameters: str) -> Json:
    answer = await client.post(
        "/v1/sources/satismeter/responses", params={"tenant_id": "acme", **parameters}, json=payload
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def records(client: httpx.AsyncClient) -> list[Json]:
    answer = await client.get("/v1/feedback-records", params={"tenant_id": "acme", "limit": "1000"})
    found: list[Json] = answer.json()["data"]
    return found


async def define(client: httpx.AsyncClient) -> Json:
    answer = await client.put(
        f"/v1/sources/satismeter/forms/{CAMPAIGN}",
        params={"tenant_id": "acme"},
        json=sample("26_v3_campaign_statistics_with_name_and_type"),
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_retry_of_an_insert_is_the_same_submission(client: httpx.AsyncClient) -> None:
    """Whatever day it is: nothing of the clock is in its id."""
    body = sample("01_insert_nps_in_app")

    assert (await send(client, body))["created"] == 3
    assert (await send(client, body))["unchanged"] == 3


async def test_forced_survey_is_a_new_submission_each_time(client: httpx.AsyncClient) -> None:
    """Unless the request names it; and a new catalog leaves each under the id it was given."""
    body = {**sample("01_insert_nps_in_app"), "forceSurvey": True}
    for _ in range(2):
        await send(client, body)
        await send(client, body, submission_id="mine")
    before = {(record["submission_id"], record["field_id"]) for record in await records(client)}
    defined = await define(client)

    assert len({submission_id for submission_id, _ in before}) == 3
    assert defined["reflattened"] == 3
    assert before == {(record["submission_id"], record["field_id"]) for record in await records(client)}


async def test_catalog_flattens_what_was_there_before(client: httpx.AsyncClient) -> None:
    """A bare 9 becomes the score it was once the campaign's questions are known."""
    await send(client, sample("01_insert_nps_in_app"))
    before = {record["field_type"] for record in await records(client)}
    await define(client)
    after = await records(client)

    assert before == {"rating", "text"}
    assert {record["field_type"] for record in after} == {"nps", "text", "categorical"}
    assert {record["source_name"] for record in after} == {"NPS Survey"}
    assert all("definition_missing" not in json.dumps(record) for record in after)


@pytest.mark.parametrize("backwards", [False, True])
async def test_delivery_without_campaign_completes_the_export(client: httpx.AsyncClient, backwards: bool) -> None:
    """An older webhook names no campaign: what an export said of it stays, and the catalog applies, in any order."""
    older = sample("12_webhook_legacy_shape_no_types")
    inner = older["response"]
    assert isinstance(inner, dict)
    export = {**{name: inner[name] for name in ("id", "created", "project", "answers", "user")}, "campaign": CAMPAIGN}
    await define(client)
    for payload in [older, {"data": [export]}] if backwards else [{"data": [export]}, older]:
        await send(client, payload)
    found = {str(record["field_label"]): record for record in await records(client)}
    choice = found["Select your favourite feature from the list"]

    assert (choice["field_type"], choice["source_id"]) == ("categorical", CAMPAIGN)
    assert len(found) == 4
    assert choice["metadata"]["category"] == "promoter"  # type: ignore[index]


async def test_deleted_user_leaves_no_trace(client: httpx.AsyncClient) -> None:
    """SatisMeter anonymises the responses of a deleted user; reading them again does so here, for good."""
    webhook = sample("10_webhook_completed_all_question_types")
    inner = webhook["response"]
    assert isinstance(inner, dict)
    await send(client, webhook, attributes="plan")
    gone = {**inner, "user": {"id": inner["user"]["id"], "userId": None, "deleted": True}}
    await send(client, {"data": [gone]})
    await send(client, webhook, attributes="plan")
    found = await records(client)

    assert len(found) == 8
    assert not any("user_id" in record or "attributes" in json.dumps(record) for record in found)


async def test_dismissal_is_kept_without_a_record(client: httpx.AsyncClient) -> None:
    """Response rates need it."""
    answer = await send(client, sample("21_export_v3_responses_last_page_deleted_user"))

    assert (answer["submissions"], answer["created"]) == (2, 1)


async def test_insert_without_a_person_is_refused(client: httpx.AsyncClient) -> None:
    """Two people who answer alike would become one; named by the request, each is its own."""
    body = {**sample("06_documented_insert_body"), "userId": None}
    refused = await client.post("/v1/sources/satismeter/responses", params={"tenant_id": "acme"}, json=body)
    named = await send(client, body, submission_id="mine")

    assert refused.status_code == 422
    assert refused.json()["invalid_params"] == [{"name": "[0]", "reason": "userId or anonymousId is required"}]
    assert named["created"] == 1
