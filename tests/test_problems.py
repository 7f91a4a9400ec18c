"""One shape for every failure of every route."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias, get_args
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from hub.api import openapi, problems
from hub.api.edge import Edge
from hub.app import create_app
from hub.settings import Settings
from tests.conftest import API_KEY, make_record

URL = "/v1/feedback-records"
NOBODY = UUID("018e1234-5678-7abc-8ef0-123456789abc")
ORDER = [
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "details",
    "invalid_params",
    "limit",
    "actual",
]
# Slug, title and status of the published document; the others are our own.
PUBLISHED = {
    "validation": ("validation", "Validation Error", 400),
    "bad_request": ("bad-request", "Bad Request", 400),
    "unauthorized": ("unauthorized", "Unauthorized", 401),
    "forbidden": ("forbidden", "Forbidden", 403),
    "not_found": ("not-found", "Not Found", 404),
    "method_not_allowed": ("method-not-allowed", "Method Not Allowed", 405),
    "conflict": ("conflict", "Conflict", 409),
    "tenant_write_conflict": ("tenant-write-conflict", "Conflict", 409),
    "content_too_large": ("content-too-large", "Request Entity Too Large", 413),
    "internal_server_error": ("internal-server-error", "Internal Server Error", 500),
    "service_unavailable": ("service-unavailable", "Service Unavailable", 503),
}

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, object]


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    """The problem document, after what holds for all of them was checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found: Json = json.loads(answer.content)
    assert list(found) == [name for name in ORDER if name in found]
    assert {"type", "title", "status", "code", "request_id", "instance", "detail"} <= set(found)
    assert (found["status"], found["code"]) == (status, code)
    assert found["type"] == f"https://hub.formbricks.com/problems/{code.replace('_', '-')}"
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["code"] in get_args(problems.Code)
    assert ("invalid_params" in found) == (code == "validation")
    if code in PUBLISHED:
        assert (str(found["type"]).rsplit("/", 1)[1], found["title"], status) == PUBLISHED[code]
    return found


@asynccontextmanager
async def served(app: Edge, *, key: str | None = API_KEY, raising: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.litestar.lifespan(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=raising),  # type: ignore[arg-type] # httpx writes the types of ASGI its own way
            base_url="http://hub.test",
            headers={"Authorization": f"Bearer {key}"} if key else {},
        ) as client,
    ):
        yield client


@asynccontextmanager
async def hidden(connection: Connection, *tables: str) -> AsyncIterator[None]:
    """A database that is not as the code expects it; the tables come back, because not every database is thrown away."""
    for table in tables:
        await connection.execute(f"alter table {table} rename to hidden_{table}")
    try:
        yield
    finally:
        for table in tables:
            await connection.execute(f"alter table hidden_{table} rename to {table}")


def filled(path: str) -> str:
    """A path with something in the place of each parameter."""
    for parameter in ("{source:str}", "{form_id:str}", "{file_path:path}", "{slug:str}"):
        path = path.replace(parameter, "formbricks")
    return path.replace("{id:str}", str(NOBODY)).replace("{", "").replace("}", "").replace(":str", "")


# The document.


def test_every_kind_is_published_or_named_by_the_contract() -> None:
    """The codes of the published document, and the three that are ours; each is one kind with its own title and page."""
    kinds = {kind.code: (kind.slug(), kind.title(), kind.status) for kind in problems.KINDS}
    own = {"unsupported_media_type": 415, "rate_limited": 429, "unprocessable": 422}

    assert {code: kind for code, kind in kinds.items() if code in PUBLISHED} == PUBLISHED
    assert {code: status for code, (_, _, status) in kinds.items() if code not in PUBLISHED} == own
    assert set(kinds) == set(get_args(problems.Code))
    assert all((kind.__doc__ or "").count("\n\n") >= 1 for kind in problems.KINDS)


async def test_documented_answer_to_an_empty_record(client: httpx.AsyncClient) -> None:
    """The whole document of a refused record, member by member."""
    answer = await client.post(URL, json={}, headers={"X-Request-ID": "rid-1"})

    assert problem(answer, 400, "validation") == {
        "type": "https://hub.formbricks.com/problems/validation",
        "title": "Validation Error",
        "status": 400,
        "detail": "One or more request parameters are invalid",
        "instance": URL,
        "code": "validation",
        "request_id": "rid-1",
        "invalid_params": [
            {"name": name, "reason": "is required"}
            for name in ("source_type", "field_id", "field_type", "tenant_id", "submission_id")
        ],
    }


async def test_members_of_a_document_have_an_order(client: httpx.AsyncClient) -> None:
    """A document with details has them behind the request id."""
    await client.post(URL, json=make_record())
    found = problem(await client.post(URL, json=make_record()), 409, "conflict")

    assert list(found) == ORDER[: ORDER.index("invalid_params")]


async def test_type_can_be_hosted_elsewhere(settings: Settings) -> None:
    """Who runs a hub may have the types of problems begin with an address of their own."""
    app = create_app(msgspec.structs.replace(settings, problem_base_url="https://hub.example/p/"))
    async with served(app) as client:
        assert (await client.get(f"{URL}/xyz")).json()["type"] == "https://hub.example/p/validation"


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        (f"{URL}/x?tenant_id=acme", f"{URL}/x"),
        (f"{URL}/%20a%2Fb%C3%A9", f"{URL}/ a/bé"),
        (f"{URL}/%2541", f"{URL}/%41"),
        (f"{URL}/%ff", f"{URL}/\ufffd"),
        (f"{URL}/%22%3Cb%3E%0A", f'{URL}/"<b>\n'),
    ],
)
async def test_instance_is_the_path_decoded_once(client: httpx.AsyncClient, path: str, instance: str) -> None:
    """The instance is the path of the request, percent-decoded, without the query."""
    assert problem(await client.get(path), 400, "validation")["instance"] == instance


@pytest.mark.parametrize("slug", [kind.slug() for kind in problems.KINDS])
async def test_every_problem_is_explained(client: httpx.AsyncClient, slug: str) -> None:
    """The page of a problem is for everybody, says what it is, and loads nothing from elsewhere."""
    answer = await client.get(f"/problems/{slug}", headers={"Authorization": ""})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert slug.replace("-", "_") in answer.text
    assert "://" not in answer.text


# The ways to fail.


async def test_every_route_refuses_a_wrong_method(client: httpx.AsyncClient, app: Edge) -> None:
    """A method that a route does not have is 405, with all that it has in the alphabet's order; HEAD comes with GET."""
    allowed: dict[str, set[str]] = {}
    for path, method, _ in openapi.routes(app.litestar):
        if not path.startswith("/assets"):
            allowed.setdefault(path, set()).update({method, "HEAD"} if method == "GET" else {method})

    for path, methods in allowed.items():
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} - methods):
            answer = await client.request(method, filled(path))
            problem(answer, 405, "method_not_allowed")
            assert answer.headers["allow"] == ", ".join(sorted(methods)), (method, path)
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_allow_of_the_collection(client: httpx.AsyncClient) -> None:
    """The collection's methods as the published document lists them; literal neighbors of an id have their own."""
    for path, allow in (
        (URL, "DELETE, GET, HEAD, POST"),
        ("/health", "GET, HEAD"),
        (f"{URL}/count", "GET, HEAD"),
        (f"{URL}/search/semantic", "POST"),
    ):
        answer = await client.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)


async def test_every_route_refuses_a_missing_key(app: Edge) -> None:
    """Every refusal for want of a key has the same shape and asks for the same scheme."""
    async with served(app, key=None) as client:
        for path, method, handler in openapi.routes(app.litestar):
            if openapi.operation(handler).scope is not None:
                answer = await client.request(method, filled(path))
                assert problem(answer, 401, "unauthorized")["detail"] == "Missing Authorization header"
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    [
        "/x", "/v1", "/v1/", "/v1/x", "/health/", f"{URL}/", "/v1/webhooks/", f"{URL}/{NOBODY}/", f"{URL}/{NOBODY}/x", "/openapi",
        "/problems/", "/problems/x", "/assets/x", "/assets/..%2fapp.py", "/v1%2Ffeedback-records", "/HEALTH", "/v1/tenants//settings/x",
    ],
)  # fmt: skip
async def test_unknown_path_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    """What is no route is 404 in the one shape; a slash at the end makes it none."""
    answer = await client.get(path, follow_redirects=True)

    problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("//health", "/health"),
        ("/v1//feedback-records?tenant_id=a&x=%2F", "/v1/feedback-records?tenant_id=a&x=%2F"),
        ("/v1/./feedback-records", "/v1/feedback-records"),
        ("/v1/x/../feedback-records", "/v1/feedback-records"),
        ("/v1/feedback-records//", "/v1/feedback-records/"),
        ("/../../health", "/health"),
        ("//evil.example/x", "/evil.example/x"),
    ],
)
async def test_untidy_path_is_redirected(app: Edge, path: str, location: str) -> None:
    """Doubled slashes and dots lead to the clean path of the same host, key or not, with the query as it was."""
    scope_path, _, query = path.partition("?")
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": scope_path,
        "raw_path": scope_path.encode(),
        "query_string": query.encode(),
        "headers": [],
    }
    await app(scope, receive, send)  # type: ignore[arg-type] # as plain as a server of another kind would call it

    headers = dict(sent[0]["headers"])  # type: ignore[call-overload] # pairs of bytes
    assert (sent[0]["status"], headers[b"location"]) == (307, location.encode())
    assert b"x-request-id" in headers


async def test_escaped_slash_stays_in_its_segment(client: httpx.AsyncClient) -> None:
    """A tenant with a slash in its name is one segment of a path."""
    found = problem(await client.get("/v1/tenants/a%2Fb/settings"), 503, "service_unavailable")

    assert found["instance"] == "/v1/tenants/a/b/settings"


@pytest.mark.parametrize(
    "path", ["/health", "/openapi.json", "/docs", f"{URL}?tenant_id=acme", f"{URL}/count", f"{URL}/xyz", "/x", "/v1/x"]
)
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    """Where GET answers HEAD answers the same without the body, failures included."""
    got = await client.get(path, headers={"X-Request-ID": "r"})
    head = await client.head(path, headers={"X-Request-ID": "r"})

    assert head.content == b""
    assert (head.status_code, head.headers) == (got.status_code, got.headers)


async def test_options_is_a_method_like_any_other(client: httpx.AsyncClient) -> None:
    """Nothing is said about other origins: a preflight with a key is 405."""
    answer = await client.options(URL, headers={"Origin": "https://a.example", "Access-Control-Request-Method": "GET"})

    problem(answer, 405, "method_not_allowed")
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_unbuilt_routes_say_so(client: httpx.AsyncClient, app: Edge) -> None:
    """What the hub does not have yet is an honest 503, whatever the request looks like."""
    for path, method, handler in openapi.routes(app.litestar):
        if openapi.operation(handler).tag == "not built":
            answer = await client.request(method, filled(path), content=b"{nonsense")
            assert "not available" in str(problem(answer, 503, "service_unavailable")["detail"])
            assert "retry-after" not in answer.headers


async def test_too_large_is_told_by_every_route_that_reads(client: httpx.AsyncClient, app: Edge) -> None:
    """A body beyond the limit is 413 on every route that reads one. Hooks ask first who delivers: `tests/api/test_hooks.py`."""
    for path, method, handler in openapi.routes(app.litestar):
        found = openapi.operation(handler)
        if 413 in found.problems and not path.startswith("/hooks/"):
            answer = await client.request(method, filled(path) + "?tenant_id=acme", content=b" " * (33 * 2**20))
            problem(answer, 413, "content_too_large")


# Request ids.


async def test_request_id_is_made_where_there_is_none(client: httpx.AsyncClient) -> None:
    """Every answer carries an id, of version 7 where the client sent none or an empty one."""
    for headers in ({}, {"X-Request-ID": ""}):
        for path in ("/health", f"{URL}?tenant_id=acme", f"{URL}/xyz", "/x", "/v1//x"):
            assert UUID((await client.get(path, headers=headers)).headers["x-request-id"]).version == 7


@pytest.mark.parametrize(
    "request_id", ["rid-1", " spaced ".strip(), "a" * 4000, '"quoted", {json}', "\x7e!#$%&'*+-.^_`|"]
)
async def test_request_id_comes_back_as_it_was_sent(client: httpx.AsyncClient, request_id: str) -> None:
    """An id that was sent is echoed as it is, in the header and in the problem."""
    for path in ("/health", f"{URL}/xyz", "/v1//x"):
        answer = await client.get(path, headers={"X-Request-ID": request_id})
        assert answer.headers.get_list("x-request-id") == [request_id]
    assert (
        problem(await client.get("/x", headers={"X-Request-ID": request_id}), 404, "not_found")["request_id"]
        == request_id
    )


async def test_request_id_of_odd_bytes_comes_back(client: httpx.AsyncClient) -> None:
    """An id of bytes that are no ASCII is echoed byte by byte."""
    answer = await client.get("/x", headers={b"X-Request-ID": "é".encode()})

    assert [value for name, value in answer.headers.raw if name.lower() == b"x-request-id"] == ["é".encode()]
    assert answer.status_code == 404


# The hub's own failures.

# Each needs the database; a new route under /v1 that does not is listed here with the others.
WITHOUT_DATABASE = {"/v1/sources"}


async def test_unknown_failure_is_a_500_that_leaks_nothing(
    client: httpx.AsyncClient, app: Edge, connection: Connection
) -> None:
    """A database that is not as the code expects it fails every route that uses it, in the one shape, without a word of the cause."""
    record, payload = (
        make_record(user_id="u"),
        {"id": "r", "surveyId": "s", "data": {}, "createdAt": "2026-01-01T00:00:00Z", "finished": True},
    )
    bodies: dict[str, object] = {
        "POST /v1/feedback-records": record,
        "POST /v1/feedback-records/batch": [record],
        "PATCH /v1/feedback-records/{id:str}": {"value_text": "x"},
        "POST /v1/sources/{source:str}/responses": payload,
        "PUT /v1/sources/{source:str}/forms/{form_id:str}": {"id": "formbricks", "questions": []},
        "POST /v1/connections": {"source": "satismeter", "tenant_id": "acme", "name": "SatisMeter", "credentials": {}},
        "PATCH /v1/connections/{id:str}": {"name": "Another"},
    }
    queries = {
        f"DELETE {URL}": "?user_id=u",
        "GET /v1/analytics/ranking": "?tenant_id=acme&field_group_id=g",
    }
    async with hidden(connection, "feedback_records", "submissions", "forms", "batches", "rejects", "connections"):
        for path, method, handler in openapi.routes(app.litestar):
            if not path.startswith("/v1/") or path in WITHOUT_DATABASE or openapi.operation(handler).tag == "not built":
                continue
            name = f"{method} {path}"
            query = queries.get(name, "" if "{id" in path else "?tenant_id=acme")
            body = bodies.get(name)
            answer = await client.request(method, filled(path) + query, json=body)
            found = problem(answer, 500, "internal_server_error")
            assert found["detail"] == "An unexpected error occurred", (method, path)
            assert "hidden" not in answer.text
            assert "relation" not in answer.text


async def test_full_pool_is_an_answer(settings: Settings) -> None:
    """When no connection comes free in time the client is told to come back, and served when one is."""
    app = create_app(msgspec.structs.replace(settings, database_max_conns=1, database_acquire_timeout_seconds=0.1))
    async with served(app) as client:
        pool = app.litestar.state.pool
        async with pool.acquire(), pool.acquire_planned():
            answers = await asyncio.gather(
                client.get(f"{URL}?tenant_id=acme"),
                client.get(f"{URL}?tenant_id=acme&field_id=q1"),
                client.post(URL, json=make_record()),
                client.patch(f"{URL}/{NOBODY}", json={"value_number": 1}),
                client.get(f"{URL}/{NOBODY}"),
                client.get("/ready"),
            )
            for answer in answers:
                problem(answer, 503, "service_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
            assert (await client.get("/health")).text == "OK"
        assert (await client.post(URL, json=make_record())).status_code == 201


async def test_posts_behind_a_lock_are_answered(settings: Settings, connection: Connection) -> None:
    """Posts that nothing can store at the moment do not wait for ever: the client is told to come back."""
    app = create_app(
        msgspec.structs.replace(settings, database_acquire_timeout_seconds=0.1, database_statement_timeout_seconds=2)
    )
    async with served(app) as client:
        async with connection.transaction():
            await connection.execute("lock table feedback_records in access exclusive mode")
            answers = await asyncio.gather(
                *(client.post(URL, json=make_record(submission_id=f"s{n}")) for n in range(300))
            )
        for answer in answers:
            problem(answer, 503, "service_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert (await client.post(URL, json=make_record())).status_code == 201


async def test_slow_statement_is_an_answer(settings: Settings, connection: Connection) -> None:
    """A statement that takes too long is canceled, and the client is told to come back."""
    app = create_app(msgspec.structs.replace(settings, database_statement_timeout_seconds=0.1))
    async with served(app) as client:
        async with connection.transaction():
            await connection.execute("lock table feedback_records in access exclusive mode")
            answer = await client.get(f"{URL}?tenant_id=acme")
            problem(answer, 503, "service_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert (await client.get(f"{URL}?tenant_id=acme")).status_code == 200


class Wire:
    """A TCP line to the database that can be cut and mended."""

    def __init__(self, dsn: str) -> None:
        self._url = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        credentials = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{credentials}@127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._pipes)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        self._writers |= {writer, far_writer}
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pipe(source, target))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    @staticmethod
    async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.transport.abort()


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Wire]:
    wire = Wire(dsn)
    await wire.mend()
    yield wire
    await wire.cut()


async def test_absent_database_is_an_answer_and_comes_back(settings: Settings, wire: Wire) -> None:
    """While Postgres is gone every request that needs it is 503, and when it is back the hub is too, without a restart."""
    app = create_app(msgspec.structs.replace(settings, database_url=wire.dsn))
    async with served(app) as client:
        stored = await client.post(URL, json=make_record())
        assert stored.status_code == 201
        for _ in range(2):
            await wire.cut()
            for answer in (
                await client.get(f"{URL}?tenant_id=acme"),
                await client.post(URL, json=make_record(submission_id="s2")),
                await client.get("/ready"),
                await client.get(URL, params={"tenant_id": "acme"}, headers={"Authorization": "Bearer unknown"}),
            ):
                problem(answer, 503, "service_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
            assert (await client.get("/health")).status_code == 200
            await wire.mend()
            assert (await client.get(f"{URL}/{stored.json()['id']}")).json() == stored.json()
            assert (await client.get("/ready")).json() == {"status": "ready", "queue": "attended"}


async def test_database_that_goes_away_under_a_request(settings: Settings, wire: Wire, connection: Connection) -> None:
    """A connection that breaks while a statement runs is a 503 too."""
    app = create_app(msgspec.structs.replace(settings, database_url=wire.dsn))
    async with served(app) as client, connection.transaction():
        await connection.execute("lock table feedback_records in access exclusive mode")
        waiting = asyncio.create_task(client.get(f"{URL}?tenant_id=acme"))
        while not await connection.fetchval(
            "select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())"
        ):
            pass
        await wire.cut()

        problem(await waiting, 503, "service_unavailable")


async def test_start_without_a_database(settings: Settings, wire: Wire) -> None:
    """A hub whose database is not there yet starts, says so, and serves as soon as it can."""
    dsn = wire.dsn
    await wire.cut()
    async with served(create_app(msgspec.structs.replace(settings, database_url=dsn))) as client:
        problem(await client.get("/ready"), 503, "service_unavailable")
        await wire.mend()
        assert (await client.get("/ready")).status_code == 200


async def test_unmigrated_database_is_not_ready(settings: Settings, empty_dsn: str) -> None:
    """A database without its tables is reachable, not ready, and the answer says what to do."""
    async with served(create_app(msgspec.structs.replace(settings, database_url=empty_dsn))) as client:
        assert "hub migrate" in str(problem(await client.get("/ready"), 503, "service_unavailable")["detail"])
