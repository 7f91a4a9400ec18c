"""The composition root: settings in, an ASGI application out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router

from hub import db, settings
from hub.api import batch, batches, logs, meta, problems, records, rejects, sources
from hub.api.auth import Keyring
from hub.api.batch import Gate
from hub.api.edge import Edge, exchange
from hub.api.strict import StrictRequest
from hub.db import Pool
from hub.db import rejects as kept_rejects
from hub.db.writer import Writer
from hub.settings import Settings

_FIRST_RETENTION_SECONDS, _RETENTION_SECONDS = 60, 3600

log = structlog.get_logger()

ASSETS = Path(__file__).resolve().parent / "assets"


def create_app(settings: Settings) -> Edge:
    """The application. Its lifespan opens and closes the pool; the database may come later."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.pool = await db.open_pool(settings)
        app.state.writer = Writer(app.state.pool)
        app.state.batches = Gate(settings.batch_concurrency)
        app.state.batch_max_bytes = settings.batch_max_bytes
        app.state.keyring = Keyring(app.state.pool, settings.api_key)
        retention = asyncio.create_task(_retain(app.state.pool, settings.rejects_retention_days))
        try:
            yield
        finally:
            retention.cancel()
            with suppress(asyncio.CancelledError):
                await retention
            await app.state.writer.close()
            await app.state.pool.close()

    litestar = Litestar(
        route_handlers=[
            *records.ROUTES,
            *batch.ROUTES,
            *batches.ROUTES,
            *rejects.ROUTES,
            *meta.ROUTES,
            Router("/", route_handlers=sources.ROUTES, request_max_body_size=settings.source_payload_max_bytes),
            create_static_files_router(
                "/assets", [ASSETS], cache_control=CacheControlHeader(public=True, max_age=3600)
            ),
        ],
        request_class=StrictRequest,
        lifespan=[lifespan],
        exception_handlers={Exception: _problem},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=64 * 1024,
    )
    litestar.state.server = settings.url
    return Edge(litestar, settings)


async def _retain(pool: Pool, days: int) -> None:
    """Every hour, what is older than that goes. Each process asks; the database lets one of them do it."""
    await asyncio.sleep(_FIRST_RETENTION_SECONDS)
    while True:
        try:
            deleted = await kept_rejects.expire(pool, days)
        except Exception as error:  # noqa: BLE001 - nobody else would begin again
            log.warning("retention failed", error=type(error).__name__)
        else:
            log.info("retention", rejects=deleted) if deleted else None
        await asyncio.sleep(_RETENTION_SECONDS)


def _problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    status, headers, body = exchange(request.scope).render(error)
    return Response(body, status_code=status, headers=headers, media_type=problems.MEDIA_TYPE)


def worker() -> Edge:
    """The application of one worker process, configured by the environment that `hub serve` prepared."""
    configured = settings.read(os.environ)
    logs.configure(configured.log_level)
    return create_app(configured)
