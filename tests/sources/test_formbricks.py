"""Formbricks: the shapes of its payloads, and what becomes of each kind of answer."""

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
from hub.sources import formbricks
from hub.sources.bodies import legible
from hub.sources.interface import Given, NotOfSourceError, Options, Reason, Skipped, Snapshot, UnreadableError
from tests.sources import examples
from tests.sources.examples import Records, Skips, flattened, metadata, mutated, raw

SAMPLES = Path(__file__).parent / "formbricks"
SURVEY = "01_v1_survey_get_blocks_plus_derived_questions.json"
ALL_TYPES = "12_webhook_responseFinished_all_types.json"


def sample(name: str) -> Raw:
    return legible((SAMPLES / name).read_bytes())


def response(data: object = None, **members: object) -> Raw:
    basics = {"id": "r1", "surveyId": "sv", "createdAt": "2026-08-20T09:00:00Z", "updatedAt": "2026-08-20T09:01:00Z"}
    return raw({**basics, "finished": True, "data": data or {}, **members})


def survey(*elements: Mapping[str, object], **members: object) -> formbricks.Survey:
    return formbricks.form(raw({"id": "sv", "name": "Pulse", "blocks": [{"elements": list(elements)}], **members}))


def flatten(payload: Raw, form: formbricks.Survey | None = None, *attributes: str) -> tuple[Records, Skips]:
    return flattened(formbricks, payload, form, Options(attributes=attributes))


def answer(value: object, **element: object) -> tuple[Records, Skips]:
    return flatten(response({"q": value}), survey({"id": "q", "headline": {"default": "Question?"}, **element}))


def choices(*labels: str | dict[str, str]) -> list[dict[str, object]]:
    return [
        {"id": f"c{index}", "label": label if isinstance(label, dict) else {"default": label}}
        for index, label in enumerate(labels)
    ]


WITH_OTHER: list[dict[str, object]] = [*choices("Alpha", "Beta"), {"id": "other", "label": {"default": "Other"}}]
NO_RECORDS: Records = {}


# Shapes


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("04_v1_responses_list.json", 4),
        ("05_v1_response_get_single.json", 1),
        ("06_v1_response_post_result.json", 1),
        ("07_v2_responses_list.json", 4),
        ("08_v2_response_get_single.json", 1),
        ("12_webhook_responseFinished_all_types.json", 1),
        ("19_webhook_testEndpoint.json", 0),
        ("40_documented_v1_create_body.json", 1),
        ("41_documented_v1_create_result.json", 1),
    ],
)
def test_every_shape_is_unpacked(name: str, count: int) -> None:
    """Lists, envelopes, deliveries, bare bodies and the test ping: each gives its responses."""
    assert count == len(formbricks.unpack(sample(name)))


def test_bare_responses_and_lists_are_unpacked() -> None:
    """A response needs no envelope."""
    one = response({"q": 1})

    assert [one] == formbricks.unpack(one)
    assert [one, one] == formbricks.unpack(Raw(b"[" + bytes(one) + b"," + bytes(one) + b"]"))


@pytest.mark.parametrize("event", ["responseArchived", "testEndpoint"])
def test_events_without_a_response_are_acknowledged(event: str) -> None:
    """An event of a later version is no failure: the vendor would send it again and again."""
    assert formbricks.unpack(raw({"webhookId": "w", "event": event, "data": {"id": "x"}})) == []


@pytest.mark.parametrize(
    "payload",
    [
        5, "text", None, {}, {"foo": 1}, {"data": None}, {"data": "x"}, {"data": {"foo": 1}},
        {"event": "completed", "response": {"id": "x"}}, {"form_response": {"answers": []}}, {"items": []},
    ],
)  # fmt: skip
def test_other_payloads_are_not_of_this_source(payload: object) -> None:
    """What is no Formbricks payload is told apart from one that has a fault."""
    with pytest.raises(NotOfSourceError):
        formbricks.unpack(raw(payload))


@pytest.mark.parametrize(
    "item", [5, {}, {"surveyId": " "}, {"surveyId": 5}, {"surveyId": "s", "data": "x"}, {"surveyId": "s", "data": []}, {"surveyId": "s", "id": 7}]
)  # fmt: skip
def test_unreadable_submissions_are_told_apart(item: object) -> None:
    """A submission that cannot be identified is refused alone."""
    with pytest.raises(UnreadableError):
        formbricks.snapshot(raw(item), Given())


def test_same_response_from_every_channel() -> None:
    """v1, v2 and a webhook tell of the same response: same ids, values, labels and user."""
    form = formbricks.form(sample(SURVEY))
    seen = []
    for name in ("05_v1_response_get_single.json", "08_v2_response_get_single.json", ALL_TYPES):
        records, skips = flatten(formbricks.unpack(sample(name))[0], form)
        seen.append(([msgspec.structs.replace(record, metadata=Raw()) for record in records.values()], skips))

    assert seen[0] == seen[1] == seen[2]


def test_ids_are_those_of_the_importer() -> None:
    """Ids, types and values are Formbricks' own, its joined pictures, its kept address and its raw recall excepted."""
    records, _ = flatten(formbricks.unpack(sample(ALL_TYPES))[0], formbricks.form(sample(SURVEY)))
    reference = {
        record["field_id"]: record
        for record in json.loads((SAMPLES / "27_reference_feedback_records_from_12.json").read_text())
    }
    added = {
        "call_booking",
        "demo_cta",
        "layout_pick__oe1wnrtw00j4k9ez05qsb6gi",
        "layout_pick__bz2smt99kgqwi5h4n3sfbbow",
    }

    assert records.keys() - reference.keys() == added
    assert reference.keys() - records.keys() == {"work_email", "layout_pick"}
    for field_id in records.keys() & reference.keys() - {"seats", "blocker"}:
        ours = json.loads(msgspec.json.encode(records[field_id]))
        theirs = reference[field_id]
        compared = theirs.keys() - {"tenant_id", "collected_at", "value_date", "metadata"}
        assert {name: theirs[name] for name in compared} == {name: ours.get(name) for name in compared}


def test_definitions_of_both_apis_say_the_same() -> None:
    """The v3 API keys labels by language instead of `default`; the questions are the same ones."""
    v1, v3 = (formbricks.form(sample(name)) for name in (SURVEY, "03_v3_survey_get_language_keyed_labels.json"))

    assert [(element.id, element.label) for element in v1.elements] == [
        (element.id, element.label) for element in v3.elements
    ]
    assert v1.fields == v3.fields == 20


@pytest.mark.parametrize("definition", [5, {}, {"data": {}}, {"id": "x"}, [], {"campaign": 1}])
def test_other_definitions_are_refused(definition: object) -> None:
    """A definition has blocks or questions."""
    with pytest.raises(NotOfSourceError):
        formbricks.form(raw(definition))


# Ids, order, merging


def test_ids_of_bodies_without_one() -> None:
    """The id given with the request, else a hash of what identifies the body, whatever its spelling."""
    body = {"surveyId": "sv", "data": {"a": 1, "b": [2]}, "createdAt": "2026-01-01T00:00:00Z"}
    spelled = {
        "createdAt": "2026-01-01T00:00:00Z",
        "singleUseId": None,
        "data": {"b": [2], "a": 1},
        "surveyId": "sv",
        "finished": True,
    }

    def identified(item: object, submission_id: str | None = None) -> str:
        return formbricks.snapshot(raw(item), Given(submission_id=submission_id)).submission_id

    assert identified(body) == identified(spelled)
    assert identified(body) != identified({**body, "data": {}})
    assert identified(body).startswith("sha256:")
    assert identified(body, "mine") == "mine"
    assert identified({**body, "id": "theirs"}, "mine") == "theirs"


def test_form_id_of_the_request_counts_only_where_there_is_none() -> None:
    """A `surveyId` in the payload wins; without one the given id is kept in the payload, for flattening again."""
    given_form = Given(form_id="given")
    kept = formbricks.snapshot(raw({"id": "r"}), given_form)

    assert formbricks.snapshot(raw({"id": "r", "surveyId": "own"}), given_form).form_id == "own"
    assert kept.form_id == formbricks.snapshot(kept.payload, Given()).form_id == "given"


def test_order_of_snapshots() -> None:
    """`updatedAt` first, then `finished`; a body with `createdAt` alone was last updated then."""
    snapshots = [
        response(updatedAt="2026-08-20T09:01:00Z", finished=False),
        response(updatedAt="2026-08-20T11:01:00+02:00", finished=True),
        response(updatedAt="2026-08-20T09:01:00.001Z", finished=False),
        response(updatedAt=None, createdAt="2026-08-21T00:00:00Z", finished=False),
    ]
    orders = [formbricks.snapshot(item, Given()).order for item in snapshots]

    assert orders == sorted(orders)
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize(
    ("data", "finished", "status"),
    [({}, False, "started"), ({"q": 1}, False, "partial"), ({}, True, "completed"), ({"q": 1}, True, "completed")],
)
def test_status(data: object, finished: bool, status: str) -> None:
    """A finished survey without an answer is a completed submission."""
    assert status == formbricks.snapshot(response(data, finished=finished), Given()).status


def test_duration_is_summed_without_the_total() -> None:
    """`_total` counts itself when a response is finished twice."""
    snapshot = formbricks.snapshot(response(ttc={"a": 1500, "b": 500, "_total": 9e9, "odd": "x", "c": -5}), Given())

    assert snapshot.duration_seconds == 2.0
    assert formbricks.snapshot(response(), Given()).duration_seconds is None


def test_user_is_the_id_given_by_the_owner_of_the_survey() -> None:
    """From whichever member has it; never the id of Formbricks' contact."""
    shapes: list[dict[str, object]] = [
        {"contact": {"id": "c", "userId": "u"}},
        {"contact": {"id": "c"}, "contactAttributes": {"userId": "u"}},
        {"person": {"id": "p", "userId": "u"}},
        {"personAttributes": {"userId": "u"}},
        {"userId": "u"},
    ]

    assert {formbricks.snapshot(response(**shape), Given()).user_id for shape in shapes} == {"u"}
    assert formbricks.snapshot(response(contact={"id": "c"}, contactId="c"), Given()).user_id is None


def merged(stored: Raw, new: Raw) -> Raw:
    return formbricks.merge(stored, new)


def test_one_channel_does_not_clear_what_only_another_carries() -> None:
    """Tags, user and title survive a channel that does not know them; a member that is there and empty clears."""
    v1 = response(
        {"q": 1},
        tags=[{"name": "vip"}],
        contact={"id": "c", "userId": "u"},
        meta={"url": "https://x/?t=1", "country": "DE"},
    )
    v2 = response({"q": 2}, contactId="c", meta={"url": "https://x/?t=1"})
    webhook = formbricks.unpack(
        raw({"event": "responseUpdated", "webhookId": "w", "data": {**json.loads(bytes(v2)), "tags": []}})
    )[0]

    for other in (v2, webhook):
        records, _ = flatten(merged(v1, other))
        record = records["q"]
        assert (record.value_number, record.user_id) == (2, "u")
        assert metadata(record)["tags"] == ["vip"]
        assert metadata(record)["country"] == "DE"
    cleared, _ = flatten(merged(v1, response({"q": 2}, tags=[])))
    assert "tags" not in metadata(cleared["q"])


def test_answers_are_never_merged() -> None:
    """An answer that is gone from the newer payload is gone."""
    records, _ = flatten(merged(response({"a": 1, "b": 2}), response({"b": 3})))

    assert records.keys() == {"b"}


def test_later_creation_time_does_not_replace_an_earlier_one_at_equal_order() -> None:
    """Channels that disagree on when a response began do not move it forward."""
    early, late = (response({"q": 1}, createdAt=f"2026-08-20T08:0{minute}:00Z") for minute in (1, 2))

    for stored, new in ((early, late), (late, early)):
        records, _ = flatten(merged(stored, new))
        assert records["q"].collected_at == datetime(2026, 8, 20, 8, 1, tzinfo=UTC)


# Answers


@pytest.mark.parametrize(
    ("kind", "element", "value", "columns"),
    [
        ("openText", {}, "hello", {"field_type": "text", "value_text": "hello"}),
        ("openText", {"inputType": "number"}, "1e3", {"field_type": "number", "value_number": 1000.0}),
        ("openText", {"inputType": "number"}, "about 5", {"field_type": "text", "value_text": "about 5"}),
        ("openText", {"inputType": "number"}, "nan", {"field_type": "text", "value_text": "nan"}),
        ("nps", {}, 0, {"field_type": "nps", "value_number": 0.0}),
        ("nps", {}, 7.5, {"field_type": "nps", "value_number": 7.5}),
        ("rating", {"range": 7, "scale": "star"}, 7, {"field_type": "rating", "value_number": 7.0}),
        ("csat", {"range": 5}, "4", {"field_type": "csat", "value_number": 4.0}),
        ("ces", {"range": 7}, 6, {"field_type": "ces", "value_number": 6.0}),
        ("cta", {}, "clicked", {"field_type": "boolean", "value_boolean": True}),
        ("cal", {}, "booked", {"field_type": "boolean", "value_boolean": True}),
        ("date", {"format": "M-d-y"}, "2026-10-01", {"field_type": "date", "value_date": datetime(2026, 10, 1, tzinfo=UTC)}),
        ("date", {}, "2026-10-01T23:30:00-05:00", {"field_type": "date", "value_date": datetime(2026, 10, 1, tzinfo=UTC)}),
        ("multipleChoiceSingle", {"choices": WITH_OTHER}, "Beta", {"value_text": "Beta", "value_id": "c1"}),
        ("multipleChoiceSingle", {"choices": WITH_OTHER}, "Gamma", {"value_text": "Gamma", "value_id": "other"}),
        ("multipleChoiceSingle", {"choices": choices("A")}, "Gone", {"value_text": "Gone", "value_id": None}),
    ],
)  # fmt: skip
def test_answers_with_one_record(
    kind: str, element: dict[str, object], value: object, columns: dict[str, object]
) -> None:
    """Each of these questions makes one record under its own id."""
    records, skips = answer(value, type=kind, **element)

    assert (set(records), skips) == ({"q"}, {})
    assert columns == {name: getattr(records["q"], name) for name in columns}
    assert metadata(records["q"])["question_type"] == kind


@pytest.mark.parametrize("kind", sorted(formbricks.READERS))
@pytest.mark.parametrize("value", ["", "  ", [], {}, ["", ""], {"row": ""}])
def test_blank_answers_are_empty(kind: str, value: object) -> None:
    """An answer that is there and says nothing is skipped as empty, whatever was asked."""
    assert answer(value, type=kind, choices=choices("A")) == (NO_RECORDS, {"q": "empty"})


@pytest.mark.parametrize("kind", sorted(formbricks.READERS))
def test_null_is_silent(kind: str) -> None:
    """A null is the same as no answer."""
    assert answer(None, type=kind) == (NO_RECORDS, {})


@pytest.mark.parametrize(
    ("kind", "element", "value", "reason"),
    [
        ("openText", {"inputType": "email"}, "a@b.example", "personal_data"),
        ("openText", {"inputType": "phone"}, "+33 1", "personal_data"),
        ("openText", {"inputType": "url"}, "https://x.example", "personal_data"),
        ("contactInfo", {}, ["Mara", "", "", "", ""], "personal_data"),
        ("address", {}, ["12 Rue", "", "", "", "", ""], "personal_data"),
        ("fileUpload", {}, ["/storage/x"], "personal_data"),
        ("consent", {}, "accepted", "not_feedback"),
        ("nps", {}, 11, "out_of_range"),
        ("nps", {}, -1, "out_of_range"),
        ("rating", {"range": 5}, 0, "out_of_range"),
        ("nps", {}, True, "unparseable"),
        ("nps", {}, "nine", "unparseable"),
        ("nps", {}, [9], "unparseable"),
        ("openText", {}, {"a": "b"}, "unparseable"),
        ("openText", {"inputType": "number"}, "1e16", "out_of_range"),
        ("cta", {}, "hovered", "unparseable"),
        ("cta", {}, "dismissed", "empty"),
        ("fileUpload", {}, ["skipped"], "empty"),
        ("nps", {}, "skipped", "empty"),
        ("date", {}, "31-12-2026", "unparseable"),
        ("date", {"format": "M-d-y"}, "31-12-2026", "unparseable"),
        ("date", {}, "1950-05-01", "out_of_range"),
        ("date", {}, 5, "unparseable"),
        ("matrix", {}, "Great", "unparseable"),
        ("matrix", {}, ["Great"], "unparseable"),
        ("multipleChoiceSingle", {"choices": choices("A", "B")}, ["A", "B"], "unparseable"),
        ("multipleChoiceMulti", {}, {"A": "B"}, "unparseable"),
        ("hologram", {}, "x", "unsupported_type"),
    ],
)  # fmt: skip
def test_answers_that_become_no_record(kind: str, element: dict[str, object], value: object, reason: str) -> None:
    """Never a record without a value, never a guess: a skip says why."""
    assert answer(value, type=kind, **element) == (NO_RECORDS, {"q": reason})


def test_odd_values_are_coerced_and_marked() -> None:
    """A list on an open question is joined by newlines; the record says that it was not what was asked."""
    records, _ = answer(["Hello", "World"], type="openText")

    assert records["q"].value_text == "Hello\nWorld"
    assert metadata(records["q"])["coerced"] is True


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"type": "nps"}, {"scale": {"min": 0, "max": 10}}),
        ({"type": "rating", "range": 3, "scale": "smiley"}, {"scale": {"min": 1, "max": 3}, "display": "smiley"}),
        ({"type": "ces", "range": 5, "scale": "number"}, {"scale": {"min": 1, "max": 5}, "display": "number"}),
        ({"type": "rating"}, {}),
    ],
)
def test_scores_carry_their_scale(element: dict[str, object], expected: dict[str, object]) -> None:
    """Scores of different scales can be told apart; an unknown scale is not made up."""
    records, _ = answer(2, **element)

    assert expected == {name: value for name, value in metadata(records["q"]).items() if name in ("scale", "display")}


def test_without_definition_answers_are_taken_by_shape() -> None:
    """Number, text, options and rows are recognized; words that may be codes wait for the definition."""
    records, skips = flatten(
        response({"n": 5, "t": "hi", "o": ["A", "B"], "m": {"Row": "Col"}, "c": "clicked", "e": ""})
    )

    assert skips == {"c": "needs_definition", "e": "empty"}
    assert [
        (record.field_type, record.field_group_id, record.field_label, record.value_text, record.value_number)
        for record in records.values()
    ] == [
        ("categorical", "m", "Row", "Col", None),
        ("number", None, "n", None, 5),
        ("categorical", "o", "o", "A", None),
        ("categorical", "o", "o", "B", None),
        ("text", None, "t", "hi", None),
    ]
    assert all(metadata(record)["definition_missing"] for record in records.values())


def test_hidden_fields_are_no_answers() -> None:
    """A hidden field is silent unless it is asked for by name; a verified address never becomes a record."""
    form = survey({"id": "q", "type": "nps"}, hiddenFields={"enabled": True, "fieldIds": ["plan", "token"]})
    payload = response(
        {"q": 9, "plan": "pro", "token": "t0p", "verifiedEmail": "a@b.example"},
        contactAttributes={"email": "a@b.example", "seats": 5},
    )

    plain, skips = flatten(payload, form)
    asked, _ = flatten(payload, form, "plan", "seats", "missing")

    assert (set(plain), skips) == ({"q"}, {"verifiedEmail": "personal_data"})
    assert "attributes" not in metadata(plain["q"])
    assert metadata(asked["q"])["attributes"] == {"plan": "pro", "seats": 5}


def test_answer_to_a_question_that_left_the_survey_is_kept_by_shape() -> None:
    """Surveys are not versioned: an answer whose question is gone is still an answer."""
    records, _ = flatten(response({"gone": "words"}), survey({"id": "q", "type": "nps"}))

    assert metadata(records["gone"])["definition_missing"] is True


def test_labels_are_as_people_see_them() -> None:
    """Markup, entities and recall tokens are resolved; without a headline the id stands."""
    headline = {"default": "<p class='x'>As #recall:role/fallback:anbspuser#,</p><p>what&nbsp;&amp; <b>why</b>?</p>"}
    records, _ = flatten(
        response({"q": "x", "bare": "y"}),
        survey({"id": "q", "type": "openText", "headline": headline}, {"id": "bare", "type": "openText"}),
    )

    assert records["q"].field_label == "As a user, what & why?"
    assert records["bare"].field_label == "bare"


def test_choices_are_found_in_the_right_order() -> None:
    """Id, then the response's language, the default, any language, then all again by look."""
    options = choices(
        {"default": "Gift", "de-DE": "Geschenk"},
        {"default": "Poison", "de-DE": "Gift"},
        {"default": "<b>Café &amp; bar</b> "},
    )
    form = survey({"id": "q", "type": "multipleChoiceSingle", "choices": options})

    def found(value: str, language: str | None) -> str | None:
        records, _ = flatten(response({"q": value}, language=language), form)
        return records["q"].value_id

    assert found("c1", None) == "c1"
    assert found("Gift", "en-US") == "c0"
    assert found("Gift", "de") == "c1"
    assert found("Geschenk", None) == "c0"
    assert found("  cafe\u0301 & BAR", None) == "c2"


def test_ranking_keeps_the_rank_of_what_it_does_not_know() -> None:
    """An item that left the survey is ranked under its own label, and the others keep their place."""
    records, _ = answer(["Beta", "Gone", "Alpha"], type="ranking", choices=choices("Alpha", "Beta", "Gamma"))

    assert {record.field_label: record.value_number for record in records.values()} == {
        "Beta": 1,
        "Gone": 2,
        "Alpha": 3,
    }
    assert {"q__c0", "q__c1"} < records.keys()
    assert {metadata(record)["total_items"] for record in records.values()} == {3}


def test_matrix_rows_and_columns_that_are_not_known() -> None:
    """An unknown column keeps its text without an id; an unknown row gets an id of its own."""
    records, skips = answer(
        {"Speed": "Superb", "Gone": "Good", "Price": ""},
        type="matrix",
        rows=choices("Speed", "Price"),
        columns=choices("Good"),
    )

    assert (records["q__c0"].value_text, records["q__c0"].value_id) == ("Superb", None)
    assert [record.field_label for record in records.values() if record.value_id == "c0"] == ["Gone"]
    assert skips == {"q__c1": "empty"}


def test_legacy_rows_have_the_same_id_in_every_language() -> None:
    """Rows without ids are known by their default label."""
    rows = [{"default": "Price", "id": "Harga", "de": "Preis"}]
    ids = {next(iter(answer({label: "Good"}, type="matrix", rows=rows)[0])) for label in ("Price", "Harga", "Preis")}

    assert len(ids) == 1


# Defects of the importer


def test_two_written_options_are_two_records() -> None:
    """Defect 1: the second unmatched entry does not overwrite the first."""
    records, _ = answer(["Alpha", "one", "two"], type="multipleChoiceMulti", choices=WITH_OTHER)
    written = {field_id: record.value_text for field_id, record in records.items() if record.value_id == "other"}

    assert list(written.values()) == ["one", "two"]
    assert next(iter(written)) == "q__other"
    assert all(field_id.startswith("q__other") for field_id in written)


@pytest.mark.parametrize("marker", ["other", "", "Other"])
def test_marker_of_other_is_not_its_text(marker: str) -> None:
    """Defect 2: what older versions put before the text is no option of its own; alone it is empty."""
    records, skips = answer(["Alpha", marker, "mine"], type="multipleChoiceMulti", choices=WITH_OTHER)
    _, alone = answer([marker], type="multipleChoiceMulti", choices=WITH_OTHER)

    assert (
        {key: record.value_text for key, record in records.items()},
        skips,
    ) == ({"q__c0": "Alpha", "q__other": "mine"}, {})
    assert alone == {"q__other": "empty"}


def test_submitted_ids_are_options() -> None:
    """Defect 3: the API accepts ids of options as answers."""
    records, _ = answer(["c1"], type="multipleChoiceMulti", choices=WITH_OTHER)

    assert {key: record.value_text for key, record in records.items()} == {"q__c1": "Beta"}


@pytest.mark.parametrize("language", [None, "default", "fr-FR", "en-US"])
def test_answers_in_another_language_than_the_response(language: str | None) -> None:
    """Defect 4: the language of a response is overwritten on the way; its earlier answers still match."""
    label = {"default": "Speed", "de-DE": "Tempo"}
    form = survey(
        {"id": "one", "type": "multipleChoiceSingle", "choices": choices(label)},
        {"id": "grid", "type": "matrix", "rows": choices(label), "columns": choices(label)},
        {"id": "rank", "type": "ranking", "choices": choices(label)},
    )
    records, _ = flatten(
        response({"one": "Tempo", "grid": {"Tempo": "Tempo"}, "rank": ["Tempo"]}, language=language), form
    )

    assert records.keys() == {"one", "grid__c0", "rank__c0"}
    assert (records["one"].value_text, records["grid__c0"].value_text, records["rank__c0"].field_label) == (
        "Speed",
        "Speed",
        "Speed",
    )


def test_markup_and_blanks_do_not_hide_an_option() -> None:
    """Defect 5: the stored label is compared as it stands, and as it looks."""
    options = choices("<p>Fast </p>", " Slow ")
    for value, option in (("<p>Fast </p>", "c0"), ("Fast", "c0"), (" Slow ", "c1"), ("slow", "c1")):
        records, _ = answer(value, type="multipleChoiceSingle", choices=options)
        assert option == records["q"].value_id


def test_blank_translations_fall_back_to_the_default() -> None:
    """Defect 6: the renderer shows the default label where a translation is blank."""
    form = survey({"id": "q", "type": "ranking", "choices": choices({"default": "Speed", "de-DE": " "})})
    records, _ = flatten(response({"q": ["Speed"]}, language="de-DE"), form)

    assert records.keys() == {"q__c0"}


@pytest.mark.parametrize(
    ("kind", "value"), [("pictureSelection", []), ("nps", "skipped"), ("date", "soon"), ("rating", ""), ("ces", "?")]
)
def test_no_record_without_a_value(kind: str, value: object) -> None:
    """Defect 7: what cannot be read is a skip, not an empty record."""
    records, skips = answer(value, type=kind, range=5)

    assert records == {}
    assert len(skips) == 1


@pytest.mark.parametrize(
    ("text", "date_format", "day"), [("01-10-2026", "d-M-y", (10, 1)), ("01-10-2026", "M-d-y", (1, 10)), ("2026/1/5", "y-M-d", (1, 5)), ("31.12.2026", "d-M-y", (12, 31))]
)  # fmt: skip
def test_dates_are_read_in_the_format_of_the_question(text: str, date_format: str, day: tuple[int, int]) -> None:
    """Defect 8: month first only where the question says so."""
    records, _ = answer(text, type="date", format=date_format)

    assert records["q"].value_date == datetime(2026, *day, tzinfo=UTC)


def test_recall_is_resolved_in_labels() -> None:
    """Defect 9: no label shows a recall token."""
    records, _ = flatten(formbricks.unpack(sample(ALL_TYPES))[0], formbricks.form(sample(SURVEY)))

    assert records["blocker"].field_label == "As a user, what slows you down?"


def test_single_text_on_a_multiple_choice_is_a_list_of_one() -> None:
    """Defect 10: the id of an option does not depend on how it was sent."""
    one, _ = answer("Alpha", type="multipleChoiceMulti", choices=WITH_OTHER)
    many, _ = answer(["Alpha"], type="multipleChoiceMulti", choices=WITH_OTHER)

    assert one.keys() == many.keys() == {"q__c0"}
    assert one["q__c0"].field_group_id == "q"


def test_long_texts_do_not_become_ids() -> None:
    """Defect 11: an option nobody knows is named by a hash; a long language is shortened."""
    form = survey({"id": "q", "type": "multipleChoiceMulti", "choices": choices("A")})
    records, _ = flatten(response({"q": ["x" * 400, "y" * 400]}, language="ca-ES-valencia"), form)

    assert len(records) == 2
    assert all(len(field_id) < 50 and record.language == "ca-ES" for field_id, record in records.items())


def test_ranges_are_kept() -> None:
    """Defect 12: a 3 of 5 and a 3 of 10 can be told apart."""
    scales = {metadata(answer(3, type="rating", range=highest)[0]["q"])["scale"]["max"] for highest in (5, 10)}  # type: ignore[index]

    assert scales == {5, 10}


# Documentation


def test_documentation_has_every_element_and_every_reason() -> None:
    """The mapping table lists the element types of the code, no more and no fewer; so do the reasons for a skip."""
    page = (Path(__file__).parents[2] / "docs" / "sources" / "formbricks.md").read_text()
    elements, reasons = (
        re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) for section in page.split("\n## What is not taken", 1)
    )

    assert elements == list(formbricks.READERS)
    assert set(reasons) == set(get_args(Reason)) - {"erased", "retention"}


# Properties

VALUES = examples.json_values(["other", "Alpha"], ["default"])
SAMPLE_RESPONSE = json.loads((SAMPLES / ALL_TYPES).read_text())["data"]
SAMPLE_SURVEY = json.loads((SAMPLES / SURVEY).read_text())["data"]
FORM = formbricks.form(sample(SURVEY))


def attempt(document: object, form: formbricks.Survey | None) -> tuple[Snapshot, list[NewRecord], list[Skipped]] | None:
    return examples.attempt(formbricks, document, form, Options(attributes=("plan",)))


@settings(deadline=None)
@given(mutated(SAMPLE_RESPONSE, VALUES), st.sampled_from([FORM, None]))
def test_any_response_flattens_to_unique_fields(document: object, form: formbricks.Survey | None) -> None:
    """Whatever stands in a response: no exception, no field twice, and the same again from the kept payload."""
    examples.check_flattening(attempt, document, form)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([element.id for element in FORM.elements]), VALUES),
    st.sampled_from([FORM, None]),
)
def test_every_answer_is_accounted_for(data: dict[str, object], form: formbricks.Survey | None) -> None:
    """An answer that is not null has a record or a skip under its own id or one of its parts."""
    result = attempt({"id": "r", "surveyId": "sv", "data": data}, form)
    assert result is not None
    _, records, skips = result
    seen = {record.field_group_id or record.field_id for record in records} | {
        skip.field_id.split("__")[0] for skip in skips
    }
    said = {field_id for field_id, value in data.items() if value is not None}

    assert said == {field_id.split("__")[0] for field_id in seen}


@settings(deadline=None)
@given(mutated(SAMPLE_SURVEY, VALUES), st.sampled_from([SAMPLE_RESPONSE]))
def test_any_definition_is_read_or_refused(document: object, answers: object) -> None:
    """Whatever stands in a definition: it is refused as one, or flattens every response."""
    examples.check_definition(formbricks, attempt, document, answers)


@settings(deadline=None)
@given(mutated(SAMPLE_RESPONSE, VALUES), mutated(SAMPLE_RESPONSE, VALUES))
def test_merging_again_changes_nothing(one: object, two: object) -> None:
    """The merged payload is a payload like any other, and merging the same again gives the same."""
    examples.check_merging(formbricks, attempt, one, two)
