"""The page as data: what the templates show, already in words and places."""

from typing import Literal

from msgspec import Struct

from hub.dashboard.charts import Pillars, Slice, Trend

Tone = Literal["good", "bad", ""]


class Choice(Struct, frozen=True, kw_only=True):
    """One of several; the value is an address where it is a link."""

    label: str
    value: str
    selected: bool = False


class Select(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    label: str
    choices: list[Choice]


class Chip(Struct, frozen=True, kw_only=True):
    """A filter that is on, and the way to take it off."""

    name: str
    value: str
    href: str


class Tile(Struct, frozen=True, kw_only=True):
    """A big number."""

    name: str
    value: str
    interval: str = ""
    change: str = ""
    tone: Tone = ""
    than: str = ""
    note: str = ""
    href: str | None = None
    spark: str | None = None
    look: str | None = None
    """The address at which this number is looked at over time."""
    selected: bool = False


class Share(Struct, frozen=True, kw_only=True):
    kind: str
    label: str
    count: int
    share: float | None
    href: str


class Row(Struct, frozen=True, kw_only=True):
    """A bucket in words, for whoever does not see the drawing."""

    label: str
    count: int
    value: str
    interval: str
    parts: list[int]
    href: str | None


class OverTime(Struct, frozen=True, kw_only=True):
    """A score and what it is made of."""

    title: str
    slices: list[Slice]
    shares: list[Share]
    trend: Trend
    before: list[str]
    bars: list[float]
    most: int
    rows: list[Row]
    parts: list[str]
    note: str
    bucket: str


class VolumeRow(Struct, frozen=True, kw_only=True):
    """How much came in a bucket, and in that of the period before."""

    label: str
    records: int
    submissions: int
    users: int
    href: str
    before_records: int | None
    before_submissions: int | None
    before_href: str | None


class VolumeOverTime(Struct, frozen=True, kw_only=True):
    """How much came."""

    drawing: Pillars
    rows: list[VolumeRow]
    bucket: str


class GroupRow(Struct, frozen=True, kw_only=True):
    label: str
    count: int
    low_sample: bool
    slices: list[Slice]
    value: str
    interval: str
    at: float | None
    low: float | None
    high: float | None
    spark: str | None
    change: str
    tone: Tone
    href: str | None
    records: str | None


class Groups(Struct, frozen=True, kw_only=True):
    title: str
    by: str
    note: str
    bounds: str
    parts: str
    zero: float | None
    rows: list[GroupRow]


class Nothing(Struct, frozen=True, kw_only=True):
    """Why there is nothing to see, and what to do about it."""

    title: str
    text: str
    href: str | None = None
    link: str = ""
    command: str = ""


class Bar(Struct, frozen=True, kw_only=True):
    """A row with a bar."""

    label: str
    width: float
    count: int
    href: str | None = None
    value: str = ""
    detail: str = ""


class Comment(Struct, frozen=True, kw_only=True):
    """A text, in parts that were searched for and parts that were not, and what its writer scored."""

    parts: list[tuple[str, bool]]
    language: str
    score: str
    kind: str
    note: str
    href: str


class Words(Struct, frozen=True, kw_only=True):
    """What was written."""

    q: str
    kept: list[tuple[str, str]]
    """The rest of the query, for the form of the search."""
    segments: list[Choice]
    terms: list[Bar]
    terms_of: str
    comments: list[Comment]
    more: str | None
    note: str


class Delivered(Struct, frozen=True, kw_only=True):
    """A source, and how much came from it."""

    label: str
    records: int
    submissions: int
    completed: float | None
    last: str
    href: str


class Sent(Struct, frozen=True, kw_only=True):
    """A batch, and what became of it."""

    label: str
    state: str
    received: int
    stored: int
    rejected: int


class Connected(Struct, frozen=True, kw_only=True):
    """A connection to a survey tool, and how it fares."""

    label: str
    status: str
    stored: int
    failed: int
    last: str


class Health(Struct, frozen=True, kw_only=True):
    """What comes in, and what does not."""

    sources: list[Delivered] = []
    connections: list[Connected]
    batches: list[Sent]
    rejects: list[Bar]


class Column(Struct, frozen=True, kw_only=True):
    """A bar of a histogram."""

    x: float
    left: float
    width: float
    height: float
    label: str
    share: str
    title: str
    href: str | None


class Stack(Struct, frozen=True, kw_only=True):
    """A row that is divided."""

    label: str
    count: int
    slices: list[Slice]
    href: str | None


class Question(Struct, frozen=True, kw_only=True):
    """The answers to one question, in one of three drawings."""

    label: str
    note: str
    href: str | None
    columns: list[Column] = []
    bars: list[Bar] = []
    stacks: list[Stack] = []
    keys: list[Share] = []


class Form(Struct, frozen=True, kw_only=True):
    """How far people got in one form: how many finished it, and how many answered each question."""

    label: str
    note: str
    href: str | None
    questions: list[Bar]


class Completions(Struct, frozen=True, kw_only=True):
    """How far people got, in each form."""

    forms: list[Form] = []
    note: str
    """What is not among them, and why."""
    href: str | None = None
    """The page without the filters that leave it unknown."""


class Overview(Struct, frozen=True, kw_only=True):
    tenant: str
    tenants: list[str]
    records: str
    """The query string of everything that is looked at."""
    kept: list[tuple[str, str]]
    """Parts of the query that are no filter of the form."""
    periods: list[Choice]
    first: str
    last: str
    selects: list[Select]
    intervals: list[Choice]
    chips: list[Chip]
    period: str
    compared: bool
    empty: Nothing | None = None
    tiles: list[Tile] = []
    over_time: OverTime | None = None
    groups: Groups | None = None
    volume: VolumeOverTime | None = None
    words: Words | None = None
    health: Health | None = None
    questions: list[Question] = []
    completions: Completions | None = None
