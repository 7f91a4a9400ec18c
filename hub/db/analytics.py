"""Metrics of a selection of records: counted by Postgres, judged by `hub.metrics`. HTTP and the page ask the same functions."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Annotated, Generic, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, structs

from hub import periods
from hub.db import Connection, Pool, query
from hub.db.measures import Cell, M, Metric, Row, scales_of
from hub.db.records import arguments
from hub.metrics import Bucket, Group, Report, Scale
from hub.model import MetadataIs, RecordFilter, query_string
from hub.periods import Interval

MAX_BUCKETS = 1500
MAX_GROUPS = 50

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


class TooManyBuckets(Struct, frozen=True):
    """The period is too long for the interval."""


class MixedScales(Struct, frozen=True):
    """The answers are on several scales, which have no common mean: fields with their scale, None where it is not known."""

    fields: list[tuple[str, Scale | None]]


def dimension(group_by: str) -> list[str] | None:
    """What to group by, as the statements take it: a kind, and what the kind needs. None when it is nothing to group by."""
    if group_by in COLUMNS:
        return [group_by]
    question = group_by.removeprefix("answer:")
    if question not in ("", group_by):
        return ["answer", question]
    kind, *path = group_by.split(".")
    return [kind, *path] if kind == "metadata" and path and all(path) else None


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
        if self.metric.bounds is not None and self.breakdown.group_by != "field_id" and len(scales_of(cells)) > 1:
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
        scales = scales_of(cells) if self.metric.bounds is not None else []
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
