"""Whatever the records are and however they are divided: the numbers are those that counting one by one gives."""

from datetime import datetime, timedelta
from typing import NotRequired, TypedDict, cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests import naive
from tests.api.test_records import Connection
from tests.conftest import make_record
from tests.naive import Record

URL, RECORDS = "/v1/analytics", "/v1/feedback-records"
SCALED = ("csat", "ces", "rating", "number")
TYPES = {"volume": "nps", "ranking": "number"}

# The clock goes forward and back here, and midnight is skipped or comes twice.
EDGES = [
    "2026-03-29T01:00:00+00:00",  # Berlin
    "2026-10-25T01:00:00+00:00",
    "2026-11-01T05:00:00+00:00",  # Havana: from one o'clock to midnight
    "2023-03-25T22:00:00+00:00",  # Beirut: midnight is skipped
    "2011-12-30T10:00:00+00:00",  # Apia: so is a day
    "2026-01-01T00:00:00+00:00",
    "2026-04-01T00:00:00+00:00",
]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]

MOMENTS = st.builds(
    lambda edge, minutes, micros: (
        datetime.fromisoformat(edge) + timedelta(minutes=minutes, microseconds=micros)
    ).isoformat(),
    st.sampled_from(EDGES),
    st.sampled_from([0, 0, -1, 30, -60, 59, 60, 61, 600, 1440, -1440, 5000]),
    st.sampled_from([0, -1, 1]),
)
VALUES = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 6.999, 8.5, 3.5, 10.5, 11, -1, 0.1, 1e15, None, ...])
SCALES = st.sampled_from(
    [
        *[..., {"min": 1, "max": 5}] * 3,
        {"min": 1, "max": 7}, {"min": 0, "max": 10}, {"min": 1, "max": 2}, {"min": 5, "max": 1}, {"min": "1", "max": 5}, "x",
        {"max": 5}, {"min": True, "max": 5},
    ]
)  # fmt: skip


@st.composite
def records(draw: st.DrawFn, metric: str) -> list[Record]:
    """Records of a metric, some of which do not fit it, and other answers of the same submissions."""
    found: list[dict[str, object]] = []
    keys = draw(
        st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["q1", "q2"])), unique=True, max_size=14)
    )
    same_scale = draw(st.sampled_from([False, True, True]))
    scale = draw(SCALES)
    for submission, field in keys:
        metadata: dict[str, object] = {"plan": {"name": draw(st.sampled_from(["pro", "free", None]))}}
        metadata["scale"] = scale if same_scale else draw(SCALES)
        metadata["total_items"] = draw(st.sampled_from([..., 2, 3, 3, "3"]))
        found.append(
            make_record(
                submission_id=submission,
                field_id=field,
                field_label=draw(st.sampled_from([..., "Eins", "One"])),
                field_type=TYPES.get(metric, metric),
                field_group_id="g",
                value_number=draw(VALUES),
                value_boolean=draw(st.sampled_from([..., True, False])),
                value_id=draw(st.sampled_from([..., ..., "o1", "pro"])),
                value_text=draw(st.sampled_from([..., "Pro", " pro ", "", " ", "Ä", "ä"])),
                language=draw(st.sampled_from([..., "de", "fr"])),
                user_id=draw(st.sampled_from([..., "u1", "u2"])),
                collected_at=draw(MOMENTS),
                metadata={name: value for name, value in metadata.items() if value is not ...},
            )
        )
    for submission in draw(st.sets(st.sampled_from("abcd"))):
        answer = draw(st.sampled_from([{"value_id": "dev"}, {"value_text": " Boss"}, {"value_text": ""}]))
        found.append(
            make_record(**{
                "submission_id": submission, "field_id": "role", "field_type": "text", "value_text": ...,
                "collected_at": "2026-01-01T00:00:00+00:00", **answer,
            })
        )  # fmt: skip
    return cast("list[Record]", found)


async def fill(client: httpx.AsyncClient, connection: Connection, given: list[Record]) -> None:
    """Instead of what is there. Each record learns in which order its id is."""
    await connection.execute("delete from feedback_records")
    other = [{**record, "tenant_id": "other"} for record in given]
    answer = await client.post(f"{RECORDS}/batch", json=[*given, *other])
    assert answer.status_code == 200, answer.text
    rows = await connection.fetch(
        "select submission_id, field_id from feedback_records where tenant_id = 'acme' order by id"
    )
    order = {(row["submission_id"], row["field_id"]): number for number, row in enumerate(rows)}
    for record in given:
        record["order"] = order[record["submission_id"], record["field_id"]]


def same(expected: object, found: object, where: str = "") -> None:
    """Equal, but for the last digits of a float and members that are told elsewhere."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), where
        for name, value in expected.items():
            same(value, found[name], f"{where}.{name}")
    elif isinstance(expected, list):
        assert isinstance(found, list), where
        assert len(expected) == len(found), (where, expected, found)
        for number, (value, other) in enumerate(zip(expected, found, strict=True)):
            same(value, other, f"{where}[{number}]")
    elif isinstance(expected, float) and found is not None:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-6), where
    else:
        assert expected == found, where


class Part(TypedDict):
    """What is read here of a bucket or a group, beside the members of its metric."""

    bucket: str
    key: str | None
    small: bool
    count: int
    invalid_count: int
    records: str | None
    records_query: NotRequired[str | None]


class Case(Struct, frozen=True):
    """Records, and what is asked of them."""

    metric: str
    stored: list[Record]
    query: dict[str, str]

    def selected(self) -> list[Record]:
        """What the filter selects."""
        found = [record for record in self.stored if record["field_id"] != "role"]
        if "since" in self.query:
            since, until = (datetime.fromisoformat(self.query[name]) for name in ("since", "until"))
            found = [record for record in found if since <= datetime.fromisoformat(record["collected_at"]) <= until]
        return found

    def chosen(self) -> list[Record]:
        """What is counted of that. Records know in which order their ids are only when they are stored."""
        return naive.latest_of_each_user(self.selected()) if "latest_per_user" in self.query else self.selected()

    def period(self) -> list[Record]:
        """What the first and the last bucket have to have: the ends of the period, or of the records where it is open."""
        ends: list[Record] = [{"collected_at": self.query[name]} for name in ("since", "until") if name in self.query]
        return ends or self.selected()

    def count(self, some: list[Record]) -> naive.Measure:
        return naive.METRICS[self.metric](some)

    def scales(self, some: list[Record]) -> set[tuple[float, float] | None]:
        """On which scales there are answers."""
        bounds = {"csat": (1.0, 5.0), "ces": (1.0, 7.0)}.get(self.metric, (-1e15, 1e15))
        return {scale for _, scale in naive.marks(some, *bounds)}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    metric = draw(st.sampled_from(sorted(naive.METRICS)))
    stored = draw(records(metric))
    interval = draw(st.sampled_from([None, "day", "week", "month", "quarter"]))
    group_by = draw(
        st.sampled_from([None, "field_id", "language", "metadata.plan.name", "answer:role", "user_id", "value_id"])
    )
    query = {"tz": draw(st.sampled_from(ZONES)), "field_group_id": "g"}
    if interval:
        query["interval"] = interval
    if group_by:
        query["group_by"] = group_by
    # What of a submission with several answers is the latest has a test of its own.
    if metric not in ("categorical", "ranking") and draw(st.booleans()):
        query["latest_per_user"] = "true"
    with_period = draw(st.booleans())
    if stored and with_period:
        moments = [draw(st.sampled_from(stored))["collected_at"] for _ in range(2)]
        query["since"], query["until"] = sorted(moments, key=datetime.fromisoformat)
    return Case(metric, stored, query)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(case=cases())
async def test_a_metric_is_what_counting_one_by_one_gives(
    client: httpx.AsyncClient, connection: Connection, case: Case
) -> None:
    """Of the whole, over time in any time zone, and by any group; and the links list what was counted."""
    await fill(client, connection, case.stored)
    answer = await client.get(f"{URL}/{case.metric}", params={"tenant_id": "acme", **case.query})
    if answer.status_code == 400:
        is_refused_for_a_reason(case, answer.json()["invalid_params"])
        return
    found = answer.json()
    same(case.count(case.chosen()), found["total"])
    parts = [(found["total"], found["records"])]
    if "interval" in case.query:
        parts += over_time(case, found["series"])
    if "group_by" in case.query:
        parts += by_group(case, found["groups"])
    if "latest_per_user" in case.query:
        assert {link for _, link in parts} == {None}
    for part, link in parts[:6]:
        if link is not None:
            listed = await client.get(f"{RECORDS}/count?{link}")
            assert listed.json()["count"] == part["count"] + part["invalid_count"], link


def is_refused_for_a_reason(case: Case, faults: list[dict[str, str]]) -> None:
    (fault,) = faults
    if fault["name"] == "interval":
        days = naive.all_days(case.period(), case.query["interval"], case.query["tz"])
        assert len(days) > 1400
    else:
        assert fault["name"] == "field_id"
        assert len(case.scales(case.chosen())) > 1
        assert case.query.get("group_by") != "field_id"


def over_time(case: Case, series: list[Part]) -> list[tuple[Part, str | None]]:
    """The buckets are those of the calendar, without a gap, and have what was collected in them."""
    interval, tz = case.query["interval"], case.query["tz"]
    names = [bucket["bucket"] for bucket in series]
    assert names == [day.isoformat() for day in naive.all_days(case.period(), interval, tz)]
    for bucket in series:
        same(
            case.count([r for r in case.chosen() if naive.first_day(r, interval, tz).isoformat() == bucket["bucket"]]),
            bucket,
            bucket["bucket"],
        )
    return [(bucket, linked(bucket)) for bucket in series if bucket["count"]]


def by_group(case: Case, groups: list[Part]) -> list[tuple[Part, str | None]]:
    """Each key has a group, the largest first; one that was answered on several scales has one for each of them."""
    members: dict[object, list[Record]] = {}
    for record in case.chosen():
        members.setdefault(naive.key_of(record, case.query["group_by"], case.stored), []).append(record)
    by_key: dict[object, list[Part]] = {key: [] for key in members}
    for group in groups:
        by_key[group["key"]].append(group)
        assert group["small"] == (group["count"] < 5)
    sizes = [sum(group["count"] + group["invalid_count"] for group in of_key) for of_key in by_key.values()]
    assert sizes == [len(those) for those in members.values()]
    in_order = [len(members[group["key"]]) for group in groups]
    assert in_order == sorted(in_order, reverse=True)
    parts = []
    for key, of_key in by_key.items():
        assert len(of_key) == max(len(case.scales(members[key])) if case.metric in SCALED else 1, 1)
        if len(of_key) == 1:
            same(case.count(members[key]), of_key[0], str(key))
            parts.append((of_key[0], linked(of_key[0])))
    return parts


def linked(part: Part) -> str | None:
    return part["records_query"] if "records_query" in part else part["records"]
