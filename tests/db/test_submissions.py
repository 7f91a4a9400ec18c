"""A submission follows its snapshots, however they arrive."""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from hub.db import Connection, Pool, forms, open_pool, query, records, submissions
from hub.db.erasures import Markers
from hub.db.submissions import Again, Changes, Extent, Flattened, Foreign, Selection, Stale, Stored, Submission
from hub.model import NewRecord
from hub.settings import Settings
from tests.conftest import SECRET_KEY
from tests.databases import Databases

MARKERS = Markers(SECRET_KEY)
KEY = ("tenant_id", "submission_id", "field_id")
Answers = Mapping[str, str]


def submission(
    answers: Answers, order: str, submission_id: str = "s1", tenant_id: str = "acme", source: str = "tool"
) -> Submission:
    return Submission(
        tenant_id=tenant_id,
        submission_id=submission_id,
        source=source,
        form_id="form",
        user_id=None,
        status="completed",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        completed_at=None,
        duration_seconds=1.5,
        snapshot_order=order,
        payload=Raw(msgspec.json.encode(dict(answers))),
        options=Raw(b"{}"),
    )


def flattened(kept: Submission, definition: Raw | None, collected_at: datetime | None = None) -> Flattened:
    """One record for each answer, labeled by the definition."""
    labels = {} if definition is None else msgspec.json.decode(definition, type=dict[str, str])
    return Flattened(
        submission=kept,
        source_type="tool",
        records=[
            NewRecord(
                tenant_id=kept.tenant_id, submission_id=kept.submission_id, source_type="tool", field_id=field_id,
                field_type="text", field_label=labels.get(field_id), value_text=text, collected_at=collected_at,
            )
            for field_id, text in msgspec.json.decode(kept.payload, type=dict[str, str]).items()
        ],
    )  # fmt: skip


async def take(pool: Pool, answers: Answers, order: str, **names: str) -> Changes | Stale | Foreign:
    arrived = submission(answers, order, **names)
    result = await submissions.take(pool, MARKERS, arrived, lambda _, definition: flattened(arrived, definition))
    return result[1] if isinstance(result, tuple) else result


async def stored(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("select field_id, value_text from feedback_records where tenant_id = 'acme'")
    return {row["field_id"]: row["value_text"] for row in rows}


def changes(created: int = 0, updated: int = 0, unchanged: int = 0, deleted: int = 0) -> Changes:
    return Changes(created=created, updated=updated, unchanged=unchanged, deleted=deleted)


def test_the_statement_treats_every_column_of_a_record() -> None:
    """What is selected is in the order of what is inserted; what is compared is what is set, and all but the key is."""
    text = query("submissions/sync")
    inserted = re.findall(r"\w+", re.sub(r"--.*", "", query("records/_columns")))
    selected = text.partition(")\n    select ")[2].partition("\n    from input")[0]
    selected = selected.replace("coalesce(i.collected_at, known.collected_at, now())", "i.collected_at")
    selected = selected.replace("now(), now()", "i.created_at, i.updated_at")
    compared = text.partition("\nwhere (")[2].partition("\n    returning")[0]
    values = [name for name in inserted if name not in ("id", "created_at", "updated_at", *KEY)]

    assert re.findall(r"i\.(\w+)", selected) == inserted
    assert re.findall(r"^ *(\w+) = excluded\.\1,?$", text, re.MULTILINE) == [values[0], "updated_at", *values[1:]]
    assert re.findall(r"r\.(\w+)", compared) == re.findall(r"excluded\.(\w+)", compared) == values


async def test_records_become_those_of_the_snapshot(pool: Pool, connection: Connection) -> None:
    """New ones come, changed ones change, missing ones go, and the same ones stay untouched."""
    assert await take(pool, {"a": "1", "b": "2", "c": "3"}, "1") == changes(created=3)
    before = await connection.fetchrow("select * from feedback_records where field_id = 'a'")
    assert await take(pool, {"a": "1", "b": "two", "d": "4"}, "2") == changes(1, 1, 1, 1)

    assert await stored(connection) == {"a": "1", "b": "two", "d": "4"}
    assert before == await connection.fetchrow("select * from feedback_records where field_id = 'a'")


async def test_older_snapshot_is_stale_and_an_equal_one_wins(pool: Pool, connection: Connection) -> None:
    """Order decides, and among equals the later arrival."""
    await take(pool, {"a": "1"}, "2")

    assert await take(pool, {"a": "0", "b": "0"}, "1") == Stale()
    assert await take(pool, {"a": "2"}, "2") == changes(updated=1)
    assert await stored(connection) == {"a": "2"}


async def test_id_of_another_source_changes_nothing(pool: Pool, connection: Connection) -> None:
    """The first source to use an id keeps it."""
    await take(pool, {"a": "1"}, "1")

    assert await take(pool, {"a": "2"}, "9", source="another") == Foreign("tool")
    assert await stored(connection) == {"a": "1"}


async def test_tenants_do_not_meet(pool: Pool, connection: Connection) -> None:
    """The same submission id in two tenants is two submissions."""
    await take(pool, {"a": "1"}, "2")
    assert await take(pool, {"b": "2"}, "1", tenant_id="globex") == changes(created=1)

    assert await stored(connection) == {"a": "1"}


async def test_failed_flattening_leaves_no_trace(pool: Pool, connection: Connection) -> None:
    """Everything of a submission happens, or nothing."""

    def fail(_: Stored | None, __: Raw | None) -> Flattened:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await submissions.take(pool, MARKERS, submission({}, "1"), fail)

    assert await connection.fetchval("select count(*) from submissions") == 0
    assert await connection.fetchval("select count(*) from forms") == 0


async def test_time_of_receipt_is_no_change(pool: Pool, connection: Connection) -> None:
    """Without a date a record keeps the time it first came; a date that comes later counts."""
    arrived = submission({"a": "1"}, "1")
    known = datetime(2026, 5, 1, tzinfo=UTC)
    await take(pool, {"a": "1"}, "1")
    dated = await submissions.take(pool, MARKERS, arrived, lambda *_: flattened(arrived, None, known))

    assert isinstance(dated, tuple)
    assert dated[1] == changes(updated=1)
    assert await take(pool, {"a": "1"}, "1") == changes(unchanged=1)
    assert await connection.fetchval("select collected_at from feedback_records") == known


@pytest.mark.parametrize(
    ("answer", "kept"), [("fine", True), (" fine\n", True), ("bad", False)], ids=["same", "blanks", "another"]
)
async def test_changed_text_loses_its_enrichment(pool: Pool, connection: Connection, answer: str, kept: bool) -> None:
    """What was found out about a text is true of that text only."""
    await take(pool, {"a": "fine"}, "1")
    await connection.execute(
        "update feedback_records set sentiment = 'positive', sentiment_score = 1, emotions = '{joy}',"
        " value_text_translated = 'gut', translation_lang_key = 'de'"
    )
    await take(pool, {"a": answer}, "2")
    row = await connection.fetchrow(
        "select sentiment, sentiment_score, emotions, value_text_translated, translation_lang_key from feedback_records"
    )

    assert row is not None
    assert tuple(row) == (("positive", 1, ["joy"], "gut", "de") if kept else (None,) * 5)


async def test_two_snapshots_at_once_are_taken_one_after_the_other(dsn: str, connection: Connection) -> None:
    """The first waits for nobody, the second sees what the first stored: nothing is lost or doubled."""
    pool = await open_pool(Settings(database_url=dsn, database_max_conns=20))
    for round_ in range(5):
        name = f"s{round_}"
        snapshots = [({"a": str(n), f"only{n}": "x"}, f"{n:02}") for n in range(10)]
        outcomes = await asyncio.gather(
            *(take(pool, answers, order, submission_id=name) for answers, order in snapshots)
        )
        rows = await connection.fetch(
            "select field_id, value_text from feedback_records where submission_id = $1", name
        )
        assert {row["field_id"]: row["value_text"] for row in rows} == {"a": "9", "only9": "x"}
        assert sum(isinstance(outcome, Changes) and outcome.created for outcome in outcomes) >= 2
    await pool.close()


async def test_direct_posts_of_the_same_keys_do_not_disturb(dsn: str, connection: Connection) -> None:
    """A key that is taken while a snapshot is stored is updated, in whatever order both run."""
    pool = await open_pool(Settings(database_url=dsn, database_max_conns=20))
    fields = [f"f{n:02}" for n in range(30)]
    for round_ in range(5):
        name = f"s{round_}"
        posted = [
            NewRecord(tenant_id="acme", submission_id=name, source_type="tool", field_id=field, field_type="text", value_text="posted")
            for field in reversed(fields)
        ]  # fmt: skip
        await asyncio.gather(
            records.insert(pool, posted), take(pool, dict.fromkeys(fields, "taken"), "1", submission_id=name),
            records.insert(pool, posted),
        )  # fmt: skip
        rows = await connection.fetch("select value_text from feedback_records where submission_id = $1", name)
        assert [row["value_text"] for row in rows] == ["taken"] * len(fields)
    await pool.close()


async def test_definition_and_submissions_at_once(dsn: str, connection: Connection) -> None:
    """No submission is missed: it is flattened with the definition, or found by those who flatten again."""
    pool = await open_pool(Settings(database_url=dsn, database_max_conns=20))

    def again(held: Stored, definition: Raw | None) -> Flattened:
        answers = msgspec.json.decode(held.payload, type=dict[str, str])
        return flattened(submission(answers, "1", held.submission_id), definition)

    async def define(label: str) -> None:
        await forms.put(
            pool, "acme", "tool", "form", name=None, definition=Raw(b'{"a":"%b"}' % label.encode()), fields=1
        )
        await submissions.flatten_again(pool, MARKERS, "acme", "tool", "form", again)

    await asyncio.gather(
        *(take(pool, {"a": "1"}, "1", submission_id=f"s{n}") for n in range(20)), define("first"), define("second"),
        *(take(pool, {"a": "1"}, "1", submission_id=f"t{n}") for n in range(20)),
    )  # fmt: skip
    definition = await connection.fetchval("select definition ->> 'a' from forms")
    labels = {row["field_label"] for row in await connection.fetch("select field_label from feedback_records")}

    assert labels == {definition}
    await pool.close()


async def test_flattening_again_goes_over_every_page(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many submissions a form has, each is flattened again once."""
    monkeypatch.setattr(submissions, "_PAGE", 3)
    for n in range(7):
        await take(pool, {"a": "1"}, "1", submission_id=f"s{n}")
    seen: list[str] = []

    def again(held: Stored, definition: Raw | None) -> Flattened:
        seen.append(held.submission_id)
        return flattened(submission({"b": "2"}, "1", held.submission_id), definition)

    assert await submissions.flatten_again(pool, MARKERS, "acme", "tool", "form", again) == 7
    assert seen == [f"s{n}" for n in range(7)]
    assert await stored(connection) == {"b": "2"}


async def test_expired_payload_leaves_the_submission_and_its_records(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are. What stays cannot be flattened again, and a snapshot that comes later is taken as ever."""
    monkeypatch.setattr(submissions, "_EXPIRY_STEP", 2)
    for n in range(5):
        await take(pool, {"a": "1"}, "1", submission_id=f"s{n}")
    await connection.execute(
        "update submissions set received_at = now() - interval '8 days' where submission_id <> 's4'"
    )

    assert await submissions.expire_payloads(pool, 9) == 0
    assert await submissions.expire_payloads(pool, 7) == 4
    assert await submissions.expire_payloads(pool, 7) == 0
    assert await connection.fetchval("select count(*) from feedback_records") == 5
    assert await submissions.extent(pool, Selection()) == Extent(kept=1, expired=4)
    assert await take(pool, {"a": "2"}, "2", submission_id="s0") == changes(updated=1)
    assert await take(pool, {"a": "0"}, "0", submission_id="s1") == Stale()
    assert await submissions.extent(pool, Selection()) == Extent(kept=2, expired=3)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["acme s0", "acme s1", "acme s2", "globex s0"]),
        (Selection(source="tool"), ["acme s0", "acme s1", "globex s0"]),
        (Selection(source="tool", tenant_id="acme"), ["acme s0", "acme s1"]),
        (Selection(form_id="form", tenant_id="globex"), ["globex s0"]),
        (Selection(form_id="another"), []),
    ],
)
async def test_what_is_selected_is_flattened_again(pool: Pool, selection: Selection, expected: list[str]) -> None:
    """A source, a form, a tenant, or everything, tenant by tenant."""
    for tenant_id, name, source in (
        ("acme", "s0", "tool"), ("globex", "s0", "tool"), ("acme", "s1", "tool"), ("acme", "s2", "another"),
    ):  # fmt: skip
        await take(pool, {"a": "1"}, "1", tenant_id=tenant_id, submission_id=name, source=source)
    seen: list[str] = []
    counts = [n async for n in submissions.flatten_selected(pool, MARKERS, selection, "1", _noting(seen))]

    assert seen == expected
    assert counts[-1] == len(expected) == (await submissions.extent(pool, selection)).kept


async def test_a_run_that_was_broken_off_goes_on_where_it_stopped(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the page that was not finished; another selection or another version of the hub begins anew."""
    monkeypatch.setattr(submissions, "_PAGE", 3)
    for n in range(8):
        await take(pool, {"a": "1"}, "1", submission_id=f"s{n}")
    first: list[str] = []
    broken = submissions.flatten_selected(pool, MARKERS, Selection(), "1", _noting(first, most=5))
    with pytest.raises(ZeroDivisionError):
        _ = [n async for n in broken]

    async def run(selection: Selection, version: str) -> tuple[list[int], list[str]]:
        seen: list[str] = []
        run = submissions.flatten_selected(pool, MARKERS, selection, version, _noting(seen))
        return [n async for n in run], [name.removeprefix("acme s") for name in seen]

    everything = list("01234567")
    assert await run(Selection(source="tool"), "1") == ([0, 3, 6, 8], everything)
    assert await run(Selection(), "1") == ([3, 6, 8], everything[3:])
    assert await run(Selection(), "1") == ([0, 3, 6, 8], everything)
    with pytest.raises(ZeroDivisionError):
        _ = [n async for n in submissions.flatten_selected(pool, MARKERS, Selection(), "1", _noting([], most=5))]
    assert await run(Selection(), "2") == ([0, 3, 6, 8], everything)
    assert await connection.fetchval("select count(*) from reflattenings") == 0


def _noting(seen: list[str], most: int = 1000) -> Callable[[str, str], Again[Flattened]]:
    """Flattens as before and writes down what; fails when that was enough."""

    def again(tenant_id: str, source: str) -> Again[Flattened]:
        def flatten(held: Stored, definition: Raw | None) -> Flattened:
            if len(seen) == most:
                raise ZeroDivisionError
            seen.append(f"{tenant_id} {held.submission_id}")
            answers = msgspec.json.decode(held.payload, type=dict[str, str])
            return flattened(submission(answers, "1", held.submission_id, tenant_id, source), definition)

        return flatten

    return again


@pytest.mark.not_on_citus("fifty databases' worth of histories take too long there")
@given(
    contents=st.lists(
        st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["", "x", "y"]), max_size=5), min_size=1, max_size=4
    ),
    data=st.data(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_snapshots_converges(
    databases: Databases, contents: list[dict[str, str]], data: st.DataObject
) -> None:
    """Snapshots in any order, any of them several times: in the end stands the newest."""
    numbered = list(enumerate(contents))
    extra = data.draw(st.lists(st.sampled_from(numbered), max_size=4))
    history = data.draw(st.permutations([*numbered, *extra]))

    async def run() -> dict[str, str]:
        dsn = await databases.clone()
        pool = await open_pool(Settings(database_url=dsn))
        try:
            for order, answers in history:
                await take(pool, answers, str(order))
            async with pool.acquire() as connection:
                return await stored(connection)
        finally:
            await pool.close()
            await databases.give_back(dsn)

    assert contents[-1] == asyncio.run(run())
