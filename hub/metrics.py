"""What the numbers mean: counts to metrics, with their uncertainty. Shares are in percent; without data a number is None, never 0."""

from datetime import date
from math import sqrt
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

Z = 1.96
LOW_SAMPLE = 30
SMALL_GROUP = 5

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=100)] | None


class Measure(Struct, kw_only=True, frozen=True):
    """What every metric says: how many answers it is made of, how many could not be, and whether that is few."""

    count: Count
    invalid_count: Count
    low_sample: Annotated[bool, Meta(description=f"Fewer than {LOW_SAMPLE} answers")]


class Nps(Measure, kw_only=True, frozen=True):
    """Net Promoter Score: 9 and 10 are promoters, below 7 are detractors."""

    nps: Annotated[float, Meta(ge=-100, le=100)] | None
    promoters: Count
    passives: Count
    detractors: Count
    margin_of_error: float | None
    ci_low: Annotated[float, Meta(ge=-100, le=100)] | None
    ci_high: Annotated[float, Meta(ge=-100, le=100)] | None


class Volume(Measure, kw_only=True, frozen=True):
    """How much there is."""

    records: Count
    submissions: Count
    users: Count


class Change(Struct, kw_only=True, frozen=True):
    """How a metric differs from the period before: the difference, and whether it is more than chance."""

    difference: float | None
    z: Annotated[float | None, Meta(description="The difference in standard errors")]
    significant: Annotated[bool | None, Meta(description=f"|z| > {Z}")]


M = TypeVar("M", bound=Measure)


class Bucket(Struct, Generic[M], kw_only=True, frozen=True):
    """The metric of one day, week, month or quarter, named by its first day."""

    bucket: date
    measure: M
    records: str | None


class Group(Struct, Generic[M], kw_only=True, frozen=True):
    """The metric of one group; the key is None for those that have none."""

    key: str | None
    label: str | None
    measure: M
    records: str | None
    series: list[Bucket[M]] | None

    @property
    def small(self) -> bool:
        """Too few to tell anything, and perhaps to hide anybody."""
        return self.measure.count < SMALL_GROUP


class Report(Struct, Generic[M], kw_only=True, frozen=True):
    """A metric of a selection. `records` is everywhere the query string that lists what was counted, None where no list can."""

    total: M
    records: str | None
    series: list[Bucket[M]] | None
    groups: list[Group[M]] | None
    groups_omitted: int
    previous: M | None
    previous_records: str | None
    change: Change | None


def nps(*, records: int = 0, promoters: int = 0, passives: int = 0, detractors: int = 0) -> Nps:
    """The score with its Wald margin. Of few answers the interval is the adjusted one: Wald's is too narrow there."""
    count = promoters + passives + detractors
    low_sample = count < LOW_SAMPLE
    low, high = None, None
    if count:
        # Three more answers, spread as if nobody knew anything.
        few = (0.75, 1.5, 0.75) if low_sample else (0, 0, 0)
        shifted = (promoters + few[0], passives + few[1], detractors + few[2])
        center, margin = _score(*shifted), 100 * Z * _score_error(*shifted)
        low, high = max(-100.0, center - margin), min(100.0, center + margin)
    return Nps(
        count=count,
        invalid_count=records - count,
        low_sample=low_sample,
        nps=_score(promoters, passives, detractors) if count else None,
        promoters=promoters,
        passives=passives,
        detractors=detractors,
        margin_of_error=100 * Z * _score_error(promoters, passives, detractors) if count else None,
        ci_low=low,
        ci_high=high,
    )


def _score(promoters: float, passives: float, detractors: float) -> float:
    return 100 * (promoters - detractors) / (promoters + passives + detractors)


def _score_error(promoters: float, passives: float, detractors: float) -> float:
    """The standard error of the mean of +1, 0 and -1."""
    count = promoters + passives + detractors
    mean = (promoters - detractors) / count
    return sqrt(max(0.0, (promoters + detractors) / count - mean**2) / count)


def nps_change(now: Nps, then: Nps) -> Change:
    """The difference of two scores."""
    errors = [_score_error(m.promoters, m.passives, m.detractors) if m.count else None for m in (now, then)]
    return _change(now.nps, then.nps, errors, scale=100)


def _change(now: float | None, then: float | None, errors: list[float | None], *, scale: float = 1) -> Change:
    difference = None if now is None or then is None else now - then
    first, second = errors
    z = None
    if difference is not None and first is not None and second is not None and (first or second):
        z = difference / (scale * sqrt(first**2 + second**2))
    return Change(difference=difference, z=z, significant=None if z is None else abs(z) > Z)


def volume(*, records: int = 0, submissions: int = 0, users: int = 0) -> Volume:
    return Volume(
        count=records,
        invalid_count=0,
        low_sample=records < LOW_SAMPLE,
        records=records,
        submissions=submissions,
        users=users,
    )


def volume_change(now: Volume, then: Volume) -> Change:
    """The difference of the records. Nothing is estimated, so nothing is left to chance."""
    return Change(difference=now.records - then.records, z=None, significant=None)
