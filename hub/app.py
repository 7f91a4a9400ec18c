"""The composition root: settings in, an ASGI application out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, Router
from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router

from hub import db, settings
from hub.api import (
    analytics,
    batch,
    batches,
    changes,
    connections,
    export,
    hooks,
    inserts,
    logs,
    meta,
    records,
    rejects,
    search,
    sources,
    submissions,
    tenants,
)
from hub.api.auth import Keyring
from hub.api.edge import Edge
from hub.api.gate import Gate
from hub.api.strict import StrictRequest
from hub.credentials import Vault
from hub.dashboard import pages
from hub.dashboard.session import Sessions
from hub.db.erasures import Markers
from hub.db.search import Index
from hub.db.writer import Writer
from hub.settings import Settings

ASSETS = Path(__file__).resolve().parent / "assets"


def create_app(settings: Settings) -> Edge:
    """The application. Its lifespan opens and closes the pool; the database may come later."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        assert settings.secret_key is not None, "SECRET_KEY: `hub serve` sets it"  # noqa: S101 - not by a request
        app.state.markers = Markers(settings.secret_key)
        app.state.vault = Vault(settings.secret_key)
        app.state.sessions = Sessions(settings.secret_key, secure=settings.url.startswith("https:"))
        app.state.pool = await db.open_pool(settings)
        app.state.writer = Writer(app.state.pool)
        app.state.batches = Gate(settings.batch_concurrency, "batches")
        # Chunks of all batches together, so that a connection is left for everything else.
        chunks = min(2 * settings.batch_concurrency, db.planning_connections(settings) - 1)
        app.state.storing = asyncio.Semaphore(max(1, chunks))
        app.state.exports = Gate(settings.export_concurrency, "exports")
        app.state.settings = settings
        app.state.index = Index(app.state.pool)
        app.state.batch_max_bytes = settings.batch_max_bytes
        app.state.keyring = Keyring(app.state.pool, settings.api_key)
        try:
            yield
        finally:
            await app.state.index.close()
            await app.state.writer.close()
            await app.state.pool.close()

    litestar = Litestar(
        route_handlers=[
            *records.ROUTES,
            *export.ROUTES,
            *changes.ROUTES,
            *search.ROUTES,
            *submissions.ROUTES,
            *tenants.ROUTES,
            *batch.ROUTES,
            *batches.ROUTES,
            *rejects.ROUTES,
            *analytics.ROUTES,
            *connections.ROUTES,
            *hooks.ROUTES,
            *inserts.ROUTES,
            *meta.ROUTES,
            *pages.ROUTES,
            Router("/", route_handlers=sources.ROUTES, request_max_body_size=settings.source_payload_max_bytes),
            create_static_files_router(
                "/assets", [ASSETS], cache_control=CacheControlHeader(public=True, max_age=3600)
            ),
        ],
        request_class=StrictRequest,
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=64 * 1024,
    )
    litestar.state.server = settings.url
    return Edge(litestar, settings)


def worker() -> Edge:
    """The application of one worker process, configured by the environment that `hub serve` prepared."""
    configured = settings.read(os.environ)
    logs.configure(configured.log_level)
    return create_app(configured)
