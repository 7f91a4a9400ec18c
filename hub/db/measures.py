"""Metrics: which statements count records for them, and what is made of the rows."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Generic, Literal, TypeAlias, TypeVar

import asyncpg
from msgspec import Struct, structs

from hub import metrics
from hub.db import query
from hub.metrics import (
    Bin,
    Boolean,
    Categorical,
    Ces,
    Change,
    Csat,
    Item,
    Mark,
    Measure,
    Nps,
    Number,
    Numbers,
    Option,
    Ranking,
    Rating,
    Scale,
    Volume,
)
from hub.model import LARGEST_NUMBER, FieldType

MAX_OPTIONS = 200

M = TypeVar("M", bound=Measure)
Row: TypeAlias = "asyncpg.Record"


class Cell(Struct, frozen=True):
    """What was counted of one group in one bucket, and on one scale where that matters."""

    counts: Row
    details: Sequence[Row] = ()

    @property
    def scale(self) -> Scale | None:
        low, high = self.counts["scale_min"], self.counts["scale_max"]
        return None if low is None or high is None else (low, high)


class Details(Struct, frozen=True):
    """A second statement that says more of each cell, and what it takes beside what the first one took."""

    statement: str
    arguments: Callable[[Sequence[Row]], tuple[object, ...]]


class Metric(Struct, Generic[M], frozen=True, kw_only=True):
    """A metric: the records it is about, the statements that count them, and what the counts mean."""

    name: str
    field_types: tuple[FieldType, ...] = ()
    statement: str
    measure: Callable[[Sequence[Cell]], M]
    compare: Callable[[M, M], Change] | None = None
    additive: bool = False
    """Whether the counts of parts add up to the count of the whole, which is then not asked for."""
    bounds: tuple[float, float] | None = None
    """For what is answered on a scale: between which numbers lies an answer whose scale is not known."""
    details: Details | None = None
    latest: Literal["record", "submission"] = "record"
    """What of a user is the latest: a question may have several records in a submission."""


def _sum(cells: Iterable[Cell], name: str) -> int:
    """A count of all cells together."""
    return sum(cell.counts[name] for cell in cells)


def scales_of(cells: Iterable[Cell]) -> list[Scale | None]:
    """The scales of the answers, each once."""
    return list(dict.fromkeys(cell.scale for cell in cells if cell.counts["answers"]))


def _nps(cells: Sequence[Cell]) -> Nps:
    return metrics.nps(
        records=_sum(cells, "records"),
        promoters=_sum(cells, "promoters"),
        passives=_sum(cells, "passives"),
        detractors=_sum(cells, "detractors"),
    )


def _csat(cells: Sequence[Cell]) -> Csat:
    scales = scales_of(cells)
    return metrics.csat(
        records=_sum(cells, "records"),
        answers=_sum(cells, "answers"),
        satisfied=_sum(cells, "satisfied"),
        dissatisfied=_sum(cells, "dissatisfied"),
        total=sum(cell.counts["total"] for cell in cells),
        scale_max=(scales[0] or _CSAT)[1] if len(scales) == 1 else None,
    )


def _ces(cells: Sequence[Cell]) -> Ces:
    scales = scales_of(cells)
    return metrics.ces(
        records=_sum(cells, "records"),
        answers=_sum(cells, "answers"),
        easy=_sum(cells, "easy"),
        total=sum(cell.counts["total"] for cell in cells),
        squares=sum(cell.counts["squares"] for cell in cells),
        scale=scales[0] if len(scales) == 1 else None,
        mixed=len(scales) > 1,
    )


def _rating(cells: Sequence[Cell]) -> Rating:
    found = _answered(cells)
    marks = None
    if found and found.counts["marks"]:
        marks = [Mark(value, count) for value, count in zip(found.counts["marks"], found.counts["times"], strict=True)]
    return Rating(**structs.asdict(_numbers(cells, found)), histogram=marks)


def _number(cells: Sequence[Cell]) -> Number:
    found = _answered(cells)
    bins = None
    if found and found.details:
        counts = {row["bin"]: row["records"] for row in found.details}
        bins = [
            Bin(low, high, counts.get(number, 0))
            for number, (low, high) in enumerate(pairwise(found.details[0]["edges"]), 1)
        ]
    return Number(**structs.asdict(_numbers(cells, found)), histogram=bins)


def _answered(cells: Sequence[Cell]) -> Cell | None:
    """The one cell that has answers. Of several scales nothing can be said together."""
    found = [cell for cell in cells if cell.counts["answers"]]
    return found[0] if len(found) == 1 else None


def _numbers(cells: Sequence[Cell], found: Cell | None) -> Numbers:
    """What is the same of ratings and numbers: all but the histogram."""
    answers = _sum(cells, "answers")

    def value(name: str) -> float | None:
        return found.counts[name] if found else None

    def quantile(name: str, share: float) -> float | None:
        return metrics.between(value(f"{name}_low"), value(f"{name}_high"), share, answers)

    return Numbers(
        count=answers,
        invalid_count=_sum(cells, "records") - answers,
        low_sample=answers < metrics.LOW_SAMPLE,
        mean=value("mean"),
        sd=value("sd"),
        median=quantile("median", 0.5),
        p25=quantile("p25", 0.25),
        p75=quantile("p75", 0.75),
        p90=quantile("p90", 0.9),
        min=value("min"),
        max=value("max"),
        scale_min=value("scale_min"),
        scale_max=value("scale_max"),
    )


def _edges(rows: Sequence[Row]) -> tuple[object, ...]:
    """Where the bins of a histogram begin and end: everywhere in one answer alike."""
    lows, highs = ([row[name] for row in rows if row[name] is not None] for name in ("min", "max"))
    return *_ANY, metrics.edges(min(lows), max(highs)) if lows else []


def _boolean(cells: Sequence[Cell]) -> Boolean:
    return metrics.boolean(
        records=_sum(cells, "records"),
        true_count=_sum(cells, "true_count"),
        false_count=_sum(cells, "false_count"),
    )


def _categorical(cells: Sequence[Cell]) -> Categorical:
    answers, submissions = _sum(cells, "answers"), _sum(cells, "submissions")
    details = [row for cell in cells for row in cell.details]
    return Categorical(
        count=answers,
        invalid_count=_sum(cells, "records") - answers,
        low_sample=answers < metrics.LOW_SAMPLE,
        submissions=submissions,
        options=[
            Option(
                key=row["option"], label=row["label"], count=row["records"], share=100 * row["records"] / submissions,
            )
            for row in details
        ],
        options_omitted=max([row["options"] - len(details) for row in details], default=0),
    )  # fmt: skip


def _ranking(cells: Sequence[Cell]) -> Ranking:
    answers, submissions = _sum(cells, "answers"), _sum(cells, "submissions")
    items = [
        Item(
            field_id=row["item"], label=row["label"], count=row["answers"], mean_rank=row["ranks"] / row["answers"],
            borda=row["borda"], first_share=100 * row["firsts"] / submissions,
        )
        for cell in cells
        for row in cell.details
    ]  # fmt: skip
    return Ranking(
        count=answers,
        invalid_count=_sum(cells, "records") - answers,
        low_sample=answers < metrics.LOW_SAMPLE,
        items=sorted(items, key=lambda item: (-item.borda, item.mean_rank, item.field_id)),
    )


def _volume(cells: Sequence[Cell]) -> Volume:
    return metrics.volume(
        records=_sum(cells, "records"), submissions=_sum(cells, "submissions"), users=_sum(cells, "users")
    )


_CSAT, _CES, _ANY = (1.0, 5.0), (1.0, 7.0), (-LARGEST_NUMBER, LARGEST_NUMBER)

NPS = Metric[Nps](
    name="nps", field_types=("nps",), statement=query("analytics/nps"), additive=True, measure=_nps,
    compare=metrics.nps_change,
)  # fmt: skip
CSAT = Metric[Csat](
    name="csat", field_types=("csat",), statement=query("analytics/csat"), additive=True, bounds=_CSAT, measure=_csat,
    compare=metrics.csat_change,
)  # fmt: skip
CES = Metric[Ces](
    name="ces", field_types=("ces",), statement=query("analytics/ces"), additive=True, bounds=_CES, measure=_ces,
    compare=metrics.ces_change,
)  # fmt: skip
RATING = Metric[Rating](
    name="rating", field_types=("rating",), statement=query("analytics/distribution"), bounds=_ANY, measure=_rating,
    compare=metrics.numbers_change,
)  # fmt: skip
NUMBER = Metric[Number](
    name="number", field_types=("number",), statement=query("analytics/distribution"), bounds=_ANY, measure=_number,
    compare=metrics.numbers_change, details=Details(query("analytics/bins"), _edges),
)  # fmt: skip
BOOLEAN = Metric[Boolean](
    name="boolean", field_types=("boolean",), statement=query("analytics/boolean"), additive=True, measure=_boolean,
    compare=metrics.boolean_change,
)  # fmt: skip
CATEGORICAL = Metric[Categorical](
    name="categorical", field_types=("categorical",), statement=query("analytics/categorical"), measure=_categorical,
    details=Details(query("analytics/options"), lambda _: (MAX_OPTIONS,)), latest="submission",
)  # fmt: skip
RANKING = Metric[Ranking](
    name="ranking", field_types=("number",), statement=query("analytics/ranking"), measure=_ranking,
    details=Details(query("analytics/items"), lambda _: ()), latest="submission",
)  # fmt: skip
VOLUME = Metric[Volume](
    name="volume", statement=query("analytics/volume"), measure=_volume, compare=metrics.volume_change,
)  # fmt: skip

# Which metric measures the answers of a type.
MEASURED: dict[FieldType, str] = {
    metric.field_types[0]: metric.name for metric in (NPS, CSAT, CES, RATING, NUMBER, BOOLEAN, CATEGORICAL)
}
