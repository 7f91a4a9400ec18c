"""From what a source makes of a payload to what is stored of its submission.

The functions that `hub.db.submissions` calls back inside its transactions, for requests and for commands alike.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from hub import sources
from hub.db.submissions import Again, Flatten, Flattened, Stored, Submission
from hub.model import NewRecord
from hub.sources.interface import Form, Given, Options, Skipped, Snapshot, Source

# Of all sources, in each process; what is longer is rare, and read each time.
_KEPT_FORMS, _KEPT_BYTES = 32, 1 << 20


class Taken(Flattened, frozen=True, kw_only=True):
    """What a submission becomes, and what was left out."""

    skipped: list[Skipped]
    known: bool = False
    """A payload of this submission was kept before."""
    undefined: bool = False
    """Its form is not known here, or not as it was answered."""


def _form(source: str, definition: Raw | None) -> Form | None:
    if definition is None:
        return None
    text = bytes(definition)
    read = _read if len(text) <= _KEPT_BYTES else _read.__wrapped__
    return read(source, text)


@lru_cache(maxsize=_KEPT_FORMS)
def _read(source: str, definition: bytes) -> Form:
    """Each definition once: the same few come with every answer, and reading one takes longer than flattening an answer."""
    form: Form = sources.SOURCES[source].form(Raw(definition))
    return form


def arrival(snapshot: Snapshot, arrived: Submission) -> Flatten[Taken]:
    """Flattens what arrived, together with what another channel had said about the same submission."""
    module = sources.SOURCES[arrived.source]

    def flatten(stored: Stored | None, definition: Raw | None) -> Taken:
        now, kept = snapshot, arrived
        # A channel that does not name the form may still mean the one that another channel named.
        if stored is not None and (None in (stored.form_id, snapshot.form_id) or stored.form_id == snapshot.form_id):
            merged = module.merge(stored.payload, snapshot.payload)
            form_id = snapshot.form_id or stored.form_id
            now = module.snapshot(merged, Given(submission_id=snapshot.submission_id, form_id=form_id))
            kept = submission(now, arrived.tenant_id, arrived.source, _options(arrived.options))
        taken = _taken(module, now, kept, _form(arrived.source, definition))
        return msgspec.structs.replace(taken, known=stored is not None)

    return flatten


def again(tenant_id: str, source: str) -> Again[Taken]:
    """Flattens what is kept, as it was wanted when it came."""
    module = sources.SOURCES[source]

    def flatten(stored: Stored, definition: Raw | None) -> Taken:
        snapshot = module.snapshot(stored.payload, Given(submission_id=stored.submission_id, form_id=stored.form_id))
        kept = submission(snapshot, tenant_id, source, _options(stored.options))
        return _taken(module, snapshot, kept, _form(source, definition))

    return flatten


def submission(snapshot: Snapshot, tenant_id: str, name: str, options: Options) -> Submission:
    """The snapshot as it is kept."""
    return Submission(
        tenant_id=tenant_id,
        submission_id=snapshot.submission_id,
        source=name,
        form_id=snapshot.form_id,
        user_id=snapshot.user_id,
        status=snapshot.status,
        started_at=snapshot.started_at,
        completed_at=snapshot.completed_at,
        duration_seconds=snapshot.duration_seconds,
        snapshot_order=snapshot.order,
        payload=snapshot.payload,
        options=Raw(msgspec.json.encode(options)),
    )


def _taken(module: Source[Any], snapshot: Snapshot, kept: Submission, form: Form | None) -> Taken:
    records, skipped = sources.flatten(module, snapshot, form, _options(kept.options), kept.tenant_id)
    return Taken(
        submission=kept,
        source_type=module.ABOUT.source_type,
        records=records,
        skipped=skipped,
        undefined=_is_undefined(snapshot, form, records),
    )


def _is_undefined(snapshot: Snapshot, form: Form | None, records: Sequence[NewRecord]) -> bool:
    if form is None:
        return snapshot.form_id is not None
    if form.updated_at is not None and snapshot.form_updated_at is not None:
        return form.updated_at < snapshot.form_updated_at
    # Not every source says how old a form is. What is not in it was asked later, or left it before.
    return bool(snapshot.asked - form.asked) or any(
        b'"definition_missing":true' in bytes(record.metadata) for record in records
    )


def _options(raw: Raw) -> Options:
    return msgspec.json.decode(raw, type=Options)
