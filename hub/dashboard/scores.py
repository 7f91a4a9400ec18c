"""The metrics that are one number, and how each is shown: what the number is, its interval, and the parts it is made of."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, nextafter
from typing import Any

from msgspec import Struct

from hub.db.measures import BOOLEAN, CES, CSAT, NPS, NUMBER, RATING, Metric
from hub.metrics import Boolean, Ces, Csat, Measure, Nps, Numbers, Z
from hub.model import FieldType


class Part(Struct, frozen=True, kw_only=True):
    """Some of the answers, and what selects them beside the filters."""

    kind: str
    label: str
    count: int
    narrowed: dict[str, object]


class Score(Struct, frozen=True, kw_only=True):
    """A metric as the page shows it."""

    name: str
    metric: Metric[Any]
    member: str
    """What of the measure is the number."""
    suffix: str = ""
    digits: int = 0
    bounds: tuple[float, float] | None = None
    """What no value can be beyond."""
    interval: Callable[[Any], tuple[float, float] | None]
    parts: Callable[[Any], Sequence[Part]]
    note: Callable[[Any], str] = lambda _: ""

    def value(self, measure: Measure) -> float | None:
        found: float | None = getattr(measure, self.member)
        return found


def _known(measure: Any) -> tuple[float, float] | None:
    return None if measure.ci_low is None else (measure.ci_low, measure.ci_high)


def _of_mean(mean: float | None, sd: float | None, count: int) -> tuple[float, float] | None:
    if mean is None or sd is None:
        return None
    margin = Z * sd / count**0.5
    return mean - margin, mean + margin


def _between(low: float, below: float) -> dict[str, object]:
    """Half-open, which filters are not: up to the largest number that is less."""
    return {"value_number_min": low, "value_number_max": nextafter(below, -inf)}


def _from(low: float, high: float) -> dict[str, object]:
    return {"value_number_min": low, "value_number_max": high}


def _nps_parts(measure: Nps) -> Sequence[Part]:
    return (
        Part(kind="detractor", label="Detractors", count=measure.detractors, narrowed=_between(0, 7)),
        Part(kind="passive", label="Passives", count=measure.passives, narrowed=_between(7, 9)),
        Part(kind="promoter", label="Promoters", count=measure.promoters, narrowed=_from(9, 10)),
    )  # fmt: skip


def _csat_parts(measure: Csat) -> Sequence[Part]:
    """Of the scale that most begin: at 1."""
    if measure.csat is None or measure.scale_max is None:
        return ()
    top = measure.scale_max - 1
    return (
        Part(kind="detractor", label="Dissatisfied", count=measure.dissatisfied, narrowed=_from(1, min(2, nextafter(top, -inf)))),
        Part(kind="passive", label="Neutral", count=measure.neutral, narrowed=_between(nextafter(2, inf), top)),
        Part(kind="promoter", label="Satisfied", count=measure.satisfied, narrowed=_from(top, measure.scale_max)),
    )  # fmt: skip


def _ces_parts(measure: Ces) -> Sequence[Part]:
    if measure.easy is None or measure.scale_max is None:
        return ()
    easy = measure.scale_max - (2 if measure.scale_max >= 7 else 1)
    return (
        Part(kind="passive", label="Not easy", count=measure.count - measure.easy, narrowed=_between(1, easy)),
        Part(kind="promoter", label="Easy", count=measure.easy, narrowed=_from(easy, measure.scale_max)),
    )


def _boolean_parts(measure: Boolean) -> Sequence[Part]:
    return (
        Part(kind="passive", label="No", count=measure.false_count, narrowed={"value_boolean": False}),
        Part(kind="promoter", label="Yes", count=measure.true_count, narrowed={"value_boolean": True}),
    )


def _numbers_note(measure: Numbers) -> str:
    return "" if measure.median is None else f", median {measure.median:g}"


SCORES: Mapping[FieldType, Score] = {
    "nps": Score(name="NPS", metric=NPS, member="nps", bounds=(-100, 100), interval=_known, parts=_nps_parts),
    "csat": Score(
        name="CSAT", metric=CSAT, member="csat", suffix="%", bounds=(0, 100), interval=_known, parts=_csat_parts,
    ),
    "ces": Score(
        name="CES", metric=CES, member="ces", digits=1, parts=_ces_parts,
        interval=lambda measure: _of_mean(measure.ces, measure.sd, measure.count),
        note=lambda measure: "" if measure.scale_max is None else f" on a scale to {measure.scale_max:g}",
    ),
    "rating": Score(
        name="Rating", metric=RATING, member="mean", digits=1, parts=lambda _: (), note=_numbers_note,
        interval=lambda measure: _of_mean(measure.mean, measure.sd, measure.count),
    ),
    "number": Score(
        name="Mean", metric=NUMBER, member="mean", digits=1, parts=lambda _: (), note=_numbers_note,
        interval=lambda measure: _of_mean(measure.mean, measure.sd, measure.count),
    ),
    "boolean": Score(
        name="Yes", metric=BOOLEAN, member="true_share", suffix="%", bounds=(0, 100), interval=_known,
        parts=_boolean_parts,
    ),
}  # fmt: skip
