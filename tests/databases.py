"""Databases for tests, on one Postgres or on a Citus."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from hub.db.migrate import DISTRIBUTED, HAS_CITUS, LOCAL, REPLICATED, migrate


@asynccontextmanager
async def connect(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def is_citus(dsn: str) -> bool:
    async with connect(dsn) as connection:
        return bool(await connection.fetchval(HAS_CITUS))


class Databases:
    """Gives out databases on one server."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.citus = False
        self.template = ""

    async def open(self) -> None:
        self.citus = await is_citus(self.server)
        self.template = await self.empty()
        await migrate(self.template)

    async def close(self) -> None:
        await self.drop(self.template)

    async def clone(self) -> str:
        """A migrated database without a row. A distributed one cannot be cloned: on Citus it is the same one, emptied."""
        async with connect(self.template if self.citus else self.server) as connection:
            if self.citus:
                for table in {*DISTRIBUTED, *REPLICATED, *LOCAL} - {"schema_migrations"}:
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
            async with connect(node) as connection:
                await connection.execute(f"create database {_name(dsn)}")
        if self.citus:
            await self._join(dsn)
        return dsn

    async def drop(self, dsn: str) -> None:
        # The coordinator first: it holds connections to the others.
        for node in await self._nodes():
            async with connect(node) as connection:
                await connection.execute(f"drop database if exists {_name(dsn)} with (force)")

    async def _join(self, dsn: str) -> None:
        # One database at a time, whoever asks: when several joined their nodes at once, Citus lost a connection of its own.
        async with connect(self.server) as turn:
            await turn.execute("select pg_advisory_lock(hashtext('join'))")
            await self._join_alone(dsn)

    async def _join_alone(self, dsn: str) -> None:
        coordinator, *workers = [_at(node, _name(dsn)) for node in await self._nodes()]
        for worker in workers:
            async with connect(worker) as connection:
                await connection.execute("create extension citus")
        async with connect(coordinator) as connection:
            await connection.execute("create extension citus")
            # Four shards show what thirty-two would, and are emptied ten times as fast.
            await connection.execute(f"alter database {_name(dsn)} set citus.shard_count = 4")
            await connection.execute("select citus_set_coordinator_host($1, $2)", *_address(coordinator))
            for worker in workers:
                await connection.execute("select citus_add_node($1, $2)", *_address(worker))

    async def _nodes(self) -> list[str]:
        if not self.citus:
            return [self.server]
        async with connect(self.server) as connection:
            rows = await connection.fetch("select nodename, nodeport from pg_dist_node where groupid <> 0")
        url = urlsplit(self.server)
        credentials, at, _ = url.netloc.rpartition("@")
        addresses = [f"{credentials}{at}{row['nodename']}:{row['nodeport']}" for row in rows]
        return [self.server, *(url._replace(netloc=address).geturl() for address in addresses)]

    def _next(self) -> str:
        # Two runs, or two workers of one, on the same server never meet.
        return _at(self.server, f"hub_test_{secrets.token_hex(8)}")


def _at(dsn: str, name: str) -> str:
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


def _name(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


def _address(dsn: str) -> tuple[str, int]:
    url = urlsplit(dsn)
    return url.hostname or "localhost", url.port or 5432
