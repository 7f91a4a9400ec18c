"""What is kept for a time only, and deleted when that is over."""

import structlog

from hub.db import Pool, changes, deliveries, rejects, search, submissions
from hub.settings import Settings

_log = structlog.get_logger()


async def expire(pool: Pool, settings: Settings) -> None:
    """Deletes what has to go now. Any number of processes may do so at once."""
    if count := await rejects.expire(pool, settings.rejects_retention_days):
        _log.info("rejects expired", count=count)
    if count := await changes.expire(pool, settings.changes_retention_days):
        _log.info("changes expired", count=count)
    days = settings.payload_retention_days
    if days is not None and (count := await submissions.expire_payloads(pool, days)):
        _log.info("payloads expired", count=count)
    await deliveries.expire(pool)
    await search.tidy(pool)
