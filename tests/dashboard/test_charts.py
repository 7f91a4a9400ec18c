"""Where things stand in a drawing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.dashboard import charts
from hub.dashboard.charts import Point

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


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_slices_fill_their_bar(counts: list[int]) -> None:
    slices = charts.stacked([("", "", count, None) for count in counts])
    assert sum(slice_.width for slice_ in slices) == pytest.approx(100 if any(counts) else 0, abs=0.01)
    for one, other in itertools.pairwise(slices):
        assert other.left == pytest.approx(one.left + one.width, abs=0.01)


def test_labels_are_as_many_as_fit() -> None:
    drawing = charts.trend([Point(label=f"day {n}", value=n) for n in range(90)])
    assert len(drawing.columns) <= 9
