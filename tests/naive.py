"""The metrics once more, as simply as can be: over a list of records, one at a time. What the hub counts in SQL has to agree."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, TypedDict, TypeGuard
from zoneinfo import ZoneInfo

Measure = dict[str, object]
Z = 1.96


class Record(TypedDict, total=False):
    """What of a record is counted, and in which order its id is."""

    submission_id: str
    field_id: str
    field_label: str
    value_id: str
    value_text: str
    value_number: float | None
    value_boolean: bool
    user_id: str
    language: str
    collected_at: str
    metadata: dict[str, object]
    order: int


def first_day(record: Record, interval: str, tz: str) -> date:
    """The first day of the bucket that a record is in, by the clock on the wall."""
    day = datetime.fromisoformat(record["collected_at"]).astimezone(ZoneInfo(tz)).date()
    if interval == "week":
        year, week, _ = day.isocalendar()
        return date.fromisocalendar(year, week, 1)
    if interval == "month":
        return date(day.year, day.month, 1)
    if interval == "quarter":
        return date(day.year, {1: 1, 2: 4, 3: 7, 4: 10}[(day.month + 2) // 3], 1)
    return day


def all_days(records: Sequence[Record], interval: str, tz: str) -> list[date]:
    """Every bucket from the first to the last."""
    found = {first_day(record, interval, tz) for record in records}
    day, days = min(found, default=None), []
    while day is not None and day <= max(found):
        noon = f"{day.isoformat()}T12:00:00+00:00"
        if first_day({"collected_at": noon}, interval, "UTC") == day:
            days.append(day)
        day += timedelta(days=1)
    return days


def latest_of_each_user(records: Iterable[Record]) -> list[Record]:
    """Of equal times the smaller id is the later one, as in the list."""
    kept: list[Record] = []
    latest: dict[str, tuple[datetime, Record]] = {}
    for record in records:
        user = record.get("user_id")
        if user is None:
            kept.append(record)
            continue
        moment = datetime.fromisoformat(record["collected_at"])
        other = latest.get(user)
        if other is None or (moment, -record["order"]) > (other[0], -other[1]["order"]):
            latest[user] = (moment, record)
    return kept + [record for _, record in latest.values()]


def scale_of(record: Record) -> tuple[float, float] | None:
    scale = record.get("metadata", {}).get("scale")
    if not isinstance(scale, dict):
        return None
    low, high = (end if is_number(end) else None for end in (scale.get("min"), scale.get("max")))
    return (low, high) if low is not None and high is not None and low < high else None


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def key_of(record: Record, group_by: str, records: Sequence[Record]) -> object:
    if group_by.startswith("answer:"):
        for other in records:
            if (other["submission_id"], other["field_id"]) == (record["submission_id"], group_by[7:]):
                return option_of(other)
        return None
    if group_by.startswith("metadata."):
        value: object = record.get("metadata", {})
        for name in group_by.split(".")[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        return value
    return record.get(group_by)


def option_of(record: Record) -> str | None:
    if record.get("value_id") is not None:
        return record["value_id"]
    return (record.get("value_text") or "").strip(" ").lower() or None


def summary(records: Sequence[Record], valid: Sequence[object]) -> Measure:
    return {"count": len(valid), "invalid_count": len(records) - len(valid), "low_sample": len(valid) < 30}


def wilson(part: int, count: int) -> tuple[float | None, float | None]:
    if count == 0:
        return None, None
    p = part / count
    middle = p + Z * Z / (2 * count)
    root = Z * math.sqrt((p * (1 - p) + Z * Z / (4 * count)) / count)
    return 100 * (middle - root) / (1 + Z * Z / count), 100 * (middle + root) / (1 + Z * Z / count)


def nps(records: Sequence[Record]) -> Measure:
    scores = [value for r in records if (value := r.get("value_number")) is not None and 0 <= value <= 10]
    signs = (
        [1] * sum(s >= 9 for s in scores) + [0] * sum(7 <= s < 9 for s in scores) + [-1] * sum(s < 7 for s in scores)
    )
    found: Measure = {
        **summary(records, scores),
        "promoters": signs.count(1), "passives": signs.count(0), "detractors": signs.count(-1),
        "nps": None, "margin_of_error": None, "ci_low": None, "ci_high": None,
    }  # fmt: skip
    if signs:
        score, margin = 100 * statistics.fmean(signs), 100 * Z * statistics.pstdev(signs) / math.sqrt(len(signs))
        found |= {"nps": score, "margin_of_error": margin}
        if len(signs) < 30:
            p, n, d = signs.count(1) + 0.75, len(signs) + 3, signs.count(-1) + 0.75
            score = 100 * (p - d) / n
            margin = 100 * Z * math.sqrt(((p + d) / n - ((p - d) / n) ** 2) / n)
        found |= {"ci_low": max(-100, score - margin), "ci_high": min(100, score + margin)}
    return found


def marks(records: Sequence[Record], low: float, high: float) -> list[tuple[float, tuple[float, float] | None]]:
    """The valid answers, each with its scale."""
    found = []
    for record in records:
        value, scale = record.get("value_number"), scale_of(record)
        least, most = scale or (low, high)
        if value is not None and least <= value <= most:
            found.append((value, scale))
    return found


def csat(records: Sequence[Record]) -> Measure:
    answers = marks(records, 1, 5)
    satisfied = sum(value >= (scale or (1, 5))[1] - 1 for value, scale in answers)
    dissatisfied = sum(
        value <= (scale or (1, 5))[0] + 1 and not value >= (scale or (1, 5))[1] - 1 for value, scale in answers
    )
    scales = {scale for _, scale in answers}
    one = len(scales) == 1
    low, high = wilson(satisfied, len(answers)) if one else (None, None)
    return {
        **summary(records, answers),
        "csat": 100 * satisfied / len(answers) if one else None,
        "satisfied": satisfied, "dissatisfied": dissatisfied, "neutral": len(answers) - satisfied - dissatisfied,
        "mean": statistics.fmean(value for value, _ in answers) if one else None,
        "scale_max": ((scales.pop() or (1, 5))[1]) if one else None,
        "ci_low": low, "ci_high": high,
    }  # fmt: skip


def ces(records: Sequence[Record]) -> Measure:
    answers = marks(records, 1, 7)
    scales = {scale for _, scale in answers}
    values = [value for value, _ in answers]
    scale = scales.pop() if len(scales) == 1 else None
    mixed = bool(scales)
    easy, low, high = None, None, None
    if scale:
        easy = sum(value >= scale[1] - (2 if scale[1] >= 7 else 1) for value in values)
        low, high = wilson(easy, len(values))
    return {
        **summary(records, answers),
        "ces": statistics.fmean(values) if values and not mixed else None,
        "sd": statistics.stdev(values) if len(values) > 1 and not mixed else None,
        "easy": easy, "easy_share": None if easy is None else 100 * easy / len(values),
        "scale_max": scale[1] if scale else None, "ci_low": low, "ci_high": high,
    }  # fmt: skip


def numbers(records: Sequence[Record]) -> Measure:
    answers = marks(records, -1e15, 1e15)
    scales = {scale for _, scale in answers}
    found = summary(records, answers) | dict.fromkeys(
        ("mean", "sd", "median", "p25", "p75", "p90", "min", "max", "scale_min", "scale_max")
    )
    if len(scales) != 1:
        return found
    values = sorted(value for value, _ in answers)
    found["scale_min"], found["scale_max"] = scales.pop() or (None, None)
    found |= {
        "mean": statistics.fmean(values),
        "min": values[0],
        "max": values[-1],
        "median": statistics.median(values),
    }
    found["sd"] = statistics.stdev(values) if len(values) > 1 else None
    for name, share in {"p25": 0.25, "p75": 0.75, "p90": 0.9}.items():
        place = share * (len(values) - 1)
        below, above = values[math.floor(place)], values[math.ceil(place)]
        found[name] = below + (place - math.floor(place)) * (above - below)
    return found


def rating(records: Sequence[Record]) -> Measure:
    found = numbers(records)
    counts = Counter(value for value, _ in marks(records, -1e15, 1e15))
    known = found["mean"] is not None
    return found | {"histogram": [{"value": v, "count": n} for v, n in sorted(counts.items())] if known else None}


def boolean(records: Sequence[Record]) -> Measure:
    answers = [record["value_boolean"] for record in records if record.get("value_boolean") is not None]
    low, high = wilson(sum(answers), len(answers))
    return {
        **summary(records, answers),
        "true_count": sum(answers), "false_count": len(answers) - sum(answers),
        "true_share": 100 * sum(answers) / len(answers) if answers else None, "ci_low": low, "ci_high": high,
    }  # fmt: skip


def categorical(records: Sequence[Record]) -> Measure:
    answers = [record for record in records if option_of(record) is not None]
    submissions = len({record["submission_id"] for record in answers})
    by_option: dict[str, list[Record]] = defaultdict(list)
    for record in answers:
        by_option[str(option_of(record))].append(record)
    options = [
        {
            "key": key,
            "label": latest_label(those, "value_text"),
            "count": len(those),
            "share": 100 * len(those) / submissions,
        }
        for key, those in sorted(by_option.items(), key=lambda found: (-len(found[1]), found[0]))
    ]
    return {
        **summary(records, answers), "submissions": submissions, "options_omitted": 0, "options": options,
    }  # fmt: skip


def latest_label(records: Sequence[Record], name: Literal["field_label", "value_text"]) -> str | None:
    """Of labels of one moment the first in the alphabet; one that is missing comes last."""
    last = max(datetime.fromisoformat(record["collected_at"]) for record in records)
    labels = [record.get(name) for record in records if datetime.fromisoformat(record["collected_at"]) == last]
    return min((label for label in labels if label is not None), default=None)


def ranking(records: Sequence[Record]) -> Measure:
    def rank(record: Record) -> tuple[float, float] | None:
        of, value = (record.get("metadata") or {}).get("total_items"), record.get("value_number")
        if isinstance(of, bool) or not isinstance(of, int) or value is None or not 1 <= value <= of:
            return None
        return value, of

    answers = [record for record in records if rank(record)]
    submissions = len({record["submission_id"] for record in answers})
    items: list[tuple[tuple[float, float, str], Measure]] = []
    for field in {record["field_id"] for record in answers}:
        ranks = [found for record in answers if record["field_id"] == field and (found := rank(record))]
        mean_rank, borda = statistics.fmean(value for value, _ in ranks), sum(of + 1 - value for value, of in ranks)
        item: Measure = {
            "field_id": field, "count": len(ranks), "mean_rank": mean_rank, "borda": borda,
            "label": latest_label([record for record in records if record["field_id"] == field], "field_label"),
            "first_share": 100 * sum(value == 1 for value, _ in ranks) / submissions,
        }  # fmt: skip
        items.append(((-borda, mean_rank, field), item))
    in_order = sorted(items, key=lambda found: found[0])
    return {**summary(records, answers), "items": [item for _, item in in_order]}


def volume(records: Sequence[Record]) -> Measure:
    return {
        **summary(records, records), "records": len(records),
        "submissions": len({record["submission_id"] for record in records}),
        "users": len({record["user_id"] for record in records if record.get("user_id") is not None}),
    }  # fmt: skip


METRICS: dict[str, Callable[[Sequence[Record]], Measure]] = {
    "nps": nps, "csat": csat, "ces": ces, "rating": rating, "number": numbers, "boolean": boolean,
    "categorical": categorical, "ranking": ranking, "volume": volume,
}  # fmt: skip
