"""Typeform: pages of its Responses API, old and new, webhook deliveries, complete and partial, and form definitions.

A question is known by its field id: refs may be missing, titles and labels may come twice. A page of the API has neither titles
nor options; a delivery brings a definition without scales and groups. So what both say is read with the stored form.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import zip_longest

import msgspec
from msgspec import Raw, Struct

from hub.model import EARLIEST, LATEST, Draft, Status
from hub.sources.answers import (
    Answers,
    Asked,
    Display,
    Metadata,
    Question,
    consent,
    day,
    not_feedback,
    on_their_own,
    personal_data,
    score,
)
from hub.sources.choices import Choice, Choices, choices_of
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
    address_of,
    as_lines,
    as_text,
    attributes,
    blank,
    brief,
    digest,
    encoded,
    gently,
    instant_of,
    items_of,
    joined,
    members_of,
    one_spelling,
    text_of,
)

SOURCE_TYPE = "typeform"

EVENTS: Mapping[str, Status] = {"form_response": "completed", "form_response_partial": "partial"}
RANKS: Mapping[str, int] = {"started": 0, "partial": 1, "completed": 2}
# True of one snapshot and not of the next.
MOMENTARY = ("response_type", "submitted_at", "staged_at", "collected_at")
# Hidden fields that name the person; the first of these that is there counts.
USER_NAMES = ("user_id", "userid", "customer_id", "customerid")
OTHER = "other"
LEGACY_TYPES = {
    "textfield": "short_text",
    "textarea": "long_text",
    "list": "multiple_choice",
    "opinion-scale": "opinion_scale",
}
# Children of these are names and addresses that look like any other text.
PRIVATE_GROUPS = ("contact_info", "address")
PRIVATE_ANSWERS = ("email", "phone_number", "url", "file_url", "signature")
# In Typeform a scale has at most 11 steps; what is far beyond is none.
WIDEST = 100
MOST_VARIABLES = 100

_BOLD = re.compile(r"(?<!\w)\*(?=\S)([^*]+)(?<=\S)\*(?!\w)")
_ITALIC = re.compile(r"(?<!\w)_(?=\S)([^_]+)(?<=\S)_(?!\w)")
_STRUCTURE = re.compile("D+|M+|Y+")


class Payload(Struct, frozen=True):
    """A response of either channel. Each member is read by itself, so that a strange one does not cost the others."""

    form_id: Raw = ABSENT
    response_id: Raw = ABSENT
    token: Raw = ABSENT
    landing_id: Raw = ABSENT
    response_type: Raw = ABSENT
    landed_at: Raw = ABSENT
    staged_at: Raw = ABSENT
    submitted_at: Raw = ABSENT
    collected_at: Raw = ABSENT
    metadata: Raw = ABSENT
    hidden: Raw = ABSENT
    calculated: Raw = ABSENT
    variables: Raw = ABSENT
    answers: Raw = ABSENT
    thankyou_screen_ref: Raw = ABSENT
    ending: Raw = ABSENT
    tags: Raw = ABSENT
    definition: Raw = ABSENT
    test: Raw = ABSENT
    known_as: Raw = ABSENT


class Details(Metadata, frozen=True, kw_only=True, omit_defaults=True):
    """What Typeform tells of a response beyond what every source does."""

    answer_type: str | None = None
    ref: str | None = None
    variables: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    score: int | float | None = None
    ending_ref: str | None = None
    response_type: str | None = None
    platform: str | None = None
    browser: str | None = None
    user_agent: str | None = None
    landed_at: datetime | None = None
    parent_field_id: str | None = None
    inferred: list[str] = msgspec.field(default_factory=list)
    test: bool = False


class Pick(Struct, frozen=True):
    """An option as an answer names it."""

    id: str | None = None
    ref: str | None = None
    label: str | None = None
    other: str | None = None
    """What was written instead of choosing."""


class Field(Asked, frozen=True, kw_only=True):
    """A question of a form. Rows of a matrix and questions of a group are fields with a parent."""

    ref: str | None = None
    parent: "Field | None" = None
    private: bool = False
    several: bool = False
    choices: Choices = Choices()
    refs: Mapping[str, Choice] = {}
    date_format: str = ""
    before: "Field | None" = None
    """As it was when the response was given, if the response tells."""

    def choice(self, pick: Pick) -> Choice:
        """The option, by its id; by ref or label where an answer has none. One that nobody knows has what the answer says."""
        found = self.known(pick) or (self.before.known(pick) if self.before else None)
        choice_id = pick.id or (found.id if found else None)
        today = self.choices.by_id.get(choice_id or "") or found
        label = (today.label if today else None) or pick.label or choice_id or pick.ref or ""
        return Choice(choice_id, label)

    def known(self, pick: Pick) -> Choice | None:
        if pick.id:
            return self.choices.by_id.get(pick.id)
        return self.refs.get(pick.ref or "") or self.choices.labeled(pick.label or "", None)


class Definition(Form, frozen=True, kw_only=True):
    """A form as its owner made it."""

    language: str | None
    questions: Mapping[str, Field]


def unpack(body: Raw) -> list[Raw]:
    """Responses from a page, a webhook delivery, a list of either, or a response as it is."""
    whole = gently(body, list[Raw])
    if whole is not None:
        return [response for item in whole for response in _responses(item)]
    listed = gently(members_of(body)["items"], list[Raw])
    if listed is not None:
        return listed
    envelope = members_of(body)
    named = envelope.keys() & {"token", "response_id", "landing_id"}
    if "event_type" in envelope or (named and envelope.keys() & {"landed_at", "submitted_at", "answers"}):
        return _responses(body)
    raise NotOfSourceError("Expected a page of Typeform responses, a webhook delivery, or a response")


def _responses(item: Raw) -> list[Raw]:
    """The response of a delivery, with what only the envelope tells; none of an event of a later version."""
    envelope = members_of(item)
    if "event_type" not in envelope:
        return [item]
    event = text_of(envelope["event_type"]) or ""
    response = members_of(envelope["form_response"])
    if event not in EVENTS and "event_id" in envelope:
        return []
    if event not in EVENTS or not response:
        raise NotOfSourceError("Expected a Typeform delivery with a form_response")
    said = {"response_type": encoded(EVENTS[event])}
    # What the dashboard sends on "Send test request".
    if response["token"] == envelope["event_id"] and response["landed_at"] == response["submitted_at"]:
        said["test"] = encoded(True)
    return [joined(response, said)]


def snapshot(item: Raw, given: Given) -> Snapshot:
    """One response. What has to be inferred is written into the payload, for it must not change when another is merged."""
    response = gently(item, Payload)
    if response is None:
        raise UnreadableError("Expected an object")
    if response.answers not in (ABSENT, NULL) and gently(response.answers, list[Raw]) is None:
        raise UnreadableError("answers must be a list")
    names = (response.response_id, response.token, response.landing_id)
    token = next((name for name in map(_name_of, names) if name), None)
    if token is None and given.submission_id is None:
        raise UnreadableError("response_id or token is required")
    form_id = _name_of(response.form_id) or _name_of(members_of(response.definition)["id"]) or given.form_id
    if form_id is None:
        raise FormNeededError
    status, collected_at = _status(response), _collected_at(response)
    started_at, submitted_at = _moment(response.landed_at), _moment(response.submitted_at)
    completed_at = submitted_at if status == "completed" else None
    seconds = (completed_at - started_at).total_seconds() if completed_at and started_at else -1
    ending = text_of(response.thankyou_screen_ref) or text_of(members_of(response.ending)["ref"])
    known_as = _known_as(response, given)
    inferred = {
        "form_id": form_id,
        "response_type": status,
        "thankyou_screen_ref": ending,
        "collected_at": collected_at,
        "known_as": known_as,
    }
    stated = {name: encoded(value) for name, value in inferred.items() if value is not None}
    return Snapshot(
        submission_id=fitting_id(f"{form_id}:{token}") if token else fitting_id(given.submission_id or ""),
        form_id=fitting_id(form_id),
        user_id=_user_id(response) or known_as,
        status=status,
        started_at=started_at,
        completed_at=completed_at,
        duration_seconds=seconds if seconds >= 0 else None,
        order=_order(response),
        asked=frozenset(field.id for field in _fields(members_of(response.definition)["fields"])),
        payload=joined(members_of(item), stated),
    )


def _status(response: Payload) -> Status:
    said, submitted = text_of(response.response_type), _moment(response.submitted_at)
    for status in EVENTS.values():
        if said == status:
            return status
    if said == "started":
        return "started"
    return "completed" if submitted else "partial" if items_of(response.answers) else "started"


def _order(response: Payload) -> str:
    submitted = _moment(response.submitted_at)
    return f"{RANKS[_status(response)]} {submitted.isoformat(timespec='microseconds') if submitted else ''}"


def _collected_at(response: Payload) -> datetime | None:
    known = (response.collected_at, response.submitted_at, response.staged_at, response.landed_at)
    return next((moment for moment in map(_moment, known) if moment), None)


def _moment(raw: Raw) -> datetime | None:
    """An instant. What was never submitted has the year 1."""
    instant = instant_of(raw)
    return instant if instant and EARLIEST < instant <= LATEST else None


def _user_id(response: Payload) -> str | None:
    hidden = {name.casefold(): value for name, value in members_of(response.hidden).items()}
    found = (_name_of(hidden.get(name, ABSENT)) for name in USER_NAMES)
    user_id = next((user_id for user_id in found if user_id), None)
    return fitting_id(user_id) if user_id else None


def _known_as(response: Payload, given: Given) -> str | None:
    """Who answered with an e-mail address, if it is one: of several nobody can tell whose they are."""
    said = {
        one_spelling(address)
        for answer in items_of(response.answers)
        if (address := text_of(members_of(answer)["email"]))
    }
    if given.known_as and len(said) == 1:
        return given.known_as(said.pop())
    return text_of(response.known_as)


def _name_of(raw: Raw) -> str | None:
    return _name(gently(raw, object))


def _name(value: object) -> str | None:
    """An id: a text, or a number in payloads of 2016."""
    text = as_text(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    return text if text and text.strip() else None


def merge(stored: Raw, new: Raw) -> Raw:
    """The API has platform, browser and tags, a delivery its definition: what the new payload does not mention stays.

    `answers: null` says nothing either, for a pull may leave them out.
    """
    before, now = members_of(stored), {name: value for name, value in members_of(new).items() if value != NULL}
    moments = [_collected_at(msgspec.json.decode(payload, type=Payload)) for payload in (stored, new)]
    same = _order(msgspec.json.decode(stored, type=Payload)) == _order(msgspec.json.decode(new, type=Payload))
    known = [moment for moment in (moments if same else moments[1:]) if moment]
    now.pop("collected_at", None)
    kept = {name: value for name, value in before.items() if name not in now and name not in MOMENTARY}
    return joined(kept, now, {"collected_at": encoded(min(known))} if known else {})


def form(definition: Raw) -> Definition:
    """A form as the Create API answers it, or the definition in a webhook delivery."""
    found = members_of(definition)
    if gently(found["fields"], list[Raw]) is None:
        raise NotOfSourceError("Expected a Typeform form with fields")
    fields = {field.id: field for field in _fields(found["fields"])}
    return Definition(
        form_id=_name_of(found["id"]),
        name=text_of(found["title"]),
        fields=sum(field.type not in HOLDERS for field in fields.values()),
        asked=frozenset(fields),
        language=text_of(members_of(found["settings"])["language"]),
        questions=fields,
    )


def _fields(listed: Raw, parent: Field | None = None) -> Iterator[Field]:
    for item in items_of(listed):
        members = members_of(item)
        field = _field(members, parent)
        if field:
            yield field
            yield from _fields(members_of(members["properties"])["fields"], field)


def _field(members: Members, parent: Field | None) -> Field | None:
    field_id, kind, properties = _name_of(members["id"]), _kind(members["type"]), members_of(members["properties"])
    if field_id is None or kind is None:
        return None
    # A delivery has the options and what may be done with them beside the properties.
    choices, refs = _choices(properties["choices"] if "choices" in properties else members["choices"])
    several = (properties["allow_multiple_selection"], members["allow_multiple_selections"])
    structure = _STRUCTURE.findall(text_of(properties["structure"]) or "")
    letters = {"D": "d", "M": "M", "Y": "y"}
    return Field(
        id=field_id,
        type=kind,
        label=_plain(text_of(members["title"]) or "") or field_id,
        scale=_scale(kind, properties),
        display=_display(kind, text_of(properties["shape"])),
        ref=text_of(members["ref"]),
        parent=parent,
        private=kind in PRIVATE_GROUPS or bool(parent and parent.private),
        several=any(gently(flag, bool) for flag in several),
        choices=choices,
        refs=refs,
        date_format="-".join(letters[part[0]] for part in structure),
    )


def _kind(raw: Raw) -> str | None:
    kind = text_of(raw)
    return LEGACY_TYPES.get(kind, kind) if kind else None


def _choices(listed: Raw) -> tuple[Choices, Mapping[str, Choice]]:
    labeled: list[tuple[Choice, Mapping[str, str]]] = []
    refs: dict[str, Choice] = {}
    for item in items_of(listed):
        members = members_of(item)
        choice_id, label = _name_of(members["id"]), text_of(members["label"])
        choice = Choice(choice_id, label or choice_id or "")
        labeled.append((choice, {"default": label} if label else {}))
        if ref := text_of(members["ref"]):
            refs.setdefault(ref, choice)
    return choices_of(labeled), refs


def _scale(kind: str, properties: Members) -> Scale | None:
    if kind == "nps":
        return Scale(0, 10)
    steps = gently(properties["steps"], int) or 0
    if not 1 < steps <= WIDEST:
        return None
    first = 1 if kind == "rating" or gently(properties["start_at_one"], bool) else 0
    return Scale(first, first + steps - 1) if kind in ("rating", "opinion_scale") else None


def _display(kind: str | None, shape: str | None) -> Display | None:
    if kind in ("nps", "opinion_scale"):
        return "number"
    return "star" if kind == "rating" and shape == "star" else None


def _plain(title: str) -> str:
    """A title in one line and without its marks of emphasis. What it recalls of other answers stays a token."""
    return " ".join(_ITALIC.sub(r"\1", _BOLD.sub(r"\1", title)).split())


def flatten(payload: Raw, form: Definition | None, options: Options) -> Answers:
    """Questions in the order of the form, then those it does not have: the order of the answers means nothing."""
    response = msgspec.json.decode(payload, type=Payload)
    came_along = _came_along(response)
    now, then = form.questions if form else {}, came_along.questions if came_along else {}
    shared, metadata = _shared(response, form, came_along), _metadata(response, options)
    places = {field_id: place for place, field_id in enumerate({**now, **then})}
    answers = [members_of(answer) for answer in items_of(response.answers) if answer != NULL]
    asked = [(_name_of(members_of(answer["field"])["id"]) or "", answer) for answer in answers]
    for field_id, answer in sorted(asked, key=lambda pair: (places.get(pair[0], len(places)), pair[0])):
        field = _asked(field_id, _kind(members_of(answer["field"])["type"]), now.get(field_id), then.get(field_id))
        known = msgspec.structs.replace(
            metadata,
            ref=brief(field.ref or text_of(members_of(answer["field"])["ref"])),
            definition_missing=field_id not in places,
        )
        yield from _read(Question(field, shared, known, options), answer)
    yield from on_their_own("hidden", members_of(response.hidden), options.hidden_fields, shared, metadata)
    variables = {"score": members_of(response.calculated)["score"], **_values_of(response.variables)}
    yield from on_their_own("variable", variables, options.variables, shared, metadata)


def _came_along(response: Payload) -> Definition | None:
    """The definition in a delivery: it knows questions that have left the form since."""
    try:
        return form(response.definition)
    except NotOfSourceError:
        return None


def _asked(field_id: str, kind: str | None, now: Field | None, then: Field | None) -> Field:
    """The question as it was answered: one that is of another type today keeps its label, its scale is not known."""
    field = now or then or Field(id=field_id, label=field_id)
    if kind is not None and kind != field.type:
        scale = _scale(kind, Members())
        field = msgspec.structs.replace(field, type=kind, scale=scale, display=_display(kind, None))
    return msgspec.structs.replace(field, before=then) if now and then else field


def _shared(response: Payload, form: Definition | None, came_along: Definition | None) -> Draft:
    names = [definition.name for definition in (form, came_along) if definition and definition.name]
    return Draft(
        collected_at=_collected_at(response),
        source_type=SOURCE_TYPE,
        source_id=_name_of(response.form_id),
        source_name=names[0] if names else None,
        field_id="",
        field_type="text",
        language=form.language if form else None,
        user_id=_user_id(response) or text_of(response.known_as),
    )


def _metadata(response: Payload, options: Options) -> Details:
    seen = members_of(response.metadata)
    return Details(
        url=brief(address_of(seen["referer"])),
        tags=sorted({text for tag in items_of(response.tags) if (text := brief(text_of(tag)))})[:100],
        attributes=attributes(members_of(response.hidden), options.attributes),
        variables=_variables(response.variables),
        score=_number_of(members_of(response.calculated)["score"]),
        ending_ref=brief(text_of(response.thankyou_screen_ref)),
        response_type=_status(response),
        platform=brief(text_of(seen["platform"])),
        browser=brief(text_of(seen["browser"])),
        user_agent=brief(text_of(seen["user_agent"])),
        landed_at=_moment(response.landed_at),
        test=gently(response.test, bool) or False,
    )


def _variables(listed: Raw) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {}
    for name, raw in _values_of(listed).items():
        key, number = brief(name), _number_of(raw)
        value = brief(text_of(raw)) if number is None else number
        if key and value is not None:
            found[key] = value
    return found


def _values_of(listed: Raw) -> dict[str, Raw]:
    """Variables by their key, each a number or a text."""
    found: dict[str, Raw] = {}
    for variable in map(members_of, items_of(listed)[:MOST_VARIABLES]):
        if key := text_of(variable["key"]):
            number = variable["number"]
            found[key] = variable["text"] if _number_of(number) is None else number
    return found


def _number_of(raw: Raw) -> int | float | None:
    """A number that stays whole where it is: 7 is not 7.0 to who reads metadata."""
    number = gently(raw, object)
    return number if isinstance(number, (int, float)) and not isinstance(number, bool) else None


def _read(question: Question[Field], answer: Members) -> Answers:
    kind, (said, value) = question.asked.type, _value(answer)
    read = READERS.get(kind) if kind else BY_ANSWER.get(said or "")
    if value is None:
        return
    # An option that was written and not chosen is ticked, with or without a text.
    if blank(value) and not (isinstance(value, dict) and isinstance(value.get("other"), str)):
        yield question.skip("empty")
    elif question.asked.private or (said in PRIVATE_ANSWERS and read is not not_feedback):
        yield from _grouped(question, personal_data(question.noted(answer_type=brief(said)), value))
    elif read is None:
        yield question.skip("unsupported_type", f"questions of type {(kind or said or '')[:50]} are not known")
    else:
        yield from _grouped(question, read(question.noted(answer_type=brief(said)), value))


def _value(answer: Members) -> tuple[str | None, object]:
    """What was answered, and the name it stands under."""
    said = text_of(answer["type"])
    name = said if said in answer else next((name for name in BY_ANSWER if name in answer), "")
    value = gently(answer[name or ""], object)
    if name == "choices" and isinstance(value, dict):
        value = {"ids": None, **value}  # a list also where nothing but a text was written
    return name or said, value


def _grouped(question: Question[Field], answers: Answers) -> Answers:
    """Records of a question in a group name the group, unless they are parts of the question itself."""
    parent = question.asked.parent
    for draft in answers:
        if isinstance(draft, Skipped) or parent is None or (draft.field_group_id and parent.type != "matrix"):
            yield draft
        else:
            yield msgspec.structs.replace(draft, field_group_id=parent.id, field_group_label=parent.label)


def _text(question: Question[Field], value: object) -> Answers:
    if isinstance(value, dict):  # multi_format; what was said aloud has a transcript some time later
        value = next((value[name] for name in ("text", "transcript") if not blank(value.get(name, ""))), "")
    text = as_lines(value)
    if text is None:
        yield question.skip("unparseable", "not a text")
    elif not text.strip():
        yield question.skip("empty", "there is no transcript yet")
    else:
        yield question.record("text", text=text, coerced=not isinstance(value, str))


def _opinion_scale(question: Question[Field], value: object) -> Answers:
    """Forms that are older than the question type `nps` ask for it with an opinion scale."""
    if question.asked.scale != Scale(0, 10) or "recommend" not in question.asked.label.casefold():
        return score(question, value, "rating")
    return score(question.noted(inferred=["field_type"]), value, "nps")


def _flag(question: Question[Field], value: object) -> Answers:
    if isinstance(value, bool):
        yield question.record("boolean", boolean=value)
    else:
        yield question.skip("unparseable", "neither true nor false")


def _date(question: Question[Field], value: object) -> Answers:
    """The API writes midnight UTC, a delivery the date alone."""
    return day(question, value, question.asked.date_format)


def _chosen(question: Question[Field], value: object) -> Answers:
    """One record; where several may be chosen, one for each option. The API names an option of a dropdown by its label alone."""
    field, picks = question.asked, _picks(value)
    if picks is None:
        yield question.skip("unparseable", "not an option or a list of them")
        return
    if not picks:
        yield question.skip("empty")
    listed = isinstance(value, list) or (
        isinstance(value, dict) and not value.keys().isdisjoint(("ids", "refs", "labels"))
    )
    several = field.several or len(picks) > 1 or (listed and field.type != "dropdown") or field.type == "checkbox"
    question = _in_parts(question) if several else question
    if field.type == "dropdown":
        question = question.noted(answer_type="choices" if several else "choice")
    seen: set[tuple[str | None, str | None]] = set()
    written: set[str] = set()
    for pick in picks:
        if pick.id == OTHER or pick.other is not None:
            yield from _other(question, pick.other or "", written, several=several)
            continue
        key, choice = (pick.id, pick.ref), field.choice(pick)
        # Two options may have the same label: only an id can come twice by mistake.
        if key == (None, None) or key not in seen:
            seen.add(key)
            part = choice.part if several else None
            yield question.record("categorical", part=part, text=choice.label, value_id=choice.id)


def _other(question: Question[Field], text: str, written: set[str], *, several: bool) -> Answers:
    if not text.strip():
        yield question.skip("empty", "other was ticked without a text", part=OTHER)
    elif text not in written:
        part = f"{OTHER}_{digest(text)}" if written else OTHER
        written.add(text)
        yield question.record("categorical", part=part if several else None, text=text, value_id=OTHER)


def _ranking(question: Question[Field], value: object) -> Answers:
    """One record per ranked item: 1 is the best."""
    picks = _picks(value)
    if picks is None:
        yield question.skip("unparseable", "not a list of items")
        return
    if not picks:
        yield question.skip("empty")
    question, ranked = _in_parts(question), set[str]()
    for rank, pick in enumerate(picks, 1):
        item = question.asked.choice(Pick(label=pick.other) if pick.other else pick)
        if item.part not in ranked:
            ranked.add(item.part)
            yield question.record("number", part=item.part, label=item.label, number=rank, total_items=len(picks))


def _in_parts(question: Question[Field]) -> Question[Field]:
    """A part of a question in a group has two parents: one in its columns, the other in its metadata."""
    field, parent = question.asked, question.asked.parent
    if parent is None:
        return question
    return question.noted(parent_field_id=field.id if parent.type == "matrix" else parent.id)


def _picks(value: object) -> list[Pick] | None:
    """What was chosen: a label, an option, parallel lists of ids, refs and labels, or a list of options."""
    if isinstance(value, str):
        return [Pick(label=value)]
    if isinstance(value, list):
        lists = [_picks(item) for item in value if item is not None]
        return None if None in lists else [pick for picks in lists for pick in picks or ()]
    if not isinstance(value, dict):
        return None
    other = value.get("other")
    columns = [column if isinstance(column := value.get(name), list) else [] for name in ("ids", "refs", "labels")]
    if any(columns) or not value.keys().isdisjoint(("ids", "refs", "labels")):
        picks = [Pick(*map(_name, row)) for row in zip_longest(*columns)]
        # The option that stands for the written text is told of by the text.
        named = [pick for pick in picks if pick != Pick() and (pick.id != OTHER or not isinstance(other, str))]
        return [*named, Pick(other=other)] if isinstance(other, str) else named
    pick = Pick(*(_name(value.get(name)) for name in ("id", "ref", "label")))
    if isinstance(other, str) and (other.strip() or pick.id in (None, OTHER)):
        return [Pick(other=other)]
    return [pick] if pick != Pick() else []


def _unsupported(question: Question[Field], value: object) -> Answers:  # noqa: ARG001 - a reader like the others
    yield question.skip("unsupported_type")


Reader = Callable[[Question[Field], object], Answers]

READERS: Mapping[str, Reader] = {
    "nps": partial(score, kind="nps"),
    "opinion_scale": _opinion_scale,
    "rating": partial(score, kind="rating"),
    "number": partial(score, kind="number"),
    "short_text": _text,
    "long_text": _text,
    "multi_format": _text,
    "multiple_choice": _chosen,
    "picture_choice": _chosen,
    "dropdown": _chosen,
    "checkbox": _chosen,
    "ranking": _ranking,
    "matrix": _unsupported,
    "group": _unsupported,
    "inline_group": _unsupported,
    "yes_no": _flag,
    "date": _date,
    "time": _unsupported,
    "legal": consent,
    "payment": not_feedback,
    "calendly": not_feedback,
    "google_calendar": not_feedback,
    "statement": not_feedback,
    "email": personal_data,
    "phone_number": personal_data,
    "website": personal_data,
    "file_upload": personal_data,
    "signature": personal_data,
    "contact_info": personal_data,
    "address": personal_data,
}
HOLDERS = ("matrix", "group", "inline_group", "contact_info", "address", "statement")
# An answer whose question has no type is taken by its own.
BY_ANSWER: Mapping[str, Reader] = {
    "text": _text,
    "choice": _chosen,
    "choices": _chosen,
    "boolean": _flag,
    "number": partial(score, kind="number"),
    "date": _date,
    "multi_format": _text,
    "payment": not_feedback,
    "email": personal_data,
    "phone_number": personal_data,
    "url": personal_data,
    "file_url": personal_data,
    "signature": personal_data,
}

ABOUT = About(
    title="Typeform",
    source_type=SOURCE_TYPE,
    responses=[
        "a page of the Responses API, which needs form_id, or one of its items",
        "a webhook delivery (form_response, form_response_partial)",
    ],
    forms=["a form as the Create API answers it"],
    question_types=list(READERS),
)
