"""Drafts to records: what breaks a limit is repaired and noted; what cannot be repaired is skipped."""

from typing import cast

import msgspec
from msgspec import inspect

from hub.model import EARLIEST, LARGEST_NUMBER, LATEST, MAX_KEY_BYTES, Draft, NewRecord, key_bytes
from hub.sources.bodies import REPLACEMENT, storable
from hub.sources.interface import Reason, Skipped
from hub.sources.values import digest, encoded, joined, members_of

# Columns that identify something: when too long they keep a prefix and gain a hash, so that they stay different.
_IDS = ("field_id", "field_group_id", "source_id", "value_id", "user_id")


def _longest(kind: inspect.Type) -> int | None:
    if isinstance(kind, inspect.Metadata):
        return _longest(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next((limit for limit in map(_longest, kind.types) if limit), None)
    return kind.max_length if isinstance(kind, inspect.StrType) else None


_COLUMNS = cast("inspect.StructType", inspect.type_info(Draft)).fields
_LIMITS = {column.name: limit for column in _COLUMNS if (limit := _longest(column.type))}
_LONGEST_ID = _LIMITS["field_id"]


def accept(draft: Draft, tenant_id: str, submission_id: str) -> NewRecord | Skipped:
    """The draft as a record. What breaks a limit is repaired and noted; what cannot be repaired is skipped."""
    draft = _repair(draft)

    def skip(reason: Reason, detail: str) -> Skipped:
        return Skipped(submission_id=submission_id, field_id=draft.field_id, reason=reason, detail=detail)

    for name, instant in (("collected_at", draft.collected_at), ("value_date", draft.value_date)):
        if instant is not None and not EARLIEST <= instant <= LATEST:
            return skip("out_of_range", f"{name} is not between 1970 and 2080")
    if draft.value_number is not None and not abs(draft.value_number) <= LARGEST_NUMBER:
        return skip("out_of_range", "the number is beyond 1e15")
    if not draft.field_id:
        return skip("unparseable", "the field has no id")
    if key_bytes(tenant_id, submission_id, draft.field_id) > MAX_KEY_BYTES:
        return skip("too_long", f"tenant_id, submission_id and field_id are over {MAX_KEY_BYTES} bytes together")
    keyed = msgspec.structs.replace(draft, tenant_id=tenant_id, submission_id=submission_id)
    try:
        return msgspec.convert(keyed, NewRecord, from_attributes=True)
    except msgspec.ValidationError as error:
        return skip("too_long", str(error))


def _repair(draft: Draft) -> Draft:
    changes: dict[str, str | None] = {}
    noted: list[str] = []
    for name, limit in _LIMITS.items():
        value: str | None = getattr(draft, name)
        if not value:
            continue
        text = storable(value)
        if name in _IDS:
            text = fitting_id(text)
        elif name == "language":
            text = text if len(text) <= limit else text[: limit + 1].rpartition("-")[0]  # whole subtags
        else:
            text = text[:limit]
        if text != value:
            changes[name] = text or None
        # A payload is kept with U+FFFD already in place, and must be noted when it is flattened again, too.
        if text != value or REPLACEMENT in text:
            noted.append(name)
    if not noted:
        return draft
    metadata = joined(members_of(draft.metadata), {"repaired": encoded(noted)})
    return msgspec.structs.replace(draft, **changes, metadata=metadata)


def fitting_id(text: str) -> str:
    """An id within our limit. One that is longer keeps a prefix, and a hash keeps it different from the others."""
    text = storable(text)
    return text if len(text) <= _LONGEST_ID else f"{text[: _LONGEST_ID - 17]}~{digest(text)}"
