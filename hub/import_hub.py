"""Moves a running Formbricks Hub over: reads it page by page, and makes what is here the same.

The walk is in the order of an index of the other hub, and each page says how far it reaches: what came from there before,
lies in that stretch and is not on the page is asked for by its id, and deleted when it is gone. So memory holds two pages,
a later run catches up, and one that was broken off goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec
from msgspec import Raw, Struct, structs

from hub.client import Client, RefusedError, UnreachableError
from hub.cursors import Sort
from hub.db import Connection, imports
from hub.db.imports import Move, Position, State, Sum

T = TypeVar("T")

PAGE = 1_000
_PROBES = 8
_BAD_REQUEST, _NOT_FOUND = 400, 404
_RECORDS = "/v1/feedback-records"


def address(url: str) -> str:
    """Of a hub or its database, however the rest of its URL is written: no user, no password, no options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path.rstrip('/')}"


class OtherHub(Protocol):
    """Where the records come from."""

    sort: Sort

    async def count(self, tenant_id: str) -> int:
        """How many records a tenant has now."""

    async def page(self, tenant_id: str, cursor: str | None) -> tuple[list[bytes], str | None]:
        """The records after the cursor as JSON, and the next cursor, if there is more."""

    async def gone(self, ids: Sequence[UUID]) -> list[UUID]:
        """Which of these records are no longer there."""


class _Page(Struct):
    data: list[Raw]
    next_cursor: str | None = None


class _Count(Struct):
    count: int


class OverHttp:
    """The other hub by its API."""

    def __init__(self, client: Client, sort: Sort) -> None:
        self._client = client
        self.sort = sort

    @classmethod
    async def open(cls, client: Client, tenant_id: str) -> "OverHttp":
        """Finds out whether it can list in order of arrival. One that cannot ignores `sort`, so it does not refuse nonsense."""
        query: dict[str, str | int] = {"tenant_id": tenant_id, "limit": 1}
        await asyncio.to_thread(client.request, "GET", _RECORDS, query=query)
        try:
            await asyncio.to_thread(client.request, "GET", _RECORDS, query=query | {"sort": "no_such_order"})
        except RefusedError as error:
            if error.problem.status != _BAD_REQUEST:
                raise
            return cls(client, "created_at")
        return cls(client, "collected_at")

    async def count(self, tenant_id: str) -> int:
        answer = await asyncio.to_thread(
            self._client.request, "GET", f"{_RECORDS}/count", query={"tenant_id": tenant_id}
        )
        return self._read(answer.content, _Count).count

    async def page(self, tenant_id: str, cursor: str | None) -> tuple[list[bytes], str | None]:
        query: dict[str, str | int] = {"tenant_id": tenant_id, "limit": PAGE}
        if self.sort == "created_at":
            query |= {"sort": "created_at", "order": "asc"}
        if cursor is not None:
            query["cursor"] = cursor
        answer = await asyncio.to_thread(self._client.request, "GET", _RECORDS, query=query)
        page = self._read(answer.content, _Page)
        return [bytes(raw) for raw in page.data], page.next_cursor or None

    def _read(self, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            # The Formbricks Hub answers 200 and nothing where a date is beyond the year 9999 in its own zone.
            raise UnreachableError(
                f"{self._client.url} answered what cannot be read ({error}). Run it with TZ=UTC, or read its --database"
            ) from None

    async def gone(self, ids: Sequence[UUID]) -> list[UUID]:
        slots = asyncio.Semaphore(_PROBES)

        async def is_gone(record_id: UUID) -> bool:
            async with slots:
                path = f"{_RECORDS}/{quote(str(record_id))}"
                answer = await asyncio.to_thread(self._client.request, "GET", path, accept=frozenset({_NOT_FOUND}))
            return answer.status_code == _NOT_FOUND

        found = await asyncio.gather(*map(is_gone, ids))
        return [record_id for record_id, is_gone_ in zip(ids, found, strict=True) if is_gone_]


class Moved(Struct, frozen=True, kw_only=True):
    """What became of a tenant."""

    tenant_id: str
    there: int
    """What the other hub counts at the end."""
    state: State
    here: Sum

    @property
    def same(self) -> bool:
        """Whether all of it is here as it is there."""
        expected = Sum(self.state.read - self.state.counts.get("rejected", 0), self.state.checksum)
        return self.here == expected and self.state.read == self.there


async def run(
    connection: Connection, other: OtherHub, move: Move, *, restart: bool, advance: Callable[[State], None]
) -> Moved:
    """Walks through a tenant from where the last run was broken off, or from the beginning. `advance` hears of each page."""
    last = None if restart else await imports.state(connection, move)
    goes_on = last is not None and not last.finished and last.sort == other.sort
    state = last if last is not None and goes_on else State(sort=other.sort)
    coming = asyncio.create_task(other.page(move.tenant_id, state.cursor))
    try:
        while not state.finished:
            raws, following = await coming
            if following is not None:
                coming = asyncio.create_task(other.page(move.tenant_id, following))
            page = imports.read(raws, move.tenant_id)
            upto = None if following is None else _end(page, state)
            # A page of which nothing could be read does not say how far it reaches.
            bounded = following is None or page.records
            absent = await imports.missing(connection, move, state, upto, page.ids) if bounded else []
            gone = await other.gone(absent) if absent else []
            then = structs.replace(
                state, cursor=following, position=upto, read=state.read + len(raws), finished=following is None
            )
            state = await imports.store(connection, move, page, gone, then)
            advance(state)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    return Moved(
        tenant_id=move.tenant_id,
        there=await other.count(move.tenant_id),
        state=state,
        here=await imports.here(connection, move),
    )


def _end(page: imports.Read, before: State) -> Position | None:
    """How far a page reaches: to the last of its records that could be read. The next page covers the rest."""
    if not page.records:
        return before.position
    last = page.records[-1]
    return Position(getattr(last, before.sort), last.id)
