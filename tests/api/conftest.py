"""Clients with less power than the operator."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from hub.api.edge import Edge
from hub.db import keys


@pytest.fixture
async def bound(
    app: Edge, client: httpx.AsyncClient, connection: "asyncpg.Connection[asyncpg.Record]"
) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose key is bound to acme."""
    key, _ = await keys.create(connection, name="acme", scopes=["read", "write"], tenant_id="acme", expires_at=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),  # type: ignore[arg-type] # httpx writes the types of ASGI its own way
        base_url="http://hub.test",
        headers={"Authorization": f"Bearer {key}"},
    ) as other:
        yield other
