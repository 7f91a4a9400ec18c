"""The page `/`: every number asked of the functions that answer the HTTP API, then put where the template shows it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from msgspec import structs

from hub.api.analytics import TOO_MANY
from hub.api.auth import Principal
from hub.api.problems import InvalidParam, ValidationFailed
from hub.dashboard import charts
from hub.dashboard.asked import PERIODS, Asked
from hub.dashboard.charts import Point, Slice
from hub.dashboard.completion import completions, ended
from hub.dashboard.health import delivered, health
from hub.dashboard.questions import Ask, questions
from hub.dashboard.render import NOTHING, called, counted, number, signed
from hub.dashboard.scores import SCORES, Part, Score
from hub.dashboard.together import together
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
from hub.dashboard.volume import volume_over_time, volume_tile
from hub.dashboard.words import words
from hub.db import Pool
from hub.db import tenants as stored
from hub.db.analytics import Breakdown, MixedScales, TooManyBuckets, report
from hub.db.fields import Field, fields
from hub.db.measures import VOLUME, Metric
from hub.db.search import Index
from hub.metrics import Bucket, Change, Measure, Report
from hub.model import FieldType, MetadataIs, RecordFilter, query_string
from hub.periods import Interval

_INTERVALS: dict[Interval, str] = {"day": "Day", "week": "Week", "month": "Month"}
_BAR_HEIGHT = 48
_TILES = 3
# Metrics of one page: the other connections are for everybody else, and who waits here waits as long as it takes.
_AT_ONCE = 3
# What has selects of its own, or is no filter.
_NOT_CHIPS = {"tenant_id", "source_id", "field_id", "since", "until"}


async def overview(pool: Pool, index: Index, asked: Asked, tenants: Sequence[str], owner: Principal) -> Overview:
    """Everything on the page. What can be asked at the same time is."""
    ask = partial(_found, pool, asyncio.Semaphore(_AT_ONCE))
    volume, sources, catalog, members = await together(
        _report(ask, VOLUME, asked),
        ask(VOLUME, asked.without("source_id").selection, Breakdown(group_by="source_id")),
        fields(pool, asked.without("field_id").selection),
        stored.members(pool, asked.selection.tenant_id),
    )
    chosen_fields = asked.selection.field_id
    known = [field for field in catalog.fields if not chosen_fields or field.field_id in chosen_fields]
    dimensions = [*members, "language", "source_id"]
    group_by = asked.looking.group_by or dimensions[0]
    view = _frame(asked, tenants, _selects(asked, sources, catalog.fields, dimensions, group_by))
    if not volume.total.records:
        return structs.replace(view, empty=_nothing(asked))
    there = {field.field_type for field in known}
    names = _scored(asked, there)
    chosen = asked.looking.score if asked.looking.score in names else next(iter(names), None)
    said, incoming, (every, some), volume_before, detail, answered, *reports = await together(
        words(pool, index, asked),
        health(pool, asked.selection.tenant_id, owner),
        ended(pool, asked),
        _before(ask, VOLUME, asked),
        _detail(ask, asked, chosen, group_by),
        questions(ask, asked, known),
        *(_report(ask, SCORES[name].metric, asked) for name in names),
    )
    found = dict(zip(names, reports, strict=True))
    tiles = [_score_tile(SCORES[name], report, asked, name, chosen) for name, report in found.items()]
    view = structs.replace(
        view,
        tiles=[*tiles[:_TILES], volume_tile(volume)],
        volume=volume_over_time(volume, volume_before, asked),
        words=said,
        health=structs.replace(incoming, sources=delivered(sources, every.report, known)),
        questions=answered,
        completions=completions(asked, every, some, sources, known),
    )
    if chosen is None or (now := found[chosen]) is None or not now.total.count:
        return view
    before, groups, groups_before = detail
    return structs.replace(
        view,
        over_time=_over_time(SCORES[chosen], now, before, asked, note=_instead(asked, chosen, there)),
        groups=_groups(SCORES[chosen], groups, groups_before, asked, group_by) if groups else None,
    )


def _scored(asked: Asked, there: Collection[FieldType]) -> list[FieldType]:
    """The scores there are answers for. Ratings and numbers of several questions have nothing in common."""
    one = len(asked.selection.field_id) == 1
    return [name for name in SCORES if name in there and (one or name in ("nps", "csat", "ces"))]


def _instead(asked: Asked, chosen: FieldType, there: Collection[FieldType]) -> str:
    """Why another score is looked at than the one that was asked for."""
    wanted = asked.looking.score
    if wanted in (None, chosen):
        return ""
    reason = "needs one question to be chosen" if wanted in there else "has no answers here"
    return f"The score {wanted} {reason}, so this is {SCORES[chosen].name}."


async def _detail(
    ask: Ask, asked: Asked, name: FieldType | None, group_by: str
) -> tuple[Report[Any] | None, Report[Any] | None, Report[Any] | None]:
    """The chosen score before, by group, and by group before."""
    if name is None:
        return None, None, None
    metric = SCORES[name].metric
    before, groups, groups_before = await together(
        _before(ask, metric, asked),
        _report(ask, metric, asked, group_by=group_by),
        _before(ask, metric, asked, group_by=group_by),
    )
    return before, groups, groups_before


async def _report(ask: Ask, metric: Metric[Any], asked: Asked, *, group_by: str | None = None) -> Report[Any] | None:
    """Over time, and against the period before if there is one. None where several scales have no common score."""
    return await ask(
        metric,
        asked.selection,
        Breakdown(
            interval=asked.interval, tz=asked.looking.tz, group_by=group_by,
            compare=None if asked.earlier is None else "previous",
        ),
    )  # fmt: skip


async def _before(ask: Ask, metric: Metric[Any], asked: Asked, *, group_by: str | None = None) -> Report[Any] | None:
    """The same for the period before."""
    if asked.earlier is None:
        return None
    return await _report(ask, metric, structs.replace(asked, selection=asked.earlier, earlier=None), group_by=group_by)


async def _found(
    pool: Pool, turns: asyncio.Semaphore, metric: Metric[Any], selection: RecordFilter, breakdown: Breakdown
) -> Report[Any] | None:
    async with turns:
        found = await report(pool, metric, selection, breakdown)
    if isinstance(found, TooManyBuckets):
        raise ValidationFailed([InvalidParam("interval", TOO_MANY)])
    return None if isinstance(found, MixedScales) else found


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
    asked: Asked, sources: Report[Any], known: Sequence[Field], dimensions: Sequence[str], group_by: str
) -> list[Select]:
    def of(name: str, label: str, everything: str, labels: dict[str, str], chosen: Sequence[str]) -> Select:
        labels |= {key: key for key in chosen if key not in labels}
        choices = [Choice(label=labels[key], value=key, selected=key in chosen) for key in labels]
        return Select(id=name, name=name, label=label, choices=[Choice(label=everything, value=""), *choices])

    by_source = {group.key: group.label or group.key for group in sources.groups or [] if group.key}
    by_question = {
        field.field_id: field.field_label or field.field_id for field in known if field.field_group_id is None
    }
    dimensions = [*dimensions, *([group_by] if group_by not in dimensions else [])]
    return [
        of("source_id", "Source", "All sources", by_source, asked.selection.source_id),
        of("field_id", "Question", "All questions", by_question, asked.selection.field_id),
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


def _score_tile(score: Score, found: Report[Any] | None, asked: Asked, name: str, chosen: str | None) -> Tile:
    if found is None:
        return Tile(name=score.name, value=NOTHING, than="on several scales: choose a question")
    total = found.total
    series = [score.value(bucket.measure) for bucket in found.series or []]
    invalid = f", {number(total.invalid_count)} beyond the scale" if total.invalid_count else ""
    said = score.note(total)
    return Tile(
        name=score.name,
        value=_valued(score, score.value(total)),
        interval=_interval(score, total),
        **_change(score, found.change, found.previous),
        note=f"{counted(total.count, 'answer')}{said}{invalid}",
        href=found.records and f"records?{found.records}",
        spark=charts.spark(series, *_range(series)),
        look=asked.link(score=name) + "#over-time",
        selected=name == chosen,
    )


def _change(score: Score, change: Change | None, previous: Measure | None) -> Mapping[str, Any]:
    """How a score differs from the period before; quiet when that may be chance."""
    if change is None or previous is None or change.difference is None:
        return {"than": "nothing to compare with" if previous is not None else ""}
    than = f"from {_valued(score, score.value(previous))}" + ("" if change.significant else ", may be chance")
    return {"change": signed(change.difference, score.digits), "tone": _tone(change), "than": than}


def _tone(change: Change | None) -> Tone:
    if change is None or not change.significant or not change.difference:
        return ""
    return "good" if change.difference > 0 else "bad"


def _interval(score: Score, measure: Any) -> str:
    interval = score.interval(measure)
    return "" if interval is None else " to ".join(number(end, score.digits) for end in interval)


def _valued(score: Score, value: float | None) -> str:
    return NOTHING if value is None else f"{number(value, score.digits)}{score.suffix}"


def _over_time(score: Score, found: Report[Any], before: Report[Any] | None, asked: Asked, *, note: str) -> OverTime:
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
        note=note,
        bucket=asked.interval.title(),
    )  # fmt: skip


def _point(score: Score, bucket: Bucket[Any], asked: Asked) -> Point:
    measure = bucket.measure
    low, high = score.interval(measure) or (None, None)
    named = asked.named(bucket.bucket)
    text = f"{named}\n{score.name} {_valued(score, score.value(measure))}"
    if interval := _interval(score, measure):
        text += f" ({interval})"
    return Point(
        label=asked.labeled(bucket.bucket), value=score.value(measure), low=low, high=high,
        faint=measure.low_sample, title=f"{text}\n{counted(measure.count, 'answer')}",
        href=(bucket.records and measure.count and f"records?{bucket.records}") or None,
        first=str(bucket.bucket), last=str(asked.last_day(bucket.bucket)),
    )  # fmt: skip


def _row(score: Score, bucket: Bucket[Any], asked: Asked) -> Row:
    measure = bucket.measure
    return Row(
        label=asked.named(bucket.bucket), count=measure.count, value=_valued(score, score.value(measure)),
        interval=_interval(score, measure), parts=[part.count for part in score.parts(measure)],
        href=bucket.records and f"records?{bucket.records}",
    )  # fmt: skip


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
    some = structs.replace(selection, field_type=score.metric.field_types, **part.narrowed)
    return f"records?{query_string(some)}"


def _groups(score: Score, found: Report[Any], before: Report[Any] | None, asked: Asked, group_by: str) -> Groups:
    groups = found.groups or []
    then = {group.key: group.measure for group in before.groups or []} if before else {}
    sparks = [[score.value(bucket.measure) for bucket in group.series or []] for group in groups]
    every = _range(list(chain.from_iterable(sparks)))
    known = [end for group in groups for end in score.interval(group.measure) or ()]
    low, high = score.bounds or _range([*known, *(score.value(group.measure) for group in groups)])
    rows = []
    for group, values in zip(groups, sparks, strict=True):
        measure, earlier = group.measure, then.get(group.key)
        compare = score.metric.compare
        start, end = score.interval(measure) or (None, None)
        change = compare(measure, earlier) if compare is not None and earlier is not None else None
        rows.append(
            GroupRow(
                label=group.label or group.key or "not said",
                count=measure.count,
                low_sample=measure.low_sample,
                slices=_slices(score, measure, None),
                value=_valued(score, score.value(measure)),
                interval=_interval(score, measure),
                at=_placed(score.value(measure), low, high),
                low=_placed(start, low, high),
                high=_placed(end, low, high),
                spark=charts.spark(values, *every),
                change=signed(change.difference if change else None, score.digits),
                tone=_tone(change),
                href=_group_link(asked, group_by, group.key),
                records=group.records and f"records?{group.records}",
            )
        )
    omitted = found.groups_omitted
    note = f"{counted(omitted, 'smaller group is', 'smaller groups are')} not shown" if omitted else ""
    return Groups(
        title=f"{score.name} by {called(group_by)}", by=called(group_by).capitalize(), note=note, bounds=f"{number(low, score.digits)} to {number(high, score.digits)}",
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
