"""SatisMeter: responses of its webhooks and exports (v3 and older), bodies of insert requests, and question catalogs.

An answer says itself what was asked (`type`, `metric`, `label`), except in insert bodies and in responses of older versions.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from msgspec import Raw, Struct

from hub.model import Draft, Status
from hub.sources.answers import Answers, Asked, Metadata, Question, by_entry, by_shape, score
from hub.sources.drafts import fitting_id
from hub.sources.interface import (
    About,
    Form,
    Given,
    NotOfSourceError,
    Options,
    Reason,
    Scale,
    Skipped,
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
    canonical,
    encoded,
    gently,
    identity,
    instant_of,
    items_of,
    joined,
    members_of,
    text_of,
)

SOURCE_TYPE = "satismeter"

# Names that SatisMeter gives the two questions of its oldest survey; older versions know their answers as `rating` and
# `feedback` alone, which then have no other id.
RATING = "SM_rating"
COMMENT = "SM_comment"
NPS = Scale(0, 10)
# Insert requests say In-App, webhooks In-app.
METHODS = {"in-app": "In-App", "mobile": "Mobile", "email": "Email"}
MAX_GROUPS = 50

# What only a response of SatisMeter has.
MARKS = {"writeKey", "campaign", "project"}
# What a response says of its own state, and what it says besides its answers.
FLAGS = {"dismissed", "pending", "completed", "event"}
CONTENT = {"answers", "rating", "feedback", "category", "score"}
# A project's key is a credential, an address is personal: neither is kept.
UNKEPT = {"writeKey", "ip"}


class Payload(Struct, frozen=True, rename="camel"):
    """A response in any shape. Each member is read by itself, so that a strange one does not cost the others."""

    id: Raw = ABSENT
    created: Raw = ABSENT
    project: Raw = ABSENT
    campaign: Raw = ABSENT
    campaign_name: Raw = ABSENT
    method: Raw = ABSENT
    answers: Raw = ABSENT
    rating: Raw = ABSENT
    feedback: Raw = ABSENT
    category: Raw = ABSENT
    event: Raw = ABSENT
    dismissed: Raw = ABSENT
    pending: Raw = ABSENT
    completed: Raw = ABSENT
    user: Raw = ABSENT
    user_id: Raw = ABSENT
    anonymous_id: Raw = ABSENT
    traits: Raw = ABSENT
    device: Raw = ABSENT
    location: Raw = ABSENT
    referrer: Raw = ABSENT
    language: Raw = ABSENT
    force_survey: Raw = ABSENT


class Element(Asked, frozen=True, kw_only=True):
    """A question, as a catalog lists it or an answer tells it."""

    metric: str | None = None
    name: str | None = None

    @property
    def kind(self) -> str | None:
        """What decides how its answers are read: the metric, a name of SatisMeter's own, the type."""
        if self.metric == "nps" or self.name == RATING:
            return "nps"
        if self.metric in ("csat", "ces"):
            return self.metric
        return "long-text" if self.name == COMMENT else self.type


class Campaign(Form, frozen=True, kw_only=True):
    """The questions of a campaign. Its statistics are the only place that lists them."""

    type: str | None
    questions: Mapping[str, Element]


class Location(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a response came from, as far as SatisMeter tells."""

    country_code: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None


class Told(Metadata, frozen=True, kw_only=True, omit_defaults=True):
    """What SatisMeter tells besides."""

    metric: str | None = None
    question_name: str | None = None
    method: str | None = None
    category: str | None = None
    event: str | None = None
    dismissed: bool | None = None
    pending: bool | None = None
    os: str | None = None
    location: Location | None = None
    referrer: str | None = None
    groups: dict[str, Raw] | None = None


def unpack(body: Raw) -> list[Raw]:
    """Responses from a page of an export, a list, a webhook delivery, or one as it is."""
    whole = gently(body, list[Raw])
    if whole is not None:
        return [_undelivered(item) for item in whole]
    envelope = members_of(body)
    if "response" in envelope or MARKS & envelope.keys():
        return [_undelivered(body)]
    for name in ("data", "responses"):
        listed = gently(envelope[name], list[Raw])
        if listed is not None:
            return [_undelivered(item) for item in listed]
    if MARKS & members_of(envelope["data"]).keys():
        return [envelope["data"]]
    raise NotOfSourceError("Expected a SatisMeter response, alone, in response, in a list, or in data or responses")


def _undelivered(item: Raw) -> Raw:
    """A response in the shape of an export, with what the webhook delivery around it told."""
    delivery = members_of(item)
    if "response" not in delivery:
        return item
    response = members_of(delivery["response"])
    if not response:
        return delivery["response"]
    campaign = members_of(delivery["campaign"])
    around = {"campaign": campaign["id"], "traits": delivery["traits"], "event": delivery["event"]}
    own = text_of(response["campaign"])
    if own is None or own == text_of(campaign["id"]):
        around["campaignName"] = campaign["name"]
    return joined(_said(around), _said(response))


def _said(members: Mapping[str, Raw]) -> dict[str, Raw]:
    return {name: value for name, value in members.items() if value not in (ABSENT, NULL)}


def snapshot(item: Raw, given: Given) -> Snapshot:
    """One response, or the body of an insert request, which has no id and no time."""
    response = gently(item, Payload)
    if response is None:
        raise UnreadableError("Expected an object")
    known = (response.campaign, response.project, response.answers, response.rating)
    if all(member == ABSENT for member in known):
        raise UnreadableError("Expected a response with campaign and answers")
    for name, member in (("id", response.id), ("campaign", response.campaign)):
        if gently(member, str) is None and member not in (ABSENT, NULL):
            raise UnreadableError(f"{name} must be a string")
    if gently(response.answers, list[Raw]) is None and response.answers not in (ABSENT, NULL):
        raise UnreadableError("answers must be a list")
    form_id = text_of(response.campaign) or given.form_id
    status, created = _status(response), instant_of(response.created)
    kept = {name: value for name, value in members_of(item).items() if name not in UNKEPT}
    if form_id:
        kept["campaign"] = encoded(form_id)
    return Snapshot(
        submission_id=fitting_id(text_of(response.id) or given.submission_id or _own_id(response, form_id, given)),
        form_id=fitting_id(form_id) if form_id else None,
        user_id=_user_id(response),
        status=status,
        started_at=created,
        completed_at=created if status == "completed" else None,
        duration_seconds=None,
        order=_order(response),
        payload=joined(kept),
    )


def _own_id(response: Payload, form_id: str | None, given: Given) -> str:
    """The id of an insert request's body. Without a person, two people who answer alike would become one."""
    if form_id is None:
        raise UnreadableError("campaign is required")
    if gently(response.force_survey, bool) and given.fresh_id:
        return given.fresh_id
    person = {"userId": response.user_id} if _id_of(response.user_id) else {"anonymousId": response.anonymous_id}
    if not any(map(_id_of, person.values())):
        raise UnreadableError("userId or anonymousId is required")
    answers = sorted(items_of(response.answers), key=_id_and_text)
    what = {"campaign": encoded(form_id), "answers": encoded(answers), "rating": response.rating}
    return identity(_said({**what, **person, "feedback": response.feedback, "method": response.method}))


def _id_and_text(answer: Raw) -> tuple[str, str]:
    return _id_of(members_of(answer)["id"]) or "", canonical(msgspec.json.decode(answer))


def _id_of(raw: Raw) -> str | None:
    """An id; clients that know their users by number send one."""
    number = gently(raw, int)
    return text_of(raw) if number is None else str(number)


def _status(response: Payload) -> Status:
    """Exports may leave out how a response ended: then whoever answered nothing closed the survey."""
    return _flagged(response) or ("completed" if _answered(response) else "dismissed")


def _flagged(response: Payload) -> Status | None:
    event = text_of(response.event)
    dismissed, completed = gently(response.dismissed, bool), gently(response.completed, bool)
    if dismissed or event == "dismissed":
        return "dismissed"
    if gently(response.pending, bool) or completed is False:
        return "partial"
    return "completed" if completed or dismissed is False or event == "completed" else None


def _answered(response: Payload) -> bool:
    values = [response.rating, response.feedback, *(members_of(item)["value"] for item in items_of(response.answers))]
    return any(value not in (ABSENT, NULL) for value in values)


def _order(response: Payload) -> str:
    created = instant_of(response.created)
    completed = _status(response) == "completed"
    return f"{completed:d} {created.isoformat(timespec='microseconds') if created else ''}"


def _user_id(response: Payload) -> str | None:
    """The id the project's owner gave the person, else SatisMeter's own, marked as such."""
    user = members_of(response.user)
    if _is_deleted(response.user):
        return None
    named = _id_of(user["userId"]) or _id_of(response.user_id)
    unnamed = _id_of(response.anonymous_id) or _id_of(user["anonymousId"]) or _id_of(user["id"])
    user_id = named or (f"anon:{unnamed}" if unnamed else None)
    return fitting_id(user_id) if user_id else None


def _is_deleted(user: Raw) -> bool:
    return gently(members_of(user)["deleted"], bool) or False


def merge(stored: Raw, new: Raw) -> Raw:
    """Webhooks have rating, category and event, exports have more of the place, older versions no types."""
    before, now = members_of(stored), members_of(new)
    earlier, later = (msgspec.json.decode(payload, type=Payload) for payload in (stored, new))
    same = (_order(earlier), _status(earlier)) == (_order(later), _status(later))
    # How a response ended and what it held are facts of one moment, whichever channel told them.
    past = (set() if same else {"created", *FLAGS}) | (set() if same and _answered(later) else CONTENT)
    merged = {name: value for name, value in before.items() if name not in past} | _said(now)
    if same and _flagged(later) is None:
        merged |= _said({name: before[name] for name in FLAGS})
    for name in ("user", "traits", "device"):
        merged[name] = _overlaid(before[name], now[name])
    merged["location"] = _overlaid(_nested(before["location"]), _nested(now["location"]))
    if "answers" in merged:
        merged["answers"] = encoded(_recognized(items_of(before["answers"]), later, items_of(merged["answers"])))
    if _is_deleted(before["user"]) or _is_deleted(now["user"]):
        # Nobody is undeleted: a delivery that is late must not bring a person back.
        user = {"id": members_of(merged["user"])["id"], "deleted": Raw(b"true")}
        merged |= {"user": joined(_said(user)), "traits": ABSENT, "userId": ABSENT, "anonymousId": ABSENT}
    return joined({name: value for name, value in merged.items() if value != ABSENT})


def _overlaid(before: Raw, now: Raw) -> Raw:
    """What is said now over what was said before, within objects too."""
    if now in (ABSENT, NULL):
        return now if before == ABSENT else before
    one, two = gently(before, dict[str, Raw]), gently(now, dict[str, Raw])
    if one is None or two is None:
        return now
    return joined(one, {name: _overlaid(one.get(name, ABSENT), value) for name, value in two.items()})


def _recognized(before: list[Raw], later: Payload, now: list[Raw]) -> list[Raw]:
    """The answers of now, and what another channel told about their questions: an id, a type, a label."""
    told = {field_id: answer for answer in map(members_of, before) if (field_id := _id_of(answer["id"]))}
    answers: list[Raw] = []
    for raw in now:
        answer = members_of(raw)
        question = told.get(_id_of(answer["id"]) or "", Members())
        about = {name: question[name] for name in ("name", "type", "metric", "label")}
        answers.append(joined(_said(about), _said(answer)) if answer else raw)
    for name, value in ((RATING, later.rating), (COMMENT, later.feedback)):
        here, there = _named(name, answers), _named(name, before)
        if value not in (ABSENT, NULL) and there and not here:
            answers.append(joined(there, {"value": value}))
    return answers


def _named(name: str, answers: list[Raw]) -> Members | None:
    """The answer that other channels tell as `rating` or `feedback`."""
    for answer in map(members_of, answers):
        element = _asked(answer, {})
        if element and (element.name == name or (name == RATING and element.kind == "nps")):
            return answer
    return None


def _nested(raw: Raw) -> Raw:
    """A place as exports have it: webhooks have its names beside its codes instead of within."""
    place = members_of(raw)
    parts = {"city": place["city"]}
    for name in ("country", "region"):
        area = members_of(place[name]) or {"code": place[name], "name": place[f"{name}Name"]}
        parts[name] = joined({key: value for key, value in area.items() if text_of(value)})
    known = {name: value for name, value in parts.items() if text_of(value) or members_of(value)}
    return joined(known) if known else ABSENT


def form(definition: Raw) -> Campaign:
    """The statistics of a campaign, which list its questions; `name` and `type` of the campaign may stand beside them."""
    whole = members_of(definition)
    campaign = Members(members_of(whole["data"]) | whole)
    listed = gently(campaign["questions"], list[Raw])
    found = [_listed(members_of(question)) for question in listed or ()]
    if listed is None or (listed and not any(found)):
        raise NotOfSourceError("Expected the statistics of a SatisMeter campaign, whose questions have id and label")
    questions = {element.id: element for element in reversed(found) if element}
    return Campaign(
        form_id=text_of(campaign["id"]),
        name=text_of(campaign["name"]),
        fields=len(questions),
        type=text_of(campaign["type"]),
        questions=questions,
    )


def _listed(question: Members) -> Element | None:
    field_id, label = _id_of(question["id"]), text_of(question["label"])
    if field_id is None or label is None:
        return None
    metric = text_of(members_of(members_of(question["statistics"])["metric"])["type"])
    return _element(field_id, label, text_of(question["type"]), text_of(question["metric"]) or metric)


def _element(
    field_id: str, label: str, kind: str | None = None, metric: str | None = None, name: str | None = None
) -> Element:
    element = Element(id=field_id, label=label, type=kind, metric=metric, name=name)
    return msgspec.structs.replace(
        element,
        # Values that were seen are no bounds: only NPS has some.
        scale=NPS if element.kind == "nps" else None,
        display="smiley" if kind == "smiley" else None,
    )


def _asked(answer: Members, questions: Mapping[str, Element]) -> Element | None:
    """What was asked: as the answer tells it, and what it leaves out from the catalog."""
    name, kind, metric = (text_of(answer[member]) for member in ("name", "type", "metric"))
    field_id = _id_of(answer["id"]) or name
    if field_id is None:
        return None
    listed = questions.get(field_id) or Element(id=field_id, label=field_id)
    if kind in (None, listed.type):
        kind, metric = listed.type, metric or listed.metric
    return _element(field_id, text_of(answer["label"]) or listed.label, kind, metric, name)


def flatten(payload: Raw, form: Campaign | None, options: Options) -> Answers:
    """The answers in their order, then what only `rating` and `feedback` tell."""
    response = msgspec.json.decode(payload, type=Payload)
    shared, metadata = _shared(response, form), _metadata(response, options)
    answers: list[tuple[Element, object]] = []
    for index, raw in enumerate(items_of(response.answers)):
        answer = members_of(raw)
        value = _value(raw if gently(raw, dict[str, Raw]) is None else answer["value"])
        element = _asked(answer, form.questions if form else {})
        if element:
            answers.append((element, value))
        elif value is not None:
            yield Skipped(field_id=f"answers[{index}]", reason="unparseable", detail="the answer has no id")
    rating, feedback = _value(response.rating), _value(response.feedback)
    if form and (form.type or "").casefold() == "nps" and rating is None:
        answers = _with_score(answers)
    answers += _alone(rating, feedback, answers, form)
    for element, value in answers:
        told = msgspec.structs.replace(
            metadata,
            metric=brief(element.metric),
            question_name=brief(element.name),
            definition_missing=element.kind is None,
        )
        yield from _read(Question(element, shared, told), value)
    scores = _scores(answers)
    if scores and rating is not None and as_number(rating) not in scores:
        reason: Reason = "empty" if blank(rating) else "unparseable"
        yield Skipped(field_id=RATING, reason=reason, detail="not the score among the answers")


def _value(raw: Raw) -> object:
    value: object = msgspec.json.decode(raw) if raw else None
    return value.strip() if isinstance(value, str) else value


def _with_score(answers: list[tuple[Element, object]]) -> list[tuple[Element, object]]:
    """In an NPS campaign the first number of an unknown question is the score, unless there is one already."""
    if _scores(answers):
        return answers
    for index, (element, value) in enumerate(answers):
        number = None if isinstance(value, str) else as_number(value)
        if element.kind is None and number is not None and NPS.min <= number <= NPS.max:
            score_of = _element(element.id, element.label, metric="nps", name=element.name)
            return [*answers[:index], (score_of, value), *answers[index + 1 :]]
    return answers


def _scores(answers: list[tuple[Element, object]]) -> list[float]:
    numbers = (as_number(value) for element, value in answers if element.kind == "nps")
    return [number for number in numbers if number is not None]


def _alone(
    rating: object, feedback: object, answers: list[tuple[Element, object]], form: Campaign | None
) -> list[tuple[Element, object]]:
    """The score and the comment, where they do not stand among the answers as well."""
    alone: list[tuple[Element, object]] = []
    if not _scores(answers):
        listed = form.questions.values() if form else ()
        label = next((element.label for element in listed if element.kind == "nps"), RATING)
        alone.append((_element(RATING, label, name=RATING), rating))
    if feedback not in (value for _, value in answers):
        alone.append((_element(COMMENT, COMMENT, name=COMMENT), feedback))
    return alone


def _shared(response: Payload, form: Campaign | None) -> Draft:
    return Draft(
        collected_at=instant_of(response.created),
        source_type=SOURCE_TYPE,
        source_id=text_of(response.campaign),
        source_name=(form.name if form else None) or text_of(response.campaign_name),
        field_id="",
        field_type="text",
        language=text_of(response.language),
        user_id=_user_id(response),
    )


def _metadata(response: Payload, options: Options) -> Told:
    known = not _is_deleted(response.user)
    user = members_of(response.user) if known else Members()
    traits = members_of(user["traits"]) | (members_of(response.traits) if known else {})
    groups, device = members_of(user["groups"]), members_of(response.device)
    method = text_of(response.method)
    return Told(
        method=brief(METHODS.get(method.casefold(), method) if method else None),
        category=brief(text_of(response.category)),
        event=brief(text_of(response.event)),
        dismissed=gently(response.dismissed, bool),
        pending=gently(response.pending, bool),
        device=brief(text_of(device["type"])),
        os=brief(text_of(device["os"])),
        location=_location(response.location),
        referrer=brief(address_of(response.referrer)),
        attributes=attributes(traits, options.attributes),
        groups=attributes(groups, sorted(groups)[:MAX_GROUPS]) or None,
    )


def _location(raw: Raw) -> Location | None:
    place = members_of(_nested(raw))
    country, region = members_of(place["country"]), members_of(place["region"])
    location = Location(
        country_code=brief(text_of(country["code"])),
        country=brief(text_of(country["name"])),
        region=brief(text_of(region["name"]) or text_of(region["code"])),
        city=brief(text_of(place["city"])),
    )
    return None if location == Location() else location


def _read(question: Question[Element], value: object) -> Answers:
    if value is None:
        return
    if blank(value):
        yield question.skip("empty")
    elif reader := READERS.get(question.asked.kind or ""):
        yield from reader(question, value)
    else:
        yield from by_shape(question, value, "rating")


def _words(question: Question[Element], value: object) -> Answers:
    text = as_lines(value)
    if text is None:
        yield question.skip("unparseable", "not a text")
    else:
        yield question.record("text", text=text.strip(), coerced=not isinstance(value, str))


def _one_choice(question: Question[Element], value: object) -> Answers:
    """Options have no ids: the label is all there is."""
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    text = as_text(only)
    if text is None:
        yield from by_entry(question, value, coerced=True)
    else:
        yield question.record("categorical", text=text, coerced=value is not text)


def _many_choices(question: Question[Element], value: object) -> Answers:
    return by_entry(question, value, coerced=not isinstance(value, list))


READERS: Mapping[str, Callable[[Question[Element], object], Answers]] = {
    "nps": partial(score, kind="nps"),
    "csat": partial(score, kind="csat"),
    "ces": partial(score, kind="ces"),
    "scale": partial(score, kind="rating"),
    "smiley": partial(score, kind="rating"),
    "long-text": _words,
    "short-text": _words,
    "single-choice": _one_choice,
    "radio": _one_choice,
    "multiple-choice": _many_choices,
}

ABOUT = About(
    title="SatisMeter",
    source_type=SOURCE_TYPE,
    responses=[
        "a webhook delivery (completed, dismissed)",
        "a page of responses as the API v3 or the older export answers, or a list of them",
        "the body of a request that inserts a response",
    ],
    forms=["the statistics of a campaign as the API v3 answers, with its name and type beside data"],
    question_types=list(READERS),
)
