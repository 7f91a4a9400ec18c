"""A real Postgres for every test: a migrated template, cloned in a few milliseconds.

The bundled Postgres by default, any other (Debian's, a Citus) through TEST_DATABASE_URL, whose user may create databases.
Every pytest-xdist worker has its own.
"""

import asyncio
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from hub.api.edge import Edge
from hub.app import create_app
from hub.db import Pool, open_pool
from hub.db.migrate import DISTRIBUTED, HAS_CITUS, REPLICATED, migrate
from hub.embedded import running
from hub.settings import Settings
from tests.with_postgres import FLEETING, scratch

API_KEY = "test-key"


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
        ("not_on_citus", "not on Citus") if dsn and asyncio.run(_is_citus(dsn)) else ("only_on_citus", "only on Citus")
    )
    for item in items:
        if "databases" in getattr(item, "fixturenames", ()):
            item.add_marker("database")
        if marker := item.get_closest_marker(wrong):
            item.add_marker(pytest.mark.skip(reason=f"{where}: {marker.args[0]}"))


async def _is_citus(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval(HAS_CITUS))
    finally:
        await connection.close()


class Databases:
    """Gives out databases on one server."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.citus = False
        self.template = ""
        # Two runs, or two workers of one, on the same server never meet.
        self._names = (f"hub_test_{secrets.token_hex(4)}_{number}" for number in itertools.count())

    async def open(self) -> None:
        self.citus = await _is_citus(self.server)
        self.template = await self.empty()
        await migrate(self.template)

    async def close(self) -> None:
        await self.drop(self.template)

    async def clone(self) -> str:
        """A migrated database without a row. A distributed one cannot be cloned: on Citus it is the same one, emptied."""
        async with self._connect(self.template if self.citus else self.server) as connection:
            if self.citus:
                for table in (*DISTRIBUTED, *REPLICATED):
                    await connection.execute(f"delete from {table}")
                return self.template
            dsn, template = self._next(), _name(self.template)
            await connection.execute(f"create database {_name(dsn)} template {template} strategy file_copy")
            return dsn

    async def give_back(self, dsn: str) -> None:
        if dsn != self.template:
            await self.drop(dsn)

    async def empty(self) -> str:
        """A database without a table; on Citus with the extension, on every node."""
        dsn = self._next()
        for node in await self._nodes():
            async with self._connect(node) as connection:
                await connection.execute(f"create database {_name(dsn)}")
        if self.citus:
            await self._join(dsn)
        return dsn

    async def drop(self, dsn: str) -> None:
        # The coordinator first: it holds connections to the others.
        for node in await self._nodes():
            async with self._connect(node) as connection:
                await connection.execute(f"drop database if exists {_name(dsn)} with (force)")

    async def _join(self, dsn: str) -> None:
        coordinator, *workers = [_at(node, _name(dsn)) for node in await self._nodes()]
        for worker in workers:
            async with self._connect(worker) as connection:
                await connection.execute("create extension citus")
        async with self._connect(coordinator) as connection:
            await connection.execute("create extension citus")
            # Four shards show what thirty-two would, and are emptied ten times as fast.
            await connection.execute(f"alter database {_name(dsn)} set citus.shard_count = 4")
            url = urlsplit(coordinator)
            await connection.execute("select citus_set_coordinator_host($1, $2)", url.hostname, url.port)
            for url in map(urlsplit, workers):
                await connection.execute("select citus_add_node($1, $2)", url.hostname, url.port)

    async def _nodes(self) -> list[str]:
        if not self.citus:
            return [self.server]
        async with self._connect(self.server) as connection:
            rows = await connection.fetch("select nodename, nodeport from pg_dist_node where groupid <> 0")
        credentials, _, _ = urlsplit(self.server).netloc.rpartition("@")
        url = urlsplit(self.server)
        return [
            self.server,
            *(url._replace(netloc=f"{credentials}@{row['nodename']}:{row['nodeport']}").geturl() for row in rows),
        ]

    def _next(self) -> str:
        return _at(self.server, next(self._names))

    @staticmethod
    @asynccontextmanager
    async def _connect(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await asyncpg.connect(dsn)
        try:
            yield connection
        finally:
            await connection.close()


def _at(dsn: str, name: str) -> str:
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


def _name(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


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
    connection = await asyncpg.connect(dsn)
    for name, value in FLEETING.items():
        await connection.execute(f"alter system set {name} = '{value}'")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


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
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(api_key=API_KEY, database_url=dsn, data_dir=tmp_path, database_max_conns=4)


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await open_pool(settings)
    yield pool
    await pool.close()


@pytest.fixture
def app(settings: Settings) -> Edge:
    return create_app(settings)


@pytest.fixture
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
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
