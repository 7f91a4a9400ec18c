"""The metrics that are one number, and how each is shown: what the number is, its interval, and the parts it is made of."""

from collections.abc import Callable, Mapping, Sequence
from math import nextafter
from typing import Any

from msgspec import Struct

from hub.db.analytics import NPS, Metric
from hub.model import FieldType


class Part(Struct, frozen=True, kw_only=True):
    """Some of the answers, and between which values they lie."""

    kind: str
    label: str
    count: int
    low: float
    high: float


class Score(Struct, frozen=True, kw_only=True):
    """A metric as the page shows it."""

    name: str
    metric: Metric[Any]
    member: str
    """What of the measure is the number."""
    suffix: str = ""
    digits: int = 0
    bounds: tuple[float, float] | None
    parts: Callable[[Any], Sequence[Part]]

    def value(self, measure: Any) -> float | None:
        found: float | None = getattr(measure, self.member)
        return found


def _below(value: float) -> float:
    """The largest number that is less: intervals are half-open, filters are not."""
    return nextafter(value, 0)


def _nps_parts(measure: Any) -> Sequence[Part]:
    return (
        Part(kind="detractor", label="Detractors", count=measure.detractors, low=0, high=_below(7)),
        Part(kind="passive", label="Passives", count=measure.passives, low=7, high=_below(9)),
        Part(kind="promoter", label="Promoters", count=measure.promoters, low=9, high=10),
    )


NPS_SCORE = Score(name="NPS", metric=NPS, member="nps", bounds=(-100, 100), parts=_nps_parts)

SCORES: Mapping[FieldType, Score] = {"nps": NPS_SCORE}
