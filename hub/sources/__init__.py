"""Survey tools. Each module beside this file is one: it reads its vendor's payloads and flattens them into drafts of records.

Everything here is pure: no clock, no network, no tenant. A payload is a snapshot of one submission, so the same payload with
the same form gives the same drafts for ever, and storing them twice changes nothing.
"""

import hashlib
import html
import json
import math
import pkgutil
import re
import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from importlib import import_module
from typing import Any, Generic, Literal, Protocol, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, inspect

from hub.model import Draft, FieldType, NewRecord

T = TypeVar("T")
F = TypeVar("F", bound="Form")
A_co = TypeVar("A_co", bound="Asked", covariant=True)

Reason = Literal[
    "empty", "personal_data", "needs_definition", "not_feedback", "unsupported_type", "out_of_range", "unparseable",
    "too_long", "erased", "retention",
]  # fmt: skip
Display = Literal["number", "smiley", "star"]
Status = Literal["started", "partial", "completed", "dismissed"]

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2080, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
LARGEST_NUMBER = 1e15
MAX_KEY_BYTES = 2600
MAX_DEPTH = 128
MAX_ID = 255

# Without the definition nobody can tell these from words that somebody typed.
CODES = ("clicked", "dismissed", "accepted", "booked", "skipped")

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
ABSENT = Raw()
NULL = Raw(b"null")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ODD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# One way to read every text, or a long run of digits would be tried in all of them.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_REPLACEMENT = "\ufffd"
# A tag cannot contain the beginning of another, which keeps a text full of `<` cheap.
_BREAK = re.compile(r"</?(?:p|div|br|li|ul|ol|h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})", re.ASCII)


class NotOfSourceError(Exception):
    """The payload is not one of this survey tool; the message says what was expected."""


class FormNeededError(Exception):
    """The payload does not name its form, and the request does not either."""


class UnreadableError(Exception):
    """The payload, or one submission in it, cannot be read; the message says why."""


class Skipped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer that became no record, and why."""

    submission_id: str = ""
    field_id: str
    reason: Reason
    detail: str = ""


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What whoever sends a payload wants made of it. Kept with the submission: flattening it again must give the same."""

    attributes: tuple[str, ...] = ()
    """Names of hidden fields and contact attributes to copy to `metadata.attributes`. Nothing is copied unasked."""


class Given(Struct, frozen=True, kw_only=True):
    """Ids that come with the request, for payloads that do not carry them."""

    submission_id: str | None = None
    form_id: str | None = None
    fresh_id: str | None = None
    """An id that nothing has yet, for a payload that asks to be a new submission each time it is sent."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """One submission as it was at one moment."""

    submission_id: str
    form_id: str | None
    user_id: str | None
    status: Status
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: float | None
    order: str
    """Sorts the snapshots of one submission; compared as text."""
    payload: Raw


class Form(Struct, frozen=True, kw_only=True):
    """The part of a form definition that every source has."""

    form_id: str | None
    name: str | None
    fields: int


class About(Struct, frozen=True, kw_only=True):
    """What a source understands, in words for people."""

    title: str
    source_type: str
    responses: list[str]
    forms: list[str]
    question_types: list[str]


class Source(Protocol[F]):
    """What a module in this folder provides."""

    ABOUT: About

    def unpack(self, body: Raw) -> list[Raw]:
        """The submissions in a request body: an object, a list, an envelope. Raises `NotOfSourceError`."""

    def snapshot(self, item: Raw, given: Given) -> Snapshot:
        """One submission. Raises `UnreadableError`, and `FormNeededError` when `form_id` has to come with the request."""

    def merge(self, stored: Raw, new: Raw) -> Raw:
        """The new payload, and what only another channel of the vendor had said in the stored one."""

    def form(self, definition: Raw) -> F:
        """Raises `NotOfSourceError`."""

    def flatten(self, payload: Raw, form: F | None, options: Options) -> Iterator[Draft | Skipped]:
        """One draft for each answered field, a skip for each answer that cannot be one."""


class Scale(Struct, frozen=True):
    """The lowest and the highest score that could be given."""

    min: int
    max: int


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
    coerced: bool = False
    definition_missing: bool = False

    def raw(self) -> Raw:
        return encoded(self)


class Choice(Struct, frozen=True):
    """An option, a row, a column. Some have no id."""

    id: str | None
    label: str

    @property
    def part(self) -> str:
        return self.id or digest(self.label)


class Choices(Struct, frozen=True):
    """Options by what an answer may call them: an id, or the label of any language, as it stands or as it looks."""

    by_id: Mapping[str, Choice] = {}
    by_label: Mapping[str, Mapping[str, Choice]] = {}
    by_look: Mapping[str, Mapping[str, Choice]] = {}

    def find(self, text: str, language: str | None) -> Choice | None:
        return self.by_id.get(text) or self.labelled(text, language)

    def labelled(self, text: str, language: str | None = None) -> Choice | None:
        """An answer holds the label its renderer showed, which may be of another language than the response ended in."""
        codes = sorted(self.by_label, key=lambda code: (_distance(code, language), code))
        for labels, key in ((self.by_label, text), (self.by_look, _look(text))):
            for code in codes:
                if key and key in labels[code]:
                    return labels[code][key]
        return None


def plain(label: str) -> str:
    """A label without its markup."""
    return " ".join(html.unescape(_TAG.sub("", _BREAK.sub(" ", label))).split())


def _look(label: str, plain: Callable[[str], str] = plain) -> str:
    return unicodedata.normalize("NFC", plain(label)).casefold()


def choices_of(labelled: Iterable[tuple[Choice, Mapping[str, str]]], plain: Callable[[str], str] = plain) -> Choices:
    """Options with their labels by language. Of two with the same label the first counts."""
    by_id: dict[str, Choice] = {}
    by_label: dict[str, dict[str, Choice]] = {}
    by_look: dict[str, dict[str, Choice]] = {}
    for choice, labels in labelled:
        if choice.id:
            by_id.setdefault(choice.id, choice)
        for code, label in labels.items():
            by_label.setdefault(code, {}).setdefault(label, choice)
            by_look.setdefault(code, {}).setdefault(_look(label, plain), choice)
    return Choices(by_id, by_label, by_look)


def _distance(code: str, language: str | None) -> int:
    """How far a language is from that of the response. `de` and `de-DE` are near: codes were completed in 2026."""
    code, wanted = code.casefold(), (language or "default").casefold()
    if code == wanted:
        return 0
    if code.partition("-")[0] == wanted.partition("-")[0]:
        return 1
    return 2 if code == "default" else 3


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

    def skip(self, reason: Reason, detail: str = "", *, part: str | None = None) -> Skipped:
        return Skipped(field_id=fitting_id(self.field_id(part)), reason=reason, detail=detail)

    def field_id(self, part: str | None) -> str:
        return f"{self.asked.id}__{part}" if part else self.asked.id


Answers = Iterator[Draft | Skipped]


def flatten(
    source: Source[F], snapshot: Snapshot, form: F | None, options: Options, tenant_id: str
) -> tuple[list[NewRecord], list[Skipped]]:
    """The records of a submission, their field ids unique whatever the payload holds, and what was skipped."""
    records: dict[str, NewRecord] = {}
    skipped: list[Skipped] = []
    for draft in source.flatten(snapshot.payload, form, options):
        result = draft if isinstance(draft, Skipped) else accept(draft, tenant_id, snapshot.submission_id)
        copies = 1
        while isinstance(draft, Draft) and isinstance(result, NewRecord) and result.field_id in records:
            copies += 1
            another = msgspec.structs.replace(draft, field_id=f"{draft.field_id}__{copies}")
            result = accept(another, tenant_id, snapshot.submission_id)
        if isinstance(result, Skipped):
            skipped.append(msgspec.structs.replace(result, submission_id=snapshot.submission_id))
        else:
            records[result.field_id] = result
    return list(records.values()), skipped


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
    if sum(len(key.encode()) for key in (tenant_id, submission_id, draft.field_id)) > MAX_KEY_BYTES:
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
            text = _fitting_language(text, limit)
        else:
            text = text[:limit]
        if text != value:
            changes[name] = text or None
        # A payload is kept with U+FFFD already in place, and must be noted when it is flattened again, too.
        if text != value or _REPLACEMENT in text:
            noted.append(name)
    if not noted:
        return draft
    metadata = joined(members_of(draft.metadata), {"repaired": encoded(noted)})
    return msgspec.structs.replace(draft, **changes, metadata=metadata)


def fitting_id(text: str) -> str:
    """An id within our limit. One that is longer keeps a prefix, and a hash keeps it different from the others."""
    text = storable(text)
    return text if len(text) <= MAX_ID else f"{text[: MAX_ID - 17]}~{digest(text)}"


def _fitting_language(text: str, limit: int) -> str:
    while len(text) > limit:
        text, separator, _ = text.rpartition("-")
        if not separator:
            return ""
    return text


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which Postgres refuses, replaced by U+FFFD."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def digest(text: str) -> str:
    """A short name for a text that has no id of its own."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(value: object) -> str:
    """The same text for every spelling of the same JSON."""
    return msgspec.json.encode(value, order="sorted").decode()


def identity(members: Mapping[str, Raw]) -> str:
    """The id of a submission that has none, from what identifies it."""
    text = canonical({name: msgspec.json.decode(value) for name, value in members.items()})
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def encoded(value: object) -> Raw:
    """The value as JSON."""
    return Raw(msgspec.json.encode(value))


def joined(*parts: Mapping[str, Raw]) -> Raw:
    """One object of the members of several; of a name that comes twice the last counts."""
    return encoded({name: value for part in parts for name, value in part.items()})


def gently(raw: Raw, kind: type[T]) -> T | None:
    """A member of a payload if it is what we expect, else nothing: one strange member must not cost the others."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError:
        return None


class Members(dict[str, Raw]):
    """The members of an object, each unread; what is not there is an empty Raw."""

    def __missing__(self, name: str) -> Raw:
        return ABSENT


def members_of(raw: Raw) -> Members:
    """The members of an object; none when it is something else."""
    return Members(gently(raw, dict[str, Raw]) or {})


def items_of(raw: Raw) -> list[Raw]:
    """The items of a list; none when it is something else."""
    return gently(raw, list[Raw]) or []


def text_of(raw: Raw) -> str | None:
    """The text of a member that holds one and is not blank."""
    text = gently(raw, str)
    return text if text and text.strip() else None


def instant_of(raw: Raw) -> datetime | None:
    """The instant of a member, UTC where it names no zone."""
    try:
        instant = datetime.fromisoformat(text_of(raw) or "")
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def blank(value: object) -> bool:
    """Whether an answer is there and says nothing: no text, or a list or map of none."""
    if isinstance(value, (list, dict)):
        parts = value.values() if isinstance(value, dict) else value
        return all(part is None or (isinstance(part, str) and not part.strip()) for part in parts)
    return isinstance(value, str) and not value.strip()


def as_text(value: object) -> str | None:
    """An answer in words; nothing for a list or a map."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, (bool, int, float)) else None


def as_lines(value: object) -> str | None:
    """An answer in words, a list of them a line each; nothing for what is neither."""
    lines = [as_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]
    return None if None in lines else "\n".join(line for line in lines if line)


def as_number(value: object) -> float | None:
    """An answer as a number, when it is one or spells one."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


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
        date = _calendar_date(value.strip() if isinstance(value, str) else "", date_format)
    except ValueError:
        yield question.skip("unparseable", "not a date in the format of the question")
    else:
        yield question.record("date", date=date)


def _calendar_date(text: str, date_format: str) -> datetime:
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


def personal_data(question: Question[Asked], value: object) -> Answers:  # noqa: ARG001 - a reader like the others
    yield question.skip("personal_data")


def not_feedback(question: Question[Asked], value: object) -> Answers:  # noqa: ARG001 - a reader like the others
    yield question.skip("not_feedback")


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


def attributes(known: Mapping[str, Raw], names: Iterable[str]) -> dict[str, Raw]:
    """The named ones of what is known about a person or a submission, where they are texts or numbers."""
    asked = {name: gently(known.get(name, ABSENT), object) for name in sorted(set(names))}
    return {
        name: encoded(brief(value) if isinstance(value, str) else value)
        for name, value in asked.items()
        if isinstance(value, (str, int, float)) and value != ""
    }


def brief(text: str | None) -> str | None:
    """Every record of a submission carries these, so none may be huge."""
    return text[:1000] if text else None


def address_of(raw: Raw) -> str | None:
    """The address of a page, without its query and fragment, which carry hidden fields and tokens."""
    return re.split("[?#]", text_of(raw) or "", maxsplit=1)[0] or None


def legible(body: bytes) -> Raw:
    """A vendor's JSON in a form that msgspec reads and Postgres keeps, whatever its escapes. Raises `UnreadableError`."""
    try:
        document = _decode(body)
        _check_depth(document)
        return encoded(document)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else "not valid JSON"
        raise UnreadableError(f"The payload is {kind}") from None


def _decode(body: bytes) -> object:
    if not _ODD_ESCAPE.search(body):
        try:
            return msgspec.json.decode(body)
        except msgspec.ValidationError:
            pass  # a number beyond what it holds
    document = json.loads(body.decode(), parse_float=_float, parse_int=_int, parse_constant=_refuse)
    _check_depth(document)
    return _storable(document)


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _int(digits: str) -> int | str:
    return int(digits) if math.isfinite(float(digits)) else digits


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): _storable(item) for name, item in value.items()}
    return value


def _check_depth(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        nested = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [item for items in nested for item in items]
        if not level:
            return
    raise RecursionError


def _discover() -> "Iterable[tuple[str, Source[Any]]]":
    for module in pkgutil.iter_modules(__path__):
        yield module.name, cast("Source[Any]", import_module(f"{__name__}.{module.name}"))


# Below everything that the modules it imports need from here.
SOURCES: Mapping[str, Source[Any]] = dict(_discover())
