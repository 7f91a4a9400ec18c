"""What was erased does not come back by payloads, whatever comes again, in whatever order."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw, Struct

from hub.db import Connection, Pool, erasure, erasures, forms, open_pool, records, submissions
from hub.db.erasures import Markers
from hub.db.submissions import Changes, Flattened, Foreign, Stale, Stored, Submission
from hub.model import NO_METADATA, Created, NewRecord
from hub.settings import Settings
from tests.conftest import SECRET_KEY
from tests.databases import Databases

MARKERS = Markers(SECRET_KEY)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "ann"

Answers = Mapping[str, str]


class Payload(Struct, omit_defaults=True):
    answers: dict[str, str]
    order: str
    user: str | None = None
    started: datetime | None = None


def snapshot(payload: Payload, submission_id: str, tenant_id: str) -> Submission:
    return Submission(
        tenant_id=tenant_id,
        submission_id=submission_id,
        source="tool",
        form_id="form",
        user_id=payload.user,
        status="completed",
        started_at=payload.started,
        completed_at=None,
        duration_seconds=None,
        snapshot_order=payload.order,
        payload=Raw(msgspec.json.encode(payload)),
        options=Raw(b"{}"),
    )


def flattened(kept: Submission, definition: Raw | None) -> Flattened:
    """One record for each answer, or for each word of it. Words are named by a definition, by their text without one."""
    names = {} if definition is None else msgspec.json.decode(definition, type=dict[str, str])
    metadata = Raw(b'{"definition_missing":true}') if definition is None else NO_METADATA
    payload = msgspec.json.decode(kept.payload, type=Payload)
    fields: list[tuple[str, str | None, str]] = []
    for field_id, text in payload.answers.items():
        words = text.split()
        fields += [(field_id, None, text)] if len(words) < 2 else []
        fields += [(f"{field_id}__{names.get(word, word)}", field_id, word) for word in words if len(words) > 1]
    return Flattened(
        submission=kept,
        source_type="tool",
        records=[
            NewRecord(
                tenant_id=kept.tenant_id, submission_id=kept.submission_id, source_type="tool", field_id=field_id,
                field_group_id=group, field_type="text", value_text=text, user_id=payload.user, metadata=metadata,
            )
            for field_id, group, text in fields
        ],
    )  # fmt: skip


async def take(
    pool: Pool,
    answers: Answers,
    order: str = "1",
    *,
    user: str | None = None,
    submission_id: str = "s1",
    tenant_id: str = "acme",
    started: datetime | None = LONG_AGO,
) -> tuple[Changes, list[str]] | Stale | Foreign:
    """Takes a snapshot. A user that another channel has named stays known."""
    arrived = snapshot(Payload(dict(answers), order, user, started), submission_id, tenant_id)

    def flatten(stored: Stored | None, definition: Raw | None) -> Flattened:
        payload = msgspec.json.decode(arrived.payload, type=Payload)
        if stored is not None and payload.user is None:
            payload.user = msgspec.json.decode(stored.payload, type=Payload).user
        return flattened(snapshot(payload, submission_id, tenant_id), definition)

    result = await submissions.take(pool, MARKERS, arrived, flatten)
    return result[1:] if isinstance(result, tuple) else result


async def define(pool: Pool, names: Mapping[str, str], tenant_id: str = "acme") -> int:
    definition = Raw(msgspec.json.encode(dict(names)))
    await forms.put(pool, tenant_id, "tool", "form", name=None, definition=definition, fields=1)

    def again(held: Stored, definition: Raw | None) -> Flattened:
        payload = msgspec.json.decode(held.payload, type=Payload)
        return flattened(snapshot(payload, held.submission_id, tenant_id), definition)

    return await submissions.flatten_again(pool, MARKERS, tenant_id, "tool", "form", again)


async def drop(pool: Pool, field_id: str, submission_id: str = "s1", tenant_id: str = "acme") -> bool:
    """Deletes a record as the API does, if there is one."""
    async with pool.acquire() as connection:
        record_id = await connection.fetchval(
            "select id from feedback_records where (tenant_id, submission_id, field_id) = ($1, $2, $3)",
            tenant_id,
            submission_id,
            field_id,
        )
    return record_id is not None and await records.delete(pool, MARKERS, record_id, tenant_id)


async def post(pool: Pool, field_id: str, text: str = "posted", user: str | None = None) -> Created:
    (outcome,) = await records.insert(
        pool,
        [
            NewRecord(
                tenant_id="acme", submission_id="s1", source_type="tool", field_id=field_id, field_type="text",
                value_text=text, user_id=user,
            )
        ],
    )  # fmt: skip
    assert isinstance(outcome, Created)
    return outcome


async def stored(pool: Pool, submission_id: str = "s1", tenant_id: str = "acme") -> dict[str, str]:
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "select field_id, value_text from feedback_records where (tenant_id, submission_id) = ($1, $2)",
            tenant_id,
            submission_id,
        )
    return {row["field_id"]: row["value_text"] for row in rows}


async def kept(pool: Pool) -> list[str]:
    """The submissions of which there is a row, in any tenant."""
    async with pool.acquire() as connection:
        rows = await connection.fetch("select submission_id from submissions order by 1")
    return [row["submission_id"] for row in rows]


# Markers.


def test_marker_tells_nothing_and_names_one_thing_only() -> None:
    """Another tenant, kind, name or secret is another hash, however the names could be joined."""
    other = Markers("ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=")
    marks = [
        MARKERS.record("a", "b", "c"), MARKERS.record("ab", "", "c"), MARKERS.record("a", "bc", ""),
        MARKERS.submission("a", "b"), MARKERS.user("a", "b"), MARKERS.user(None, "b"), other.user("a", "b"),
    ]  # fmt: skip

    assert len({mark.hash for mark in marks}) == len(marks)
    assert {len(mark.hash) for mark in marks} == {32}
    assert MARKERS.fingerprint != other.fingerprint
    assert Markers(SECRET_KEY).user("a", "b") == MARKERS.user("a", "b")


async def test_first_secret_of_a_database_is_its_secret(connection: Connection) -> None:
    """With another one every marker would be overlooked."""
    other = Markers("ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=")

    assert await erasures.is_known(connection, MARKERS)
    assert not await erasures.is_known(connection, other)
    assert await erasures.is_known(connection, MARKERS)


async def test_nothing_personal_is_in_a_marker(pool: Pool, connection: Connection) -> None:
    """Neither who it was nor what it was called."""
    await take(pool, {"question": "1"}, user="ann@example.com", submission_id="response")
    await drop(pool, "question", "response")
    await erasure.erase_user(pool, MARKERS, "ann@example.com", None)
    rows = await connection.fetch("select erasures::text as text, kind from erasures")

    assert sorted(row["kind"] for row in rows) == ["record", "submission", "user"]
    for word in ("ann", "response", "question"):
        assert word not in "".join(row["text"] for row in rows)


# A record.


async def test_deleted_record_does_not_come_back(pool: Pool) -> None:
    """Not by the same payload, a newer one, or a definition; the other answers follow as ever."""
    await take(pool, {"a": "1", "b": "2"})
    assert await drop(pool, "a")

    assert await take(pool, {"a": "1", "b": "2"}) == (changes(unchanged=1), ["a"])
    assert await take(pool, {"a": "3", "b": "3"}, "2") == (changes(updated=1), ["a"])
    assert await define(pool, {}) == 1
    assert await stored(pool) == {"b": "3"}


async def test_delete_that_finds_nothing_marks_nothing(pool: Pool, connection: Connection) -> None:
    """An id of another tenant is none."""
    created = await post(pool, "a")

    assert not await records.delete(pool, MARKERS, created.id, "globex")
    assert await connection.fetchval("select count(*) from erasures") == 0


async def test_submission_without_answers_left_stays(pool: Pool) -> None:
    """It counts as given, though every answer was deleted."""
    await take(pool, {"a": "1", "b": "2"})
    assert await drop(pool, "a")
    assert await drop(pool, "b")

    assert await take(pool, {"a": "1", "b": "2"}) == (changes(), ["a", "b"])
    assert (await kept(pool), await stored(pool)) == (["s1"], {})


async def test_posted_record_may_be_there_again_and_stays(pool: Pool) -> None:
    """Whoever posts what was deleted means it; a payload neither changes nor deletes it."""
    await take(pool, {"a": "1", "b": "2"})
    await drop(pool, "a")
    await post(pool, "a")

    assert await take(pool, {"a": "1", "b": "2"}) == (changes(unchanged=1), ["a"])
    assert await take(pool, {"b": "2"}, "2") == (changes(unchanged=1, deleted=1), [])
    assert await stored(pool) == {"b": "2"}


async def test_answer_that_a_snapshot_took_away_may_come_back(pool: Pool) -> None:
    """Taken away at the source is not erased."""
    await take(pool, {"a": "1", "b": "2"})
    await take(pool, {"b": "2"}, "2")

    assert await take(pool, {"a": "1", "b": "2"}, "3") == (changes(created=1, unchanged=1), [])


async def test_part_deleted_before_its_question_was_known_holds_back_the_question(pool: Pool) -> None:
    """Its id was makeshift: which part it is by the definition, nobody can tell. Until then the other parts stay."""
    await take(pool, {"q": "red green", "r": "blue grey"})
    assert await drop(pool, "q__red")

    assert await take(pool, {"q": "red green", "r": "blue grey"}) == (changes(unchanged=3), ["q__red"])
    await define(pool, {"red": "1", "green": "2", "blue": "3", "grey": "4"})
    assert await stored(pool) == {"r__3": "blue", "r__4": "grey"}


async def test_part_of_a_known_question_is_deleted_alone(pool: Pool) -> None:
    """With a definition its id is its own."""
    await define(pool, {"red": "1", "green": "2"})
    await take(pool, {"q": "red green"})
    assert await drop(pool, "q__1")
    await define(pool, {"red": "1", "green": "2"})

    assert await take(pool, {"q": "red green"}) == (changes(unchanged=1), ["q__1"])
    assert await stored(pool) == {"q__2": "green"}


# A user.


@pytest.mark.parametrize("tenant_id", ["acme", None], ids=["in one tenant", "everywhere"])
async def test_erased_user_does_not_come_back(pool: Pool, tenant_id: str | None) -> None:
    """Neither what was stored nor what was given before and comes only now, nor a payload of it."""
    await take(pool, {"a": "1"}, user=ANN)
    assert await erasure.erase_user(pool, MARKERS, ANN, tenant_id) == 1

    assert await take(pool, {"a": "1"}, user=ANN) == (changes(), ["a"])
    assert await take(pool, {"a": "2"}, "2", user=ANN, submission_id="s2") == (changes(), ["a"])
    assert await take(pool, {}, "2", user=ANN, submission_id="s3") == (changes(), [""])
    assert await define(pool, {}) == 0
    assert (await kept(pool), await stored(pool), await stored(pool, "s2")) == ([], {}, {})


async def test_user_erased_everywhere_does_not_come_to_a_tenant_that_had_nothing(pool: Pool) -> None:
    """And one erased in a tenant stays in the others."""
    await erasure.erase_user(pool, MARKERS, ANN, None)
    await erasure.erase_user(pool, MARKERS, "bob", "acme")

    assert await take(pool, {"a": "1"}, user=ANN, tenant_id="globex") == (changes(), ["a"])
    assert await take(pool, {"a": "1"}, user="bob", submission_id="s2") == (changes(), ["a"])
    assert await take(pool, {"a": "1"}, user="bob", submission_id="s2", tenant_id="globex") == (changes(created=1), [])
    assert await erasure.erase_user(pool, MARKERS, "bob", None) == 1


@pytest.mark.parametrize("started", [timedelta(hours=1), None], ids=["later", "now"])
async def test_new_submission_of_an_erased_person_comes_in(pool: Pool, started: timedelta | None) -> None:
    """The erasure was about the past; what has no time of its own is from now."""
    await erasure.erase_user(pool, MARKERS, ANN, "acme")
    moment = None if started is None else datetime.now(UTC) + started

    assert await take(pool, {"a": "1"}, user=ANN, started=moment) == (changes(created=1), [])
    assert await erasure.erase_user(pool, MARKERS, ANN, "acme") == 1
    assert await take(pool, {"a": "1"}, user=ANN, started=moment) == (changes(), ["a"])


async def test_channel_that_does_not_name_the_person_brings_nothing_back(pool: Pool) -> None:
    """The submission is marked, too."""
    await take(pool, {"a": "1"}, user=ANN)
    await erasure.erase_user(pool, MARKERS, ANN, None)

    assert await take(pool, {"a": "1"}) == (changes(), ["a"])
    assert await stored(pool) == {}


@pytest.mark.parametrize("order", ["2", "0"], ids=["newer", "stale"])
async def test_person_named_later_takes_what_came_unnamed_along(pool: Pool, order: str) -> None:
    """In whatever order the channels speak, in the end there is nothing."""
    await erasure.erase_user(pool, MARKERS, ANN, "acme")
    assert await take(pool, {"a": "1", "b": "1"}) == (changes(created=2), [])

    assert await take(pool, {"a": "1"}, order, user=ANN) == (changes(deleted=2), ["a"])
    assert await take(pool, {"a": "1"}, "3") == (changes(), ["a"])
    assert (await kept(pool), await stored(pool)) == ([], {})


async def test_record_that_was_given_a_user_takes_its_payload_along(pool: Pool, connection: Connection) -> None:
    """The payload names nobody; the record was assigned to the person later. What else was said stays as records."""
    await take(pool, {"a": "1", "b": "2"})
    await connection.execute("update feedback_records set user_id = 'ann' where field_id = 'a'")

    assert await erasure.erase_user(pool, MARKERS, ANN, None) == 1
    assert await kept(pool) == []
    assert await take(pool, {"a": "1", "b": "2"}) == (changes(), ["a", "b"])
    assert await stored(pool) == {"b": "2"}


async def test_direct_posts_of_an_erased_person_are_taken_and_left_alone(pool: Pool) -> None:
    """Even when a payload of the same submission comes again."""
    await take(pool, {"a": "1"}, user=ANN)
    await erasure.erase_user(pool, MARKERS, ANN, None)
    await post(pool, "a", user=ANN)

    assert await take(pool, {"a": "1"}, user=ANN) == (changes(), ["a"])
    assert await stored(pool) == {"a": "posted"}


def changes(created: int = 0, updated: int = 0, unchanged: int = 0, deleted: int = 0) -> Changes:
    return Changes(created=created, updated=updated, unchanged=unchanged, deleted=deleted)


# At the same time.


@pytest.mark.parametrize("round_", range(3))
async def test_erasing_a_user_while_their_payloads_arrive(dsn: str, round_: int) -> None:
    """Each is stored before and erased, or comes after and is held back."""
    pool = await open_pool(Settings(database_url=dsn, database_max_conns=20))
    names = [f"s{n}" for n in range(12)]

    async def deliver(name: str, order: int) -> None:
        await take(pool, {f"f{order}": "x"}, str(order), user=ANN if order % 2 else None, submission_id=name)

    async def erase() -> None:
        await asyncio.sleep(0.002 * round_)
        await erasure.erase_user(pool, MARKERS, ANN, None if round_ else "acme")

    for name in names[:6]:
        await take(pool, {"f0": "x"}, "0", user=ANN, submission_id=name)
    await asyncio.gather(*(deliver(name, order) for order in (1, 3, 2) for name in names), erase())
    # The channel that names nobody may have been first where nothing was known yet; the other one speaks again.
    await asyncio.gather(*(deliver(name, 3) for name in names))

    assert [await stored(pool, name) for name in names] == [{}] * len(names)
    assert await kept(pool) == []
    await pool.close()


async def test_deleting_records_while_their_payloads_arrive(dsn: str) -> None:
    """A record that was deleted is gone, though its payload was under way, also where none had come before."""
    pool = await open_pool(Settings(database_url=dsn, database_max_conns=20))
    for round_ in range(10):
        name = f"s{round_}"
        if round_ % 2:
            await take(pool, {"a": "1", "b": "2"}, submission_id=name)
        else:
            await records.insert(
                pool,
                [NewRecord(tenant_id="acme", submission_id=name, source_type="tool", field_id="a", field_type="text")],
            )
        deliveries = [take(pool, {"a": str(n), "b": "2"}, str(n), submission_id=name) for n in range(2, 8)]
        await asyncio.gather(*deliveries[:3], drop(pool, "a", name), *deliveries[3:])
        assert await stored(pool, name) == {"b": "2"}
    await pool.close()


# Any history.


class Delivery(Struct, frozen=True):
    order: int
    named: bool


class Drop(Struct, frozen=True):
    field_id: str


class Erase(Struct, frozen=True):
    tenant_id: Literal["acme"] | None


class Define(Struct, frozen=True):
    pass


Event = Delivery | Drop | Erase | Define
CONTENTS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y"]), max_size=4)


@pytest.mark.not_on_citus("fifty databases' worth of histories take too long there")
@given(contents=st.lists(CONTENTS, min_size=1, max_size=4), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_erased_comes_back_in_any_history(
    databases: Databases, contents: list[dict[str, str]], data: st.DataObject
) -> None:
    """Snapshots of one submission in any order, repeated, by channels that name the person or do not, with erasures between.

    At no moment is something there that was erased; in the end stands the newest snapshot without it, and for an erased person
    nothing, in whatever order everything is delivered once more.
    """
    every = [Delivery(order, named) for order in range(len(contents)) for named in (True, False)]
    history: list[Event] = data.draw(
        st.lists(
            st.one_of(
                st.sampled_from(every), st.builds(Drop, st.sampled_from("abcd")), st.just(Define()),
                st.builds(Erase, st.sampled_from(["acme", None])),
            ),
            max_size=12,
        )
    )  # fmt: skip
    rest = data.draw(st.permutations(every))

    async def run() -> None:
        dsn = await databases.clone()
        pool = await open_pool(Settings(database_url=dsn))
        dropped: set[str] = set()
        erased = False
        known = False  # whether the stored submission has its person
        try:
            await take(pool, contents[0], user="bob", submission_id="other")
            for event in [*history, *rest]:
                match event:
                    case Delivery(order, named):
                        result = await take(pool, contents[order], str(order), user=ANN if named else None)
                        known = known or (named and not isinstance(result, Stale))
                    case Drop(field_id):
                        if await drop(pool, field_id):
                            dropped.add(field_id)
                    case Erase(tenant_id):
                        await erasure.erase_user(pool, MARKERS, ANN, tenant_id)
                        erased = True
                    case Define():
                        await define(pool, {"x": "1"})
                now = await stored(pool)
                assert not dropped & now.keys()
                assert not (erased and known and now)
            assert await stored(pool) == (
                {} if erased else {name: text for name, text in contents[-1].items() if name not in dropped}
            )
            assert await kept(pool) == (["other"] if erased else ["other", "s1"])
            assert await stored(pool, "other") == contents[0]
        finally:
            await pool.close()
            await databases.give_back(dsn)

    asyncio.run(run())
