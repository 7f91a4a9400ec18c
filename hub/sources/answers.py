"""Answers in the usual shapes to drafts of records."""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from hub.model import Draft, FieldType
from hub.sources.choices import Choice
from hub.sources.drafts import fitting_id
from hub.sources.interface import Options, Reason, Scale, Skipped
from hub.sources.values import (
    ABSENT,
    as_lines,
    as_number,
    as_text,
    blank,
    canonical,
    digest,
    encoded,
    gently,
)

A_co = TypeVar("A_co", bound="Asked", covariant=True)
Display = Literal["number", "smiley", "star"]
# Without the definition nobody can tell these from words that somebody typed.
CODES = ("clicked", "dismissed", "accepted", "booked", "skipped")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})", re.ASCII)


class Metadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a record carries beside its columns. Sources with more to say extend it."""

    question_type: str | None = None
    scale: Scale | None = None
    display: Display | None = None
    total_items: int | None = None
    finished: bool | None = None
    ending_id: str | None = None
    country: str | None = None
    device: str | None = None
    url: str | None = None
    tags: list[str] = []
    attributes: dict[str, Raw] = {}
    pii: bool = False
    coerced: bool = False
    definition_missing: bool = False

    def raw(self) -> Raw:
        return encoded(self)


class Asked(Struct, frozen=True, kw_only=True):
    """What is known of a question. Sources that know more extend it."""

    id: str
    type: str | None = None
    label: str
    scale: Scale | None = None
    display: Display | None = None


class Question(Struct, Generic[A_co], frozen=True):
    """A question in one submission, with what all its records share."""

    asked: A_co
    shared: Draft
    metadata: Metadata
    options: Options = Options()

    def record(  # noqa: PLR0913 - the columns of a record
        self, field_type: FieldType, *, part: str | None = None, label: str | None = None, total_items: int | None = None,
        coerced: bool = False, text: str | None = None, value_id: str | None = None, number: float | None = None,
        boolean: bool | None = None, date: datetime | None = None,
    ) -> Draft:  # fmt: skip
        asked = self.asked
        return msgspec.structs.replace(
            self.shared,
            field_id=self.field_id(part),
            field_type=field_type,
            field_label=label or asked.label,
            field_group_id=asked.id if part else None,
            field_group_label=asked.label if part else None,
            value_text=text,
            value_id=value_id,
            value_number=number,
            value_boolean=boolean,
            value_date=date,
            metadata=msgspec.structs.replace(
                self.metadata,
                question_type=asked.type,
                scale=asked.scale,
                display=asked.display,
                total_items=total_items,
                coerced=coerced,
            ).raw(),
        )

    def noted(self, **said: object) -> "Question[A_co]":
        """The question whose records say this as well."""
        return msgspec.structs.replace(self, metadata=msgspec.structs.replace(self.metadata, **said))

    def skip(self, reason: Reason, detail: str = "", *, part: str | None = None) -> Skipped:
        return Skipped(field_id=fitting_id(self.field_id(part)), reason=reason, detail=detail)

    def field_id(self, part: str | None) -> str:
        return f"{self.asked.id}__{part}" if part else self.asked.id


Answers = Iterator[Draft | Skipped]


def score(question: Question[Asked], value: object, kind: FieldType) -> Answers:
    """A number within the scale of the question."""
    number, scale = as_number(value), question.asked.scale
    if number is None:
        yield question.skip("unparseable", "not a number")
    elif scale and not scale.min <= number <= scale.max:
        yield question.skip("out_of_range", f"not between {scale.min} and {scale.max}")
    else:
        yield question.record(kind, number=number, coerced=isinstance(value, str))


def day(question: Question[Asked], value: object, date_format: str) -> Answers:
    """A calendar date, which no time zone may shift."""
    try:
        date = calendar_date(value.strip() if isinstance(value, str) else "", date_format)
    except ValueError:
        yield question.skip("unparseable", "not a date in the format of the question")
    else:
        yield question.record("date", date=date)


def calendar_date(text: str, date_format: str) -> datetime:
    """The interface stores `2026-10-01`; clients of the API write what the question shows. Raises `ValueError`."""
    if _ISO_DATE.match(text):
        return datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
    parts = _DATE.fullmatch(text)
    if parts is None or sorted(date_format.split("-")) != ["M", "d", "y"]:
        raise ValueError(text)
    named = dict(zip(date_format.split("-"), parts.groups(), strict=True))
    if len(named["y"]) != len("2026"):
        raise ValueError(text)
    return datetime(int(named["y"]), int(named["M"]), int(named["d"]), tzinfo=UTC)


def personal_data(question: Question[Asked], value: object) -> Answers:
    """Where it is wanted it is no text all the same: texts are what is read for topics and shown to everybody."""
    text = as_lines(value)
    if not question.options.personal_data:
        yield question.skip("personal_data")
    elif text is None:
        yield question.skip("unparseable", "not a text")
    elif not text.strip():
        yield question.skip("empty")
    else:
        yield question.noted(pii=True).record("categorical", text=text, coerced=not isinstance(value, str))


def consent(question: Question[Asked], value: object) -> Answers:
    if not question.options.consent:
        yield question.skip("not_feedback")
    elif isinstance(value, bool) or value == "accepted":
        yield question.record("boolean", boolean=bool(value))
    else:
        yield question.skip("unparseable", "neither accepted nor not")


def not_feedback(question: Question[Asked], value: object) -> Answers:  # noqa: ARG001 - a reader like the others
    yield question.skip("not_feedback")


def on_their_own(
    kind: Literal["hidden", "variable"],
    known: Mapping[str, Raw],
    names: Iterable[str],
    shared: Draft,
    metadata: Metadata,
) -> Answers:
    """Hidden fields or variables that are wanted as records."""
    for name in dict.fromkeys(names):
        value = gently(known.get(name, ABSENT), object)
        question = Question(Asked(id=f"{kind}__{name}", type=kind, label=name), shared, metadata)
        number, text = None if isinstance(value, str) else as_number(value), as_text(value)
        if value is None:
            continue
        if blank(value):
            yield question.skip("empty")
        elif text is None:
            yield question.skip("unparseable", "neither a text nor a number")
        elif kind == "hidden":
            yield question.record("categorical", text=text)
        elif number is not None:
            yield question.record("number", number=number)
        else:
            yield question.record("text", text=text)


def texts(question: Question[Asked], value: object) -> Generator[Skipped, None, list[str]]:
    """The entries of a list. A single value stands for a list of one, as API clients may send it."""
    if isinstance(value, dict):
        yield question.skip("unparseable", "not a list")
        return []
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        text = "" if item is None else as_text(item)
        if text is None:
            yield question.skip("unparseable", "an entry is not a text", part=digest(canonical(item)))
        else:
            found.append(text)
    return found


def by_entry(question: Question[Asked], value: object, *, coerced: bool = False) -> Answers:
    """One record per selected option, where options have no ids."""
    for text in dict.fromkeys((yield from texts(question, value))):
        if text.strip():
            yield question.record("categorical", part=digest(text), text=text, coerced=coerced)


def by_row(
    question: Question[Asked],
    value: object,
    find_row: Callable[[str], Choice | None] = lambda _: None,
    find_column: Callable[[str], Choice | None] = lambda _: None,
) -> Answers:
    """One record per answered row."""
    if not isinstance(value, dict):
        yield question.skip("unparseable", "not rows and columns")
        return
    for row_label, cell in sorted(value.items()):
        row = find_row(row_label) or Choice(None, row_label)
        text = as_text(cell)
        if cell is None:
            continue
        if blank(cell):
            yield question.skip("empty", part=row.part)
        elif text is None:
            yield question.skip("unparseable", "not one column", part=row.part)
        else:
            column = find_column(text) or Choice(None, text)
            yield question.record(
                "categorical", part=row.part, label=row.label or row_label, text=column.label or text, value_id=column.id,
                coerced=not isinstance(cell, str),
            )  # fmt: skip


def by_shape(question: Question[Asked], value: object, number_is: FieldType = "number") -> Answers:
    """An answer whose question is not known."""
    if value is None:
        return
    number = as_number(value) if not isinstance(value, str) else None
    if blank(value):
        yield question.skip("empty")
    elif value in CODES:
        yield question.skip("needs_definition")
    elif isinstance(value, str):
        yield question.record("text", text=value)
    elif isinstance(value, bool):
        yield question.record("boolean", boolean=value)
    elif number is not None:
        yield question.record(number_is, number=number)
    elif isinstance(value, dict):
        yield from by_row(question, value)
    else:
        yield from by_entry(question, value)
