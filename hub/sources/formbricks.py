"""Formbricks: responses of its management APIs (v1, v2) and webhooks, old and new, and survey definitions.

Field ids are those of Formbricks' own importer: `el`, `el__choiceId`, `el__rowId`, `el__other`.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import get_args

import msgspec
from msgspec import Raw, Struct

from hub.model import Draft, FieldType
from hub.sources.answers import (
    Answers,
    Asked,
    Display,
    Metadata,
    Question,
    by_row,
    by_shape,
    consent,
    day,
    on_their_own,
    personal_data,
    score,
    texts,
)
from hub.sources.choices import Choice, Choices, choices_of, plain
from hub.sources.drafts import fitting_id
from hub.sources.interface import (
    About,
    Form,
    Given,
    NotOfSourceError,
    Options,
    Scale,
    Snapshot,
    UnreadableError,
)
from hub.sources.values import (
    ABSENT,
    NULL,
    Members,
    address_of,
    as_lines,
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
    text_of,
)

SOURCE_TYPE = "formbricks_survey"

EVENTS = ("responseCreated", "responseUpdated", "responseFinished")
OTHER = "other"
# What older versions store for a question that was seen and not answered.
DISMISSED = ("dismissed", "skipped")
# Stored among the answers of surveys that verify addresses.
VERIFIED_EMAIL = "verifiedEmail"
# Formbricks itself clamps the milliseconds of a question to a day.
LONGEST = 86_400_000
# Formbricks draws at most 10; what is far beyond is no scale.
WIDEST = 100

_RECALL = re.compile(r"#recall:[^#/]*/fallback:([^#]*)#")


class Payload(Struct, frozen=True, rename="camel"):
    """A response in any shape. Each member is read by itself, so that a strange one does not cost the others."""

    id: Raw = ABSENT
    created_at: Raw = ABSENT
    updated_at: Raw = ABSENT
    survey_id: Raw = ABSENT
    finished: Raw = ABSENT
    ending_id: Raw = ABSENT
    data: Raw = ABSENT
    ttc: Raw = ABSENT
    meta: Raw = ABSENT
    tags: Raw = ABSENT
    language: Raw = ABSENT
    single_use_id: Raw = ABSENT
    contact: Raw = ABSENT
    contact_attributes: Raw = ABSENT
    person: Raw = ABSENT
    person_attributes: Raw = ABSENT
    user_id: Raw = ABSENT
    survey: Raw = ABSENT
    variables: Raw = ABSENT


class Element(Asked, frozen=True, kw_only=True):
    """A question of a survey."""

    choices: Choices = Choices()
    rows: Choices = Choices()
    columns: Choices = Choices()
    input_type: str | None = None
    date_format: str | None = None


class Survey(Form, frozen=True, kw_only=True):
    """A survey definition."""

    elements: tuple[Element, ...]
    hidden: frozenset[str]
    variables: Mapping[str, str]
    """Their names, by id."""


def unpack(body: Raw) -> list[Raw]:
    """Responses from a list, a `data` envelope, a webhook delivery, or a response as it is; none from a test ping."""
    whole = gently(body, list[Raw])
    if whole is not None:
        return whole
    envelope = members_of(body)
    if "surveyId" in envelope:
        return [body]
    event = text_of(envelope["event"])
    if event == "testEndpoint" or (event and event not in EVENTS and "webhookId" in envelope):
        return []
    listed = gently(envelope["data"], list[Raw])
    if listed is not None:
        return listed
    inner = members_of(envelope["data"])
    if "surveyId" in inner or "data" in inner:
        return [_without_empty_tags(inner) if event else envelope["data"]]
    if "data" in envelope and ("createdAt" in envelope or "finished" in envelope):
        return [body]
    raise NotOfSourceError("Expected a Formbricks response with surveyId, alone, in data, or in a list")


def _without_empty_tags(response: Members) -> Raw:
    """Tags are added later, by people: an empty list in a webhook delivery does not mean that there are none."""
    return joined({name: value for name, value in response.items() if name != "tags" or items_of(value)})


def snapshot(item: Raw, given: Given) -> Snapshot:
    """One response, or the body of a request that creates one, which has no id."""
    response = gently(item, Payload)
    if response is None:
        raise UnreadableError("Expected an object")
    form_id = text_of(response.survey_id) or given.form_id
    if form_id is None:
        raise UnreadableError("surveyId is required")
    answers = gently(response.data, dict[str, Raw])
    if answers is None and response.data not in (ABSENT, NULL):
        raise UnreadableError("data must be an object")
    if gently(response.id, str) is None and response.id not in (ABSENT, NULL):
        raise UnreadableError("id must be a string")
    if text_of(response.survey_id) is None:
        item = joined(members_of(item), {"surveyId": encoded(form_id)})
    finished = gently(response.finished, bool) or False
    return Snapshot(
        submission_id=fitting_id(text_of(response.id) or given.submission_id or _identity(response, form_id)),
        form_id=fitting_id(form_id),
        user_id=_user_id(response),
        status="completed" if finished else "partial" if answers else "started",
        started_at=instant_of(response.created_at),
        completed_at=instant_of(response.updated_at) if finished else None,
        duration_seconds=_duration(response.ttc),
        order=_order(response),
        form_updated_at=instant_of(members_of(response.survey)["updatedAt"]),
        payload=item,
    )


def _identity(response: Payload, form_id: str) -> str:
    members = {
        "surveyId": encoded(form_id),
        "createdAt": response.created_at,
        "data": response.data,
        "singleUseId": response.single_use_id,
    }
    return identity({name: value for name, value in members.items() if value not in (ABSENT, NULL)})


def _order(response: Payload) -> str:
    moment = instant_of(response.updated_at) or instant_of(response.created_at)
    finished = gently(response.finished, bool) or False
    return f"{moment.isoformat(timespec='microseconds') if moment else ''} {finished:d}"


def _user_id(response: Payload) -> str | None:
    """The id the survey's owner gave the person; the ids of Formbricks' own contacts mean nothing outside it."""
    holders = (response.contact, response.person, response.contact_attributes, response.person_attributes)
    found = (text_of(members_of(holder)["userId"]) for holder in holders)
    user_id = next((user_id for user_id in found if user_id), None) or text_of(response.user_id)
    return fitting_id(user_id) if user_id else None


def _duration(ttc: Raw) -> float | None:
    """Seconds over all questions. Formbricks' own `_total` counts itself when a response is finished twice."""
    times = members_of(ttc)
    parts = (gently(value, float) or 0 for name, value in times.items() if name != "_total")
    seconds = math.fsum(part for part in parts if 0 < part < LONGEST) / 1000
    return round(seconds, 3) if seconds else None


def merge(stored: Raw, new: Raw) -> Raw:
    """v1 has contact and tags, v2 neither, a webhook the survey's title: what the new payload does not mention stays."""
    before, now = members_of(stored), members_of(new)
    kept = {name: value for name, value in before.items() if name not in now and name != "data"}
    meta = {"meta": joined(members_of(before["meta"]), members_of(now["meta"]))} if "meta" in now else {}
    earlier, later = instant_of(before["createdAt"]), instant_of(now["createdAt"])
    same = _order(msgspec.json.decode(stored, type=Payload)) == _order(msgspec.json.decode(new, type=Payload))
    began = {"createdAt": before["createdAt"]} if same and earlier and later and earlier < later else {}
    return joined(kept, now, meta, began)


def form(definition: Raw) -> Survey:
    """A survey of the v1 API, of the v3 API, or of a version that knew only questions."""
    survey = members_of(definition)
    if "data" in survey:
        survey = members_of(survey["data"])
    if "blocks" not in survey and "questions" not in survey:
        raise NotOfSourceError("Expected a Formbricks survey with blocks or questions")
    default = text_of(survey["defaultLanguage"]) or _default_language(survey["languages"])
    # Newer versions answer both, with the same elements twice.
    blocks = [part for block in items_of(survey["blocks"]) for part in items_of(members_of(block)["elements"])]
    found = [_element(part, default) for part in blocks or items_of(survey["questions"])]
    elements = {element.id: element for element in reversed(found) if element is not None}
    hidden = items_of(members_of(survey["hiddenFields"])["fieldIds"])
    return Survey(
        form_id=text_of(survey["id"]),
        name=text_of(survey["name"]),
        fields=len(elements),
        updated_at=instant_of(survey["updatedAt"]),
        elements=tuple(reversed(elements.values())),
        hidden=frozenset(name for name in map(text_of, hidden) if name),
        variables={
            key: name
            for variable in map(members_of, items_of(survey["variables"]))
            if (key := text_of(variable["id"])) and (name := text_of(variable["name"]))
        },
    )


def _default_language(languages: Raw) -> str | None:
    for language in items_of(languages):
        members = members_of(language)
        if gently(members["default"], bool):
            return text_of(members["code"]) or text_of(members_of(members["language"])["code"])
    return None


def _element(raw: Raw, default: str | None) -> Element | None:
    element = members_of(raw)
    field_id, kind, drawn = text_of(element["id"]), text_of(element["type"]), text_of(element["scale"])
    if field_id is None or kind is None:
        return None
    return Element(
        id=field_id,
        type=kind,
        label=_plain(_default_label(_translations(element["headline"]), default)) or field_id,
        choices=_choices(element["choices"], default),
        rows=_choices(element["rows"], default),
        columns=_choices(element["columns"], default),
        scale=_scale(kind, gently(element["range"], int) or 0),
        display=next((display for display in get_args(Display) if display == drawn), None),
        input_type=text_of(element["inputType"]),
        date_format=text_of(element["format"]),
    )


def _scale(kind: str, highest: int) -> Scale | None:
    if kind == "nps":
        return Scale(0, 10)
    return Scale(1, highest) if kind in ("rating", "csat", "ces") and 1 < highest <= WIDEST else None


def _choices(raw: Raw, default: str | None) -> Choices:
    labeled: list[tuple[Choice, Mapping[str, str]]] = []
    for item in items_of(raw):
        members = members_of(item)
        # Rows and columns were bare labels until 2025; `id` is also the code of a language.
        has_id = "label" in members or ("id" in members and "default" not in members)
        labels = _translations(members["label"] if has_id else item)
        choice_id, shown = text_of(members["id"]) if has_id else None, _default_label(labels, default)
        labeled.append((Choice(choice_id, _plain(shown) or choice_id or ""), {"default": shown, **labels}))
    return choices_of(labeled, _plain)


def _translations(raw: Raw) -> dict[str, str]:
    """The labels by language. A blank translation shows the default one, as in the renderer."""
    if plain := text_of(raw):
        return {"default": plain}
    labels = {code: text_of(label) for code, label in members_of(raw).items()}
    return {code: label for code, label in sorted(labels.items()) if label}


def _plain(label: str) -> str:
    """A label as people see it: for a recalled answer its fallback."""
    return " ".join(_RECALL.sub(lambda token: token[1].replace("nbsp", " "), plain(label)).split())


def _default_label(labels: Mapping[str, str], default: str | None) -> str:
    """The v1 API keeps the default language under `default`, the v3 API under its own code."""
    return labels.get("default") or labels.get(default or "") or next(iter(labels.values()), "")


def flatten(payload: Raw, form: Survey | None, options: Options) -> Answers:
    """Questions in the order of the survey, then what the survey does not know, by the shape of its value."""
    response = msgspec.json.decode(payload, type=Payload)
    answers = members_of(response.data)
    elements = {element.id: element for element in form.elements} if form else {}
    segments = {VERIFIED_EMAIL, *options.attributes, *options.hidden_fields, *(form.hidden if form else ())}
    shared, metadata = _shared(response, form), _metadata(response, options, answers.keys() - elements.keys())
    for field_id, element in elements.items():
        if field_id in answers:
            yield from _read(Question(element, shared, metadata, options), msgspec.json.decode(answers[field_id]))
    if VERIFIED_EMAIL in answers and VERIFIED_EMAIL not in elements:
        verified = Element(id=VERIFIED_EMAIL, label=VERIFIED_EMAIL)
        yield from personal_data(
            Question(verified, shared, metadata, options), msgspec.json.decode(answers[VERIFIED_EMAIL])
        )
    unknown = msgspec.structs.replace(metadata, definition_missing=True)
    # Postgres does not keep the order of members, and flattening again must give the same.
    for field_id in sorted(answers.keys() - elements.keys() - segments):
        element = Element(id=field_id, label=field_id)
        yield from by_shape(Question(element, shared, unknown), msgspec.json.decode(answers[field_id]))
    hidden = {name: value for name, value in answers.items() if name not in elements}
    yield from on_their_own("hidden", hidden, options.hidden_fields, shared, metadata)
    yield from on_their_own("variable", _variables(response, form), options.variables, shared, metadata)


def _variables(response: Payload, form: Survey | None) -> dict[str, Raw]:
    """Their values by id, and by name as far as the survey is known."""
    values = members_of(response.variables)
    names = form.variables if form else {}
    return {**values, **{names[key]: value for key, value in values.items() if key in names}}


def _shared(response: Payload, form: Survey | None) -> Draft:
    title = members_of(response.survey)["title"]
    language = text_of(response.language)
    return Draft(
        collected_at=instant_of(response.created_at) or instant_of(response.updated_at),
        source_type=SOURCE_TYPE,
        source_id=text_of(response.survey_id),
        source_name=form.name if form and form.name else text_of(title),
        field_id="",
        field_type="text",
        language=None if language == "default" else language,
        user_id=_user_id(response),
    )


def _metadata(response: Payload, options: Options, segments: set[str]) -> Metadata:
    meta = members_of(response.meta)
    agent = members_of(meta["userAgent"])
    tags = [members_of(tag) for tag in items_of(response.tags)]
    return Metadata(
        finished=gently(response.finished, bool) or False,
        ending_id=brief(text_of(response.ending_id)),
        country=brief(text_of(meta["country"])),
        device=brief(text_of(agent["device"])),
        url=brief(address_of(meta["url"])),
        tags=sorted({name for tag in tags if (name := brief(text_of(tag["name"])))})[:100],
        attributes=_attributes(response, options, segments),
    )


def _attributes(response: Payload, options: Options, segments: set[str]) -> dict[str, Raw]:
    """The hidden fields and contact attributes that were asked for by name."""
    data = members_of(response.data)
    known = Members(members_of(response.person_attributes) | members_of(response.contact_attributes))
    known |= {name: data[name] for name in segments}
    return attributes(known, options.attributes)


def _read(question: Question[Element], value: object) -> Answers:
    if value is None:
        return
    kind = question.asked.type or ""
    if blank(value):
        ticked = kind == "multipleChoiceMulti" and value != [] and OTHER in question.asked.choices.by_id
        yield question.skip("empty", part=OTHER if ticked else None)
    elif kind not in READERS:
        yield question.skip("unsupported_type", f"questions of type {kind[:50]} are not known")
    elif kind not in SPOKEN and (value in DISMISSED or value == ["skipped"]):
        yield question.skip("empty")
    else:
        yield from READERS[kind](question, value)


def _open_text(question: Question[Element], value: object) -> Answers:
    asks_for = question.asked.input_type
    if asks_for in ("email", "phone", "url"):
        yield from personal_data(question, value)
        return
    text = as_lines(value)
    if text is None:
        yield question.skip("unparseable", "not a text")
        return
    number = as_number(text) if asks_for == "number" else None
    if number is not None:
        yield question.record("number", number=number)
    else:
        yield question.record("text", text=text, coerced=not isinstance(value, str))


def _score(question: Question[Element], value: object) -> Answers:
    kind: FieldType = question.asked.type  # type: ignore[assignment] # READERS sends only the four scores here
    return score(question, value, kind)


def _one_choice(question: Question[Element], value: object) -> Answers:
    choices = question.asked.choices
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    text = as_text(only)
    if text is None:
        yield question.skip("unparseable", "not one option")
        return
    choice = choices.find(text, question.shared.language)
    coerced = value is not text
    if choice is None:
        other = OTHER if OTHER in choices.by_id else None
        yield question.record("categorical", text=text, value_id=other, coerced=coerced)
    elif choice.id == OTHER:
        yield question.skip("empty", "other was ticked without a text", part=OTHER)
    else:
        yield question.record("categorical", text=choice.label, value_id=choice.id, coerced=coerced)


def _many_choices(question: Question[Element], value: object) -> Answers:
    """One record per option. `other` is the text that matches none; older versions put a marker before it."""
    choices, coerced = question.asked.choices, not isinstance(value, list)
    other = OTHER if OTHER in choices.by_id else None
    picked: dict[str, Choice] = {}
    written: dict[str, None] = {}
    ticked = False
    for text in (yield from texts(question, value)):
        choice = choices.find(text, question.shared.language)
        if not text.strip() or (choice and choice.id == OTHER):
            ticked = True
        elif choice:
            picked[choice.part] = choice
        else:
            written[text] = None
    for part, choice in picked.items():
        yield question.record("categorical", part=part, text=choice.label, value_id=choice.id, coerced=coerced)
    for index, text in enumerate(written):
        part = f"{OTHER}_{digest(text)}" if index else OTHER
        yield question.record("categorical", part=part, text=text, value_id=other, coerced=coerced)
    if ticked and not written:
        yield question.skip("empty", "other was ticked without a text", part=other)


def _pictures(question: Question[Element], value: object) -> Answers:
    """Pictures have no label: their ids stand for them in both columns."""
    for choice_id in dict.fromkeys((yield from texts(question, value))):
        if choice_id.strip():
            coerced = not isinstance(value, list)
            yield question.record("categorical", part=choice_id, text=choice_id, value_id=choice_id, coerced=coerced)


def _matrix(question: Question[Element], value: object) -> Answers:
    element, language = question.asked, question.shared.language
    return by_row(
        question, value, lambda row: element.rows.find(row, language), lambda cell: element.columns.find(cell, language)
    )


def _ranking(question: Question[Element], value: object) -> Answers:
    """One record per ranked item: 1 is the best. A gap keeps its rank."""
    ranked: set[str] = set()
    entries = yield from texts(question, value)
    for rank, text in enumerate(entries, 1):
        item = question.asked.choices.find(text, question.shared.language) or Choice(None, text)
        if text.strip() and item.part not in ranked:
            ranked.add(item.part)
            yield question.record(
                "number", part=item.part, label=item.label or text, number=rank, total_items=len(entries),
                coerced=not isinstance(value, list),
            )  # fmt: skip


def _date(question: Question[Element], value: object) -> Answers:
    return day(question, value, question.asked.date_format or "")


def _flag(question: Question[Element], value: object) -> Answers:
    if value is True or value in ("clicked", "booked"):
        yield question.record("boolean", boolean=True, coerced=value is True)
    else:
        yield question.skip("unparseable", "neither clicked nor booked")


READERS: Mapping[str, Callable[[Question[Element], object], Answers]] = {
    "openText": _open_text,
    "multipleChoiceSingle": _one_choice,
    "multipleChoiceMulti": _many_choices,
    "nps": _score,
    "rating": _score,
    "csat": _score,
    "ces": _score,
    "cta": _flag,
    "consent": consent,
    "cal": _flag,
    "date": _date,
    "pictureSelection": _pictures,
    "fileUpload": personal_data,
    "matrix": _matrix,
    "ranking": _ranking,
    "address": personal_data,
    "contactInfo": personal_data,
}
# Answers in words, in which "skipped" may be one.
SPOKEN = ("openText", "multipleChoiceSingle", "multipleChoiceMulti", "matrix", "ranking")

ABOUT = About(
    title="Formbricks",
    source_type=SOURCE_TYPE,
    responses=[
        "a response, or a list of them, as the management APIs v1 and v2 answer",
        "a webhook delivery (responseCreated, responseUpdated, responseFinished, testEndpoint)",
        "the body of a request that creates a response",
    ],
    forms=["a survey as the management API v1 answers, with blocks or questions", "a survey as the API v3 answers"],
    question_types=list(READERS),
)
