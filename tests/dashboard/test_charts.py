"""Where things stand in a drawing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.dashboard import charts
from hub.dashboard.charts import Counted, Point

VALUES = st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


def point(value: float | None, **more: float) -> Point:
    return Point(label="", value=value, low=more.get("low"), high=more.get("high"))


@given(st.lists(VALUES, max_size=40))
def test_every_point_is_inside_its_drawing(values: list[float | None]) -> None:
    drawing = charts.trend([point(value) for value in values])
    assert [mark.y is None for mark in drawing.marks] == [value is None for value in values]
    assert all(0 <= mark.y <= drawing.height for mark in drawing.marks if mark.y is not None)
    assert all(
        mark.left >= 0 and mark.left + mark.width <= 100.01 and mark.left < mark.x < 100 for mark in drawing.marks
    )
    assert 0 < len(drawing.rows) <= 8


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_a_scale_has_round_steps_around_its_values(low: float, width: float) -> None:
    ticks = charts.scale(low, low + width)
    assert ticks[0] <= low + 1e-3
    assert ticks[-1] >= low + width - 1e-3
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(-95, 100, [-100, -50, 0, 50, 100]), (96, 100, [96, 97, 98, 99, 100])]
)
def test_a_scale_ends_where_values_end(low: float, high: float, ticks: list[float]) -> None:
    assert charts.scale(low, high, (-100, 100)) == ticks


def test_what_is_not_known_is_a_gap() -> None:
    drawing = charts.trend([point(1), point(2), point(None), point(3)])
    assert [path.count("L") for path in drawing.lines] == [1, 0]


def test_an_interval_goes_there_and_back() -> None:
    (band,) = charts.trend([point(1, low=0, high=2), point(2, low=1, high=3)]).bands
    assert band.count("L") == 3
    assert band.endswith("Z")


@given(st.lists(st.tuples(st.integers(0, 10**7), st.none() | st.integers(0, 10**7)), max_size=40))
def test_every_bar_stands_inside_its_drawing(counts: list[tuple[int, int | None]]) -> None:
    drawing = charts.pillars(
        [Counted(label="", count=count, part=count // 2, before=before) for count, before in counts]
    )
    for (count, before), pillar in zip(counts, drawing.pillars, strict=True):
        assert 0 <= pillar.part.height <= pillar.bar.height <= drawing.height
        assert pillar.left <= pillar.bar.left < pillar.part.left
        assert pillar.part.left + pillar.part.width < pillar.bar.left + pillar.bar.width <= pillar.left + pillar.width
        # The line of the period before is at the height of a bar of as many.
        assert (pillar.before is None) == (before is None)
        assert before != count or pillar.before == pytest.approx(drawing.height - pillar.bar.height, abs=0.1)
    assert drawing.rows[0].label == "0"
    assert drawing.rows[-1].at == 0
    assert not any("." in row.label for row in drawing.rows)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_slices_fill_their_bar(counts: list[int]) -> None:
    slices = charts.stacked([("", "", count, None) for count in counts])
    assert sum(slice_.width for slice_ in slices) == pytest.approx(100 if any(counts) else 0, abs=0.01)
    for one, other in itertools.pairwise(slices):
        assert other.left == pytest.approx(one.left + one.width, abs=0.01)


def test_labels_are_as_many_as_fit() -> None:
    drawing = charts.trend([Point(label=f"day {n}", value=n) for n in range(90)])
    assert len(drawing.columns) <= 9
