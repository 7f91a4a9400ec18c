"""A number has one value, over HTTP and in SQL."""

from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest

from tests.conftest import make_record

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def acme(client: httpx.AsyncClient, connection: Connection) -> None:
    """Odd values, scales known and not, options by id and by words; and another tenant."""
    await connection.execute("insert into reader_tenants (role, tenant_id) values (session_user, 'acme')")
    scores: list[Any] = [
        *({"field_id": "nps", "field_type": "nps", "value_number": n} for n in (0, 3, 6.5, 7, 8.5, 9, 9.5, 10, 10, 11, -1)),
        *(
            {"field_id": "csat", "field_type": "csat", "value_number": n, "metadata": {"scale": {"min": 1, "max": 5}}}
            for n in (1, 2, 3, 4, 4.5, 5, 6)
        ),
        *({"field_id": "old", "field_type": "csat", "value_number": n} for n in (1, 3, 5, 5, 7)),
        *(
            {"field_id": "ces", "field_type": "ces", "value_number": n, "metadata": {"scale": {"min": 1, "max": 7}}}
            for n in (1, 4, 5, 6, 7, 8)
        ),
        *(
            {"field_id": "color", "field_type": "categorical", "value_id": option, "value_text": label}
            for option, label in (("red", "Red"), ("red", "Rot"), (None, " Blue"), (None, "blue "), (None, " "))
        ),
    ]  # fmt: skip
    records = [
        make_record(
            **{"value_text": ..., "submission_id": f"s{n}", "user_id": f"u{n % 7}", "tenant_id": tenant, **score},
            collected_at=f"2026-03-{1 + n % 9:02}T23:{n:02}:00Z",
        )
        for tenant in ("acme", "other")
        for n, score in enumerate(scores)
    ]
    answer = await client.post("/v1/feedback-records/batch", json=records)
    assert answer.status_code == 200, answer.text


async def asked(client: httpx.AsyncClient, metric: str, **parameters: str) -> Any:
    answer = await client.get(f"/v1/analytics/{metric}", params={"tenant_id": "acme", **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def summed(connection: Connection, view: str, *columns: str, where: str = "true") -> list[float | None]:
    sums = ", ".join(f"sum({column})::float8" for column in columns)
    row = await connection.fetchrow(f"select {sums} from analytics.{view} where {where}")
    assert row is not None
    return list(row)


async def test_nps(client: httpx.AsyncClient, connection: Connection, acme: None) -> None:
    """In sum, and by week."""
    names = ("count", "promoters", "passives", "detractors", "invalid_count")
    said = await asked(client, "nps", interval="week")
    assert [said["total"][name] for name in names] == await summed(connection, "nps_daily", *names)
    for bucket in said["series"]:
        week = f"date_trunc('week', day) = '{bucket['bucket']}'"
        assert [bucket[name] for name in names] == await summed(connection, "nps_daily", *names, where=week)


@pytest.mark.parametrize("field", ["csat", "old"])
async def test_csat(client: httpx.AsyncClient, connection: Connection, acme: None, field: str) -> None:
    """With a known scale, and with the one that is assumed."""
    names = ("count", "satisfied", "neutral", "dissatisfied", "invalid_count")
    total = (await asked(client, "csat", field_id=field))["total"]
    where = f"field_id = '{field}'"
    assert [total[name] for name in names] == await summed(connection, "csat_daily", *names, where=where)
    count, value_sum = await summed(connection, "csat_daily", "count", "value_sum", where=where)
    assert count is not None
    assert value_sum is not None
    assert total["mean"] == pytest.approx(value_sum / count)


async def test_ces(client: httpx.AsyncClient, connection: Connection, acme: None) -> None:
    names = ("count", "easy", "invalid_count")
    total = (await asked(client, "ces"))["total"]
    assert [total[name] for name in names] == await summed(connection, "ces_daily", *names)
    count, value_sum = await summed(connection, "ces_daily", "count", "value_sum")
    assert count is not None
    assert value_sum is not None
    assert total["ces"] == pytest.approx(value_sum / count)


async def test_volume(client: httpx.AsyncClient, connection: Connection, acme: None) -> None:
    """By day, where users are different ones."""
    for bucket in (await asked(client, "volume", interval="day"))["series"]:
        names = ("records", "submissions", "users")
        day = f"day = '{bucket['bucket']}'"
        assert [bucket[name] for name in names] == await summed(connection, "volume_daily", *names, where=day)


async def test_choices(client: httpx.AsyncClient, connection: Connection, acme: None) -> None:
    total = (await asked(client, "categorical"))["total"]
    rows = await connection.fetch("select option, sum(count) as count from analytics.choice_counts group by option")
    assert {option["key"]: option["count"] for option in total["options"]} == {
        row["option"]: row["count"] for row in rows
    }


async def test_export_has_the_rows_of_the_view(client: httpx.AsyncClient, connection: Connection, acme: None) -> None:
    """And the list counts as many."""
    rows = await connection.fetch("select id::text from analytics.feedback")
    exported = await client.get(
        "/v1/feedback-records/export", params={"tenant_id": "acme", "format": "csv", "columns": "id"}
    )
    assert sorted(exported.text.split()[1:]) == sorted(row["id"] for row in rows)
