"""Erasing: a tenant with all it has; or a person, which is everything that is known to be theirs, and what nobody could read but their name stands in.

What was collected before does not come back by payloads: those that name the person, and those of the same submissions that do
not, as some channels leave the person out.
"""

import asyncio
import json
import re

from hub.db import Connection, Pool, changes, erasures, query, retry_deadlocks
from hub.db.erasures import Markers

_RECORDS = query("records/erase_user")
_SUBMISSIONS = query("submissions/erase_user")
_PARTLY = query("submissions/erase_partly")
_REJECTS = query("rejects/erase_user")
_PURGE = query("erasures/purge")
_IS_SETTLED = query("erasures/is_settled")
_REJECTS_OF_TENANT = query("rejects/erase_tenant")
_CONNECTIONS_OF_TENANT = query("connections/delete_of_tenant")
_PULLS_OF_TENANT = query("pulls/delete_of_tenant")
_LOOK_AGAIN = query("server/look_again")
_TAKE_YOUR_TIME = query("server/take_your_time")

_POLL_SECONDS = 0.05


async def erase_user(pool: Pool, markers: Markers, user_id: str, tenant_id: str | None) -> int:
    """Deletes a user's records, kept payloads and rejects; the number of records. None as the tenant means every tenant."""
    async with pool.acquire() as connection:
        return await retry_deadlocks(lambda: _erase_user(connection, markers, user_id, tenant_id))


async def _erase_user(connection: Connection, markers: Markers, user_id: str, tenant_id: str | None) -> int:
    patterns = [in_object(user_id), in_table(user_id)]
    patterns_of_tenant = [None, None] if tenant_id is None else [in_object(tenant_id), in_table(tenant_id)]
    async with connection.transaction():
        # One lock for all tenants, or an erasure everywhere would have to know them.
        await erasures.lock(connection, markers.user(None, user_id))
        # Before the records: a reject that is repaired meanwhile is then either gone here or a record below.
        await connection.execute(_REJECTS, user_id, tenant_id, *patterns, *patterns_of_tenant)
        # Submissions first: a payload that is being stored holds its row, and its records are seen once it let go.
        kept = await connection.fetch(_SUBMISSIONS, user_id, tenant_id)
        await connection.execute(_PARTLY, user_id, tenant_id)
        gone = await connection.fetch(_RECORDS, user_id, tenant_id)
        submissions = [markers.submission(row["tenant_id"], row["submission_id"]) for row in (*kept, *gone)]
        await erasures.mark(connection, [markers.user(tenant_id, user_id), *submissions])
    return sum(row["count"] for row in gone)


async def purge(pool: Pool, markers: Markers, tenant_id: str, *, everything: bool, wait_seconds: float) -> int | None:
    """Deletes everything of a tenant, or all but its forms and connections; the number of records.

    Everything older than the purge has to have ended: it would bear a time from before it, and a copy of the records would
    take it for purged. What begins later may stay. None when something did not end in time; then nothing was done.
    """

    async def attempt() -> int | None:
        async with connection.transaction():
            await connection.execute(_TAKE_YOUR_TIME)
            # No submission has an empty name: this lock is that of the purge of a tenant.
            await erasures.lock(connection, markers.submission(tenant_id, ""))
            if not await _settled(connection, wait_seconds):
                return None
            if everything:
                await connection.execute(_PULLS_OF_TENANT, tenant_id)
                await connection.execute(_CONNECTIONS_OF_TENANT, tenant_id)
            await connection.execute(_REJECTS_OF_TENANT, tenant_id, in_object(tenant_id), in_table(tenant_id))
            number: int = await connection.fetchval(_PURGE, tenant_id, everything)
            return number

    async with pool.acquire() as connection:
        return await retry_deadlocks(attempt)


async def _settled(connection: Connection, wait_seconds: float) -> bool:
    """Waits until everything that began before this transaction has ended."""
    clock = asyncio.get_running_loop().time
    end = clock() + wait_seconds
    while not await connection.fetchval(_IS_SETTLED, changes.SETTLE_SECONDS):
        if clock() > end:
            return False
        await asyncio.sleep(_POLL_SECONDS)
        await connection.execute(_LOOK_AGAIN)
    return True


def in_object(value: str) -> str:
    """A Postgres pattern for the value in JSON, whole or broken off: a whole string, or the number of a member that names someone."""
    text = "".join(map(_spelled, value))
    return rf'"{text}("|$)|"[^"]*(user|tenant|id)[^"]*"\s*:\s*{text}\s*([,}}]|$)'


def in_table(value: str) -> str:
    """A Postgres pattern for the value as a whole cell of CSV."""
    text = "".join(map(_spelled, value))
    return rf'(^|[",;\t\n]){text}($|[",;\t\r\n])'


def _spelled(character: str) -> str:
    """A character as it is, as JSON may escape it, or as CSV doubles it."""
    spellings = {character, json.dumps(character, ensure_ascii=False)[1:-1]}
    spellings |= {'"': {'""'}, "/": {"\\/"}}.get(character, set())
    units = character.encode("utf-16-be").hex()
    escapes = "".join(rf"\\u{_in_either_case(units[n : n + 4])}" for n in range(0, len(units), 4))
    return f"({'|'.join(map(re.escape, sorted(spellings)))}|{escapes})"


def _in_either_case(digits: str) -> str:
    return re.sub("[a-f]", lambda digit: f"[{digit[0]}{digit[0].upper()}]", digits)
