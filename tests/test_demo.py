"""`hub demo` tells the same story to everybody."""

import re
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from hub.demo import story
from tests.process import hub

DAY = date(2026, 11, 20)


on_one_machine = pytest.mark.not_on_citus(
    "thousands of small transactions take minutes there; what they use is tested apart"
)


def test_the_same_day_gives_the_same_story() -> None:
    for tell in (story.pulse, story.onboarding, story.in_app, story.helpdesk):
        assert msgspec.json.encode(tell(DAY)) == msgspec.json.encode(tell(DAY))


def test_a_day_earlier_in_the_week_only_lacks_what_came_after_it() -> None:
    for tell in (story.pulse, story.onboarding, story.in_app):
        earlier, later = (set(map(msgspec.json.encode, tell(day))) for day in (DAY - timedelta(days=2), DAY))
        assert earlier < later


@pytest.mark.process
@on_one_machine
async def test_the_story_goes_through_the_api(
    dsn: str, connection: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    """Every submission is taken, what is wrong with the helpdesk's file is rejected, and telling it again changes nothing."""
    said = hub(tmp_path, "demo", "--until", str(DAY), DATABASE_URL=dsn)
    assert said.returncode == 0, said.stderr
    submissions = sum(len(tell(DAY)) for tell in (story.pulse, story.onboarding, story.in_app))
    assert await connection.fetchval("select count(*) from submissions") == submissions
    rejected = await connection.fetchval("select count(*) from rejects")
    records = await connection.fetchval("select count(*) from feedback_records where tenant_id = 'demo'")
    rows = story.helpdesk(DAY).count("\n") - 1
    assert said.stdout == (
        f"The tenant demo has {records:,} records of {submissions + rows - rejected:,} submissions, up to {DAY}; "
        f"{rejected} lines of the helpdesk's file were rejected.\n"
    )
    assert rejected == 11
    assert hub(tmp_path, "demo", "--until", str(DAY), DATABASE_URL=dsn).stdout == said.stdout


@pytest.mark.process
@pytest.mark.parametrize("until", ["1950-01-01", "1971-06-30", "2081-01-01", "2090-01-01"])
def test_a_story_beyond_the_times_of_records_is_not_begun(tmp_path: Path, until: str) -> None:
    """Its records would be refused, the first or the last of them after thousands were stored."""
    refused = hub(tmp_path / "data", "demo", "--until", until)
    assert refused.returncode == 2
    assert "between 1971-07-01 and 2080-12-31" in refused.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.process
@on_one_machine
@pytest.mark.parametrize("most", ["1024", "20000"], ids=["a form", "responses"])
async def test_a_refusal_is_one_line(dsn: str, tmp_path: Path, most: str) -> None:
    """Whichever request it meets, also one of many at a time."""
    refused = hub(tmp_path, "demo", "--until", str(DAY), DATABASE_URL=dsn, SOURCE_PAYLOAD_MAX_BYTES=most)
    assert refused.returncode == 1
    assert re.fullmatch(r"hub: (PUT|POST) /v1/sources/\S+ answered 413: .+\n", refused.stderr), refused.stderr


@pytest.mark.process
@on_one_machine
async def test_the_release_hurt_one_plan(
    dsn: str, connection: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    """What the page, the screenshot and the documentation show."""
    assert hub(tmp_path, "demo", "--until", str(DAY), DATABASE_URL=dsn).returncode == 0
    monday = DAY - timedelta(days=DAY.weekday(), weeks=story.WEEKS - 1 - story.RELEASE)
    rows = await connection.fetch(
        "select metadata->'attributes'->>'plan' as plan, collected_at::date >= $1 as hit,"
        " 100.0 * (count(*) filter (where value_number >= 9) - count(*) filter (where value_number < 7)) / count(*) as nps"
        " from feedback_records where field_type = 'nps' and collected_at::date between $1 - 28 and $1 + 6 group by 1, 2",
        monday,
    )
    nps = {(row["plan"], row["hit"]): row["nps"] for row in rows}
    assert nps["pro", True] < -20 < 20 < nps["pro", False]
    assert nps["enterprise", True] > 20
