"""Survey tools: each reads its vendor's payloads and flattens them into drafts of records.

A module beside this file that has an `ABOUT` is a source, and `interface` says what it has to be; the others are what sources
have in common.

Everything here is pure: no clock, no network, no tenant. A payload is a snapshot of one submission, so the same payload with
the same form gives the same drafts for ever, and storing them twice changes nothing.
"""

import pkgutil
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar, cast

import msgspec

from hub.model import Draft, NewRecord
from hub.sources.drafts import accept, fitting_id
from hub.sources.interface import Form, Options, Skipped, Snapshot, Source
from hub.sources.overrides import overridden

F = TypeVar("F", bound=Form)


def flatten(
    source: Source[F], snapshot: Snapshot, form: F | None, options: Options, tenant_id: str
) -> tuple[list[NewRecord], list[Skipped]]:
    """The records of a submission, their field ids unique whatever the payload holds, and what was skipped."""
    records: dict[str, NewRecord] = {}
    skipped: list[Skipped] = []
    copies: Counter[str] = Counter()
    for made in source.flatten(snapshot.payload, form, options):
        draft = _wanted(made, snapshot, options) if isinstance(made, Draft) else made
        result = draft if isinstance(draft, Skipped) else accept(draft, tenant_id, snapshot.submission_id)
        while isinstance(draft, Draft) and isinstance(result, NewRecord) and result.field_id in records:
            copies[draft.field_id] += 1
            another = msgspec.structs.replace(draft, field_id=f"{draft.field_id}__{copies[draft.field_id] + 1}")
            result = accept(another, tenant_id, snapshot.submission_id)
        if isinstance(result, Skipped):
            skipped.append(msgspec.structs.replace(result, submission_id=snapshot.submission_id))
        else:
            records[result.field_id] = result
    return list(records.values()), skipped


def _wanted(draft: Draft, snapshot: Snapshot, options: Options) -> Draft | Skipped:
    if options.completed_only and snapshot.status != "completed":
        return Skipped(
            field_id=fitting_id(draft.field_id), reason="not_feedback", detail="the response is not completed"
        )
    override = options.questions.get(draft.field_id)
    return overridden(draft, override) if override else draft


def _discover() -> Iterator[tuple[str, Source[Any]]]:
    for found in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        if hasattr(module, "ABOUT"):
            yield found.name, cast("Source[Any]", module)


SOURCES: Mapping[str, Source[Any]] = dict(_discover())
