"""CSV: what a mapping makes of rows, and of what is wrong with them."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from hub.model import NewRecord
from hub.sources import csv
from hub.sources.bodies import legible
from hub.sources.interface import (
    FormNeededError,
    Given,
    NotOfSourceError,
    Options,
    Reason,
    Skipped,
    Snapshot,
    UnreadableError,
)
from tests.sources import examples
from tests.sources.examples import Records, Skips, flattened, metadata, mutated, raw

SAMPLES = Path(__file__).parent / "csv"
NO_RECORDS: Records = {}

Json = dict[str, object]


def wide(**columns: object) -> Json:
    """A mapping of a column `id` and those given, each a type or all there is to say."""
    said = {name: meaning if isinstance(meaning, dict) else {"as": meaning} for name, meaning in columns.items()}
    return {"form_id": "f", "layout": "wide", "columns": {"id": {"as": "submission_id"}, **said}}


def long(questions: object = None, **columns: object) -> Json:
    roles = {"id": "submission_id", "q": "field_id", "type": "field_type", "a": "value", **columns}
    said = {name: meaning if isinstance(meaning, dict) else {"as": meaning} for name, meaning in roles.items()}
    return {"form_id": "f", "layout": "long", "columns": said, "questions": questions or {}}


def items(mapping: Json, *rows: object) -> list[Raw]:
    return csv.unpack(raw({"mapping": mapping, "rows": list(rows)}))


def snapshot(mapping: Json, *rows: Mapping[str, object], given: Given = Given()) -> Snapshot:  # noqa: B008 - nothing in it changes
    (item,) = items(mapping, *rows)
    return csv.snapshot(item, given)


def flatten(mapping: Json, *rows: Json) -> tuple[Records, Skips]:
    (item,) = items(mapping, *rows)
    return flattened(csv, item, csv.form(raw(mapping)), Options())


def answer(value: object, **question: object) -> tuple[Records, Skips]:
    return flatten(wide(q=question), {"id": "1", "q": value})


def problem(mapping: Json, row: object) -> str:
    (item,) = items(mapping, row)
    with pytest.raises(UnreadableError) as error:
        csv.snapshot(item, Given())
    return str(error.value)


# Shapes


def test_a_response_as_the_hub_keeps_it_is_taken_too() -> None:
    """Alone or in a list, its answers by the names of columns: what another program sends."""
    one = {"submission_id": "1", "form_id": "f", "answers": {"q": 9}}
    records, _ = flattened(csv, raw(one), csv.form(raw(wide(q="nps"))), Options())

    assert csv.unpack(raw(one)) == csv.unpack(raw([one])) == [raw(one)]
    assert records["q"].value_number == 9


@pytest.mark.parametrize(
    "payload",
    [
        5, "text", None, {}, {"rows": []}, {"mapping": wide(q="nps")}, {"mapping": wide(q="nps"), "rows": {}}, {"mapping": 5, "rows": []},
        {"data": []}, {"submission_id": "1"}, {"submission_id": "1", "answers": []}, {"campaign": "c", "answers": []},
    ],
)  # fmt: skip
def test_other_payloads_are_not_of_this_source(payload: object) -> None:
    """What is no table is told apart from a row that has a fault."""
    with pytest.raises(NotOfSourceError):
        csv.unpack(raw(payload))


@pytest.mark.parametrize(
    ("mapping", "fault"),
    [
        ({}, "`layout`"),
        ({**wide(q="nps"), "colums": {}}, "`colums`"),
        (wide(q="nsp"), "nsp"),
        (wide(q={"as": "nps", "scal": {}}), "`scal`"),
        (wide(q={"as": "csat", "scale": {"min": 5, "max": 1}}), "min must be less than max"),
        (wide(q={"as": "date", "format": "DD.MM.YYYY"}), "d, M and y"),
        (wide(q={"as": "date", "format": "d.d.y"}), "d, M and y"),
        (wide(), "no column holds answers"),
        (wide(q="nps", when="collected_at", then="collected_at"), "only one column can be collected_at"),
        (wide(a={"as": "nps", "id": "q"}, b={"as": "text", "id": "q"}), "two questions cannot both be q"),
        (wide(q="nps", a="value"), "value is for long tables"),
        ({**wide(q="nps"), "questions": {"q": {"as": "nps"}}}, "questions are for long tables"),
        (long(q="ignore"), "a long table needs a column that is field_id"),
        (long(id="user_id"), "a long table needs a column that is submission_id"),
        (long(n="nps"), "nps is for wide tables"),
        (long({"q": {"as": "ignore"}}), "a question cannot be ignore"),
    ],
)
def test_mappings_that_nobody_can_mean_are_refused(mapping: Json, fault: str) -> None:
    """With the reason: people write them."""
    with pytest.raises(NotOfSourceError, match=re.escape(fault)):
        csv.form(raw(mapping))


# Who, when, and in which state


def test_submission_is_named_by_its_form_and_its_columns() -> None:
    """Tables count from one, so an id is its own only with the form; and several columns may make it."""
    two = {**wide(q="nps"), "columns": {**wide(q="nps")["columns"], "day": {"as": "submission_id"}}}  # type: ignore[dict-item]

    assert snapshot(wide(q="nps"), {"id": " 7 ", "q": "9"}).submission_id == "f:7"
    assert snapshot(two, {"id": "7", "day": "mon", "q": "9"}).submission_id == "f:mon:7"
    assert problem(two, {"id": "7", "day": "", "q": "9"}) == "day is required"


def test_row_without_an_id_is_known_by_its_content() -> None:
    """The same row is the same response; another answer, person or time is another one."""
    mapping = wide(q="nps", who="user_id", when="collected_at", note="ignore")
    del mapping["columns"]["id"]  # type: ignore[attr-defined]
    rows = [
        {"q": "9", "who": "a", "when": "2026-08-01", "note": "x"}, {"q": "8", "who": "a", "when": "2026-08-01"},
        {"q": "9", "who": "b", "when": "2026-08-01"}, {"q": "9", "who": "a", "when": "2026-08-02"},
    ]  # fmt: skip
    ids = [snapshot(mapping, row).submission_id for row in rows]

    assert len(set(ids)) == 4
    assert ids[0].startswith("f:sha256:")
    assert ids[0] == snapshot(mapping, {"when": "2026-08-01", "who": "a", "note": "y", "q": "9"}).submission_id


def test_form_comes_with_the_request_or_with_the_mapping() -> None:
    """One of them has to name it."""
    bare = {name: value for name, value in wide(q="nps").items() if name != "form_id"}

    assert snapshot(bare, {"id": "1"}, given=Given(form_id="g")).submission_id == "g:1"
    with pytest.raises(FormNeededError):
        snapshot(bare, {"id": "1"})


def test_address_stands_for_a_person_and_is_not_kept() -> None:
    """One user for every spelling, unless there is a better id."""
    mapping = wide(q="nps", mail="email", who="user_id")
    hashed = Given(known_as=lambda address: f"email:{len(address)}")
    known = snapshot(mapping, {"id": "1", "mail": " Ada@b.example", "q": "9"}, given=hashed)

    assert known.user_id == "email:13"
    assert b"ada" not in bytes(known.payload).lower()
    assert csv.snapshot(known.payload, Given()).user_id == "email:13"
    assert snapshot(mapping, {"id": "1", "mail": "a@b.example", "who": "u"}, given=hashed).user_id == "u"


@pytest.mark.parametrize(
    ("text", "date_format", "moment"),
    [
        ("2026-08-13", None, (13, 0, 0, 0)),
        ("2026-08-13T10:15:00+02:00", None, (13, 8, 15, 0)),
        ("2026-08-13 10:15:30", "d.M.y", (13, 10, 15, 30)),
        ("13.08.2026", "d.M.y", (13, 0, 0, 0)),
        ("13.8.2026 10:15", "d.M.y", (13, 10, 15, 0)),
        ("13/08/2026, 10:15:09.5", "d/M/y", (13, 10, 15, 9)),
        ("8/13/2026 3:04 PM", "M/d/y", (13, 15, 4, 0)),
        ("8/13/2026 12:04:05 am", "M/d/y", (13, 0, 4, 5)),
        ("2026/08/13 12:00 p.m.", "y/M/d", (13, 12, 0, 0)),
    ],
)
def test_times_are_read_as_the_mapping_says(
    text: str, date_format: str | None, moment: tuple[int, int, int, int]
) -> None:
    """ISO 8601 always, anything else in the order of its format."""
    when = {"as": "collected_at", **({"format": date_format} if date_format else {})}
    day, hour, minute, second = moment

    assert snapshot(wide(q="nps", when=when), {"id": "1", "when": text}).started_at == datetime(
        2026, 8, day, hour, minute, second, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text", ["08/13/2026", "13.08.26", "31.02.2026", "yesterday", "46235", "13.08.2026 25:00", "13.08.2026 noon"]
)
def test_time_that_cannot_be_read_costs_its_row(text: str) -> None:
    """The time of the import would be a lie."""
    mapping = wide(q="nps", when={"as": "collected_at", "format": "d.M.y"})

    assert problem(mapping, {"id": "1", "when": text, "q": "9"}) == "when is not a date that can be read"


@pytest.mark.parametrize(
    ("finished", "q", "status"),
    [("yes", "9", "completed"), ("yes", "", "completed"), ("", "9", "completed"), ("FALSE", "9", "partial"), ("0", "", "started"), ("", "", "started")],
)  # fmt: skip
def test_status(finished: str, q: str, status: str) -> None:
    """What the table says; else whoever answered has completed it."""
    found = snapshot(
        wide(q="nps", done="finished", when="collected_at"), {"id": "1", "done": finished, "q": q, "when": "2026-08-01"}
    )

    assert found.status == status
    assert (found.completed_at is not None) == (status == "completed")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"q": "9"}, "id is required"),
        ({"id": "  "}, "id is required"),
        ({"id": "1", "done": "perhaps"}, "done is not a boolean that can be read"),
        ({"id": "1", "new": "x", "other": ""}, "The mapping does not say what new, other is; `ignore` is an answer, too"),
        ({"": "Invalid CSV: expected 3 cells, got 2"}, "Invalid CSV: expected 3 cells, got 2"),
        (5, "Expected an object"),
        (["1", "9"], "Expected an object"),
    ],
)  # fmt: skip
def test_unreadable_rows_are_told_apart(row: object, said: str) -> None:
    """Each is refused alone, with the column to look at and without what stands in it."""
    assert problem(wide(q="nps", done="finished"), row) == said


def test_what_is_ignored_is_not_kept() -> None:
    """A name that nobody maps does not reach the database."""
    kept = snapshot(wide(q="nps", name="ignore"), {"id": "1", "q": "9", "name": "Ada"}).payload

    assert b"Ada" not in bytes(kept)


# Snapshots


def merged(mapping: Json, old: Json, new: Json) -> Raw:
    return csv.merge(snapshot(mapping, old).payload, snapshot(mapping, new).payload)


def records_of(mapping: Json, payload: Raw) -> set[str]:
    return set(flattened(csv, payload, csv.form(raw(mapping)), Options())[0])


def test_emptied_cell_takes_its_answer_away_and_a_missing_column_does_not() -> None:
    """The second export of a survey may have fewer columns."""
    mapping = wide(a="nps", b="text", c="text")
    kept = merged(mapping, {"id": "1", "a": "9", "b": "x", "c": "y"}, {"id": "1", "a": "9", "b": ""})

    assert records_of(mapping, kept) == {"a", "c"}


def test_rows_of_one_response_need_not_stand_together() -> None:
    """A question that comes again is replaced with all its rows, the others stay."""
    mapping = long({"m": {"as": "categorical"}})
    first = items(
        mapping,
        {"id": "1", "q": "n", "type": "nps", "a": "9"},
        {"id": "1", "q": "m", "a": "x"},
        {"id": "1", "q": "m", "a": "y"},
    )
    second = items(mapping, {"id": "1", "q": "m", "a": "z"}, {"id": "1", "q": "t", "type": "text", "a": "hi"})
    kept = csv.merge(csv.snapshot(first[0], Given()).payload, csv.snapshot(second[0], Given()).payload)

    assert records_of(mapping, kept) == {"n", "m", "t"}


def test_rows_that_follow_each_other_are_one_response() -> None:
    """Those that name no response stand alone."""
    rows = [{"id": name, "q": "n", "a": "1"} for name in ("1", "1", "2", "", "", "1")]

    assert len(items(long(), *rows)) == 5


def test_later_time_does_not_replace_an_earlier_one() -> None:
    """A response is as old as its first answer."""
    mapping = wide(q="nps", when="collected_at")
    kept = merged(mapping, {"id": "1", "when": "2026-08-01", "q": "9"}, {"id": "1", "when": "2026-08-02", "q": "8"})

    assert csv.snapshot(kept, Given()).started_at == datetime(2026, 8, 1, tzinfo=UTC)


def test_order_is_that_of_the_last_change() -> None:
    """Compared as text; without such a column all are equal, and the later one counts."""
    mapping = wide(q="nps", changed="updated_at")
    orders = [
        snapshot(mapping, {"id": "1", "changed": text}).order for text in ("", "2026-08-01", "2026-08-01T00:00:00.5Z")
    ]

    assert orders == sorted(orders)
    assert orders[0] == ""


# Answers


@pytest.mark.parametrize(
    ("question", "value", "column", "made"),
    [
        ({"as": "text"}, " fine ", "value_text", "fine"),
        ({"as": "text"}, 5, "value_text", "5"),
        ({"as": "categorical"}, "A, B", "value_text", "A, B"),
        ({"as": "nps"}, "10", "value_number", 10),
        ({"as": "csat", "scale": {"min": 1, "max": 5}}, "5", "value_number", 5),
        ({"as": "number"}, "-1.5e3", "value_number", -1500),
        ({"as": "rating"}, 4, "value_number", 4),
        ({"as": "boolean"}, "Yes", "value_boolean", True),
        ({"as": "boolean"}, "0", "value_boolean", False),
        ({"as": "boolean"}, True, "value_boolean", True),
        ({"as": "date"}, "2026-08-13T10:00:00Z", "value_date", datetime(2026, 8, 13, tzinfo=UTC)),
        ({"as": "date", "format": "d.M.y"}, "1.12.2026 10:00", "value_date", datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_answers_with_one_record(question: Json, value: object, column: str, made: object) -> None:
    """Nothing odd about a number that is written: all of a table is."""
    records, skips = answer(value, **question)

    assert skips == {}
    assert getattr(records["q"], column) == made
    assert "coerced" not in metadata(records["q"])


@pytest.mark.parametrize(
    ("question", "value", "reason"),
    [
        ({"as": "nps"}, "11", "out_of_range"),
        ({"as": "csat", "scale": {"min": 1, "max": 5}}, "0", "out_of_range"),
        ({"as": "nps"}, "nine", "unparseable"),
        ({"as": "number"}, "9,5", "unparseable"),
        ({"as": "number"}, "1e20", "out_of_range"),
        ({"as": "boolean"}, "perhaps", "unparseable"),
        ({"as": "date"}, "01.12.2026", "unparseable"),
        ({"as": "date"}, "1850-01-01", "out_of_range"),
        ({"as": "text"}, {"a": "b"}, "unparseable"),
        ({"as": "categorical"}, {"a": "b"}, "unparseable"),
    ],
)
def test_answers_that_become_no_record(question: Json, value: object, reason: str) -> None:
    """Never a record without a value, never a guess."""
    assert answer(value, **question) == (NO_RECORDS, {"q": reason})


@pytest.mark.parametrize("kind", csv.READERS)
def test_empty_cells_are_silent(kind: str) -> None:
    """Most cells of a wide table are; in JSON a blank text is a skip, as in every source."""
    assert answer("", **{"as": kind}) == answer(None, **{"as": kind}) == (NO_RECORDS, {})
    posted = raw({"submission_id": "1", "form_id": "f", "answers": {"q": " "}})
    assert flattened(csv, posted, csv.form(raw(wide(q=kind))), Options()) == (NO_RECORDS, {"q": "empty"})


def test_several_options_in_one_cell() -> None:
    """One record each, grouped; an option that comes twice counts once."""
    records, _ = answer("B; A ;;B", **{"as": "categorical", "separator": ";"})

    assert [record.value_text for record in records.values()] == ["B", "A"]
    assert {(record.field_id[:3], record.field_group_id) for record in records.values()} == {("q__", "q")}


def test_decimal_commas() -> None:
    """Where the mapping says so, and only there."""
    records, skips = flatten(
        {**wide(a="number", b="rating"), "decimal": ","}, {"id": "1", "a": "-9,50", "b": "1.000,5"}
    )

    assert (records["a"].value_number, skips) == (-9.5, {"b": "unparseable"})


def test_groups_attributes_and_language() -> None:
    """What stands beside the answers is on each record."""
    mapping = wide(
        q={"as": "rating", "id": "speed", "label": "Speed", "group_id": "m", "group_label": "How was it?"},
        plan={"as": "attribute", "id": "tier"}, more="attributes", lang="language",
    )  # fmt: skip
    records, _ = flatten(
        mapping, {"id": "1", "q": "4", "plan": "pro", "more": '{"seats": 5, "deep": {}}', "lang": "de"}
    )
    (record,) = records.values()

    assert (record.field_id, record.field_label, record.field_group_id, record.field_group_label, record.language) == (
        "speed", "Speed", "m", "How was it?", "de",
    )  # fmt: skip
    assert metadata(record)["attributes"] == {"seats": 5, "tier": "pro"}


def test_types_of_a_long_table_come_from_the_mapping_first() -> None:
    """Then from its column; a question with neither waits for the mapping."""
    mapping = long({"r": {"as": "csat", "label": "Really?"}}, words="field_label")
    records, skips = flatten(
        mapping,
        {"id": "1", "q": "r", "type": "rating", "words": "Hm?", "a": "4"}, {"id": "1", "q": "n", "type": "nps", "words": "Likely?", "a": "9"},
        {"id": "1", "q": "x", "type": "hologram", "a": "5"}, {"id": "1", "q": "y", "type": "", "a": "5"}, {"id": "1", "q": "z", "a": ""},
    )  # fmt: skip

    assert [(record.field_type, record.field_label) for record in records.values()] == [
        ("nps", "Likely?"),
        ("csat", "Really?"),
    ]
    assert skips == {"x": "unsupported_type", "y": "needs_definition"}


# Documentation


def test_documentation_has_every_column_question_and_reason() -> None:
    """The tables list what the code knows, no more and no fewer."""
    page = (Path(__file__).parents[2] / "docs" / "sources" / "csv.md").read_text()
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    mapping, cells, skips = (
        re.findall(r"^\| `(\w+)` \|", sections[name], re.MULTILINE)
        for name in ("The mapping", "What becomes of each cell", "What is not taken, and why")
    )

    assert mapping == [
        *csv.Layout.__struct_fields__, *get_args(csv.OfResponse), *get_args(csv.Beside), *get_args(csv.OfAnswer),
        *(field.encode_name for field in msgspec.structs.fields(csv.Meaning) if field.encode_name not in ("as", "group_id", "group_label")),
        "group_id", "group_label",
    ]  # fmt: skip
    assert cells == list(csv.READERS)
    assert set(skips) == set(get_args(Reason)) - {"personal_data", "not_feedback", "erased", "retention"}


# Properties

VALUES = examples.json_values(["yes", "d.M.y", "nps", "13.08.2026"], ["answers", "as", "rows", "submission_id"])
MAPPINGS = [json.loads((SAMPLES / f"{name}.mapping.json").read_text()) for name in ("01_wide", "03_long_without_types")]
TABLES = [json.loads((SAMPLES / f"{name}.json").read_text()) for name in ("01_wide", "03_long_without_types")]
FORMS = [csv.form(raw(mapping)) for mapping in MAPPINGS]


def attempt(document: object, form: csv.Table | None) -> tuple[Snapshot, list[NewRecord], list[Skipped]] | None:
    return examples.attempt(csv, document, form, Options(), "f")


def kept(document: object) -> list[Snapshot]:
    """Every response of a table that can be read."""
    found = []
    try:
        responses = csv.unpack(legible(msgspec.json.encode(document)))
    except NotOfSourceError:
        return []
    for item in responses:
        try:
            found.append(csv.snapshot(item, Given(form_id="f")))
        except UnreadableError:
            continue
    return found


@settings(deadline=None)
@given(st.sampled_from(TABLES).flatmap(lambda table: mutated(table, VALUES)), st.sampled_from([*FORMS, None]))
def test_any_table_flattens_to_unique_fields(document: object, form: csv.Table | None) -> None:
    """Whatever stands in a table or its mapping: no exception, no field twice, and the same again from the kept payload."""
    for response in kept(document):
        examples.check_flattening(attempt, json.loads(bytes(response.payload)), form)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(FORMS[0].layout.columns)), VALUES), st.sampled_from(FORMS[:1]))
def test_every_answer_is_accounted_for(answers: dict[str, object], form: csv.Table) -> None:
    """An answer that is not null has a record or a skip under the id of its question or one of its parts."""
    result = attempt({"submission_id": "r", "form_id": "f", "answers": answers}, form)
    assert result is not None
    _, records, skips = result
    fields = [record.field_id for record in records] + [skip.field_id for skip in skips]
    seen = {field_id.split("__")[0] for field_id in fields}
    asked = {name: meaning.id or name for name, meaning in form.layout.columns.items() if meaning.as_ in csv.READERS}

    assert seen == {asked[name] for name, value in answers.items() if name in asked and value is not None}


@settings(deadline=None)
@given(st.sampled_from(MAPPINGS).flatmap(lambda mapping: mutated(mapping, VALUES)), st.sampled_from(TABLES))
def test_any_mapping_is_read_or_refused(mapping: object, document: Json) -> None:
    """Whatever stands in it: it is refused as one, or reads and flattens every table."""
    try:
        form = csv.form(legible(msgspec.json.encode(mapping)))
    except NotOfSourceError:
        return
    for response in (*kept(document), *kept({**document, "mapping": mapping})):
        result = attempt(json.loads(bytes(response.payload)), form)
        assert result is not None
        assert len(result[1]) == len({record.field_id for record in result[1]})


@settings(deadline=None)
@given(*[st.sampled_from(TABLES).flatmap(lambda table: mutated(table, VALUES))] * 2)
def test_merging_again_changes_nothing(one: object, two: object) -> None:
    """The merged payload is a payload of the order of the newer one, and merging the same again gives the same."""
    snapshots = sorted([*kept(one)[:1], *kept(two)[:1]], key=lambda snapshot: snapshot.order)
    if len(snapshots) < 2:
        return
    first, second = snapshots
    both = csv.merge(first.payload, second.payload)

    assert json.loads(bytes(both)) == json.loads(bytes(csv.merge(both, second.payload)))
    assert csv.snapshot(both, Given(form_id="f")).order == second.order
