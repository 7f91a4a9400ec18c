"""Every struct that crosses the wire or the database.

One set of fields, three degrees of trust: a `Draft` claims to be a record, a `NewRecord` is one, a `Record` is stored.
msgspec checks a struct when it is decoded or converted, never when it is constructed; so only flatteners construct drafts,
and a `NewRecord` comes out of `decode` or `convert` alone.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode
from uuid import UUID

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

FieldType = Literal["text", "categorical", "nps", "csat", "ces", "rating", "number", "boolean", "date"]
Sentiment = Literal["very_negative", "negative", "neutral", "positive", "very_positive", "mixed"]
Emotion = Literal["joy", "anger", "sadness", "fear", "surprise", "disgust"]
Status = Literal["started", "partial", "completed", "dismissed"]
Segment = Literal["promoter", "passive", "detractor"]

_LITERALS = {
    frozenset(get_args(literal)): get_args(literal) for literal in (FieldType, Sentiment, Emotion, Status, Segment)
}


def in_order(values: Iterable[object]) -> tuple[str, ...]:
    """The values of a closed set as they are written above; msgspec's own list of them is sorted."""
    known = tuple(str(value) for value in values)
    return _LITERALS.get(frozenset(known), known)


EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2080, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
LARGEST_NUMBER = 1e15
MAX_DEPTH = 128
MAX_PATH = 255
MAX_PATHS = 10
# The unique index cannot hold a larger key: an eighth of a page, less its own overhead.
MAX_KEY_BYTES = 2600


def key_bytes(*parts: str) -> int:
    """How much of an index entry a key of these parts takes."""
    return sum(len(part) if part.isascii() else len(part.encode()) for part in parts)


# Patterns are for readers of the published schema; what breaks them is refused elsewhere, in the contract's words.
_TIME = (
    r"-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def _text(least: int, most: int, pattern: str = "^[^\\u0000]*$") -> Meta:
    return Meta(min_length=least or None, max_length=most, extra_json_schema={"pattern": pattern})


def _instant(years: str, description: str) -> Meta:
    return Meta(tz=True, description=description, extra_json_schema={"pattern": f"^{years}{_TIME}"})


Key = Annotated[str, _text(1, 255)]
NOT_BLANK = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
TenantId = Annotated[str, _text(1, 255, NOT_BLANK)]
UserId = Annotated[str, _text(1, 255, NOT_BLANK)]
Name = Annotated[str, _text(0, 255)]
Names = tuple[Name, ...]
Label = Annotated[str, _text(0, 2048)]
Wanted = Annotated[str, _text(0, 1000)]
Text = Annotated[str, _text(0, 30000)]
Language = Annotated[str, _text(0, 10)]
Number = Annotated[float, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Score = Annotated[float, Meta(ge=-1, le=1)]
Instant = Annotated[
    datetime, _instant("(19[7-9][0-9]|20([0-7][0-9]|80))", "RFC 3339 with an offset, 1970-01-01 to 2080-12-31, UTC")
]
Bound = Annotated[datetime, _instant("[1-9][0-9]{3}", "RFC 3339 with an offset; this moment is included")]
Timestamp = Annotated[str, Meta(description="RFC 3339, UTC", extra_json_schema={"format": "date-time"})]
Metadata = Annotated[
    Raw,
    Meta(
        description="Any JSON object; null is none",
        extra_json_schema={
            "type": ["object", "null"],
            "propertyNames": {"pattern": "^[^\\u0000]*$"},
            "additionalProperties": {"$ref": "#/components/schemas/Json"},
        },
    ),
]
StoredMetadata = Annotated[Raw, Meta(description="Any JSON object", extra_json_schema={"type": "object"})]

# msgspec knows no `Raw | None`: an empty Raw stands for "no metadata", and `omit_defaults` leaves it out.
NO_METADATA = Raw()


class Draft(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a flattener yields: it claims to be a record, and nothing in it was checked yet."""

    collected_at: Instant | None = None
    source_type: Key
    source_id: Name | None = None
    source_name: Name | None = None
    field_id: Key
    field_label: Label | None = None
    field_type: FieldType
    field_group_id: Name | None = None
    field_group_label: Label | None = None
    value_text: Text | None = None
    value_id: Name | None = None
    value_number: Number | None = None
    value_boolean: bool | None = None
    value_date: Instant | None = None
    metadata: Metadata = NO_METADATA
    language: Language | None = None
    user_id: Name | None = None
    tenant_id: TenantId = ""
    submission_id: Key = ""


class NewRecord(Draft, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A record that may be stored: decoded from a request, or converted from a draft."""

    tenant_id: TenantId
    submission_id: Key


class TenantRecord(NewRecord, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A record sent with a key that is bound to one tenant, which may leave `tenant_id` out."""

    tenant_id: TenantId = ""


class RecordPatch(Struct, kw_only=True, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The members of a record that may change (RFC 7396): absent keeps, null clears."""

    value_text: Text | UnsetType | None = UNSET
    value_id: Name | UnsetType | None = UNSET
    value_number: Number | UnsetType | None = UNSET
    value_boolean: bool | UnsetType | None = UNSET
    value_date: Instant | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    language: Language | UnsetType | None = UNSET
    user_id: Name | UnsetType | None = UNSET


class Record(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A stored record as it leaves, members in the order of the wire."""

    id: UUID
    collected_at: Timestamp
    created_at: Timestamp
    updated_at: Timestamp
    source_type: Key
    source_id: Name | None = None
    source_name: Name | None = None
    field_id: Key
    field_label: Label | None = None
    field_type: FieldType
    field_group_id: Name | None = None
    field_group_label: Label | None = None
    value_text: Text | None = None
    value_id: Name | None = None
    value_number: float | None = None
    value_boolean: bool | None = None
    value_date: Timestamp | None = None
    metadata: StoredMetadata = NO_METADATA
    language: Language | None = None
    user_id: Name | None = None
    tenant_id: TenantId
    submission_id: Key
    value_text_translated: str | None = None
    translation_lang_key: str | None = None
    sentiment: Sentiment | None = None
    sentiment_score: Score | None = None
    emotions: list[Emotion] | None = None


class MetadataIs(Struct, frozen=True):
    """A member of metadata, by the names that lead to it joined with dots, and the texts it may be."""

    path: str
    values: tuple[Text, ...]


class RecordFilter(Struct, kw_only=True, frozen=True):
    """What a list, a count or an export selects. Several values of one parameter mean any of them; ranges are inclusive.

    The order of the members is the order of the parameters in `sql/queries/records/_filter.sql`.
    """

    tenant_id: TenantId
    submission_id: Names = ()
    source_type: Names = ()
    source_id: Names = ()
    source_name: Names = ()
    field_id: Names = ()
    field_type: tuple[FieldType, ...] = ()
    field_group_id: Names = ()
    value_id: Names = ()
    user_id: Names = ()
    language: tuple[Language, ...] = ()
    sentiment: tuple[Sentiment, ...] = ()
    emotions: tuple[Emotion, ...] = ()
    since: Bound | None = None
    until: Bound | None = None
    created_since: Bound | None = None
    created_until: Bound | None = None
    updated_since: Bound | None = None
    updated_until: Bound | None = None
    value_date_min: Bound | None = None
    value_date_max: Bound | None = None
    value_number_min: float | None = None
    value_number_max: float | None = None
    sentiment_score_min: Score | None = None
    sentiment_score_max: Score | None = None
    has_sentiment: bool | None = None
    has_emotions: bool | None = None
    has_translation: bool | None = None
    value_boolean: bool | None = None
    value_text: tuple[Text, ...] = ()
    metadata: Annotated[
        tuple[MetadataIs, ...],
        Meta(
            description="A member of metadata by its path, compared as text: `metadata.attributes.plan=pro`",
            extra_json_schema={
                "propertyNames": {"pattern": r"^metadata(\.[^.\u0000]+)+$", "maxLength": len("metadata.") + MAX_PATH},
                "maxProperties": MAX_PATHS,
                "additionalProperties": {"type": "string", "minLength": 1, "pattern": "^[^\\u0000]*$"},
            },
        ),
    ] = ()


def query_string(selection: Struct) -> str:
    """The parameters that list what a filter selects."""
    pairs: list[tuple[str, str]] = []
    for name in selection.__struct_fields__:
        value = getattr(selection, name)
        if isinstance(value, tuple):
            for each in value:
                if isinstance(each, MetadataIs):
                    pairs += [(f"metadata.{each.path}", text) for text in each.values]
                else:
                    pairs.append((name, each))
        elif value is not None:
            pairs.append((name, _spelled(value)))
    return urlencode(pairs)


def _spelled(value: object) -> str:
    if isinstance(value, datetime):
        return shown(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


class SubmissionFilter(Struct, kw_only=True, frozen=True):
    """What a list of submissions selects. Several values of one parameter mean any of them; ranges are inclusive.

    `since` and `until` compare when a submission was started; where that is not known when it was completed, else received.
    The order of the members is the order of the parameters in `sql/queries/submissions/page.sql`.
    """

    tenant_id: TenantId
    status: tuple[Status, ...] = ()
    source: Names = ()
    form_id: Names = ()
    user_id: Names = ()
    since: Bound | None = None
    until: Bound | None = None


def shown(moment: datetime) -> Timestamp:
    """A moment as the wire has it: UTC, `Z`, no trailing zeros."""
    text = moment.astimezone(UTC).isoformat().removesuffix("+00:00")
    return f"{text.rstrip('0') if moment.microsecond else text}Z"


class Created(Struct, frozen=True):
    """The record was stored."""

    id: UUID
    collected_at: datetime
    created_at: datetime


class Duplicate(Struct, frozen=True):
    """A record of the same tenant, submission and field was there first; `id` is its id."""

    id: UUID


Outcome = Created | Duplicate


class Page(Struct, frozen=True):
    """One page of a list. `next_cursor` is absent on the last one."""

    data: list[Record]
    limit: int
    next_cursor: str | UnsetType = UNSET


class FoundText(Record, kw_only=True, frozen=True, omit_defaults=True):
    """A text answer with what its submission scored. `highlight` is HTML: the text, or parts of it, with hits in `<mark>`."""

    nps: float | None = None
    highlight: str | None = None


class FoundPage(Struct, frozen=True, kw_only=True):
    """One page of a search. Not `complete`: texts are still being made ready, so that some may be missing."""

    data: list[FoundText]
    limit: int
    complete: bool
    next_cursor: str | UnsetType = UNSET


class Term(Struct, frozen=True, kw_only=True):
    """A word: `term` as it is compared, `label` as most texts spell it."""

    term: str
    label: str
    count: Annotated[int, Meta(ge=1, description="In how many texts it is")]
    share: Annotated[float, Meta(ge=0, le=100, description="Of the texts, in percent")]
    records: Annotated[str, Meta(description="The query string of the search that lists them")]


class Terms(Struct, frozen=True, kw_only=True):
    """The words of most texts. `texts` is how many were read: the latest of the selection, at most 20,000."""

    texts: Annotated[int, Meta(ge=0)]
    complete: bool
    terms: list[Term]


class Count(Struct, frozen=True):
    """How many records match."""

    count: Annotated[int, Meta(ge=0)]


class Erased(Struct, frozen=True):
    """How many records of a user were deleted."""

    deleted_count: Annotated[int, Meta(ge=0)]
    message: str


OnConflict = Literal["error", "skip", "update"]
Fate = Literal["created", "updated", "unchanged", "skipped", "duplicate"]
Total = Annotated[int, Meta(ge=0)]


class BatchSummary(Struct, frozen=True, kw_only=True):
    """How many items came, and what became of them."""

    received: Total = 0
    created: Total = 0
    updated: Total = 0
    unchanged: Total = 0
    skipped: Total = 0
    duplicate: Total = 0
    rejected: Total = 0


class StoredBatch(BatchSummary, frozen=True, kw_only=True):
    """The account of a batch. Without `finished_at` it runs still, or was broken off."""

    id: UUID
    format: Literal["json", "ndjson", "csv"]
    on_conflict: OnConflict
    started_at: datetime
    finished_at: datetime | UnsetType = UNSET
    undone_at: datetime | UnsetType = UNSET
    tenants: list[str]


class Undone(Struct, frozen=True, kw_only=True):
    """How many records of a batch were deleted, or would be."""

    batch_id: UUID
    dry_run: bool
    deleted_count: Total


class Reject(Struct, frozen=True, kw_only=True):
    """What could not be stored, and why: an item of a batch, or a payload that came through a connection.

    `position` is the index in a JSON batch, the line in a stream; `form_id` the form that a pulled payload was asked for by.
    """

    id: UUID
    batch_id: UUID | UnsetType = UNSET
    connection_id: UUID | UnsetType = UNSET
    form_id: str | UnsetType = UNSET
    position: Total
    tenant_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    raw: str
    status: int
    problem: Raw
    created_at: datetime
