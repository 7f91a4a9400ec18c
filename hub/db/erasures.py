"""Markers of what was erased: a payload that comes again must not bring it back, and the marker must not tell what it was."""

import base64
import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from hub.db import Connection, query

_LOCK = query("erasures/lock")
_SHARE = query("erasures/share")
_MARK = query("erasures/mark")
_FIND = query("erasures/find")
_KEEP_SECRET = query("secret/keep")
_GET_SECRET = query("secret/get")

# No tenant is called so: names are never blank.
EVERYWHERE = ""


class Marker(Struct, frozen=True):
    """The name of something that was erased, or may have been."""

    tenant_id: str
    kind: Literal["record", "submission", "user"]
    hash: bytes


class Markers:
    """Names things by a hash that nobody without the secret can make."""

    def __init__(self, secret: str) -> None:
        # A key of its own: the secret encrypts other things, too.
        self._key = hmac.digest(base64.urlsafe_b64decode(secret), b"erasures", "sha256")

    @property
    def fingerprint(self) -> bytes:
        """Tells two secrets apart and gives neither away."""
        return self._hash("secret")

    def record(self, tenant_id: str, submission_id: str, field_id: str) -> Marker:
        return Marker(tenant_id, "record", self._hash("record", tenant_id, submission_id, field_id))

    def submission(self, tenant_id: str, submission_id: str) -> Marker:
        return Marker(tenant_id, "submission", self._hash("submission", tenant_id, submission_id))

    def user(self, tenant_id: str | None, user_id: str) -> Marker:
        """A user in one tenant, or everywhere: also where the hub has nothing of theirs yet."""
        tenant_id = tenant_id or EVERYWHERE
        return Marker(tenant_id, "user", self._hash("user", tenant_id, user_id))

    def address(self, address: str) -> str:
        """The user whom nothing but an e-mail address names: it cannot be read back, nor made without the secret."""
        return f"email:{self._hash('address', address).hex()[:32]}"

    def _hash(self, *names: str) -> bytes:
        return hmac.digest(self._key, msgspec.json.encode(names), "sha256")


async def lock(connection: Connection, marker: Marker) -> None:
    """Before something is erased: waits for the payloads of it that are being stored, and holds back others."""
    await connection.execute(_LOCK, _key(marker))


async def share(connection: Connection, submission: Marker, user: Marker | None = None) -> None:
    """Before a payload is stored: waits for erasures of it that are under way."""
    await connection.execute(_SHARE, _key(submission), _key(user or submission))


def _key(marker: Marker) -> int:
    return int.from_bytes(marker.hash[:8], signed=True)


async def mark(connection: Connection, markers: Iterable[Marker]) -> None:
    """Leaves the markers. Part of the transaction that erases."""
    rows = [{"tenant_id": mark.tenant_id, "kind": mark.kind, "hash": mark.hash.hex()} for mark in markers]
    await connection.execute(_MARK, msgspec.json.encode(rows).decode())


async def find(connection: Connection, tenant_id: str, markers: Iterable[Marker]) -> dict[bytes, datetime]:
    """When those were erased that were, by their hashes."""
    rows = await connection.fetch(_FIND, tenant_id, b"".join(marker.hash for marker in markers))
    return {row["hash"]: row["erased_at"] for row in rows}


async def is_known(connection: Connection, markers: Markers) -> bool:
    """Whether the markers of this database are of this secret. The first secret it is asked with is."""
    await connection.execute(_KEEP_SECRET, markers.fingerprint)
    kept: bytes = await connection.fetchval(_GET_SECRET)
    return kept == markers.fingerprint
