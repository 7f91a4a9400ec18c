"""What is done later, by the worker. Jobs are put here in the transaction of what makes them necessary.

The tables are pgqueuer's, and its statements take the jobs out again (`hub.jobs`). Requests do without the library.
"""

from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from hub.db import Connection, query

_PUT = query("queue/put")
_BEGIN = query("queue/begin")
_IS_UNATTENDED = query("queue/is_unattended")
_TIDY = query("queue/tidy")


class Flatten(Struct, frozen=True, kw_only=True):
    """Flatten the kept submissions of a form again: its definition has come, or changed."""

    tenant_id: str
    source: str
    form_id: str


class FetchForm(Struct, frozen=True, kw_only=True):
    """Fetch the definition of a form from its vendor: answers came that the one we have cannot explain."""

    connection_id: UUID
    form_id: str


class Pull(Struct, frozen=True, kw_only=True):
    """Fetch the answers that are new at a vendor."""

    connection_id: UUID


class Retry(Struct, frozen=True, kw_only=True):
    """Store a payload after all: something held it up when it came."""

    reject_id: UUID


Job: TypeAlias = Flatten | FetchForm | Pull | Retry


async def put(connection: Connection, job: Job, *, after: timedelta = timedelta()) -> None:
    """Has the job done, once however often it is put before it begins."""
    text = msgspec.json.encode(job)
    await connection.execute(_PUT, name(type(job)), text, f"{name(type(job))} {text.decode()}", after)


def name(kind: type[Struct]) -> str:
    """What the queue calls a kind of job."""
    return kind.__name__.lower()


async def begin(connection: Connection, job_id: int) -> None:
    """The job is about to look at what it works on."""
    await connection.execute(_BEGIN, job_id)


async def is_unattended(connection: Connection) -> bool:
    """Whether jobs wait and no worker comes."""
    return bool(await connection.fetchval(_IS_UNATTENDED))


async def tidy(connection: Connection) -> None:
    """Forgets how jobs ended, after a week."""
    await connection.execute(_TIDY)
