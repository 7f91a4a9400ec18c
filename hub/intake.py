"""What comes from a survey tool, however it comes: taken apart, read, and stored submission by submission."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from hub import snapshots
from hub.db import Pool, new_id, rejects, submissions
from hub.db.connections import ConnectionRow
from hub.db.erasures import Markers
from hub.db.submissions import Changes, Foreign, Stale
from hub.model import MAX_KEY_BYTES, Reject, key_bytes
from hub.snapshots import Taken
from hub.sources import SOURCES
from hub.sources.bodies import legible
from hub.sources.interface import Given, Options, Skipped, Snapshot, Source, UnreadableError


class Unread(Struct, frozen=True, kw_only=True):
    """A submission in the payload that could not be read."""

    index: int
    problem: str


class Tally:
    """Adds up what the submissions of a payload did."""

    def __init__(self) -> None:
        self.submissions = self.stale = self.erased = self.unwanted = self.known = 0
        self.changes = Changes(created=0, updated=0, unchanged=0, deleted=0)
        self.skipped: list[Skipped] = []
        self.errors: list[Unread] = []
        self.undefined: set[str] = set()
        """Forms that the hub does not know, or not as they were answered."""

    def add(self, index: int, result: tuple[Taken, Changes, list[str]] | Stale | Foreign) -> None:
        if isinstance(result, Foreign):
            self.errors.append(Unread(index=index, problem=f"A submission of {result.source} has this id"))
            return
        self.submissions += 1
        if isinstance(result, Stale):
            self.stale += 1
            return
        taken, changes, erased = result
        self.skipped += taken.skipped
        submission_id = taken.submission.submission_id
        self.skipped += [Skipped(submission_id=submission_id, field_id=name, reason="erased") for name in erased]
        self.erased += len(erased)
        self.known += taken.known
        names = Changes.__struct_fields__
        self.changes = Changes(**{name: getattr(self.changes, name) + getattr(changes, name) for name in names})
        if taken.undefined and taken.submission.form_id is not None:
            self.undefined.add(taken.submission.form_id)


async def take(  # noqa: PLR0913 - whose it is, what it is, what is wanted of it
    pool: Pool, markers: Markers, tenant_id: str, source: str, items: Sequence[Raw], *, given: Given, options: Options,
    forms: Collection[str] = (),
) -> Tally:  # fmt: skip
    """Stores the submissions of a payload that the source has unpacked, each in a transaction of its own.

    `forms` are those that are wanted; without any, all are. Raises `FormNeededError` before anything is stored.
    """
    module = SOURCES[source]
    tally = Tally()
    # All are read before any is stored: a payload that lacks its form is refused as a whole.
    for index, snapshot in enumerate([_snapshot(module, item, given, markers) for item in items]):
        if isinstance(snapshot, UnreadableError):
            tally.errors.append(Unread(index=index, problem=str(snapshot)))
            continue
        if key_bytes(tenant_id, snapshot.form_id or "", snapshot.submission_id) > MAX_KEY_BYTES:
            tally.errors.append(Unread(index=index, problem="Its ids are too long together"))
            continue
        if forms and snapshot.form_id not in forms:
            tally.unwanted += 1
            continue
        arrived = snapshots.submission(snapshot, tenant_id, source, options)
        flatten = snapshots.arrival(snapshot, arrived)
        tally.add(index, await submissions.take(pool, markers, arrived, flatten))
    return tally


async def take_for(pool: Pool, markers: Markers, row: ConnectionRow, payload: Raw, given: Given | None = None) -> Tally:
    """Stores what came through a connection, as that wants it. Raises `NotOfSourceError` and `FormNeededError`."""
    return await take(
        pool, markers, row.tenant_id, row.source, SOURCES[row.source].unpack(payload), given=given or Given(),
        options=msgspec.json.decode(row.options, type=Options), forms=row.forms,
    )  # fmt: skip


async def retry(pool: Pool, markers: Markers, row: ConnectionRow, reject: Reject) -> Tally:
    """Stores a payload after all that came through a connection; then it is no reject any more.

    Raises `NotOfSourceError`, `UnreadableError` and `FormNeededError`.
    """
    given = Given(form_id=None if reject.form_id is UNSET else reject.form_id)
    tally = await take_for(pool, markers, row, legible(reject.raw.encode()), given)
    if not tally.errors:
        await rejects.delete(pool, reject.id, row.tenant_id)
    return tally


def _snapshot(module: Source[Any], item: Raw, given: Given, markers: Markers) -> Snapshot | UnreadableError:
    given = msgspec.structs.replace(given, fresh_id=str(new_id()), known_as=markers.address)
    try:
        return module.snapshot(item, given)
    except UnreadableError as error:
        return error
