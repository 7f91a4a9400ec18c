"""Signing in: what is kept where, what opens the page, and what other sites cannot do with it."""

from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from cryptography.fernet import Fernet
from msgspec import structs

from hub.api.auth import Scope
from hub.api.edge import Edge
from hub.app import create_app
from hub.dashboard.session import Sessions
from hub.db import keys
from hub.settings import Settings
from tests.api.test_connections import body
from tests.conftest import API_KEY, SECRET_KEY, client_of, make_record

PAGES = ["/", "/records?tenant_id=acme", "/export?tenant_id=acme"]


@pytest.fixture
def browser(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with a jar for cookies and no key in its headers."""
    del client.headers["authorization"]
    return client


async def sign_in(browser: httpx.AsyncClient, key: str = API_KEY, **form: str) -> httpx.Response:
    return await browser.post("/sign-in", data={"key": key, **form})


@pytest.mark.parametrize("address", PAGES)
async def test_without_a_session_there_is_a_form_that_leads_back(browser: httpx.AsyncClient, address: str) -> None:
    answer = await browser.get(address)
    assert answer.status_code == 303
    form = await browser.get(answer.headers["location"])
    assert form.status_code == 200
    following = "" if address == "/" else address.removeprefix("/").replace("&", "&amp;")
    assert f'name="next" value="{following}"' in form.text


@pytest.mark.parametrize("address", PAGES)
async def test_a_key_opens_the_pages(browser: httpx.AsyncClient, address: str) -> None:
    answer = await sign_in(browser, next="records?tenant_id=acme")
    assert (answer.status_code, answer.headers["location"]) == (303, "records?tenant_id=acme")
    assert (await browser.get(address)).status_code == 200


async def test_the_cookie_is_for_this_hub_alone(browser: httpx.AsyncClient) -> None:
    """No script can read it, no other site can have it sent, and what it holds is sealed."""
    cookie = (await sign_in(browser)).headers["set-cookie"]
    parts = [part.strip() for part in cookie.split(";")]
    assert {"HttpOnly", "SameSite=Strict"} <= set(parts)
    assert API_KEY not in cookie


async def test_over_https_the_cookie_stays_there(settings: Settings) -> None:
    app = create_app(structs.replace(settings, public_base_url="https://hub.test"))
    async with client_of(app) as client:
        assert "; Secure" in (await sign_in(client)).headers["set-cookie"]


@pytest.mark.parametrize(
    "key", ["wrong", "", "hub_wrong", "ключ", "\udcff".encode(errors="surrogateescape").decode("latin-1")]
)
async def test_a_wrong_key_is_told_so(browser: httpx.AsyncClient, key: str) -> None:
    answer = await sign_in(browser, key, next="records?x=1")
    assert answer.status_code == 401
    assert "not known here" in answer.text
    assert 'value="records?x=1"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_key_that_may_not_read_is_told_so(
    browser: httpx.AsyncClient, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    key, _ = await keys.create(connection, name="w", scopes=["write"], tenant_id=None, expires_at=None)
    answer = await sign_in(browser, key)
    assert answer.status_code == 403
    assert "lacks the scope read" in answer.text


async def test_a_revoked_key_ends_the_session(
    app: Edge, browser: httpx.AsyncClient, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    key, key_id = await keys.create(connection, name="r", scopes=["read"], tenant_id=None, expires_at=None)
    await sign_in(browser, key)
    assert (await browser.get("/")).status_code == 200
    await keys.revoke(connection, str(key_id))
    app.litestar.state.keyring._seen.clear()  # noqa: SLF001 - it would be forgotten two seconds later
    assert (await browser.get("/")).headers["location"] == "sign-in"


@pytest.mark.parametrize(("scopes", "shown"), [(["read"], False), (["read", "admin"], True)])
async def test_connections_are_shown_to_who_may_manage_them(
    browser: httpx.AsyncClient, connection: "asyncpg.Connection[asyncpg.Record]", scopes: list[Scope], shown: bool
) -> None:
    bearer = {"authorization": f"Bearer {API_KEY}"}
    assert (await browser.post("/v1/feedback-records", json=make_record(), headers=bearer)).status_code == 201
    made = await browser.post("/v1/connections", json=body(name="Of the shop"), headers=bearer)
    assert made.status_code == 201
    key, _ = await keys.create(connection, name="k", scopes=scopes, tenant_id=None, expires_at=None)
    await sign_in(browser, key)
    assert ("Of the shop" in (await browser.get("/?tenant_id=acme&period=all")).text) is shown


async def test_signing_out_forgets_the_key(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    assert (await browser.post("/sign-out")).headers["location"] == "sign-in"
    assert (await browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    ("cookie", "opens"),
    [
        ("", False),
        ("hub_session=", False),
        ("hub_session=gAAAAA", False),
        (f"hub_session={API_KEY}", False),
        ("hub_session=%F0%9F%92%A9", False),
        ("other={odd; =; hub_session={good}; more", True),
    ],
)
async def test_what_is_no_session_opens_nothing(browser: httpx.AsyncClient, cookie: str, *, opens: bool) -> None:
    good = Sessions(SECRET_KEY, secure=False).begin(API_KEY).partition(";")[0].partition("=")[2]
    answer = await browser.get("/", headers={"cookie": cookie.replace("{good}", good)})
    assert answer.status_code == (200 if opens else 303)


async def test_a_session_ends_after_a_week(browser: httpx.AsyncClient) -> None:
    sessions = Sessions(SECRET_KEY, secure=False)
    for age, status in ((timedelta(days=6, hours=23), 200), (timedelta(days=7, hours=1), 303)):
        then = int((datetime.now(UTC) - age).timestamp())
        sealed = sessions._fernet.encrypt_at_time(API_KEY.encode(), then).decode()  # noqa: SLF001 - made in the past
        answer = await browser.get("/", headers={"cookie": f"hub_session={sealed}"})
        assert answer.status_code == status


async def test_what_is_sealed_for_another_purpose_opens_nothing(browser: httpx.AsyncClient) -> None:
    """SECRET_KEY itself seals the credentials of connections."""
    sealed = Fernet(SECRET_KEY).encrypt(API_KEY.encode()).decode()
    assert (await browser.get("/", headers={"cookie": f"hub_session={sealed}"})).status_code == 303


async def test_the_cookie_opens_the_pages_and_not_the_api(browser: httpx.AsyncClient) -> None:
    """What changes data takes a header, which no other site can make a browser send."""
    await sign_in(browser)
    assert (await browser.get("/v1/feedback-records?tenant_id=acme")).status_code == 401
    assert (await browser.post("/v1/feedback-records", json=make_record())).status_code == 401


@pytest.mark.parametrize("address", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://hub.test"}, False),
        ({"origin": "http://evil.test"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://["}, True),
        ({"origin": "http://hub.test"}, False),
    ],
)
async def test_forms_of_other_sites_are_refused(
    browser: httpx.AsyncClient, address: str, headers: dict[str, str], *, foreign: bool
) -> None:
    answer = await browser.post(address, data={"key": API_KEY}, headers=headers)
    assert answer.status_code == (403 if foreign else 303)
    assert ("set-cookie" in answer.headers) != foreign


async def test_a_link_from_another_site_is_asked_again_from_here(browser: httpx.AsyncClient) -> None:
    """It comes without the cookie, which is strict; a browser that is signed in need not sign in again."""
    answer = await browser.get("/?tenant_id=acme", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in answer.text


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.test/",
        "//evil.test",
        "//[",
        "/\\evil.test",
        "javascript:alert(1)",
        "../x",
        "records\r\nset-cookie: x=y",
        "docs",
        "é",
    ],
)
async def test_signing_in_leads_nowhere_else(browser: httpx.AsyncClient, following: str) -> None:
    assert (await sign_in(browser, next=following)).headers["location"] == "./"


async def test_a_bound_key_sees_its_tenant_alone(
    browser: httpx.AsyncClient, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for tenant in ("acme", "other"):
        record = make_record(tenant_id=tenant, value_text=f"said at {tenant}", source_name=f"survey of {tenant}")
        await browser.post("/v1/feedback-records", json=record, headers={"authorization": f"Bearer {API_KEY}"})
    key, _ = await keys.create(connection, name="a", scopes=["read"], tenant_id="acme", expires_at=None)
    await sign_in(browser, key)
    for address in ("/", "/?tenant_id=acme", "/records", "/export"):
        text = (await browser.get(address)).text
        assert "said at acme" in text
        assert "other" not in text
    for address in ("/?tenant_id=other", "/records?tenant_id=other", "/export?tenant_id=other"):
        answer = await browser.get(address)
        assert answer.status_code == 403
        assert "bound to another tenant" in answer.text


@pytest.mark.parametrize("address", ["/sign-in", *PAGES[:2], "/?tz=Nowhere", "/records"])
async def test_pages_run_nothing_but_their_own_files(browser: httpx.AsyncClient, address: str) -> None:
    await sign_in(browser)
    answer = await browser.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    for inline in ("<style", " style=", "<script>", " onclick="):
        assert inline not in answer.text


@pytest.mark.parametrize(
    ("query", "name"),
    [("tz=Nowhere", "tz"), ("from=2026-13-01", "from"), ("period=year", "period"), ("group_by=nothing", "group_by"),
     ("since=x", "since"), ("from=1970-01-01&interval=day", "interval"), ("cursor=x", "cursor")],
)  # fmt: skip
async def test_what_cannot_be_shown_is_said(browser: httpx.AsyncClient, query: str, name: str) -> None:
    await browser.post("/v1/feedback-records", json=make_record(), headers={"authorization": f"Bearer {API_KEY}"})
    await sign_in(browser)
    answer = await browser.get(f"/?{query}&tenant_id={quote('acme')}")
    assert answer.status_code == 400
    assert f"<code>{name}</code>" in answer.text


@pytest.mark.parametrize("address", ["/?tenant_id=acme&plan=pro", "/records?plan=pro", "/export?plan=pro"])
async def test_what_is_no_filter_is_said(browser: httpx.AsyncClient, address: str) -> None:
    """A mistyped one would show, or hand out, everything."""
    await browser.post("/v1/feedback-records", json=make_record(), headers={"authorization": f"Bearer {API_KEY}"})
    await sign_in(browser)
    answer = await browser.get(address)
    assert answer.status_code == 400
    assert "<code>plan</code> is not a recognized parameter" in answer.text


@pytest.mark.parametrize("address", ["/", "/records", "/export"])
async def test_without_a_tenant_it_is_the_first(browser: httpx.AsyncClient, address: str) -> None:
    for tenant in ("b & c", "d"):
        record = make_record(tenant_id=tenant, value_text=f"said at {tenant}")
        await browser.post("/v1/feedback-records", json=record, headers={"authorization": f"Bearer {API_KEY}"})
    await sign_in(browser)
    answer = await browser.get(address)
    assert answer.status_code == 200
    assert "said at b & c" in unescape(answer.text)
    assert "said at d" not in answer.text


@pytest.mark.parametrize("address", ["/", "/records", "/export"])
async def test_a_hub_without_feedback_says_how_to_begin(browser: httpx.AsyncClient, address: str) -> None:
    await sign_in(browser)
    text = (await browser.get(address)).text
    assert "There is no feedback yet" in text
    assert "/v1/feedback-records" in text


async def test_words_of_feedback_are_only_words(browser: httpx.AsyncClient) -> None:
    """Whatever somebody wrote, nothing of it becomes part of the page."""
    evil = '</p><script>alert(1)</script><img src=x onerror=alert(1)> export "quoted" & more'
    record = make_record(
        value_text=evil, field_label=evil, source_name=evil[:200], source_id="<em>", user_id="<i>x</i>", language="en",
        metadata={"attributes": {"plan<s>": "<u>"}}, collected_at=datetime.now(UTC).isoformat(),
    )  # fmt: skip
    posted = await browser.post("/v1/feedback-records", json=record, headers={"authorization": f"Bearer {API_KEY}"})
    assert posted.status_code == 201
    await sign_in(browser)
    for address in ("/?tenant_id=acme&q=export", "/records?tenant_id=acme"):
        text = (await browser.get(address)).text
        assert "alert(1)" in text
        for tag in ("<script>alert", "<img", "<em>", "<i>x", "<u>"):
            assert tag not in text
    assert "<mark>export</mark>" in (await browser.get("/?tenant_id=acme&q=export")).text
