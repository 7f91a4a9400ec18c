"""What the numbers mean: counts to metrics, with their uncertainty. Shares are in percent; without data a number is None, never 0."""

from datetime import date
from decimal import Decimal
from math import ceil, floor, sqrt
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

Z = 1.96
LOW_SAMPLE = 30
SMALL_GROUP = 5

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=100)] | None
Scale = tuple[float, float]


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


class Csat(Measure, kw_only=True, frozen=True):
    """Customer satisfaction: the share of the two best marks of the scale."""

    csat: Share
    satisfied: Count
    neutral: Count
    dissatisfied: Count
    mean: float | None
    scale_max: float | None
    ci_low: Share
    ci_high: Share


class Ces(Measure, kw_only=True, frozen=True):
    """Customer effort: how easy it was, in the mean, and for how many. Higher is easier."""

    ces: float | None
    sd: float | None
    easy: Count | None
    easy_share: Share
    scale_max: float | None
    ci_low: Share
    ci_high: Share


class Mark(Struct, frozen=True):
    """How often a mark was given."""

    value: float
    count: Count


class Bin(Struct, frozen=True, rename={"from_": "from"}):
    """How many numbers lie from one edge to below the next; in the last bin it is included."""

    from_: float
    to: float
    count: Count


class Numbers(Measure, kw_only=True, frozen=True):
    """How numbers are distributed. `sd` is the sample's; quantiles lie between two answers."""

    mean: float | None
    sd: float | None
    median: float | None
    p25: float | None
    p75: float | None
    p90: float | None
    min: float | None
    max: float | None
    scale_min: float | None
    scale_max: float | None


class Rating(Numbers, kw_only=True, frozen=True):
    """How ratings are distributed. `sd` is the sample's; quantiles lie between two answers."""

    histogram: Annotated[list[Mark] | None, Meta(description="Null for more than a hundred different marks")]


class Number(Numbers, kw_only=True, frozen=True):
    """How numbers are distributed. `sd` is the sample's; quantiles lie between two answers."""

    histogram: list[Bin] | None


class Boolean(Measure, kw_only=True, frozen=True):
    """Yes or no."""

    true_count: Count
    false_count: Count
    true_share: Share
    ci_low: Share
    ci_high: Share


class Option(Struct, kw_only=True, frozen=True):
    """How often an option was chosen, and the share of the submissions that did."""

    key: str
    value_id: Annotated[str | None, Meta(description="Null where the option is known by its words, in lower case")]
    label: str | None
    count: Count
    share: float


class Categorical(Measure, kw_only=True, frozen=True):
    """Which options were chosen. Where several could be, the shares add up to more than 100."""

    submissions: Annotated[int, Meta(ge=0, description="How many chose anything: what the shares are shares of")]
    options: list[Option]
    options_omitted: Annotated[int, Meta(ge=0, description="How many more there are that were chosen less often")]


class Item(Struct, kw_only=True, frozen=True):
    """How an item was ranked; 1 is the best."""

    field_id: str
    label: str | None
    count: Count
    mean_rank: float
    borda: Annotated[float, Meta(description="For each rank, how many items are not better")]
    first_share: Annotated[float, Meta(ge=0, le=100, description="Of the submissions that ranked anything")]


class Ranking(Measure, kw_only=True, frozen=True):
    """How the items of a question were ranked, the best first."""

    items: list[Item]


class Completion(Measure, kw_only=True, frozen=True):
    """How submissions ended, as far as their sources tell: null is what they do not."""

    submissions: Count
    started: Count | None
    partial: Count | None
    completed: Count
    dismissed: Count | None
    rate_base: Annotated[
        Count | None, Meta(description="Those that were not dismissed, of sources that tell of unfinished ones")
    ]
    rate_completed: Annotated[Count | None, Meta(description="Of those the completed ones")]
    completion_rate: Annotated[Share, Meta(description="rate_completed of rate_base")]
    ci_low: Share
    ci_high: Share
    median_duration_seconds: Annotated[float | None, Meta(description="Of those that were completed")]


class DropOff(Struct, kw_only=True, frozen=True):
    """How many answered a question, and the share of the submissions that did not."""

    field_id: str
    label: str | None
    answered: Count
    submissions: Annotated[int, Meta(ge=0, description="Of the forms that ask it, without those that were dismissed")]
    drop_off: float


class Change(Struct, kw_only=True, frozen=True):
    """How a metric differs from the period before: the difference, and whether it is more than chance."""

    difference: float | None
    z: Annotated[float | None, Meta(description="The difference in standard errors")]
    significant: Annotated[bool | None, Meta(description=f"|z| > {Z}")]


INCOMPARABLE = Change(difference=None, z=None, significant=None)

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
    errors = [100 * _score_error(m.promoters, m.passives, m.detractors) if m.count else None for m in (now, then)]
    return _change(now.nps, then.nps, errors)


def _change(now: float | None, then: float | None, errors: list[float | None]) -> Change:
    """A difference in its own standard errors. Where neither side varies at all there is no telling."""
    difference = None if now is None or then is None else now - then
    first, second = errors
    z = None
    if difference is not None and first is not None and second is not None and (first or second):
        z = difference / sqrt(first**2 + second**2)
    return Change(difference=difference, z=z, significant=None if z is None else abs(z) > Z)


def csat(  # noqa: PLR0913 - counts, each by its name
    *,
    records: int = 0,
    answers: int = 0,
    satisfied: int = 0,
    dissatisfied: int = 0,
    total: float = 0,
    scale_max: float | None,
) -> Csat:
    """Without `scale_max` the answers are on several scales: then they are counted and nothing more."""
    known = answers if scale_max is not None else 0
    low, high = wilson(satisfied, known)
    return Csat(
        count=answers,
        invalid_count=records - answers,
        low_sample=answers < LOW_SAMPLE,
        csat=_share(satisfied, known),
        satisfied=satisfied,
        neutral=answers - satisfied - dissatisfied,
        dissatisfied=dissatisfied,
        mean=total / known if known else None,
        scale_max=scale_max,
        ci_low=low,
        ci_high=high,
    )  # fmt: skip


def csat_change(now: Csat, then: Csat) -> Change:
    """The difference of two shares on one scale."""
    if now.scale_max != then.scale_max:
        return INCOMPARABLE
    return _change(now.csat, then.csat, [_share_error(m.satisfied, m.count) for m in (now, then)])


def ces(  # noqa: PLR0913 - counts, each by its name
    *,
    records: int = 0,
    answers: int = 0,
    easy: int = 0,
    total: float = 0,
    squares: float = 0,
    scale: Scale | None,
    mixed: bool = False,
) -> Ces:
    """Without a scale it is not known which marks mean easy; answers on several (`mixed`) are counted and nothing more."""
    known = answers if scale is not None else 0
    low, high = wilson(easy, known)
    mean = total / answers if answers and not mixed else None
    return Ces(
        count=answers,
        invalid_count=records - answers,
        low_sample=answers < LOW_SAMPLE,
        ces=mean,
        sd=sqrt(max(0.0, squares - answers * mean**2) / (answers - 1)) if mean is not None and answers > 1 else None,
        easy=easy if known else None,
        easy_share=_share(easy, known),
        scale_max=None if scale is None else scale[1],
        ci_low=low,
        ci_high=high,
    )


def ces_change(now: Ces, then: Ces) -> Change:
    """The difference of two means on one scale."""
    if now.scale_max != then.scale_max:
        return INCOMPARABLE
    return _change(now.ces, then.ces, [_mean_error(m.sd, m.count) for m in (now, then)])


def numbers_change(now: Numbers, then: Numbers) -> Change:
    """The difference of two means on one scale."""
    if (now.scale_min, now.scale_max) != (then.scale_min, then.scale_max):
        return INCOMPARABLE
    return _change(now.mean, then.mean, [_mean_error(m.sd, m.count) for m in (now, then)])


def between(low: float | None, high: float | None, share: float, count: int) -> float | None:
    """The quantile of `count` answers of which two are next to it, as `percentile_cont` has it."""
    if low is None or high is None:
        return None
    place = share * (count - 1)
    return low + (place - int(place)) * (high - low)


def edges(low: float, high: float) -> list[float]:
    """Round numbers, about ten of them, that have all of a range between them."""
    least, most = Decimal(repr(low)), Decimal(repr(high))
    rough = (most - least) / 10
    step = Decimal(1)
    if rough:
        power = Decimal(1).scaleb(rough.adjusted())
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = floor(least / step)
    last = max(ceil(most / step), first + 1)
    return [float(step * number) for number in range(first, last + 1)]


def boolean(*, records: int = 0, true_count: int = 0, false_count: int = 0) -> Boolean:
    count = true_count + false_count
    low, high = wilson(true_count, count)
    return Boolean(
        count=count,
        invalid_count=records - count,
        low_sample=count < LOW_SAMPLE,
        true_count=true_count,
        false_count=false_count,
        true_share=_share(true_count, count),
        ci_low=low,
        ci_high=high,
    )


def boolean_change(now: Boolean, then: Boolean) -> Change:
    """The difference of two shares."""
    return _change(now.true_share, then.true_share, [_share_error(m.true_count, m.count) for m in (now, then)])


def completion(  # noqa: PLR0913 - counts, each by its name
    *,
    submissions: int = 0,
    started: int = 0,
    partial: int = 0,
    completed: int = 0,
    dismissed: int = 0,
    rate_base: int = 0,
    rate_completed: int = 0,
    tells_unfinished: bool = False,
    tells_dismissed: bool = False,
    median_duration: float | None = None,
) -> Completion:
    """The rate is of the sources that tell of unfinished submissions: of the others all are complete."""
    low, high = wilson(rate_completed, rate_base)
    return Completion(
        count=submissions,
        invalid_count=0,
        low_sample=submissions < LOW_SAMPLE,
        submissions=submissions,
        started=started if tells_unfinished else None,
        partial=partial if tells_unfinished else None,
        completed=completed,
        dismissed=dismissed if tells_dismissed else None,
        rate_base=rate_base if tells_unfinished else None,
        rate_completed=rate_completed if tells_unfinished else None,
        completion_rate=_share(rate_completed, rate_base),
        ci_low=low,
        ci_high=high,
        median_duration_seconds=median_duration,
    )  # fmt: skip


def completion_change(now: Completion, then: Completion) -> Change:
    """The difference of two rates."""
    if now.completion_rate is None or then.completion_rate is None:
        return INCOMPARABLE
    return Change(difference=now.completion_rate - then.completion_rate, z=None, significant=None)


def wilson(part: int, count: int) -> tuple[float | None, float | None]:
    """Wilson's interval of a share, in percent."""
    if not count:
        return None, None
    share, weight = part / count, Z**2 / count
    center = (share + weight / 2) / (1 + weight)
    reach = Z * sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    return 100 * max(0.0, center - reach), 100 * min(1.0, center + reach)


def _share(part: int, count: int) -> float | None:
    return 100 * part / count if count else None


def _share_error(part: int, count: int) -> float | None:
    """The standard error of a share in percent."""
    return 100 * sqrt(part / count * (1 - part / count) / count) if count else None


def _mean_error(sd: float | None, count: int) -> float | None:
    return None if sd is None else sd / sqrt(count)


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
