"""Proposes how to read a CSV file, from its header and its first rows. People correct it: it is a guess that says why."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, cast, get_args

import msgspec
from msgspec import Struct

from hub.model import FieldType
from hub.sources.csv import FALSE, TRUE, Beside, Layout, Meaning, OfAnswer, OfResponse
from hub.sources.interface import Scale
from hub.sources.values import as_number

LayoutName = Literal["wide", "long"]

SAMPLE_ROWS = 500
LONGEST_OPTION = 60
MOST_OPTIONS = 25
LONGEST_ID = 48
_QUOTED = 40
SEPARATORS = (";", "|", ",")

# Headers in one spelling: lower case, words between underscores. The first pattern that fits a column counts, for one column.
_IDS = re.compile(
    r"(response|submission|respondent|ticket|order|case|record|entry|survey_response)_?(id|no|number|key)|id|token|uuid|network_id"
)
_TIMES = re.compile(
    r"(submitted|completed|collected|recorded|created|answered|received)(_?(at|on|date|time))?|timestamp|(submit|end|response|recorded|survey|created?)_?(date|time)(_utc)?|date|datetime|date_time"
)
_CHANGES = re.compile(r"(updated|modified|changed)(_?(at|on|date|time))?|last_(update|modified|change)d?(_at)?")
_USERS = re.compile(
    r"(external_)?(user|customer|client|contact|account|member|person|employee)_?(id|no|number|key|ref)|user|customer|userid"
)
_EMAILS = re.compile(r"(\w+_)?e_?mail(_\w+)?")
_LANGUAGES = re.compile(r"(\w+_)?(lang|language|locale)(_code)?")
_FINISHED = re.compile(r"(is_)?(finished|complete|completed)")
_PRIVATE = re.compile(
    r"((first|last|full|given|family|sur|middle|user|customer|recipient|contact|your)_?)?name|((mobile|tele|your|contact|work|cell)_?)*phone(_number)?|"
    r"mobile|(street|postal|home|mailing|ip)?_?address(_\d)?|ip|street|zip(_code)?|postal_code|postcode|birth(day|date)?|date_of_birth|latitude|longitude|location_\w+|recipient_\w+|signature|iban|ssn"
)
_ATTRIBUTES = re.compile(
    r"plan|tier|country(_code)?|region|state|segment|cohort|platform|device(_type)?|os|browser|app_?version|version|channel|source|medium|campaign|"
    r"utm_\w+|industry|company(_size|_name)?|role|department|team|product|store|location|branch|site|currency|gender|age(_group)?|seats|mrr|arr"
)
_METADATA = re.compile(r"metadata|meta|attributes|properties|custom_fields")
_LONG: Mapping[str, re.Pattern[str]] = {
    "field_id": re.compile(r"(field|question|q|item)_?(id|key|code)|question_?ref|field"),
    "field_label": re.compile(
        r"question(_?(text|label|title|name))?|(field|item)_?(label|title|name|text)|label|prompt"
    ),
    "field_type": re.compile(r"((field|question|answer|response)_?)?type"),
    "value": re.compile(r"answer(_?(value|text))?|(response|field)_?(value|text)|value|response|reply"),
    "value_id": re.compile(r"(value|answer|choice|option)_?(id|code)"),
    "group_id": re.compile(r"(field_)?group_?(id|key)"),
    "group_label": re.compile(r"(field_)?group(_?(label|title|name))?|section"),
}
_BY_NAME: tuple[tuple[Beside, str, re.Pattern[str]], ...] = (
    ("ignore", "personal data", _PRIVATE),
    ("ignore", "personal data", _EMAILS),
    ("attributes", "its name", _METADATA),
    ("attribute", "its name", _ATTRIBUTES),
    ("ignore", "another time", _TIMES),
    ("ignore", "another time", _CHANGES),
    ("ignore", "another time", re.compile(r"start(ed)?(_?(at|on|date|time))?")),
    ("ignore", "an id", _IDS),
    ("ignore", "an id", re.compile(r"\w+_id")),
)
_RANGE = re.compile(r"\b(0|1)\s*(?:-|\u2013|\u2014|to|\.\.)\s*(\d{1,2})\b")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?", re.ASCII)
_DAY = re.compile(r"(\d{1,4})([-/.])(\d{1,2})([-/.])(\d{1,4})(?:[ ,T].*)?", re.ASCII)
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BY_VALUE = (("personal data", _ADDRESS), ("addresses of pages", re.compile(r"https?://\S+")))
_MONTHS, _YEAR_DIGITS = 12, 4
_SCORES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("nps", re.compile(r"\bnps\b|net promoter|recommend", re.IGNORECASE)),
    ("csat", re.compile(r"\bcsat\b|satisf", re.IGNORECASE)),
    ("ces", re.compile(r"\bces\b|effort|how easy|easy to|easily", re.IGNORECASE)),
    ("rating", re.compile(r"\brat(e|ing)\b|\bstars?\b|\bscore\b|out of \d", re.IGNORECASE)),
)


class Guess(Struct, frozen=True):
    """What a column, or a question of a long table, is taken for, and why."""

    name: str
    meaning: Meaning
    why: str
    sample: str
    doubt: str = ""


class Proposal(Struct, frozen=True):
    """A mapping, with a reason for each part of it, and what a person has to decide."""

    layout: Layout
    guesses: list[Guess]
    doubts: list[str]


def propose(
    names: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    *,
    form_id: str,
    title: str,
    layout: LayoutName | None = None,
) -> Proposal:
    """The mapping of a table with these columns and first rows."""
    columns = {name: [text for row in rows if (text := row.get(name, "").strip())] for name in names}
    roles = _long_roles(names)
    wanted = layout or ("long" if {"field_id", "value"} <= roles.keys() else "wide")
    decimal = _decimal(columns.values())
    about = _about(columns, len(rows), wanted, set(roles.values()) if wanted == "long" else set())
    if wanted == "long":
        for role, name in roles.items():
            about[name] = Guess(name, Meaning(as_=role), "its name", _sample(columns[name]))  # type: ignore[arg-type] # of OfAnswer
    guesses = [about.get(name) or _column(name, columns[name], decimal, wanted) for name in names]
    questions = _questions(roles, rows, decimal) if wanted == "long" else []
    if wanted == "wide":
        guesses = _named_apart(guesses)
    made = Layout(
        form_id=form_id,
        name=title,
        layout=wanted,
        decimal=decimal,
        columns={guess.name: guess.meaning for guess in guesses},
        questions={guess.name: guess.meaning for guess in questions},
    )
    doubts = [*_doubts(made, columns, len(rows)), *(guess.doubt for guess in (*guesses, *questions) if guess.doubt)]
    return Proposal(made, [*guesses, *questions], doubts)


def _spelled(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"\W+", "_", words.lower()).strip("_")


def _long_roles(names: Iterable[str]) -> dict[str, str]:
    """Columns that tell of answers, by what they tell; the first that fits counts."""
    found: dict[str, str] = {}
    for role, pattern in _LONG.items():
        name = next((name for name in names if name not in found.values() and pattern.fullmatch(_spelled(name))), None)
        if name:
            found[role] = name
    if "field_id" not in found and "field_label" in found:  # the question is all that names it
        found["field_id"] = found.pop("field_label")
    return {role: found[role] for role in get_args(OfAnswer) if role in found}


def _about(columns: Mapping[str, list[str]], rows: int, layout: LayoutName, taken: set[str]) -> dict[str, Guess]:
    """Columns about the response as a whole: each role goes to the first column that fits by its name and its values."""
    found: dict[str, Guess] = {}

    def fits(role: OfResponse, pattern: re.Pattern[str], values_fit: Callable[[list[str]], bool]) -> None:
        for name, values in columns.items():
            if name in taken or name in found or not pattern.fullmatch(_spelled(name)) or not values_fit(values):
                continue
            date_format = date_format_of(values) if role.endswith("_at") else None
            found[name] = Guess(name, Meaning(as_=role, format=date_format), "its name", _sample(values))
            return

    def unique(values: list[str]) -> bool:
        return bool(values) and (layout == "long" or len(set(values)) == len(values) == rows)

    fits("submission_id", _IDS, unique)
    fits("collected_at", _TIMES, _are_dates)
    fits("updated_at", _CHANGES, _are_dates)
    fits("user_id", _USERS, bool)
    if not any(guess.meaning.as_ == "user_id" for guess in found.values()):
        fits("email", _EMAILS, lambda values: bool(values) and all(map(_ADDRESS.fullmatch, values)))
    fits("language", _LANGUAGES, lambda values: all(len(value) <= 10 for value in values))  # noqa: PLR2004 - as in records
    fits("finished", _FINISHED, _are_flags)
    return found


def _column(name: str, values: list[str], decimal: str, layout: LayoutName) -> Guess:
    """A column that says nothing of the response as a whole: to segment by, to leave out, or a question."""
    spelled, sample = _spelled(name), _sample(values)
    for role, why, pattern in _BY_NAME:
        if pattern.fullmatch(spelled):
            return Guess(name, Meaning(as_=role, id=_id_of(name) if role == "attribute" else None), why, sample)
    for why, pattern in _BY_VALUE:
        if values and all(map(pattern.fullmatch, values)):
            return Guess(name, Meaning(as_="ignore"), why, sample)
    if layout == "long":
        return Guess(name, Meaning(as_="ignore"), "tells nothing that is known", sample)
    guess = _question(name, name, values, decimal)
    return msgspec.structs.replace(guess, meaning=msgspec.structs.replace(guess.meaning, id=_id_of(name)))


def _question(name: str, label: str, values: list[str], decimal: str) -> Guess:
    meaning, why = _asked(label, values, decimal)
    doubt = _odd_cells(name, label, values, decimal) if meaning.as_ in ("text", "categorical") else ""
    return Guess(name, meaning, why, _sample(values), doubt)


def _odd_cells(name: str, label: str, values: list[str], decimal: str) -> str:
    """One slip of a pen makes words of a score; whether it is one is for a person to say."""
    numbers = [number for value in values if (number := _number(value, decimal)) is not None]
    odd = [value for value in values if _number(value, decimal) is None]
    if len(odd) >= len(numbers):
        return ""
    meant, _ = _score(label, numbers)
    scale = f" with the scale {meant.scale.min} to {meant.scale.max}" if meant.scale else ""
    few = f"{len(odd)} of its {len(values)} answers {'is no number' if len(odd) == 1 else 'are no numbers'}"
    shown = " ".join(odd[0].split())[:_QUOTED]
    return (
        f"{name}: {few}, such as {shown}. If it asks for one, make it {meant.as_}{scale}; what is none is skipped then."
    )


def _asked(label: str, values: list[str], decimal: str) -> tuple[Meaning, str]:
    """What a question asks for, by its words and its answers."""
    if not values:
        return Meaning(as_="text"), "no answer in the first rows"
    numbers = [_number(value, decimal) for value in values]
    if None not in numbers:
        return _score(label, cast("list[float]", numbers))
    if _are_flags(values):
        return Meaning(as_="boolean"), "yes or no"
    if _are_dates(values):
        return Meaning(as_="date", format=date_format_of(values)), "dates"
    separator = _separator(values)
    options = {part.strip() for value in values for part in (value.split(separator) if separator else [value])}
    few = separator is not None or (len(options) < len(values) and len(options) <= max(2, len(values) // 2))
    if few and len(options) <= MOST_OPTIONS and all(len(option) <= LONGEST_OPTION for option in options):
        many = f"several of {len(options)} options in a cell" if separator else f"{len(options)} options"
        return Meaning(as_="categorical", separator=separator), many
    return Meaning(as_="text"), "words"


def _number(value: str, decimal: str) -> float | None:
    return as_number(value.replace(",", ".") if decimal == "," else value)


def _score(label: str, numbers: list[float]) -> tuple[Meaning, str]:
    """Values that were seen are no bounds; a range in the words is."""
    low, high = min(numbers), max(numbers)
    bounds = _RANGE.search(label)
    scale = Scale(int(bounds[1]), int(bounds[2])) if bounds and int(bounds[2]) > int(bounds[1]) else None
    kind = next((kind for kind, pattern in _SCORES if pattern.search(label)), None)
    if kind == "nps" and not (low >= 0 and high <= 10 and (scale is None or scale == Scale(0, 10))):  # noqa: PLR2004 - NPS
        kind = "rating"
    if kind is None and scale is not None:
        kind = "rating"
    if kind is None or (scale and not scale.min <= low <= high <= scale.max):
        return Meaning(as_="number"), f"numbers from {low:g} to {high:g}"
    why = f"asks for a score; numbers from {low:g} to {high:g}"
    return Meaning(as_=cast("FieldType", kind), scale=None if kind == "nps" else scale), why


def _questions(roles: Mapping[str, str], rows: Sequence[Mapping[str, str]], decimal: str) -> list[Guess]:
    """Questions whose type the table does not tell in the hub's words."""
    known, answers, labels = set(get_args(FieldType)), dict[str, list[str]](), dict[str, str]()
    for row in rows:
        field_id = row.get(roles.get("field_id", ""), "").strip()
        if not field_id or row.get(roles.get("field_type", ""), "").strip() in known:
            continue
        labels.setdefault(field_id, row.get(roles.get("field_label", ""), "").strip() or field_id)
        if value := row.get(roles.get("value", ""), "").strip():
            answers.setdefault(field_id, []).append(value)
    return [_question(field_id, label, answers.get(field_id, []), decimal) for field_id, label in labels.items()]


def _named_apart(guesses: list[Guess]) -> list[Guess]:
    """Long questions may begin with the same words."""
    seen: set[str] = set()
    apart: list[Guess] = []
    for guess in guesses:
        name, number = guess.meaning.id or guess.name, 1
        if guess.meaning.as_ in get_args(FieldType):
            while name in seen:
                number += 1
                name = f"{guess.meaning.id or guess.name}_{number}"
            seen.add(name)
        changed = msgspec.structs.replace(guess.meaning, id=name) if number > 1 else guess.meaning
        apart.append(msgspec.structs.replace(guess, meaning=changed))
    return apart


def _doubts(layout: Layout, columns: Mapping[str, list[str]], rows: int) -> Iterable[str]:
    roles = {meaning.as_ for meaning in layout.columns.values()}
    is_long = layout.layout == "long"
    questions = layout.questions if is_long else layout.columns
    bare = [
        name for name, meaning in questions.items() if meaning.as_ in ("csat", "ces", "rating") and not meaning.scale
    ]
    said: dict[str, bool] = {
        "There is no row to look at.": not rows,
        "A long table needs columns that are submission_id, field_id and value.": is_long
        and not {"submission_id", "field_id", "value"} <= roles,
        "No column identifies a response, so its content does: two rows that are equal are one response.": not is_long
        and "submission_id" not in roles,
        "No column looks like a question.": not is_long and not roles & set(get_args(FieldType)),
        "No column tells when a response was given: the time of the import stands for it.": "collected_at" not in roles,
        f"Add the scale, if you know it, to {', '.join(bare)}: the values that were given are no bounds.": bool(bare),
    }
    yield from (doubt for doubt, holds in said.items() if holds)
    for name, meaning in layout.columns.items():
        if (
            not is_long
            and meaning.as_ == "ignore"
            and _IDS.fullmatch(_spelled(name))
            and len(set(columns[name])) < rows
        ):
            yield f"{name} is not in every row, or not once: if a row is an answer, and no response, say --layout long."
        if meaning.as_ in ("collected_at", "updated_at", "date") and meaning.format is None:
            odd = next((value for value in columns[name] if not _ISO.match(value)), None)
            if odd:
                yield f"{name}: {odd} may begin with the day or the month; add its format, d/M/y or M/d/y."


def _id_of(name: str) -> str | None:
    """A short id for a question that is written out; none where the column has one for a name."""
    spelled = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
    short = spelled if len(spelled) <= LONGEST_ID else spelled[:LONGEST_ID].rpartition("_")[0] or spelled[:LONGEST_ID]
    return None if not short or short == name else short


def _sample(values: list[str]) -> str:
    return values[0] if values else ""


def _decimal(columns: Iterable[list[str]]) -> Literal[".", ","]:
    commas = points = 0
    for values in columns:
        commas += sum(bool(re.fullmatch(r"-?\d+,\d+", value, re.ASCII)) for value in values)
        points += sum(bool(re.fullmatch(r"-?\d+\.\d+", value, re.ASCII)) for value in values)
    return "," if commas > points else "."


def _are_flags(values: list[str]) -> bool:
    words = {value.casefold() for value in values}
    return bool(words) and words <= {*TRUE, *FALSE} and not words <= {"1", "0", "x"}


def _are_dates(values: list[str]) -> bool:
    return bool(values) and all(_ISO.fullmatch(value) or _DAY.fullmatch(value) for value in values)


def date_format_of(values: list[str]) -> str | None:
    """The order of day, month and year, where the values leave no doubt. ISO 8601 needs none."""
    parts = [match for value in values if not _ISO.fullmatch(value) and (match := _DAY.fullmatch(value))]
    if not parts:
        return None
    a, b = parts[0][2], parts[0][4]
    first, second = (max(int(match[place]) for match in parts) for place in (1, 3))
    if all(len(match[1]) == _YEAR_DIGITS for match in parts):
        return f"y{a}M{b}d"
    if any(len(match[5]) != _YEAR_DIGITS for match in parts) or (first > _MONTHS and second > _MONTHS):
        return None
    if first > _MONTHS or a == ".":  # nobody writes the month first with points
        return f"d{a}M{b}y"
    return f"M{a}d{b}y" if second > _MONTHS else None


def _separator(values: list[str]) -> str | None:
    """What stands between options that come again in other cells. Commas do so in sentences, too."""
    for separator in SEPARATORS:
        cells = [value.split(separator) for value in values]
        parts = [part.strip() for cell in cells for part in cell]
        most = len(parts) // 2 if separator == "," else len(parts) - 1
        if sum(len(cell) > 1 for cell in cells) > 1 and all(parts) and len(set(parts)) <= most:
            return separator
    return None
