"""SatisMeter: the shapes of its payloads, and what becomes of each kind of answer."""

import hashlib
import json
import re
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from hub import sources
from hub.model import NewRecord
from hub.sources import satismeter
from hub.sources.bodies import legible
from hub.sources.interface import Given, NotOfSourceError, Options, Reason, Skipped, Snapshot, UnreadableError
from hub.sources.values import as_number, digest
from tests.sources import examples
from tests.sources.examples import Records, Skips, flattened, metadata, mutated, raw, shuffled

SAMPLES = Path(__file__).parent / "satismeter"
CATALOG = "26_v3_campaign_statistics_with_name_and_type.json"
ALL_TYPES = "10_webhook_completed_all_question_types.json"
EXPORTED = "22_export_v3_same_as_10.json"
LEGACY = "12_webhook_legacy_shape_no_types.json"

NPS_ID = "13d794a3-f030-11ef-93fd-5b21fc43b6ed"
COMMENT_ID = "6a29cfbe-c7b6-11ef-b714-1b5c5f65f111"
SCORE = {"id": NPS_ID, "label": "Recommend?", "name": "SM_rating", "type": "scale", "metric": "nps", "value": 9}
COMMENT = {"id": COMMENT_ID, "label": "Why?", "name": "SM_comment", "type": "long-text", "value": "Fast"}

Json = dict[str, object]


def sample(name: str) -> Raw:
    return legible((SAMPLES / name).read_bytes())


def document(name: str) -> Json:
    found: Json = json.loads((SAMPLES / name).read_text())
    return found


def response(*answers: object, **members: object) -> Raw:
    basics = {"id": "r1", "created": "2026-07-15T08:00:00.000Z", "project": "p", "campaign": "c"}
    return raw({**basics, "answers": list(answers), **members})


def insert(*answers: object, **members: object) -> Raw:
    return raw({"writeKey": "K", "campaign": "c", "answers": list(answers), "userId": "u", **members})


def campaign(*questions: Json, **members: object) -> satismeter.Campaign:
    return satismeter.form(raw({"data": {"questions": list(questions)}, **members}))


def flatten(payload: Raw, form: satismeter.Campaign | None = None, *attributes: str) -> tuple[Records, Skips]:
    return flattened(satismeter, payload, form, Options(attributes=attributes))


def answer(value: object, **question: object) -> tuple[Records, Skips]:
    return flatten(response({"id": "q", "label": "Question?", "value": value, **question}))


def delivered(inner: Raw | Json, **around: object) -> Raw:
    """What a webhook delivery of the response is unpacked to."""
    inside = json.loads(bytes(inner)) if isinstance(inner, Raw) else inner
    (item,) = satismeter.unpack(raw({"response": inside, "event": "completed", **around}))
    return item


def identified(payload: Raw, submission_id: str | None = None, fresh_id: str | None = None) -> str:
    return satismeter.snapshot(payload, Given(submission_id=submission_id, fresh_id=fresh_id)).submission_id


# Shapes


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("01_insert_nps_in_app.json", 1),
        ("02_insert_minimal_no_method_no_traits.json", 1),
        ("06_documented_insert_body.json", 1),
        (ALL_TYPES, 1),
        (LEGACY, 1),
        ("20_export_v3_responses_page1.json", 2),
        ("21_export_v3_responses_last_page_deleted_user.json", 2),
    ],
)
def test_every_shape_is_unpacked(name: str, count: int) -> None:
    """Insert bodies, deliveries, old and new, and pages."""
    assert count == len(satismeter.unpack(sample(name)))


def test_lists_and_exports_of_older_versions_are_unpacked() -> None:
    """A response needs no envelope; the older export has one of its own; an empty page is a page."""
    one = response(SCORE)

    assert [one] == satismeter.unpack(one)
    assert [one, one] == satismeter.unpack(raw([json.loads(bytes(one))] * 2))
    assert [one] == satismeter.unpack(raw({"responses": [json.loads(bytes(one))]}))
    assert [one] == satismeter.unpack(raw({"data": json.loads(bytes(one))}))
    assert satismeter.unpack(raw({"data": [], "page": {"hasNextPage": False, "nextPageCursor": None}})) == []


@pytest.mark.parametrize(
    "payload",
    [
        5, "text", None, {}, {"foo": 1}, {"data": None}, {"data": {"surveyId": "s", "data": {}}},
        {"event_id": "e", "form_response": {"answers": []}}, {"items": []}, {"surveyId": "s", "data": {}},
        {"error": "Duplicate response"},
    ],
)  # fmt: skip
def test_other_payloads_are_not_of_this_source(payload: object) -> None:
    """What is no SatisMeter payload, its own error among them, is told apart from one that has a fault."""
    with pytest.raises(NotOfSourceError):
        satismeter.unpack(raw(payload))


@pytest.mark.parametrize(
    "item",
    [
        5, {}, {"id": "r", "surveyId": "s", "data": {}}, {"id": "c", "name": "NPS Survey", "type": "nps", "state": "running"},
        {"id": 5, "campaign": "c", "answers": []}, {"id": "r", "campaign": 5}, {"id": "r", "campaign": "c", "answers": "x"},
        {"answers": [], "userId": "u"}, {"campaign": "c", "answers": [SCORE]}, {"campaign": "c", "answers": [], "userId": " "},
    ],
)  # fmt: skip
def test_unreadable_submissions_are_told_apart(item: object) -> None:
    """What cannot be identified is refused alone: an insert body needs its campaign and a person."""
    with pytest.raises(UnreadableError):
        satismeter.snapshot(raw(item), Given())


@pytest.mark.parametrize(
    "definition", [5, {}, [], {"data": {}}, {"data": {"id": "c", "name": "NPS"}}, {"data": {"questions": [{"id": "q", "headline": {}}]}}]
)  # fmt: skip
def test_other_definitions_are_refused(definition: object) -> None:
    """A catalog has questions with labels; a campaign alone and another tool's survey have none."""
    with pytest.raises(NotOfSourceError):
        satismeter.form(raw(definition))


def test_catalog_may_carry_name_and_type_of_the_campaign() -> None:
    """Statistics do not name their campaign: whoever sends them may add it. Metrics are where either version has them."""
    bare, named = (
        satismeter.form(sample(name)) for name in ("24_v3_campaign_statistics_question_catalog.json", CATALOG)
    )
    flat = campaign({"id": "q", "label": "Easy?", "type": "scale", "metric": "ces"})

    assert (bare.form_id, bare.name, bare.type, bare.fields) == (None, None, None, 4)
    assert (named.form_id, named.name, named.type, named.fields) == (None, "NPS Survey", "nps", 4)
    assert named.questions[NPS_ID].kind == "nps"
    assert flat.questions["q"].kind == "ces"
    assert satismeter.form(raw({"questions": []})).fields == 0


def test_the_key_of_the_project_and_addresses_are_not_kept() -> None:
    """A kept payload has neither the credential of an insert body nor an IP address."""
    for item in (insert(SCORE), response(SCORE, ip="198.51.100.7")):
        kept = json.loads(bytes(satismeter.snapshot(item, Given()).payload))
        assert not {"writeKey", "ip"} & kept.keys()


# Ids, order, people


def test_ids_of_bodies_without_one() -> None:
    """The id given with the request, else a hash of what identifies the body, whatever its spelling and order."""
    one, two = {"id": "a", "value": 1}, {"value": [2], "id": "b"}
    same = insert(two, {"value": 1, "id": "a"}, anonymousId=None, traits={"plan": "pro"}, rating=None)

    assert identified(insert(one, two)) == identified(same)
    assert identified(insert(one), submission_id="mine") == "mine"
    assert identified(response(one), submission_id="mine") == "r1"
    assert len({identified(item) for item in (
        insert(one), insert(two), insert(one, userId="v"), insert(one, userId=None, anonymousId="u"), insert(one, rating=1),
        insert(one, feedback="x"), insert(one, method="Email"), insert(one, campaign="d"),
    )}) == 8  # fmt: skip


def test_id_hash_is_over_canonical_json() -> None:
    """Anybody can compute it: sorted members, no blanks, answers sorted by question."""
    answers = [{"id": "b", "value": "x"}, {"id": "a", "value": 1}]
    text = '{"answers":[{"id":"a","value":1},{"id":"b","value":"x"}],"campaign":"c","method":"Email","userId":"u"}'

    assert identified(insert(*answers, method="Email")) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_force_survey_asks_for_a_new_submission() -> None:
    """Each time, unless the request names it: then a retry is known."""
    forced = insert(SCORE, forceSurvey=True)

    assert identified(forced, fresh_id="new") == "new"
    assert identified(forced, fresh_id="new", submission_id="mine") == "mine"
    assert identified(insert(SCORE, forceSurvey=False), fresh_id="new").startswith("sha256:")
    assert identified(response(SCORE, forceSurvey=True), fresh_id="new") == "r1"


def test_campaign_of_the_request_counts_only_where_there_is_none() -> None:
    """An older delivery names no campaign; the given one is kept in the payload, for flattening again."""
    bare = response(SCORE, campaign=None)
    kept = satismeter.snapshot(bare, Given(form_id="given"))

    assert satismeter.snapshot(response(SCORE), Given(form_id="given")).form_id == "c"
    assert kept.form_id == satismeter.snapshot(kept.payload, Given()).form_id == "given"
    assert satismeter.snapshot(bare, Given()).form_id is None


def test_delivery_brings_what_stands_around_the_response() -> None:
    """Campaign, its name, traits and event; a name of another campaign is not taken for this one's."""
    around = {"campaign": {"id": "c", "name": "NPS Survey"}, "traits": {"plan": "pro"}}
    records, _ = flatten(delivered(response(SCORE, campaign=None), **around), None, "plan")
    other, _ = flatten(delivered(response(SCORE), campaign={"id": "other", "name": "Other"}))

    assert (records[NPS_ID].source_id, records[NPS_ID].source_name) == ("c", "NPS Survey")
    assert metadata(records[NPS_ID])["attributes"] == {"plan": "pro"}
    assert metadata(records[NPS_ID])["event"] == "completed"
    assert (other[NPS_ID].source_id, other[NPS_ID].source_name) == ("c", None)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"dismissed": True, "answers": [SCORE]}, "dismissed"),
        ({"event": "dismissed", "rating": 5}, "dismissed"),
        ({"dismissed": True, "completed": True}, "dismissed"),
        ({"dismissed": False}, "completed"),
        ({"event": "completed"}, "completed"),
        ({"completed": True}, "completed"),
        ({"pending": True, "answers": [SCORE]}, "partial"),
        ({"completed": False, "answers": [SCORE]}, "partial"),
        ({"answers": [SCORE]}, "completed"),
        ({"rating": 5}, "completed"),
        ({"answers": [{"id": "q", "value": None}]}, "dismissed"),
        ({}, "dismissed"),
    ],
)
def test_status(members: Json, status: str) -> None:
    """As the response says; exports may not say it, then whoever answered nothing closed the survey."""
    assert status == satismeter.snapshot(response(**members), Given()).status


def test_order_of_snapshots() -> None:
    """Dismissed before completed, then by `created`."""
    snapshots = [
        response(dismissed=True, created="2026-07-16T00:00:00Z"),
        response(SCORE, created=None),
        response(SCORE, created="2026-07-15T08:00:00.001Z"),
        response(SCORE, created="2026-07-15T10:00:00.002+02:00"),
    ]
    orders = [satismeter.snapshot(item, Given()).order for item in snapshots]

    assert orders == sorted(set(orders))


def test_times_of_a_submission() -> None:
    """SatisMeter tells one time; insert bodies tell none, and take that of receipt."""
    done, closed = (satismeter.snapshot(response(dismissed=flag), Given()) for flag in (False, True))
    records, _ = flatten(insert(SCORE))

    assert done.started_at == done.completed_at == datetime(2026, 7, 15, 8, tzinfo=UTC)
    assert closed.completed_at is None
    assert records[NPS_ID].collected_at is None


@pytest.mark.parametrize(
    ("members", "user_id"),
    [
        ({"user": {"id": "i", "userId": "u"}}, "u"),
        ({"userId": "u", "anonymousId": "a"}, "u"),
        ({"userId": 7}, "7"),
        ({"anonymousId": "a"}, "anon:a"),
        ({"user": {"id": "i", "userId": None}}, "anon:i"),
        ({"user": {"id": "i", "userId": "u", "deleted": True}}, None),
        ({}, None),
    ],
)
def test_user(members: Json, user_id: str | None) -> None:
    """The owner's id of the person; SatisMeter's own is marked; a deleted person has none."""
    assert user_id == satismeter.snapshot(response(**members), Given()).user_id


def test_nothing_of_a_deleted_person_is_told() -> None:
    """Anonymised at the vendor, anonymous here: no id, no traits, no groups, even where the payload still has them."""
    user = {"id": "i", "userId": "u", "deleted": True, "traits": {"plan": "pro"}, "groups": {"company": "x"}}
    records, _ = flatten(response(SCORE, user=user, traits={"plan": "pro"}), None, "plan")

    assert records[NPS_ID].user_id is None
    assert not {"attributes", "groups"} & metadata(records[NPS_ID]).keys()


def test_traits_by_allow_list() -> None:
    """Names and addresses are among them: nothing is copied unasked, nothing but what is asked for."""
    payload = sample("01_insert_nps_in_app.json")
    plain, _ = flatten(payload)
    asked, _ = flatten(payload, None, "plan", "missing")

    assert "attributes" not in metadata(plain[NPS_ID])
    assert metadata(asked[NPS_ID])["attributes"] == {"plan": "Business"}
    for name in (ALL_TYPES, LEGACY, "01_insert_nps_in_app.json"):
        (item,) = satismeter.unpack(sample(name))
        assert not re.search("@|Kovac|Homer|198.51", msgspec.json.encode(flatten(item)[0]).decode())


# Answers


@pytest.mark.parametrize(
    ("question", "value", "columns"),
    [
        ({"type": "scale", "metric": "nps"}, 0, {"field_type": "nps", "value_number": 0.0}),
        ({"type": "scale", "metric": "nps"}, 7.5, {"field_type": "nps", "value_number": 7.5}),
        ({"name": "SM_rating"}, 10, {"field_type": "nps", "value_number": 10.0}),
        ({"type": "smiley", "metric": "csat"}, 4, {"field_type": "csat", "value_number": 4.0}),
        ({"type": "scale", "metric": "csat"}, "4", {"field_type": "csat", "value_number": 4.0}),
        ({"type": "scale", "metric": "ces"}, 6, {"field_type": "ces", "value_number": 6.0}),
        ({"type": "scale"}, 3, {"field_type": "rating", "value_number": 3.0}),
        ({"type": "smiley"}, 2, {"field_type": "rating", "value_number": 2.0}),
        ({"type": "long-text"}, " Fast\n", {"field_type": "text", "value_text": "Fast"}),
        ({"type": "short-text"}, ["a", "b"], {"field_type": "text", "value_text": "a\nb"}),
        ({"name": "SM_comment"}, "5", {"field_type": "text", "value_text": "5"}),
        ({"type": "single-choice"}, "Web", {"field_type": "categorical", "value_text": "Web", "value_id": None}),
        ({"type": "single-choice"}, ["Web"], {"field_type": "categorical", "value_text": "Web"}),
        ({"type": "radio"}, "Web", {"field_type": "categorical", "value_text": "Web"}),
        ({}, 4, {"field_type": "rating", "value_number": 4.0}),
        ({}, "4", {"field_type": "text", "value_text": "4"}),
        ({}, True, {"field_type": "boolean", "value_boolean": True}),
        ({"type": "hologram"}, 4, {"field_type": "rating", "value_number": 4.0}),
    ],
)
def test_answers_with_one_record(question: Json, value: object, columns: Json) -> None:
    """Metric before name before type; without any of them, the shape of the value."""
    records, skips = answer(value, **question)

    assert (set(records), skips) == ({"q"}, {})
    assert columns == {name: getattr(records["q"], name) for name in columns}
    assert records["q"].field_label == "Question?"


@pytest.mark.parametrize("question", [{"type": "multiple-choice"}, {"type": "single-choice"}, {}])
def test_lists_are_one_record_per_entry(question: Json) -> None:
    """Options have no ids: a hash of the label keeps the record of one apart from the others'."""
    records, skips = answer(["Web", "iOS", "Web"], **question)

    assert {key: record.value_text for key, record in records.items()} == {
        f"q__{digest(text)}": text for text in ("Web", "iOS")
    }
    assert {(record.field_group_id, record.value_id) for record in records.values()} == {("q", None)}
    assert skips == {}


@pytest.mark.parametrize(
    ("question", "value", "reason"),
    [
        ({"metric": "nps"}, 11, "out_of_range"),
        ({"metric": "nps"}, -1, "out_of_range"),
        ({"metric": "nps"}, "nine", "unparseable"),
        ({"metric": "csat"}, True, "unparseable"),
        ({"type": "scale"}, [3], "unparseable"),
        ({"type": "long-text"}, {"a": 1}, "unparseable"),
        ({"type": "multiple-choice"}, {"a": "b"}, "unparseable"),
        ({"type": "scale"}, 1e16, "out_of_range"),
        ({}, "skipped", "needs_definition"),
        ({}, " ", "empty"),
    ],
)
def test_answers_that_become_no_record(question: Json, value: object, reason: str) -> None:
    """Never a record without a value, never a guess: a skip says why."""
    assert answer(value, **question) == ({}, {"q": reason})


@pytest.mark.parametrize("kind", list(satismeter.READERS))
def test_blank_is_empty_and_null_is_silent(kind: str) -> None:
    """An answer that is there and says nothing is named; one that is not there is not."""
    blanks: list[object] = ["", " ", [], {}, [""]]
    for value in blanks:
        assert answer(value, type=kind) == ({}, {"q": "empty"})
    assert answer(None, type=kind) == ({}, {})
    assert flatten(response({"id": "q", "type": kind})) == ({}, {})


def test_answer_without_id_is_named_by_its_place() -> None:
    """It cannot be addressed, and is not lost silently; SatisMeter's own names stand in for an id."""
    records, skips = flatten(response({"value": 5}, 7, None, {}, {"name": "SM_rating", "value": 9}))

    assert skips == {"answers[0]": "unparseable", "answers[1]": "unparseable"}
    assert records.keys() == {"SM_rating"}


def test_only_nps_has_a_scale() -> None:
    """Values that were seen are no bounds: a rating of 3 may be one of 5 or of 7."""
    records, _ = flatten(satismeter.unpack(sample(ALL_TYPES))[0], satismeter.form(sample(CATALOG)))
    scales = {record.field_type: metadata(record).get("scale") for record in records.values()}

    assert scales == {
        "nps": {"min": 0, "max": 10},
        "text": None,
        "ces": None,
        "csat": None,
        "rating": None,
        "categorical": None,
    }
    assert {metadata(record).get("display") for record in records.values() if record.field_type == "csat"} == {"smiley"}


# The score and the comment, told twice


def test_all_types_are_eight_records() -> None:
    """Score and comment stand beside the answers as well: they are stored once."""
    records, skips = flatten(satismeter.unpack(sample(ALL_TYPES))[0])

    assert [record.field_type for record in records.values()] == [
        "nps", "text", "ces", "csat", "rating", "categorical", "categorical", "categorical",
    ]  # fmt: skip
    assert skips == {}


def test_rating_and_feedback_alone_are_records_of_their_own() -> None:
    """Older versions tell them outside the answers only. A comment that stands among the answers in any guise is none."""
    records, skips = flatten(response(rating=9, feedback=" Fast "))
    known, _ = flatten(response({"id": "q", "label": "Comments?", "value": "Fast"}, rating=9, feedback=" Fast "))

    assert {key: (record.field_type, record.value_number, record.value_text) for key, record in records.items()} == {
        "SM_rating": ("nps", 9, None), "SM_comment": ("text", None, "Fast"),
    }  # fmt: skip
    assert skips == {}
    assert known.keys() == {"q", "SM_rating"}
    assert metadata(records["SM_rating"])["scale"] == {"min": 0, "max": 10}


def test_rating_that_is_not_the_score_is_named() -> None:
    """The answer counts, and the other number does not disappear."""
    records, skips = flatten(response(SCORE, rating=3))

    assert records[NPS_ID].value_number == 9
    assert skips == {"SM_rating": "unparseable"}


@pytest.mark.parametrize("value", [None, "nine", 9])
def test_rating_stands_in_for_an_answer_without_a_number(value: object) -> None:
    """Whatever became of the answer, the score is there once."""
    records, _ = flatten(response({**SCORE, "value": value}, rating=9))

    assert [record.value_number for record in records.values()] == [9]


def test_score_and_category_are_no_records() -> None:
    """They follow from the rating; the category is told with each record."""
    records, _ = flatten(response(SCORE, score=100, category="promoter"))

    assert records.keys() == {NPS_ID}
    assert metadata(records[NPS_ID])["category"] == "promoter"


def test_dismissed_response_keeps_the_score_already_given() -> None:
    """Whoever closes the survey after the first question has answered it."""
    item = delivered(response(SCORE), event="dismissed")

    assert satismeter.snapshot(item, Given()).status == "dismissed"
    assert flatten(item)[0].keys() == {NPS_ID}


# Definitions


def test_catalog_says_what_a_bare_answer_is() -> None:
    """Insert bodies have no types and no labels; a question that the catalog does not list is taken by shape."""
    payload = insert({"id": NPS_ID, "value": 9}, {"id": "new", "value": "words"}, method="In-App")
    records, _ = flatten(payload, satismeter.form(sample(CATALOG)))
    bare, _ = flatten(payload)

    assert (records[NPS_ID].field_type, bare[NPS_ID].field_type) == ("nps", "rating")
    assert records[NPS_ID].field_label == "How likely are you to recommend Acme Boards to your friends and colleagues?"
    assert bare[NPS_ID].field_label == NPS_ID
    assert metadata(bare[NPS_ID])["definition_missing"] is metadata(records["new"])["definition_missing"] is True
    assert "definition_missing" not in metadata(records[NPS_ID])
    assert records[NPS_ID].source_name == "NPS Survey"


def test_answer_speaks_for_itself() -> None:
    """Labels are localized and questions retyped: what an answer tells counts before what the catalog lists."""
    listed = campaign({"id": "q", "label": "Why?", "type": "scale", "metric": "nps"})
    german, _ = flatten(response({"id": "q", "label": "Warum?", "type": "long-text", "value": "Darum"}), listed)
    partly, _ = flatten(response({"id": "q", "label": "Warum?", "type": "scale", "value": 5}), listed)

    assert (german["q"].field_label, german["q"].field_type) == ("Warum?", "text")
    assert (partly["q"].field_label, partly["q"].field_type) == ("Warum?", "nps")


def test_first_number_in_an_nps_campaign_is_the_score() -> None:
    """Only where nothing else is, and only from 0 to 10."""
    unlisted = campaign(type="NPS")
    answers = [{"id": "t", "value": "5"}, {"id": "x", "value": 50}, {"id": "a", "value": 5}, {"id": "b", "value": 6}]

    def types(payload: Raw, form: satismeter.Campaign) -> dict[str, str]:
        return {key: record.field_type for key, record in flatten(payload, form)[0].items()}

    assert types(insert(*answers), unlisted) == {"t": "text", "x": "rating", "a": "nps", "b": "rating"}
    assert types(insert(*answers, rating=9), unlisted)["a"] == "rating"
    assert types(insert(*answers, SCORE), unlisted)["a"] == "rating"
    assert types(insert(*answers), campaign(type="csat"))["a"] == "rating"


# Metadata


def test_places_and_methods_are_spelled_alike() -> None:
    """Webhooks and exports write the same place and method their own ways; a query of a page's address is not kept."""
    flat = {"country": "DE", "countryName": "Germany", "region": "BE", "regionName": "Berlin", "city": "Berlin"}
    nested = {
        "country": {"code": "DE", "name": "Germany"},
        "region": {"code": "BE", "name": "Berlin"},
        "city": "Berlin",
    }
    told = [
        metadata(
            flatten(response(SCORE, location=place, method=method, referrer="https://a.example/b?token=1#c"))[0][NPS_ID]
        )
        for place, method in ((flat, "In-app"), (nested, "In-App"))
    ]

    assert told[0] == told[1]
    assert told[0]["location"] == {"country_code": "DE", "country": "Germany", "region": "Berlin", "city": "Berlin"}
    assert (told[0]["method"], told[0]["referrer"]) == ("In-App", "https://a.example/b")


# Channels


def columns(records: Records) -> Json:
    return {key: msgspec.structs.replace(record, metadata=Raw()) for key, record in records.items()}


@pytest.mark.parametrize("catalog", [None, CATALOG])
def test_webhook_and_export_agree(catalog: str | None) -> None:
    """The same response from both: same ids, values, labels and groups; metadata differ in what one does not tell."""
    form = satismeter.form(sample(catalog)) if catalog else None
    webhook, _ = flatten(satismeter.unpack(sample(ALL_TYPES))[0], form)
    export, _ = flatten(satismeter.unpack(sample(EXPORTED))[0], form)
    named = {key: msgspec.structs.replace(record, source_name=None) for key, record in webhook.items()}

    assert columns(export) == columns(webhook if catalog else named)
    for key, record in export.items():
        assert metadata(record).items() <= metadata(webhook[key]).items()


def history(*snapshots: Raw) -> tuple[Records, str]:
    """What is stored when the snapshots come one after the other, as the hub takes them."""
    stored = satismeter.snapshot(snapshots[0], Given())
    for payload in snapshots[1:]:
        arrived = satismeter.snapshot(payload, Given())
        if arrived.order >= stored.order:
            merged = satismeter.merge(stored.payload, arrived.payload)
            stored = satismeter.snapshot(merged, Given(submission_id="r1"))
    return flatten(stored.payload, None, "plan")[0], stored.status


HISTORY = [name for moment in json.loads((SAMPLES / "history.json").read_text())["snapshots"] for name in moment]


@settings(deadline=None)
@given(st.permutations(HISTORY * 2))
def test_any_order_of_snapshots_converges(order: list[str]) -> None:
    """Redelivered, late, by every channel: the same rows in the end."""
    webhook = history(*satismeter.unpack(sample(ALL_TYPES)))

    assert webhook[1] == "completed"
    assert history(*(item for name in order for item in satismeter.unpack(sample(name)))) == webhook


def test_what_only_one_channel_tells_stays() -> None:
    """Types, names and the event survive an older delivery that has none; ids of the score too."""
    export = response(SCORE, COMMENT, language="en", device={"os": "macOS", "type": "desktop"})
    older = delivered({"id": "r1", "created": "2026-07-15T08:00:00.000Z", "project": "p", "completed": True,
                       "rating": 9, "feedback": "Fast", "answers": [], "category": "promoter"})  # fmt: skip

    for order in permutations((export, older)):
        records, status = history(*order)
        assert status == "completed"
        assert records.keys() == {NPS_ID, COMMENT_ID}
        assert records[NPS_ID].source_id == "c"
        assert (
            metadata(records[NPS_ID]).items() >= {"category": "promoter", "os": "macOS", "event": "completed"}.items()
        )


def test_answers_are_never_merged() -> None:
    """An answer that is gone is gone; what a superseded snapshot said besides its answers, too."""
    before = response({"id": "a", "type": "scale", "value": 1}, dismissed=True, rating=3, feedback="old")
    records, _ = history(before, response({"id": "b", "type": "scale", "value": 2}))

    assert records.keys() == {"b"}


def test_deleted_stays_deleted() -> None:
    """A late delivery does not bring a person back, and a page that tells of the deletion takes everything personal."""
    user = {"id": "i", "userId": "u", "name": "Mira", "email": "m@x.example", "traits": {"plan": "pro"}}
    webhook = delivered(response(SCORE, user=user), traits={"plan": "pro"})
    deleted = response(SCORE, user={"id": "i", "userId": None, "deleted": True})

    for order in permutations((webhook, deleted)):
        records, _ = history(*order)
        one, two = (satismeter.snapshot(item, Given()).payload for item in order)
        kept = bytes(satismeter.merge(one, two)).decode()
        assert records[NPS_ID].user_id is None
        assert "attributes" not in metadata(records[NPS_ID])
        assert not re.search('Mira|x.example|pro"|userId', kept)


# Documentation


def test_documentation_has_every_kind_and_every_reason() -> None:
    """The mapping table lists the kinds of the code, no more and no fewer, in their order; so do the reasons for a skip."""
    page = (Path(__file__).parents[2] / "docs" / "sources" / "satismeter.md").read_text()
    kinds, reasons = (
        re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE) for section in page.split("\n## What is not taken", 1)
    )

    assert kinds == list(satismeter.READERS)
    assert set(reasons) <= set(get_args(Reason))
    assert set(reasons) == {"empty", "needs_definition", "out_of_range", "unparseable", "too_long"}


def test_documentation_has_every_member_of_the_metadata() -> None:
    """What a record carries beside its columns is listed."""
    page = (Path(__file__).parents[2] / "docs" / "sources" / "satismeter.md").read_text()
    inherited = {"finished", "ending_id", "country", "url", "tags", "total_items", "pii"}

    assert {name for name in satismeter.Told.__struct_fields__ if f"`{name}`" not in page} <= inherited


# Properties

VALUES = examples.json_values(
    [
        "nps",
        "csat",
        "scale",
        "long-text",
        "single-choice",
        "multiple-choice",
        "SM_rating",
        "SM_comment",
        "dismissed",
        "9",
    ],
    ["value", "type", "metric", "name", "answers", "deleted"],
)
WEBHOOK = document(ALL_TYPES)
SHAPES = [WEBHOOK, document(LEGACY), document("01_insert_nps_in_app.json"), document(EXPORTED)]
FORM = satismeter.form(sample(CATALOG))


def attempt(item: object, form: satismeter.Campaign | None) -> tuple[Snapshot, list[NewRecord], list[Skipped]] | None:
    return examples.attempt(satismeter, item, form, Options(attributes=("plan",)))


def anything() -> st.SearchStrategy[object]:
    return st.sampled_from(SHAPES).flatmap(lambda shape: mutated(shape, VALUES))


@settings(deadline=None)
@given(
    anything().filter(lambda item: not isinstance(item, dict) or item.get("data") != []), st.sampled_from([FORM, None])
)
def test_any_response_flattens_to_unique_fields(item: object, form: satismeter.Campaign | None) -> None:
    """Whatever stands in a response: no exception, no field twice, and the same again from the kept payload."""
    result = attempt(item, form)
    if result is None:
        return
    snapshot, records, skips = result
    kept = legible(msgspec.json.encode(shuffled(msgspec.json.decode(snapshot.payload))))
    again = satismeter.snapshot(kept, Given(submission_id=snapshot.submission_id))

    assert len(records) == len({record.field_id for record in records})
    assert msgspec.structs.replace(again, payload=snapshot.payload) == snapshot
    assert sources.flatten(satismeter, again, form, Options(attributes=("plan",)), "acme") == (records, skips)


@settings(deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"value": VALUES}, optional={"id": st.sampled_from(["a", "b", NPS_ID, COMMENT_ID]), "type": VALUES, "name": VALUES, "metric": VALUES}), max_size=5),
    VALUES,
    VALUES,
    st.sampled_from([FORM, None]),
)  # fmt: skip
def test_every_answer_is_accounted_for(
    answers: list[Json], rating: object, feedback: object, form: satismeter.Campaign | None
) -> None:
    """An answer that is not null has a record or a skip; so have the score and the comment, here or among the answers."""
    result = attempt({"id": "r", "campaign": "c", "answers": answers, "rating": rating, "feedback": feedback}, form)
    assert result is not None
    _, records, skips = result
    seen = {record.field_group_id or record.field_id for record in records} | {skip.field_id for skip in skips}

    def accounted(field_id: str) -> bool:
        return any(key == field_id or key.startswith(f"{field_id}__") for key in seen)

    for index, item in enumerate(answers):
        name = item.get("name")
        own = name if isinstance(name, str) and name.strip() else f"answers[{index}]"
        assert item["value"] is None or accounted(str(item.get("id", own)))
    numbers = {record.value_number for record in records if record.field_type == "nps"}
    assert rating is None or accounted("SM_rating") or as_number(rating) in numbers or not numbers
    values = [item["value"].strip() if isinstance(item["value"], str) else item["value"] for item in answers]
    comment = feedback.strip() if isinstance(feedback, str) else feedback
    assert feedback is None or comment in values or accounted("SM_comment")


@settings(deadline=None)
@given(mutated(document(CATALOG), VALUES), st.sampled_from(SHAPES))
def test_any_catalog_is_read_or_refused(definition: object, item: object) -> None:
    """Whatever stands in a definition: it is refused as one, or flattens every response."""
    examples.check_definition(satismeter, attempt, definition, item)


@settings(deadline=None)
@given(mutated(WEBHOOK, VALUES), mutated(WEBHOOK, VALUES) | mutated(SHAPES[3], VALUES))
def test_merging_again_changes_nothing(one: object, two: object) -> None:
    """The merged payload is a payload of the order of the newer one, and merging the same again gives the same."""
    found = [attempt(item, None) for item in (one, two)]
    snapshots = sorted((result[0] for result in found if result), key=lambda snapshot: snapshot.order)
    if len(snapshots) < 2:
        return
    first, second = snapshots
    merged = satismeter.merge(first.payload, second.payload)
    again = satismeter.merge(merged, second.payload)

    assert json.loads(bytes(merged)) == json.loads(bytes(again))
    assert satismeter.snapshot(merged, Given(submission_id="r")).order == second.order
