"""Options of a connection: what else may be made of the same answers, in every source."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from hub import sources
from hub.model import NewRecord
from hub.sources import SOURCES
from hub.sources.bodies import legible
from hub.sources.interface import MAX_NAMES, MAX_QUESTIONS, Form, Given, Options, Override, Scale, Skipped
from tests.sources import examples
from tests.sources.examples import metadata, mutated, raw

EXAMPLES = Path(__file__).parent
FORM_ID = "f"


def flatten(
    name: str, payload: object, options: Options, form: object = None
) -> tuple[dict[str, NewRecord], dict[str, str]]:
    source = SOURCES[name]
    (item,) = source.unpack(raw(payload))
    return examples.flattened(source, item, source.form(raw(form)) if form else None, options, FORM_ID)


def formbricks(data: object, options: Options, *elements: object, **members: object) -> tuple[Any, dict[str, str]]:
    response = {"id": "r", "surveyId": FORM_ID, "finished": True, "data": data, **members}
    survey = {
        "id": FORM_ID,
        "questions": list(elements),
        "hiddenFields": {"fieldIds": ["plan", "token"]},
        "variables": [{"id": "v1", "name": "score"}, {"id": "v2", "name": "segment"}],
    }
    return flatten("formbricks", response, options, survey)


def typeform(*answers: object, options: Options, **members: object) -> tuple[Any, dict[str, str]]:
    response = {"token": "r", "landed_at": "2026-07-14T09:00:00Z", "submitted_at": "2026-07-14T09:05:00Z"}
    return flatten("typeform", {**response, "answers": list(answers), **members}, options)


def satismeter(*answers: object, options: Options, **members: object) -> tuple[Any, dict[str, str]]:
    response = {"id": "r", "campaign": FORM_ID, "created": "2026-07-14T09:00:00Z", "completed": True}
    return flatten("satismeter", {**response, "answers": list(answers), **members}, options)


def of(kind: str, field_id: str = "q", **said: object) -> object:
    return {"field": {"id": field_id, "type": kind}, "type": next(iter(said)), **said}


def scored(**override: object) -> Options:
    return msgspec.convert({"questions": {"q": override}}, Options)


# Personal data and consent


def test_personal_data_is_taken_where_it_is_wanted() -> None:
    """As options, not as texts, and marked: nothing reads them for topics, and whoever exports can leave them out."""
    wanted = Options(personal_data=True)
    of_formbricks, _ = formbricks(
        {"who": ["Ada", "", "a@b.example"], "mail": "a@b.example", "file": ["https://f.example/1"], "verifiedEmail": "v@b.example"},
        wanted,
        {"id": "who", "type": "contactInfo"}, {"id": "mail", "type": "openText", "inputType": "email"}, {"id": "file", "type": "fileUpload"},
    )  # fmt: skip
    of_typeform, _ = typeform(
        of("email", "mail", email="a@b.example"),
        of("file_upload", "file", file_url="https://f.example/1"),
        options=wanted,
    )

    assert {name: record.value_text for name, record in of_formbricks.items()} == {
        "who": "Ada\na@b.example", "mail": "a@b.example", "file": "https://f.example/1", "verifiedEmail": "v@b.example",
    }  # fmt: skip
    assert {name: record.value_text for name, record in of_typeform.items()} == {
        "mail": "a@b.example",
        "file": "https://f.example/1",
    }
    for record in (*of_formbricks.values(), *of_typeform.values()):
        assert (record.field_type, metadata(record)["pii"]) == ("categorical", True)


def test_questions_of_a_contact_group_are_marked_too() -> None:
    """They look like any other text, and stay in their group."""
    child = {"id": "first", "type": "short_text", "title": "First name"}
    group = {"id": "contact", "type": "contact_info", "title": "You", "properties": {"fields": [child]}}
    records, _ = flatten(
        "typeform",
        {"token": "r", "submitted_at": "2026-07-14T09:05:00Z", "answers": [of("short_text", "first", text="Ada")]},
        Options(personal_data=True),
        {"id": FORM_ID, "title": "Pulse", "fields": [group]},
    )

    assert records["first"].field_group_id == "contact"
    assert (records["first"].field_type, metadata(records["first"])["pii"]) == ("categorical", True)


@pytest.mark.parametrize(
    ("value", "reason"), [("accepted", None), (True, None), ("dismissed", "empty"), (["x"], "unparseable")]
)
def test_consent_is_a_boolean_where_it_is_wanted(value: object, reason: str | None) -> None:
    """Formbricks says `accepted`; what says nothing is no consent."""
    records, skips = formbricks({"q": value}, Options(consent=True), {"id": "q", "type": "consent"})

    assert [record.value_boolean for record in records.values()] == ([] if reason else [True])
    assert skips == ({"q": reason} if reason else {})


def test_refused_consent_is_one_too() -> None:
    """Typeform tells both; payments are no consent, and stay out."""
    records, skips = typeform(
        of("legal", boolean=False), of("payment", "pay", payment={"amount": "5"}), options=Options(consent=True)
    )

    assert records["q"].value_boolean is False
    assert skips == {"pay": "not_feedback"}


# Hidden fields and variables


def test_hidden_fields_and_variables_become_records() -> None:
    """Those that are named, each under a name of its own; the others stay silent."""
    wanted = Options(hidden_fields=("plan", "missing", "undeclared"), variables=("score", "v2", "missing"))
    of_formbricks, skips = formbricks(
        {"plan": "pro", "token": "t0p", "undeclared": "x"}, wanted, variables={"v1": 9, "v2": "fan"}
    )
    of_typeform, _ = typeform(
        options=wanted,
        hidden={"plan": "pro", "token": "t0p"},
        variables=[{"key": "score", "type": "number", "number": 9}, {"key": "v2", "type": "text", "text": "fan"}],
        calculated={"score": 5},
    )

    assert skips == {}
    assert {name: (record.field_type, record.value_text, record.value_number) for name, record in of_formbricks.items()} == {
        "hidden__plan": ("categorical", "pro", None), "hidden__undeclared": ("categorical", "x", None),
        "variable__score": ("number", None, 9), "variable__v2": ("text", "fan", None),
    }  # fmt: skip
    of_formbricks.pop("hidden__undeclared")
    assert of_typeform.keys() == of_formbricks.keys()
    assert [metadata(record)["question_type"] for record in of_typeform.values()] == ["hidden", "variable", "variable"]


def test_calculated_score_is_a_variable() -> None:
    """Where no variable has its name."""
    records, _ = typeform(options=Options(variables=("score",)), calculated={"score": 5})

    assert records["variable__score"].value_number == 5


@pytest.mark.parametrize(("value", "reason"), [("", "empty"), ([], "empty"), (["x"], "unparseable"), ({"a": 1}, "unparseable")])  # fmt: skip
def test_odd_hidden_fields_are_accounted_for(value: object, reason: str) -> None:
    """What is neither a text nor a number is a skip, as for any answer."""
    _, skips = formbricks({"plan": value}, Options(hidden_fields=("plan",)))

    assert skips == {"hidden__plan": reason}


# Completed only


@pytest.mark.parametrize(("finished", "kept"), [(True, {"q"}), (False, set())])
def test_partial_responses_wait_where_only_completed_ones_are_wanted(finished: bool, kept: set[str]) -> None:
    """Their answers are named as skipped; the submission itself is kept by whoever stores it."""
    options, nps = Options(completed_only=True), {"id": "q", "type": "nps"}
    records, skips = formbricks({"q": 9}, options, nps, finished=finished)

    assert records.keys() == kept
    assert skips == ({} if finished else {"q": "not_feedback"})


# Overrides


@pytest.mark.parametrize("kind", ["nps", "csat", "ces", "rating", "number"])
def test_question_is_the_score_that_it_is_said_to_be(kind: str) -> None:
    """In every source, whatever the tool calls it."""
    options = scored(field_type=kind)
    found = [
        formbricks({"q": 4}, options, {"id": "q", "type": "rating", "range": 5}),
        formbricks({"q": "4"}, options, {"id": "q", "type": "openText"}),
        typeform(of("opinion_scale", number=4), options=options),
        satismeter({"id": "q", "value": 4, "type": "scale"}, options=options),
    ]

    assert [(records["q"].field_type, records["q"].value_number, records["q"].value_text) for records, _ in found] == [
        (kind, 4, None)
    ] * 4


@pytest.mark.parametrize(
    ("element", "override", "scale"),
    [
        ({"type": "rating", "range": 5}, {"field_type": "csat"}, {"min": 1, "max": 5}),
        ({"type": "rating", "range": 5}, {"field_type": "nps"}, {"min": 0, "max": 10}),
        ({"type": "rating"}, {"scale": {"min": 1, "max": 7}}, {"min": 1, "max": 7}),
        ({"type": "rating"}, {"field_type": "ces"}, None),
    ],
)
def test_scale_is_the_configured_one_or_the_one_told(element: dict[str, object], override: Any, scale: object) -> None:
    """NPS has one scale; another question keeps what is known of it."""
    records, _ = formbricks({"q": 4}, scored(**override), {"id": "q", **element})

    assert metadata(records["q"]).get("scale") == scale


@pytest.mark.parametrize(
    ("value", "element", "override", "reason"),
    [
        (8, {"type": "rating"}, {"scale": {"min": 1, "max": 7}}, "out_of_range"),
        ("nine", {"type": "openText"}, {"field_type": "nps"}, "unparseable"),
        ("clicked", {"type": "cta"}, {"field_type": "nps"}, "unparseable"),
        (11, {"type": "rating"}, {"field_type": "nps"}, "out_of_range"),
    ],
)
def test_answers_that_cannot_be_the_score_are_skipped(
    value: object, element: dict[str, object], override: Any, reason: str
) -> None:
    """Never a record without a value, nor one outside its scale."""
    assert formbricks({"q": value}, scored(**override), {"id": "q", **element}) == ({}, {"q": reason})


def test_configured_scale_leaves_words_alone() -> None:
    """A scale says nothing of a question that is answered in words."""
    records, _ = formbricks({"q": "5"}, scored(scale={"min": 1, "max": 7}), {"id": "q", "type": "openText"})

    assert (records["q"].field_type, records["q"].value_text) == ("text", "5")


def test_what_is_configured_is_not_inferred() -> None:
    """A scale that Typeform's title makes an NPS question of is a rating when its owner says so."""
    title = {"id": "q", "type": "opinion_scale", "title": "Would you recommend us?", "properties": {"steps": 11}}
    payload = {"token": "r", "submitted_at": "2026-07-14T09:05:00Z", "answers": [of("opinion_scale", number=9)]}
    form = {"id": FORM_ID, "title": "Pulse", "fields": [title]}
    guessed, _ = flatten("typeform", payload, Options(), form)
    told, _ = flatten("typeform", payload, scored(field_type="rating"), form)

    assert (guessed["q"].field_type, metadata(guessed["q"])["inferred"]) == ("nps", ["field_type"])
    assert (told["q"].field_type, "inferred" in metadata(told["q"])) == ("rating", False)


# As they are kept


@pytest.mark.parametrize(
    "options",
    [
        {"atributes": ["plan"]},
        {"attributes": [""]},
        {"attributes": ["x"] * 51},
        {"questions": {"q": {"field_type": "text"}}},
        {"questions": {"q": {"scale": {"min": 5, "max": 5}}}},
        {"questions": {"q": {"scale": {"min": 1, "max": 5, "step": 1}}}},
        {"personal_data": "yes"},
    ],
)
def test_options_that_nobody_can_mean_are_refused(options: object) -> None:
    """A typo would otherwise be an option that was never heard of again."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Options)


def test_options_are_kept_as_they_were_said() -> None:
    """What is not said is not kept either, so that a later default may differ."""
    options = Options(hidden_fields=("plan",), questions={"q": Override(scale=Scale(1, 7))})

    assert msgspec.json.encode(Options()) == b"{}"
    assert msgspec.json.decode(msgspec.json.encode(options), type=Options) == options


# Properties


def payloads() -> Iterator[tuple[str, object, Form | None, str | None]]:
    """Every example that becomes something, with its form."""
    for path in sorted(EXAMPLES.glob("*/*.expected.json")):
        case, source = json.loads(path.read_text()), SOURCES[path.parent.name]
        form = case["form"] and source.form(legible((path.parent / case["form"]).read_bytes()))
        for item in source.unpack(legible((path.parent / case["payload"]).read_bytes())):
            yield path.parent.name, json.loads(bytes(item)), form or None, case.get("form_id")


PAYLOADS = list(payloads())
VALUES = examples.json_values(["accepted", "plan", "a@b.example"], ["value", "number", "email", "hidden", "variables"])
NAMES = st.lists(st.sampled_from(["plan", "score", "account_id", "q"]), unique=True).map(tuple)


def fields(result: tuple[list[NewRecord], list[Skipped]]) -> set[str]:
    records, skips = result
    return {record.field_id for record in records} | {skip.field_id for skip in skips}


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_options_never_lose_an_answer(data: st.DataObject) -> None:
    """Whatever is wanted of whatever payload: no exception, no field twice, the same again, and nothing is silent for it."""
    name, original, form, form_id = data.draw(st.sampled_from(PAYLOADS))
    source = SOURCES[name]
    result = examples.attempt(source, data.draw(mutated(original, VALUES)), form, Options(), form_id)
    if result is None:
        return
    snapshot, plain_records, plain_skips = result
    questions = st.sampled_from([*sorted(fields((plain_records, plain_skips))), "q"])
    override = st.builds(Override, field_type=st.sampled_from([None, "nps", "csat"]), scale=st.sampled_from([None, Scale(1, 5)]))  # fmt: skip
    options = data.draw(
        st.builds(
            Options, hidden_fields=NAMES, variables=NAMES, attributes=NAMES, personal_data=st.booleans(), consent=st.booleans(),
            completed_only=st.booleans(), questions=st.dictionaries(questions, override, max_size=3),
        )
    )  # fmt: skip
    records, skips = sources.flatten(source, snapshot, form, options, "acme")
    kept = source.snapshot(
        legible(msgspec.json.encode(examples.shuffled(msgspec.json.decode(snapshot.payload)))),
        Given(form_id=snapshot.form_id, submission_id=snapshot.submission_id),
    )

    assert len(records) == len({record.field_id for record in records})
    assert sources.flatten(source, kept, form, options, "acme") == (records, skips)
    assert options.completed_only is False or snapshot.status == "completed" or records == []
    named = {*options.hidden_fields, *options.attributes}
    lost = fields((plain_records, plain_skips)) - fields((records, skips))
    assert {field.split("__")[0] for field in lost} <= named


def test_nothing_of_a_person_is_wanted_unasked() -> None:
    """Without options no record says that it is personal."""
    for name, payload, form, form_id in PAYLOADS:
        result = examples.attempt(SOURCES[name], payload, form, Options(), form_id)
        assert result is not None
        assert not any("pii" in metadata(record) for record in result[1] if record.metadata != Raw())


# Documentation


def test_documentation_has_every_option() -> None:
    """The page lists the options of the code with their defaults, no more and no fewer; its example can be meant."""
    page = (EXAMPLES.parents[1] / "docs" / "sources" / "options.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", page, re.MULTILINE))
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    defaults = json.loads(msgspec.json.encode(msgspec.structs.asdict(Options())))
    assert {name: json.loads(default) for name, default in rows.items()} == defaults
    assert msgspec.json.decode(example, type=Options) != Options()
    assert f"At most {MAX_NAMES} names in a list, and {MAX_QUESTIONS} questions. " in page
