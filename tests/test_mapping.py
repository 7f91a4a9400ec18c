"""What `hub map` takes columns for: a proposal that a person corrects, so it must never claim what it cannot know."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import mapping
from hub.mapping import Proposal
from hub.sources import csv
from hub.sources.bodies import legible

Columns = dict[str, Sequence[str]]


def proposal(columns: Columns, **options: Any) -> Proposal:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return mapping.propose(list(columns), rows, form_id="f", title="F", **options)


def meaning(name: str, *values: str) -> dict[str, object]:
    """What one column of a wide table is taken for."""
    columns = {"Response ID": [str(number) for number in range(len(values))], name: values}
    found: dict[str, object] = msgspec.to_builtins(proposal(columns).layout.columns[name])
    return found


def roles(columns: Columns, **options: Any) -> dict[str, str]:
    return {name: column.as_ for name, column in proposal(columns, **options).layout.columns.items()}


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("How likely are you to recommend us?", ["9", "0", "10"], "nps"),
        ("NPS", ["9", "0", "11"], "rating"),
        ("Would you recommend us (1 to 5)", ["4", "5"], "rating"),
        ("How satisfied are you?", ["4", "5"], "csat"),
        ("How easy was it?", ["4", "5"], "ces"),
        ("Star rating", ["4", "5"], "rating"),
        ("Seats in use", ["4", "500"], "number"),
        ("Score", ["good", "4"], "text"),
        ("Again?", ["yes", "No", "YES"], "boolean"),
        ("Ticked", ["1", "0", "1"], "number"),
        ("Renewal", ["2026-08-01", "2027-01-31"], "date"),
        ("Which one?", ["A", "B", "A", "B"], "categorical"),
        ("Why?", ["It is fast", "It is slow"], "text"),
        ("Why not?", ["", ""], "text"),
        ("Plan", ["pro", "free"], "attribute"),
        ("utm_source", ["x", "y"], "attribute"),
        ("metadata", ["{}", ""], "attributes"),
        ("First name", ["Ada", "Bob"], "ignore"),
        ("Work phone", ["1", "2"], "ignore"),
        ("IP Address", ["1.1.1.1", "1.1.1.2"], "ignore"),
        ("Whom shall we ask?", ["a@b.example", "c@d.example"], "ignore"),
        ("Start Date", ["2026-08-01", "2026-08-02"], "ignore"),
        ("collector_id", ["5", "5"], "ignore"),
    ],
)
def test_column_is_taken_for_what_its_name_and_values_say(name: str, values: list[str], role: str) -> None:
    """A name alone is not believed when the values cannot be that."""
    assert meaning(name, *values)["as"] == role


def test_columns_about_the_response_are_found_once() -> None:
    """The first that fits; another time or id is not a question."""
    assert roles(
        {
            "id": ["1", "2"], "Ticket ID": ["a", "b"], "Completed at": ["2026-08-01", "2026-08-02"], "Created": ["2026-07-01", "2026-07-02"],
            "Last modified": ["2026-08-03", "2026-08-03"], "CustomerID": ["c", "c"], "E-mail": ["a@b.example", ""], "Locale": ["de", "en"],
            "Finished": ["True", "False"], "NPS": ["9", "8"],
        }
    ) == {
        "id": "submission_id", "Ticket ID": "ignore", "Completed at": "collected_at", "Created": "ignore", "Last modified": "updated_at",
        "CustomerID": "user_id", "E-mail": "ignore", "Locale": "language", "Finished": "finished", "NPS": "nps",
    }  # fmt: skip


def test_address_is_a_user_where_there_is_no_better_one() -> None:
    """Of which only a hash is kept."""
    assert (
        roles({"id": ["1", "2"], "Email Address": ["a@b.example", "c@d.example"], "NPS": ["9", "8"]})["Email Address"]
        == "email"
    )


@pytest.mark.parametrize(
    ("values", "date_format"),
    [
        (["2026-08-01", "2026-08-02T10:00:00Z"], None),
        (["13.08.2026", "01.02.2026 10:00"], "d.M.y"),
        (["1.2.2026"], "d.M.y"),
        (["13/08/2026", "01/02/2026"], "d/M/y"),
        (["08/13/2026 3:04 PM", "01/02/2026 9:00 AM"], "M/d/y"),
        (["01/02/2026"], None),
        (["2026/08/13"], "y/M/d"),
        (["13/08/26"], None),
        (["13/14/2026"], None),
    ],
)
def test_date_format_is_known_where_the_values_leave_no_doubt(values: list[str], date_format: str | None) -> None:
    """Never month first by guess."""
    assert mapping.date_format_of(values) == date_format


def test_doubt_about_dates_is_told() -> None:
    """With the value to look at."""
    found = proposal({"id": ["1"], "Date": ["01/02/2026"], "NPS": ["9"]})

    assert any("01/02/2026 may begin with the day or the month" in doubt for doubt in found.doubts)


@pytest.mark.parametrize(
    ("name", "values", "doubt"),
    [
        ("NPS (0-10)", ["9", "elf", "7", "10", "3", "8"], "1 of its 6 answers is no number, such as elf. If it asks for one, make it nps"),
        ("Support (1-5)", ["5", "n/a", "4", "n/a", "3"], "2 of its 5 answers are no numbers, such as n/a. If it asks for one, make it rating with the scale 1 to 5"),
        ("Boards", ["5", "many", "12"], "1 of its 3 answers is no number, such as many. If it asks for one, make it number"),
        ("Would you recommend us?", ["9", "rather not"], None),
        ("Why that score?", ["It is fast", "It is slow"], None),
    ],
)  # fmt: skip
def test_answers_that_make_words_of_numbers_are_told(name: str, values: list[str], doubt: str | None) -> None:
    """With what the name says it is. It stays words until a person decides, unless most of it is words anyway."""
    wide = proposal({"id": [str(number) for number in range(len(values))], name: values})
    long = proposal(
        {"id": values, "question_id": ["q"] * len(values), "question": [name] * len(values), "answer": values}
    )

    assert wide.layout.columns[name].as_ in ("text", "categorical")
    for found, asked in ((wide, name), (long, "q")):
        said = [text for text in found.doubts if text.startswith(f"{asked}: ")]
        assert said == ([f"{asked}: {doubt}; what is none is skipped then."] if doubt else [])


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["A;B", "B;C", "A"], ";"),
        (["A | B", "B | A"], "|"),
        (["A, B", "B, A", "A, B, C"], ","),
        (["Good, but slow", "Fast, and cheap"], None),
        (["A;B", "C"], None),
    ],
)
def test_options_that_come_again_in_other_cells_are_several(values: list[str], separator: str | None) -> None:
    """Commas stand in sentences, too."""
    assert meaning("Which?", *values).get("separator") == separator


def test_scale_is_what_the_words_say_and_never_what_was_given() -> None:
    """Otherwise it is asked for."""
    found = proposal({"id": ["1", "2"], "Satisfied? (1-5)": ["4", "5"], "Satisfied with us?": ["1", "5"]})
    told, unknown = (found.layout.columns[name] for name in ("Satisfied? (1-5)", "Satisfied with us?"))

    assert msgspec.to_builtins(told.scale) == {"min": 1, "max": 5}
    assert unknown.scale is None
    assert any("Satisfied with us?" in doubt and "scale" in doubt for doubt in found.doubts)


def test_written_out_questions_get_short_ids_that_differ() -> None:
    """They are what queries name."""
    start = "How satisfied are you with the many things that we have done "
    found = proposal(
        {"id": ["1", "2"], f"{start}now": ["1", "2"], f"{start}then": ["1", "2"], "nps_2": ["1", "2"]}
    ).layout
    ids = [column.id for name, column in found.columns.items() if name != "id"]

    assert ids == [
        "how_satisfied_are_you_with_the_many_things_that",
        "how_satisfied_are_you_with_the_many_things_that_2",
        None,
    ]


def test_decimal_commas_are_noticed() -> None:
    """A semicolon table of a spreadsheet in Europe."""
    found = proposal({"id": ["1", "2"], "Price": ["9,50", "10"]}).layout

    assert (found.decimal, found.columns["Price"].as_) == (",", "number")


def test_table_without_an_id_is_told_of() -> None:
    """Equal rows would be one response; and an id that comes again is a sign of another layout."""
    bare = proposal({"Rating": ["5", "5"]}).doubts
    again = proposal({"ticket_id": ["1", "1"], "wording": ["x", "y"]}).doubts

    assert any("two rows that are equal are one response" in doubt for doubt in bare)
    assert any("--layout long" in doubt for doubt in again)


LONG: Columns = {
    "response_id": ["1", "1", "2"], "submitted_at": ["2026-08-01"] * 3, "question_id": ["nps", "why", "nps"],
    "question": ["Recommend us?", "Why?", "Recommend us?"], "answer": ["9", "Because", "3"], "weight": ["1", "1", "1"],
}  # fmt: skip


def test_long_table_is_known_by_its_columns() -> None:
    """What its columns do not say of a question is proposed for each."""
    found = proposal(LONG).layout

    assert {name: column.as_ for name, column in found.columns.items()} == {
        "response_id": "submission_id", "submitted_at": "collected_at", "question_id": "field_id", "question": "field_label",
        "answer": "value", "weight": "ignore",
    }  # fmt: skip
    assert {name: question.as_ for name, question in found.questions.items()} == {"nps": "nps", "why": "text"}


def test_types_that_a_long_table_tells_are_left_to_it() -> None:
    """Those that are the hub's words."""
    assert proposal({**LONG, "type": ["nps", "text", "nps"]}).layout.questions == {}
    assert proposal({**LONG, "type": ["opentext", "text", "nps"]}).layout.questions.keys() == {"nps"}


def test_question_of_a_long_table_may_be_written_out() -> None:
    """Where nothing else names it, however many words it has."""
    asked = "What would you change about it? " * 10
    found = proposal({"response_id": ["1"], "question": [asked], "answer": ["All of it."]})

    (name,) = csv.form(legible(msgspec.json.encode(found.layout))).layout.questions
    assert name == asked.strip()


def test_layout_can_be_told() -> None:
    """And what is missing then is said."""
    found = proposal({"a": ["1"], "b": ["2"]}, layout="long")

    assert found.layout.layout == "long"
    assert any("submission_id, field_id and value" in doubt for doubt in found.doubts)


names = st.lists(
    st.text(min_size=1, max_size=12) | st.sampled_from(["id", "NPS", "Date", "question_id", "answer", "type", "name", "plan", "Finished", "weight (1-5)"]),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip
cells = st.text(max_size=6) | st.sampled_from(
    ["1", "10", "yes", "2026-08-01", "01/13/2026", "a;b", "1,5", "a@b.example", "nps"]
)


@given(
    names.flatmap(
        lambda header: st.tuples(
            st.just(header), st.lists(st.lists(cells, min_size=len(header), max_size=len(header)), max_size=5)
        )
    )
)
def test_any_table_is_given_a_mapping(table: tuple[list[str], list[list[str]]]) -> None:
    """One that can be read as it is, or a doubt says what is missing."""
    header, rows = table
    found = mapping.propose(header, [dict(zip(header, row, strict=True)) for row in rows], form_id="f", title="F")
    definition = legible(msgspec.json.encode(found.layout))

    assert found.layout.columns.keys() == set(header)
    if not any("No column looks like a question" in doubt or "A long table needs" in doubt for doubt in found.doubts):
        form = csv.form(definition)
        assert json.loads(bytes(definition))["layout"] == form.layout.layout
