"""Full-text search over text answers.

The words of the texts stand in a table of their own, `search_texts`, which is brought up to date when somebody searches: storing
a record costs nothing for it. Who changes or deletes a record marks its words in the same statement (`search/_changed.sql`).
"""

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from hub.cursors import DEFAULT_LIMIT, Cursor, Limit
from hub.db import Connection, Pool, query
from hub.db.records import arguments, position
from hub.model import RecordFilter, Segment, Wanted

_BEGIN = query("search/begin")
_LOCK = query("search/lock")
_HORIZON = query("search/horizon")
_PLACE = query("search/place")
_CHANGED = query("search/changed")
_REFRESH = query("search/refresh")
_ADD = query("search/add")
_KEEP = query("search/keep")
_WORDS = query("search/words")
_PAGE_LATEST = query("search/page_latest")
_PAGE = query("search/page")
_PAGE_ALL = query("search/page_all")
_TERMS = query("search/terms")

_PATIENCE_SECONDS, _POLL_SECONDS = 1.0, 0.05
_STEP = 2000
# A word that is in one text of fifty fills a page from so many.
_LATEST = 5000
# Frequent words need no more; the time this takes is felt.
_TEXTS_OF_TERMS = 20_000
_FIRST_ID = UUID(int=(1 << 128) - 1)


class Search(Struct, kw_only=True, frozen=True):
    """Which texts, and which page of them; the latest come first."""

    q: Wanted | None = None
    segment: Segment | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None

    @property
    def size(self) -> int:
        return self.limit or DEFAULT_LIMIT


class TermSearch(Struct, kw_only=True, frozen=True):
    """Of which texts, and how many terms."""

    segment: Segment | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many terms")] = 50


class Term(Struct, frozen=True, kw_only=True):
    """A word in its basic form, as most texts spell it, and in how many texts it is."""

    term: str
    label: str
    count: int


class _Place(Struct, frozen=True):
    """Where a record is in the order of arrival; of one moment, ids descend."""

    created_at: datetime
    id: UUID

    @property
    def order(self) -> tuple[datetime, int]:
        return self.created_at, -self.id.int


class Index:
    """Keeps the words of the tenants that search."""

    def __init__(self, pool: Pool, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._pool = pool
        self._patience = patience
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def catch_up(self, tenant_id: str) -> bool:
        """Whether every text that is stored is found from now on. What takes longer than a request may goes on behind it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience
        if earlier := self._tasks.get(tenant_id):
            # It may have passed the place where the newest records are, so another one has to follow.
            await asyncio.wait([earlier], timeout=self._patience)
        task = self._task(tenant_id)
        await asyncio.wait([task], timeout=max(0, end - loop.time()))
        if task.done():
            task.result()
        return task.done()

    def _task(self, tenant_id: str) -> asyncio.Task[None]:
        task = self._tasks.get(tenant_id)
        if task is None:
            task = self._tasks[tenant_id] = asyncio.create_task(self._run(tenant_id))
            task.add_done_callback(lambda done: self._ended(tenant_id, done))
        return task

    def _ended(self, tenant_id: str, task: asyncio.Task[None]) -> None:
        del self._tasks[tenant_id]
        if not task.cancelled():
            task.exception()  # whoever waits raises it; if nobody does, the next search meets it again

    async def _run(self, tenant_id: str) -> None:
        place: _Place | None = None
        more = True
        while more:
            async with self._pool.acquire() as connection:
                if place is None:
                    await connection.execute(_BEGIN, tenant_id)
                async with connection.transaction():
                    more, place = await _step(connection, tenant_id, place)
            if place is None:
                await asyncio.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _step(connection: Connection, tenant_id: str, place: _Place | None) -> tuple[bool, _Place | None]:
    """Whether there may be more, and where this step ended. No place: it is too early to begin."""
    await connection.execute(_LOCK, tenant_id)
    # First of all: whatever is older than this is seen by the statements below.
    horizon: datetime = await connection.fetchval(_HORIZON)
    kept = await connection.fetchrow(_PLACE, tenant_id)
    if kept is None or horizon <= kept["since"]:  # somebody may still change records without marking their words
        return True, None
    changed = await connection.fetch(_CHANGED, tenant_id, _STEP)
    configurations: list[str] = []
    if changed:
        keys = ([row["submission_id"] for row in changed], [row["field_id"] for row in changed])
        configurations += await connection.fetchval(_REFRESH, tenant_id, *keys)
    # Another process may be further than this one.
    reached = _Place(kept["created_at"], kept["id"])
    place = reached if place is None else max(place, reached, key=lambda each: each.order)
    arrived = await connection.fetchrow(_ADD, tenant_id, place.created_at, place.id, _STEP)
    assert arrived is not None  # noqa: S101 - an aggregate has one row
    if arrived["count"]:
        place = _Place(arrived["created_at"], arrived["id"])
        configurations += arrived["configurations"]
    if arrived["count"] or configurations:
        # Beyond the horizon records may still turn up between those that were read: the next search reads there again.
        safe = place if place.created_at < horizon else _Place(horizon, _FIRST_ID)
        await connection.execute(_KEEP, tenant_id, safe.created_at, safe.id, configurations)
    return _STEP in (len(changed), arrived["count"]), place


async def page(pool: Pool, selection: RecordFilter, search: Search) -> tuple[list[str], Cursor | None]:
    """The texts of one page as JSON texts, and where the next page begins, if there is one."""
    async with pool.acquire() as connection:
        after = (None, None) if search.cursor is None else (search.cursor.t, search.cursor.i)
        # One more than asked for tells whether there is a next page.
        values = (*arguments(selection), search.segment, search.size + 1, *after, search.q or None)
        if not search.q:
            row = await connection.fetchrow(_PAGE_ALL, *values)
        else:
            words: str | None = await connection.fetchval(_WORDS, selection.tenant_id, search.q)
            if words is None:
                return [], None
            row = await connection.fetchrow(_PAGE_LATEST, *values, words, _LATEST) or await connection.fetchrow(
                _PAGE, *values, words
            )
    texts: list[str] = row[0].split("\n") if row and row[0] else []
    if len(texts) <= search.size:
        return texts, None
    last = position(texts[search.size - 1])
    return texts[: search.size], Cursor(t=last.collected_at, i=last.id)


async def terms(pool: Pool, selection: RecordFilter, search: TermSearch) -> tuple[int, list[Term]]:
    """From how many texts, the latest of the selection, and the terms that most of them have."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_TERMS, *arguments(selection), search.segment, _TEXTS_OF_TERMS, search.limit)
    texts: int = rows[0]["texts"]  # without a term there is a row as well
    found = [Term(term=row["term"], label=row["label"], count=row["count"]) for row in rows if row["term"] is not None]
    return texts, found
