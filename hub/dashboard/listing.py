"""The page `/records`: what a number is made of, record by record."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct, structs

from hub import cursors
from hub.cursors import Cursor
from hub.dashboard.render import minute, number
from hub.dashboard.view import Chip
from hub.model import MetadataIs, Record, RecordFilter, query_string


class Line(Struct, frozen=True, kw_only=True):
    """A record in words."""

    when: str
    source: str
    question: str
    answer: str
    language: str | None
    user: str | None
    user_href: str
    about: str
    submission: str


class Listing(Struct, frozen=True, kw_only=True):
    count: int
    chips: list[Chip]
    query: str
    lines: list[Line]
    following: str | None


class _Known(Struct, frozen=True):
    attributes: dict[str, object] = {}


def listed(selection: RecordFilter, found: Sequence[Record], count: int, following: Cursor | None) -> Listing:
    query = query_string(selection)
    return Listing(
        count=count,
        chips=_chips(selection),
        query=query,
        lines=[_line(record) for record in found],
        following=None if following is None else f"records?{query}&cursor={cursors.encode(following)}",
    )


def _line(record: Record) -> Line:
    return Line(
        when=minute(datetime.fromisoformat(record.collected_at)),
        source=record.source_name or record.source_id or record.source_type,
        question=": ".join(dict.fromkeys(name for name in (record.field_group_label, record.field_label) if name)) or record.field_id,
        answer=_answer(record),
        language=record.language,
        user=record.user_id,
        user_href="records?" + query_string(RecordFilter(tenant_id=record.tenant_id, user_id=(record.user_id or "",))),
        about=_about(record),
        submission="records?" + query_string(RecordFilter(tenant_id=record.tenant_id, submission_id=(record.submission_id,))),
    )  # fmt: skip


def _answer(record: Record) -> str:
    if record.value_boolean is not None:
        return "yes" if record.value_boolean else "no"
    if record.value_text is not None:
        return record.value_text
    if record.value_number is not None:
        return number(record.value_number, 0 if record.value_number.is_integer() else 2)
    return record.value_date[:10] if record.value_date else record.value_id or ""


def _about(record: Record) -> str:
    try:
        known = msgspec.json.decode(record.metadata or b"{}", type=_Known)
    except msgspec.ValidationError:  # somebody's own metadata
        return ""
    return ", ".join(str(value) for value in known.attributes.values() if isinstance(value, str | int | float))


def _chips(selection: RecordFilter) -> list[Chip]:
    """Every filter, and the list without it."""
    found = []
    for field in structs.fields(RecordFilter):
        value = getattr(selection, field.name)
        if field.name == "tenant_id" or value in ((), None):
            continue
        for each in value if isinstance(value, tuple) else (value,):
            rest = tuple(other for other in value if other != each) if isinstance(value, tuple) else None
            fewer = structs.replace(selection, **{field.name: rest})
            name = each.path.rpartition(".")[2] if isinstance(each, MetadataIs) else field.name
            found.append(Chip(name=name, value=_said(each), href=f"records?{query_string(fewer)}"))
    return found


def _said(value: object) -> str:
    match value:
        case MetadataIs():
            return ", ".join(value.values)
        case datetime():
            return minute(value)
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)
