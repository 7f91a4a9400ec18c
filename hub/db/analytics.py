"""Metrics of a selection of records: counted by Postgres, judged by `hub.metrics`. HTTP and the page ask the same functions."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Meta, Struct, structs

from hub import metrics, periods
from hub.db import Connection, Pool, query
from hub.db.records import arguments
from hub.metrics import Bucket, Change, Group, Measure, Nps, Report, Volume
from hub.model import FieldType, MetadataIs, RecordFilter, query_string
from hub.periods import Interval

MAX_BUCKETS = 1500
MAX_GROUPS = 50

_SPAN = query("analytics/span")
_LABELS = query("analytics/labels")
_ANSWER_LABELS = query("analytics/answer_labels")

# What records are grouped by, beside members of metadata and answers; and which of it has a name for people.
COLUMNS = (
    "source_type", "source_id", "source_name", "field_id", "field_type", "field_group_id", "value_id", "user_id", "language",
    "sentiment",
)  # fmt: skip
_LABELED = ("source_id", "field_id", "field_group_id", "value_id")
# What a row is, beside the counts.
_PLACE = {"key", "bucket", "size", "place", "groups"}

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


class Breakdown(Struct, kw_only=True, frozen=True):
    """How a selection is divided and what it is compared with."""

    interval: Interval | None = None
    tz: Annotated[str, Meta(max_length=64, description="A time zone of the IANA database: `Europe/Berlin`")] = "UTC"
    group_by: Annotated[str, _GROUP_BY] | None = None
    compare: Literal["previous"] | None = None
    latest_per_user: bool = False


class Metric(Struct, Generic[M], frozen=True, kw_only=True):
    """A metric: the records it is about, the statement that counts them, and what the counts mean."""

    name: str
    field_types: tuple[FieldType, ...] = ()
    statement: str
    additive: bool
    """Whether the counts of parts add up to the count of the whole, which is then not asked for."""
    measure: Callable[[Sequence[Row]], M]
    compare: Callable[[M, M], Change]


class TooManyBuckets(Struct, frozen=True):
    """The period is too long for the interval."""


def _counted(judge: Callable[..., M]) -> Callable[[Sequence[Row]], M]:
    """The metric of some cells: their counts, added up, by name."""

    def measure(rows: Sequence[Row]) -> M:
        counts: Counter[str] = Counter()
        for row in rows:
            counts.update({name: count for name, count in row.items() if name not in _PLACE})
        return judge(**counts)

    return measure


NPS = Metric[Nps](
    name="nps", field_types=("nps",), statement=query("analytics/nps"), additive=True, measure=_counted(metrics.nps),
    compare=metrics.nps_change,
)  # fmt: skip
VOLUME = Metric[Volume](
    name="volume", statement=query("analytics/volume"), additive=False, measure=_counted(metrics.volume),
    compare=metrics.volume_change,
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


async def report(
    pool: Pool, metric: Metric[M], selection: RecordFilter, breakdown: Breakdown
) -> Report[M] | TooManyBuckets:
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
        total, series = await inquiry.whole()
        groups, groups_omitted = await inquiry.groups() if breakdown.group_by is not None else (None, 0)
        earlier = chosen
        previous, change = None, None
        if breakdown.compare is not None:
            assert chosen.since is not None and chosen.until is not None, "checked when they were read"  # noqa: S101, PT018
            since, until = periods.before(chosen.since, chosen.until, zone)
            earlier = structs.replace(chosen, since=since, until=until)
            previous = metric.measure(await inquiry.cells(earlier, []))
            change = metric.compare(total, previous)
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

    async def cells(self, chosen: RecordFilter, kind: list[str], edges: Sequence[datetime] = ()) -> list[Row]:
        return await self.connection.fetch(
            self.metric.statement, *arguments(chosen), kind, self.breakdown.latest_per_user, edges, MAX_GROUPS
        )

    async def whole(self) -> tuple[M, list[Bucket[M]] | None]:
        """The metric of everything, and over time."""
        rows, dated = await self._counts([])
        return self.metric.measure(rows), self._series(self.chosen, dated)

    async def groups(self) -> tuple[list[Group[M]], int]:
        """The largest groups, and how many more there are."""
        kind = dimension(self.breakdown.group_by or "")
        assert kind is not None, "checked when it was read"  # noqa: S101
        rows, dated = await self._counts(kind)
        labels = await self._labels(kind, [row["key"] for row in rows])
        over_time = {place: list(cells) for place, cells in groupby(dated, key=lambda row: int(row["place"]))}
        found = []
        for place, cells in groupby(rows, key=lambda row: int(row["place"])):
            counted = list(cells)
            key = counted[0]["key"]
            chosen = narrowed(self.chosen, kind, key)
            found.append(
                Group(
                    key=key,
                    label=labels.get(key),
                    measure=self.metric.measure(counted),
                    records=self.link(chosen),
                    series=self._series(chosen, over_time.get(place, [])),
                )
            )
        return found, rows[0]["groups"] - len(found) if rows else 0

    async def _counts(self, kind: list[str]) -> tuple[list[Row], list[Row]]:
        """The cells of the whole period, and by bucket."""
        edges = [first for first, _ in self.buckets.bounds]
        rows = await self.cells(self.chosen, kind, edges if self.metric.additive else [])
        return rows, rows if self.metric.additive or not edges else await self.cells(self.chosen, kind, edges)

    async def _labels(self, kind: list[str], keys: list[str | None]) -> dict[str | None, str]:
        if kind[0] == "answer":
            rows = await self.connection.fetch(_ANSWER_LABELS, self.chosen.tenant_id, kind[1], keys)
        elif kind[0] in _LABELED:
            rows = await self.connection.fetch(_LABELS, *arguments(self.chosen), kind, keys)
        else:
            return {}
        return {row["key"]: row["label"] for row in rows}

    def _series(self, chosen: RecordFilter | None, rows: Iterable[Row]) -> list[Bucket[M]] | None:
        if self.breakdown.interval is None:
            return None
        cells: dict[int, list[Row]] = {}
        for row in rows:
            cells.setdefault(row["bucket"], []).append(row)
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
