"""Who is asking: a bearer token becomes a `Principal`."""

import hmac
import time
from typing import Literal

from msgspec import Struct

from hub.api.problems import Forbidden, Unauthorized
from hub.db import Pool, keys

Scope = Literal["read", "write", "admin"]

# A revoked key stops working after this many seconds at the latest, in every process.
TTL_SECONDS = 2.0
_MAX_REMEMBERED = 10_000


class Principal(Struct, frozen=True):
    """The key a request came with: what it may do, and the one tenant it is confined to, if any."""

    key_id: str
    scopes: frozenset[str]
    tenant_id: str | None = None

    def require(self, scope: Scope) -> None:
        """Raises `Forbidden` naming the scope that is missing."""
        if scope not in self.scopes:
            raise Forbidden(f"This key lacks the scope {scope}")

    def owns(self, tenant_id: str) -> None:
        """Raises `Forbidden` when the key is bound to another tenant."""
        if self.tenant_id not in (None, tenant_id):
            raise Forbidden("This key is bound to another tenant")


class Keyring:
    """The keys this process has seen lately, so that a warm key costs no query."""

    def __init__(self, pool: Pool, api_key: str | None, *, ttl: float = TTL_SECONDS) -> None:
        self._pool = pool
        self._ttl = ttl
        self._api_key = keys.digest(api_key) if api_key else None
        self._seen: dict[bytes, tuple[float, Principal | None]] = {}

    async def principal(self, authorization: bytes | None) -> Principal:
        """The owner of an `Authorization` header. Raises `Unauthorized`."""
        authorization = (authorization or b"").strip(b" \t")  # blanks around a header's value are not part of it
        if not authorization:
            raise Unauthorized
        # API_KEY may be any text, and clients send it as UTF-8; bytes that are none only fail to match.
        scheme, _, token = authorization.decode(errors="surrogateescape").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Invalid Authorization header format. Expected: Bearer <api-key>")
        hashed = keys.digest(token)
        if self._api_key is not None and hmac.compare_digest(hashed, self._api_key):
            return _OPERATOR
        found = await self._find(hashed)
        if found is None:
            raise Unauthorized("Invalid API key")
        return found

    async def _find(self, hashed: bytes) -> Principal | None:
        now = time.monotonic()
        until, principal = self._seen.get(hashed, (0.0, None))
        if now < until:
            return principal
        if principal is not None:
            # The others go on with what is known while this request asks: one query, not one for each of them.
            self._seen[hashed] = (now + self._ttl, principal)
        key = await keys.find(self._pool, hashed)
        found = None if key is None else Principal(str(key.id), frozenset(key.scopes), key.tenant_id)
        if len(self._seen) >= _MAX_REMEMBERED:
            self._seen.clear()
        self._seen[hashed] = (now + self._ttl, found)
        return found


_OPERATOR = Principal("API_KEY", frozenset({"read", "write", "admin"}))
