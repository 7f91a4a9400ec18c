"""Time as analysts count it: days, ISO weeks, months and quarters of a time zone, and the period before a period."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Interval = Literal["day", "week", "month", "quarter"]

# Where records may be: what lies beyond needs no bucket.
_FIRST, _LAST = datetime(1969, 12, 31, tzinfo=UTC), datetime(2081, 1, 2, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def zone(name: str) -> ZoneInfo | None:
    """The time zone of this name in the IANA database, or None when there is none."""
    try:
        return ZoneInfo(name)
    except (
        ZoneInfoNotFoundError,
        ValueError,
        OSError,
    ):  # also names that lead out of the database, or to a folder of it
        return None


def floor(day: date, interval: Interval) -> date:
    """The first day of the day's bucket; a week begins on Monday."""
    match interval:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)


def _next(day: date, interval: Interval) -> date:
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92}
    return floor(day + timedelta(days=longest[interval]), interval)


def days(first: datetime, last: datetime, interval: Interval, zone: ZoneInfo) -> list[date]:
    """The first days of all buckets from the one that has `first` to the one that has `last`."""
    first, last = max(first, _FIRST), min(last, _LAST)
    found = []
    day, end = floor(first.astimezone(zone).date(), interval), last.astimezone(zone).date()
    while day <= end:
        found.append(day)
        day = _next(day, interval)
    return found


def start(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day. Where the clock skips midnight that is later by the clock, where it repeats it the earlier one."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def bounds(days: list[date], interval: Interval, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The first and the last moment of each bucket."""
    begins = [start(day, zone) for day in (*days, *(_next(day, interval) for day in days[-1:]))]
    return [(begin, end - _TICK) for begin, end in pairwise(begins)]


def before(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The period of the same length that ends where this one begins. Measured by the clock on the wall: a day may have 23 hours.

    Raises `OverflowError` where the calendar has no such time.
    """
    local = [moment.astimezone(zone).replace(tzinfo=None) for moment in (since, until)]
    length = max(local[1] - local[0] + _TICK, _TICK)
    return (local[0] - length).replace(tzinfo=zone).astimezone(UTC), since - _TICK


def has_before(since: datetime, until: datetime, zone: ZoneInfo) -> bool:
    """Whether the calendar goes back that far."""
    try:
        before(since, until, zone)
    except OverflowError:
        return False
    return True
