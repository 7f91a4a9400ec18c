"""NPS by week and plan, asked in four ways: over HTTP, in SQL, of a Parquet file, and on the page. There is one answer."""

import asyncio
import math
import re
from collections.abc import Iterator
from datetime import date
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pyarrow as pa
import pytest
from msgspec import Struct, structs
from pyarrow import compute, parquet

from tests.dashboard.conftest import Demo
from tests.dashboard.story import PERIOD, QUERY
from tests.process import hub

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("browser")]  # where the demo is

PATH = "metadata.attributes.plan"
SQL = """
select
    date_trunc('week', collected_at at time zone 'UTC')::date as week,
    metadata #>> '{attributes,plan}' as plan,
    count(*) filter (where value_number >= 9 and value_number <= 10) as promoters,
    count(*) filter (where value_number >= 7 and value_number < 9) as passives,
    count(*) filter (where value_number >= 0 and value_number < 7) as detractors
from analytics.feedback
where field_type = 'nps' and collected_at >= '2026-08-24T00:00:00Z' and collected_at < '2026-11-21T00:00:00Z'
group by 1, 2
"""


class Scored(Struct, frozen=True):
    """What there is of one plan in one week."""

    promoters: int
    passives: int
    detractors: int
    nps: float
    margin_of_error: float


Weeks = dict[tuple[date, str | None], Scored]


class Week(Struct, frozen=True):
    """A week of a plan, as HTTP tells it; without an answer there is no score."""

    bucket: date
    count: int
    promoters: int
    passives: int
    detractors: int
    nps: float | None
    margin_of_error: float | None
    ci_low: float | None
    ci_high: float | None


class Plan(Struct, frozen=True):
    key: str | None
    count: int
    nps: float | None
    series: list[Week]


class Answer(Struct, frozen=True):
    groups: list[Plan]


def scored(promoters: int, passives: int, detractors: int) -> Scored:
    """As an analyst would compute it who has the counts."""
    count = promoters + passives + detractors
    mean = (promoters - detractors) / count
    margin = 196 * math.sqrt(((promoters + detractors) / count - mean**2) / count)
    return Scored(promoters, passives, detractors, 100 * mean, margin)


@pytest.fixture(scope="module")
def client(demo: Demo) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {demo.key}"}
    with httpx.Client(base_url=demo.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def plans(client: httpx.Client) -> list[Plan]:
    """As HTTP tells them: one for each plan, with its weeks."""
    answer = client.get(f"/v1/analytics/nps?{QUERY}&interval=week&group_by={PATH}").raise_for_status()
    found = msgspec.json.decode(answer.content, type=Answer).groups
    assert len(found) > 2
    assert sum(len(plan.series) for plan in found) > 30
    return found


@pytest.fixture(scope="module")
def over_http(plans: list[Plan]) -> Weeks:
    return {
        (week.bucket, plan.key): Scored(week.promoters, week.passives, week.detractors, week.nps, week.margin_of_error)
        for plan in plans
        for week in plan.series
        if week.nps is not None and week.margin_of_error is not None
    }


def agree(found: Weeks, over_http: Weeks) -> None:
    assert found.keys() == over_http.keys()
    for place, week in found.items():
        assert structs.astuple(week) == pytest.approx(structs.astuple(over_http[place]), abs=1e-9), place


def test_in_sql(demo: Demo, over_http: Weeks) -> None:
    """As a reader that a BI tool signs in as."""
    rows = asyncio.run(_read_as_reader(demo.data_dir))
    agree({(row["week"], row["plan"]): scored(*row[2:]) for row in rows}, over_http)


async def _read_as_reader(folder: Path) -> list[Any]:
    made = hub(folder, "bi", "create-reader", "four_ways", "--tenant", "demo")
    assert made.returncode == 0, made.stderr
    try:
        connection = await asyncpg.connect(made.stdout.strip())
        try:
            return await connection.fetch(SQL)
        finally:
            await connection.close()
    finally:
        assert hub(folder, "bi", "drop-reader", "four_ways").returncode == 0


def test_of_a_file(client: httpx.Client, over_http: Weeks) -> None:
    """By pyarrow alone, from what the file says of each record."""
    columns = "collected_at,value_number,metadata"
    file = client.get(f"/v1/feedback-records/export?{QUERY}&field_type=nps&format=parquet&columns={columns}")
    table = parquet.read_table(BytesIO(file.raise_for_status().content))
    score, asked = (
        table["value_number"],
        compute.floor_temporal(table["collected_at"], unit="week", week_starts_monday=True),
    )
    plan = compute.extract_regex(table["metadata"], r'"attributes":\s*\{[^{}]*"plan":\s*"(?P<plan>[^"]*)"')

    def between(low: float, high: float) -> Any:
        inside = compute.and_(compute.greater_equal(score, low), compute.less(score, high))
        return compute.cast(inside, pa.int64())

    counted = pa.table(
        {
            "week": compute.cast(asked, pa.date32()),
            "plan": compute.struct_field(plan, [0]),
            "promoters": between(9, math.nextafter(10, 11)),
            "passives": between(7, 9),
            "detractors": between(0, 7),
        }
    )
    counts = ("promoters", "passives", "detractors")
    sums = counted.group_by(["week", "plan"]).aggregate([(name, "sum") for name in counts]).to_pylist()
    agree({(row["week"], row["plan"]): scored(*(row[f"{name}_sum"] for name in counts)) for row in sums}, over_http)


def test_on_the_page(client: httpx.Client, plans: list[Plan]) -> None:
    """Group by group, and week by week where a group is looked at alone. The page rounds."""
    with httpx.Client(base_url=client.base_url, timeout=60) as browser:
        key = client.headers["authorization"].removeprefix("Bearer ")
        assert browser.post("/sign-in", data={"key": key}).is_redirect
        shown = f"/?{PERIOD}&score=nps&interval=week&group_by={PATH}"
        page = browser.get(shown).raise_for_status().text
        by_plan = {row[0]: row for row in _rows(page, "NPS by plan")}
        for plan in plans:
            row = by_plan[plan.key or "not said"]
            assert int(row[1].replace(",", "")) == plan.count
            assert _rounded(plan.nps) in row
            if plan.key is None:
                continue  # no address looks at these alone
            page = browser.get(f"{shown}&{PATH}={plan.key}").raise_for_status().text
            weeks = [(row[1], row[2], row[3], *map(int, row[4:])) for row in _rows(page, "NPS over time as a table")]
            assert weeks == [
                (
                    f"{week.count:,}", _rounded(week.nps),
                    f"{_rounded(week.ci_low)} to {_rounded(week.ci_high)}" if week.count else "",
                    week.detractors, week.passives, week.promoters,
                )
                for week in plan.series
            ]  # fmt: skip


def _rounded(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.0f}".replace("-", "\N{MINUS SIGN}")


def _rows(page: str, name: str) -> Iterator[list[str]]:
    """The cells of a table of the page."""
    (body,) = re.findall(rf"(?s)(?:aria-label=\"{name}\"|>{name}</h2>).*?<tbody>(.*?)</tbody>", page)
    for row in re.findall(r"(?s)<tr.*?</tr>", body):
        yield [unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in re.findall(r"(?s)<td.*?</td>", row)]
