"""Typeform: the shapes of its payloads, what becomes of each kind of answer, and the caveats of its two channels."""

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
from hub.sources import typeform
from hub.sources.bodies import legible
from hub.sources.choices import Choice
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
from hub.sources.values import digest
from tests.sources import examples
from tests.sources.examples import Records, Skips, flattened, metadata, mutated, raw

SAMPLES = Path(__file__).parent / "typeform"
PAGE = "01_api_page_completed_all_types.json"
WEBHOOK = "10_webhook_form_response.json"
SENTINEL = "0001-01-01T00:00:00Z"
NO_RECORDS: Records = {}

Json = dict[str, object]


def sample(name: str) -> Raw:
    return legible((SAMPLES / name).read_bytes())


def document(name: str) -> Json:
    found: Json = json.loads((SAMPLES / name).read_text())
    return found


FORM = typeform.form(sample("20_form_definition.json"))


def item(*answers: object, **members: object) -> Json:
    """An item of a page of the Responses API."""
    moments = {"landed_at": "2026-07-14T09:00:00Z", "submitted_at": "2026-07-14T09:05:00Z"}
    return {"response_id": "r1", "token": "r1", **moments, "answers": list(answers), **members}


def delivery(*answers: object, event_type: str = "form_response", **members: object) -> Json:
    """The same response as a webhook tells of it."""
    response = {name: value for name, value in item(*answers, form_id="f").items() if name != "response_id"}
    return {"event_id": "e1", "event_type": event_type, "form_response": {**response, **members}}


def of(kind: str | None, value: Mapping[str, object] | None = None, field_id: str = "q", **said: object) -> Json:
    """An answer to a question of a kind: `of("nps", number=9)`."""
    value = {**(value or {}), **said}
    return {"field": {"id": field_id, "type": kind, "ref": "a_ref"}, "type": next(iter(value), "text"), **value}


def field(kind: object, field_id: str = "q", title: str = "Question?", **properties: object) -> Json:
    return {"id": field_id, "type": kind, "title": title, "ref": f"ref_{field_id}", "properties": properties}


def form_of(*fields: object, **members: object) -> typeform.Definition:
    return typeform.form(raw({"id": "f", "title": "Pulse", "fields": list(fields), **members}))


def choices(*labels: str) -> list[Json]:
    return [{"id": f"c{index}", "ref": f"r{index}", "label": label} for index, label in enumerate(labels)]


def flatten(
    payload: object, form: typeform.Definition | None = None, *attributes: str, form_id: str = "f"
) -> tuple[Records, Skips]:
    (response,) = typeform.unpack(payload if isinstance(payload, Raw) else raw(payload))
    return flattened(typeform, response, form, Options(attributes=attributes), form_id)


def answer(said: Json, **properties: object) -> tuple[Records, Skips]:
    kind = said["field"]["type"]  # type: ignore[index]
    return flatten(item(said), form_of(field(kind or "long_text", "q", "Question?", **properties)))


def snapshot(payload: object, form_id: str | None = "f") -> Snapshot:
    (response,) = typeform.unpack(raw(payload))
    return typeform.snapshot(response, Given(form_id=form_id))


def merged(stored: object, new: object) -> Raw:
    return typeform.merge(snapshot(stored).payload, snapshot(new).payload)


def without_metadata(records: Records) -> list[NewRecord]:
    return [msgspec.structs.replace(record, metadata=Raw()) for record in records.values()]


# Shapes


@pytest.mark.parametrize(
    ("name", "count"),
    [
        (PAGE, 3),
        ("02_api_page_landings_without_answers.json", 3),
        ("04_api_page_empty.json", 0),
        ("06_api_page_legacy_labels_only_no_refs.json", 1),
        ("07_documented_api_page.json", 4),
        (WEBHOOK, 1),
    ],
)
def test_every_shape_is_unpacked(name: str, count: int) -> None:
    """Pages, old and new, and deliveries: each gives its responses."""
    assert count == len(typeform.unpack(sample(name)))


def test_lists_and_bare_responses_are_unpacked() -> None:
    """A response needs no envelope; a list may hold items of pages and deliveries."""
    one, delivered = item(), delivery()

    assert len(typeform.unpack(raw(one))) == 1
    assert len(typeform.unpack(raw(delivered["form_response"]))) == 1
    assert len(typeform.unpack(raw([one, delivered]))) == 2


def test_events_without_a_response_are_acknowledged() -> None:
    """An event of a later version is no failure: Typeform would disable the webhook."""
    assert typeform.unpack(raw({"event_id": "e", "event_type": "form_archived"})) == []


@pytest.mark.parametrize(
    "payload",
    [
        5, "text", None, {}, {"foo": 1}, {"items": None}, {"items": {}}, {"event_type": "form_response"},
        {"event_id": "e", "event_type": "form_response", "form_response": 5}, {"event_type": 5},
        {"id": "r", "surveyId": "s", "data": {}}, {"event": "completed", "response": {"id": "x"}},
        document("05_api_error_400.json"),
    ],
)  # fmt: skip
def test_other_payloads_are_not_of_this_source(payload: object) -> None:
    """Another tool's payload, and Typeform's own errors, are told apart from a payload that has a fault."""
    with pytest.raises(NotOfSourceError):
        typeform.unpack(raw(payload))


@pytest.mark.parametrize("response", [5, [], {}, {"token": " "}, {"token": True}, {"token": "t", "answers": {}}])
def test_unreadable_submissions_are_told_apart(response: object) -> None:
    """A response that cannot be identified is refused alone."""
    with pytest.raises(UnreadableError):
        typeform.snapshot(raw(response), Given(form_id="f"))


def test_page_needs_the_id_of_its_form() -> None:
    """An item does not name its form, and the address in it is not believed; a delivery does, and is."""
    seen = item(metadata={"referer": "https://acme.typeform.com/to/kQ7vB2xT"})
    with pytest.raises(FormNeededError):
        snapshot(seen, None)

    assert snapshot(seen, "given").form_id == "given"
    assert snapshot(delivery(), "given").form_id == "f"
    # What is kept names it, for flattening again.
    assert typeform.snapshot(snapshot(seen, "given").payload, Given()).form_id == "given"


@pytest.mark.parametrize("definition", [5, {}, [], {"fields": {}}, {"questions": []}, {"blocks": []}])
def test_other_definitions_are_refused(definition: object) -> None:
    """A definition has fields."""
    with pytest.raises(NotOfSourceError):
        typeform.form(raw(definition))


# Ids, order, merging


def test_ids_are_of_one_form() -> None:
    """Tokens are unique in a form only. Old items have no `response_id`, the oldest no token."""
    ids = [
        snapshot({"landing_id": "l", "token": "t", "response_id": "r", "answers": []}).submission_id,
        snapshot({"landing_id": "l", "token": "t", "answers": []}).submission_id,
        snapshot({"landing_id": "l", "answers": []}).submission_id,
        typeform.snapshot(raw({"answers": []}), Given(form_id="f", submission_id="mine")).submission_id,
    ]

    assert ids == ["f:r", "f:t", "f:l", "mine"]
    assert len(snapshot(item(response_id="x" * 300)).submission_id) == 255


def test_order_of_snapshots() -> None:
    """Started, partial, completed; within each by `submitted_at`."""
    histories = [
        item(response_type="started", submitted_at=SENTINEL),
        item(response_type="partial", submitted_at=SENTINEL),
        item(response_type="partial", submitted_at="2027-01-01T00:00:00Z"),
        item(response_type="completed", submitted_at="2026-07-14T11:05:00+02:00"),
        item(response_type="completed", submitted_at="2026-07-14T09:05:01Z"),
    ]
    orders = [snapshot(each).order for each in histories]

    assert orders == sorted(orders)
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"response_type": "started", "answers": []}, "started"),
        ({"response_type": "partial"}, "partial"),
        ({"submitted_at": SENTINEL, "answers": None}, "started"),
        ({"submitted_at": SENTINEL, "answers": [of("nps", number=1)]}, "partial"),
        ({"answers": None}, "completed"),
        ({"response_type": "novel"}, "completed"),
    ],
)
def test_status_is_told_or_inferred(members: Json, status: str) -> None:
    """Caveat 19: items of old pages do not say whether they are complete."""
    assert status == snapshot(item(**members)).status


def test_status_of_deliveries() -> None:
    """A delivery is complete or partial, as its envelope says, whenever it was submitted."""
    assert snapshot(delivery(submitted_at=SENTINEL)).status == "completed"
    assert snapshot(delivery(event_type="form_response_partial")).status == "partial"


def test_times_of_a_submission() -> None:
    """Landed, submitted, and the seconds between them; the year 1 is no time."""
    done, open_ = snapshot(item()), snapshot(item(submitted_at=SENTINEL))

    assert (done.started_at, done.completed_at, done.duration_seconds) == (
        datetime(2026, 7, 14, 9, tzinfo=UTC), datetime(2026, 7, 14, 9, 5, tzinfo=UTC), 300,
    )  # fmt: skip
    assert (open_.completed_at, open_.duration_seconds) == (None, None)


def test_time_of_collection() -> None:
    """Submitted, else staged, else landed."""

    def collected(**members: object) -> datetime | None:
        records, _ = flatten(item(of("nps", number=9), **members))
        return records["q"].collected_at

    assert collected(staged_at="2026-07-14T09:03:00Z") == datetime(2026, 7, 14, 9, 5, tzinfo=UTC)
    assert collected(submitted_at=SENTINEL, staged_at="2026-07-14T09:03:00Z") == datetime(2026, 7, 14, 9, 3, tzinfo=UTC)
    assert collected(submitted_at=SENTINEL) == datetime(2026, 7, 14, 9, tzinfo=UTC)
    assert collected(submitted_at=SENTINEL, landed_at="soon") is None


def test_later_time_does_not_replace_an_earlier_one_at_equal_order() -> None:
    """One channel has `staged_at`, the other has not: whichever comes first, the earlier time stays."""
    api = item(of("nps", number=9), response_type="partial", submitted_at=SENTINEL, staged_at="2026-07-14T09:03:00Z")
    hook = delivery(of("nps", number=9), event_type="form_response_partial", submitted_at=SENTINEL)

    for stored, new in ((api, hook), (hook, api)):
        records, _ = flatten(merged(stored, new))
        assert records["q"].collected_at == datetime(2026, 7, 14, 9, tzinfo=UTC)
    done, _ = flatten(merged(hook, item(of("nps", number=9))))
    assert done["q"].collected_at == datetime(2026, 7, 14, 9, 5, tzinfo=UTC)


def test_one_channel_does_not_clear_what_only_another_carries() -> None:
    """Platform, browser and tags are the API's, the definition is the webhook's."""
    api = item(of("nps", number=9), metadata={"platform": "mobile", "browser": "touch"}, tags=["vip"])
    hook = delivery(of("nps", number=9), definition={"fields": [field("nps", title="Likely?")]}, ending={"ref": "bye"})
    seen = []
    for stored, new in ((api, hook), (hook, api)):
        records, _ = flatten(merged(stored, new))
        assert records["q"].field_label == "Likely?"
        seen.append(metadata(records["q"]))

    assert seen[0] == seen[1]
    assert (seen[0]["platform"], seen[0]["browser"], seen[0]["tags"]) == ("mobile", "touch", ["vip"])
    assert seen[0]["ending_ref"] == "bye"
    cleared, _ = flatten(merged(api, item(of("nps", number=9), tags=[])))
    assert "tags" not in metadata(cleared["q"])


# Channels


def test_same_response_from_every_channel() -> None:
    """A page and a delivery of one response: the same ids, values, labels, groups and user."""
    pulled, skips = flatten(sample("32_api_page_same_as_10.json"), FORM, form_id="kQ7vB2xT")
    delivered, same_skips = flatten(sample(WEBHOOK), FORM)

    assert (without_metadata(pulled), skips) == (without_metadata(delivered), same_skips)
    assert len(pulled) == 12


def in_page(said: Json) -> Json:
    """An answer of a delivery as a page has it: an option of a dropdown by its label, a date with midnight."""
    said = {name: value for name, value in said.items() if name != "answer_url"}
    choice = said.get("choice")
    if isinstance(choice, dict) and said["field"]["type"] == "dropdown":  # type: ignore[index]
        del said["choice"]
        return {**said, "type": "text", "text": choice["label"]}
    return {**said, "date": f"{said['date']}T00:00:00Z"} if "date" in said else said


# The caveats


def test_order_of_answers_means_nothing() -> None:
    """Caveat 1: answers come in another order each time; records come in the order of the form."""
    form = form_of(field("nps", "a"), field("nps", "b"))
    one, two = of("nps", number=1, field_id="a"), of("nps", number=2, field_id="b")

    assert list(flatten(item(two, one), form)[0]) == list(flatten(item(one, two), form)[0]) == ["a", "b"]


def test_questions_are_known_by_id() -> None:
    """Caveat 2: a ref may be missing or change; it is metadata."""
    said = of("nps", number=9)
    with_ref, _ = flatten(item(said), form_of(field("nps", "q"), field("rating", "a_ref")))
    said["field"] = {"id": "q", "type": "nps"}
    without_ref, _ = flatten(item(said))

    assert metadata(with_ref["q"])["ref"] == "ref_q"
    assert "ref" not in metadata(without_ref["q"])


def test_what_was_not_answered_is_silent() -> None:
    """Caveat 3: an absent question, and a null, make neither a record nor a skip."""
    nulls = [None, of("nps", number=None), {"field": {"id": "q", "type": "nps"}, "type": "number"}]

    assert flatten(item(*nulls), form_of(field("nps"), field("rating", "other"))) == ({}, {})


def test_year_one_is_no_time() -> None:
    """Caveat 4: a response that was never submitted has Go's zero time."""
    records, _ = flatten(item(of("nps", number=9), submitted_at=SENTINEL))

    assert records["q"].collected_at == datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.mark.parametrize("answers", [None, "absent"])
def test_answers_that_are_left_out_say_nothing(answers: object) -> None:
    """Caveat 5: a pull may leave answers out, and what is stored stays; an empty list says that there are none."""
    full, silent = item(of("nps", number=9)), item(answers=None)
    if answers == "absent":
        del silent["answers"]

    assert flatten(merged(full, silent))[0].keys() == {"q"}
    assert flatten(merged(silent, full))[0].keys() == {"q"}
    assert flatten(merged(full, item(answers=[]))) == ({}, {})


def test_landings_have_no_records() -> None:
    """Caveat 5: null, empty and absent are the same for a visit without an answer."""
    for landing in typeform.unpack(sample("02_api_page_landings_without_answers.json")):
        assert typeform.snapshot(landing, Given(form_id="f")).status == "started"
        assert flattened(typeform, landing, FORM, Options(), "f") == ({}, {})


def test_options_of_old_pages_are_found_by_label() -> None:
    """Caveat 6: labels only; an option that is literally called Other is an option."""
    listed = of("multiple_choice", choices={"labels": ["Beta", "Gone"]})
    known, _ = answer(listed, choices=choices("Alpha", "Beta"), allow_multiple_selection=True)
    unknown, _ = flatten(item(listed))
    other, _ = answer(
        of("multiple_choice", choice={"label": "Other"}), choices=choices("Alpha"), allow_other_choice=True
    )

    assert {key: record.value_id for key, record in known.items()} == {"q__c1": "c1", f"q__{digest('Gone')}": None}
    assert unknown.keys() == {f"q__{digest('Beta')}", f"q__{digest('Gone')}"}
    assert (other["q"].value_text, other["q"].value_id) == ("Other", None)


def test_equal_titles_and_labels_are_kept_apart() -> None:
    """Caveat 7: two questions with one title are two fields, two options with one label two records."""
    form = form_of(field("nps", "a", "Why?"), field("nps", "b", "Why?"))
    both, _ = flatten(item(of("nps", number=1, field_id="a"), of("nps", number=2, field_id="b")), form)
    same = choices("Same", "Same")
    by_id, _ = answer(of("multiple_choice", choices={"ids": ["c0", "c1"], "labels": ["Same", "Same"]}), choices=same)
    by_label, _ = answer(of("multiple_choice", choices={"labels": ["Same", "Same"]}), choices=same)

    assert {key: record.value_number for key, record in both.items()} == {"a": 1, "b": 2}
    assert by_id.keys() == {"q__c0", "q__c1"}
    assert len(by_label) == 2


def test_questions_that_left_the_form_or_changed() -> None:
    """Caveat 8: an answer is of the type it was given as; a scale is only that of the same type."""
    gone, _ = flatten(item(of("nps", number=9)), form_of())
    retyped, skips = flatten(item(of("rating", number=9)), form_of(field("opinion_scale", steps=5)))
    unlike, _ = flatten(item(of("long_text", text="words")), form_of(field("nps")))

    assert metadata(gone["q"])["definition_missing"] is True
    assert (gone["q"].field_type, gone["q"].field_label) == ("nps", "q")
    assert (retyped["q"].field_type, retyped["q"].field_label, skips) == ("rating", "Question?", {})
    assert "scale" not in metadata(retyped["q"])
    assert unlike["q"].value_text == "words"


def test_question_that_left_the_form_is_known_from_the_delivery() -> None:
    """Caveat 8: the definition that came along still has its title and options."""
    then = {"title": "Then", "fields": [{**field("dropdown", title="Plan?"), "choices": choices("Old")}]}
    records, _ = flatten(delivery(of("dropdown", text="Old"), definition=then), form_of())

    assert (records["q"].field_label, records["q"].value_id, records["q"].source_name) == ("Plan?", "c0", "Pulse")
    assert "definition_missing" not in metadata(records["q"])


def test_label_of_today_and_id_for_ever() -> None:
    """Caveat 9: a renamed option keeps its id, and has its present label in every channel."""
    then = {"fields": [{**field("dropdown"), "choices": choices("Old name")}]}
    form = form_of(field("dropdown", choices=choices("New name")))
    hook = delivery(of("dropdown", choice={"id": "c0", "ref": "r0", "label": "Old name"}), definition=then)
    page = item(of("dropdown", text="Old name"))

    for payload in (hook, merged(hook, page), merged(page, hook)):
        records, _ = flatten(payload, form)
        assert (records["q"].value_text, records["q"].value_id) == ("New name", "c0")


@pytest.mark.parametrize(
    "said",
    [
        {"text": "Beta"}, {"choice": {"id": "c1", "ref": "r1", "label": "Beta"}}, {"choice": {"ref": "r1"}},
        {"choices": {"ids": ["c1"], "refs": ["r1"], "labels": ["Beta"]}}, {"choices": [{"id": "c1", "label": "Beta"}]},
    ],
)  # fmt: skip
def test_dropdowns_of_both_channels(said: Json) -> None:
    """Caveat 10: a label in a page, an option or a list of one in a delivery: the same record."""
    records, skips = answer(of("dropdown", said), choices=choices("Alpha", "Beta"))

    assert (set(records), skips) == ({"q"}, {})
    assert (records["q"].value_text, records["q"].value_id) == ("Beta", "c1")
    assert metadata(records["q"])["answer_type"] == "choice"


@pytest.mark.parametrize("date", ["2024-11-04T00:00:00Z", "2024-11-04", "2024-11-04T00:00:00.000Z"])
def test_dates_of_both_channels(date: str) -> None:
    """Caveat 10: with midnight in a page, without a time in a delivery."""
    records, _ = answer(of("date", date=date))

    assert records["q"].value_date == datetime(2024, 11, 4, tzinfo=UTC)


def test_scores_and_variables_are_metadata() -> None:
    """Caveat 11: `calculated` may be null, and its score is not that of the variable of this name."""
    variables = [
        {"key": "score", "type": "number", "number": 4},
        {"key": "segment", "type": "text", "text": "champion"},
        {"key": "odd", "type": "number", "number": True},
        5,
    ]
    records, _ = flatten(item(of("nps", number=9), calculated={"score": 9}, variables=variables))
    none, _ = flatten(item(of("nps", number=9), calculated=None, variables=None))

    assert metadata(records["q"])["score"] == 9
    assert metadata(records["q"])["variables"] == {"score": 4, "segment": "champion"}
    assert not {"score", "variables"} & metadata(none["q"]).keys()


def test_addresses_and_hidden_fields_are_not_copied() -> None:
    """Caveat 12: the query of the address and the hidden fields are full of personal data; those named are copied."""
    seen = {"referer": "https://x.example/to/f?email=a@b.example#token=1", "network_id": "n3tw0rk", "platform": "other"}
    hidden = {"plan": "pro", "email": "a@b.example", "blank": "", "list": [1]}
    plain, _ = flatten(item(of("nps", number=9), metadata=seen, hidden=hidden))
    asked, _ = flatten(item(of("nps", number=9), metadata=seen, hidden=hidden), None, "plan", "blank", "list", "none")

    assert metadata(plain["q"])["url"] == "https://x.example/to/f"
    assert not re.search("b.example|n3tw0rk|token|pro", json.dumps(metadata(plain["q"])))
    assert metadata(asked["q"])["attributes"] == {"plan": "pro"}


@pytest.mark.parametrize(
    "said",
    [
        of("file_upload", file_url="https://api.typeform.com/x.png"),
        of("signature", signature={"url": "https://x.example", "type": "drawn"}),
        of("email", email="a@b.example"),
        of("phone_number", phone_number="+331"),
        of("website", url="https://b.example"),
        of("contact_info", text="Mira"),
        of("address", text="12 Rue"),
        of("short_text", email="a@b.example"),
        of("novel", phone_number="+331"),
        of(None, email="a@b.example"),
    ],
)
def test_personal_data_is_skipped(said: Json) -> None:
    """Caveat 13: names, addresses of every sort, files and signatures, under whatever question they come."""
    assert answer(said) == flatten(item(said)) == (NO_RECORDS, {"q": "personal_data"})


def test_children_of_contact_questions_are_personal() -> None:
    """A first name is a short text like any other: only its parent tells, however deep, and wherever it stands."""
    name = of("short_text", text="Mira")
    inside = field("contact_info", "contact", fields=[field("short_text")])

    for form in (form_of(inside), form_of(field("group", "g", fields=[inside]))):
        assert flatten(item(name), form) == ({}, {"q": "personal_data"})
    assert flatten(item(of("short_text", text=" ")), form_of(inside)) == ({}, {"q": "empty"})


def test_partial_then_complete_is_one_submission() -> None:
    """Caveat 14: the same token by several hooks, partial, complete and pulled; an option deselected meanwhile is gone."""
    multi = form_of(field("multiple_choice", choices=choices("A", "B"), allow_multiple_selection=True))
    partial = delivery(of("multiple_choice", choices={"ids": ["c0", "c1"]}), event_type="form_response_partial")
    complete = delivery(of("multiple_choice", choices={"ids": ["c1"]}), event_id="e2")
    pulled = item(of("multiple_choice", choices={"ids": ["c1"]}))
    snapshots = [snapshot(payload) for payload in (partial, complete, pulled)]

    assert {each.submission_id for each in snapshots} == {"f:r1"}
    assert snapshots[0].order < snapshots[1].order == snapshots[2].order
    assert flatten(merged(partial, complete), multi)[0].keys() == {"q__c1"}


def test_language_is_that_of_the_form() -> None:
    """Caveat 15: responses have none."""
    said = item(of("nps", number=9))

    assert flatten(said, form_of(settings={"language": "pt_BR"}))[0]["q"].language == "pt_BR"
    assert flatten(said)[0]["q"].language is None


def test_questions_in_groups() -> None:
    """Caveat 16: children answer for themselves; their group is in the columns, or in metadata where those are taken."""
    child = field("rating", "child", "Rate it", steps=5)
    multi = field("multiple_choice", "multi", "Which?", choices=choices("A"), allow_multiple_selection=True)
    group = field("group", "g", "About us", fields=[child, field("inline_group", "inner", "Inner", fields=[multi])])
    both = item(
        of("rating", number=5, field_id="child"), of("multiple_choice", choices={"ids": ["c0"]}, field_id="multi")
    )
    records, skips = flatten(both, form_of(group))

    assert (set(records), skips) == ({"child", "multi__c0"}, {})
    assert (records["child"].field_group_id, records["child"].field_group_label) == ("g", "About us")
    assert (records["multi__c0"].field_group_id, records["multi__c0"].field_group_label) == ("multi", "Which?")
    assert metadata(records["multi__c0"])["parent_field_id"] == "inner"


def test_rows_of_a_matrix() -> None:
    """A row is a field of its own, in the group of its matrix; its columns have other ids in each row."""
    rows = [
        field("multiple_choice", "speed", "Speed", choices=choices("Good", "Bad")),
        field("multiple_choice", "price", "Price", choices=choices("Good", "Bad"), allow_multiple_selection=True),
    ]
    form = form_of(field("matrix", "m", "Rate us", fields=rows))
    one = of("multiple_choice", choice={"id": "c0", "label": "Good"}, field_id="speed")
    two = of("multiple_choice", choices={"ids": ["c0", "c1"]}, field_id="price")
    records, skips = flatten(item(one, two, of("matrix", {"matrix": {"x": 1}}, field_id="m")), form)

    assert {record.field_group_id for record in records.values()} == {"m"}
    assert {key: record.field_label for key, record in records.items()} == {
        "speed": "Speed", "price__c0": "Price", "price__c1": "Price",
    }  # fmt: skip
    assert metadata(records["price__c1"])["parent_field_id"] == "price"
    assert "parent_field_id" not in metadata(records["speed"])
    assert skips == {"m": "unsupported_type"}


def test_numbers_may_have_fractions() -> None:
    """Caveat 17: numbers are floats; amounts of payments are texts, and no feedback."""
    assert answer(of("number", number=12.5))[0]["q"].value_number == 12.5
    assert answer(of("nps", number=7.5))[0]["q"].value_number == 7.5
    assert answer(of("payment", payment={"amount": "15.00", "success": True})) == ({}, {"q": "not_feedback"})


def test_number_of_items_is_that_of_the_list() -> None:
    """Caveat 18: `total_items` counts what matches, not what is there."""
    assert len(typeform.unpack(raw({"total_items": 500, "page_count": 500, "items": [item()]}))) == 1


# Answers


@pytest.mark.parametrize(
    ("said", "properties", "columns"),
    [
        (of("nps", number=0), {}, {"field_type": "nps", "value_number": 0.0}),
        (of("opinion_scale", number=6), {"steps": 7}, {"field_type": "rating", "value_number": 6.0}),
        (of("opinion-scale", number=6), {"steps": 7}, {"field_type": "rating", "value_number": 6.0}),
        (of("rating", number=3), {"steps": 3}, {"field_type": "rating", "value_number": 3.0}),
        (of("number", number=-4), {}, {"field_type": "number", "value_number": -4.0}),
        (of("number", text="25"), {}, {"field_type": "number", "value_number": 25.0}),
        (of("short_text", text="hi"), {}, {"field_type": "text", "value_text": "hi"}),
        (of("long_text", text="a\n😀"), {}, {"field_type": "text", "value_text": "a\n😀"}),
        (of("long_text", text="skipped"), {}, {"field_type": "text", "value_text": "skipped"}),
        (of("textfield", text="old"), {}, {"field_type": "text", "value_text": "old"}),
        (of("multi_format", multi_format={"text": "typed"}), {}, {"field_type": "text", "value_text": "typed"}),
        (of("multi_format", multi_format={"video_id": "v", "transcript": "said"}), {}, {"value_text": "said"}),
        (of("yes_no", boolean=False), {}, {"field_type": "boolean", "value_boolean": False}),
        (of("date", date="31/12/2026"), {"structure": "DDMMYYYY"}, {"value_date": datetime(2026, 12, 31, tzinfo=UTC)}),
        (of("multiple_choice", choice={"id": "c0"}), {}, {"value_text": "Alpha", "value_id": "c0"}),
        (of("multiple_choice", choice={"id": "x", "label": "Gone"}), {}, {"value_text": "Gone", "value_id": "x"}),
        (of("multiple_choice", choice={"other": "mine"}), {}, {"value_text": "mine", "value_id": "other"}),
        (of("multiple_choice", choice={"id": "other", "label": "Other", "other": "mine"}), {}, {"value_text": "mine", "value_id": "other"}),
        (of("picture_choice", choice={"id": "p"}), {}, {"value_text": "p", "value_id": "p"}),
        (of("list", choice={"label": " alpha"}), {}, {"value_text": "Alpha", "value_id": "c0"}),
    ],
)  # fmt: skip
def test_answers_with_one_record(said: Json, properties: Json, columns: Json) -> None:
    """Each of these answers makes one record under the id of its question."""
    records, skips = answer(said, **{"choices": choices("Alpha", "Beta"), **properties})

    assert (set(records), skips) == ({"q"}, {})
    assert columns == {name: getattr(records["q"], name) for name in columns}


@pytest.mark.parametrize(
    ("said", "fields", "texts"),
    [
        (of("multiple_choice", choices={"ids": ["c1", "c0"], "labels": ["Beta", "Alpha"]}), ["q__c1", "q__c0"], ["Beta", "Alpha"]),
        (of("multiple_choice", choices=[{"id": "c1", "label": "Beta"}, {"label": "Alpha"}]), ["q__c1", "q__c0"], ["Beta", "Alpha"]),
        (of("multiple_choice", choices={"ids": ["c0"], "other": "mine"}), ["q__c0", "q__other"], ["Alpha", "mine"]),
        (of("multiple_choice", choices={"ids": ["c0", "other"], "labels": ["Alpha", "Other"], "other": "mine"}), ["q__c0", "q__other"], ["Alpha", "mine"]),
        (of("multiple_choice", choices={"other": "mine"}), ["q__other"], ["mine"]),
        (of("multiple_choice", choices=[{"other": "one"}, {"other": "two"}]), ["q__other", f"q__other_{digest('two')}"], ["one", "two"]),
        (of("multiple_choice", choices={"ids": ["c0", "c0"]}), ["q__c0"], ["Alpha"]),
        (of("picture_choice", choices={"refs": ["r1"]}), ["q__c1"], ["Beta"]),
        (of("checkbox", choice={"id": "c0"}), ["q__c0"], ["Alpha"]),
        (of("dropdown", choices={"ids": ["c0", "c1"]}), ["q__c0", "q__c1"], ["Alpha", "Beta"]),
    ],
)  # fmt: skip
def test_several_options_are_several_records(said: Json, fields: list[str], texts: list[str]) -> None:
    """One record for each option, and one for each text that was written instead."""
    records, skips = answer(said, choices=choices("Alpha", "Beta"))

    assert ([*records], [record.value_text for record in records.values()], skips) == (fields, texts, {})
    assert {record.field_group_id for record in records.values()} == {"q"}


def test_definition_decides_whether_there_may_be_several() -> None:
    """A single option of a question that takes several has the id it would have among others."""
    several = {"choices": choices("Alpha"), "allow_multiple_selection": True}

    assert answer(of("dropdown", text="Alpha"), **several)[0].keys() == {"q__c0"}
    assert answer(of("multiple_choice", choice={"id": "c0"}), **several)[0].keys() == {"q__c0"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (of("nps", number=11), "out_of_range"),
        (of("nps", number=-1), "out_of_range"),
        (of("rating", number=6), "out_of_range"),
        (of("rating", number=0), "out_of_range"),
        (of("opinion_scale", number=5), "out_of_range"),
        (of("number", number=1e16), "out_of_range"),
        (of("date", date="1968-02-29T00:00:00Z"), "out_of_range"),
        (of("nps", number=True), "unparseable"),
        (of("nps", text="nine"), "unparseable"),
        (of("date", date="31-12-2026"), "unparseable"),
        (of("date", date=5), "unparseable"),
        (of("yes_no", text="yes"), "unparseable"),
        (of("multiple_choice", choice=5), "unparseable"),
        (of("multiple_choice", choices=[["x"], 5]), "unparseable"),
        (of("long_text", text=[{}, "x"]), "unparseable"),
        (of("ranking", number=5), "unparseable"),
        (of("short_text", text="  "), "empty"),
        (of("multi_format", multi_format={"audio_id": "a"}), "empty"),
        (of("multi_format", multi_format={"audio_id": "a", "transcript": " "}), "empty"),
        (of("multiple_choice", choice={}), "empty"),
        (of("multiple_choice", choices={"ids": [], "labels": []}), "empty"),
        (of("ranking", choices={"labels": []}), "empty"),
        (of("legal", boolean=True), "not_feedback"),
        (of("calendly", url="https://calendly.com/x"), "not_feedback"),
        (of("google_calendar", url="https://x.example"), "not_feedback"),
        (of("time", text="12:30"), "unsupported_type"),
        (of("hologram", hologram={"x": 1}), "unsupported_type"),
        (of("group", text="x"), "unsupported_type"),
    ],
)  # fmt: skip
def test_answers_that_become_no_record(said: Json, reason: str) -> None:
    """Never a record without a value, never a guess: a skip says why."""
    assert answer(said, steps=5) == (NO_RECORDS, {"q": reason})


@pytest.mark.parametrize(
    "said",
    [
        of("multiple_choice", choice={"other": ""}), of("multiple_choice", choice={"id": "other", "label": "Other"}),
        of("multiple_choice", choices={"other": " "}), of("multiple_choice", choices={"ids": ["other"], "labels": ["Other"]}),
    ],
)  # fmt: skip
def test_other_without_a_text_is_empty(said: Json) -> None:
    """Ticked and not written: a skip on the part that stands for it."""
    assert answer(said, choices=choices("Alpha")) == ({}, {"q__other": "empty"})


def test_answer_without_a_question_is_accounted_for() -> None:
    """An answer that names no field cannot be addressed, but is not lost without a word."""
    assert flatten(item({"type": "number", "number": 5}, 7)) == ({}, {"": "unparseable"})


def test_ids_of_2016_are_numbers() -> None:
    """A number as an id of a field is its text."""
    said = {"field": {"id": 123, "type": "textfield"}, "type": "text", "text": "hi"}

    assert flatten(item(said), form_of({"id": 123, "type": "textfield", "title": "Old"}))[0]["123"].field_label == "Old"


def test_answer_without_types_is_taken_by_its_shape() -> None:
    """What neither names its question's type nor its own is read by the member that holds it."""
    bare = [
        {"field": {"id": name}, name: value}
        for name, value in {"text": "hi", "number": 5, "boolean": True, "choices": {"labels": ["A"]}}.items()
    ]
    records, skips = flatten(item(*bare))

    assert skips == {}
    assert [record.field_type for record in records.values()] == ["boolean", "categorical", "number", "text"]


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("nps", {}, {"scale": {"min": 0, "max": 10}, "display": "number"}),
        ("opinion_scale", {"steps": 5}, {"scale": {"min": 0, "max": 4}, "display": "number"}),
        ("opinion_scale", {"steps": 7, "start_at_one": True}, {"scale": {"min": 1, "max": 7}, "display": "number"}),
        ("rating", {"steps": 5, "shape": "star"}, {"scale": {"min": 1, "max": 5}, "display": "star"}),
        ("rating", {"steps": 10, "shape": "heart"}, {"scale": {"min": 1, "max": 10}}),
        ("rating", {}, {}),
        ("rating", {"steps": 10_000}, {}),
    ],
)
def test_scores_carry_their_scale(kind: str, properties: Json, expected: Json) -> None:
    """Scores of different scales can be told apart; an unknown scale is not made up."""
    records, _ = answer(of(kind, number=2), **properties)

    assert expected == {name: value for name, value in metadata(records["q"]).items() if name in ("scale", "display")}


@pytest.mark.parametrize(
    ("title", "properties", "kind"),
    [
        ("How likely are you to recommend us?", {"steps": 11}, "nps"),
        ("How likely are you to recommend us?", {"steps": 10, "start_at_one": True}, "rating"),
        ("How easy was it?", {"steps": 11}, "rating"),
    ],
)
def test_opinion_scale_that_asks_for_nps(title: str, properties: Json, kind: str) -> None:
    """0 to 10 and the word: such a question is NPS, and its records say that this was inferred."""
    records, _ = flatten(item(of("opinion_scale", number=9)), form_of(field("opinion_scale", "q", title, **properties)))

    assert records["q"].field_type == kind
    assert metadata(records["q"]).get("inferred") == (["field_type"] if kind == "nps" else None)


def test_ranking_keeps_the_rank_of_what_it_does_not_know() -> None:
    """The order of the list is the rank; an item that left the form keeps its place."""
    said = of("ranking", choices={"labels": ["Beta", "Gone", "Alpha"]})
    records, _ = answer(said, choices=choices("Alpha", "Beta", "Gamma"))

    assert {key: record.value_number for key, record in records.items()} == {
        "q__c1": 1, f"q__{digest('Gone')}": 2, "q__c0": 3,
    }  # fmt: skip
    assert [record.field_label for record in records.values()] == ["Beta", "Gone", "Alpha"]
    assert {metadata(record)["total_items"] for record in records.values()} == {3}


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("...", "..."),
        ("*Bold* and _italic_,\nwith my_snake_case", "Bold and italic, with my_snake_case"),
        ("You said {{field:nps_main}}, why?", "You said {{field:nps_main}}, why?"),
        ("5 * 3 * 2 _ _", "5 * 3 * 2 _ _"),
        ("  ", "q"),
    ],
)
def test_labels_are_as_people_see_them(title: str, label: str) -> None:
    """Marks of emphasis go, tokens of other answers stay as they are: nobody evaluates them."""
    records, _ = flatten(item(of("nps", number=9)), form_of(field("nps", "q", title)))

    assert records["q"].field_label == label


@pytest.mark.parametrize(
    ("hidden", "user_id"),
    [
        ({"user_id": "u"}, "u"),
        ({"UserId": "u"}, "u"),
        ({"customer_id": 77}, "77"),
        ({"customer_id": "c", "userid": "u"}, "u"),
        ({"user_id": " ", "customer_id": "c"}, "c"),
        ({"user_id": ""}, None),
        ({"email": "a@b.example"}, None),
        (None, None),
        ({"user_id": ["u"]}, None),
    ],
)
def test_user_is_named_by_a_hidden_field(hidden: object, user_id: str | None) -> None:
    """The first hidden field that names the person; a blank one names nobody."""
    records, _ = flatten(item(of("nps", number=9), hidden=hidden))

    assert records["q"].user_id == snapshot(item(hidden=hidden)).user_id == user_id


def test_test_deliveries_are_marked() -> None:
    """What the dashboard sends as a test is taken, for nobody can be sure, and marked, also after flattening again."""
    token = {"token": "e1", "submitted_at": "2026-07-14T09:00:00Z"}
    (response,) = typeform.unpack(raw(delivery(of("nps", number=9), **token)))
    kept = typeform.snapshot(response, Given()).payload

    assert metadata(flatten(kept)[0]["q"])["test"] is True
    assert "test" not in metadata(flatten(delivery(of("nps", number=9)))[0]["q"])


# Documentation


def test_documentation_has_every_question_and_every_reason() -> None:
    """The mapping table lists the question types of the code, no more and no fewer; so do the reasons for a skip."""
    page = (Path(__file__).parents[2] / "docs" / "sources" / "typeform.md").read_text()
    questions, reasons = (
        re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) for section in page.split("\n## What is not taken", 1)
    )

    assert questions == list(typeform.READERS)
    assert set(reasons) == set(get_args(Reason)) - {"needs_definition", "erased", "retention"}


# Properties

VALUES = examples.json_values(
    ["other", "Alpha", SENTINEL], ["choice", "choices", "ids", "labels", "other", "type", "field", "ref"]
)
SAMPLE_DELIVERY = document(WEBHOOK)
SAMPLE_ITEM = document(PAGE)["items"][0]  # type: ignore[index]
SAMPLE_FORM = document("20_form_definition.json")


def attempt(
    payload: object, form: typeform.Definition | None
) -> tuple[Snapshot, list[NewRecord], list[Skipped]] | None:
    return examples.attempt(typeform, payload, form, Options(attributes=("account_id",)), "kQ7vB2xT")


responses = mutated(SAMPLE_DELIVERY, VALUES) | mutated(SAMPLE_ITEM, VALUES)


@settings(deadline=None)
@given(responses, st.sampled_from([FORM, None]))
def test_any_response_flattens_to_unique_fields(payload: object, form: typeform.Definition | None) -> None:
    """Whatever stands in a response: no exception, no field twice, and the same again from the kept payload."""
    examples.check_flattening(attempt, payload, form)


answers = st.lists(
    st.builds(
        lambda field_id, kind, said, value: {"field": {"id": field_id, "type": kind}, "type": said, said: value},
        st.sampled_from([*FORM.questions, "gone"]),
        st.sampled_from([*typeform.READERS, "hologram"]),
        st.sampled_from([*typeform.BY_ANSWER, "hologram"]),
        VALUES,
    ),
    max_size=4,
    unique_by=lambda answer: answer["field"]["id"],
)


@settings(deadline=None)
@given(answers, st.sampled_from([FORM, None]))
def test_every_answer_is_accounted_for(given_answers: list[Json], form: typeform.Definition | None) -> None:
    """An answer that is not null has a record or a skip under the id of its question or one of its parts."""
    result = attempt(item(*given_answers), form)
    assert result is not None
    _, records, skips = result
    fields = [record.field_id for record in records] + [skip.field_id for skip in skips]
    said = {
        answer["field"]["id"]  # type: ignore[index]
        for answer in given_answers
        if answer[str(answer["type"])] is not None
    }

    assert {field_id.split("__")[0] for field_id in fields} == said


@settings(deadline=None)
@given(mutated(SAMPLE_FORM, VALUES))
def test_any_definition_is_read_or_refused(definition: object) -> None:
    """Whatever stands in a definition: it is refused as one, or flattens every response."""
    examples.check_definition(typeform, attempt, definition, SAMPLE_ITEM)


@settings(deadline=None)
@given(responses, responses)
def test_merging_again_changes_nothing(one: object, two: object) -> None:
    """The merged payload is a payload like any other, and merging the same again gives the same."""
    examples.check_merging(typeform, attempt, one, two)


DROPDOWN, DATE, CHOICES = "ySI1kerF5iAr", "rReejvq2z9tS", "KL66ffMGLuVb"
PLANS = list(FORM.questions[DROPDOWN].choices.by_id.values())
FEATURES = list(FORM.questions[CHOICES].choices.by_id.values())


@settings(deadline=None)
@given(
    plan=st.sampled_from(PLANS),
    day=st.dates(datetime(1970, 1, 2, tzinfo=UTC).date(), datetime(2080, 12, 31, tzinfo=UTC).date()),
    picked=st.lists(st.sampled_from(FEATURES), unique_by=lambda choice: choice.id),
    other=st.none() | st.text(max_size=5),
    order=st.permutations(range(3)),
)
def test_channels_agree(plan: Choice, day: object, picked: list[Choice], other: str | None, order: list[int]) -> None:
    """Whatever was answered: a delivery and a page of the same response make the same, skips too."""
    written = {} if other is None else {"other": other}
    lists = {"ids": [choice.id for choice in picked], "labels": [choice.label for choice in picked], **written}
    in_delivery = [
        of("dropdown", choice={"id": plan.id, "label": plan.label}, field_id=DROPDOWN),
        of("date", date=str(day), field_id=DATE),
        of("multiple_choice", choices=lists, field_id=CHOICES),
    ]
    pulled = [in_page(in_delivery[place]) for place in order]

    assert flatten(delivery(*in_delivery), FORM) == flatten(item(*pulled), FORM)
