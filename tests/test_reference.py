"""The API reference at /docs comes from the hub alone."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest

from hub.api.edge import Edge
from hub.app import ASSETS, create_app
from hub.settings import Settings

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
}


@pytest.fixture
def app(tmp_path: Path) -> Edge:
    """Without a key and without a database: the page asks for neither."""
    return create_app(Settings(api_key="test-key", data_dir=tmp_path))


async def get(app: Edge, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # httpx writes the types of ASGI its own way
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test/") as client:
        return await client.get(path)


async def test_the_page_loads_what_it_needs_from_this_hub(app: Edge) -> None:
    """By relative addresses, so that it works behind a path prefix too."""
    page = await get(app, "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', page.text)
    named += re.findall(r'fetch\("([^"]+)"\)', (ASSETS / "reference.js").read_text())
    assert len(named) == 4
    for address in named:
        assert re.fullmatch(r"(assets/)?[\w.-]+", address)
        answer = await get(app, address)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == TYPES[Path(address).suffix]


async def test_assets_may_be_kept_for_an_hour(app: Edge) -> None:
    answer = await get(app, "/assets/swagger-ui-bundle.js")
    assert answer.headers["cache-control"] == "max-age=3600, public"
    assert answer.headers["etag"]


@pytest.mark.parametrize("path", ["/docs", "/problems", "/problems/validation"])
async def test_browsers_load_nothing_from_elsewhere(app: Edge, path: str) -> None:
    """A style sheet or script of another host would be refused, whoever asked for it."""
    policy = dict(part.split(" ", 1) for part in (await get(app, path)).headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == "'self'"
    assert set(" ".join(policy.values()).split()) <= {"'self'", "'unsafe-inline'", "data:"}
    assert "'unsafe-inline'" not in policy.get("script-src", "")


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.css")), ids=lambda path: path.name)
def test_style_sheets_load_nothing_more(path: Path) -> None:
    text = path.read_text()
    assert "@import" not in text
    assert re.findall(r"url\((?![\"']?data:)", text) == []


def test_swagger_ui_is_what_was_published() -> None:
    """`make vendor` fetches it and compares; this compares again."""
    sums = {line.split()[1]: line.split()[0] for line in (ASSETS / "SHA512SUMS").read_text().splitlines()}
    assert sums.keys() == {path.name for path in ASSETS.glob("swagger-ui*")}
    for name, expected in sums.items():
        assert hashlib.sha512((ASSETS / name).read_bytes()).hexdigest() == expected, name
