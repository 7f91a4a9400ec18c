"""Servers that post to Formbricks or SatisMeter post here, and change nothing but the address."""

import asyncio
import json
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from tests.api.test_hooks import connect, kept, queued, records, rows

SOURCES = Path(__file__).parent.parent / "sources"
BODY = json.loads((SOURCES / "formbricks/40_documented_v1_create_body.json").read_text())
RESULT = json.loads((SOURCES / "formbricks/06_v1_response_post_result.json").read_text())["data"]
ROW = json.loads((SOURCES / "formbricks/08_v2_response_get_single.json").read_text())["data"]
INSERT = json.loads((SOURCES / "satismeter/06_documented_insert_body.json").read_text())
DUPLICATE = json.loads((SOURCES / "satismeter/25_error_400_duplicate_response.json").read_text())
V1, V2, SATISMETER = "/api/v1/management/responses", "/api/v2/management/responses", "/api/responses"
KEY = "fbk_inserts"
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, Any]


async def post(client: httpx.AsyncClient, path: str, body: object, key: str = KEY, **headers: str) -> httpx.Response:
    """A post to Formbricks."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(path, content=content, headers={"authorization": "", "x-api-key": key, **headers})


async def insert(client: httpx.AsyncClient, **members: object) -> httpx.Response:
    """A post to SatisMeter; a member given as `...` is left out."""
    body = {name: value for name, value in (INSERT | {"writeKey": "wk"} | members).items() if value is not ...}
    return await client.post(SATISMETER, json=body, headers={"authorization": ""})


@pytest.fixture
async def formbricks(client: httpx.AsyncClient) -> None:
    await connect(client, credentials={"insert_key": KEY})


@pytest.fixture
async def satismeter(client: httpx.AsyncClient) -> None:
    await connect(client, "satismeter", credentials={"insert_key": "wk"})


@pytest.mark.usefixtures("formbricks")
@pytest.mark.parametrize(("path", "status", "members"), [(V1, 200, set(RESULT)), (V2, 201, set(ROW))])
async def test_a_response_is_created_as_documented(
    client: httpx.AsyncClient, path: str, status: int, members: set[str]
) -> None:
    """The body of the documentation is taken, and answered in the shape of the API with what was sent."""
    answer = await post(client, path, BODY)
    assert answer.status_code == status, answer.text
    data = answer.json()["data"]

    assert set(data) == members
    assert {name: data[name] for name in BODY} == BODY
    found = await records(client)
    assert [(record["value_text"], record["submission_id"]) for record in found.values()] == [
        ("Hello World", data["id"])
    ]
    assert {record["source_type"] for record in found.values()} == {"formbricks_survey"}


@pytest.mark.usefixtures("formbricks")
async def test_the_answer_has_what_was_sent(client: httpx.AsyncClient) -> None:
    body = {
        "surveyId": "sv", "finished": True, "data": {"q": 9}, "variables": {"v": 1}, "ttc": {"q": 5.5}, "meta": {"source": "x"},
        "endingId": "e", "singleUseId": "su", "language": "de", "displayId": "d", "userId": "u1", "environmentId": "env",
    }  # fmt: skip
    data = (await post(client, V1, body)).json()["data"]

    names = (
        "surveyId",
        "finished",
        "data",
        "variables",
        "ttc",
        "meta",
        "endingId",
        "singleUseId",
        "language",
        "displayId",
    )
    assert {name: data[name] for name in names} == {name: body[name] for name in names}
    assert data["createdAt"] == data["updatedAt"]
    assert (await records(client))["q"]["user_id"] == "u1"


@pytest.mark.usefixtures("formbricks")
@pytest.mark.parametrize("path", [V1, V2])
async def test_a_survey_is_all_that_is_required(client: httpx.AsyncClient, connection: Database, path: str) -> None:
    """The published documents ask for no more; without an answer it is a submission all the same."""
    answer = await post(client, path, {"surveyId": "sv"})

    assert answer.is_success, answer.text
    assert answer.json()["data"]["finished"] is False
    assert answer.json()["data"]["data"] == {}
    assert await connection.fetchval("select status from submissions") == "started"


@pytest.mark.usefixtures("formbricks")
async def test_formbricks_gives_the_ids(client: httpx.AsyncClient) -> None:
    """One that is sent is no more taken here than there."""
    data = (await post(client, V1, BODY | {"id": "mine"})).json()["data"]

    assert data["id"] != "mine"
    assert data["id"] == (await post(client, V1, BODY)).json()["data"]["id"]


@pytest.mark.usefixtures("formbricks")
async def test_a_response_that_is_sent_again_is_the_same(client: httpx.AsyncClient) -> None:
    """By its content, or by the key that the sender gives it."""
    ids = [(await post(client, path, BODY)).json()["data"]["id"] for path in (V1, V1, V2)]
    assert len(set(ids)) == 1
    for answers in ({"q": 1}, {"q": 2}):
        answer = await post(client, V1, {"surveyId": "sv", "data": answers}, **{"idempotency-key": "mine"})
        assert answer.json()["data"]["id"] == "mine"

    found = await records(client)
    assert found["q"]["value_number"] == 2
    assert len(found) == 2


NOT_AUTHENTICATED = {
    "code": "not_authenticated", "message": "Not authenticated", "details": {"x-Api-Key": "Header not provided or API Key invalid"},
}  # fmt: skip
UNAUTHORIZED = {"error": {"code": 401, "message": "Unauthorized"}}


@pytest.mark.usefixtures("formbricks")
@pytest.mark.parametrize(("path", "body"), [(V1, NOT_AUTHENTICATED), (V2, UNAUTHORIZED)])
@pytest.mark.parametrize("key", ["", "x", KEY.upper(), f"{KEY} x", "test-key", "wk"])
async def test_without_the_key_nothing_is_created(
    client: httpx.AsyncClient, connection: Database, path: str, body: Json, key: str
) -> None:
    """The operator's key is none, nor the key of another source; the vendor's API says it like this."""
    await connect(client, "satismeter", credentials={"insert_key": "wk"})
    before = await rows(connection)
    answer = await post(client, path, BODY, key)

    assert (answer.status_code, answer.json()) == (401, body)
    assert answer.headers["content-type"] == "application/json"
    assert await rows(connection) == before


WRONG = [
    b"",
    b"{",
    b"[]",
    b"5",
    b'"\xff"',
    b"{" * 100_000,
    b'{"data": {}}',
    b'{"surveyId": 5}',
    b'{"surveyId": "s", "data": []}',
]


@pytest.mark.usefixtures("formbricks")
@pytest.mark.parametrize("body", WRONG, ids=range(len(WRONG)))
async def test_a_wrong_body_is_told_in_the_vendors_words(
    client: httpx.AsyncClient, connection: Database, body: bytes
) -> None:
    before = await rows(connection)
    first, second = await post(client, V1, body), await post(client, V2, body)

    assert (first.status_code, list(first.json())) == (400, ["code", "message", "details"])
    assert first.json()["code"] == "bad_request"
    assert (second.status_code, list(second.json())) == (422, ["error"])
    assert (second.json()["error"]["code"], second.json()["error"]["message"]) == (422, "Unprocessable Entity")
    assert second.json()["error"]["details"][0]["issue"] in first.json()["message"]
    assert await rows(connection) == before
    assert await kept(client) == []


@pytest.mark.usefixtures("formbricks")
async def test_what_the_vendor_has_no_words_for_is_in_its_shape(client: httpx.AsyncClient) -> None:
    large = b" " * (2 * 1024 * 1024 + 1)

    assert (await post(client, V1, large)).json() == {
        "code": "content_too_large", "message": "request body too large", "details": {},
    }  # fmt: skip
    assert (await post(client, V2, large)).json() == {"error": {"code": 413, "message": "Content Too Large"}}


async def test_a_survey_that_was_not_chosen_is_not_found(client: httpx.AsyncClient) -> None:
    await connect(client, credentials={"insert_key": KEY}, forms=["chosen"])

    first, second = await post(client, V1, BODY), await post(client, V2, BODY)
    assert (first.status_code, first.json()) == (
        404,
        {
            "code": "not_found",
            "message": "Survey not found",
            "details": {"resource_id": BODY["surveyId"], "resource_type": "Survey"},
        },
    )
    assert (second.status_code, second.json()) == (
        404,
        {"error": {"code": 404, "message": "Not Found", "details": [{"field": "survey", "issue": "not found"}]}},
    )
    assert await records(client) == {}
    assert (await post(client, V1, BODY | {"surveyId": "chosen"})).status_code == 200


@pytest.mark.parametrize(("status", "answered"), [("paused", 200), ("revoked", 401)])
async def test_a_paused_connection_stores_and_a_revoked_one_does_not(
    client: httpx.AsyncClient, status: str, answered: int
) -> None:
    hooks = [
        await connect(client, credentials={"insert_key": KEY}),
        await connect(client, "satismeter", credentials={"insert_key": "wk"}),
    ]
    for hook in hooks:
        await client.patch(f"/v1/connections/{hook.id}", json={"status": status})

    assert (await post(client, V1, BODY)).status_code == answered
    assert (await insert(client)).status_code == answered


async def test_the_key_says_whose_it_is(client: httpx.AsyncClient, connection: Database) -> None:
    """Each tenant's are in its own; the connection counts them, and has its survey fetched."""
    ours = await connect(client, credentials={"insert_key": KEY})
    theirs = await connect(client, tenant_id="other", credentials={"insert_key": "other"})

    await post(client, V1, BODY)
    await post(client, V2, {"surveyId": "sv", "data": {"q": 1}, "tenant_id": "acme"}, "other")
    assert len(await records(client)) == 1
    assert list(await records(client, "other")) == ["q"]
    assert await ours.counts() == await theirs.counts() == (1, 1, 0, 0)
    assert await queued(connection) == [
        {"connection_id": ours.id, "form_id": BODY["surveyId"]},
        {"connection_id": theirs.id, "form_id": "sv"},
    ]


@pytest.mark.usefixtures("satismeter")
async def test_a_response_is_inserted_as_documented(client: httpx.AsyncClient, connection: Database) -> None:
    """The write key is neither kept nor told."""
    answer = await insert(client)

    assert (answer.status_code, answer.json()) == (200, {})
    (record,) = (await records(client)).values()
    assert (record["field_id"], record["value_number"], record["user_id"]) == ("QUESTION_ID", 9, "007")
    payload = await connection.fetchval("select payload::text from submissions")
    assert "wk" not in payload


@pytest.mark.usefixtures("satismeter")
async def test_a_response_that_was_inserted_before_is_a_duplicate(
    client: httpx.AsyncClient, connection: Database
) -> None:
    """In SatisMeter's words; `forceSurvey` asks for another one all the same."""
    answers = await asyncio.gather(*(insert(client) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert [answer.json() for answer in answers if answer.status_code == 400] == [DUPLICATE] * 3
    assert await connection.fetchval("select count(*) from submissions") == 1
    other = await insert(client, userId="008")
    assert other.status_code == 200

    forced = [(await insert(client, forceSurvey=True)).status_code for _ in range(2)]
    assert forced == [200, 200]
    assert await connection.fetchval("select count(*) from submissions") == 4
    (state,) = (await client.get("/v1/connections")).json()["data"]
    assert (state["received"], state["stored"], state["duplicates"]) == (7, 4, 3)


@pytest.mark.usefixtures("satismeter")
async def test_a_write_key_does_not_open_other_responses(client: httpx.AsyncClient, connection: Database) -> None:
    """It is in the pages of everybody who shows a survey: who has it adds responses, and changes none."""
    hook = await connect(client, "satismeter")
    theirs = {"response": {"id": "r1", "campaign": "c", "created": "2026-01-01T00:00:00Z", "answers": [], "rating": 9}}
    await hook.deliver(json.dumps(theirs).encode())
    before = await records(client)

    forged = {
        "id": "r1",
        "created": "2027-01-01T00:00:00Z",
        "rating": 0,
        "response": theirs["response"],
        "user": {"userId": "x"},
    }
    assert (await insert(client, **forged)).status_code == 200
    body = INSERT | {"writeKey": "wk", "rating": 1}
    answer = await client.post(SATISMETER, json=body, headers={"authorization": "", "idempotency-key": "r1"})
    assert answer.status_code == 200
    assert await connection.fetchval("select count(*) from submissions") == 3
    assert before.items() <= (await records(client)).items()


@pytest.mark.usefixtures("satismeter")
@pytest.mark.parametrize("key", [..., None, "", "x", 5, ["wk"], "WK", KEY])
async def test_without_the_write_key_nothing_is_inserted(
    client: httpx.AsyncClient, connection: Database, key: object
) -> None:
    await connect(client, credentials={"insert_key": KEY})
    before = await rows(connection)
    answer = await insert(client, writeKey=key)

    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    assert await rows(connection) == before


@pytest.mark.usefixtures("satismeter")
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"campaign": ...}, "campaign is required"),
        ({"campaign": 5}, "campaign must be a string"),
        ({"userId": ...}, "userId or anonymousId is required"),
        ({"answers": "x"}, "answers must be a list"),
    ],
)
async def test_a_response_that_lacks_something_is_refused(
    client: httpx.AsyncClient, members: Json, reason: str
) -> None:
    answer = await insert(client, **members)

    assert (answer.status_code, answer.json()) == (400, {"error": reason})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{" * 100_000])
async def test_what_is_no_response_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(SATISMETER, content=body)

    assert (answer.status_code, list(answer.json())) == (401, ["error"])


async def test_keys_are_in_no_answer_and_no_log(client: httpx.AsyncClient) -> None:
    await connect(client, credentials={"insert_key": KEY})
    await connect(client, "satismeter", credentials={"insert_key": "wk-secret"})
    with capture_logs() as logs:
        answers = [await post(client, V1, body) for body in (BODY, b"{")]
        answers += [await insert(client, writeKey="wk-secret", **members) for members in ({}, {}, {"campaign": 5})]
        answers += [await client.get("/v1/connections")]

    for text in [str(logs), *(answer.text for answer in answers)]:
        assert KEY not in text
        assert "wk-secret" not in text
