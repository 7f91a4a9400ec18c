"""One line a request, and never a body or a value in it."""

import json
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from hub.db import keys
from tests.conftest import API_KEY, make_record
from tests.process import serving
from tests.test_problems import hidden

URL = "/v1/feedback-records"
MARKER = "xyzzy-private"
FIELDS = {"event", "log_level", "method", "route", "status", "code", "ms", "key", "tenant", "request_id"}

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def lines(client: httpx.AsyncClient, method: str, url: str, **request: object) -> list[EventDict]:
    """What one request writes to the log."""
    with capture_logs() as logged:
        await client.request(method, url, **request)  # type: ignore[arg-type] # passed on as it came
    return logged


async def line(client: httpx.AsyncClient, method: str, url: str, **request: object) -> EventDict:
    """The one line of a request."""
    (logged,) = await lines(client, method, url, **request)
    assert logged["event"] == "request"
    assert set(logged) >= FIELDS
    assert isinstance(logged["ms"], float)
    return logged


async def test_request_is_one_line(client: httpx.AsyncClient) -> None:
    """A request leaves its method, its route, its status, its time, its key, its tenant and its id."""
    logged = await line(client, "POST", URL, json=make_record(), headers={"X-Request-ID": "rid-1"})

    assert set(logged) == FIELDS
    assert {name: logged[name] for name in FIELDS - {"ms"}} == {
        "event": "request", "log_level": "info", "method": "POST", "route": URL, "status": 201, "code": None, "key": "API_KEY",
        "tenant": "acme", "request_id": "rid-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/health", ("/health", 200, None)),
        ("HEAD", "/health", ("/health", 200, None)),
        ("GET", f"{URL}/xyz?a=b", (f"{URL}/{{id}}", 400, "validation")),
        ("DELETE", f"{URL}/018e1234-5678-7abc-8ef0-123456789abc", (f"{URL}/{{id}}", 404, "not_found")),
        ("PUT", URL, (URL, 405, "method_not_allowed")),
        ("GET", "/v1/x", (None, 404, "not_found")),
        ("GET", "/v1/tenants/a%2Fb/settings", ("/v1/tenants/{tenant_id}/settings", 503, "service_unavailable")),
        ("GET", "/v1//x", (None, 307, None)),
    ],
)
async def test_line_has_the_pattern_and_not_the_path(
    client: httpx.AsyncClient, method: str, url: str, expected: tuple[str | None, int, str | None]
) -> None:
    """Every outcome is logged, with the pattern of the route and the code of the problem."""
    logged = await line(client, method, url)

    assert logged["method"] == method
    assert (logged["route"], logged["status"], logged["code"]) == expected


async def test_counts_are_logged(client: httpx.AsyncClient) -> None:
    """How many records were listed or deleted is part of the line."""
    await client.post(URL, json=make_record(user_id="u"))

    assert (await line(client, "GET", f"{URL}?tenant_id=acme"))["records"] == 1
    assert (await line(client, "DELETE", f"{URL}?tenant_id=acme&user_id=u"))["deleted"] == 1


async def test_key_is_logged_by_its_id(client: httpx.AsyncClient, connection: Connection) -> None:
    """Which key was used is told by its id; a key that is none leaves nothing."""
    text, key_id = await keys.create(connection, name="test", scopes=["read"], tenant_id="acme", expires_at=None)

    logged = await line(client, "GET", URL, headers={"Authorization": f"Bearer {text}"})
    assert (logged["key"], logged["tenant"]) == (str(key_id), "acme")
    refused = await line(client, "GET", URL, headers={"Authorization": f"Bearer {MARKER}"})
    assert (refused["key"], refused["status"], refused["code"]) == (None, 401, "unauthorized")


async def test_cause_of_a_500_is_logged_without_its_words(client: httpx.AsyncClient, connection: Connection) -> None:
    """An unknown failure is logged with its type and where it happened, under the id of the request."""
    async with hidden(connection, "feedback_records"):
        cause, request = await lines(client, "GET", f"{URL}?tenant_id=acme", headers={"X-Request-ID": "rid-1"})

    assert (cause["log_level"], cause["error"], cause["request_id"]) == ("error", "UndefinedTableError", "rid-1")
    assert any("list_feedback_records" in frame for frame in cause["traceback"])
    assert (request["status"], request["code"]) == (500, "internal_server_error")


def marked() -> dict[str, object]:
    """A good record with the marker wherever a text may stand, the tenant aside, which the log names."""
    names = ["source_type", "source_id", "source_name", "field_id", "field_label", "field_group_id", "field_group_label", "value_text",
             "value_id", "user_id", "submission_id"]  # fmt: skip
    return make_record(**dict.fromkeys(names, MARKER), metadata={MARKER: [MARKER, {"a": MARKER}]}, language=MARKER[:10])


def requests(record_id: str) -> list[tuple[str, str, bytes, int]]:
    """Requests full of the marker, and how they end."""
    good = json.dumps(marked()).encode()
    return [
        ("POST", URL, good, 409),
        ("POST", URL, good[:-1], 400),
        ("POST", URL, b'"' + MARKER.encode() + b'"', 400),
        ("POST", URL, json.dumps(marked() | {MARKER: MARKER, "tenant_id": f"{MARKER}\0", "field_type": MARKER}).encode(), 400),
        ("POST", URL, json.dumps(marked() | {"collected_at": MARKER, "value_number": MARKER, "language": MARKER}).encode(), 400),
        ("POST", URL, json.dumps(marked() | {"metadata": {MARKER: f"{MARKER}\0"}}).encode(), 400),
        ("POST", URL, good.replace(MARKER.encode(), MARKER.encode() + b"\xff"), 400),
        ("PATCH", f"{URL}/{record_id}", b'{"value_text":"%b","metadata":{"%b":1}}' % (MARKER.encode(), MARKER.encode()), 200),
        ("PATCH", f"{URL}/{record_id}", b'{"%b":1}' % MARKER.encode(), 400),
        ("GET", f"{URL}/{MARKER}", b"", 400),
        ("GET", f"/v1/{MARKER}", b"", 404),
        ("GET", f"/{MARKER}//x", b"", 404),
        ("GET", f"{URL}?tenant_id=acme&user_id={MARKER}&source_id={MARKER}", b"", 200),
        ("GET", f"{URL}?tenant_id=acme&since={MARKER}&{MARKER}=%ff&cursor={MARKER}", b"", 400),
        ("DELETE", f"{URL}?user_id={MARKER}&{MARKER}=1", b"", 400),
        ("POST", f"/v1/sources/formbricks/responses?tenant_id=acme&form_id={MARKER}", b'{"%b":1}' % MARKER.encode(), 400),
        ("POST", f"/v1/sources/{MARKER}/responses?tenant_id=acme", b"{}", 404),
        ("DELETE", f"{URL}?user_id={MARKER}&tenant_id=acme", b"", 200),
    ]  # fmt: skip


def breakage() -> list[tuple[str, str, bytes, int]]:
    """The same against a database without its table."""
    good = json.dumps(marked()).encode()
    return [
        ("POST", URL, good, 500),
        ("GET", f"{URL}?tenant_id=acme&user_id={MARKER}", b"", 500),
        ("PATCH", f"{URL}/{uuid4()}", b'{"value_text":"%b"}' % MARKER.encode(), 500),
        ("DELETE", f"{URL}?user_id={MARKER}", b"", 500),
    ]


@pytest.mark.process
async def test_nothing_that_was_said_is_logged(dsn: str, connection: Connection, tmp_path: Path) -> None:
    """The whole output of a hub at its most talkative holds no value, name, address or key that a request carried."""
    secret = f"key-{MARKER}"
    with serving(tmp_path, DATABASE_URL=dsn, API_KEY=secret, LOG_LEVEL="debug", WEB_CONCURRENCY="1") as hub:
        headers = {
            "Authorization": f"Bearer {secret}",
            "User-Agent": MARKER,
            "Cookie": MARKER,
            "Referer": f"http://{MARKER}/",
        }
        async with httpx.AsyncClient(base_url=hub.url, headers=headers, timeout=30) as client:
            stored = await client.post(URL, json=marked(), headers={"X-Request-ID": "the-first"})
            assert stored.status_code == 201
            expected = requests(stored.json()["id"])
            statuses = [
                (await client.request(method, url, content=body, follow_redirects=True)).status_code
                for method, url, body, _ in expected
            ]
            assert statuses == [status for *_, status in expected]
            assert (await client.get(URL, headers={"Authorization": f"Bearer wrong-{MARKER}"})).status_code == 401
            async with hidden(connection, "feedback_records"):
                broken = [
                    (await client.request(method, url, content=body)).status_code for method, url, body, _ in breakage()
                ]
            assert broken == [status for *_, status in breakage()]
        _, output = hub.stop()

    assert MARKER not in output
    assert "the-first" in output
    logged = [json.loads(text) for text in output.splitlines() if text.startswith("{")]
    lines = [entry for entry in logged if entry["event"] == "request" and entry["route"] != "/health"]
    # One redirect more than was asked for.
    assert len(lines) == 1 + len(expected) + 1 + 1 + len(breakage())
    assert all(entry["timestamp"].endswith("Z") and entry["level"] == "info" for entry in lines)
    assert len([entry for entry in logged if entry["event"] == "unexpected error"]) == len(breakage())


async def test_operator_key_is_never_logged(client: httpx.AsyncClient) -> None:
    """The key that opens everything is named, not shown."""
    logged = await lines(client, "GET", f"{URL}?tenant_id=acme")

    assert API_KEY not in str(logged)
