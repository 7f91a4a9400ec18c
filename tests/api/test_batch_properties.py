"""Whatever comes in a batch, in whatever shape: the rows are those that posting one by one gives, and the answer says so."""

import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.api import batch
from tests.api.test_batch import RECORDS, URL, Connection
from tests.conftest import make_record
from tests.test_streams import ENCODINGS, PLACES, cut, packed

COLUMNS = [
    "tenant_id", "submission_id", "source_type", "field_id", "field_type", "value_text", "collected_at", "user_id",
]  # fmt: skip
Json = dict[str, Any]

GOOD = st.builds(
    make_record,
    submission_id=st.sampled_from(["s1", "s2", "s3"]),
    value_text=st.sampled_from([..., "a", "b\nc", 'say "hi", ä']),
    collected_at=st.sampled_from([..., "2026-01-01T00:00:00Z", "2026-02-02T02:02:02.123456+02:00"]),
    user_id=st.sampled_from([..., "u1"]),
)
# Of each, nothing may be stored: a wrong member, a missing one, no record at all (in CSV: a row with too few cells).
BAD: st.SearchStrategy[Any] = st.one_of(
    st.builds(make_record, field_type=st.just("x")),
    st.builds(make_record, submission_id=st.just(...), user_id=st.just("u1")),
    st.builds(make_record, collected_at=st.just("yesterday")),
    st.builds(make_record, value_text=st.just("\0")),
    st.sampled_from([1, "text", None, []]),
)
ITEMS = st.lists(st.one_of(GOOD, GOOD, GOOD, BAD), max_size=12)


def body(items: list[Any], shape: str) -> tuple[bytes, list[int]]:
    """The items in a shape, and where each of them is: its index, or its line."""
    if shape == "json":
        return json.dumps(items).encode(), list(range(len(items)))
    if shape == "ndjson":
        # With a blank line before each.
        return "".join(f"\n{json.dumps(item)}\n" for item in items).encode(), [2 * n + 2 for n in range(len(items))]
    file, lines = io.StringIO(newline=""), []
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        lines.append(file.getvalue().count("\n") + 1)
        writer.writerow([item.get(name, "") for name in COLUMNS] if isinstance(item, dict) else ["x"])
    return file.getvalue().encode(), lines


async def rows(connection: Connection) -> list[Json]:
    """All records without their ids; a time of collection that is the time of arrival is just that."""
    found = await connection.fetch("select * from feedback_records order by tenant_id, submission_id, field_id")
    return [
        {k: v for k, v in row.items() if k not in ("id", "created_at", "updated_at", "batch_id", "collected_at")}
        | {"collected_at": None if row["collected_at"] == row["created_at"] else row["collected_at"]}
        for row in found
    ]


async def clear(connection: Connection) -> None:
    for table in ("feedback_records", "rejects", "batches"):
        await connection.execute(f"delete from {table}")


async def one_by_one(client: httpx.AsyncClient, items: list[Any], on_conflict: str) -> list[str]:
    """What becomes of each."""
    outcomes: list[str] = []
    for item in items:
        if on_conflict == "update":
            answer = await client.post(URL, json=[item], params={"on_conflict": "update"})
            outcomes.append(answer.json()["results"][0]["outcome"])
        else:
            answer = await client.post(RECORDS, json=item)
            taken = "skipped" if on_conflict == "skip" else "duplicate"
            outcomes.append({201: "created", 400: "rejected", 409: taken}[answer.status_code])
    return outcomes


@pytest.mark.parametrize("on_conflict", ["error", "skip", "update"])
@pytest.mark.parametrize("shape", ["json", "ndjson", "csv"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(GOOD, max_size=2), items=ITEMS, encoding=st.sampled_from(ENCODINGS), places=PLACES,
    chunk=st.integers(1, 5),
)  # fmt: skip
async def test_a_batch_does_what_posting_one_by_one_does(  # noqa: PLR0917 - what hypothesis and pytest give
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch,
    on_conflict: str, shape: str, before: list[Json], items: list[Any], encoding: Any, places: list[int], chunk: int,
) -> None:  # fmt: skip
    """Any mixture of valid, invalid and duplicate items; any encoding, any cut, any size of a chunk."""
    await clear(connection)
    await one_by_one(client, before, "skip")
    outcomes = await one_by_one(client, items, on_conflict)
    expected = await rows(connection)
    await clear(connection)
    await one_by_one(client, before, "skip")

    monkeypatch.setattr(batch, "CHUNK_RECORDS", chunk)
    data, positions = body(items, shape)

    async def pieces() -> AsyncIterator[bytes]:
        for piece in cut(packed(data, encoding), places):
            yield piece

    kinds = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}
    answer = await client.post(
        URL, content=pieces(), params={"on_conflict": on_conflict},
        headers={"content-type": kinds[shape], "content-encoding": encoding},
    )  # fmt: skip

    assert await rows(connection) == expected
    told, found = answer.json()["summary"], Counter(outcomes)
    rejected = [place for place, outcome in zip(positions, outcomes, strict=True) if outcome == "rejected"]
    assert told["received"] == len(items)
    assert told["created"] == found["created"]
    assert told["rejected"] == len(rejected)
    assert told["duplicate"] == found["duplicate"]
    if on_conflict != "update":  # where the last of a key wins at once
        assert told == {"received": len(items), "updated": 0, "unchanged": 0} | {
            name: found[name] for name in ("created", "skipped", "duplicate", "rejected")
        }
    failed = len(rejected) + found["duplicate"]
    assert answer.status_code == (200 if not failed else 422 if len(rejected) == len(items) else 207)

    results = answer.json()["results"]
    if shape == "json":
        assert [result["index"] for result in results] == positions
        if on_conflict != "update":
            assert [result["outcome"] for result in results] == outcomes
        known = {str(row["id"]) for row in await connection.fetch("select id from feedback_records")}
        assert {result["id"] for result in results if result["outcome"] != "rejected"} <= known
    assert [r.get("index", r.get("line")) for r in results if r["outcome"] == "rejected"] == rejected
    kept = await connection.fetch("select position from rejects order by id")
    assert [row["position"] for row in kept] == rejected
    account = (await client.get(f"/v1/batches/{answer.json()['batch_id']}")).json()
    assert {name: account[name] for name in told} == told
    assert "finished_at" in account
