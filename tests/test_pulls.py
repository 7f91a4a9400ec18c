"""Pulling from a vendor that is a local server, into a real database."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Raw

from hub import credentials, jobs, pulls
from hub.credentials import Credentials, Kept
from hub.db import Connection, connections, new_id, queue
from hub.db import pulls as stored_pulls
from hub.db.connections import ConnectionRow, NewConnection
from hub.pull.interface import RefusedError, UnavailableError, Vendor
from hub.pulls import Step, Tools
from hub.settings import Settings
from tests.vendors.formbricks import FormbricksServer
from tests.vendors.satismeter import PROJECT, WEBHOOK_ONLY, SatisMeterServer
from tests.vendors.server import Answer, Json, Server
from tests.vendors.typeform import TypeformServer

SOURCES = Path(__file__).parent / "sources"
EXAMPLES, TYPEFORM, SATISMETER = SOURCES / "formbricks", SOURCES / "typeform", SOURCES / "satismeter"
SURVEY = json.loads((EXAMPLES / "01_v1_survey_get_blocks_plus_derived_questions.json").read_text())["data"]
SURVEY_ID = SURVEY["id"]
ANSWERS = json.loads((EXAMPLES / "12_webhook_responseFinished_all_types.json").read_text())["data"]["data"]
RESPONSES = "/api/v2/management/responses"


@pytest.fixture
def vendor() -> Iterator[FormbricksServer]:
    with FormbricksServer() as server:
        server.add_survey(SURVEY)
        yield server


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, allow_private_addresses=True)


@pytest.fixture
async def row(tools: Tools, vendor: FormbricksServer) -> ConnectionRow:
    return await connected(tools, vendor)


async def connected(
    tools: Tools, vendor: Server, opened: Credentials | None = None, token: str = "t", **decided: Any
) -> ConnectionRow:
    opened = opened or credentials.Formbricks(api_key="fbk_test")
    row: dict[str, Any] = {
        "id": new_id(),
        "source": "formbricks",
        "tenant_id": "acme",
        "name": "Formbricks",
        "base_url": vendor.url,
        **msgspec.structs.asdict(tools.vault.columns(Kept(token=token, credentials=opened))),
        "forms": [],
        "options": Raw(b"{}"),
        "status": "active",
        "pull_minutes": None,
    }
    return await connections.insert(tools.pool, NewConnection(**(row | decided)))


async def pulled(tools: Tools, row: ConnectionRow, since: datetime | None = None) -> list[Step]:
    async with pulls.vendor_of(tools, row) as api:
        return [step async for step in steps(tools, row, api, since)]


async def steps(tools: Tools, row: ConnectionRow, api: Vendor, since: datetime | None = None) -> AsyncIterator[Step]:
    for form in await pulls.chosen(row, api):
        async for step in pulls.pull(tools, row, api, form, since):
            yield step


async def stored(connection: Connection, tenant_id: str = "acme") -> list[Json]:
    """What was made of the answers, without what says when and where it is stored."""
    rows = await connection.fetch(
        "select to_jsonb(r) - array['id', 'created_at', 'updated_at', 'tenant_id'] as record"
        " from feedback_records as r where tenant_id = $1 order by submission_id, field_id",
        tenant_id,
    )
    return [json.loads(found["record"]) for found in rows]


async def submissions_of(connection: Connection) -> list[str]:
    return [found[0] for found in await connection.fetch("select submission_id from submissions order by 1")]


async def test_a_history_comes_with_its_form(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection, client: httpx.AsyncClient
) -> None:
    """The records are those that sending definition and responses makes."""
    vendor.respond(SURVEY_ID, "r1", data=ANSWERS, finished=True, contact={"id": "c1", "userId": "usr_1"})
    vendor.users["c1"] = "usr_1"
    vendor.respond(SURVEY_ID, "r2", data={"nps_main": 3})
    (_, last) = await pulled(tools, row)
    assert (last.fetched, last.removed) == (2, 0)

    put = await client.put(f"/v1/sources/formbricks/forms/{SURVEY_ID}?tenant_id=globex", json=SURVEY)
    assert put.status_code == 200
    sent = await client.post(
        "/v1/sources/formbricks/responses?tenant_id=globex", json={"data": [*vendor.responses.values()]}
    )
    assert sent.status_code == 200
    assert await stored(connection) == await stored(connection, "globex")
    found = await connections.get(tools.pool, row.id)
    assert found is not None
    assert (found.received, found.stored, found.failed, found.last_error) == (1, 2, 0, None)
    assert found.last_success_at is not None


async def test_a_history_of_typeform_comes(tools: Tools, connection: Connection, client: httpx.AsyncClient) -> None:
    """Visits without an answer among it, as submissions."""
    form = json.loads((TYPEFORM / "20_form_definition.json").read_text())
    (item,) = json.loads((TYPEFORM / "32_api_page_same_as_10.json").read_text())["items"]
    with TypeformServer() as server:
        server.add_form(form)
        server.respond(form["id"], "t1", answers=item["answers"], hidden={"user_id": "u1"})
        server.respond(form["id"], "t2", kind="partial", answers=item["answers"][:2])
        server.respond(form["id"], "t3", kind="started")
        opened = credentials.Typeform(access_token=server.token)
        row = await connected(tools, server, source="typeform", opened=opened)
        assert (await pulled(tools, row))[-1].fetched == 3
        items = [*server.responses[form["id"]].values()]
    assert (await client.put(f"/v1/sources/typeform/forms/{form['id']}?tenant_id=globex", json=form)).status_code == 200
    url = f"/v1/sources/typeform/responses?tenant_id=globex&form_id={form['id']}"
    assert (await client.post(url, json={"items": items})).status_code == 200
    assert await stored(connection) == await stored(connection, "globex") != []
    found = await connection.fetch("select status from submissions where tenant_id = 'acme' order by submission_id")
    assert [one[0] for one in found] == ["completed", "partial", "started"]


async def test_a_history_of_satismeter_comes(tools: Tools, connection: Connection, client: httpx.AsyncClient) -> None:
    """Counts in the catalog change with every answer; that alone is no reason to flatten all others again."""
    campaign = json.loads((SATISMETER / "23_v3_campaigns.json").read_text())["data"][0]
    catalog = json.loads((SATISMETER / "24_v3_campaign_statistics_question_catalog.json").read_text())
    exported = json.loads((SATISMETER / "20_export_v3_responses_page1.json").read_text())["data"]
    with SatisMeterServer() as server:
        server.add_campaign(campaign, catalog)
        for number, response in enumerate(exported):
            server.respond(campaign["id"], f"r{number}", answers=response["answers"])
        opened = credentials.SatisMeter(api_key=server.api_key, project_id=PROJECT)
        row = await connected(tools, server, source="satismeter", opened=opened)
        assert (await pulled(tools, row))[-1].fetched == len(exported)
        shown = [
            {name: value for name, value in response.items() if name not in WEBHOOK_ONLY}
            for response in server.responses.values()
        ]
        await connection.execute("delete from pgqueuer")
        for question in server.statistics[campaign["id"]]["questions"]:
            question["responsesCount"] = 1 + int(question.get("responsesCount", 0))
        await pulled(tools, row)
        assert await connection.fetchval("select count(*) from pgqueuer") == 0
    put = await client.put(
        f"/v1/sources/satismeter/forms/{campaign['id']}?tenant_id=globex",
        json={"data": catalog["data"], "name": campaign["name"], "type": campaign["type"]},
    )
    assert put.status_code == 200
    assert (
        await client.post("/v1/sources/satismeter/responses?tenant_id=globex", json={"data": shown})
    ).status_code == 200
    assert await stored(connection) == await stored(connection, "globex") != []


async def test_the_next_pull_asks_for_what_is_new(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """Since the one before began, less an hour: an edit is among it."""
    vendor.time = datetime.now(UTC) - timedelta(days=2)
    for number in range(3):
        vendor.respond(SURVEY_ID, f"r{number}", data={"nps_main": number}, finished=True)
    await pulled(tools, row)
    vendor.time = datetime.now(UTC)
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 10})
    vendor.requests.clear()
    steps = await pulled(tools, row)
    asked = datetime.fromisoformat(vendor.asked(RESPONSES)[0].query["startDate"])
    assert timedelta(hours=1) <= datetime.now(UTC) - asked < timedelta(hours=1, minutes=5)
    assert steps[-1].fetched == 1
    values = await connection.fetch("select value_number from feedback_records order by submission_id")
    assert [found[0] for found in values] == [0, 10, 2]


async def test_a_pull_may_reach_back_further(tools: Tools, row: ConnectionRow, vendor: FormbricksServer) -> None:
    """That is no reason to believe that what lies before is here."""
    vendor.time = datetime.now(UTC) - timedelta(days=9)
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    vendor.time = datetime.now(UTC) - timedelta(days=1)
    vendor.respond(SURVEY_ID, "r2", data={"nps_main": 2})
    assert (await pulled(tools, row, datetime.now(UTC) - timedelta(days=3)))[-1].fetched == 1
    assert (await pulled(tools, row))[-1].fetched == 2
    assert (await pulled(tools, row))[-1].fetched == 0
    assert (await pulled(tools, row, datetime.now(UTC) - timedelta(days=3)))[-1].fetched == 1


async def test_a_pull_that_was_broken_off_goes_on_after_the_last_page(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """A page that was stored is not asked for again."""
    vendor.largest_page = 10
    for number in range(35):
        vendor.respond(SURVEY_ID, f"r{number:02}", data={"nps_main": number % 11})
    async with pulls.vendor_of(tools, row) as api:
        walk = steps(tools, row, api)
        assert [(await anext(walk)).fetched for _ in range(2)][-1] == 19
        await walk.aclose()  # type: ignore[attr-defined] # it is a generator
    before = await submissions_of(connection)
    vendor.requests.clear()
    done = await pulled(tools, row)
    assert done[-1].fetched == 35
    assert await submissions_of(connection) == sorted(vendor.responses)
    first = vendor.asked(RESPONSES)[0].query["startDate"]
    assert datetime.fromisoformat(first) == datetime.fromisoformat(vendor.responses[before[-1]]["createdAt"])


async def test_a_refusal_leaves_what_was_stored(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """Nothing is lost, nothing is twice."""
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    await pulled(tools, row)
    vendor.time = datetime.now(UTC)
    vendor.respond(SURVEY_ID, "r2", data={"nps_main": 2})
    vendor.api_key = "another"
    with pytest.raises(RefusedError):
        await pulled(tools, row)
    vendor.api_key = "fbk_test"
    await pulled(tools, row)
    assert await submissions_of(connection) == ["r1", "r2"]


async def test_what_the_vendor_has_deleted_is_removed(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection, client: httpx.AsyncClient
) -> None:
    """Not what was posted here under an id of its own, which the vendor never had; and what is there again comes again."""
    for name in ("r1", "r2"):
        vendor.respond(SURVEY_ID, name, data={"nps_main": 1})
    here = {"surveyId": SURVEY_ID, "data": {"nps_main": 5}, "finished": True}
    url = "/v1/sources/formbricks/responses?tenant_id=acme&submission_id=posted"
    assert (await client.post(url, json=here)).status_code == 200
    await pulled(tools, row)
    gone = vendor.responses["r1"]
    vendor.delete("r1")
    await connection.execute("update pulls set compared_at = now() - interval '25 hours'")
    assert (await pulled(tools, row))[-1].removed == 1
    assert await submissions_of(connection) == ["posted", "r2"]
    assert await connection.fetchval("select count(*) from feedback_records where submission_id = 'r1'") == 0

    vendor.responses["r1"] = gone | {"updatedAt": vendor.tick()}
    await pulled(tools, row, datetime(2026, 1, 1, tzinfo=UTC))
    assert await submissions_of(connection) == ["posted", "r1", "r2"]


async def test_looking_for_deletions_is_for_once_a_day(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """It goes through all there is."""
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    await pulled(tools, row)
    vendor.delete("r1")
    assert (await pulled(tools, row))[-1].removed == 0
    assert await submissions_of(connection) == ["r1"]


async def test_a_definition_that_changed_is_a_reason_to_flatten_again(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """One that did not is none."""
    jobs = "select convert_from(payload, 'utf8') from pgqueuer where entrypoint = 'flatten'"
    job = msgspec.json.encode(queue.Flatten(tenant_id="acme", source="formbricks", form_id=SURVEY_ID)).decode()
    await pulled(tools, row)
    assert [found[0] for found in await connection.fetch(jobs)] == [job]
    await connection.execute("delete from pgqueuer")
    await pulled(tools, row)
    assert await connection.fetch(jobs) == []
    vendor.surveys[SURVEY_ID]["name"] = "Q4 Customer Pulse"
    await pulled(tools, row)
    assert [found[0] for found in await connection.fetch(jobs)] == [job]


async def test_only_the_chosen_surveys_are_pulled(
    tools: Tools, vendor: FormbricksServer, connection: Connection
) -> None:
    """The others are not even asked for."""
    other = vendor.add_survey(SURVEY | {"id": "other"})
    for survey in (SURVEY_ID, other):
        vendor.respond(survey, f"of {survey}", data={"nps_main": 1})
    row = await connected(tools, vendor, forms=[SURVEY_ID])
    await pulled(tools, row)
    assert await submissions_of(connection) == [f"of {SURVEY_ID}"]
    assert {request.query["surveyId"] for request in vendor.asked(RESPONSES)} == {SURVEY_ID}


async def test_options_of_the_connection_hold(tools: Tools, vendor: FormbricksServer, connection: Connection) -> None:
    """Here, that only completed responses count."""
    row = await connected(tools, vendor, options=Raw(b'{"completed_only":true}'))
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    vendor.respond(SURVEY_ID, "r2", data={"nps_main": 2}, finished=True)
    await pulled(tools, row)
    assert await submissions_of(connection) == ["r1", "r2"]
    found = await connection.fetch("select distinct submission_id from feedback_records")
    assert [one[0] for one in found] == ["r2"]


async def test_a_response_that_cannot_be_read_costs_no_other(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """It waits among the rejects, once, though every pull may bring it again."""
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    vendor.respond(SURVEY_ID, "r2", data="not an object")
    for _ in range(2):
        await pulled(tools, row, datetime(2026, 1, 1, tzinfo=UTC))
    (reject,) = await connection.fetch("select * from rejects")
    assert (reject["tenant_id"], reject["connection_id"], reject["batch_id"]) == ("acme", row.id, None)
    assert json.loads(reject["raw"])["id"] == "r2"
    assert json.loads(reject["problem"])["detail"] == "data must be an object"
    assert await submissions_of(connection) == ["r1"]
    found = await connections.get(tools.pool, row.id)
    assert found is not None
    assert (found.failed, found.last_error) == (
        1,
        "A response is kept, because it could not be stored: data must be an object",
    )


async def test_a_response_that_nobody_thought_of_costs_no_other(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """The next pull would meet it again, and never come further. Here the table refuses it."""
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    vendor.respond(SURVEY_ID, "r2", data={"nps_main": 2})
    await connection.execute("alter table feedback_records add constraint odd check (submission_id <> 'r1')")
    try:
        *_, last = await pulled(tools, row)
    finally:
        await connection.execute("alter table feedback_records drop constraint odd")
    assert (last.fetched, last.kept) == (2, 1)
    assert await submissions_of(connection) == ["r2"]
    (reject,) = await connection.fetch("select * from rejects")
    assert json.loads(reject["problem"])["detail"] == "An unexpected error occurred"


async def test_what_was_pulled_and_kept_is_tried_again_with_its_form(
    tools: Tools, connection: Connection, client: httpx.AsyncClient
) -> None:
    """An item of a page of Typeform does not name the form that the page was asked for by."""
    form = json.loads((TYPEFORM / "20_form_definition.json").read_text())
    (item,) = json.loads((TYPEFORM / "32_api_page_same_as_10.json").read_text())["items"]
    name = f"{form['id']}:t1"
    other = {"id": name, "surveyId": SURVEY_ID, "data": {"nps_main": 9}, "createdAt": "2026-01-01T00:00:00Z"}
    await client.post("/v1/sources/formbricks/responses?tenant_id=acme", json=other)
    with TypeformServer() as server:
        server.add_form(form)
        server.respond(form["id"], "t1", answers=item["answers"])
        opened = credentials.Typeform(access_token=server.token)
        await pulled(tools, await connected(tools, server, source="typeform", opened=opened))
    (reject,) = (await client.get("/v1/rejects?tenant_id=acme")).json()["data"]
    assert (reject["form_id"], reject["problem"]["detail"]) == (form["id"], "A submission of formbricks has this id")
    await connection.execute("delete from submissions")
    answer = await client.post(f"/v1/rejects/{reject['id']}/retry")
    assert (answer.status_code, answer.json()["submissions"]) == (200, 1), answer.text
    assert (await client.get("/v1/rejects?tenant_id=acme")).json()["data"] == []
    assert await submissions_of(connection) == [name]


async def test_one_pull_of_a_connection_at_a_time(tools: Tools, row: ConnectionRow) -> None:
    """They would overtake each other's checkpoints."""
    async with stored_pulls.alone(tools.pool, row.id) as first, stored_pulls.alone(tools.pool, row.id) as second:
        assert (first, second) == (True, False)
    async with stored_pulls.alone(tools.pool, row.id) as third:
        assert third


JOB = "select execute_after - created as after from pgqueuer where entrypoint = 'pull'"


async def test_what_is_to_be_pulled_is_queued_once(
    tools: Tools, vendor: FormbricksServer, connection: Connection
) -> None:
    """However often it is looked for. A paused connection is not pulled, nor one without a schedule."""
    row = await connected(tools, vendor, pull_minutes=15)
    await jobs.pull(tools, queue.Pull(connection_id=row.id))
    await connection.execute("delete from pgqueuer")
    await connected(tools, vendor, token="u")
    await connected(tools, vendor, token="v", pull_minutes=15, status="paused")
    for _ in range(3):
        await jobs.due(tools)
    assert [row["after"] for row in await connection.fetch(JOB)] == [timedelta(minutes=15)]


async def test_the_place_of_a_connection_that_was_deleted_is_forgotten(
    tools: Tools, row: ConnectionRow, connection: Connection
) -> None:
    """Nobody will go on there."""
    await pulled(tools, row)
    await connection.execute("update pulls set through = now() - interval '2 hours'")
    await jobs.due(tools)
    assert await connection.fetchval("select count(*) from pulls") == 1
    await connections.delete(tools.pool, row.id, None)
    await jobs.due(tools)
    assert await connection.fetchval("select count(*) from pulls") == 0


async def test_a_shorter_interval_counts_at_once(
    tools: Tools, vendor: FormbricksServer, connection: Connection
) -> None:
    """The pull that waits is brought forward."""
    row = await connected(tools, vendor, pull_minutes=60)
    await jobs.pull(tools, queue.Pull(connection_id=row.id))
    await connection.execute("delete from pgqueuer")
    await jobs.due(tools)
    await connections.change(tools.pool, row.id, None, lambda row: msgspec.structs.replace(row, pull_minutes=5))
    await jobs.due(tools)
    found = await connection.fetch("select execute_after < now() + interval '6 minutes' from pgqueuer")
    assert [row[0] for row in found] == [True]


async def test_a_new_connection_is_pulled_at_once(
    tools: Tools, vendor: FormbricksServer, connection: Connection
) -> None:
    """Nobody waits an hour for its history."""
    await connected(tools, vendor, pull_minutes=60)
    await jobs.due(tools)
    assert [row["after"] for row in await connection.fetch(JOB)] == [timedelta()]


async def test_a_job_pulls_its_connection(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """Unless it was paused or deleted meanwhile."""
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    job = queue.Pull(connection_id=row.id)
    await connections.change(tools.pool, row.id, None, lambda row: msgspec.structs.replace(row, status="paused"))
    await jobs.pull(tools, job)
    await jobs.pull(tools, queue.Pull(connection_id=new_id()))
    assert vendor.requests == []
    await connections.change(tools.pool, row.id, None, lambda row: msgspec.structs.replace(row, status="active"))
    await jobs.pull(tools, job)
    assert await submissions_of(connection) == ["r1"]


async def test_a_refusal_stands_with_the_connection_in_our_own_words(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer
) -> None:
    """The vendor's may quote. It would refuse again, so the job is done; what is busy is asked again later."""
    vendor.misbehave(Answer(403, {"code": "forbidden", "message": "ann@example.com may not", "details": {}}))
    await jobs.pull(tools, queue.Pull(connection_id=row.id))
    found = await connections.get(tools.pool, row.id)
    assert found is not None
    assert found.last_error == "The vendor refuses what it is asked for (status 403)"
    vendor.misbehave(Answer(429, {}, {"retry-after": "1000"}))
    with pytest.raises(UnavailableError):
        await jobs.pull(tools, queue.Pull(connection_id=row.id))
    found = await connections.get(tools.pool, row.id)
    assert found is not None
    assert found.last_error == "The vendor cannot be reached, or is busy"


async def test_a_form_that_is_refused_costs_no_other(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, connection: Connection
) -> None:
    """The refusal stands with the connection."""
    other = vendor.add_survey(SURVEY | {"id": "other"})
    for survey in (SURVEY_ID, other):
        vendor.respond(survey, f"of {survey}", data={"nps_main": 1})
    async with pulls.vendor_of(tools, row) as api:
        first, second = await pulls.chosen(row, api)
    vendor.refused.add(first.id)
    await jobs.pull(tools, queue.Pull(connection_id=row.id))
    assert await submissions_of(connection) == [f"of {second.id}"]
    found = await connections.get(tools.pool, row.id)
    assert found is not None
    assert found.last_error == "The vendor refuses what it is asked for (status 401)"


async def test_a_form_is_fetched_by_itself(
    tools: Tools, row: ConnectionRow, vendor: FormbricksServer, client: httpx.AsyncClient, connection: Connection
) -> None:
    """And its answers are then flattened with it. A form that the vendor does not have changes nothing."""
    vendor.respond(SURVEY_ID, "r1", data={"nps_main": 1})
    sent = await client.post("/v1/sources/formbricks/responses?tenant_id=acme", json=vendor.responses["r1"])
    assert sent.status_code == 200
    assert await connection.fetchval("select field_type from feedback_records") == "number"
    await jobs.fetch_form(tools, queue.FetchForm(connection_id=row.id, form_id="nonesuch"))
    await jobs.fetch_form(tools, queue.FetchForm(connection_id=row.id, form_id=SURVEY_ID))
    await jobs.flatten(tools, queue.Flatten(tenant_id="acme", source="formbricks", form_id=SURVEY_ID))
    assert await connection.fetchval("select field_type from feedback_records") == "nps"
