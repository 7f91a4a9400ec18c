"""What a database server says about itself."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from hub.db import Connection, query, queue
from hub.db.migrate import pending_on

CLOCK = query("server/clock")


class Server(Struct, kw_only=True, frozen=True):
    major: int
    version: str
    pending: list[str]
    """Migrations not applied yet."""
    skew: timedelta
    """How far its clock is ahead of ours."""
    unattended: bool
    """Whether nobody works the queue."""


async def look(connection: Connection) -> Server:
    version = connection.get_server_version()
    before = datetime.now(UTC)
    clock = await connection.fetchval(CLOCK)
    middle = before + (datetime.now(UTC) - before) / 2
    pending = await pending_on(connection)
    return Server(
        major=version.major,
        version=connection.get_settings().server_version.split()[0],  # asyncpg knows no minor ones since 10
        pending=pending,
        skew=clock - middle,
        unattended=not pending and await queue.is_unattended(connection),
    )
