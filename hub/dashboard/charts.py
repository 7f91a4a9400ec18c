"""From numbers to where things stand in a drawing.

Across, everything is in percent, so that a drawing is as wide as its place and its text never shrinks; down, in pixels.
"""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

TREND_HEIGHT = 200
PILLARS_HEIGHT = 120
SPARK_HEIGHT = 26

_TICKS = 4
_LABELS = 9
# In percent of the drawing: the bars of three months would be walls.
_WIDEST = 8


class Point(Struct, frozen=True, kw_only=True):
    """One bucket of a series. Without a value there was nothing to measure."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    faint: bool = False
    """Too few answers to trust."""
    title: str = ""
    href: str | None = None
    first: str = ""
    last: str = ""
    """The days it spans."""


class Tick(Struct, frozen=True):
    """A label, and where it stands."""

    at: float
    label: str


class Mark(Struct, frozen=True, kw_only=True):
    """A point as it is drawn, and the column it may be clicked in."""

    x: float
    y: float | None
    left: float
    width: float
    faint: bool
    title: str
    href: str | None
    first: str
    last: str


class Trend(Struct, frozen=True, kw_only=True):
    """A line over time with its interval."""

    lines: list[str]
    bands: list[str]
    marks: list[Mark]
    rows: list[Tick]
    columns: list[Tick]
    zero: float | None
    height: int
    low: float
    high: float
    """The values at the bottom and at the top."""


class Slice(Struct, frozen=True, kw_only=True):
    """A part of a bar."""

    kind: str
    left: float
    width: float
    label: str
    title: str
    href: str | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """One bucket of what is counted: how much, how much of it in front, and how much there was before."""

    label: str
    count: int
    part: int
    before: int | None = None
    title: str = ""
    href: str | None = None
    first: str = ""
    last: str = ""
    """The days it spans."""


class Box(Struct, frozen=True, kw_only=True):
    """A rectangle that stands on the ground of its drawing."""

    left: float
    width: float
    height: float


class Pillar(Struct, frozen=True, kw_only=True):
    """A bar that stands, and the column it may be clicked in."""

    left: float
    width: float
    bar: Box
    part: Box
    before: float | None
    """How far down from the top of the drawing."""
    title: str
    href: str | None
    first: str
    last: str


class Pillars(Struct, frozen=True, kw_only=True):
    """Bars over time."""

    pillars: list[Pillar]
    rows: list[Tick]
    columns: list[Tick]
    height: int


def trend(points: Sequence[Point], *, height: int = TREND_HEIGHT, bounds: tuple[float, float] | None = None) -> Trend:
    """`bounds` are the values that cannot be exceeded, and need not be shown when nothing is near."""
    values = [value for point in points for value in (point.value, point.low, point.high) if value is not None]
    ticks = scale(min(values, default=0.0), max(values, default=1.0), bounds)
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return round(height * (high - value) / (high - low), 1)

    step = 100 / max(1, len(points))
    xs = [round((n + 0.5) * step, 2) for n in range(len(points))]
    return Trend(
        lines=_runs(points, xs, lambda point: None if point.value is None else [y(point.value)]),
        bands=_runs(points, xs, lambda point: None if point.low is None or point.high is None else [y(point.low), y(point.high)]),
        marks=[
            Mark(
                x=x, y=None if point.value is None else y(point.value), left=round(n * step, 3), width=round(step, 3),
                faint=point.faint, title=point.title, href=point.href, first=point.first, last=point.last,
            )
            for n, (x, point) in enumerate(zip(xs, points, strict=True))
        ],
        rows=[Tick(y(value), _short(value)) for value in ticks],
        columns=_thinned([Tick(x, point.label) for x, point in zip(xs, points, strict=True)]),
        zero=y(0) if low < 0 < high else None,
        height=height,
        low=low,
        high=high,
    )  # fmt: skip


def overlay(drawing: Trend, values: Sequence[float | None]) -> list[str]:
    """Another line in the same drawing, of which no point stands for itself."""
    points = [Point(label="", value=value) for value in values[: len(drawing.marks)]]

    def y(point: Point) -> list[float] | None:
        if point.value is None:
            return None
        inside = min(max(point.value, drawing.low), drawing.high)
        return [round(drawing.height * (drawing.high - inside) / (drawing.high - drawing.low), 1)]

    return _runs(points, [mark.x for mark in drawing.marks[: len(points)]], y)


def pillars(counts: Sequence[Counted], *, height: int = PILLARS_HEIGHT) -> Pillars:
    """All of them stand on zero."""
    ticks = scale(0, max([1, *(count.count for count in counts), *(count.before or 0 for count in counts)]))
    step, most = 100 / max(1, len(counts)), ticks[-1]

    def up(value: int) -> float:
        return round(height * value / most, 1)

    def box(n: int, value: int, share: float) -> Box:
        width = min(step, _WIDEST) * share
        return Box(left=round((n + 0.5) * step - width / 2, 3), width=round(width, 3), height=up(value))

    return Pillars(
        pillars=[
            Pillar(
                left=round(n * step, 3), width=round(step, 3), bar=box(n, count.count, 0.76), part=box(n, count.part, 0.34),
                before=None if count.before is None else round(height - up(count.before), 1),
                title=count.title, href=count.href, first=count.first, last=count.last,
            )
            for n, count in enumerate(counts)
        ],
        # There is no half a record.
        rows=[Tick(round(height * (1 - tick / most), 1), _short(tick)) for tick in ticks if tick == int(tick)],
        columns=_thinned([Tick(round((n + 0.5) * step, 2), count.label) for n, count in enumerate(counts)]),
        height=height,
    )  # fmt: skip


def scale(low: float, high: float, bounds: tuple[float, float] | None = None) -> list[float]:
    """Round values from below the lowest to above the highest."""
    if high - low <= 1e-9 * max(1, abs(low), abs(high)):  # no width at all
        low, high = low - 1, high + 1
    raw = (high - low) / _TICKS
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(n * step, 10) for n in range(first, last + 1)]
    if bounds is not None:
        ticks = [tick for tick in ticks if bounds[0] <= tick <= bounds[1]]
        # What is near an end of what is possible, but between two ticks, must still fit.
        if ticks[0] > low:
            ticks.insert(0, bounds[0])
        if ticks[-1] < high:
            ticks.append(bounds[1])
    return ticks


def _runs(points: Sequence[Point], xs: Sequence[float], heights: Callable[[Point], list[float] | None]) -> list[str]:
    """A path for each run of points that are known: a line of single heights, an area between two."""
    paths: list[str] = []
    run: list[tuple[float, list[float]]] = []
    for x, point in [*zip(xs, points, strict=True), (0.0, None)]:
        found = heights(point) if point is not None else None
        if found is not None:
            run.append((x, found))
            continue
        if run:
            there = [(x, ys[0]) for x, ys in run]
            back = [(x, ys[1]) for x, ys in reversed(run) if len(ys) > 1]
            paths.append("M" + " L".join(f"{x:g},{y:g}" for x, y in (*there, *back)) + ("Z" if back else ""))
            run = []
    return paths


def spark(values: Sequence[float | None], low: float, high: float) -> str:
    """A line without axes, between two values that its neighbors share."""
    points = [Point(label="", value=value) for value in values]
    span = high - low or 1
    inner = SPARK_HEIGHT - 4
    step = 100 / max(1, len(points))
    xs = [round((n + 0.5) * step, 2) for n in range(len(points))]
    return " ".join(
        _runs(points, xs, lambda p: None if p.value is None else [round(2 + inner * (high - p.value) / span, 1)])
    )


def stacked(parts: Sequence[tuple[str, str, int, str | None]]) -> list[Slice]:
    """Kind, name, count and link of each part, as shares of one bar."""
    total = sum(count for _, _, count, _ in parts)
    slices, left = [], 0.0
    for kind, name, number, href in parts:
        width = 100 * number / total if total else 0
        slices.append(
            Slice(
                kind=kind, left=round(left, 3), width=round(width, 3), label=f"{width:.0f}%",
                title=f"{name}: {number:,} ({width:.1f}%)", href=href,
            )
        )  # fmt: skip
        left += width
    return slices


def place(value: float, low: float, high: float) -> float:
    """Where a value stands between two others, in percent; in the middle, where these are one."""
    return round(100 * (min(max(value, low), high) - low) / (high - low), 2) if high > low else 50.0


def _thinned(ticks: Sequence[Tick]) -> list[Tick]:
    """Labels that have changed, and of those as many as there is room for."""
    named = [
        tick
        for before, tick in zip([None, *ticks], ticks, strict=False)
        if before is None or before.label != tick.label
    ]
    every = math.ceil(len(named) / _LABELS)
    return named[::every] if named else []


def _short(value: float) -> str:
    return (f"{value:,.0f}" if value == int(value) else f"{value:g}").replace("-", "\N{MINUS SIGN}")
