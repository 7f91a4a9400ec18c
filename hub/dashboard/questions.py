"""How every question was answered: one drawing each, by what kind of question it is."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from math import inf, nextafter
from typing import Any
from urllib.parse import urlencode

from msgspec import structs

from hub.dashboard import charts
from hub.dashboard.asked import Asked
from hub.dashboard.render import number, percent
from hub.dashboard.scores import SCORES
from hub.dashboard.together import together
from hub.dashboard.view import Bar, Column, Question, Share, Stack
from hub.db.analytics import Breakdown
from hub.db.fields import Field
from hub.db.measures import CATEGORICAL, RANKING, Metric
from hub.metrics import Bin, Categorical, Group, Mark, Measure, Option, Ranking, Report
from hub.model import FieldType, RecordFilter, query_string

MOST = 24
_OPTIONS, _HEIGHT, _SHADES = 8, 64, 5

Ask = Callable[[Metric[Any], RecordFilter, Breakdown], Awaitable[Report[Any] | None]]


async def questions(ask: Ask, asked: Asked, parts: Sequence[Field]) -> list[Question]:
    """The most answered ones, as they are in the surveys: those of one source together."""
    whole = [part for part in parts if part.field_group_id is None]
    groups = _grouped(parts)
    matrices = [name for name, found in groups.items() if len({part.field_label for part in found}) > 1]
    found = await together(
        *(_alike(ask, asked, kind, whole) for kind in SCORES),
        _alike(ask, asked, "categorical", whole),
        _options(ask, asked, [name for name in groups if _is(groups[name], "categorical") and name not in matrices]),
        _rankings(ask, asked, [name for name in groups if all(part.metric == "ranking" for part in groups[name])]),
        *(_matrix(ask, asked, name) for name in matrices if _is(groups[name], "categorical")),
    )
    drawn = dict(pair for pairs in found for pair in pairs)
    order: dict[str, list[str]] = {}
    for part in parts:
        names = order.setdefault(part.source_name or "", [])
        name = part.field_group_id or part.field_id
        if name in drawn and name not in names:
            names.append(name)
    labels = {part.field_group_id or part.field_id: part for part in reversed(parts)}
    return [
        _named(drawn[name], labels[name], asked) for names in order.values() for name in names
    ][:MOST]  # fmt: skip


def _grouped(parts: Sequence[Field]) -> Mapping[str, list[Field]]:
    groups: dict[str, list[Field]] = {}
    for part in parts:
        if part.field_group_id is not None:
            groups.setdefault(part.field_group_id, []).append(part)
    return groups


def _is(parts: Sequence[Field], kind: FieldType) -> bool:
    return all(part.field_type == kind for part in parts)


def _named(drawn: Question, part: Field, asked: Asked) -> Question:
    grouped = part.field_group_id is not None
    label = (part.field_group_label or part.field_group_id) if grouped else (part.field_label or part.field_id)
    look = asked.link(**({"field_group_id": part.field_group_id} if grouped else {"field_id": part.field_id}))
    return structs.replace(
        drawn, label=label or "", note=f"{part.source_name or ''} · {drawn.note}".strip(" ·"), href=look
    )


async def _alike(ask: Ask, asked: Asked, kind: FieldType, parts: Sequence[Field]) -> list[tuple[str, Question]]:
    """Whole questions of one kind, all with one statement."""
    names = tuple(part.field_id for part in parts if part.field_type == kind)
    if not names:
        return []
    metric = CATEGORICAL if kind == "categorical" else SCORES[kind].metric
    found = await ask(metric, structs.replace(asked.selection, field_id=names), Breakdown(group_by="field_id"))
    draw = _draw_options if kind == "categorical" else _drawing(kind)
    return [(name, draw(group, asked)) for name, group in _groups(found)]


async def _options(ask: Ask, asked: Asked, names: Sequence[str]) -> list[tuple[str, Question]]:
    """Questions of which several options could be chosen."""
    if not names:
        return []
    chosen = structs.replace(asked.selection, field_group_id=tuple(names))
    found = await ask(CATEGORICAL, chosen, Breakdown(group_by="field_group_id"))
    return [(name, _draw_options(group, asked)) for name, group in _groups(found)]


async def _rankings(ask: Ask, asked: Asked, names: Sequence[str]) -> list[tuple[str, Question]]:
    if not names:
        return []
    chosen = structs.replace(asked.selection, field_group_id=tuple(names))
    found = await ask(RANKING, chosen, Breakdown(group_by="field_group_id"))
    return [(name, _draw_ranking(group)) for name, group in _groups(found)]


async def _matrix(ask: Ask, asked: Asked, name: str) -> list[tuple[str, Question]]:
    """A row for each part. In which order the options were offered nobody told: the most chosen one comes first, and is the darkest."""
    chosen = structs.replace(asked.selection, field_group_id=(name,))
    rows = [group for _, group in _groups(await ask(CATEGORICAL, chosen, Breakdown(group_by="field_id")))]
    found: list[Option] = [option for row in rows for option in row.measure.options]
    counts: Counter[str] = Counter()
    for option in found:
        counts[option.key] += option.count
    if not rows or len(counts) > _SHADES:
        return await _options(ask, asked, [name])
    labels, column = {option.key: option.label or option.key for option in found}, _column(found)
    options = {key: f"shade{_SHADES - 1 - n}" for n, (key, _) in enumerate(counts.most_common())}

    def row_of(group: Group[Any]) -> Stack:
        parts = {option.key: option.count for option in group.measure.options}
        slices = [
            (kind, labels[key], parts.get(key, 0), _within(group.records, **{column: key}))
            for key, kind in options.items()
        ]
        return Stack(
            label=group.label or group.key or "", count=group.measure.count, slices=charts.stacked(slices),
            href=f"records?{group.records}" if group.records else None,
        )  # fmt: skip

    drawn = Question(
        label="", href=None, note=f"{number(max(row.measure.submissions for row in rows))} answers",
        stacks=[row_of(row) for row in rows],
        keys=[Share(kind=kind, label=labels[key], count=0, share=None, href="") for key, kind in options.items()],
    )  # fmt: skip
    return [(name, drawn)]


def _groups(found: Report[Any] | None) -> Iterator[tuple[str, Group[Any]]]:
    for group in (found.groups if found else None) or []:
        if group.key is not None and group.measure.count:
            yield group.key, group


def _drawing(kind: FieldType) -> Callable[[Group[Any], Asked], Question]:
    """For scores: a histogram where the measure has one, else the parts of the score."""
    score = SCORES[kind]

    def draw(group: Group[Any], asked: Asked) -> Question:
        measure = group.measure
        value = score.value(measure)
        note = f"{number(measure.count)} answers, {score.name.lower() if kind in ('rating', 'number') else score.name} "
        note += f"{number(value, score.digits)}{score.suffix}"
        histogram = getattr(measure, "histogram", None)
        if histogram:
            return Question(label="", href=None, note=note, columns=_columns(histogram, measure, group.records))
        return Question(label="", href=None, note=note, bars=[
            Bar(
                label=part.label, count=part.count, width=100 * part.count / max(1, measure.count), value=percent(_share(part.count, measure)),
                detail=number(part.count), href=_records(asked, group, kind, part.narrowed),
            )
            for part in reversed(score.parts(measure))
        ])  # fmt: skip

    return draw


def _share(count: int, measure: Measure) -> float | None:
    return 100 * count / measure.count if measure.count else None


def _records(asked: Asked, group: Group[Any], kind: FieldType, narrowed: dict[str, object]) -> str:
    chosen = structs.replace(asked.selection, field_id=(group.key,), field_type=(kind,), **narrowed)
    return f"records?{query_string(chosen)}"


def _columns(histogram: Sequence[Mark | Bin], measure: Any, records: str | None) -> list[Column]:
    """One for each mark of the scale, also those that nobody gave."""
    if isinstance(histogram[0], Mark):
        marks = {mark.value: mark.count for mark in histogram if isinstance(mark, Mark)}
        low, high = measure.scale_min, measure.scale_max
        if low is not None and high is not None and high - low <= 10:  # noqa: PLR2004 - more would not be read
            marks = {low + n: 0 for n in range(int(high - low) + 1)} | marks
        cells = [(f"{value:g}", count, value, value) for value, count in sorted(marks.items())]
    else:
        bins = [b for b in histogram if isinstance(b, Bin)]
        # An edge belongs to the bin above it, but for the last one.
        cells = [(f"{b.from_:g}", b.count, b.from_, b.to if b is bins[-1] else nextafter(b.to, -inf)) for b in bins]
    most, step = max(count for _, count, _, _ in cells) or 1, 100 / len(cells)
    return [
        Column(
            x=round((n + 0.5) * step, 2), left=round((n + 0.08) * step, 2), width=round(0.84 * step, 2),
            height=round(_HEIGHT * count / most, 1), label=label, share=percent(_share(count, measure)) if count else "",
            title=f"{label if low == high else f'{low:g} to {high:g}'}: {number(count)} answers",
            href=_within(records, value_number_min=repr(low), value_number_max=repr(high)) if count else None,
        )
        for n, (label, count, low, high) in enumerate(cells)
    ]  # fmt: skip


def _within(records: str | None, **more: str) -> str | None:
    """The list of some of these records."""
    return f"records?{records}&{urlencode(more)}" if records else None


def _column(options: Sequence[Option]) -> str:
    """Where the keys of options are: in their ids, or, of answers that have none, in the words as they are compared."""
    worded = all(option.label is not None and option.label.strip().lower() == option.key for option in options)
    return "value_text" if worded else "value_id"


def _draw_options(group: Group[Any], asked: Asked) -> Question:  # noqa: ARG001 - drawn like the others
    measure: Categorical = group.measure
    most = max((option.share for option in measure.options), default=0) or 1
    shown, by = measure.options[:_OPTIONS], _column(measure.options)
    more = len(measure.options) - len(shown) + measure.options_omitted
    return Question(
        label="", href=None,
        note=f"{number(measure.submissions)} answered" + (f", {more} rarer answers not shown" if more else ""),
        bars=[
            Bar(
                label=option.label or option.key, count=option.count, width=round(100 * option.share / max(most, 1), 1),
                detail=number(option.count), value=percent(option.share),
                href=_within(group.records, **{by: option.key}),
            )
            for option in shown
        ],
    )  # fmt: skip


def _draw_ranking(group: Group[Any]) -> Question:
    measure: Ranking = group.measure
    items = len(measure.items)
    return Question(
        label="", href=None, note=f"{number(max((item.count for item in measure.items), default=0))} ranked these; mean rank",
        bars=[
            Bar(
                label=item.label or item.field_id, count=item.count,
                # The first place fills the row, the last leaves it empty.
                width=round(100 * (items - item.mean_rank) / max(1, items - 1), 1),
                detail=f"{percent(item.first_share)} first", value=number(item.mean_rank, 1),
                href=_within(group.records, field_id=item.field_id),
            )
            for item in measure.items
        ],
    )  # fmt: skip
