"""The formulas, against published figures and implementations."""

import math
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.proportion import test_proportions_2indep as difference_of_shares
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from hub import metrics
from hub.metrics import Number

# What corresponds to 1.96 exactly.
ALPHA = 2 * (1 - 0.5 * (1 + math.erf(1.96 / math.sqrt(2))))
COUNTS = st.integers(0, 3000)


@pytest.mark.parametrize(
    ("promoters", "passives", "detractors", "score", "margin"),
    [(215, 85, 75, 37.3, 8.1), (50, 30, 20, 30.0, 15.3), (9, 1, 0, 90, 18.6)],
)
def test_score_and_margin_as_published(
    promoters: int, passives: int, detractors: int, score: float, margin: float
) -> None:
    found = metrics.nps(records=1000, promoters=promoters, passives=passives, detractors=detractors)
    assert [found.nps, found.margin_of_error] == pytest.approx([score, margin], abs=0.05)
    assert found.invalid_count == 1000 - promoters - passives - detractors


@given(COUNTS, COUNTS, COUNTS)
def test_a_score_is_a_mean_with_its_error(promoters: int, passives: int, detractors: int) -> None:
    """As statsmodels has it of +1, 0 and -1. Of many answers the interval is that, cut at the ends."""
    count = promoters + passives + detractors
    found = metrics.nps(records=count, promoters=promoters, passives=passives, detractors=detractors)
    if not count:
        assert (found.nps, found.margin_of_error, found.ci_low, found.ci_high) == (None, None, None, None)
        return
    described = DescrStatsW([1, 0, -1], weights=[promoters, passives, detractors], ddof=0)
    margin = 100 * metrics.Z * described.std / math.sqrt(count)
    assert found.nps == pytest.approx(100 * described.mean)
    assert found.margin_of_error == pytest.approx(margin, abs=1e-6)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert -100 <= found.ci_low <= found.ci_high <= 100
    assert found.low_sample == (count < 30)
    if not found.low_sample:
        assert found.ci_low == pytest.approx(max(-100, 100 * described.mean - margin))
        assert found.ci_high == pytest.approx(min(100, 100 * described.mean + margin))


def test_few_answers_have_the_adjusted_interval() -> None:
    """Three answers more, that know nothing: as wide as the margin of the whole when all agree, which has none."""
    found = metrics.nps(records=5, promoters=5)
    error = math.sqrt((6.5 / 8 - (5 / 8) ** 2) / 8)
    assert (found.nps, found.margin_of_error) == (100, 0)
    assert found.ci_low == pytest.approx(62.5 - 196 * error)
    assert found.ci_high == 100


@pytest.mark.parametrize(("part", "count", "low", "high"), [(8, 10, 49.0, 94.3), (800, 1000, 77.4, 82.4)])
def test_interval_of_a_share_as_published(part: int, count: int, low: float, high: float) -> None:
    assert list(metrics.wilson(part, count)) == pytest.approx([low, high], abs=0.05)


@given(COUNTS, COUNTS)
def test_interval_of_a_share_is_wilsons(part: int, rest: int) -> None:
    count = part + rest
    if not count:
        assert metrics.wilson(part, count) == (None, None)
        return
    low, high = proportion_confint(part, count, alpha=ALPHA, method="wilson")
    assert list(metrics.wilson(part, count)) == pytest.approx([100 * low, 100 * high], abs=1e-6)


@given(*[st.integers(1, 500)] * 4)
def test_difference_of_shares(first: int, rest: int, second: int, other: int) -> None:
    """Satisfaction, and yes or no, as statsmodels compares two shares."""
    now, then = (
        metrics.boolean(true_count=first, false_count=rest),
        metrics.boolean(true_count=second, false_count=other),
    )
    expected = difference_of_shares(first, first + rest, second, second + other, method="wald").statistic
    found = metrics.boolean_change(now, then)
    assert found.z == pytest.approx(expected, abs=1e-9)
    assert found.significant == (abs(expected) > 1.96)

    csats = [
        metrics.csat(records=good + bad, answers=good + bad, satisfied=good, scale_max=5)
        for good, bad in ((first, rest), (second, other))
    ]
    assert metrics.csat_change(*csats).z == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.sampled_from([1, 2, 3.5, 5, 7]), min_size=2), st.lists(st.sampled_from([1, 4, 7]), min_size=2))
def test_difference_of_means(now: list[float], then: list[float]) -> None:
    """Effort, ratings and numbers, as statsmodels compares two means whose variances differ."""
    found = metrics.ces_change(
        *[
            metrics.ces(records=len(v), answers=len(v), total=sum(v), squares=sum(x * x for x in v), scale=(1.0, 7.0))
            for v in (now, then)
        ]
    )
    assert found.difference == pytest.approx(np.mean(now) - np.mean(then))
    if len({*now}) == len({*then}) == 1:
        assert found.z is None or abs(found.z) > 1e6  # what is left of a subtraction of equals
        return
    expected, _ = CompareMeans(DescrStatsW(now), DescrStatsW(then)).ztest_ind(usevar="unequal")
    assert found.z == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_there_is_no_telling_without_variance_or_on_another_scale() -> None:
    """A difference between answers that all agree has no error, one between scales is none."""
    now, then = metrics.nps(records=9, promoters=9), metrics.nps(records=9, detractors=9)
    assert metrics.nps_change(now, then).difference == 200
    assert (metrics.nps_change(now, then).z, metrics.nps_change(now, then).significant) == (None, None)
    assert metrics.nps_change(now, metrics.nps()).difference is None

    on_five = metrics.csat(records=9, answers=9, satisfied=5, scale_max=5)
    on_seven = metrics.csat(records=9, answers=9, satisfied=5, scale_max=7)
    assert metrics.csat_change(on_five, on_seven).difference is None


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.sampled_from([0.25, 0.5, 0.75, 0.9]))
def test_quantile_lies_where_numpy_has_it(values: list[int], share: float) -> None:
    ordered, place = sorted(values), share * (len(values) - 1)
    found = metrics.between(ordered[math.floor(place)], ordered[math.ceil(place)], share, len(values))
    assert found == pytest.approx(np.quantile(values, share))


@given(*[st.floats(-1e15, 1e15) | st.integers(-20, 20).map(lambda tenth: tenth / 10)] * 2)
def test_edges_of_a_histogram(one: float, other: float) -> None:
    """At most a dozen bins as wide as 1, 2 or 5 of some power of ten, with everything between the first edge and the last."""
    low, high = min(one, other), max(one, other)
    found = metrics.edges(low, high)
    assert 2 <= len(found) <= 13
    assert found[0] <= low
    assert high <= found[-1]
    assert all(first < second for first, second in pairwise(found))


def test_edges_are_round() -> None:
    assert metrics.edges(0.1, 1) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert metrics.edges(18, 73) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert metrics.edges(3, 3) == [3, 4]
    assert metrics.edges(0, 1e6)[1] == float(Decimal(100000))


def test_answers_on_several_scales_are_counted_and_nothing_more() -> None:
    found = metrics.csat(records=9, answers=8, satisfied=5, dissatisfied=1, total=30, scale_max=None)
    assert (found.count, found.satisfied, found.csat, found.mean, found.ci_low) == (8, 5, None, None, None)
    effort = metrics.ces(records=9, answers=8, easy=3, total=30, scale=None, mixed=True)
    assert (effort.count, effort.ces, effort.easy, effort.sd) == (8, None, None, None)


def test_effort_on_an_unknown_scale_has_a_mean_alone() -> None:
    """Nobody knows whether five is the best of it."""
    found = metrics.ces(records=2, answers=2, easy=0, total=9, squares=41, scale=None)
    assert (found.ces, found.easy, found.easy_share, found.scale_max) == (4.5, None, None, None)


def test_the_members_of_numbers_stand_once() -> None:
    assert {*Number.__struct_fields__} >= {"mean", "sd", "median", "p25", "p75", "p90", "min", "max", "histogram"}
