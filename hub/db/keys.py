"""Bearer keys: made, found by their hash, revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import uuid6
from msgspec import Struct

from hub.db import Connection, Pool, query

_INSERT = query("keys/insert")
_FIND = query("keys/find")
_TOUCH = query("keys/touch")
_LIST = query("keys/list")
_REVOKE = query("keys/revoke")

_PREFIX_LENGTH = 10


class KeyInfo(Struct, frozen=True, kw_only=True):
    """A key as its operator sees it; its text is not kept."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    tenant_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class FoundKey(Struct, frozen=True, kw_only=True):
    """A key that opens something now."""

    id: UUID
    scopes: list[str]
    tenant_id: str | None


def digest(text: str) -> bytes:
    """What is kept of a key. Keys are 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


async def create(
    connection: Connection, *, name: str, scopes: Sequence[str], tenant_id: str | None, expires_at: datetime | None
) -> tuple[str, UUID]:
    """The text of a new key, which nobody can read again, and its id."""
    text = f"hub_{secrets.token_urlsafe(32)}"
    key_id = uuid6.uuid7()
    await connection.execute(
        _INSERT, key_id, name, text[:_PREFIX_LENGTH], digest(text), list(scopes), tenant_id, expires_at
    )
    return text, key_id


async def listed(connection: Connection) -> list[KeyInfo]:
    """All keys, newest first, revoked and expired ones too."""
    return [msgspec.convert(dict(row), KeyInfo) for row in await connection.fetch(_LIST)]


async def revoke(connection: Connection, id_or_prefix: str) -> KeyInfo | None:
    """The revoked key, or None when there is no such key."""
    row = await connection.fetchrow(_REVOKE, id_or_prefix)
    return None if row is None else msgspec.convert(dict(row), KeyInfo)


async def find(pool: Pool, hashed: bytes) -> FoundKey | None:
    """The key with this hash if it is neither revoked nor expired. Its use is noted, to the minute."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_FIND, hashed)
        if row is None:
            return None
        if row["unnoted"]:
            await connection.execute(_TOUCH, row["id"])
    return msgspec.convert(dict(row), FoundKey)
