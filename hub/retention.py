"""What is kept for a time only, and deleted when that is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from hub.db import UNAVAILABLE, Pool, submissions
from hub.settings import Settings

SECONDS = 3600.0

_log = structlog.get_logger()


async def expire(pool: Pool, settings: Settings) -> None:
    """Deletes what has to go now. Any number of processes may do so at once."""
    if settings.payload_retention_days is not None:
        count = await submissions.expire_payloads(pool, settings.payload_retention_days)
        if count:
            _log.info("payloads expired", count=count)


@asynccontextmanager
async def expiring(pool: Pool, settings: Settings) -> AsyncIterator[None]:
    """Deletes what has to go, now and every hour, as long as the process serves."""
    task = asyncio.create_task(_hourly(pool, settings))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _hourly(pool: Pool, settings: Settings) -> None:
    while True:
        try:
            await expire(pool, settings)
        except UNAVAILABLE as error:  # another hour is early enough
            _log.warning("nothing expired", error=type(error).__name__)
        await asyncio.sleep(SECONDS)
