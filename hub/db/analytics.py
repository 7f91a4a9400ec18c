"""Metrics of a selection of records: counted by Postgres, judged by `hub.metrics`. HTTP and the page ask the same functions."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby, pairwise
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Meta, Struct, structs

from hub import metrics, periods
from hub.db import Connection, Pool, query
from hub.db.records import arguments
from hub.metrics import (
    Bin,
    Boolean,
    Bucket,
    Categorical,
    Ces,
    Change,
    Csat,
    Group,
    Item,
    Mark,
    Measure,
    Nps,
    Number,
    Numbers,
    Option,
    Ranking,
    Rating,
    Report,
    Scale,
    Volume,
)  # fmt: skip
from hub.model import LARGEST_NUMBER, FieldType, MetadataIs, RecordFilter, Timestamp, query_string, shown
from hub.periods import Interval

MAX_BUCKETS = 1500
MAX_GROUPS = 50
MAX_OPTIONS = 200
MAX_FIELDS = 500

_FIELDS = query("analytics/fields")
_SCALES = query("analytics/scales")
_SPAN = query("analytics/span")
_LABELS = query("analytics/labels")
_ANSWER_LABELS = query("analytics/answer_labels")

# What records are grouped by, beside members of metadata and answers; and which of it has a name for people.
COLUMNS = (
    "source_type", "source_id", "source_name", "field_id", "field_type", "field_group_id", "value_id", "user_id", "language",
    "sentiment",
)  # fmt: skip
_LABELED = ("source_id", "field_id", "field_group_id", "value_id")
_FIELD = (
    "field_id", "field_type", "field_label", "field_group_id", "field_group_label", "source_type", "source_id", "source_name",
)  # fmt: skip

M = TypeVar("M", bound=Measure)
Row: TypeAlias = "asyncpg.Record"


_GROUP_BY = Meta(
    max_length=264,
    description="A column, a member of metadata, or the answer to another question of the same submission",
    extra_json_schema={
        "pattern": rf"^({'|'.join(COLUMNS)}|metadata(\.[^.\u0000]+)+|answer:[^\u0000]+)$",
        "examples": ["language", "metadata.attributes.plan", "answer:role"],
    },
)


class Division(Struct, kw_only=True, frozen=True):
    """How a selection is divided in time, and what it is compared with."""

    interval: Interval | None = None
    tz: Annotated[str, Meta(max_length=64, description="A time zone of the IANA database: `Europe/Berlin`")] = "UTC"
    compare: Literal["previous"] | None = None


class Breakdown(Division, kw_only=True, frozen=True):
    """How a selection of records is divided and what it is compared with."""

    group_by: Annotated[str, _GROUP_BY] | None = None
    latest_per_user: bool = False


class Cell(Struct, frozen=True):
    """What was counted of one group in one bucket, and on one scale where that matters."""

    counts: Row
    details: Sequence[Row] = ()

    @property
    def scale(self) -> Scale | None:
        low, high = self.counts["scale_min"], self.counts["scale_max"]
        return None if low is None or high is None else (low, high)


class Details(Struct, frozen=True):
    """A second statement that says more of each cell, and what it takes beside what the first one took."""

    statement: str
    arguments: Callable[[Sequence[Row]], tuple[object, ...]]


class Metric(Struct, Generic[M], frozen=True, kw_only=True):
    """A metric: the records it is about, the statements that count them, and what the counts mean."""

    name: str
    field_types: tuple[FieldType, ...] = ()
    statement: str
    measure: Callable[[Sequence[Cell]], M]
    compare: Callable[[M, M], Change] | None = None
    additive: bool = False
    """Whether the counts of parts add up to the count of the whole, which is then not asked for."""
    bounds: tuple[float, float] | None = None
    """For what is answered on a scale: between which numbers lies an answer whose scale is not known."""
    details: Details | None = None
    latest: Literal["record", "submission"] = "record"
    """What of a user is the latest: a question may have several records in a submission."""


class TooManyBuckets(Struct, frozen=True):
    """The period is too long for the interval."""


class MixedScales(Struct, frozen=True):
    """The answers are on several scales, which have no common mean: fields with their scale, None where it is not known."""

    fields: list[tuple[str, Scale | None]]


def _sum(cells: Iterable[Cell], name: str) -> int:
    """A count of all cells together."""
    return sum(cell.counts[name] for cell in cells)


def _scales(cells: Iterable[Cell]) -> list[Scale | None]:
    """The scales of the answers, each once."""
    return list(dict.fromkeys(cell.scale for cell in cells if cell.counts["answers"]))


def _nps(cells: Sequence[Cell]) -> Nps:
    return metrics.nps(
        records=_sum(cells, "records"),
        promoters=_sum(cells, "promoters"),
        passives=_sum(cells, "passives"),
        detractors=_sum(cells, "detractors"),
    )


def _csat(cells: Sequence[Cell]) -> Csat:
    scales = _scales(cells)
    return metrics.csat(
        records=_sum(cells, "records"),
        answers=_sum(cells, "answers"),
        satisfied=_sum(cells, "satisfied"),
        dissatisfied=_sum(cells, "dissatisfied"),
        total=sum(cell.counts["total"] for cell in cells),
        scale_max=(scales[0] or _CSAT)[1] if len(scales) == 1 else None,
    )


def _ces(cells: Sequence[Cell]) -> Ces:
    scales = _scales(cells)
    return metrics.ces(
        records=_sum(cells, "records"),
        answers=_sum(cells, "answers"),
        easy=_sum(cells, "easy"),
        total=sum(cell.counts["total"] for cell in cells),
        squares=sum(cell.counts["squares"] for cell in cells),
        scale=scales[0] if len(scales) == 1 else None,
        mixed=len(scales) > 1,
    )


def _rating(cells: Sequence[Cell]) -> Rating:
    found = _answered(cells)
    marks = [Mark(row["value"], row["records"]) for row in found.details] if found else None
    return Rating(**structs.asdict(_numbers(cells, found)), histogram=marks or None)


def _number(cells: Sequence[Cell]) -> Number:
    found = _answered(cells)
    bins = None
    if found and found.details:
        counts = {row["bin"]: row["records"] for row in found.details}
        bins = [
            Bin(low, high, counts.get(number, 0))
            for number, (low, high) in enumerate(pairwise(found.details[0]["edges"]), 1)
        ]
    return Number(**structs.asdict(_numbers(cells, found)), histogram=bins)


def _answered(cells: Sequence[Cell]) -> Cell | None:
    """The one cell that has answers. Of several scales nothing can be said together."""
    found = [cell for cell in cells if cell.counts["answers"]]
    return found[0] if len(found) == 1 else None


def _numbers(cells: Sequence[Cell], found: Cell | None) -> Numbers:
    """What is the same of ratings and numbers: all but the histogram."""
    answers = _sum(cells, "answers")

    def value(name: str) -> float | None:
        return found.counts[name] if found else None

    def quantile(name: str, share: float) -> float | None:
        return metrics.between(value(f"{name}_low"), value(f"{name}_high"), share, answers)

    return Numbers(
        count=answers,
        invalid_count=_sum(cells, "records") - answers,
        low_sample=answers < metrics.LOW_SAMPLE,
        mean=value("mean"),
        sd=value("sd"),
        median=quantile("median", 0.5),
        p25=quantile("p25", 0.25),
        p75=quantile("p75", 0.75),
        p90=quantile("p90", 0.9),
        min=value("min"),
        max=value("max"),
        scale_min=value("scale_min"),
        scale_max=value("scale_max"),
    )


def _edges(rows: Sequence[Row]) -> tuple[object, ...]:
    """Where the bins of a histogram begin and end: everywhere in one answer alike."""
    lows, highs = ([row[name] for row in rows if row[name] is not None] for name in ("min", "max"))
    return *_ANY, metrics.edges(min(lows), max(highs)) if lows else []


def _boolean(cells: Sequence[Cell]) -> Boolean:
    return metrics.boolean(
        records=_sum(cells, "records"),
        true_count=_sum(cells, "true_count"),
        false_count=_sum(cells, "false_count"),
    )


def _categorical(cells: Sequence[Cell]) -> Categorical:
    answers, submissions = _sum(cells, "answers"), _sum(cells, "submissions")
    details = [row for cell in cells for row in cell.details]
    return Categorical(
        count=answers,
        invalid_count=_sum(cells, "records") - answers,
        low_sample=answers < metrics.LOW_SAMPLE,
        submissions=submissions,
        options=[
            Option(
                key=row["option"], label=row["label"], count=row["records"], share=100 * row["records"] / submissions,
            )
            for row in details
        ],
        options_omitted=max([row["options"] - len(details) for row in details], default=0),
    )  # fmt: skip


def _ranking(cells: Sequence[Cell]) -> Ranking:
    answers, submissions = _sum(cells, "answers"), _sum(cells, "submissions")
    items = [
        Item(
            field_id=row["item"], label=row["label"], count=row["answers"], mean_rank=row["ranks"] / row["answers"],
            borda=row["borda"], first_share=100 * row["firsts"] / submissions,
        )
        for cell in cells
        for row in cell.details
    ]  # fmt: skip
    return Ranking(
        count=answers,
        invalid_count=_sum(cells, "records") - answers,
        low_sample=answers < metrics.LOW_SAMPLE,
        items=sorted(items, key=lambda item: (-item.borda, item.mean_rank, item.field_id)),
    )


def _volume(cells: Sequence[Cell]) -> Volume:
    return metrics.volume(
        records=_sum(cells, "records"), submissions=_sum(cells, "submissions"), users=_sum(cells, "users")
    )


_CSAT, _CES, _ANY = (1.0, 5.0), (1.0, 7.0), (-LARGEST_NUMBER, LARGEST_NUMBER)

NPS = Metric[Nps](
    name="nps", field_types=("nps",), statement=query("analytics/nps"), additive=True, measure=_nps,
    compare=metrics.nps_change,
)  # fmt: skip
CSAT = Metric[Csat](
    name="csat", field_types=("csat",), statement=query("analytics/csat"), additive=True, bounds=_CSAT, measure=_csat,
    compare=metrics.csat_change,
)  # fmt: skip
CES = Metric[Ces](
    name="ces", field_types=("ces",), statement=query("analytics/ces"), additive=True, bounds=_CES, measure=_ces,
    compare=metrics.ces_change,
)  # fmt: skip
RATING = Metric[Rating](
    name="rating", field_types=("rating",), statement=query("analytics/distribution"), bounds=_ANY, measure=_rating,
    compare=metrics.numbers_change, details=Details(query("analytics/values"), lambda _: _ANY),
)  # fmt: skip
NUMBER = Metric[Number](
    name="number", field_types=("number",), statement=query("analytics/distribution"), bounds=_ANY, measure=_number,
    compare=metrics.numbers_change, details=Details(query("analytics/bins"), _edges),
)  # fmt: skip
BOOLEAN = Metric[Boolean](
    name="boolean", field_types=("boolean",), statement=query("analytics/boolean"), additive=True, measure=_boolean,
    compare=metrics.boolean_change,
)  # fmt: skip
CATEGORICAL = Metric[Categorical](
    name="categorical", field_types=("categorical",), statement=query("analytics/categorical"), measure=_categorical,
    details=Details(query("analytics/options"), lambda _: (MAX_OPTIONS,)), latest="submission",
)  # fmt: skip
RANKING = Metric[Ranking](
    name="ranking", field_types=("number",), statement=query("analytics/ranking"), measure=_ranking,
    details=Details(query("analytics/items"), lambda _: ()), latest="submission",
)  # fmt: skip
VOLUME = Metric[Volume](
    name="volume", statement=query("analytics/volume"), measure=_volume, compare=metrics.volume_change,
)  # fmt: skip


def dimension(group_by: str) -> list[str] | None:
    """What to group by, as the statements take it: a kind, and what the kind needs. None when it is nothing to group by."""
    if group_by in COLUMNS:
        return [group_by]
    question = group_by.removeprefix("answer:")
    if question not in ("", group_by):
        return ["answer", question]
    kind, *path = group_by.split(".")
    return [kind, *path] if kind == "metadata" and path and all(path) else None


class Field(Struct, kw_only=True, frozen=True):
    """A question, as its latest record has it, with how often and when it was answered."""

    field_id: str
    field_type: FieldType
    field_label: str | None
    field_group_id: str | None
    field_group_label: str | None
    source_type: str
    source_id: str | None
    source_name: str | None
    count: metrics.Count
    first_seen: Timestamp
    last_seen: Timestamp
    metric: Annotated[str | None, Meta(description="Which metric measures it; null where none does")]
    records: str


class Fields(Struct, kw_only=True, frozen=True):
    """What there is, the most answered first."""

    fields: list[Field]
    fields_omitted: metrics.Count


_MEASURED: dict[FieldType, str] = {
    metric.field_types[0]: metric.name for metric in (NPS, CSAT, CES, RATING, NUMBER, BOOLEAN, CATEGORICAL)
}


async def fields(pool: Pool, selection: RecordFilter) -> Fields:
    """The questions of the selected records."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_FIELDS, *arguments(selection), MAX_FIELDS)
    return Fields(
        fields=[
            Field(
                **{name: row[name] for name in _FIELD},
                count=row["records"],
                first_seen=shown(row["first_seen"]),
                last_seen=shown(row["last_seen"]),
                metric="ranking" if row["ranked"] and row["field_group_id"] else _MEASURED.get(row["field_type"]),
                records=query_string(
                    structs.replace(selection, field_id=(row["field_id"],), field_type=(row["field_type"],))
                ),
            )
            for row in rows
        ],
        fields_omitted=rows[0]["fields"] - len(rows) if rows else 0,
    )


async def report(
    pool: Pool, metric: Metric[M], selection: RecordFilter, breakdown: Breakdown
) -> Report[M] | TooManyBuckets | MixedScales:
    """The metric of the selection, all of it from one snapshot. A comparison needs a selection with `since` and `until`."""
    chosen = structs.replace(selection, field_type=metric.field_types or selection.field_type)
    zone = periods.zone(breakdown.tz)
    assert zone is not None, "checked when it was read"  # noqa: S101
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        buckets = _Buckets((), ())
        if breakdown.interval is not None:
            days = await _days(connection, chosen, breakdown.interval, zone)
            if len(days) > MAX_BUCKETS:
                return TooManyBuckets()
            buckets = _Buckets(tuple(days), tuple(periods.bounds(days, breakdown.interval, zone)))
        inquiry = _Inquiry(connection, metric, chosen, breakdown, buckets)
        whole = await inquiry.whole()
        if isinstance(whole, MixedScales):
            return whole
        total, series = whole
        groups, groups_omitted = await inquiry.groups() if breakdown.group_by is not None else (None, 0)
        earlier = chosen
        previous, change = None, None
        if breakdown.compare is not None:
            assert chosen.since is not None and chosen.until is not None, "checked when they were read"  # noqa: S101, PT018
            since, until = periods.before(chosen.since, chosen.until, zone)
            earlier = structs.replace(chosen, since=since, until=until)
            previous = metric.measure(await inquiry.cells(earlier, []))
            change = None if metric.compare is None else metric.compare(total, previous)
        return Report(
            total=total,
            records=inquiry.link(chosen),
            series=series,
            groups=groups,
            groups_omitted=groups_omitted,
            previous=previous,
            previous_records=None if previous is None else inquiry.link(earlier),
            change=change,
        )


async def _days(connection: Connection, chosen: RecordFilter, interval: Interval, zone: ZoneInfo) -> list[date]:
    """The days the buckets begin on. A period that is open ends with the records."""
    first, last = chosen.since, chosen.until
    if first is None or last is None:
        span = await connection.fetchrow(_SPAN, *arguments(chosen))
        assert span is not None  # noqa: S101 - an aggregate has a row
        first, last = first or span["first"], last or span["last"]
    return [] if first is None or last is None else periods.days(first, last, interval, zone)


class _Buckets(Struct, frozen=True):
    days: tuple[date, ...]
    bounds: tuple[tuple[datetime, datetime], ...]


class _Inquiry(Struct, Generic[M], frozen=True):
    """One metric of one selection: what is the same for the whole and for its groups."""

    connection: Connection
    metric: Metric[M]
    chosen: RecordFilter
    breakdown: Breakdown
    buckets: _Buckets

    async def cells(self, chosen: RecordFilter, kind: list[str], edges: Sequence[datetime] = ()) -> list[Cell]:
        """What was counted, the largest group first."""
        metric = self.metric
        latest = metric.latest if self.breakdown.latest_per_user else None
        given = (*arguments(chosen), kind, latest, edges, MAX_GROUPS)
        rows = await self.connection.fetch(metric.statement, *given, *(metric.bounds or ()))
        if metric.details is None:
            return [Cell(row) for row in rows]
        details: dict[tuple[object, ...], list[Row]] = {}
        for row in await self.connection.fetch(metric.details.statement, *given, *metric.details.arguments(rows)):
            details.setdefault(_where(row), []).append(row)
        return [Cell(row, details.get(_where(row), ())) for row in rows]

    async def whole(self) -> tuple[M, list[Bucket[M]] | None] | MixedScales:
        """The metric of everything, and over time."""
        cells, dated = await self._counts([])
        if self.metric.bounds is not None and self.breakdown.group_by != "field_id" and len(_scales(cells)) > 1:
            given = (*arguments(self.chosen), ["field_id"], None, [], MAX_GROUPS, *self.metric.bounds)
            rows = await self.connection.fetch(_SCALES, *given)
            return MixedScales([(row["field_id"], Cell(row).scale) for row in rows])
        return self.metric.measure(cells), self._series(self.chosen, dated)

    async def groups(self) -> tuple[list[Group[M]], int]:
        """The largest groups, and how many more there are. A question that was answered on several scales is several groups."""
        kind = dimension(self.breakdown.group_by or "")
        assert kind is not None, "checked when it was read"  # noqa: S101
        cells, dated = await self._counts(kind)
        labels = await self._labels(kind, list(dict.fromkeys(cell.counts["key"] for cell in cells)))
        found = []
        for place, of_place in groupby(cells, key=_place):
            parts = self._by_scale(list(of_place))
            over_time = [cell for cell in dated if _place(cell) == place]
            for part in parts:
                key = part[0].counts["key"]
                chosen = narrowed(self.chosen, kind, key) if len(parts) == 1 else None
                scales = {cell.scale for cell in part} if len(parts) > 1 else None
                found.append(
                    Group(
                        key=key,
                        label=labels.get(key),
                        measure=self.metric.measure(part),
                        records=self.link(chosen),
                        series=self._series(
                            chosen, [cell for cell in over_time if scales is None or cell.scale in scales]
                        ),
                    )
                )
        return found, max(cells[0].counts["groups"] - MAX_GROUPS, 0) if cells else 0

    def _by_scale(self, cells: list[Cell]) -> list[list[Cell]]:
        """The cells apart by their scales, if these are several. Those without an answer stay with the first."""
        scales = _scales(cells) if self.metric.bounds is not None else []
        if len(scales) < 2:  # noqa: PLR2004
            return [cells]
        parts: dict[Scale | None, list[Cell]] = {scale: [] for scale in scales}
        for cell in cells:
            parts[cell.scale if cell.scale in parts else scales[0]].append(cell)
        return list(parts.values())

    async def _counts(self, kind: list[str]) -> tuple[list[Cell], list[Cell]]:
        """The cells of the whole period, and by bucket."""
        edges = [first for first, _ in self.buckets.bounds]
        cells = await self.cells(self.chosen, kind, edges if self.metric.additive else [])
        return cells, cells if self.metric.additive or not edges else await self.cells(self.chosen, kind, edges)

    async def _labels(self, kind: list[str], keys: list[str | None]) -> dict[str | None, str]:
        if kind[0] == "answer":
            rows = await self.connection.fetch(_ANSWER_LABELS, self.chosen.tenant_id, kind[1], keys)
        elif kind[0] in _LABELED:
            rows = await self.connection.fetch(_LABELS, *arguments(self.chosen), kind, keys)
        else:
            return {}
        return {row["key"]: row["label"] for row in rows}

    def _series(self, chosen: RecordFilter | None, dated: Iterable[Cell]) -> list[Bucket[M]] | None:
        if self.breakdown.interval is None:
            return None
        cells: dict[int, list[Cell]] = {}
        for cell in dated:
            cells.setdefault(cell.counts["bucket"], []).append(cell)
        return [
            Bucket(
                bucket=day, measure=self.metric.measure(cells.get(number, [])), records=self.link(chosen, first, last)
            )
            for number, (day, (first, last)) in enumerate(
                zip(self.buckets.days, self.buckets.bounds, strict=True), start=1
            )
        ]

    def link(
        self, chosen: RecordFilter | None, first: datetime | None = None, last: datetime | None = None
    ) -> str | None:
        """The query string that lists these records, within a time if there is one."""
        if chosen is None or self.breakdown.latest_per_user:
            return None
        since = max((moment for moment in (chosen.since, first) if moment is not None), default=None)
        until = min((moment for moment in (chosen.until, last) if moment is not None), default=None)
        return query_string(structs.replace(chosen, since=since, until=until))


def _where(row: Row) -> tuple[object, ...]:
    """Which cell a row is about."""
    return row["key"], row["bucket"], row.get("scale_min"), row.get("scale_max")


def _place(cell: Cell) -> int:
    place: int = cell.counts["place"]
    return place


def narrowed(chosen: RecordFilter, kind: Sequence[str], key: str | None) -> RecordFilter | None:
    """The part of a selection that is one group; None when no filter says it."""
    name, *rest = kind
    if not key or name == "answer":  # no filter selects what is not there
        return None
    if name != "metadata":
        return structs.replace(chosen, **{name: (key,)})
    path = ".".join(rest)
    others = tuple(wanted for wanted in chosen.metadata if wanted.path != path)
    return structs.replace(chosen, metadata=(*others, MetadataIs(path, (key,))))
