"""A real Postgres for every test: a migrated template, cloned in a few milliseconds.

The bundled Postgres by default, any other (Debian's, a Citus) through TEST_DATABASE_URL, whose user may create databases.
Every pytest-xdist worker has its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from hub.api.edge import Edge
from hub.app import create_app
from hub.credentials import Vault
from hub.db import Pool, open_pool
from hub.db.erasures import Markers
from hub.embedded import running
from hub.pulls import Tools
from hub.settings import Settings
from tests.databases import Databases, connect, is_citus
from tests.with_postgres import FLEETING, scratch

API_KEY = "test-key"
SECRET_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def make_record(**overrides: object) -> dict[str, object]:
    """The smallest body the hub takes, plus what the test is about; a member given as `...` is left out."""
    record = {
        "source_type": "survey",
        "field_id": "q1",
        "field_type": "text",
        "tenant_id": "acme",
        "submission_id": "s1",
        "value_text": "fine",
    }
    return {name: value for name, value in (record | overrides).items() if value is not ...}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "database: asks for a database (set by itself)")
    config.addinivalue_line("markers", "not_on_citus(reason): cannot hold on a distributed database")
    config.addinivalue_line("markers", "only_on_citus(reason): needs a distributed database")


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What cannot hold on this database is skipped, and named with its reason at the end of the run."""
    dsn = os.environ.get("TEST_DATABASE_URL")
    wrong, where = (
        ("not_on_citus", "not on Citus") if dsn and asyncio.run(is_citus(dsn)) else ("only_on_citus", "only on Citus")
    )
    for item in items:
        if "databases" in getattr(item, "fixturenames", ()):
            item.add_marker("database")
        if marker := item.get_closest_marker(wrong):
            item.add_marker(pytest.mark.skip(reason=f"{where}: {marker.args[0]}"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A server to make databases on."""
    if dsn := os.environ.get("TEST_DATABASE_URL"):
        yield dsn
        return
    with scratch() as folder, running(folder) as postgres:
        asyncio.run(_forgo_durability(postgres.dsn))
        yield postgres.dsn


async def _forgo_durability(dsn: str) -> None:
    async with connect(dsn) as connection:
        for name, value in FLEETING.items():
            await connection.execute(f"alter system set {name} = '{value}'")
        await connection.execute("select pg_reload_conf()")


@pytest.fixture(scope="session")
def databases(server: str) -> Iterator[Databases]:
    databases = Databases(server)
    # Loops of their own: a session-long one would let a task that one test forgot live on in the next.
    asyncio.run(databases.open())
    yield databases
    asyncio.run(databases.close())


@pytest.fixture
async def dsn(databases: Databases) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    dsn = await databases.clone()
    yield dsn
    await databases.give_back(dsn)


@pytest.fixture
async def empty_dsn(databases: Databases) -> AsyncIterator[str]:
    """A database before its first migration."""
    dsn = await databases.empty()
    yield dsn
    await databases.drop(dsn)


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with connect(dsn) as connection:
        yield connection


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(api_key=API_KEY, secret_key=SECRET_KEY, database_url=dsn, data_dir=tmp_path, database_max_conns=4)


@pytest.fixture
def markers() -> Markers:
    return Markers(SECRET_KEY)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings)
    yield pool
    await pool.close()


@pytest.fixture
def tools(settings: Settings, pool: Pool, markers: Markers) -> Tools:
    """What the worker works with."""
    return Tools(settings=settings, pool=pool, markers=markers, vault=Vault(SECRET_KEY))


@pytest.fixture
def app(settings: Settings) -> Edge:
    return create_app(settings)


@pytest.fixture
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@asynccontextmanager
async def client_of(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything, talking to the app in this very event loop."""
    async with (
        app.litestar.lifespan(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),  # type: ignore[arg-type] # httpx writes the types of ASGI its own way
            base_url="http://hub.test",
            headers={"Authorization": f"Bearer {API_KEY}"},
        ) as client,
    ):
        yield client
