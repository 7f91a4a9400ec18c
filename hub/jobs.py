"""The worker: takes jobs from the queue and does them, and what is due by the clock.

A job may be done more than once: a worker that is killed leaves it to the next, from the beginning.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TypeAlias, TypeVar

import asyncpg
import msgspec
import structlog
from msgspec import UNSET
from pgqueuer import PgQueuer
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.errors import FailingListenerError, RetryRequested
from pgqueuer.models import Job as Taken
from pgqueuer.models import Schedule
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from hub import intake, pulls, retention, snapshots
from hub.credentials import Vault
from hub.db import connections, open_pool, queue, rejects, submissions, unavailable
from hub.db import pulls as stored_pulls
from hub.db.connections import ConnectionRow
from hub.db.erasures import Markers
from hub.pull.interface import Listed, RefusedError, UnavailableError, Vendor, VendorError
from hub.pulls import NothingToPullError, Tools, in_our_words
from hub.settings import Settings
from hub.sources.interface import FormNeededError, NotOfSourceError, UnreadableError

HEARTBEAT = timedelta(seconds=10)
"""After so long without a sign of the worker that took it, a job is another's."""
POLL = timedelta(seconds=5)
"""New jobs are heard of at once; those of a worker that died are found by looking."""
AT_A_TIME = 6
# Of all workers together. A vendor that does not answer holds up its job for minutes; the last place is for what needs none.
PULLS, FETCHES = 3, 2
MOST_ATTEMPTS = 20
_FIRST_DELAY, _LONGEST_DELAY = timedelta(seconds=5), timedelta(minutes=10)
_PATIENCE_SECONDS = 1.0

J = TypeVar("J", bound=queue.Job)

_log = structlog.get_logger()

Work: TypeAlias = Callable[[Tools, J], Awaitable[None]]


class JobFailedError(Exception):
    """A job is given up. The text is the type of what went wrong, for the queue keeps it."""


async def flatten(tools: Tools, job: queue.Flatten) -> None:
    """Flattens the kept submissions of a form again."""
    again = snapshots.again(job.tenant_id, job.source)
    count = await submissions.flatten_again(tools.pool, tools.markers, job.tenant_id, job.source, job.form_id, again)
    _log.info("flattened again", source=job.source, tenant=job.tenant_id, submissions=count)


async def fetch_form(tools: Tools, job: queue.FetchForm) -> None:
    """Fetches the definition of a form."""
    row = await connections.get(tools.pool, job.connection_id)
    if row is None or row.status == "revoked":
        return
    try:
        async with pulls.vendor_of(tools, row) as api:
            await pulls.fetch_form(tools, row, api, job.form_id)
    except NothingToPullError:
        return  # somebody has to send the definition
    except VendorError as error:
        await _note(tools, row, error)


async def pull(tools: Tools, job: queue.Pull) -> None:
    """Fetches what is new at a vendor."""
    row = await connections.get(tools.pool, job.connection_id)
    if row is None or row.status != "active":
        return
    async with stored_pulls.alone(tools.pool, row.id) as is_alone:
        if not is_alone:
            _log.info("already pulling", connection=str(row.id))
            return
        try:
            async with pulls.vendor_of(tools, row) as api:
                for form in await pulls.chosen(row, api):
                    await _pull_form(tools, row, api, form)
        except NothingToPullError:
            return
        except VendorError as error:
            await _note(tools, row, error)


async def _pull_form(tools: Tools, row: ConnectionRow, api: Vendor, form: Listed) -> None:
    """That one form is refused costs no other."""
    try:
        async for step in pulls.pull(tools, row, api, form):
            _log.debug("pulling", connection=str(row.id), form=form.id, fetched=step.fetched, removed=step.removed)
    except RefusedError as error:
        await _note(tools, row, error)


async def retry(tools: Tools, job: queue.Retry) -> None:
    """Stores a payload that something held up."""
    reject = await rejects.get(tools.pool, job.reject_id, None)
    if reject is None or reject.connection_id is UNSET:
        return
    row = await connections.get(tools.pool, reject.connection_id)
    if row is None:
        return
    try:
        await intake.retry(tools.pool, tools.markers, row, reject)
    except (NotOfSourceError, UnreadableError, FormNeededError):
        return  # it stays among the rejects


async def _note(tools: Tools, row: ConnectionRow, error: VendorError) -> None:
    """What went wrong stands with the connection. What is only busy or away is asked again later."""
    async with tools.pool.acquire() as connection:
        await connections.failed(connection, row.id, in_our_words(error))
    if isinstance(error, UnavailableError):
        raise error


async def due(tools: Tools) -> None:
    """What is done every minute. `/ready` takes it for the sign that somebody works the queue."""
    rows = await connections.listed(tools.pool)
    async with tools.pool.acquire() as connection:
        await queue.tidy(connection)
        await stored_pulls.forget_others(connection, [row.id for row in rows])
        for row in rows:
            if row.status == "active" and row.pull_minutes is not None:
                # Put again every minute, it is there once; the next is counted from when this one begins.
                is_new = row.last_success_at is None and row.last_error_at is None
                after = timedelta() if is_new else timedelta(minutes=row.pull_minutes)
                await queue.put(connection, queue.Pull(connection_id=row.id), after=after)


async def expire(tools: Tools) -> None:
    await retention.expire(tools.pool, tools.settings)


async def work(settings: Settings) -> None:
    """Does jobs until SIGTERM or SIGINT; those under way are left to the next worker. A database that is away is waited for."""
    assert settings.secret_key is not None  # noqa: S101 - the command line sees to it
    stopping = asyncio.Event()
    for kind in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(kind, stopping.set)
    pool = await open_pool(settings)
    tools = Tools(settings=settings, pool=pool, markers=Markers(settings.secret_key), vault=Vault(settings.secret_key))
    try:
        while not stopping.is_set():
            try:
                await _attend(tools, stopping)
            except Exception as error:
                if not (unavailable(error) or isinstance(error, FailingListenerError)):
                    raise
                _log.warning("the queue cannot be reached", error=type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), _PATIENCE_SECONDS)
    finally:
        await pool.close()


async def _attend(tools: Tools, stopping: asyncio.Event) -> None:
    """Does jobs until told to stop, or until the connection is lost."""
    async with _listening(tools.settings) as connection:
        names = _Names()
        queries = Queries(
            AsyncpgDriver(connection),
            qbe=QueryBuilderEnvironment(names),
            qbq=QueryQueueBuilder(names),
            qbs=QuerySchedulerBuilder(names),
        )
        taker = PgQueuer(queries.driver, names.channel, queries=queries)
        connection.add_termination_listener(lambda _: taker.shutdown.set())
        _register(taker, tools, queue.Flatten, flatten)
        _register(taker, tools, queue.FetchForm, fetch_form, at_a_time=FETCHES)
        _register(taker, tools, queue.Pull, pull, at_a_time=PULLS)
        _register(taker, tools, queue.Retry, retry)
        _register_schedule(taker, tools, due, "* * * * *")
        _register_schedule(taker, tools, expire, "17 * * * *")
        _log.info("worker started")
        running = asyncio.create_task(
            taker.run(
                dequeue_timeout=POLL,
                batch_size=AT_A_TIME // 2,
                max_concurrent_tasks=AT_A_TIME,
                heartbeat_timeout=HEARTBEAT,
                shutdown_on_listener_failure=True,
            )
        )
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        taker.shutdown.set()
        await running


class _Names(DBSettings):
    """Those of migration 0008. The library would let any variable CHANNEL or FUNCTION of the environment change them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@asynccontextmanager
async def _listening(settings: Settings) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(
        settings.database_url,
        timeout=settings.database_connect_timeout_seconds,
        server_settings={"application_name": "feedback-hub worker"},
    )
    try:
        yield connection
    finally:
        await connection.close()


def _register(taker: PgQueuer, tools: Tools, kind: type[J], do: Work[J], *, at_a_time: int = 0) -> None:
    """`at_a_time` is how many jobs of this kind may be under way; 0 is as many as there are places."""

    async def run(taken: Taken) -> None:
        async def attempt() -> None:
            async with tools.pool.acquire() as connection:
                await queue.begin(connection, taken.id)
            await do(tools, msgspec.json.decode(taken.payload or b"", type=kind))

        await _supervise(taken, attempt(), taker.shutdown)

    taker.entrypoint(queue.name(kind), concurrency_limit=at_a_time)(run)


async def _supervise(taken: Taken, attempt: Awaitable[None], stopping: asyncio.Event) -> None:
    """Does a job; when it fails, or has to stop, it is for later. What went wrong is known by its type alone."""
    doing, stop = asyncio.ensure_future(attempt), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        doing.cancel()
    (result,) = await asyncio.gather(doing, return_exceptions=True)
    if isinstance(result, asyncio.CancelledError):
        raise RetryRequested(reason="the worker stops")
    if isinstance(result, Exception):
        kind = type(result).__name__
        _log.warning("job failed", job=taken.entrypoint, attempt=taken.attempts + 1, error=kind)
        if taken.attempts + 1 >= MOST_ATTEMPTS:
            raise JobFailedError(kind)
        raise RetryRequested(min(_FIRST_DELAY * 2**taken.attempts, _LONGEST_DELAY), kind)


def _register_schedule(taker: PgQueuer, tools: Tools, do: Callable[[Tools], Awaitable[None]], when: str) -> None:
    async def run(_: Schedule) -> None:
        try:
            await do(tools)
        except Exception as error:  # noqa: BLE001 - the library would log its message, which may hold feedback
            _log.warning("scheduled work failed", job=do.__name__, error=type(error).__name__)

    taker.schedule(do.__name__, when)(run)
