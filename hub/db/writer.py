"""Single inserts that arrive together go to Postgres together.

While one statement is under way, the next records gather; when it returns, they follow as one. An idle hub waits for nothing.
Each request is answered after its own record is committed, and one bad record costs its neighbors a second try, no more.
"""

import asyncio
from collections import deque

from hub.db import Pool, records, unavailable
from hub.model import NewRecord, Outcome

# A record, and the request that waits for it.
Waiting = tuple[NewRecord, "asyncio.Future[Outcome]"]


class Writer:
    """Stores records for the requests of one process.

    One statement at a time, since larger groups cost Postgres less; but one that takes longer than `patience` (it may wait
    for somebody's lock) does not hold up the others: up to `statements` run then. Each takes up to `group` records. When all
    are held up for longer than the pool waits for a connection, or beyond `room` waiting records, `insert` raises
    `TimeoutError`: the client may try again, and memory stays bounded.
    """

    def __init__(
        self, pool: Pool, *, statements: int = 4, group: int = 256, room: int = 8192, patience: float = 0.02
    ) -> None:
        self._pool = pool
        self._statements = statements
        self._patience = patience
        self._group = group
        self._room = room
        self._waiting: deque[Waiting] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0
        self._begun = 0.0

    async def insert(self, record: NewRecord) -> Outcome:
        """The outcome, once it is durable. Raises what the database raised for this record."""
        if len(self._waiting) >= self._room:
            raise TimeoutError("too many records are waiting to be stored")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((record, outcome))
        if not self._running or loop.time() - self._begun > self._patience:
            self._begin()
        if self._running == self._statements:
            held_up = loop.call_later(self._pool.wait, self._give_up, outcome)
            outcome.add_done_callback(lambda _: held_up.cancel())
        return await outcome

    def _give_up(self, outcome: "asyncio.Future[Outcome]") -> None:
        waiting = next((waiting for waiting in self._waiting if waiting[1] is outcome), None)
        if waiting is not None:  # not yet on its way to Postgres: nothing of it is stored
            self._waiting.remove(waiting)
            _fail([waiting], TimeoutError("the statements before took too long"))

    async def close(self) -> None:
        """Waits for what is under way; new records are refused by the server by then."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self) -> None:
        if self._running < self._statements:
            self._running += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                self._begun = loop.time()
                slow = loop.call_later(self._patience, self._begin)
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._group))]
                # A client that went away before its turn is not stored: it was never answered, and will send again.
                await self._store([waiting for waiting in group if not waiting[1].done()])
                slow.cancel()
        finally:
            self._running -= 1  # before anything else can run: a record that comes next must find nobody busy

    async def _store(self, group: list[Waiting]) -> None:
        if not group:
            return
        try:
            outcomes = await records.insert(self._pool, [record for record, _ in group])
        except Exception as error:  # noqa: BLE001 - handed to the request it belongs to, which renders it
            if len(group) == 1 or unavailable(error):
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
