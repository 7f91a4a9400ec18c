"""The only package that knows Postgres. Its modules mirror `sql/queries/`."""

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import uuid6
from asyncpg.pool import PoolConnectionProxy

from hub.model import NewRecord
from hub.settings import Settings

_HUB = Path(__file__).resolve().parent.parent
# In a checkout `sql/` stands beside the package; a wheel carries it inside.
SQL = _HUB / "sql" if (_HUB / "sql").is_dir() else _HUB.parent / "sql"

T = TypeVar("T")
Acquired: TypeAlias = "asyncpg.pool.PoolAcquireContext[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

# What asyncpg raises when the database cannot be reached, is shutting down, cancels a statement that took too long, or when
# no connection of the pool came free in time. None of it is the client's fault, and all of it may be tried again.
_UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)

# The net under the checks at the door: values that Postgres refuses. A client's mistake, though nobody can name the field.
UNSTORABLE: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.StatementTooComplexError,
    asyncpg.ProgramLimitExceededError,
)

_DEADLOCK_ATTEMPTS = 4


def unavailable(error: BaseException) -> bool:
    """Whether the database could not be asked, rather than answering something unwelcome.

    What asyncpg says of a connection that is lost under it depends on the moment; a ValueError among it is our mistake.
    """
    lost = isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError) and not isinstance(error, ValueError)
    return lost or isinstance(error, _UNAVAILABLE)


def query(name: str) -> str:
    """The statement in `sql/queries/{name}.sql`. A missing file fails at import, not at the first request.

    `/* include records/_filter */` stands for that file: what several statements must agree on is written once.
    """
    text = (SQL / "queries" / f"{name}.sql").read_text()
    return re.sub(r"/\* include (\S+) \*/", lambda match: query(match[1]), text)


def new_id() -> UUID:
    """The id of a new row: in the order of arrival, so that the index on it grows at its end."""
    return uuid6.uuid7()


def new_ids(count: int) -> list[UUID]:
    """So many ids, one after another: random bits for each would take Postgres' time, which waits for them."""
    first = uuid6.uuid7().int
    return [UUID(int=first + n) for n in range(count)]


def encoded(records: Sequence[tuple[UUID, NewRecord]]) -> str:
    """Records with their ids as the one jsonb parameter of an insert."""
    rows = (b'{"id":"%b",' % str(key).encode() + msgspec.json.encode(record)[1:] for key, record in records)
    return f"[{b','.join(rows).decode()}]"


class Pool:
    """Connections of one process, in two halves that plan differently.

    Both wait for a free one only so long: a full pool is an answer, not a hang.
    """

    def __init__(
        self, planning: "asyncpg.Pool[asyncpg.Record]", planned: "asyncpg.Pool[asyncpg.Record]", wait: float
    ) -> None:
        self._planning = planning
        self._planned = planned
        self.wait = wait

    def acquire(self) -> Acquired:
        """A connection that plans each statement for its parameters: optional filters need that to use an index."""
        return self._planning.acquire(timeout=self.wait)

    def acquire_planned(self) -> Acquired:
        """A connection that plans a statement once, for those whose plan no parameter could change: it saves them a third."""
        return self._planned.acquire(timeout=self.wait)

    async def close(self) -> None:
        await self._planning.close()
        await self._planned.close()


def planning_connections(settings: Settings) -> int:
    """How many connections of a pool plan each statement: half of them, and the odd one."""
    return settings.database_max_conns - settings.database_max_conns // 2


async def open_pool(settings: Settings) -> Pool:
    """Opens no connection yet: a hub whose database is away starts all the same, and answers 503 until it is back."""
    planning = planning_connections(settings)
    return Pool(
        await _open(settings, planning),
        await _open(settings, max(1, settings.database_max_conns - planning), init=_plan_once),
        settings.database_acquire_timeout_seconds,
    )


async def _open(
    settings: Settings, most: int, *, init: "asyncpg.pool._InitCallback[asyncpg.Record] | None" = None
) -> "asyncpg.Pool[asyncpg.Record]":
    milliseconds = str(round(settings.database_statement_timeout_seconds * 1000))
    return await asyncpg.create_pool(
        settings.database_url,
        min_size=0,
        max_size=most,
        timeout=settings.database_connect_timeout_seconds,
        init=init,
        reset=_keep,
        server_settings={
            "application_name": "feedback-hub",
            "TimeZone": "UTC",
            "plan_cache_mode": "force_custom_plan",
            "jit": "off",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        },
    )


async def _plan_once(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.execute(query("server/plan_once"))


async def _keep(_: Connection) -> None:
    """Nothing here changes a session, so there is nothing to reset: asyncpg's own way is one more round trip a request."""


async def retry_deadlocks(statement: Callable[[], Awaitable[T]]) -> T:
    """Runs a statement again when Postgres broke a deadlock (40P01) by sacrificing it: nothing of it was done."""
    for _ in range(_DEADLOCK_ATTEMPTS):
        try:
            return await statement()
        except asyncpg.DeadlockDetectedError:
            continue
    return await statement()
