"""Request bytes to a struct, once, and as strictly as the contract says.

msgspec decodes and checks; what it lets pass is looked for here (repeated members, NUL, dates with a blank, sub-microseconds).
A body that failed is walked again for all its faults.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import TypeVar, cast
from urllib.parse import unquote
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.types import HTTPRequestEvent
from msgspec import Struct, structs

from hub.api.auth import Principal
from hub.api.edge import Exchange, exchange
from hub.api.faults import KEY_TOO_LONG, faults, parse_instant
from hub.api.problems import (
    MAX_INVALID_PARAMS,
    BadRequest,
    ContentTooLarge,
    InvalidParam,
    UnsupportedMediaType,
    ValidationFailed,
)
from hub.credentials import Vault
from hub.db import Pool
from hub.db.erasures import Markers
from hub.db.search import Index
from hub.db.writer import Writer
from hub.model import EARLIEST, LATEST, MAX_DEPTH, MAX_KEY_BYTES, NO_METADATA, NewRecord, TenantRecord, key_bytes

T = TypeVar("T", bound=Struct)

# What `curl -d` sends by itself is a form; nobody means one.
_JSON_TYPES = {"", "application/json", "text/plain", "application/x-www-form-urlencoded"}
_HEX = "[0-9a-fA-F]"
_DASHED = "-".join(f"{_HEX}{{{length}}}" for length in (8, 4, 4, 4, 12))
# `UUID()` alone would drop dashes and braces wherever they stand.
_UUID = re.compile(rf"{_DASHED}|{_HEX}{{32}}|{{{_DASHED}}}|[uU][rR][nN]:[uU][uU][iI][dD]:{_DASHED}")
# An escape that may be NUL or half of a surrogate pair; a number that may be beyond what jsonb holds.
_ODD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ODD_NUMBER = re.compile(rb"[eE][+-]?\d{3}|\d{400}")


class StrictRequest(Request[Principal, Principal, State]):
    """Decodes the body straight into the type the handler declares: no dict in between, nothing coerced."""

    _received: bytes | None = None

    @property
    def principal(self) -> Principal:
        """The key the request came with."""
        return self.auth

    @property
    def exchange(self) -> Exchange:
        """What the log line will say."""
        return exchange(self.scope)

    @property
    def pool(self) -> Pool:
        """The connections of this process."""
        return cast("Pool", self.app.state.pool)

    @property
    def markers(self) -> Markers:
        """What names the things that were erased."""
        return cast("Markers", self.app.state.markers)

    @property
    def vault(self) -> Vault:
        """What opens the credentials of connections."""
        return cast("Vault", self.app.state.vault)

    @property
    def index(self) -> Index:
        """The words of texts, for those who search."""
        return cast("Index", self.app.state.index)

    @property
    def writer(self) -> Writer:
        """Where single records are stored."""
        return cast("Writer", self.app.state.writer)

    async def body(self) -> bytes:
        """The body. Raises `ContentTooLarge` beyond the route's limit.

        Litestar's own way through a generator and parsed headers takes a tenth of the time of a post.
        """
        if self._received is None:
            self._received = await self._receive_body()
        return self._received

    async def _receive_body(self) -> bytes:
        limit = self.route_handler.resolve_request_max_body_size() or sys.maxsize
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = cast("HTTPRequestEvent", await self.receive())
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise ContentTooLarge(limit=limit)
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def record(self) -> NewRecord:
        """The record in the body. Raises what `decoded` does, and `Forbidden` when it is another tenant's than the key's."""
        self.check_media_type()
        return record(await self.body(), self.principal)

    async def decoded(self, kind: type[T]) -> T:
        """The body as the struct. Raises `BadRequest`, `ValidationFailed`, `UnsupportedMediaType`, `ContentTooLarge`."""
        self.check_media_type()
        return decode(await self.body(), kind)

    def check_media_type(self) -> None:
        """Raises `UnsupportedMediaType`."""
        check_media_type(self.exchange.headers.get(b"content-type", b"").decode("latin-1"))


def check_media_type(content_type: str) -> None:
    """Raises `UnsupportedMediaType` for what is not JSON and not what careless clients call JSON."""
    media_type = content_type.split(";", 1)[0].strip().lower()
    if media_type not in _JSON_TYPES and not media_type.endswith("+json"):
        raise UnsupportedMediaType("Send the body as application/json")


def record_id(segment: str, name: str = "id") -> UUID:
    """An id however it is spelled: upper case, braces, `urn:uuid:`, without dashes. Raises `ValidationFailed`."""
    match = _UUID.fullmatch(unquote(segment))
    if match is None:
        raise ValidationFailed([InvalidParam(name, "must be a valid UUID")])
    return UUID(match[0].strip("{}").lower())  # Python knows `urn:` in lower case only


def decode(body: bytes, kind: type[T]) -> T:
    """The body as `kind`. Raises `BadRequest` when it is no JSON object, else `ValidationFailed` with every fault."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        try:
            return _settled(_decode(body, kind), _members(_unambiguous, body), body)
        except (_Suspect, ValueError, RecursionError, msgspec.MsgspecError):
            pass
    found = list(islice(faults(body, kind), MAX_INVALID_PARAMS))
    if found:
        raise ValidationFailed(found)
    # Not wrong, only unusual: a harmless escape, many small arrays, digits beyond the microsecond.
    try:
        return _settled(_decode(body, kind), _members(_lenient, body), b"")
    except msgspec.ValidationError as error:  # a rule that a struct checks by itself, which the walk cannot know
        reason, _, path = str(error).partition(" - at ")
        raise ValidationFailed([InvalidParam(path.strip("`$."), reason)]) from None
    except (_Suspect, ValueError, msgspec.MsgspecError):  # the walk has missed something: still not the server's fault
        raise BadRequest from None


def record(body: bytes, principal: Principal) -> NewRecord:
    """A record as this key may store it: one bound to a tenant may leave `tenant_id` out.

    Raises what `decode` does, and `Forbidden` for another tenant.
    """
    if principal.tenant_id is None:
        return decode(body, NewRecord)
    found = decode(body, TenantRecord)
    principal.owns(found.tenant_id or principal.tenant_id)
    if key_bytes(principal.tenant_id, found.submission_id, found.field_id) > MAX_KEY_BYTES:
        raise ValidationFailed(
            [InvalidParam(name, KEY_TOO_LONG) for name in ("tenant_id", "submission_id", "field_id")]
        )
    return NewRecord(**structs.asdict(found) | {"tenant_id": principal.tenant_id})


class _Suspect(Exception):  # noqa: N818 - not an error: a reason to look again
    pass


@cache
def _decoder(kind: type[Struct]) -> "msgspec.json.Decoder[Struct]":
    return msgspec.json.Decoder(kind)


def _decode(body: bytes, kind: type[T]) -> T:
    return cast("T", _decoder(kind).decode(body))


def _members(decoder: json.JSONDecoder, body: bytes) -> dict[str, object]:
    members = decoder.decode(body.decode())
    if not isinstance(members, dict):
        raise _Suspect
    return members


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Suspect
    return members


# `float` for every number: integers of thousands of digits are legal JSON, and Python refuses to make an int of them.
_unambiguous = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=float)
_lenient = json.JSONDecoder(parse_int=float)


def _settled(value: T, members: dict[str, object], body: bytes) -> T:
    """What msgspec decoded, after the checks it does not make. Raises `_Suspect` when the body must be walked."""
    if b"\\u" in body and _ODD_ESCAPE.search(body):
        raise _Suspect
    metadata = members.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise _Suspect
    if metadata and body and _ODD_NUMBER.search(getattr(value, "metadata", b"")):
        raise _Suspect
    changes: dict[str, object] = dict(_instants(value, members))
    if isinstance(value, NewRecord):
        changes |= _identity(value, members)
        if members.get("metadata", ...) is None:
            changes["metadata"] = NO_METADATA
    return structs.replace(value, **changes) if changes else value


def _instants(value: Struct, members: dict[str, object]) -> Iterator[tuple[str, datetime]]:
    """The moments msgspec rounded where the contract truncates, and those of an offset Postgres does not know, in UTC."""
    for name in ("collected_at", "value_date"):
        text = members.get(name)
        if isinstance(text, str):
            instant = parse_instant(text)
            if instant is None or not EARLIEST <= instant <= LATEST:
                raise _Suspect
            moment = getattr(value, name)
            if moment.tzinfo is not UTC or instant != moment:
                yield name, instant


def _identity(value: NewRecord, members: dict[str, object]) -> dict[str, object]:
    """The tenant without the blanks around it. Without a tenant at all, only a key bound to one may have sent this."""
    tenant_id = value.tenant_id.strip()
    if not tenant_id and "tenant_id" in members:
        raise _Suspect
    if key_bytes(tenant_id, value.submission_id, value.field_id) > MAX_KEY_BYTES:
        raise _Suspect
    return {} if tenant_id == value.tenant_id else {"tenant_id": tenant_id}
