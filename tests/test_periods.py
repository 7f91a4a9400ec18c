"""Days, weeks, months and quarters of time zones whose clocks do what clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import periods
from hub.periods import Interval

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]
MOMENTS = st.integers(0, 3_400_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
INTERVALS = st.sampled_from(["day", "week", "month", "quarter"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def buckets(first: str, last: str, interval: Interval, name: str) -> list[tuple[str, str]]:
    zone = periods.zone(name)
    assert zone is not None
    days = periods.days(moment(first), moment(last), interval, zone)
    return [
        (day.isoformat(), begin.isoformat().removesuffix("+00:00"))
        for day, (begin, _) in zip(days, periods.bounds(days, interval, zone), strict=True)
    ]


def test_days_have_as_many_hours_as_the_clock_gives_them() -> None:
    """In Berlin one day in March has 23 hours."""
    assert buckets("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "day", "Europe/Berlin") == [
        ("2026-03-28", "2026-03-27T23:00:00"), ("2026-03-29", "2026-03-28T23:00:00"), ("2026-03-30", "2026-03-29T22:00:00"),
    ]  # fmt: skip


def test_midnight_that_is_skipped_and_midnight_that_comes_twice() -> None:
    """A day begins with its first moment: in Beirut at one o'clock, in Havana with the first of two midnights."""
    assert buckets("2023-03-26T06:00:00Z", "2023-03-26T06:00:00Z", "day", "Asia/Beirut") == [
        ("2023-03-26", "2023-03-25T22:00:00")
    ]
    assert buckets("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z", "day", "America/Havana") == [
        ("2026-11-01", "2026-11-01T04:00:00")
    ]


def test_a_day_that_was_skipped_is_there_and_empty() -> None:
    """Samoa went to bed on Thursday and woke up on Saturday."""
    zone = periods.zone("Pacific/Apia")
    assert zone is not None
    days = periods.days(moment("2011-12-30T00:00:00Z"), moment("2011-12-31T00:00:00Z"), "day", zone)
    assert [day.day for day in days] == [29, 30, 31]
    (_, thursday), (friday, friday_end), (saturday, _) = periods.bounds(days, "day", zone)
    assert friday == saturday == thursday + timedelta(microseconds=1)
    assert friday_end < friday


@pytest.mark.parametrize(
    ("interval", "first"),
    [("day", "2027-01-02"), ("week", "2026-12-28"), ("month", "2027-01-01"), ("quarter", "2027-01-01")],
)
def test_first_day_of_a_bucket(interval: Interval, first: str) -> None:
    """Weeks begin on Monday, also those that have two years."""
    assert periods.floor(date(2027, 1, 2), interval).isoformat() == first


@given(MOMENTS, st.integers(0, 400), INTERVALS, st.sampled_from(ZONES))
def test_buckets_follow_each_other_without_a_gap(first: datetime, length: int, interval: Interval, name: str) -> None:
    """And each moment between is in the bucket of its local date."""
    zone = periods.zone(name)
    assert zone is not None
    last = first + timedelta(days=length)
    days = periods.days(first, last, interval, zone)
    bounds = periods.bounds(days, interval, zone)
    assert bounds[0][0] <= first
    assert last <= bounds[-1][1]
    assert all(end + timedelta(microseconds=1) == begin for (_, end), (begin, _) in pairwise(bounds))
    for some in (first, last):
        (day,) = (day for day, (begin, end) in zip(days, bounds, strict=True) if begin <= some <= end)
        assert day == periods.floor(some.astimezone(zone).date(), interval)


def test_far_away_there_are_no_buckets() -> None:
    """Records have their limits, and so has the calendar."""
    assert len(buckets("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "quarter", "America/New_York")) < 460
    assert buckets("0001-01-01T00:00:00Z", "0001-02-01T00:00:00Z", "quarter", "Asia/Tokyo") == []


def test_period_before() -> None:
    """As long by the clock on the wall, and ending where the other begins."""
    zone = periods.zone("Europe/Berlin")
    assert zone is not None
    # The week after the clock went forward begins and ends at midnight, and so does the one before, an hour shorter.
    since, until = moment("2026-03-29T22:00:00Z"), moment("2026-04-05T21:59:59.999999Z")
    assert periods.before(since, until, zone) == (moment("2026-03-22T23:00:00Z"), moment("2026-03-29T21:59:59.999999Z"))
    assert not periods.has_before(moment("0001-01-01T00:00:00Z"), until, zone)


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "Europe", "../UTC", "/etc/passwd", "Europe/Berlin\0", "ä", "x" * 5000]
)
def test_what_is_no_time_zone(name: str) -> None:
    assert periods.zone(name) is None
