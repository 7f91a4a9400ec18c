"""Records over HTTP, as the Formbricks Hub's clients know them."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from hub.app import create_app
from hub.model import Record
from hub.settings import Settings
from tests.conftest import client_of, make_record

URL = "/v1/feedback-records"
MAX_BODY = 512 * 1024
DOCUMENTED = json.loads((Path(__file__).parent / "documented_create.json").read_text())

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, object]


async def post(client: httpx.AsyncClient, **overrides: object) -> Json:
    """A record that was just stored."""
    answer = await client.post(URL, json=make_record(**overrides))
    assert answer.status_code == 201, answer.text
    return parsed(answer)


def parsed(answer: httpx.Response) -> Json:
    found: Json = json.loads(answer.text)
    return found


async def get(client: httpx.AsyncClient, record: Json) -> Json:
    answer = await client.get(f"{URL}/{record['id']}")
    assert answer.status_code == 200, answer.text
    return parsed(answer)


async def patch(client: httpx.AsyncClient, record: Json, **changes: object) -> Json:
    answer = await client.patch(f"{URL}/{record['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    return parsed(answer)


async def submissions(client: httpx.AsyncClient, **query: object) -> str:
    """The submission ids of a list, in its order, as one text. Several values of a parameter come as a list."""
    answer = await client.get(URL, params=urlencode({"tenant_id": "acme", **query}, doseq=True))
    assert answer.status_code == 200, answer.text
    found = " ".join(record["submission_id"] for record in answer.json()["data"])
    count = await client.get(f"{URL}/count", params=urlencode({"tenant_id": "acme", **query}, doseq=True))
    if not {"sort", "order", "limit"} & set(query):
        assert count.json() == {"count": len(found.split())}
    return found


async def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    return {fault["name"]: fault["reason"] for fault in answer.json()["invalid_params"]}


# Creating.


async def test_record_is_stored_as_it_was_sent(client: httpx.AsyncClient) -> None:
    """A new record comes back with an id of version 7, its times, and every member that was sent."""
    sent = make_record(
        collected_at="2026-01-02T03:04:05.5Z",
        source_id="survey-1",
        source_name="",
        field_label="How likely?",
        field_type="nps",
        field_group_id="g1",
        field_group_label=" ",
        value_text='ä😀\u2028<&>"\\/\t',
        value_id="o1",
        value_number=9.25,
        value_boolean=False,
        value_date="2025-12-31T23:00:00Z",
        metadata={"b": 1, "a": [1, 2, {"c": None}], "é": "😀"},
        language="zz zz",
        user_id="u1",
    )
    answer = await client.post(URL, json=sent)
    record = parsed(answer)

    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert "location" not in answer.headers
    assert UUID(str(record["id"])).version == 7
    assert record["created_at"] == record["updated_at"]
    assert {name: record[name] for name in sent} == sent
    assert set(record) == {*sent, "id", "created_at", "updated_at"}


async def test_documented_example_works(client: httpx.AsyncClient) -> None:
    """The request of the published page is stored, and the members of its answer are members of ours."""
    answer = await client.post(URL, json=DOCUMENTED["body"])

    assert answer.status_code == 201
    assert DOCUMENTED["body"].items() <= answer.json().items()
    assert set(DOCUMENTED["answer"]) <= set(Record.__struct_fields__)

    wrong = await client.post(URL, json=DOCUMENTED["body"] | {"field_type": "textt"})
    expected = DOCUMENTED["problem"] | {"request_id": wrong.headers["x-request-id"]}
    assert wrong.status_code == 400
    assert wrong.json() == expected


@pytest.mark.parametrize(
    "record",
    [
        make_record(),
        make_record(value_text=..., value_number=1e15, collected_at="2026-01-02T04:04:05.1234569+01:00"),
        make_record(value_number=-0.1, value_date="1970-01-01T00:00:00Z", metadata={}),
        make_record(
            value_number=5e-324, value_date="2080-12-31T23:59:59.9999999Z", metadata=None, tenant_id="\u00a0acme "
        ),
        make_record(value_number=123456789.123456789, metadata={"": {"": [[], {}, "", 0, False, None]}}, user_id=""),
        make_record(
            value_text="\x01\x7f\u0085\u2029\ufffd\ufffe", source_type=" ", submission_id="\\u0000", field_id="'\"; --"
        ),
    ],
)
async def test_answer_to_a_post_is_what_a_get_returns(client: httpx.AsyncClient, record: Json) -> None:
    """What a client is told on storing is what everybody reads later."""
    created = parsed(await client.post(URL, json=record))

    assert await get(client, created) == created
    listed = await client.get(URL, params={"tenant_id": "acme"})
    assert listed.json()["data"] == [created]


async def test_absent_time_of_collection_is_now(client: httpx.AsyncClient) -> None:
    """Without a time of its own an answer was given when it came."""
    record = await post(client, collected_at=None)

    assert record["collected_at"] == record["created_at"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(str(record["created_at"]))) < timedelta(minutes=1)


async def test_moments_leave_in_utc_cut_to_the_microsecond(client: httpx.AsyncClient) -> None:
    """Whatever offset a moment came with, it leaves in UTC, cut and not rounded, without trailing zeros."""
    record = await post(
        client, collected_at="2026-01-02T05:04:05.9999999+02:00", value_date="2026-01-02T03:04:05.10-01:00"
    )

    assert (record["collected_at"], record["value_date"]) == ("2026-01-02T03:04:05.999999Z", "2026-01-02T04:04:05.1Z")


async def test_numbers_in_metadata_are_kept_exactly(client: httpx.AsyncClient) -> None:
    """No number in metadata is squeezed through a double, and the members come back as jsonb orders them."""
    numbers = (
        '{"long":0.12345678901234567890123456789,"big":123456789012345678901234567890,"e":1e2,"t":1.50,"max":1e400}'
    )
    text = json.dumps(make_record(metadata="@")).replace('"@"', numbers)
    created = await client.post(URL, content=text)
    stored = (await client.get(f"{URL}/{created.json()['id']}")).text

    for answer in (created.text, stored):
        assert json.loads(answer, parse_float=Decimal)["metadata"] == json.loads(numbers, parse_float=Decimal)
    assert list(json.loads(stored)["metadata"]) == ["e", "t", "big", "max", "long"]
    assert '"t": 1.50' in stored


async def test_members_are_on_the_wire_in_their_order(client: httpx.AsyncClient, connection: Connection) -> None:
    """Records have one order of members, whoever writes them: the answer to a post, to a get, a list and a patch."""
    everything = {
        "collected_at": "2026-01-02T03:04:05Z", "source_id": "a", "source_name": "b", "field_label": "c", "field_group_id": "d",
        "field_group_label": "e", "value_id": "f", "value_number": 1, "value_boolean": True, "value_date": "2026-01-02T03:04:05Z",
        "metadata": {}, "language": "g", "user_id": "h",
    }  # fmt: skip
    created = await post(client, **everything)
    order = list(Record.__struct_fields__)
    assert list(created) == order[: order.index("value_text_translated")]

    await enrich(connection, created)
    assert list(await get(client, created)) == order
    assert list(await patch(client, created, value_number=2)) == order
    listed = await client.get(URL, params={"tenant_id": "acme"})
    assert [list(record) for record in listed.json()["data"]] == [order]


async def test_second_record_of_a_key_is_a_conflict(client: httpx.AsyncClient) -> None:
    """A repeated record is refused with the id of the first, which stays as it is; the SDK is told not to try again."""
    first = await post(client)

    for again in (make_record(), make_record(value_text="other"), make_record(tenant_id=" acme ")):
        answer = await client.post(URL, json=again)
        assert answer.status_code == 409
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["code"] == "conflict"
        assert answer.json()["details"] == {"id": first["id"]}
    assert await get(client, first) == first


@pytest.mark.parametrize(
    "change", [{"field_id": "q2"}, {"field_id": "Q1"}, {"tenant_id": "other"}, {"submission_id": "s1 "}]
)
async def test_another_field_submission_or_tenant_is_another_record(client: httpx.AsyncClient, change: Json) -> None:
    """The key is case- and byte-sensitive."""
    first = await post(client)

    assert (await post(client, **change))["id"] != first["id"]


async def test_of_concurrent_posts_one_wins(client: httpx.AsyncClient) -> None:
    """Whoever sends the same record at the same moment is told of the one that was stored."""
    answers = await asyncio.gather(*(client.post(URL, json=make_record(value_text=str(n))) for n in range(8)))
    (created,) = (answer.json() for answer in answers if answer.status_code == 201)

    conflicts = [answer for answer in answers if answer.status_code == 409]
    assert len(conflicts) == 7
    assert {answer.json()["details"]["id"] for answer in conflicts} == {created["id"]}
    assert await get(client, created) == created


async def test_deleted_key_may_be_used_again(client: httpx.AsyncClient) -> None:
    """Deleting a record frees its key."""
    first = await post(client)
    await client.delete(f"{URL}/{first['id']}")

    assert (await post(client))["id"] != first["id"]


async def test_faults_of_a_body_are_all_told(client: httpx.AsyncClient) -> None:
    """Everything that is wrong with a body comes in one answer, and nothing is stored."""
    answer = await client.post(URL, json=make_record(field_id="", value_number="9", id="x", metadata=[]))

    assert list((await faults(answer)).items()) == [
        ("field_id", "is required"),
        ("value_number", "must be float64"),
        ("metadata", "must be object"),
        ("id", "is not a recognized request field"),
    ]
    assert await submissions(client) == ""


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "Invalid request body"),
        (b"null", "Invalid request body: must be a JSON object"),
        (b"[]", "Invalid request body: must be a JSON object"),
        (b"{", "Invalid JSON: unexpected end of input"),
    ],
)
async def test_body_that_is_no_object(client: httpx.AsyncClient, body: bytes, detail: str) -> None:
    """Without an object there is nothing to name."""
    record = await post(client)

    for answer in (await client.post(URL, content=body), await client.patch(f"{URL}/{record['id']}", content=body)):
        assert answer.status_code == 400
        assert (answer.json()["code"], answer.json()["detail"]) == ("bad_request", detail)
        assert "invalid_params" not in answer.json()


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json"],
)
async def test_json_is_read_whatever_clients_call_it(client: httpx.AsyncClient, content_type: str | None) -> None:
    """A body without a type, or with the one that `curl -d` sends, is read as the JSON it is."""
    headers = {} if content_type is None else {"content-type": content_type}
    created = await client.post(URL, content=json.dumps(make_record()), headers=headers)
    assert created.status_code == 201

    patched = await client.patch(f"{URL}/{created.json()['id']}", content=b'{"value_text":"x"}', headers=headers)
    assert patched.json()["value_text"] == "x"


@pytest.mark.parametrize(
    "content_type", ["application/xml", "multipart/form-data; boundary=x", "application/octet-stream"]
)
async def test_other_media_types_are_refused(client: httpx.AsyncClient, content_type: str) -> None:
    """What is announced as no JSON is not read as JSON."""
    for method, url in (("POST", URL), ("PATCH", f"{URL}/{uuid4()}")):
        answer = await client.request(
            method, url, content=json.dumps(make_record()), headers={"content-type": content_type}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_body_has_a_limit_to_the_byte(client: httpx.AsyncClient, streamed: bool) -> None:
    """524,288 bytes are read, one more is not, whether the length was announced or not."""

    async def sent(method: str, url: str, size: int, members: Json) -> httpx.Response:
        text = json.dumps(members)
        body = text.replace("@", "x" * (size - len(text) + 1)).encode()
        assert len(body) == size

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, size, 65536):
                yield body[start : start + 65536]

        return await client.request(method, url, content=chunks() if streamed else body)

    created = await sent("POST", URL, MAX_BODY, make_record(metadata={"a": "@"}))
    assert created.status_code == 201
    record_url = f"{URL}/{created.json()['id']}"
    assert (await sent("PATCH", record_url, MAX_BODY, {"metadata": {"b": "@"}})).status_code == 200
    longer: list[tuple[str, str, Json]] = [
        ("POST", URL, make_record(metadata={"a": "@"})),
        ("PATCH", record_url, {"metadata": {"a": "@"}}),
    ]
    for method, url, members in longer:
        answer = await sent(method, url, MAX_BODY + 1, members)
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
            413,
            "content_too_large",
            "request body too large",
        )


async def test_slow_body_is_refused(settings: Settings) -> None:
    """A body that does not arrive in time is not waited for."""
    app = create_app(msgspec.structs.replace(settings, request_timeout_seconds=0.05))
    never = asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async with client_of(app) as client:
        answer = await client.post(URL, content=trickle())

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert "in time" in answer.json()["detail"]


# Reading one, deleting it.


async def test_id_is_found_in_every_spelling(client: httpx.AsyncClient) -> None:
    """Upper case, braces, the URN form and no dashes lead to the same record."""
    record = await post(client)
    found = UUID(str(record["id"]))

    for spelling in (str(found).upper(), f"{{{found}}}", f"%7B{found}%7D", f"urn:uuid:{found}", found.hex):
        assert (await client.get(f"{URL}/{spelling}")).json() == record


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_unknown_record_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    """An id nobody has is a 404 that says what was looked for."""
    body = {"json": {"value_text": "x"}} if method == "PATCH" else {}
    answer = await client.request(method, f"{URL}/{uuid4()}", **body)  # type: ignore[arg-type] # one keyword or none

    assert answer.status_code == 404
    assert answer.json()["detail"] == "feedback record not found"
    assert answer.json()["details"] == {"resource_type": "feedback record"}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_what_is_no_id_is_told_before_the_body(client: httpx.AsyncClient, method: str) -> None:
    """A wrong path is a 400 under the name of its parameter, whatever the body."""
    body = {"content": b'{"nonsense":1}'} if method == "PATCH" else {}
    answer = await client.request(method, f"{URL}/xyz", **body)  # type: ignore[arg-type] # one keyword or none

    assert await faults(answer) == {"id": "must be a valid UUID"}


async def test_deleted_record_is_gone(client: httpx.AsyncClient) -> None:
    """Deleting answers with nothing at all, and a second time with 404."""
    record, other = await post(client), await post(client, submission_id="s2")
    answer = await client.delete(f"{URL}/{record['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert (await client.delete(f"{URL}/{record['id']}")).status_code == 404
    assert (await client.get(f"{URL}/{record['id']}")).status_code == 404
    assert await get(client, other) == other


# Changing.


async def test_patch_changes_what_it_names(client: httpx.AsyncClient) -> None:
    """Named members change, the others and the creation stay, and the change is dated."""
    before = await post(client, user_id="u1", metadata={"a": 1}, value_number=1)
    after = await patch(client, before, value_number=2.5, metadata={"b": 2})

    changed = {"value_number": 2.5, "metadata": {"b": 2}, "updated_at": after["updated_at"]}
    assert after == before | changed
    assert str(after["updated_at"]) > str(before["updated_at"])
    assert await get(client, before) == after


async def test_patch_sets_every_value_and_null_clears_it(client: httpx.AsyncClient) -> None:
    """What may change may be set and cleared; null is the way to clear."""
    values: Json = {
        "value_text": "", "value_id": "o", "value_number": 0, "value_boolean": False, "value_date": "2026-01-02T03:04:05.5Z",
        "metadata": {"a": {"b": None}}, "language": "en", "user_id": "u",
    }  # fmt: skip
    record = await post(client, value_text=...)

    full = await patch(client, record, **values)
    assert values.items() <= full.items()
    empty = await patch(client, record, **dict.fromkeys(values))
    assert empty == record | {"updated_at": empty["updated_at"]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value_text": "fine"},
        {"value_number": 5.0, "metadata": {"a": [1, 2], "b": 1.0}, "value_date": "2026-01-02T04:04:05.0000009+01:00"},
        {"language": None, "value_id": None},
        {"value_text": "fine", "value_number": 5, "value_boolean": True, "user_id": "u"},
    ],
)
async def test_patch_that_changes_nothing_writes_nothing(client: httpx.AsyncClient, changes: Json) -> None:
    """Equal values, null where nothing is, and the empty patch leave the record and its date alone."""
    record = await post(
        client,
        value_number=5,
        value_boolean=True,
        metadata={"b": 1, "a": [1, 2]},
        value_date="2026-01-02T03:04:05Z",
        user_id="u",
    )

    assert await patch(client, record, **changes) == record


@pytest.mark.parametrize(
    "name",
    ["id", "tenant_id", "submission_id", "field_id", "field_type", "collected_at", "created_at", "sentiment", "x"],
)
async def test_patch_refuses_what_is_for_ever(client: httpx.AsyncClient, name: str) -> None:
    """Even the correct echo of a member that cannot change is refused, and nothing changes."""
    record = await post(client)
    answer = await client.patch(f"{URL}/{record['id']}", json={name: record.get(name), "value_text": "x"})

    assert await faults(answer) == {name: "is not a recognized request field"}
    assert await get(client, record) == record


ENRICHED = {
    "value_text_translated": "gut",
    "translation_lang_key": "de",
    "sentiment": "very_positive",
    "sentiment_score": 0.5,
    "emotions": ["joy", "surprise"],
}


async def enrich(connection: Connection, record: Json) -> None:
    await connection.execute(
        "update feedback_records set value_text_translated = $2, translation_lang_key = $3, sentiment = $4, sentiment_score = $5,"
        " emotions = $6 where id = $1",
        UUID(str(record["id"])),
        *ENRICHED.values(),
    )


async def test_enrichment_is_returned_and_not_written(client: httpx.AsyncClient, connection: Connection) -> None:
    """What analysis found about a record is part of it, and no client may claim it."""
    record = await post(client)
    await enrich(connection, record)

    assert await get(client, record) == record | ENRICHED
    for name, value in ENRICHED.items():
        assert await faults(await client.post(URL, json=make_record(submission_id="s2", **{name: value}))) == {
            name: "is not a recognized request field"
        }


TRANSLATION = {"value_text_translated", "translation_lang_key"}


@pytest.mark.parametrize(
    ("changes", "cleared"),
    [
        ({"value_text": "awful"}, set(ENRICHED)),
        ({"value_text": None}, set(ENRICHED)),
        ({"value_text": "awful", "language": "en"}, set(ENRICHED)),
        ({"value_text": " \t\r\n fine\v\f "}, set()),
        ({"value_text": "fine\u00a0"}, set(ENRICHED)),
        ({"value_text": "Fine"}, set(ENRICHED)),
        ({"language": "de"}, TRANSLATION),
        ({"language": None}, TRANSLATION),
        ({"language": "en"}, set()),
        ({"value_number": 5, "user_id": "u", "metadata": {"a": 1}}, set()),
    ],
)
async def test_patch_clears_what_it_makes_wrong(
    client: httpx.AsyncClient, connection: Connection, changes: Json, cleared: set[str]
) -> None:
    """Another text is not analyzed yet, another language not translated; blanks around a text change neither."""
    record = await post(client, language="en")
    await enrich(connection, record)

    assert set(ENRICHED) - set(await patch(client, record, **changes)) == cleared


# Listing.


async def test_list_needs_a_tenant(client: httpx.AsyncClient) -> None:
    """List and count are of one tenant, which has to be named."""
    for url in (URL, f"{URL}/count"):
        assert await faults(await client.get(url)) == {"tenant_id": "is required"}


async def test_empty_list(client: httpx.AsyncClient) -> None:
    """Of a tenant nobody knows there is an empty list without a cursor, and a count of nothing."""
    await post(client)
    answer = await client.get(URL, params={"tenant_id": "nobody"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"data": [], "limit": 100}
    assert (await client.get(f"{URL}/count", params={"tenant_id": "nobody"})).json() == {"count": 0}


async def seed(client: httpx.AsyncClient, connection: Connection) -> None:
    """Four records of acme, a minute apart, and one that looks like the first in another tenant."""
    first = {
        "source_type": "survey",
        "source_id": "s,1",
        "field_id": "q1",
        "user_id": "u1",
        "value_id": "o1",
        "language": "en",
    }
    second = {
        "source_type": "review",
        "source_id": "",
        "field_id": "q2",
        "user_id": "u2",
        "value_id": "o2",
        "language": "de",
    }
    await post(client, submission_id="a", collected_at="2026-01-01T00:00:00Z", field_type="nps", value_number=1, field_group_id="g1",
               source_name="S", value_date="2026-02-01T00:00:00Z", **first)  # fmt: skip
    await post(client, submission_id="b", collected_at="2026-01-01T00:01:00Z", field_type="csat", value_number=2.5, field_group_id="g2",
               source_name="R", value_date="2026-02-02T00:00:00Z", **second)  # fmt: skip
    await post(
        client,
        submission_id="c",
        collected_at="2026-01-01T00:02:00Z",
        value_number=-3,
        value_date="2026-02-03T00:00:00Z",
    )
    await post(client, submission_id="d", collected_at="2026-01-01T00:03:00.123456Z", field_id="q3")
    await post(client, submission_id="x", tenant_id="other", **first)
    await connection.execute(
        "update feedback_records set sentiment = 'positive', sentiment_score = 0.5, emotions = '{joy,fear}' where submission_id = 'a'"
    )
    await connection.execute(
        "update feedback_records set sentiment = 'mixed', sentiment_score = -1, emotions = '{anger}', value_text_translated = 'x'"
        " where submission_id = 'b'"
    )
    for minute, submission in enumerate("abcd"):
        arrived = datetime(2026, 1, 2, 0, minute, 0, 123456 if submission == "d" else 0, tzinfo=UTC)
        await connection.execute(
            "update feedback_records set created_at = $1, updated_at = $2 where submission_id = $3",
            arrived,
            arrived + timedelta(days=1),
            submission,
        )


SELECTED: list[tuple[Json, str]] = [
    ({}, "d c b a"),
    ({"tenant_id": " acme "}, "d c b a"),
    ({"submission_id": "a"}, "a"),
    ({"submission_id": ["a", "b", "x"]}, "b a"),
    ({"submission_id": "A"}, ""),
    ({"source_type": "survey"}, "d c a"),
    ({"source_type": ["survey", "review", ""]}, "d c b a"),
    ({"source_id": "s,1"}, "a"),
    ({"source_id": ["s,1", "none"]}, "a"),
    ({"source_id": ""}, "d c b a"),
    ({"source_name": ["S", "R"]}, "b a"),
    ({"source_name": "R"}, "b"),
    ({"field_id": "q1"}, "c a"),
    ({"field_id": ["q2", "q3"]}, "d b"),
    ({"field_group_id": "g1"}, "a"),
    ({"field_group_id": ["g1", "g2"]}, "b a"),
    ({"value_id": "o2"}, "b"),
    ({"value_id": ["o1", "o2"]}, "b a"),
    ({"user_id": "u1"}, "a"),
    ({"user_id": ["u1", "u2"]}, "b a"),
    ({"language": "en"}, "a"),
    ({"language": ["en", "de"]}, "b a"),
    ({"field_type": "nps"}, "a"),
    ({"field_type": ["nps", "csat"]}, "b a"),
    ({"field_type": "nps,csat"}, "b a"),
    ({"field_type": ""}, "d c b a"),
    ({"sentiment": "positive"}, "a"),
    ({"sentiment": "positive,mixed"}, "b a"),
    ({"emotions": "fear"}, "a"),
    ({"emotions": ["anger", "joy", "sadness"]}, "b a"),
    ({"emotions": "surprise"}, ""),
    ({"has_sentiment": "true"}, "b a"),
    ({"has_sentiment": "false"}, "d c"),
    ({"has_emotions": "yes"}, "b a"),
    ({"has_emotions": "0"}, "d c"),
    ({"has_translation": "on"}, "b"),
    ({"has_translation": "no"}, "d c a"),
    ({"has_sentiment": ""}, "d c b a"),
    ({"since": "2026-01-01T00:01:00Z"}, "d c b"),
    ({"until": "2026-01-01T00:01:00Z"}, "b a"),
    ({"since": "2026-01-01T01:01:00+01:00", "until": "2026-01-01T00:02:00Z"}, "c b"),
    ({"since": "2026-01-01T00:03:00.123456Z"}, "d"),
    ({"since": "2026-01-01T00:03:00.123457Z"}, ""),
    ({"created_since": "2026-01-02T00:01:00Z"}, "d c b"),
    ({"created_until": "2026-01-02T00:01:00Z"}, "b a"),
    ({"updated_since": "2026-01-03T00:02:00Z"}, "d c"),
    ({"updated_until": "2026-01-03T00:00:00Z"}, "a"),
    ({"value_date_min": "2026-02-02T00:00:00Z"}, "c b"),
    ({"value_date_max": "2026-02-02T00:00:00Z"}, "b a"),
    ({"value_number_min": "1"}, "b a"),
    ({"value_number_max": "1"}, "c a"),
    ({"value_number_min": "-3", "value_number_max": "2.4"}, "c a"),
    ({"sentiment_score_min": "-1"}, "b a"),
    ({"sentiment_score_max": "0.5"}, "b a"),
    ({"sentiment_score_min": "0"}, "a"),
    ({"user_id": ["u1", "u2"], "field_type": "nps", "since": "2026-01-01T00:00:00Z"}, "a"),
    ({"user_id": "u1", "field_type": "csat"}, ""),
    ({"order": "asc"}, "a b c d"),
    ({"sort": "created_at"}, "d c b a"),
    ({"sort": "created_at", "order": "asc", "has_sentiment": "false"}, "c d"),
    ({"nonsense": "1"}, "d c b a"),
]


async def test_filters(client: httpx.AsyncClient, connection: Connection) -> None:
    """Several parameters are all of them, several values of one are any of them, ranges include their ends; a count counts the same."""
    await seed(client, connection)

    assert [(query, await submissions(client, **query)) for query, _ in SELECTED] == SELECTED


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ({"value_number_min": "1", "value_number_max": "0"}, "value_number_min"),
        ({"field_type": "Text"}, "field_type"),
        ({"limit": "-1"}, "limit"),
        ({"sentiment_score_min": "2"}, "sentiment_score_min"),
    ],
)
async def test_wrong_parameters_are_named(client: httpx.AsyncClient, query: Json, name: str) -> None:
    """List and count refuse what is wrong in the same words."""
    listed, counted = [
        await client.get(url, params=urlencode({"tenant_id": "acme", **query})) for url in (URL, f"{URL}/count")
    ]

    assert set(await faults(listed)) == {name}
    assert await faults(counted) == await faults(listed)


async def test_count_has_no_order(client: httpx.AsyncClient) -> None:
    """A count refuses an order, checks a limit, and ignores a cursor."""
    count = f"{URL}/count?tenant_id=acme"

    assert set(await faults(await client.get(f"{count}&sort=created_at&order=asc"))) == {"sort", "order"}
    assert set(await faults(await client.get(f"{count}&limit=1001"))) == {"limit"}
    assert (await client.get(f"{count}&limit=1&cursor=xyz")).json() == {"count": 0}


@pytest.mark.parametrize(("limit", "effective"), [("", 100), ("0", 100), ("2", 2), ("1000", 1000)])
async def test_limit_is_repeated(client: httpx.AsyncClient, limit: str, effective: int) -> None:
    """The envelope says how many records the page may have."""
    assert (await client.get(URL, params={"tenant_id": "acme", "limit": limit})).json()["limit"] == effective


async def walk(client: httpx.AsyncClient, limit: int, **query: str) -> list[Json]:
    """All records of a list, page by page, as a client reads them."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = (await client.get(URL, params={"tenant_id": "acme", "limit": limit, **query, **more})).json()
        found += page["data"]
        cursor = page.get("next_cursor")
        assert len(page["data"]) == limit or cursor is None
        if cursor is None:
            return found


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["collected_at", "created_at"])
async def test_pages_are_the_list(client: httpx.AsyncClient, connection: Connection, sort: str, order: str) -> None:
    """Pages of any size make up the list without gaps or repeats, ties included, in every order; ties are broken by the id."""
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=n) for n in range(4)]
    chance = random.Random(f"{sort} {order}")
    for n in range(23):
        await post(
            client,
            submission_id=f"s{n}",
            collected_at=chance.choice(moments).isoformat(),
            field_type=chance.choice(["text", "nps"]),
        )
    await connection.execute("update feedback_records set created_at = $1", moments[0])
    for n in range(15):
        await connection.execute(
            "update feedback_records set created_at = $1 where submission_id = $2", chance.choice(moments), f"s{n}"
        )

    whole = (await client.get(URL, params={"tenant_id": "acme", "sort": sort, "order": order})).json()["data"]
    by_id = sorted(whole, key=lambda record: str(record["id"]))
    times = sorted(by_id, key=lambda record: datetime.fromisoformat(record[sort]), reverse=order == "desc")
    assert whole == times
    assert len(whole) == 23
    for limit in (1, 2, 7, 22, 23, 24):
        assert await walk(client, limit, sort=sort, order=order) == whole
    some = [record for record in whole if record["field_type"] == "nps"]
    assert await walk(client, 3, sort=sort, order=order, field_type="nps") == some


async def test_last_page_has_no_cursor(client: httpx.AsyncClient) -> None:
    """A page that is exactly full and the last one has no cursor."""
    await post(client)
    await post(client, submission_id="s2")

    full = (await client.get(URL, params={"tenant_id": "acme", "limit": 2})).json()
    assert set(full) == {"data", "limit"}
    first = (await client.get(URL, params={"tenant_id": "acme", "limit": 1})).json()
    assert list(first) == ["data", "limit", "next_cursor"]


async def test_cursor_is_of_one_order(client: httpx.AsyncClient) -> None:
    """A cursor of another order, or none at all, is refused by name."""
    await post(client)
    await post(client, submission_id="s2")
    first = (await client.get(URL, params={"tenant_id": "acme", "limit": 1, "sort": "created_at"})).json()

    for query in ({}, {"sort": "created_at", "order": "asc"}, {"order": "asc"}):
        answer = await client.get(URL, params={"tenant_id": "acme", "cursor": first["next_cursor"], **query})
        assert "different sort/order" in (await faults(answer))["cursor"]
    assert set(await faults(await client.get(URL, params={"tenant_id": "acme", "cursor": "xyz"}))) == {"cursor"}


async def test_list_by_a_boolean_and_by_a_text(client: httpx.AsyncClient) -> None:
    """A boolean selects what has it; a text is compared without case and without blanks around it."""
    records: dict[str, Json] = {
        "yes": {"value_boolean": True},
        "no": {"value_boolean": False},
        "none": {},
        "pro": {"value_text": " Pro "},
        "üb": {"value_text": "ÜB"},
        "prof": {"value_text": "prof"},
    }
    for name, record in records.items():
        await post(client, submission_id=name, **{"value_text": ..., **record})

    assert await submissions(client, value_boolean="true") == "yes"
    assert await submissions(client, value_boolean="false") == "no"
    assert await submissions(client, value_text="PRO") == "pro"
    assert set((await submissions(client, value_text=["pro", "üb "])).split()) == {"pro", "üb"}


async def test_list_by_members_of_metadata(client: httpx.AsyncClient) -> None:
    """Members are compared as text, whatever they are; what has no such member is not selected."""
    for name, metadata in {
        "a": {"plan": "pro", "n": 5, "deep": {"er": [True, None]}},
        "b": {"plan": "free", "n": 5.0, "deep": {"er": "x"}},
        "c": {"plan": None, "n": "5", "deep": []},
    }.items():
        await post(client, submission_id=name, metadata=metadata)
    await post(client, submission_id="d")

    found = {
        "metadata.plan=pro": "a",
        "metadata.plan=pro&metadata.plan=free": "a b",
        "metadata.n=5": "a c",
        "metadata.n=5.0": "b",
        "metadata.deep.er.0=true": "a",
        "metadata.deep.er.1=null": "",
        "metadata.n=5&metadata.plan=pro": "a",
        "metadata.n=5&metadata.plan=free": "",
        "metadata.n=5&metadata.plan=pro&metadata.deep.er=x&metadata.plan=x": "",
        "metadata.none=x": "",
    }
    for query, names in found.items():
        answer = await client.get(f"{URL}?tenant_id=acme&{query}&sort=created_at&order=asc")
        assert " ".join(record["submission_id"] for record in answer.json()["data"]) == names, query
        count = await client.get(f"{URL}/count?tenant_id=acme&{query}")
        assert count.json() == {"count": len(names.split())}, query


async def test_cursor_stays_within_tenant_and_filter(client: httpx.AsyncClient) -> None:
    """A cursor says where to go on, not what to show: the tenant and the filters of the request hold."""
    for n in range(3):
        await post(client, submission_id=f"s{n}")
        await post(client, submission_id=f"s{n}", tenant_id="other", field_type="nps")
    cursor = (await client.get(URL, params={"tenant_id": "acme", "limit": 1})).json()["next_cursor"]

    other = (await client.get(URL, params={"tenant_id": "other", "cursor": cursor})).json()["data"]
    assert {record["tenant_id"] for record in other} == {"other"}
    assert (await client.get(URL, params={"tenant_id": "acme", "cursor": cursor, "field_type": "nps"})).json()[
        "data"
    ] == []


# Erasing.


async def test_user_is_erased_in_one_tenant_or_everywhere(client: httpx.AsyncClient) -> None:
    """Everything a user said goes, in the tenant that was named or in all; asking again is fine."""
    for tenant in ("acme", "other"):
        for number in range(2):
            await post(client, tenant_id=tenant, submission_id=f"s{number}", user_id="u 1")
        await post(client, tenant_id=tenant, submission_id="s3", user_id="U 1")
        await post(client, tenant_id=tenant, submission_id="s4")

    async def erased(**query: str) -> Json:
        answer = await client.delete(URL, params={"user_id": " u 1 ", **query})
        assert answer.status_code == 200
        return parsed(answer)

    assert await erased(tenant_id=" acme ") == {
        "deleted_count": 2,
        "message": "Successfully deleted 2 feedback records",
    }
    assert await submissions(client) == "s4 s3"
    assert await submissions(client, tenant_id="other") == "s4 s3 s1 s0"
    assert await erased(tenant_id="acme") == {"deleted_count": 0, "message": "Successfully deleted 0 feedback records"}
    assert (await erased())["deleted_count"] == 2
    assert await submissions(client, tenant_id="other") == "s4 s3"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "user_id=",
        "user_id=u&tenantid=acme",
        "user_id=u&tenant_id=acme%ff",
        "user_id=u&tenant_id=a&tenant_id=b",
        "user_id=u&tenant_id=",
    ],
)
async def test_mistyped_erasure_erases_nothing(client: httpx.AsyncClient, query: str) -> None:
    """A request that was not understood completely deletes nothing."""
    await post(client, user_id="u")

    assert await faults(await client.delete(f"{URL}?{query}"))
    assert await submissions(client) == "s1"
