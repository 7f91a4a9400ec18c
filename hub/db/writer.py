"""Single inserts that arrive together go to Postgres together.

While one statement is under way, the next records gather; when it returns, they follow as one. An idle hub waits for nothing.
Each request is answered after its own record is committed, and one bad record costs its neighbours a second try, no more.
"""

import asyncio
from collections import deque

from hub.db import UNAVAILABLE, Pool, records
from hub.model import NewRecord, Outcome

Waiting = tuple[NewRecord, "asyncio.Future[Outcome]"]


class Writer:
    """Stores records for the requests of one process.

    `statements` run at the same time at most; each takes up to `group` records. Beyond `room` waiting records, `insert`
    raises `TimeoutError`: the client may try again, and memory stays bounded.
    """

    def __init__(self, pool: Pool, *, statements: int = 2, group: int = 256, room: int = 8192) -> None:
        self._pool = pool
        self._statements = statements
        self._group = group
        self._room = room
        self._waiting: deque[Waiting] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def insert(self, record: NewRecord) -> Outcome:
        """The outcome, once it is durable. Raises what the database raised for this record."""
        if len(self._waiting) >= self._room:
            raise TimeoutError("too many records are waiting to be stored")
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, outcome))
        if len(self._running) < self._statements:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await outcome

    async def close(self) -> None:
        """Waits for what is under way; new records are refused by the server by then."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._group))]
            # A client that went away before its turn is not stored: it was never answered, and will send again.
            await self._store([waiting for waiting in group if not waiting[1].done()])

    async def _store(self, group: list[Waiting]) -> None:
        if not group:
            return
        try:
            outcomes = await records.insert(self._pool, [record for record, _ in group])
        except UNAVAILABLE as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - handed to the request it belongs to, which renders it
            if len(group) == 1:
                _fail(group, error)
            else:
                for waiting in group:
                    await self._store([waiting])
        else:
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)


def _fail(group: list[Waiting], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
