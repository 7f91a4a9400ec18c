"""What batches could not store: kept, listed, repaired, erased, and forgotten in the end."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from hub.db import Pool, rejects
from tests.api.test_batch import RECORDS, URL, Connection, ndjson, numbered, send, send_text, stored
from tests.conftest import make_record

REJECTS = "/v1/rejects"
Json = dict[str, Any]


async def listed(client: httpx.AsyncClient, **query: str) -> list[Json]:
    answer = await client.get(REJECTS, params=query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


async def exported(client: httpx.AsyncClient, **query: str) -> bytes:
    answer = await client.get(REJECTS, params={"format": "ndjson", **query})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return answer.content


async def test_a_reject_says_what_came_where_and_why(client: httpx.AsyncClient) -> None:
    """With its tenant and user as far as they could be read, and the text as it came."""
    bad = make_record(field_type="x", user_id="u1", submission_id="s2")
    batch = await send(client, [make_record(), bad], status=207)
    (reject,) = await listed(client)
    assert json.loads(reject["raw"]) == bad
    assert list(reject) == [
        "id", "batch_id", "position", "tenant_id", "user_id", "raw", "status", "problem", "created_at",
    ]  # fmt: skip
    assert reject["batch_id"] == batch["batch_id"]
    assert (reject["position"], reject["tenant_id"], reject["user_id"], reject["status"]) == (1, "acme", "u1", 400)
    assert reject["problem"] == batch["results"][1]["error"]
    assert reject["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("line", "tenant", "user"),
    [
        (b"{nonsense", None, None),
        (b'["acme"]', None, None),
        (b'{"tenant_id": " acme ", "user_id": 1}', "acme", None),
        (b'{"tenant_id": "", "user_id": "u"}', None, "u"),
        (b'{"tenant_id": "' + b"x" * 256 + b'", "user_id": "' + b"x" * 100_000 + b'"}', None, None),
        (b'{"tenant_id": "a\\u0000", "user_id": "\\ud800"}', None, None),
        (b'{"tenant_id": "acme", "user_id": "a", "user_id": "b"}', "acme", None),
        (b'{"tenant_id": "acme", "user_id": "u1", "value_text": "\xff\x00"}', None, None),
    ],
)
async def test_whose_a_reject_is_as_far_as_it_can_be_read(
    client: httpx.AsyncClient, line: bytes, tenant: str | None, user: str | None
) -> None:
    await send_text(client, line, "application/x-ndjson", status=422)
    (reject,) = await listed(client)
    assert (reject.get("tenant_id"), reject.get("user_id")) == (tenant, user)
    assert reject["raw"] == line.decode(errors="backslashreplace").replace("\0", "\\x00")


async def test_rejects_are_filtered_and_paged(client: httpx.AsyncClient) -> None:
    """The oldest first; pages neither repeat nor miss."""
    one = await send(client, [make_record(field_type="x", submission_id=f"a{n}") for n in range(5)], status=422)
    two = await send_text(
        client, ndjson([make_record(field_type="x", tenant_id="other") for _ in range(4)]), "application/x-ndjson",
        status=422,
    )  # fmt: skip
    everything = await listed(client)
    assert [(reject["batch_id"], reject["position"]) for reject in everything] == [
        *((one["batch_id"], n) for n in range(5)), *((two["batch_id"], n) for n in range(1, 5)),
    ]  # fmt: skip
    assert await listed(client, batch_id=one["batch_id"].upper()) == everything[:5]
    assert await listed(client, tenant_id="other") == everything[5:]
    assert await listed(client, since=everything[5]["created_at"]) == everything[5:]
    assert await listed(client, until=everything[0]["created_at"], tenant_id="acme") == everything[:5]
    pages: list[Json] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = (await client.get(REJECTS, params=query)).json()
        assert page["limit"] == 2
        pages += page["data"]
        if "next_cursor" not in page:
            break
        query["cursor"] = page["next_cursor"]
    assert pages == everything


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"batch_id": "x"}, "batch_id"), ({"cursor": "x"}, "cursor"), ({"format": "xml"}, "format"),
        ({"since": "now"}, "since"), ({"limit": "1001"}, "limit"), ({"tenant_id": " "}, "tenant_id"),
    ],
)  # fmt: skip
async def test_a_wrong_query_is_named(client: httpx.AsyncClient, query: dict[str, str], name: str) -> None:
    answer = await client.get(REJECTS, params=query)
    assert answer.status_code == 400
    assert [fault["name"] for fault in answer.json()["invalid_params"]] == [name]


async def test_the_export_is_ready_to_be_corrected_and_sent_again(client: httpx.AsyncClient) -> None:
    """One line an item, its numbers and members as they came; what is no JSON is a string of its text."""
    lines = [
        json.dumps(make_record(field_type="x", submission_id="pretty"), indent=2),
        '{"value_number": 1.50e1, "value_number": 2, "field_type": "text"}',
    ]
    await send_text(client, f"[{','.join(lines)}]", "application/json", status=422)
    await send_text(client, b'{"broken\n{"value_text": "\xff"}\n', "application/x-ndjson", status=422)
    header = "tenant_id,submission_id,source_type,field_id,field_type,value_text\n"
    await send_text(client, header + 'acme,s1,survey,q1,x,"two\nlines"\nacme,"two\nlines"\n', status=422)
    text = await exported(client)
    found = text.splitlines()
    assert json.loads(found[0]) == json.loads(lines[0])
    assert found[1] == b'{"value_number":1.50e1,"value_number":2,"field_type":"text"}'
    assert [json.loads(line) for line in found[2:4]] == ['{"broken', '{"value_text": "\\xff"}']
    assert json.loads(found[4]) == make_record(field_type="x", value_text="two\nlines")
    assert json.loads(found[5]) == 'acme,"two\nlines"'
    assert len(found) == 6
    again = await send_text(client, text, "application/x-ndjson", status=422)
    assert again["summary"]["received"] == 6
    fixed = await send_text(client, text.replace(b'"x"', b'"text"'), "application/x-ndjson", status=207)
    assert fixed["summary"]["created"] == 2


async def test_the_export_has_all_pages(client: httpx.AsyncClient) -> None:
    """Whatever the limit."""
    await send_text(client, b"1\n" * 450, "application/x-ndjson", status=422)
    assert (await exported(client, limit="1")).count(b"\n") == 450
    assert await exported(client, tenant_id="acme") == b""


# Retry.


async def one_reject(client: httpx.AsyncClient, **overrides: object) -> Json:
    await send(client, [make_record(field_type="x", **overrides)], status=422)
    return (await listed(client))[-1]


async def test_a_corrected_reject_is_stored_and_gone(client: httpx.AsyncClient, connection: Connection) -> None:
    reject = await one_reject(client)
    answer = await client.post(f"{REJECTS}/{reject['id']}/retry", json=make_record(value_text="corrected"))
    assert answer.status_code == 201
    assert (await client.get(f"{RECORDS}/{answer.json()['id']}")).json() == answer.json()
    assert [record["value_text"] for record in await stored(connection)] == ["corrected"]
    assert await listed(client) == []
    assert (await client.post(f"{REJECTS}/{reject['id']}/retry", json=make_record())).status_code == 404


async def test_a_reject_is_tried_as_it_was(client: httpx.AsyncClient) -> None:
    """What only a strict batch refused is stored; what is wrong stays, with all its faults."""
    await send(client, [make_record(field_type="nps", value_text=..., value_number=11)], status=422, strict=True)
    (reject,) = await listed(client)
    url = f"{REJECTS}/{reject['id']}/retry"
    strict = await client.post(url, params={"strict": "true"})
    assert strict.json()["invalid_params"] == [{"name": "value_number", "reason": "must be between 0 and 10"}]
    assert (await client.post(url)).status_code == 201
    reject = await one_reject(client, value_number="9")
    answer = await client.post(f"{REJECTS}/{reject['id']}/retry")
    assert answer.status_code == 400
    assert {fault["name"] for fault in answer.json()["invalid_params"]} == {"field_type", "value_number"}
    answer = await client.post(f"{REJECTS}/{reject['id']}/retry", json={"tenant_id": "acme"})
    assert len(answer.json()["invalid_params"]) == 4
    assert [kept["id"] for kept in await listed(client)] == [reject["id"]]


async def test_a_reject_that_names_no_tenant_is_the_one_s_of_its_batch(client: httpx.AsyncClient) -> None:
    """It is listed there, and stored there when it is tried again; one that is corrected may name another."""
    lines = [make_record(tenant_id=..., value_number="9"), "no record", make_record(tenant_id=..., field_type="x")]
    await send_text(client, ndjson(lines), "application/x-ndjson", status=422, tenant_id="acme")
    first, _, third = await listed(client, tenant_id="acme")
    answer = await client.post(f"{REJECTS}/{first['id']}/retry", json=make_record(tenant_id=...))
    assert (answer.status_code, answer.json()["tenant_id"]) == (201, "acme")
    answer = await client.post(f"{REJECTS}/{third['id']}/retry", json=make_record(tenant_id="other"))
    assert (answer.status_code, answer.json()["tenant_id"]) == (201, "other")


async def test_bytes_that_no_text_can_hold_do_not_pass_for_text(client: httpx.AsyncClient) -> None:
    """They were spelled out when they were kept, and are refused for it."""
    line = json.dumps(make_record(value_text="X")).encode().replace(b"X", b"\xe4")
    await send_text(client, line, "application/x-ndjson", status=422)
    (reject,) = await listed(client)
    assert "\\xe4" in reject["raw"]
    assert (await client.post(f"{REJECTS}/{reject['id']}/retry")).status_code == 400


async def test_a_duplicate_reject_stays(client: httpx.AsyncClient) -> None:
    """With the id of the record that is there."""
    reject = await one_reject(client)
    record = (await client.post(RECORDS, json=make_record())).json()
    answer = await client.post(f"{REJECTS}/{reject['id']}/retry", json=make_record())
    assert (answer.status_code, answer.json()["details"]) == (409, {"id": record["id"]})
    assert len(await listed(client)) == 1


async def test_a_reject_is_stored_once_however_often_it_is_tried_at_once(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    reject = await one_reject(client)
    url = f"{REJECTS}/{reject['id']}/retry"
    answers = await asyncio.gather(*(client.post(url, json=make_record(submission_id=f"s{n}")) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [404] * 7
    assert len(await stored(connection)) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"content-type": "text/csv"}, 415), (b"[]", {}, 400), (b"{", {}, 400),
        (b'{"a":"' + b"x" * 600_000 + b'"}', {}, 413),
    ],
)  # fmt: skip
async def test_a_body_is_read_as_that_of_a_record(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    reject = await one_reject(client)
    answer = await client.post(f"{REJECTS}/{reject['id']}/retry", content=body, headers=headers)
    assert answer.status_code == status
    assert len(await listed(client)) == 1


async def test_a_reject_can_be_thrown_away(client: httpx.AsyncClient) -> None:
    reject = await one_reject(client)
    answer = await client.delete(f"{REJECTS}/{reject['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.delete(f"{REJECTS}/{reject['id']}")).status_code == 404
    assert await listed(client) == []


async def test_a_bound_key_reaches_its_own_tenants_rejects_alone(
    client: httpx.AsyncClient, bound: httpx.AsyncClient
) -> None:
    """What another tenant's is, or nobody's, is not there for it."""
    await send(client, [make_record(field_type="x", tenant_id="other"), 1], status=422)
    other, nobody = await listed(client)
    for reject in (other, nobody):
        for call in (bound.delete(f"{REJECTS}/{reject['id']}"), bound.post(f"{REJECTS}/{reject['id']}/retry")):
            assert (await call).status_code == 404
    assert await listed(bound) == []
    assert await exported(bound) == b""
    assert (await bound.get(REJECTS, params={"tenant_id": "other"})).status_code == 403
    await send(bound, [make_record(tenant_id=..., field_type="x")], status=422)
    (own,) = await listed(bound)
    foreign = await bound.post(f"{REJECTS}/{own['id']}/retry", json=make_record(tenant_id="other"))
    assert foreign.status_code == 403
    answer = await bound.post(f"{REJECTS}/{own['id']}/retry", json=make_record(tenant_id=...))
    assert (answer.status_code, answer.json()["tenant_id"]) == (201, "acme")


# Erasing.


@pytest.mark.parametrize(
    ("user", "line"),
    [
        ("u1", b'{"user_id": "u1", "tenant_id": "acme", "field_type": "x"}'),
        ("u1", b'{"user_id": "u1", "tenant_id": "acme", "value'),
        ("u1", b'{"tenant_id": "acme", "userId": "u1"}'),
        ("1", b'{"tenant_id": "acme", "user_id": 1}'),
        ("1", b'{"user_id":1'),
        ("1", b"acme,s1,1"),
        ("1", b'acme;"1";s1'),
        ("1", b"1"),
        ("j\u00f6rg", b'{"user_id": "j\\u00f6rg", "oops'),
        ("j\u00f6rg", b'{"user_id": "j\\u00F6rg", "oops'),
        ("j\u00f6rg", '{"user_id": "jörg", "oops'.encode()),
        ("\U0001f600", b'{"user_id": "\\uD83D\\uDE00", "oops'),
        ('a"b', b'{"user_id": "a\\"b", "oops'),
        ('a"b', b'acme,"a""b",x'),
        ("a/b\\c", b'{"user_id": "a\\/b\\\\c", "oops'),
        ("a.*[b]{1}(c)|$^ -#&~", b'{"user_id": "a.*[b]{1}(c)|$^ -#&~", "oops'),
        ("x" * 255, b'{"user_id": "' + b"x" * 255 + b'", "oops'),
        ("\U0001f600" * 255, b'{"user_id": "' + "\U0001f600".encode() * 255 + b'", "oops'),
    ],
)
@pytest.mark.parametrize("tenant", [None, "acme"])
async def test_erasing_a_user_erases_their_rejects(
    client: httpx.AsyncClient, user: str, line: bytes, tenant: str | None
) -> None:
    """Also where nobody could read whose it is; within a tenant only where the tenant is known, or named in the text."""
    await send_text(client, line, "application/x-ndjson", status=422)
    query = {"user_id": user} | ({} if tenant is None else {"tenant_id": tenant})
    answer = await client.delete(RECORDS, params=query)
    assert answer.status_code == 200, answer.text
    assert len(await listed(client)) == int(tenant is not None and b"acme" not in line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"tenant_id": "acme", "user_id": "11", "value_number": 1}',
        b'{"tenant_id": "acme", "value_number": 1, "field_type": "x"}',
        b'{"tenant_id": "acme", "value_text": "rated 1, and 1 again", "field_type": "x"}',
        b'{"tenant_id": "acme", "user_id": 10}',
        b'{"tenant_id": "acme", "user_id": "u1", "oops',
        b"acme,s1,10,1.5",
        b'{"tenant_id": "acme", "metadata": {"a": [1, 2]}, "value_number": "x"}',
    ],
)
async def test_erasing_a_short_name_spares_the_others(client: httpx.AsyncClient, line: bytes) -> None:
    """The user `1` is not every 1."""
    await send_text(client, line, "application/x-ndjson", status=422)
    await client.delete(RECORDS, params={"user_id": "1"})
    assert len(await listed(client)) == 1


async def test_erasing_within_a_tenant_spares_the_others(client: httpx.AsyncClient) -> None:
    lines = [make_record(tenant_id=tenant, user_id="u1", field_type="x") for tenant in ("acme", "other")]
    text = ndjson(lines) + b'{"tenant_id": "other", "user_id": "u1", "oops\n{"user_id": "u1", "oops\n'
    await send_text(client, text, "application/x-ndjson", status=422)
    await client.delete(RECORDS, params={"user_id": "u1", "tenant_id": "acme"})
    assert [reject["position"] for reject in await listed(client)] == [2, 3, 4]
    await client.delete(RECORDS, params={"user_id": "u1"})
    assert await listed(client) == []


async def test_a_user_who_is_erased_while_a_reject_is_repaired_is_gone(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """Whichever comes first."""
    for n in range(10):
        reject = await one_reject(client, user_id="u1", submission_id=f"s{n}")
        body = make_record(user_id="u1", submission_id=f"s{n}")
        await asyncio.gather(
            client.post(f"{REJECTS}/{reject['id']}/retry", json=body), client.delete(RECORDS, params={"user_id": "u1"})
        )
    assert await stored(connection) == []
    assert await listed(client) == []


# Retention.


async def test_what_is_too_old_goes(client: httpx.AsyncClient, connection: Connection, pool: Pool) -> None:
    """Batches and rejects; records stay."""
    old = await send(client, [make_record(), 1], status=207)
    new = await send(client, [make_record(field_id="q2"), 1], status=207)
    then = datetime.now(UTC) - timedelta(days=91)
    await connection.execute("update rejects set created_at = $1 where batch_id = $2", then, old["batch_id"])
    await connection.execute("update batches set started_at = $1 where id = $2", then, old["batch_id"])
    assert await rejects.expire(pool, 90) == 1
    assert await rejects.expire(pool, 90) == 0
    assert [reject["batch_id"] for reject in await listed(client)] == [new["batch_id"]]
    assert (await client.get(f"/v1/batches/{old['batch_id']}")).status_code == 404
    assert (await client.get(f"/v1/batches/{new['batch_id']}")).status_code == 200
    assert len(await stored(connection)) == 2


async def test_many_rejects_go_in_steps(client: httpx.AsyncClient, connection: Connection, pool: Pool) -> None:
    await send_text(client, b"1\n" * 11_000, "application/x-ndjson", status=422)
    await connection.execute("update rejects set created_at = now() - interval '91 days'")
    assert await rejects.expire(pool, 90) == 11_000


async def test_the_account_of_numbered_records_stays_true(client: httpx.AsyncClient) -> None:
    """A batch without a reject has none in the list."""
    batch = await send(client, numbered(3))
    assert await listed(client, batch_id=batch["batch_id"]) == []
    assert (await client.post(URL, json=[])).status_code == 200
