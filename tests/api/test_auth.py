"""Keys: what they open, what they do not, and that no route forgets to ask."""

import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from hub.api import openapi
from hub.api.auth import TTL_SECONDS, Keyring
from hub.api.edge import Edge
from hub.app import create_app
from hub.db import keys
from hub.settings import Settings
from tests.conftest import API_KEY, make_record
from tests.test_problems import hidden

URL = "/v1/feedback-records"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, object]
Headers = dict[str, str]

EVERYTHING = ("read", "write", "admin")


async def key(
    connection: Connection, *scopes: str, tenant_id: str | None = None, expires_at: datetime | None = None
) -> Headers:
    """The headers of a request with a new key."""
    text, _ = await keys.create(
        connection, name="test", scopes=scopes or EVERYTHING, tenant_id=tenant_id, expires_at=expires_at
    )
    return bearer(text)


def bearer(text: str) -> Headers:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
async def public(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with (
        app.litestar.lifespan(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),  # type: ignore[arg-type] # httpx writes the types of ASGI its own way
            base_url="http://hub.test",
        ) as client,
    ):
        yield client


def keyring(app: Edge, ttl: float) -> None:
    """Keys are remembered only so long from now on."""
    app.litestar.state.keyring = Keyring(app.litestar.state.pool, API_KEY, ttl=ttl)


MALFORMED = "Invalid Authorization header format. Expected: Bearer <api-key>"


@pytest.mark.parametrize(
    ("authorization", "detail"),
    [
        (None, "Missing Authorization header"),
        ("", "Missing Authorization header"),
        ("Bearer", MALFORMED),
        ("Bearer ", MALFORMED),
        (API_KEY, MALFORMED),
        (f"Basic {API_KEY}", MALFORMED),
        (f"Bearer\t{API_KEY}", MALFORMED),
        ("Bearer wrong", "Invalid API key"),
        (f"Bearer  {API_KEY}", "Invalid API key"),
        (f"Bearer {API_KEY}x", "Invalid API key"),
        (f"Bearer {API_KEY.upper()}", "Invalid API key"),
        (f"Bearer {API_KEY} {API_KEY}", "Invalid API key"),
        (b"Bearer \xff\xfe", "Invalid API key"),
    ],
)
async def test_without_a_good_key_nothing_opens(
    public: httpx.AsyncClient, authorization: str | bytes | None, detail: str
) -> None:
    """No key, a wrong one, or one sent in another way is a 401 that says which scheme is wanted."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await public.get(URL, headers=headers)  # type: ignore[arg-type] # header values may be bytes

    assert (answer.status_code, answer.json()["detail"]) == (401, detail)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_scheme_is_read_in_any_case(public: httpx.AsyncClient, scheme: str) -> None:
    """The scheme is case-insensitive, as HTTP has it."""
    assert (await public.get(URL, headers={"Authorization": f"{scheme} {API_KEY}"})).status_code == 400


@pytest.mark.parametrize("padded", [f"Bearer {API_KEY} ", f" Bearer {API_KEY}", f"Bearer {API_KEY}\t"])
async def test_blanks_around_the_header_are_not_part_of_it(public: httpx.AsyncClient, padded: str) -> None:
    assert (await public.get(URL, headers={"Authorization": padded})).status_code == 400


async def test_of_two_headers_the_first_counts(public: httpx.AsyncClient) -> None:
    """A second header cannot take the place of the first."""
    good, bad = ("Authorization", f"Bearer {API_KEY}"), ("Authorization", "Bearer wrong")

    assert (await public.get(URL, headers=[good, bad])).status_code == 400
    assert (await public.get(URL, headers=[bad, good])).status_code == 401


@pytest.mark.parametrize(
    "where",
    [{"params": {"api_key": API_KEY}}, {"headers": {"x-api-key": API_KEY}}, {"cookies": {"Authorization": API_KEY}}],
)
async def test_key_is_taken_from_its_header_only(public: httpx.AsyncClient, where: dict[str, Headers]) -> None:
    """A key in an address, a cookie or another header is none."""
    public.cookies.update(where.get("cookies", {}))
    answer = await public.get(URL, params=where.get("params"), headers=where.get("headers"))

    assert answer.status_code == 401


@pytest.mark.parametrize("api_key", ["ключ", "a b", "é" * 200, "x"])
async def test_operator_key_may_be_any_text(settings: Settings, api_key: str) -> None:
    """Whatever text API_KEY is, a client that sends it as UTF-8 gets in."""
    app = create_app(msgspec.structs.replace(settings, api_key=api_key))
    async with (
        app.litestar.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as client,  # type: ignore[arg-type] # as above
    ):
        answer = await client.get(URL, headers={b"Authorization": f"Bearer {api_key}".encode()})

    assert answer.status_code == 400


async def test_without_an_operator_key_only_stored_keys_open(settings: Settings, connection: Connection) -> None:
    """A hub without API_KEY takes no empty key for it."""
    app = create_app(msgspec.structs.replace(settings, api_key=None))
    stored = await key(connection)
    async with (
        app.litestar.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as client,  # type: ignore[arg-type] # as above
    ):
        for headers in ({"Authorization": "Bearer "}, bearer("None"), {}):
            assert (await client.get(URL, headers=headers)).status_code == 401
        assert (await client.get(URL, headers=stored)).status_code == 400


async def test_stored_key_opens_and_is_kept_as_a_hash(public: httpx.AsyncClient, connection: Connection) -> None:
    """A key made by the operator opens the hub, and the database does not know its text."""
    headers = await key(connection)
    text = headers["Authorization"].removeprefix("Bearer ")
    (info,) = await keys.listed(connection)
    row = await connection.fetchval("select api_keys::text from api_keys")

    assert (await public.post(URL, headers=headers, json=make_record())).status_code == 201
    assert text.startswith(info.prefix)
    assert text not in row
    assert len(text) > 40


async def test_expired_key_opens_nothing(public: httpx.AsyncClient, connection: Connection) -> None:
    """A key ends when it was said to end."""
    past = await key(connection, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    future = await key(connection, expires_at=datetime.now(UTC) + timedelta(hours=1))

    assert (await public.get(URL, headers=past)).status_code == 401
    assert (await public.get(URL, headers=future)).status_code == 400


async def test_revoked_key_stops_working_within_seconds(
    public: httpx.AsyncClient, app: Edge, connection: Connection
) -> None:
    """A revocation is noticed as soon as what is remembered of the key is too old, which takes seconds at most."""
    keyring(app, ttl=0.05)
    headers = await key(connection)
    assert (await public.get(URL, headers=headers)).status_code == 400
    (info,) = await keys.listed(connection)
    await keys.revoke(connection, info.prefix)

    begun = time.monotonic()
    while (await public.get(URL, headers=headers)).status_code != 401:
        assert time.monotonic() < begun + 2
    assert TTL_SECONDS == 2  # as the page on keys says


async def test_warm_key_asks_no_database(public: httpx.AsyncClient, app: Edge, connection: Connection) -> None:
    """A key that was just seen is known, good or bad: it opens even while no connection is to be had."""
    keyring(app, ttl=60)
    warm, cold, wrong = await key(connection), await key(connection), bearer("wrong")
    assert [(await public.get(f"{URL}/x", headers=headers)).status_code for headers in (warm, wrong)] == [400, 401]
    async with hidden(connection, "api_keys"):
        answers = [await public.get(f"{URL}/x", headers=headers) for headers in (warm, wrong, cold)]

    assert [answer.status_code for answer in answers] == [400, 401, 500]


async def test_use_of_a_key_is_noted_to_the_minute(
    public: httpx.AsyncClient, app: Edge, connection: Connection
) -> None:
    """When a key was last used is kept, and written once a minute at most."""
    keyring(app, ttl=0)
    headers = await key(connection)

    async def noted(ago: str | None = None) -> tuple[datetime | None, str]:
        if ago:
            await connection.execute("update api_keys set last_used_at = now() - $1::text::interval", ago)
        await public.get(URL, headers=headers)
        row = await connection.fetchrow("select last_used_at, xmin::text from api_keys")
        assert row is not None
        return row["last_used_at"], row["xmin"]

    assert (await keys.listed(connection))[0].last_used_at is None
    first = await noted()
    assert first[0] is not None
    assert await noted() == first
    assert (await noted("50 seconds"))[0] < first[0]  # type: ignore[operator] # both are moments
    assert (await noted("61 seconds"))[0] >= first[0]  # type: ignore[operator] # both are moments


@pytest.mark.parametrize("held", [(), ("read",), ("write",), ("admin",), ("read", "write"), EVERYTHING])
async def test_missing_scope_is_named(
    public: httpx.AsyncClient, app: Edge, connection: Connection, held: tuple[str, ...]
) -> None:
    """Every route of the API asks for one scope, and a key that lacks it is told which."""
    headers = await key(connection, *held) if held else await key(connection, "read")
    held = held or ("read",)
    for path, method, handler in openapi.routes(app.litestar):
        scope = openapi.operation(handler).scope
        if scope is None:
            continue
        answer = await public.request(method, filled(path), headers=headers)
        if scope in held:
            assert answer.status_code not in (401, 403), (method, path)
        else:
            assert answer.status_code == 403, (method, path)
            assert (answer.json()["code"], answer.json()["detail"]) == (
                "forbidden",
                f"This key lacks the scope {scope}",
            )


# Keys of one tenant.


async def test_bound_key_may_leave_its_tenant_out(public: httpx.AsyncClient, connection: Connection) -> None:
    """A key of one tenant need not name it: it stores, lists, counts and erases there."""
    headers = await key(connection, tenant_id="acme")
    operator = bearer(API_KEY)
    await public.post(URL, headers=operator, json=make_record(tenant_id="other", user_id="u"))

    created = await public.post(URL, headers=headers, json=make_record(tenant_id=..., user_id="u"))
    assert (created.status_code, created.json()["tenant_id"]) == (201, "acme")
    again = await public.post(URL, headers=headers, json=make_record(tenant_id=" acme "))
    assert (again.status_code, again.json()["details"]) == (409, {"id": created.json()["id"]})
    for query in ("", "?tenant_id=acme", "?tenant_id="):
        assert (await public.get(f"{URL}{query}", headers=headers)).json()["data"] == [created.json()]
        assert (await public.get(f"{URL}/count{query}", headers=headers)).json() == {"count": 1}
    assert (await public.delete(f"{URL}?user_id=u", headers=headers)).json()["deleted_count"] == 1
    assert (await public.get(f"{URL}/count?tenant_id=other", headers=operator)).json() == {"count": 1}


async def test_bound_key_does_not_loosen_a_body(public: httpx.AsyncClient, connection: Connection) -> None:
    """A tenant that is sent must be a tenant, whoever sends it."""
    headers = await key(connection, tenant_id="acme")

    for wrong in ("", " ", None, 5):
        answer = await public.post(URL, headers=headers, json=make_record(tenant_id=wrong))
        assert [fault["name"] for fault in answer.json()["invalid_params"]] == ["tenant_id"]


async def test_another_tenant_is_forbidden_and_its_records_do_not_exist(
    public: httpx.AsyncClient, connection: Connection
) -> None:
    """Naming another tenant is 403; the id of its record is as unknown as any other."""
    headers = await key(connection, tenant_id="acme")
    other = (await public.post(URL, headers=bearer(API_KEY), json=make_record(tenant_id="other", user_id="u"))).json()

    for answer in (
        await public.post(URL, headers=headers, json=make_record(tenant_id="other")),
        await public.get(f"{URL}?tenant_id=other", headers=headers),
        await public.get(f"{URL}/count?tenant_id=other", headers=headers),
        await public.delete(f"{URL}?user_id=u&tenant_id=other", headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    for method in ("GET", "PATCH", "DELETE"):
        answers = [
            await public.request(method, f"{URL}/{found}", headers=headers, content=b'{"value_text":"x"}')
            for found in (other["id"], uuid4())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        theirs, nobodys = (
            {name: value for name, value in answer.json().items() if name not in ("instance", "request_id")}
            for answer in answers
        )
        assert theirs == nobodys
    assert (await public.get(f"{URL}/{other['id']}", headers=bearer(API_KEY))).json() == other


async def test_key_that_is_too_long_with_the_bound_tenant(public: httpx.AsyncClient, connection: Connection) -> None:
    """The tenant of the key counts towards the bytes of a record's key like one that was sent."""
    headers = await key(connection, tenant_id="😀" * 255)
    longest = make_record(tenant_id=..., submission_id="😀" * 255, field_id="😀" * 150)

    answer = await public.post(URL, headers=headers, json=longest)
    assert [fault["name"] for fault in answer.json()["invalid_params"]] == ["tenant_id", "submission_id", "field_id"]


# Every route there is.

PUBLIC = {
    "/", "/health", "/ready", "/openapi.json", "/openapi.yaml", "/docs", "/problems", "/problems/{slug:str}", "/assets/{file_path:path}",
    # They ask for a cookie: tests/dashboard/test_session.py.
    "/records", "/export", "/sign-in", "/sign-out",
}  # fmt: skip

# They ask for secrets of their own, and for no key of the hub.
ELSEWHERE = {
    "/hooks/{connection:str}/{token:str}", "/api/responses", "/api/v1/management/responses", "/api/v2/management/responses",
}  # fmt: skip

SECRET = "what-other-said"
SURVEY = json.dumps(
    {"id": "sv", "name": SECRET, "questions": [{"id": "q", "type": "openText", "headline": {"default": SECRET}}]}
).encode()
RESPONSE = json.dumps(
    {"id": "r1", "surveyId": "sv", "createdAt": "2026-08-20T09:00:00Z", "updatedAt": "2026-08-20T09:01:00Z", "finished": True,
     "data": {"q": "mine"}}
).encode()  # fmt: skip
OWN = json.dumps(make_record(tenant_id=..., submission_id="r1", field_id="q")).encode()
CONNECTION = b'{"source": "formbricks", "tenant_id": "acme", "name": "mine"}'
THEIRS = json.dumps(make_record(tenant_id="other", field_id="q2")).encode()

Attempt = tuple[str, bytes | None, int]

# How a key of acme, with every scope, may try to reach the tenant `other` by each route: address, body, what it gets.
# `{id}` is a record of `other`. A new route under /v1 has to be added here, or this test fails.
ATTEMPTS: dict[tuple[str, str], list[Attempt]] = {
    ("POST", "/v1/feedback-records"): [
        ("", THEIRS, 403),
        ("?tenant_id=other", OWN, 201),
        ("", THEIRS.replace(b'"other"', b'" other "'), 403),
    ],
    ("GET", "/v1/feedback-records"): [
        ("", None, 200),
        ("?tenant_id=other", None, 403),
        ("?tenant_id=+other+", None, 403),
        ("?tenant_id=&tenant_id=other", None, 400),
        ("?tenant_id=acme&tenant_id=other", None, 200),
        ("?tenant%5Fid=other", None, 403),
        ("?user_id=u&Tenant_id=other", None, 200),
    ],
    ("GET", "/v1/feedback-records/count"): [("?tenant_id=other", None, 403), ("", None, 200)],
    ("GET", "/v1/feedback-records/export"): [
        ("", None, 200),
        ("?format=ndjson&tenant_id=other", None, 403),
        ("?columns=id&tenant_id=acme&tenant_id=other", None, 400),
    ],
    **{
        ("GET", f"/v1/analytics/{metric}"): [
            ("?tenant_id=other", None, 403),
            ("?tenant_id=acme&tenant_id=other", None, 400),
            ("?group_by=user_id", None, 200),
            ("?group_by=answer:q", None, 200),
        ]
        for metric in ("nps", "csat", "ces", "rating", "number", "boolean", "categorical", "volume")
    },
    ("GET", "/v1/analytics/completion"): [("?tenant_id=other", None, 403), ("?group_by=form_id", None, 200)],
    ("GET", "/v1/analytics/fields"): [("?tenant_id=other", None, 403), ("", None, 200)],
    ("GET", "/v1/analytics/ranking"): [
        ("?field_group_id=g&tenant_id=other", None, 403),
        ("?field_group_id=g", None, 200),
    ],
    ("GET", "/v1/changes"): [("", None, 200), ("?tenant_id=other", None, 403), ("?tenant_id=acme&limit=1", None, 200)],
    ("GET", "/v1/feedback-records/search"): [("?tenant_id=other", None, 403), ("?q=x", None, 200)],
    ("GET", "/v1/analytics/terms"): [("?tenant_id=other", None, 403), ("", None, 200)],
    ("DELETE", "/v1/feedback-records"): [
        ("?user_id=u", None, 200),
        ("?user_id=u&tenant_id=other", None, 403),
        ("?user_id=u&tenant_id=acme&tenant_id=other", None, 400),
    ],
    ("GET", "/v1/feedback-records/{id:str}"): [("{id}", None, 404), ("{id}?tenant_id=other", None, 404)],
    ("PATCH", "/v1/feedback-records/{id:str}"): [("{id}", b'{"value_text":"x"}', 404), ("{id}", b"{}", 404)],
    ("DELETE", "/v1/feedback-records/{id:str}"): [("{id}", None, 404), ("{id}?tenant_id=other", None, 404)],
    ("GET", "/v1/sources"): [("", None, 200), ("?tenant_id=other", None, 200)],
    ("GET", "/v1/sources/{source:str}/forms"): [("formbricks/forms", None, 200), ("formbricks/forms?tenant_id=other", None, 403)],
    ("GET", "/v1/sources/{source:str}/forms/{form_id:str}"): [
        ("formbricks/forms/sv", None, 404),
        ("formbricks/forms/sv?tenant_id=other", None, 403),
    ],
    ("PUT", "/v1/sources/{source:str}/forms/{form_id:str}"): [
        ("formbricks/forms/sv", SURVEY.replace(SECRET.encode(), b"mine"), 200),
        ("formbricks/forms/sv?tenant_id=other", SURVEY, 403),
    ],
    ("POST", "/v1/sources/{source:str}/responses"): [
        ("formbricks/responses", RESPONSE, 200),
        ("formbricks/responses?tenant_id=other", RESPONSE, 403),
    ],
    ("GET", "/v1/submissions"): [
        ("", None, 200),
        ("?tenant_id=other", None, 403),
        ("?tenant_id=+other+", None, 403),
        ("?tenant_id=&tenant_id=other", None, 400),
        ("?tenant_id=acme&tenant_id=other", None, 200),
    ],
    # Both tenants have a submission of this name.
    ("GET", "/v1/submissions/{submission_id:str}"): [
        ("r1?payload=true", None, 200),
        ("r1?tenant_id=other", None, 403),
        ("r1?payload=true&tenant_id=other", None, 403),
    ],
    ("DELETE", "/v1/tenants/{tenant_id:str}/data"): [("other/data", None, 403), ("%20other/data?tenant_id=acme", None, 403)],
    ("DELETE", "/v1/tenants/{tenant_id:str}/feedback-records"): [("other/feedback-records", None, 403)],
    ("POST", "/v1/connections"): [("", CONNECTION, 201), ("", CONNECTION.replace(b"acme", b"other"), 403)],
    ("GET", "/v1/connections"): [("", None, 200), ("?tenant_id=other", None, 403), ("?source=formbricks", None, 200)],
    ("GET", "/v1/connections/{id:str}"): [("{connection}", None, 404), ("{connection}?tenant_id=other", None, 404)],
    ("PATCH", "/v1/connections/{id:str}"): [("{connection}", b'{"name":"x"}', 404)],
    ("POST", "/v1/connections/{id:str}/hook"): [("{connection}/hook", None, 404)],
    ("DELETE", "/v1/connections/{id:str}"): [("{connection}", None, 404)],
    ("POST", "/v1/feedback-records/batch"): [
        ("", b"[%b]" % THEIRS, 422),
        ("", b"[%b]" % OWN.replace(b'"r1"', b'"r2"'), 200),
        ("?on_conflict=update&tenant_id=other", b"[%b]" % THEIRS, 403),
        ("?tenant_id=acme", b"[%b]" % THEIRS, 422),
    ],
    ("GET", "/v1/batches/{id:str}"): [("{batch}", None, 404), ("{batch}?tenant_id=other", None, 404)],
    ("POST", "/v1/batches/{id:str}/undo"): [("{batch}/undo", None, 404)],
    ("GET", "/v1/rejects"): [
        ("", None, 200),
        ("?batch_id={batch}", None, 200),
        ("?tenant_id=other", None, 403),
        ("?format=ndjson", None, 200),
    ],
    ("POST", "/v1/rejects/{id:str}/retry"): [("{reject}/retry", None, 404), ("{reject}/retry", OWN, 404)],
    ("DELETE", "/v1/rejects/{id:str}"): [("{reject}", None, 404)],
}  # fmt: skip


def filled(path: str) -> str:
    """A path with something in the place of each parameter."""
    for parameter in ("{source:str}", "{form_id:str}", "{file_path:path}"):
        path = path.replace(parameter, "formbricks")
    return path.replace("{id:str}", str(uuid4())).replace("{", "").replace("}", "").replace(":str", "")


async def test_every_route_asks_for_a_key(public: httpx.AsyncClient, app: Edge) -> None:
    """Without a key everything is 401, a short named list excepted; so is what does not exist under /v1."""
    routes = {(method, path) for path, method, _ in openapi.routes(app.litestar)}

    assert {path for _, path in routes if not path.startswith("/v1/")} == PUBLIC | ELSEWHERE
    for method, path in sorted(routes):
        answer = await public.request(method, filled(path))
        # Signing in takes a key from a form.
        asks = path not in PUBLIC or (method, path) == ("POST", "/sign-in")
        assert (answer.status_code == 401) == asks, (method, path)
    for method, path in (
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/nothing"),
        ("OPTIONS", URL),
        ("PUT", URL),
        ("GET", f"{URL}/"),
        ("GET", "/%761/x"),
    ):
        answer = await public.request(method, path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path)


async def test_no_route_lets_a_bound_key_reach_another_tenant(
    public: httpx.AsyncClient, app: Edge, connection: Connection
) -> None:
    """A key of one tenant neither sees nor touches another one's data by any route, in any way that was thought of."""
    routes = {
        (method, path): handler for path, method, handler in openapi.routes(app.litestar) if path.startswith("/v1")
    }
    unbuilt = {route for route, handler in routes.items() if openapi.operation(handler).tag == "not built"}
    assert set(ATTEMPTS) == set(routes) - unbuilt, "each route has to say how another tenant might be reached by it"

    operator, bound = bearer(API_KEY), await key(connection, tenant_id="acme")
    record = make_record(tenant_id="other", user_id="u", value_text=SECRET, field_label=SECRET)
    stored = await public.post(URL, headers=operator, json=record)
    for method, url, body in (
        ("PUT", "forms/sv", SURVEY),
        ("POST", "responses", RESPONSE.replace(b'"mine"', f'"{SECRET}"'.encode())),
    ):
        answer = await public.request(
            method, f"/v1/sources/formbricks/{url}?tenant_id=other", headers=operator, content=body
        )
        assert answer.status_code == 200, answer.text
    batch = await public.post(f"{URL}/batch", headers=operator, json=[{**record, "value_number": "9"}])
    assert batch.status_code == 422, batch.text
    rejects = await public.get("/v1/rejects?tenant_id=other", headers=operator)
    connected = await public.post(
        "/v1/connections", headers=operator, json={"source": "formbricks", "tenant_id": "other", "name": SECRET}
    )
    ids = {
        "{connection}": connected.json()["id"],
        "{id}": stored.json()["id"],
        "{batch}": batch.json()["batch_id"],
        "{reject}": rejects.json()["data"][0]["id"],
    }

    async def theirs() -> list[str]:
        return [
            row[0]
            for table in ("feedback_records", "forms", "submissions", "rejects", "erasures", "connections")
            for row in await connection.fetch(f"select t::text from {table} as t where tenant_id = 'other' order by 1")
        ]

    before = await theirs()
    assert len(before) >= 4
    assert all(SECRET in row for row in before)
    for (method, path), attempts in ATTEMPTS.items():
        base = path.split("{", 1)[0]
        for tail, content, status in attempts:
            url = base + re.sub("{\\w+}", lambda match: ids[match[0]], tail)
            answer = await public.request(method, url, headers=bound, content=content)
            assert answer.status_code == status, (method, url, answer.text)
            assert SECRET not in answer.text, (method, url)
            assert await theirs() == before, (method, url)
    for method, path in sorted(unbuilt):
        answer = await public.request(method, filled(path) + "?tenant_id=other", headers=bound)
        assert answer.status_code == 503, (method, path)
    assert await theirs() == before
