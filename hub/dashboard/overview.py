"""The page `/`: every number asked of the functions that answer the HTTP API, then put where the template shows it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any

from msgspec import structs

from hub.api.analytics import TOO_MANY
from hub.api.problems import InvalidParam, ValidationFailed
from hub.dashboard import charts
from hub.dashboard.asked import PERIODS, Asked
from hub.dashboard.charts import Point, Slice
from hub.dashboard.health import health
from hub.dashboard.render import NOTHING, day, number, signed
from hub.dashboard.scores import NPS_SCORE, Part, Score
from hub.dashboard.view import (
    Chip,
    Choice,
    GroupRow,
    Groups,
    Nothing,
    OverTime,
    Overview,
    Row,
    Select,
    Share,
    Tile,
    Tone,
)
from hub.dashboard.words import words
from hub.db import Pool
from hub.db import tenants as stored
from hub.db.analytics import VOLUME, Breakdown, Metric, TooManyBuckets, report
from hub.db.search import Index
from hub.metrics import Bucket, Change, Measure, Report
from hub.model import MetadataIs, RecordFilter, query_string
from hub.periods import Interval

_INTERVALS: dict[Interval, str] = {"day": "Day", "week": "Week", "month": "Month"}
_BAR_HEIGHT = 48
# What has selects of its own, or is no filter.
_NOT_CHIPS = {"tenant_id", "source_id", "field_id", "since", "until"}


async def overview(
    pool: Pool, index: Index, asked: Asked, tenants: Sequence[str], key_tenant_id: str | None
) -> Overview:
    """Everything on the page. What can be asked at the same time is."""
    tenant_id = asked.selection.tenant_id
    volume, sources, fields, members = await asyncio.gather(
        _report(pool, VOLUME, asked),
        _grouped(
            pool, VOLUME, structs.replace(asked, selection=structs.replace(asked.selection, source_id=())), "source_id"
        ),
        _grouped(
            pool, VOLUME, structs.replace(asked, selection=structs.replace(asked.selection, field_id=())), "field_id"
        ),
        stored.members(pool, tenant_id),
    )
    dimensions = [*members, "language", "source_id"]
    group_by = asked.looking.group_by or dimensions[0]
    view = _frame(asked, tenants, _selects(asked, sources, fields, dimensions, group_by))
    if not volume.total.records:
        return structs.replace(view, empty=_nothing(asked))
    score = NPS_SCORE
    now, before, groups, groups_before, said, incoming = await asyncio.gather(
        _report(pool, score.metric, asked),
        _before(pool, score.metric, asked),
        _report(pool, score.metric, asked, group_by=group_by),
        _before(pool, score.metric, asked, group_by=group_by),
        words(pool, index, asked),
        health(pool, asked, sources, key_tenant_id),
    )
    return structs.replace(
        view,
        tiles=[_score_tile(score, now), _volume_tile(volume)],
        over_time=_over_time(score, now, before, asked) if now.total.count else None,
        groups=_groups(score, groups, groups_before, asked, group_by) if now.total.count else None,
        words=said,
        health=incoming,
    )


async def _report(pool: Pool, metric: Metric[Any], asked: Asked, *, group_by: str | None = None) -> Report[Any]:
    """Over time, and against the period before if there is one."""
    return await _found(
        pool,
        metric,
        asked.selection,
        Breakdown(
            interval=asked.interval, tz=asked.looking.tz, group_by=group_by,
            compare=None if asked.earlier is None else "previous",
        ),
    )  # fmt: skip


async def _before(pool: Pool, metric: Metric[Any], asked: Asked, *, group_by: str | None = None) -> Report[Any] | None:
    """The same for the period before."""
    if asked.earlier is None:
        return None
    return await _report(pool, metric, structs.replace(asked, selection=asked.earlier, earlier=None), group_by=group_by)


async def _grouped(pool: Pool, metric: Metric[Any], asked: Asked, group_by: str) -> Report[Any]:
    return await _found(pool, metric, asked.selection, Breakdown(group_by=group_by))


async def _found(pool: Pool, metric: Metric[Any], selection: RecordFilter, breakdown: Breakdown) -> Report[Any]:
    found = await report(pool, metric, selection, breakdown)
    if isinstance(found, TooManyBuckets):
        raise ValidationFailed([InvalidParam("interval", TOO_MANY)])
    return found


def _frame(asked: Asked, tenants: Sequence[str], selects: list[Select]) -> Overview:
    looking, selection = asked.looking, asked.selection
    by_length = looking.period or ("" if looking.from_ or looking.to or asked.has_span else "90d")
    shown = {"tenant_id", "period", "from", "to", "cursor", *(select.name for select in selects)}
    return Overview(
        tenant=selection.tenant_id,
        tenants=sorted({*tenants, selection.tenant_id}),
        records=query_string(selection),
        kept=[(name, value) for name, value in asked.pairs if name not in shown],
        periods=[Choice(label=label, value=name, selected=name == by_length) for name, label in PERIODS.items()],
        first=looking.from_,
        last=looking.to,
        selects=selects,
        intervals=[
            Choice(label=label, value=asked.link(interval=name), selected=name == asked.interval)
            for name, label in _INTERVALS.items()
        ],
        chips=_chips(asked),
        period=asked.period,
        compared=asked.earlier is not None,
    )


def _selects(
    asked: Asked, sources: Report[Any], fields: Report[Any], dimensions: Sequence[str], group_by: str
) -> list[Select]:
    def of(name: str, label: str, everything: str, found: Report[Any], chosen: Sequence[str]) -> Select:
        labels = {group.key: group.label or group.key for group in found.groups or [] if group.key}
        labels |= {key: key for key in chosen if key not in labels}
        choices = [Choice(label=labels[key], value=key, selected=key in chosen) for key in labels]
        return Select(id=name, name=name, label=label, choices=[Choice(label=everything, value=""), *choices])

    dimensions = [*dimensions, *([group_by] if group_by not in dimensions else [])]
    return [
        of("source_id", "Source", "All sources", sources, asked.selection.source_id),
        of("field_id", "Question", "All questions", fields, asked.selection.field_id),
        Select(
            id="group_by", name="group_by", label="Groups",
            choices=[Choice(label=f"by {called(name)}", value=name, selected=name == group_by) for name in dimensions],
        ),
        Select(
            id="compare", name="compare", label="Compare",
            choices=[
                Choice(label="vs. period before", value="previous", selected=asked.looking.compare == "previous"),
                Choice(label="no comparison", value="none", selected=asked.looking.compare == "none"),
            ],
        ),
    ]  # fmt: skip


def called(group_by: str) -> str:
    """A dimension in words."""
    name = group_by.rpartition(".")[2].rpartition(":")[2]
    return name.removesuffix("_id").replace("_", " ")


def _chips(asked: Asked) -> list[Chip]:
    """Filters that have no place in the form."""
    found = []
    for field in structs.fields(RecordFilter):
        value = getattr(asked.selection, field.name)
        if field.name in _NOT_CHIPS or value in ((), None):
            continue
        for each in value if isinstance(value, tuple) else (value,):
            name = f"metadata.{each.path}" if isinstance(each, MetadataIs) else field.name
            text = ", ".join(each.values) if isinstance(each, MetadataIs) else str(each)
            found.append(Chip(name=name.rpartition(".")[2], value=text, href=asked.link(name)))
    return found


def _nothing(asked: Asked) -> Nothing:
    return Nothing(
        title="No answers in this time", text="Nothing was collected that these filters select. ",
        href=asked.link("from", "to", "since", "until", period="all"), link="Look at all of it",
    )  # fmt: skip


def _score_tile(score: Score, found: Report[Any]) -> Tile:
    total = found.total
    series = [score.value(bucket.measure) for bucket in found.series or []]
    low, high = _range(series)
    return Tile(
        name=score.name,
        value=_valued(score, score.value(total)),
        interval=_interval(score, total),
        **_change(score, found.change, found.previous),
        note=f"{number(total.count)} answers" + (f", {number(total.invalid_count)} beyond the scale" if total.invalid_count else ""),
        href=found.records and f"records?{found.records}",
        spark=charts.spark(series, low, high),
    )  # fmt: skip


def _volume_tile(found: Report[Any]) -> Tile:
    series = [bucket.measure.submissions for bucket in found.series or []]
    previous = found.previous
    change = ""
    if previous is not None and previous.submissions:
        change = f"{signed(100 * (found.total.submissions / previous.submissions - 1))}%"
    return Tile(
        name="Submissions",
        value=number(found.total.submissions),
        change=change,
        than="" if previous is None else f"from {number(previous.submissions)}",
        note=f"{number(found.total.records)} records of {number(found.total.users)} people",
        href=found.records and f"records?{found.records}",
        spark=charts.spark(series, 0, max(series, default=1)),
    )


def _change(score: Score, change: Change | None, previous: Measure | None) -> Mapping[str, Any]:
    """How a score differs from the period before; quiet when that may be chance."""
    if change is None or previous is None or change.difference is None:
        return {"than": "nothing to compare with" if previous is not None else ""}
    than = f"from {_valued(score, score.value(previous))}" + ("" if change.significant else ", may be chance")
    return {"change": signed(change.difference, score.digits), "tone": _tone(change), "than": than}


def _tone(change: Change) -> Tone:
    if not change.significant or not change.difference:
        return ""
    return "good" if change.difference > 0 else "bad"


def _interval(score: Score, measure: Any) -> str:
    if measure.ci_low is None:
        return ""
    return f"{number(measure.ci_low, score.digits)} to {number(measure.ci_high, score.digits)}"


def _valued(score: Score, value: float | None) -> str:
    return NOTHING if value is None else f"{number(value, score.digits)}{score.suffix}"


def _over_time(score: Score, found: Report[Any], before: Report[Any] | None, asked: Asked) -> OverTime:
    series = found.series or []
    points = [_point(score, bucket, asked) for bucket in series]
    drawing = charts.trend(points, bounds=score.bounds)
    most = max((bucket.measure.count for bucket in series), default=0) or 1
    parts = score.parts(found.total)
    return OverTime(
        title=f"{score.name} over time",
        slices=_slices(score, found.total, asked.selection),
        shares=[
            Share(
                kind=part.kind, label=part.label, count=part.count,
                share=100 * part.count / found.total.count if found.total.count else None,
                href=_part_records(score, asked.selection, part),
            )
            for part in reversed(parts)
        ],
        trend=drawing,
        before=[] if before is None else charts.overlay(drawing, [score.value(b.measure) for b in before.series or []]),
        bars=[round(_BAR_HEIGHT * bucket.measure.count / most, 1) for bucket in series],
        most=most,
        rows=[_row(score, bucket, asked) for bucket in series],
        parts=[part.label for part in parts],
        note="",
        bucket=asked.interval.title(),
    )  # fmt: skip


def _point(score: Score, bucket: Bucket[Any], asked: Asked) -> Point:
    measure = bucket.measure
    named = _named(bucket.bucket, asked.interval)
    text = f"{named}\n{score.name} {_valued(score, score.value(measure))}"
    if measure.count:
        text += f" ({_interval(score, measure)})"
    return Point(
        label=_month(bucket.bucket, asked.interval), value=score.value(measure), low=measure.ci_low, high=measure.ci_high,
        faint=measure.low_sample, title=f"{text}\n{number(measure.count)} answers",
        href=(bucket.records and measure.count and f"records?{bucket.records}") or None,
        first=str(bucket.bucket), last=str(asked.last_day(bucket.bucket)),
    )  # fmt: skip


def _row(score: Score, bucket: Bucket[Any], asked: Asked) -> Row:
    measure = bucket.measure
    return Row(
        label=_named(bucket.bucket, asked.interval), count=measure.count, value=_valued(score, score.value(measure)),
        interval=_interval(score, measure), parts=[part.count for part in score.parts(measure)],
        href=bucket.records and f"records?{bucket.records}",
    )  # fmt: skip


def _named(first: date, interval: Interval) -> str:
    match interval:
        case "day":
            return f"{first:%A}, {day(first)}"
        case "week":
            return f"Week of {day(first)}"
        case "month":
            return f"{first:%B %Y}"
        case "quarter":
            return f"Quarter {(first.month + 2) // 3} of {first.year}"


def _month(first: date, interval: Interval) -> str:
    """What stands below a column; equal neighbours share one."""
    if interval == "day":
        return f"{first.day} {first:%b}"
    return f"{first:%b %Y}" if first.month == 1 else f"{first:%b}"


def _slices(score: Score, measure: Any, selection: RecordFilter | None) -> list[Slice]:
    return charts.stacked(
        [
            (
                part.kind,
                part.label,
                part.count,
                None if selection is None else _part_records(score, selection, part),
            )
            for part in score.parts(measure)
        ]
    )


def _part_records(score: Score, selection: RecordFilter, part: Part) -> str:
    types = score.metric.field_types or selection.field_type
    some = structs.replace(selection, field_type=types, value_number_min=part.low, value_number_max=part.high)
    return f"records?{query_string(some)}"


def _groups(score: Score, found: Report[Any], before: Report[Any] | None, asked: Asked, group_by: str) -> Groups:
    groups = found.groups or []
    then = {group.key: group.measure for group in before.groups or []} if before else {}
    sparks = [[score.value(bucket.measure) for bucket in group.series or []] for group in groups]
    every = _range(list(chain.from_iterable(sparks)))
    low, high = score.bounds or every
    rows = []
    for group, values in zip(groups, sparks, strict=True):
        measure, earlier = group.measure, then.get(group.key)
        change = score.metric.compare(measure, earlier) if earlier is not None else None
        known = change is not None and change.difference is not None
        rows.append(
            GroupRow(
                label=group.label or group.key or "not said",
                count=measure.count,
                low_sample=measure.low_sample,
                slices=_slices(score, measure, None),
                value=_valued(score, score.value(measure)),
                interval=_interval(score, measure),
                at=_placed(score.value(measure), low, high),
                low=_placed(measure.ci_low, low, high),
                high=_placed(measure.ci_high, low, high),
                spark=charts.spark(values, *every),
                change=signed(change.difference, score.digits) if change is not None and known else NOTHING,
                tone=_tone(change) if change is not None and known else "",
                href=_group_link(asked, group_by, group.key),
                records=group.records and f"records?{group.records}",
            )
        )
    omitted = f"{found.groups_omitted} smaller groups are not shown" if found.groups_omitted else ""
    return Groups(
        title=f"{score.name} by {called(group_by)}", by=called(group_by).capitalize(), note=omitted, bounds=f"{number(low)} to {number(high)}",
        zero=charts.place(0, low, high) if low < 0 < high else None, rows=rows,
        parts=", ".join(part.label.lower() for part in score.parts(found.total)),
    )  # fmt: skip


def _group_link(asked: Asked, group_by: str, key: str | None) -> str | None:
    """The page for this group alone."""
    return None if key is None or group_by.startswith("answer:") else asked.link(**{group_by: key})


def _placed(value: float | None, low: float, high: float) -> float | None:
    return None if value is None else charts.place(value, low, high)


def _range(values: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in values if value is not None]
    return min(known, default=0), max(known, default=1)
