"""What a source is: the module it has to be, what it is given, and what it gives."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Literal, Protocol, TypeVar

from msgspec import Meta, Raw, Struct

from hub.model import Draft, Key, Status

F = TypeVar("F", bound="Form")
Reason = Literal[
    "empty", "personal_data", "needs_definition", "not_feedback", "unsupported_type", "out_of_range", "unparseable",
    "too_long", "erased", "retention",
]  # fmt: skip
Score = Literal["nps", "csat", "ces", "rating", "number"]
MAX_NAMES = 50
MAX_QUESTIONS = 500
FieldNames = Annotated[tuple[Key, ...], Meta(max_length=MAX_NAMES)]


class NotOfSourceError(Exception):
    """The payload is not one of this survey tool; the message says what was expected."""


class FormNeededError(Exception):
    """The payload does not name its form, and the request does not either."""


class UnreadableError(Exception):
    """The payload, or one submission in it, cannot be read; the message says why."""


class Skipped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer that became no record, and why."""

    submission_id: str = ""
    field_id: str
    reason: Reason
    detail: str = ""


class Scale(Struct, frozen=True, forbid_unknown_fields=True):
    """The lowest and the highest score that could be given."""

    min: int
    max: int

    def __post_init__(self) -> None:
        if self.min >= self.max:
            raise ValueError("min must be less than max")


class Override(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a question asks for, where its survey tool cannot say."""

    field_type: Score | None = None
    scale: Scale | None = None


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is wanted made of a payload. Kept with the submission: flattening it again must give the same."""

    attributes: FieldNames = ()
    """Names of hidden fields and contact attributes to copy to `metadata.attributes`. Nothing is copied unasked."""
    hidden_fields: FieldNames = ()
    """Names of hidden fields to make records of their own, `hidden__{name}`."""
    variables: FieldNames = ()
    """Names of variables to make records of their own, `variable__{name}`."""
    personal_data: bool = False
    """Names, addresses, phone numbers, files: as records that say so (`metadata.pii`), instead of `personal_data` skips."""
    consent: bool = False
    """Boxes that were ticked for legal reasons: as boolean records, instead of `not_feedback` skips."""
    completed_only: bool = False
    """Of a response that is not completed its submission alone, until it is."""
    questions: Annotated[dict[Key, Override], Meta(max_length=MAX_QUESTIONS)] = {}
    """By `field_id`: what it is a score of, and its scale."""


class Given(Struct, frozen=True, kw_only=True):
    """Ids that come with the request, for payloads that do not carry them."""

    submission_id: str | None = None
    form_id: str | None = None
    fresh_id: str | None = None
    """An id that nothing has yet, for a payload that asks to be a new submission each time it is sent."""
    known_as: Callable[[str], str] | None = None
    """The user that an e-mail address stands for: the address itself never is one."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """One submission as it was at one moment."""

    submission_id: str
    form_id: str | None
    user_id: str | None
    status: Status
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: float | None
    order: str
    """Sorts the snapshots of one submission; compared as text."""
    form_updated_at: datetime | None = None
    """When the form was last changed before it was answered, where the payload tells."""
    asked: frozenset[str] = frozenset()
    """The questions of the form as it was answered, where the payload tells."""
    payload: Raw


class Form(Struct, frozen=True, kw_only=True):
    """The part of a form definition that every source has."""

    form_id: str | None
    name: str | None
    fields: int
    updated_at: datetime | None = None
    asked: frozenset[str] = frozenset()


class About(Struct, frozen=True, kw_only=True):
    """What a source understands, in words for people."""

    title: str
    source_type: str
    responses: list[str]
    forms: list[str]
    question_types: list[str]
    takes_csv: bool = False
    """Whether responses may come as `text/csv`: then `unpack` is given `{"mapping", "rows"}`, the stored form and an object a row."""


class Source(Protocol[F]):
    """What a module in this folder provides."""

    ABOUT: About

    def unpack(self, body: Raw) -> list[Raw]:
        """The submissions in a request body: an object, a list, an envelope. Raises `NotOfSourceError`."""

    def snapshot(self, item: Raw, given: Given) -> Snapshot:
        """One submission. Raises `UnreadableError`, and `FormNeededError` when `form_id` has to come with the request."""

    def merge(self, stored: Raw, new: Raw) -> Raw:
        """The new payload, and what only another channel of the vendor had said in the stored one."""

    def form(self, definition: Raw) -> F:
        """Raises `NotOfSourceError`."""

    def flatten(self, payload: Raw, form: F | None, options: Options) -> Iterator[Draft | Skipped]:
        """One draft for each answered field, a skip for each answer that cannot be one."""
