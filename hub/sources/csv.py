"""CSV: tables with a row for each response (wide), or for each answer (long), read as a mapping says.

The mapping is the form. Who answered and when is read with it when a row comes, and what was answered whenever it is flattened:
a mapping that changes needs the file again only for the former. What a mapping ignores is not kept.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Annotated, Literal, cast, get_args

import msgspec
from msgspec import Meta, Raw, Struct

from hub.model import Draft, FieldType, Key, Label, Name, Status
from hub.sources.answers import Answers, Asked, Metadata, Question, by_entry, calendar_date, day, score
from hub.sources.drafts import fitting_id
from hub.sources.interface import (
    About,
    Form,
    FormNeededError,
    Given,
    NotOfSourceError,
    Options,
    Scale,
    Skipped,
    Snapshot,
    UnreadableError,
)
from hub.sources.values import (
    ABSENT,
    NULL,
    Members,
    as_number,
    as_text,
    attributes,
    blank,
    brief,
    digest,
    encoded,
    gently,
    identity,
    instant_of,
    items_of,
    joined,
    members_of,
    one_spelling,
    text_of,
)

SOURCE_TYPE = "csv"
NPS = Scale(0, 10)
MOST_COLUMNS = 2000

# Columns about the response as a whole.
OfResponse = Literal["submission_id", "user_id", "email", "collected_at", "updated_at", "language", "finished"]
# Columns that tell of each answer in a long table.
OfAnswer = Literal["field_id", "field_label", "field_type", "group_id", "group_label", "value", "value_id"]
Beside = Literal["attribute", "attributes", "ignore"]
# What a column is called, or in a long table a question: often all that was asked.
Words = Annotated[str, Meta(min_length=1, max_length=2048)]
SEVERAL = ("submission_id", *get_args(Beside))

TRUE = ("true", "1", "yes", "y", "x", "on")
FALSE = ("false", "0", "no", "n", "off")
_FORMAT = re.compile("[dMy][-/.][dMy][-/.][dMy]")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:\s*([AP])\.?M\.?)?", re.ASCII | re.IGNORECASE)
_NOON = 12


class Meaning(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a column is, or in a long table what a question is."""

    as_: FieldType | OfResponse | OfAnswer | Beside = msgspec.field(name="as")
    id: Key | None = None
    """The `field_id`, or the name of the attribute. The name of the column without it."""
    label: Label | None = None
    group_id: Name | None = None
    group_label: Label | None = None
    scale: Scale | None = None
    separator: Annotated[str, Meta(min_length=1, max_length=5)] | None = None
    """What stands between several options in one cell."""
    format: str | None = None
    """The order of the parts of a date that is not ISO 8601, such as `d.M.y`."""


class Layout(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A mapping file."""

    form_id: Key | None = None
    name: Name | None = None
    layout: Literal["wide", "long"]
    decimal: Literal[".", ","] = "."
    columns: Annotated[dict[Words, Meaning], Meta(max_length=MOST_COLUMNS)]
    questions: Annotated[dict[Words, Meaning], Meta(max_length=MOST_COLUMNS)] = {}
    """In a long table: what its type column does not say, by `field_id`, which in a record keeps its beginning if it is long."""


class Table(Form, frozen=True, kw_only=True):
    """A mapping."""

    layout: Layout
    columns: Mapping[str, list[str]]
    """Their names by what they are."""

    def column(self, role: str) -> str:
        """The one of which there is one at most; no column has an empty name."""
        return next(iter(self.columns.get(role, ())), "")


class Payload(Struct, frozen=True):
    """A response: what was read of it, and its answers as they stand in the table."""

    form_id: Raw = ABSENT
    submission_id: Raw = ABSENT
    user_id: Raw = ABSENT
    email: Raw = ABSENT
    language: Raw = ABSENT
    collected_at: Raw = ABSENT
    updated_at: Raw = ABSENT
    finished: Raw = ABSENT
    answers: Raw = ABSENT
    problem: Raw = ABSENT
    """Why a row is none."""


class Element(Asked, frozen=True, kw_only=True):
    """A question, as the mapping has it."""

    decimal: str
    separator: str | None
    date_format: str
    group_id: str | None
    group_label: str | None
    value_id: str | None = None
    several: bool = False
    """Whether each option is a record of its own."""


def unpack(body: Raw) -> list[Raw]:
    """Responses of a table and its mapping; or a response as this makes it, alone or in a list."""
    whole = gently(body, list[Raw])
    if whole is not None:
        return whole
    envelope = members_of(body)
    rows = gently(envelope["rows"], list[Raw])
    if rows is not None and "mapping" in envelope:
        return list(_responses(form(envelope["mapping"]), rows))
    if (
        "submission_id" in envelope
        and "answers" in envelope
        and gently(envelope["answers"], dict[str, Raw]) is not None
    ):
        return [body]
    raise NotOfSourceError("Expected mapping and rows, or a response with submission_id and answers")


def _responses(table: Table, rows: list[Raw]) -> Iterator[Raw]:
    """One for each row, in a long table for rows of one response that follow each other."""
    ids = table.columns.get("submission_id", [])
    if table.layout.layout == "wide":
        yield from (_response(table, [row]) for row in rows)
        return

    def key(numbered: tuple[int, Raw]) -> tuple[object, ...]:
        cells = members_of(numbered[1])
        parts = tuple(_text(cells[name]) for name in ids)
        return parts if all(parts) else numbered[:1]  # a row that belongs to nothing stands alone

    for _, group in groupby(enumerate(rows), key):
        yield _response(table, [row for _, row in group])


def _response(table: Table, rows: list[Raw]) -> Raw:
    found = [gently(row, dict[str, Raw]) for row in rows]
    cells = [Members(row) for row in found if row is not None]
    if len(cells) < len(rows):
        return encoded({"problem": "Expected an object"})
    problem = next((text for row in cells if (text := text_of(row[""]))), None)
    unknown = sorted({name for row in cells for name in row} - table.layout.columns.keys() - {""})
    if unknown:
        problem = f"The mapping does not say what {', '.join(unknown)[:200]} is; `ignore` is an answer, too"
    said: dict[str, Raw] = {}
    for role in get_args(OfResponse)[1:]:
        name = table.column(role)
        told = (_told(table.layout.columns[name], row[name]) for row in cells) if name else ()
        try:
            said[role] = next((value for value in told if value is not None), ABSENT)
        except ValueError:
            problem = problem or f"{name} is not a {'date' if role.endswith('_at') else 'boolean'} that can be read"
    said["submission_id"] = _submission_id(table, cells)
    if said["submission_id"] == ABSENT:
        problem = problem or f"{table.columns['submission_id'][0]} is required"
    if problem:
        return encoded({"problem": problem})
    said["answers"] = _by_field(table, cells) if table.layout.layout == "long" else _kept(table, cells[0])
    if table.form_id:
        said["form_id"] = encoded(table.form_id)
    return joined({name: value for name, value in said.items() if value != ABSENT})


def _told(meaning: Meaning, cell: Raw) -> Raw | None:
    """What a cell says of the response. Raises `ValueError` when it cannot be that."""
    text = _text(cell)
    if text is None:
        return None
    if meaning.as_ in ("collected_at", "updated_at"):
        return encoded(_moment(text, meaning.format))
    if meaning.as_ == "finished":
        return encoded(_flag(text))
    return encoded(text)


def _submission_id(table: Table, cells: list[Members]) -> Raw:
    """The cells that identify a response; the row itself, where the mapping names none."""
    names = table.columns.get("submission_id", [])
    if not names:
        return encoded(identity(_said(members_of(_kept(table, cells[0], all_of_it=True)))))
    parts = [text for name in names if (text := _text(cells[0][name]))]
    return encoded(":".join(parts)) if len(parts) == len(names) else ABSENT


def _kept(table: Table, row: Members, *, all_of_it: bool = False) -> Raw:
    """The cells that may become something. An empty one is told as null: it may have had an answer before."""
    ignored = ("ignore",) if all_of_it else ("ignore", *get_args(OfResponse))
    return joined(
        {
            name: NULL if _is_empty(value) else value
            for name, value in row.items()
            if name in table.layout.columns and table.layout.columns[name].as_ not in ignored
        }
    )


def _by_field(table: Table, cells: list[Members]) -> Raw:
    """Its rows by the question they answer. One without an answer is told as none: there may have been one before."""
    field, value = table.column("field_id"), table.column("value")
    rows: dict[str, list[Raw]] = {}
    for row in cells:
        answered = [_kept(table, row)] if not _is_empty(row[value]) else []
        rows.setdefault(_text(row[field]) or "", []).extend(answered)
    return encoded(rows)


def _said(members: Mapping[str, Raw]) -> dict[str, Raw]:
    return {name: value for name, value in members.items() if value not in (ABSENT, NULL)}


def _is_empty(raw: Raw) -> bool:
    value = gently(raw, object)
    return value is None or (isinstance(value, str) and not value.strip())


def _text(raw: Raw) -> str | None:
    """A cell in words; nothing where it is empty."""
    text = as_text(gently(raw, object))
    return text.strip() or None if text else None


def _moment(text: str, date_format: str | None) -> datetime | str:
    """Raises `ValueError`. UTC where no zone is named."""
    instant = instant_of(encoded(text))
    if instant:
        return instant
    written, _, clock = text.replace("T", " ").replace(",", " ").partition(" ")
    date = calendar_date(written, _parts(date_format))
    if not clock.strip():
        return date
    time = _CLOCK.fullmatch(clock.strip())
    if time is None:
        raise ValueError(text)
    hour = int(time[1])
    if time[4]:
        hour = hour % _NOON + (_NOON if time[4] in "pP" else 0)
    return date.replace(hour=hour, minute=int(time[2]), second=int(time[3] or 0))


def _parts(date_format: str | None) -> str:
    return re.sub("[^dMy]", "-", date_format or "")


def _flag(text: str) -> bool:
    word = text.strip().casefold()
    if word not in (*TRUE, *FALSE):
        raise ValueError(text)
    return word in TRUE


def snapshot(item: Raw, given: Given) -> Snapshot:
    """One response. An e-mail address is not kept: what stands for it is."""
    response = gently(item, Payload)
    if response is None:
        raise UnreadableError("Expected an object")
    if problem := text_of(response.problem):
        raise UnreadableError(problem)
    if gently(response.answers, dict[str, Raw]) is None:
        raise UnreadableError("answers must be an object")
    own_id = _text(response.submission_id)
    if own_id is None:
        raise UnreadableError("submission_id is required")
    form_id = text_of(response.form_id) or given.form_id
    if form_id is None:
        raise FormNeededError
    user_id, address = _text(response.user_id), text_of(response.email)
    if user_id is None and address and given.known_as:
        user_id = given.known_as(one_spelling(address))
    answered = any(map(_said_something, members_of(response.answers).values()))
    collected_at, finished = instant_of(response.collected_at), gently(response.finished, bool)
    status: Status = "partial" if answered else "started"
    if finished or (finished is None and answered):
        status = "completed"
    stated = {"form_id": encoded(form_id), "user_id": encoded(user_id) if user_id else ABSENT, "email": ABSENT}
    return Snapshot(
        # Tables count from one: only with the form is an id the response's own.
        submission_id=fitting_id(f"{form_id}:{own_id}"),
        form_id=fitting_id(form_id),
        user_id=fitting_id(user_id) if user_id else None,
        status=status,
        started_at=collected_at,
        completed_at=collected_at if status == "completed" else None,
        duration_seconds=None,
        order=_order(response),
        payload=joined({name: value for name, value in {**members_of(item), **stated}.items() if value != ABSENT}),
    )


def _order(response: Payload) -> str:
    updated = instant_of(response.updated_at)
    return updated.isoformat(timespec="microseconds") if updated else ""


def _said_something(value: Raw) -> bool:
    answer = gently(value, object)
    return answer is not None and not blank(answer)


def merge(stored: Raw, new: Raw) -> Raw:
    """Columns that are not in the new table stay; in a long one questions that it does not mention."""
    before, now = members_of(stored), _said(members_of(new))
    answers = joined(members_of(before["answers"]), members_of(now.get("answers", ABSENT)))
    known = [moment for moment in (instant_of(each.get("collected_at", ABSENT)) for each in (before, now)) if moment]
    merged = {**before, **now, "answers": answers}
    if known:
        merged["collected_at"] = encoded(min(known))
    return joined(merged)


def form(definition: Raw) -> Table:
    """A mapping, as `hub map` proposes it."""
    try:
        layout = msgspec.json.decode(definition, type=Layout)
    except msgspec.MsgspecError as error:
        raise NotOfSourceError(f"Expected a mapping of CSV columns: {error}") from None
    fault = next(_faults(layout), None)
    if fault:
        raise NotOfSourceError(f"Expected a mapping of CSV columns: {fault}")
    asked = layout.questions if layout.layout == "long" else _questions(layout)
    columns: dict[str, list[str]] = {}
    # Postgres does not keep the order of members, and everything has to come out the same.
    for name, meaning in sorted(layout.columns.items()):
        columns.setdefault(meaning.as_, []).append(name)
    return Table(form_id=layout.form_id, name=layout.name, fields=len(asked), layout=layout, columns=columns)


def _questions(layout: Layout) -> dict[str, Meaning]:
    """The columns of a wide table that hold answers, by what they are called."""
    return {name: meaning for name, meaning in sorted(layout.columns.items()) if meaning.as_ in READERS}


def _faults(layout: Layout) -> Iterator[str]:
    roles = [meaning.as_ for meaning in layout.columns.values()]
    for role in (*get_args(OfResponse), *get_args(OfAnswer)):
        if roles.count(role) > 1 and role not in SEVERAL:
            yield f"only one column can be {role}"
    for name, meaning in (*layout.columns.items(), *layout.questions.items()):
        if meaning.format is not None and not (
            _FORMAT.fullmatch(meaning.format) and len(set(_parts(meaning.format))) == len("dMy-")
        ):
            yield f"the format of {name[:100]} must be of d, M and y, such as d.M.y"
    if layout.layout == "long":
        yield from (
            f"a long table needs a column that is {role}"
            for role in ("submission_id", "field_id", "value")
            if role not in roles
        )
        yield from (f"{role} is for wide tables; `questions` says it here" for role in roles if role in READERS)
        yield from (
            f"a question cannot be {meaning.as_}" for meaning in layout.questions.values() if meaning.as_ not in READERS
        )
        return
    if layout.questions:
        yield "questions are for long tables; here each has its column"
    yield from (f"{role} is for long tables" for role in roles if role in get_args(OfAnswer))
    ids = [meaning.id or name for name, meaning in layout.columns.items() if meaning.as_ in READERS]
    if not ids:
        yield "no column holds answers"
    yield from (
        f"two questions cannot both be {field_id[:100]}" for field_id in dict.fromkeys(ids) if ids.count(field_id) > 1
    )


def flatten(payload: Raw, form: Table | None, options: Options) -> Answers:
    """Nothing but the mapping tells what a cell means."""
    response = msgspec.json.decode(payload, type=Payload)
    answers = members_of(response.answers)
    if form is None:
        for name, value in sorted(answers.items()):
            if _said_something(value):
                yield Skipped(field_id=fitting_id(name), reason="needs_definition", detail="the mapping is not stored")
        return
    shared = Draft(
        collected_at=instant_of(response.collected_at),
        source_type=SOURCE_TYPE,
        source_id=text_of(response.form_id),
        source_name=form.name,
        field_id="",
        field_type="text",
        language=_text(response.language),
        user_id=_text(response.user_id),
    )
    metadata = Metadata(finished=gently(response.finished, bool))
    if form.layout.layout == "long":
        for field_id, rows in sorted(answers.items()):
            yield from _long(form, field_id, items_of(rows), shared, metadata, options)
        return
    told = msgspec.structs.replace(metadata, attributes=_attributes(form, answers))
    for name, meaning in _questions(form.layout).items():
        labeled = msgspec.structs.replace(meaning, label=meaning.label or name)
        element = _element(form, meaning.id or name, meaning.as_, labeled)
        yield from _read(Question(element, shared, told, options), answers[name])


def _element(form: Table, field_id: str, kind: str, meaning: Meaning) -> Element:
    return Element(
        id=field_id,
        type=kind,
        label=meaning.label or field_id,
        scale=meaning.scale or (NPS if kind == "nps" else None),
        decimal=form.layout.decimal,
        separator=meaning.separator,
        date_format=_parts(meaning.format),
        group_id=meaning.group_id,
        group_label=meaning.group_label or meaning.group_id,
        several=meaning.separator is not None,
    )


def _long(  # noqa: PLR0913, PLR0917 - what all rows of a response share
    form: Table, field_id: str, rows: list[Raw], shared: Draft, metadata: Metadata, options: Options
) -> Answers:
    """The rows of one question: several where several options were chosen."""
    known = form.layout.questions.get(field_id)
    places = {role: form.column(role) for role in get_args(OfAnswer)}
    for row in map(members_of, rows):
        said = {role: _text(row[name]) for role, name in places.items()}
        value, kind = row[places["value"]], known.as_ if known else said["field_type"]
        if not field_id:
            yield Skipped(field_id="", reason="unparseable", detail="the row names no question")
        elif kind is not None and kind in READERS:
            told = Meaning(
                as_=cast("FieldType", kind),
                label=said["field_label"],
                group_id=said["group_id"],
                group_label=said["group_label"],
            )
            element = msgspec.structs.replace(
                _element(form, field_id, kind, _overlaid(told, known) if known else told),
                value_id=said["value_id"],
                several=len(rows) > 1 or bool(known and known.separator),
            )
            attributed = msgspec.structs.replace(metadata, attributes=_attributes(form, row))
            yield from _read(Question(element, shared, attributed, options), value)
        elif _said_something(value):
            yield Skipped(
                field_id=fitting_id(field_id),
                reason="unsupported_type" if kind else "needs_definition",
                detail=f"the mapping does not say what {(kind or 'it')[:50]} is",
            )


def _overlaid(told: Meaning, known: Meaning) -> Meaning:
    """What the mapping says of a question, and beside it what its row does."""
    names = ("label", "group_id", "group_label")
    return msgspec.structs.replace(known, **{name: getattr(known, name) or getattr(told, name) for name in names})


def _attributes(form: Table, cells: Members) -> dict[str, Raw]:
    """Columns to segment by, and the members of a column that holds them as JSON."""
    found: dict[str, Raw] = {}
    for name in form.columns.get("attributes", ()):
        text = _text(cells[name])
        inner = gently(Raw((text or "").encode()), dict[str, Raw])
        if inner is None and text is not None:
            inner = {form.layout.columns[name].id or name: cells[name]}
        found |= attributes(inner or {}, inner or {})
    for name in form.columns.get("attribute", ()):
        text = brief(_text(cells[name]))
        if text is not None:
            found[form.layout.columns[name].id or name] = encoded(text)
    return found


def _read(question: Question[Element], raw: Raw) -> Answers:
    value, element = gently(raw, object), question.asked
    if value is None:
        return
    if blank(value):
        yield question.skip("empty")
        return
    for draft in READERS[element.type or ""](question, value.strip() if isinstance(value, str) else value):
        if isinstance(draft, Skipped) or draft.field_group_id or element.group_id is None:
            yield draft
        else:
            yield msgspec.structs.replace(draft, field_group_id=element.group_id, field_group_label=element.group_label)


def _words(question: Question[Element], value: object) -> Answers:
    text = as_text(value)
    if text is None:
        yield question.skip("unparseable", "not a text")
    else:
        yield question.record("text", text=text)


def _number(question: Question[Element], value: object, kind: FieldType) -> Answers:
    """A number as the table writes it: that it is a text there is nothing odd."""
    spelled = value.replace(",", ".") if isinstance(value, str) and question.asked.decimal == "," else value
    number = as_number(spelled)
    return score(question, value if number is None else number, kind)


def _chosen(question: Question[Element], value: object) -> Answers:
    element = question.asked
    if isinstance(value, list):
        yield from by_entry(question, value)
        return
    text = as_text(value)
    if text is None:
        yield question.skip("unparseable", "not an option")
        return
    texts = [part.strip() for part in text.split(element.separator)] if element.separator else [text]
    for option in dict.fromkeys(part for part in texts if part):
        part = (element.value_id or digest(option)) if element.several else None
        yield question.record("categorical", part=part, text=option, value_id=element.value_id)


def _boolean(question: Question[Element], value: object) -> Answers:
    try:
        yield question.record("boolean", boolean=_flag(as_text(value) or ""))
    except ValueError:
        yield question.skip("unparseable", "neither true nor false")


def _date(question: Question[Element], value: object) -> Answers:
    """A time of the day is of no use here."""
    text = re.split("[ ,T]", value)[0] if isinstance(value, str) else value
    return day(question, text, question.asked.date_format)


READERS: Mapping[str, Callable[[Question[Element], object], Answers]] = {
    "text": _words,
    "categorical": _chosen,
    "nps": partial(_number, kind="nps"),
    "csat": partial(_number, kind="csat"),
    "ces": partial(_number, kind="ces"),
    "rating": partial(_number, kind="rating"),
    "number": partial(_number, kind="number"),
    "boolean": _boolean,
    "date": _date,
}

ABOUT = About(
    title="CSV",
    source_type=SOURCE_TYPE,
    responses=[
        "a table as text/csv, once its mapping is stored",
        "rows as objects, with their mapping",
        "a response as the hub keeps it, or a list of them",
    ],
    forms=["a mapping of columns, as `hub map` proposes it"],
    question_types=list(READERS),
    takes_csv=True,
)
