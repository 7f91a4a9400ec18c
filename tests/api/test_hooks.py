"""What survey tools deliver is stored if it is theirs, kept if it cannot be read, and answered at once either way."""

import asyncio
import base64
import hmac
import json
import re
import time
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from hub import jobs
from hub.api.hooks import MAX_BODY_BYTES
from hub.db import Pool, deliveries, queue, rejects
from hub.pulls import Tools
from tests.conftest import API_KEY

SOURCES = Path(__file__).parent.parent / "sources"
FORMBRICKS = (SOURCES / "formbricks/12_webhook_responseFinished_all_types.json").read_bytes()
PARTIAL = (SOURCES / "formbricks/11_webhook_responseUpdated_partial.json").read_bytes()
SURVEY = (SOURCES / "formbricks/01_v1_survey_get_blocks_plus_derived_questions.json").read_bytes()
SURVEY_ID = "cmmcwoxiy1v71rukv7hr6wv00"
TYPEFORM = (SOURCES / "typeform/10_webhook_form_response.json").read_bytes()
TYPEFORM_AGAIN = (SOURCES / "typeform/11_webhook_redelivery_same_token.json").read_bytes()
TYPEFORM_PARTIAL = (SOURCES / "typeform/31_webhook_partial.json").read_bytes()
SATISMETER = (SOURCES / "satismeter/10_webhook_completed_all_question_types.json").read_bytes()
PING = b'{"event":"testEndpoint"}'
WHSEC = "whsec_O0b9kAWuXa9X8lMw3oStsMdLt/TdxhtGu5h7P1FHtV4="
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, Any]


class Hook:
    """A connection, and its vendor's side of it."""

    def __init__(self, client: httpx.AsyncClient, connection: Json) -> None:
        self.client = client
        self.id = connection["id"]
        self.source = connection["source"]
        self.path = connection["hook_url"].removeprefix("http://127.0.0.1:8080")
        self.secret = connection.get("webhook_secret", WHSEC)

    @property
    def token(self) -> str:
        return str(self.path.rpartition("/")[2])

    def signed(self, body: bytes, webhook_id: str | None = None, at: float | None = None) -> dict[str, str]:
        """The headers of the vendor."""
        if self.source == "formbricks":
            name, moment = webhook_id or uuid4().hex, str(int(time.time() if at is None else at))
            key = base64.b64decode(self.secret.removeprefix("whsec_"))
            mac = hmac.digest(key, f"{name}.{moment}.".encode() + body, "sha256")
            signature = f"v1,{base64.b64encode(mac).decode()}"
            return {"webhook-id": name, "webhook-timestamp": moment, "webhook-signature": signature}
        if self.source == "typeform":
            mac = hmac.digest(self.secret.encode(), body, "sha256")
            return {"typeform-signature": f"sha256={base64.b64encode(mac).decode()}"}
        return {}

    async def send(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """What the hub answers a delivery. No bearer key goes along."""
        headers = self.signed(body) if headers is None else headers
        headers = {"authorization": "", "content-type": "application/json", **headers}
        return await self.client.post(self.path, content=body, headers=headers)

    async def deliver(self, body: bytes, webhook_id: str | None = None) -> str:
        """What became of a delivery that is signed as it should be."""
        answer = await self.send(body, self.signed(body, webhook_id))
        assert answer.status_code == 200, answer.text
        outcome: str = answer.json()["outcome"]
        return outcome

    async def state(self) -> Json:
        answer = await self.client.get(f"/v1/connections/{self.id}")
        state: Json = answer.json()
        return state

    async def counts(self) -> tuple[int, ...]:
        state = await self.state()
        return tuple(state[name] for name in ("received", "stored", "failed", "duplicates"))


async def connect(client: httpx.AsyncClient, source: str = "formbricks", **members: object) -> Hook:
    given: Json = {"source": source, "tenant_id": "acme", "name": source, "credentials": {}}
    if source == "formbricks":
        given["credentials"] = {"webhook_secrets": [WHSEC]}
    answer = await client.post("/v1/connections", json=given | members)
    assert answer.status_code == 201, answer.text
    return Hook(client, answer.json())


async def records(client: httpx.AsyncClient, tenant_id: str = "acme") -> dict[str, Json]:
    answer = await client.get("/v1/feedback-records", params={"tenant_id": tenant_id, "limit": 1000})
    return {record["field_id"]: record for record in answer.json()["data"]}


async def kept(client: httpx.AsyncClient, **query: str) -> list[Json]:
    answer = await client.get("/v1/rejects", params=query)
    found: list[Json] = answer.json()["data"]
    return found


async def rows(database: Database) -> dict[str, int]:
    """What is stored anywhere."""
    tables = ("feedback_records", "submissions", "rejects", "deliveries", "forms", "pgqueuer")
    return {table: await database.fetchval(f"select count(*) from {table}") for table in tables}


async def queued(database: Database) -> list[Json]:
    """The forms that are to be fetched."""
    found = await database.fetch("select payload from pgqueuer where entrypoint = 'fetchform' order by id")
    return [json.loads(row["payload"]) for row in found]


@pytest.mark.parametrize(
    ("source", "body", "fields"),
    [("formbricks", FORMBRICKS, 34), ("typeform", TYPEFORM, 12), ("satismeter", SATISMETER, 8)],
)
async def test_a_signed_delivery_is_stored(client: httpx.AsyncClient, source: str, body: bytes, fields: int) -> None:
    """Under the tenant of the connection, which is told how it went."""
    hook = await connect(client, source)

    assert await hook.deliver(body) == "stored"
    assert len(await records(client)) == fields
    state = await hook.state()
    assert await hook.counts() == (1, 1, 0, 0)
    assert state["last_success_at"]
    assert "last_error" not in state


@pytest.mark.parametrize(("source", "body"), [("formbricks", FORMBRICKS), ("typeform", TYPEFORM)])
async def test_what_is_not_signed_as_it_should_be_is_stored_nowhere(
    client: httpx.AsyncClient, connection: Database, source: str, body: bytes
) -> None:
    """Missing, wrong, of another body, of another secret, too old: 401, and the connection tells why."""
    hook = await connect(client, source)
    other = await connect(client, source, credentials={"webhook_secrets": ["whsec_b3RoZXI="]})
    other.secret = "whsec_b3RoZXI="
    before = await rows(connection)
    signed = hook.signed(body)
    wrong = [{}, hook.signed(body + b" "), other.signed(body)]
    wrong += [{**signed, name: f"{value}1"} for name, value in signed.items()]
    wrong += [{other: value for other, value in signed.items() if other != name} for name in signed]
    if source == "formbricks":
        wrong += [hook.signed(body, at=time.time() - 301), hook.signed(body, at=time.time() + 330)]

    for headers in wrong:
        answer = await hook.send(body, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), headers
    assert await rows(connection) == before
    state = await hook.state()
    assert re.search("sign", state["last_error"])
    assert (state["received"], state.get("last_success_at")) == (0, None)
    assert await hook.deliver(body) == "stored"


async def test_an_address_that_is_not_known_answers_as_a_wrong_key_does(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """Never 404 or 410, for which vendors disable a webhook at once; and nothing tells which part was wrong."""
    hook, other = await connect(client), await connect(client)
    before = await rows(connection)
    paths = [
        f"/hooks/{uuid4()}/{hook.token}", f"/hooks/{hook.id}/{other.token}", f"/hooks/{hook.id}/x", f"/hooks/x/{hook.token}",
        f"/hooks/{hook.id}", f"/hooks/{hook.id}/", f"{hook.path}/", f"{hook.path}/x", f"/hooks/{hook.id}/%00", "/hooks/",
    ]  # fmt: skip

    answers = [await client.post(path, content=FORMBRICKS, headers=hook.signed(FORMBRICKS)) for path in paths]
    assert {answer.status_code for answer in answers} == {401}
    assert len({re.sub('"request_id":"[^"]*"', "", answer.text) for answer in answers}) == 1
    assert await rows(connection) == before


async def test_the_address_is_in_no_answer_and_no_log(client: httpx.AsyncClient) -> None:
    """Vendors show what they were answered to many people, and so do those who read logs."""
    hook = await connect(client)
    with capture_logs() as logs:
        answers = [await hook.send(FORMBRICKS, headers) for headers in ({}, hook.signed(FORMBRICKS))]
        answers += [await hook.send(b"{", hook.signed(b"{")), await client.get(hook.path)]
        answers.append(await client.post(f"{hook.path}/", content=b""))

    assert [answer.status_code for answer in answers] == [401, 200, 200, 405, 401]
    for text in [*(answer.text for answer in answers), str(logs), *map(str, await kept(client))]:
        assert hook.token not in text
        assert WHSEC not in text
    for answer in answers:
        assert "acme" not in answer.text
        assert "acme" not in str(answer.headers)


@pytest.mark.parametrize("status", ["paused", "revoked"])
async def test_a_paused_connection_stores_and_a_revoked_one_does_not(client: httpx.AsyncClient, status: str) -> None:
    hook = await connect(client)
    await client.patch(f"/v1/connections/{hook.id}", json={"status": status})

    answer = await hook.send(FORMBRICKS)
    assert answer.status_code == (200 if status == "paused" else 401)
    assert bool(await records(client)) == (status == "paused")


async def test_a_new_address_ends_the_old_one(client: httpx.AsyncClient) -> None:
    hook = await connect(client)
    renewed = (await client.post(f"/v1/connections/{hook.id}/hook")).json()["hook_url"]

    assert (await hook.send(FORMBRICKS)).status_code == 401
    hook.path = renewed.removeprefix("http://127.0.0.1:8080")
    assert await hook.deliver(FORMBRICKS) == "stored"


async def test_a_delivery_that_comes_again_counts_once(client: httpx.AsyncClient, connection: Database) -> None:
    """Formbricks sends to everybody again when one receiver fails; the id is the same then, the signature is not."""
    hook = await connect(client)
    assert [await hook.deliver(FORMBRICKS, "w1") for _ in range(3)] == ["stored", "known", "known"]
    before = await rows(connection)

    assert await hook.counts() == (3, 1, 0, 2)
    assert await hook.deliver(FORMBRICKS, "w2") == "stored"
    assert await rows(connection) == before | {"deliveries": before["deliveries"] + 1}


async def test_two_of_one_delivery_at_the_same_moment_count_once(client: httpx.AsyncClient) -> None:
    hook = await connect(client)
    await asyncio.gather(*(hook.deliver(FORMBRICKS, "w1") for _ in range(4)))

    received, stored, failed, duplicates = await hook.counts()
    assert (received, stored, failed, duplicates) == (4, 1, 0, 3)


async def test_an_id_is_one_connections_own(client: httpx.AsyncClient) -> None:
    """What one tenant was delivered says nothing about another."""
    ours, theirs = await connect(client), await connect(client, tenant_id="other")

    assert await ours.deliver(FORMBRICKS, "w1") == "stored"
    assert await theirs.deliver(FORMBRICKS, "w1") == "stored"
    assert set(await records(client)) == set(await records(client, "other"))
    assert (await ours.send(FORMBRICKS, theirs.signed(FORMBRICKS, "w1"))).json() == {"outcome": "known"}


async def test_typeform_sends_the_same_response_under_another_id(client: httpx.AsyncClient) -> None:
    """Its token is the same. What it says may grow until it is complete, and every step counts."""
    hook = await connect(client, "typeform")

    assert await hook.deliver(TYPEFORM_PARTIAL) == "stored"
    assert await hook.deliver(TYPEFORM) == "stored"
    complete = await records(client)
    assert await hook.deliver(TYPEFORM_AGAIN) == "known"
    assert await hook.deliver(TYPEFORM_PARTIAL) == "known"
    assert await records(client) == complete


async def test_late_and_early_deliveries_end_the_same(client: httpx.AsyncClient) -> None:
    """An older snapshot that comes after a newer one changes nothing."""
    late, early = await connect(client), await connect(client, tenant_id="other")
    for body in (FORMBRICKS, PARTIAL):
        await late.deliver(body)
    for body in (PARTIAL, FORMBRICKS):
        await early.deliver(body)

    def told(found: dict[str, Json]) -> dict[str, object]:
        return {
            name: {**record, **dict.fromkeys(("id", "tenant_id", "created_at", "updated_at"))}
            for name, record in found.items()
        }

    assert told(await records(client)) == told(await records(client, "other"))


async def test_pings_are_answered(client: httpx.AsyncClient, connection: Database) -> None:
    """Formbricks tries an address before it tells the secret of the webhook: then, and only then, nothing has to be signed."""
    before = await rows(connection)
    new, known = await connect(client, credentials={}), await connect(client)

    assert (await new.send(PING, {})).json() == {"outcome": "nothing"}
    assert (await new.send(b'{\n "event": "testEndpoint"\n}', {})).json() == {"outcome": "nothing"}
    assert (await new.send(FORMBRICKS, {})).status_code == 401
    assert (await new.send(PING[:-1] + b', "data": {}}', {})).status_code == 401
    assert (await known.send(PING, {})).status_code == 401
    assert await known.deliver(PING) == "nothing"
    assert await rows(connection) == before | {"deliveries": 1}


async def test_old_webhooks_are_taken_unsigned_if_that_is_wanted(client: httpx.AsyncClient) -> None:
    """A wrong signature is wrong all the same."""
    hook = await connect(client, credentials={"accept_unsigned": True})

    assert (await hook.send(FORMBRICKS, {})).json() == {"outcome": "stored"}
    assert (await hook.send(FORMBRICKS, {})).json() == {"outcome": "known"}
    assert (await hook.send(PARTIAL)).status_code == 401


async def test_any_of_several_secrets_will_do(client: httpx.AsyncClient) -> None:
    """A connection may have a webhook in each of several workspaces."""
    hook = await connect(client, credentials={"webhook_secrets": ["whsec_b3RoZXI=", WHSEC]})

    assert await hook.deliver(FORMBRICKS) == "stored"


async def test_only_the_chosen_surveys_are_stored(client: httpx.AsyncClient) -> None:
    hook = await connect(client, forms=["another"])
    assert await hook.deliver(FORMBRICKS, "w1") == "unwanted"
    assert await records(client) == {}
    assert await hook.counts() == (1, 0, 0, 0)

    await client.patch(f"/v1/connections/{hook.id}", json={"forms": ["another", SURVEY_ID]})
    assert await hook.deliver(FORMBRICKS, "w1") == "stored"


async def test_the_options_of_the_connection_hold(client: httpx.AsyncClient) -> None:
    hook = await connect(client, options={"attributes": ["plan"]})
    await hook.deliver(FORMBRICKS)

    assert {str(record["metadata"].get("attributes")) for record in (await records(client)).values()} == {
        "{'plan': 'pro'}"
    }


async def test_a_form_that_is_not_known_is_fetched_later(client: httpx.AsyncClient, connection: Database) -> None:
    """Once, however many of its answers come; and again when it was changed since."""
    hook = await connect(client)
    for number in range(3):
        await hook.deliver(FORMBRICKS.replace(b"cmwujsswh21iwzgdxtp15u3m2", f"r{number}".encode()))
    wanted = {"connection_id": hook.id, "form_id": SURVEY_ID}
    assert await queued(connection) == [wanted]

    await connection.execute("delete from pgqueuer")
    put = f"/v1/sources/formbricks/forms/{SURVEY_ID}?tenant_id=acme"
    survey = json.loads(SURVEY)
    survey["data"]["updatedAt"] = json.loads(FORMBRICKS)["data"]["survey"]["updatedAt"]
    assert (await client.put(put, json=survey)).status_code == 200
    assert await hook.deliver(FORMBRICKS) == "stored"
    assert await queued(connection) == []
    changed = json.loads(FORMBRICKS)
    changed["data"]["survey"]["updatedAt"] = "2026-11-01T00:00:00.000Z"
    assert await hook.deliver(json.dumps(changed).encode()) == "stored"
    assert await queued(connection) == [wanted]


async def test_a_form_is_fetched_again_when_a_question_is_not_in_it(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """Not every tool says when a form was changed."""
    hook = await connect(client, "typeform")
    form = json.loads((SOURCES / "typeform/20_form_definition.json").read_text())
    shorter = form | {"fields": form["fields"][:1]}
    put = f"/v1/sources/typeform/forms/{form['id']}?tenant_id=acme"
    for definition, wanted in ((shorter, True), (form, False)):
        await connection.execute("delete from pgqueuer")
        await connection.execute("delete from deliveries")
        assert (await client.put(put, json=definition)).status_code == 200
        assert await hook.deliver(TYPEFORM) == "stored"
        assert bool(await queued(connection)) == wanted


UNREADABLE = [
    b"",
    b"{",
    b"[1, 2]",
    b'"\xff\x00"',
    b"\x00",
    b"{" * 100_000,
    b'{"event": "responseFinished", "webhookId": "w", "data": {"surveyId": "sv", "data": [1]}}',
    b'{"event": "responseFinished", "webhookId": "w", "data": {"id": 5, "surveyId": "sv"}}',
    b'{"event": "responseFinished", "webhookId": "w", "data": {"id": "r", "data": {}}}',
    b'{"hello": "world"}',
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_what_cannot_be_read_is_kept_and_answered_well(client: httpx.AsyncClient, body: bytes) -> None:
    """The vendor neither tries for ever nor gives up; what came waits among the rejects, with the reason."""
    hook = await connect(client)
    assert await hook.deliver(body, "w1") == "kept"

    (reject,) = await kept(client, tenant_id="acme")
    assert reject["raw"] == body.decode(errors="backslashreplace").replace("\0", "\\x00")
    assert (reject["connection_id"], reject["tenant_id"], reject["position"]) == (hook.id, "acme", 0)
    assert "batch_id" not in reject
    assert reject["status"] == reject["problem"]["status"]
    assert reject["problem"].get("instance", "") == ""
    assert await kept(client, connection_id=hook.id) == [reject]
    assert await kept(client, connection_id=str(uuid4())) == []
    assert await hook.deliver(body, "w1") == "known"
    assert await kept(client) == [reject]
    state = await hook.state()
    assert await hook.counts() == (2, 0, 1, 1)
    assert state["last_error"].startswith("A payload is kept, because it could not be stored: ")


@pytest.mark.parametrize("source", ["typeform", "satismeter"])
@pytest.mark.parametrize("body", [b"", b"\xff", b"{" * 100_000, b'{"hello": "world"}', b"[[]]"], ids=range(5))
async def test_the_same_holds_for_every_source(client: httpx.AsyncClient, source: str, body: bytes) -> None:
    hook = await connect(client, source)

    assert await hook.deliver(body) == "kept"
    assert await hook.deliver(body) == "known"
    assert len(await kept(client)) == 1


async def test_a_submission_of_another_source_is_not_taken_over(client: httpx.AsyncClient) -> None:
    """What has the id of something else is kept, too."""
    ours, theirs = await connect(client), await connect(client, "satismeter")
    response = {"response": {"id": "cmwujsswh21iwzgdxtp15u3m2", "campaign": "c", "answers": [], "rating": 9}}
    await theirs.deliver(json.dumps(response).encode())

    assert await ours.deliver(FORMBRICKS) == "kept"
    (reject,) = await kept(client)
    assert (reject["status"], reject["problem"]["invalid_params"][0]["reason"]) == (
        422,
        "A submission of satismeter has this id",
    )


async def test_what_was_kept_is_stored_when_nothing_is_in_its_way_any_more(
    client: httpx.AsyncClient, connection: Database
) -> None:
    ours = await connect(client)
    await connection.execute(
        "insert into submissions (tenant_id, submission_id, source, status, snapshot_order, received_at)"
        " values ('acme', 'cmwujsswh21iwzgdxtp15u3m2', 'typeform', 'completed', '', now())"
    )
    assert await ours.deliver(FORMBRICKS) == "kept"
    (reject,) = await kept(client)
    retry = f"/v1/rejects/{reject['id']}/retry"

    assert (await client.post(retry)).status_code == 422
    assert await kept(client) == [reject]
    await connection.execute("delete from submissions")
    answer = await client.post(retry)
    assert (answer.status_code, answer.json()["submissions"]) == (200, 1), answer.text
    assert answer.json()["created"] == len(await records(client))
    assert await kept(client) == []
    assert (await client.post(retry)).status_code == 404


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_what_still_cannot_be_read_stays(client: httpx.AsyncClient, body: bytes) -> None:
    hook = await connect(client)
    await hook.deliver(body)
    (reject,) = await kept(client)

    answer = await client.post(f"/v1/rejects/{reject['id']}/retry")
    assert answer.status_code in (400, 422), answer.text
    assert await kept(client) == [reject]
    assert (await client.delete(f"/v1/rejects/{reject['id']}")).status_code == 204


async def test_without_its_connection_nobody_knows_what_a_payload_is(client: httpx.AsyncClient) -> None:
    hook = await connect(client)
    await hook.deliver(b"{}")
    (reject,) = await kept(client)
    await client.delete(f"/v1/connections/{hook.id}")

    answer = await client.post(f"/v1/rejects/{reject['id']}/retry")
    assert (answer.status_code, answer.json()["details"]) == (404, {"resource_type": "connection"})


@pytest.mark.parametrize("query", [{"user_id": "usr_7f3a"}, {"user_id": "usr_7f3a", "tenant_id": "acme"}])
async def test_what_was_kept_is_erased_with_its_user(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    """Nobody could read whose it is, but their name stands in it."""
    hook, other = await connect(client), await connect(client, tenant_id="other")
    theirs = b'{"hello": "usr_7f3a"}'
    await hook.deliver(theirs)
    await hook.deliver(b'{"hello": "usr_7f3b"}')
    await other.deliver(theirs)
    await client.request("DELETE", "/v1/feedback-records", params=query)

    left = [(reject["tenant_id"], reject["raw"]) for reject in await kept(client)]
    assert left == [("acme", '{"hello": "usr_7f3b"}')] + ([("other", theirs.decode())] if len(query) > 1 else [])


async def test_what_was_kept_does_not_bring_back_who_was_erased(
    client: httpx.AsyncClient, connection: Database
) -> None:
    hook = await connect(client)
    await connection.execute(
        "insert into submissions (tenant_id, submission_id, source, status, snapshot_order, received_at)"
        " values ('acme', 'cmwujsswh21iwzgdxtp15u3m2', 'typeform', 'completed', '', now())"
    )
    await hook.deliver(FORMBRICKS)
    (reject,) = await kept(client)
    await connection.execute("delete from submissions")
    copy = dict(await connection.fetchrow("select * from rejects") or {})
    await client.request("DELETE", "/v1/feedback-records", params={"user_id": "usr_7f3a"})
    assert await kept(client) == []
    names = ", ".join(copy)
    values = ", ".join(f"${n}" for n in range(1, len(copy) + 1))
    await connection.execute(f"insert into rejects ({names}) values ({values})", *copy.values())

    answer = await client.post(f"/v1/rejects/{reject['id']}/retry")
    assert {skip["reason"] for skip in answer.json()["skipped"]} >= {"erased"}
    assert await hook.deliver(FORMBRICKS, "again") == "stored"
    assert await records(client) == {}


async def test_what_was_kept_expires(client: httpx.AsyncClient, connection: Database, pool: Pool) -> None:
    """As rejects of batches do; a delivery is forgotten when no vendor sends it any more."""
    hook = await connect(client)
    await hook.deliver(b"{}", "w1")
    await connection.execute("update rejects set created_at = now() - interval '8 days'")
    await connection.execute("update deliveries set received_at = now() - interval '8 days'")

    await rejects.expire(pool, 9)
    assert len(await kept(client)) == 1
    await rejects.expire(pool, 7)
    assert await kept(client) == []
    assert await hook.deliver(b"{}", "w1") == "known"
    await deliveries.expire(pool)
    assert await hook.deliver(b"{}", "w1") == "kept"


async def test_a_key_of_another_tenant_sees_nothing_that_was_kept(
    client: httpx.AsyncClient, bound: httpx.AsyncClient
) -> None:
    hook = await connect(client, tenant_id="other")
    await hook.deliver(b"{}")
    (reject,) = await kept(client)

    assert (await bound.get("/v1/rejects", params={"connection_id": hook.id})).json()["data"] == []
    assert (await bound.post(f"/v1/rejects/{reject['id']}/retry")).status_code == 404
    assert (await bound.delete(f"/v1/rejects/{reject['id']}")).status_code == 404
    assert await kept(client) == [reject]


async def test_an_answer_comes_within_a_second_whatever_holds_up_the_submission(
    client: httpx.AsyncClient, connection: Database, tools: Tools
) -> None:
    """It is kept then, and the worker stores it as soon as it can."""
    hook = await connect(client)
    await hook.deliver(PARTIAL)
    async with connection.transaction():
        await connection.execute("select * from submissions where tenant_id = 'acme' for update")
        begun = time.monotonic()
        assert await hook.deliver(FORMBRICKS) == "kept"
        assert time.monotonic() - begun < 1
    (reject,) = await kept(client)
    assert reject["status"] == 503
    queued = await connection.fetchval("select payload from pgqueuer where entrypoint = 'retry'")
    job = msgspec.json.decode(queued, type=queue.Retry)
    assert str(job.reject_id) == reject["id"]

    for _ in range(2):  # a job may be done twice
        await jobs.retry(tools, job)
        assert await kept(client) == []
        assert len(await records(client)) == 34


async def test_the_worker_leaves_alone_what_it_cannot_store(client: httpx.AsyncClient, tools: Tools) -> None:
    hook = await connect(client)
    await hook.deliver(b"{}")
    (reject,) = await kept(client)

    await jobs.retry(tools, queue.Retry(reject_id=UUID(reject["id"])))
    assert await kept(client) == [reject]


async def test_a_delivery_that_nothing_can_be_kept_of_is_refused_within_a_second(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """Then the vendor has to send it again: what was answered well is stored."""
    hook = await connect(client)
    async with connection.transaction():
        await connection.execute("lock table submissions, deliveries in access exclusive mode")
        begun = time.monotonic()
        answer = await hook.send(FORMBRICKS, hook.signed(FORMBRICKS, "w1"))
        assert time.monotonic() - begun < 1.5
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await hook.deliver(FORMBRICKS, "w1") == "stored"


async def test_a_delivery_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    hook = await connect(client)
    body = b" " * (MAX_BODY_BYTES + 1)

    assert (await hook.send(body)).status_code == 413
    assert await kept(client) == []


async def test_a_key_opens_no_hook(client: httpx.AsyncClient) -> None:
    """The operator's key is no signature."""
    hook = await connect(client)
    answer = await client.post(hook.path, content=FORMBRICKS, headers={"authorization": f"Bearer {API_KEY}"})

    assert answer.status_code == 401
