"""What an address asks for."""

from datetime import UTC, datetime

import pytest

from hub.api.problems import Forbidden, ValidationFailed
from hub.dashboard import asked

NOW = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)  # a Saturday


def read(query: str, tenant_id: str | None = "acme") -> asked.Asked:
    return asked.read(query.encode(), tenant_id, NOW)


@pytest.mark.parametrize(
    ("query", "first", "last", "interval"),
    [
        ("", "2026-08-24", "2026-11-21", "week"),
        ("period=30d", "2026-10-23", "2026-11-21", "day"),
        ("period=12m", "2025-11-17", "2026-11-21", "week"),
        ("period=12m&interval=month", "2025-11-01", "2026-11-21", "month"),
        ("from=2026-09-09&to=2026-09-10", "2026-09-09", "2026-09-10", "day"),
        ("from=2026-09-09", "2026-09-09", "2026-11-21", "week"),
        ("from=2026-09-09&period=30d", "2026-09-09", "2026-11-21", "week"),
        ("since=2026-09-09T10:00:00Z", "2026-09-09", "2026-11-21", "week"),
        ("since=2020-09-09T10:00:00Z", "2020-09-09", "2026-11-21", "month"),
    ],
)
def test_a_period_is_whole_days_weeks_or_months(query: str, first: str, last: str, interval: str) -> None:
    looked = read(query)
    assert looked.selection.since is not None
    assert looked.selection.until is not None
    assert (looked.selection.since.date().isoformat(), looked.selection.until.date().isoformat()) == (first, last)
    assert looked.interval == interval


def test_everything_has_neither_end_nor_a_period_before() -> None:
    looked = read("period=all")
    assert (looked.selection.since, looked.selection.until, looked.earlier) == (None, None, None)


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    looked = read("from=2026-09-08&to=2026-09-14")
    assert looked.earlier is not None
    assert (str(looked.earlier.since), str(looked.earlier.until)) == (
        "2026-09-01 00:00:00+00:00",
        "2026-09-07 23:59:59.999999+00:00",
    )
    assert read("from=2026-09-08&to=2026-09-14&compare=none").earlier is None


def test_days_begin_in_their_time_zone() -> None:
    looked = read("from=2026-03-29&to=2026-03-29&tz=Europe/Berlin")
    assert looked.selection.since == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert looked.selection.until == datetime(2026, 3, 29, 21, 59, 59, 999999, tzinfo=UTC)  # 23 hours
    assert looked.period == "29 Mar 2026 to 29 Mar 2026"


def test_a_link_changes_one_thing_and_keeps_the_others() -> None:
    looked = read("tenant_id=acme&language=de&q=a%26b&from=2026-09-09")
    assert looked.link(q="c d") == "./?tenant_id=acme&language=de&from=2026-09-09&q=c+d"
    assert looked.link("from", language=None) == "./?tenant_id=acme&q=a%26b"
    assert looked.link(**{"from": "2026-01-01"}) == "./?tenant_id=acme&language=de&q=a%26b&from=2026-01-01"
    assert looked.link("from", "q", **{"metadata.plan_": "x"}) == "./?tenant_id=acme&language=de&metadata.plan_=x"


def test_another_tenant_is_refused() -> None:
    with pytest.raises(Forbidden):
        read("tenant_id=other")


def test_every_fault_is_named() -> None:
    with pytest.raises(ValidationFailed) as error:
        read("tz=x&from=y&to=2026-02-30&group_by=z&score=text&plan=pro&tz=UTC&field-id=x")
    assert {fault.name for fault in error.value.invalid_params} == {
        "tz", "from", "to", "group_by", "score", "plan", "field-id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ("from=2026-09-10&to=2026-09-09", "from", "must not be after to"),
        ("from=2026-11-22", "from", asked.FUTURE),
        ("since=2026-11-22T00:00:00Z", "since", asked.FUTURE),
        ("since=2026-09-10T00:00:00Z&until=2026-09-09T00:00:00Z", "since", "must not be greater than until"),
        ("to=9999-12-31", "to", "must be between 1970-01-01 and 2080-12-31"),
    ],
)
def test_a_period_that_cannot_be_is_told_so(query: str, name: str, reason: str) -> None:
    with pytest.raises(ValidationFailed) as error:
        read(query)
    assert [(fault.name, fault.reason) for fault in error.value.invalid_params] == [(name, reason)]
