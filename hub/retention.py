"""What is kept for a time only, and deleted when that is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from hub.db import Pool, deliveries, rejects, submissions
from hub.settings import Settings

# A start has enough to do.
FIRST_SECONDS, SECONDS = 60.0, 3600.0

_log = structlog.get_logger()


async def expire(pool: Pool, settings: Settings) -> None:
    """Deletes what has to go now. Any number of processes may do so at once."""
    if count := await rejects.expire(pool, settings.rejects_retention_days):
        _log.info("rejects expired", count=count)
    days = settings.payload_retention_days
    if days is not None and (count := await submissions.expire_payloads(pool, days)):
        _log.info("payloads expired", count=count)
    await deliveries.expire(pool)


@asynccontextmanager
async def expiring(pool: Pool, settings: Settings) -> AsyncIterator[None]:
    """Deletes what has to go, soon and then every hour, as long as the process serves."""
    task = asyncio.create_task(_hourly(pool, settings))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _hourly(pool: Pool, settings: Settings) -> None:
    await asyncio.sleep(FIRST_SECONDS)
    while True:
        try:
            await expire(pool, settings)
        except Exception as error:  # noqa: BLE001 - nobody else would begin again
            _log.warning("retention failed", error=type(error).__name__)
        await asyncio.sleep(SECONDS)
