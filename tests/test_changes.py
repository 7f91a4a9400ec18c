"""The feed of changes: a copy that is kept by it is the table, whatever transactions do, and however long they take."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from hub import cursors
from hub.cursors import ChangesCursor
from hub.db import Pool, changes, encoded, erasure, imports, new_id, query, records
from hub.db.changes import Feed, Forgotten
from hub.db.erasures import Markers
from hub.db.imports import Move, State
from hub.model import NewRecord
from tests.conftest import make_record
from tests.databases import connect

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, Any]

TENANT = "acme"
URL, BATCH = "/v1/feedback-records", "/v1/feedback-records/batch"
OPEN = """
select count(*) from pg_stat_activity where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
"""


class Copy:
    """What somebody has who follows the changes."""

    def __init__(self, pool: Pool, tenant_id: str = TENANT, cursor: ChangesCursor | None = None) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self.cursor = cursor
        self.records: dict[UUID, Json] = {}
        self.told: list[str] = []
        self.until = datetime.min.replace(tzinfo=UTC)

    async def read(self, size: int, settle_seconds: float) -> bool:
        """A page; whether there is more."""
        feed = await changes.page(
            self._pool, self._tenant_id, self.cursor, size, 30, settle_seconds=settle_seconds
        )  # fmt: skip
        assert isinstance(feed, Feed)
        assert len(feed.changes) <= size
        for change in feed.changes:
            self.told.append(change.change)
            if change.change == "purged":
                self.records.clear()
            elif change.change == "deleted":
                self.records.pop(change.id, None)
            else:
                assert change.record is not None
                self.records[change.id] = json.loads(change.record)
        self.cursor, self.until = feed.cursor, feed.until
        return feed.more

    async def follow(self, *, size: int = 100, settle_seconds: float = 0.0) -> list[str]:
        """Everything up to now; what was told."""
        self.told = []
        while await self.read(size, settle_seconds):
            pass
        return self.told


async def table(connection: Connection, tenant_id: str = TENANT) -> dict[UUID, Json]:
    rows = await connection.fetch(
        f"select id, {query('records/_json')} as record from feedback_records where tenant_id = $1", tenant_id
    )
    return {row["id"]: json.loads(row["record"]) for row in rows}


def new(**members: object) -> NewRecord:
    return msgspec.convert(make_record(**members), NewRecord)


async def settled(connection: Connection) -> None:
    """No other transaction is open: what a test did is over for Postgres, too."""
    async with asyncio.timeout(10):
        while await connection.fetchval(OPEN):  # noqa: ASYNC110 - other processes end
            await asyncio.sleep(0.01)


# One after another.


async def test_what_was_created_changed_and_deleted_is_told(client: httpx.AsyncClient, connection: Connection, pool: Pool) -> None:  # fmt: skip
    """In that order, each record once, as it is now."""
    copy = Copy(pool)
    assert await copy.follow() == []
    first, second, third = [
        (await client.post(URL, json=make_record(submission_id=f"s{n}"))).json()["id"] for n in range(3)
    ]
    assert await copy.follow() == ["created"] * 3
    await client.patch(f"{URL}/{first}", json={"value_text": "better"})
    await client.delete(f"{URL}/{second}")
    await client.patch(f"{URL}/{third}", json={"value_text": "fine"})  # which it was
    assert await copy.follow() == ["updated", "deleted"]
    assert copy.records == await table(connection)
    assert await copy.follow() == []

    late = Copy(pool)
    assert await late.follow() == ["created", "updated"]
    assert late.records == copy.records


@pytest.mark.parametrize("size", [1, 2, 7, 100])
async def test_pages_neither_repeat_nor_miss(client: httpx.AsyncClient, connection: Connection, pool: Pool, size: int) -> None:  # fmt: skip
    """Also of what was stored at the same moment."""
    await client.post(BATCH, json=[make_record(submission_id=f"s{n}") for n in range(20)])
    copy = Copy(pool)
    assert await copy.follow(size=size) == ["created"] * 20
    await client.post(f"{BATCH}?on_conflict=update", json=[make_record(submission_id=f"s{n}", value_text="x") for n in range(15)])  # fmt: skip
    await client.delete(f"{URL}?user_id=nobody")
    assert await copy.follow(size=size) == ["updated"] * 15
    await client.patch(f"{URL}/{next(iter(copy.records))}", json={"user_id": "u"})
    assert copy.records != await table(connection)
    await connection.execute("update feedback_records set user_id = 'u'")
    await client.delete(f"{URL}?user_id=u")
    assert (await copy.follow(size=size)).count("deleted") == 20
    assert copy.records == {}


Deed: TypeAlias = Callable[[httpx.AsyncClient, Connection], Awaitable[object]]
MOVE = Move(imports.identity("http://old.test"), TENANT)
STATE = State(sort="created_at")
SURVEY_URL = "/v1/sources/formbricks/responses?tenant_id=acme"


def response(order: int, **data: object) -> Json:
    """A snapshot of one submission."""
    return {
        "id": "r1", "surveyId": "sv", "createdAt": "2026-08-20T09:00:00Z", "updatedAt": f"2026-08-20T09:0{order}:00Z",
        "finished": True, "contactAttributes": {"userId": "u1"}, "data": data,
    }  # fmt: skip


async def moved(connection: Connection, *found: Json, gone: list[UUID] | None = None, tenant_id: str = TENANT) -> None:
    """A page of another hub."""
    old = "2020-01-01T00:00:00Z"
    texts = [
        json.dumps({"id": str(uuid4()), "collected_at": old, "created_at": old, "updated_at": old, **record}).encode()
        for record in found
    ]
    move = Move(MOVE.id, tenant_id)
    await imports.store(connection, move, imports.read(texts, tenant_id), gone or [], STATE)


async def undone(client: httpx.AsyncClient, _: Connection) -> None:
    answer = await client.post(BATCH, json=[make_record(submission_id=f"b{n}") for n in range(3)])
    await asyncio.sleep(0)
    await client.post(f"/v1/batches/{answer.json()['batch_id']}/undo")


async def one_deleted(client: httpx.AsyncClient, connection: Connection) -> None:
    (record_id, *_) = await table(connection)
    assert (await client.delete(f"{URL}/{record_id}")).status_code == 204


async def user_erased(client: httpx.AsyncClient, _: Connection) -> None:
    assert (await client.delete(f"{URL}?user_id=u1&tenant_id=acme")).json()["deleted_count"] > 0


async def user_erased_everywhere(client: httpx.AsyncClient, _: Connection) -> None:
    assert (await client.delete(f"{URL}?user_id=u1")).json()["deleted_count"] > 0


async def answer_withdrawn(client: httpx.AsyncClient, _: Connection) -> None:
    assert (await client.post(SURVEY_URL, json=response(2, why="good"))).json()["deleted"] == 1


async def gone_in_the_other_hub(client: httpx.AsyncClient, connection: Connection) -> None:
    old = await connection.fetchval("select id from feedback_records where submission_id = 'moved'")
    await moved(connection, gone=[old])


async def came_under_another_id(client: httpx.AsyncClient, connection: Connection) -> None:
    """What was posted here, too, takes the id that it has there."""
    await moved(connection, make_record())


async def came_with_old_times(client: httpx.AsyncClient, connection: Connection) -> None:
    await moved(connection, *(make_record(submission_id=f"m{n}") for n in range(5)))


async def came_and_went_and_came(client: httpx.AsyncClient, connection: Connection) -> None:
    identity = uuid4()
    again = make_record(submission_id="again", id=str(identity))
    await moved(connection, again)
    await moved(connection, gone=[identity])
    await moved(connection, again)


async def purged(client: httpx.AsyncClient, _: Connection) -> None:
    assert (await client.delete("/v1/tenants/acme/data")).json()["deleted_feedback_records"] == 4
    await client.post(URL, json=make_record())


async def replaced(client: httpx.AsyncClient, _: Connection) -> None:
    answer = await client.post(f"{BATCH}?on_conflict=update", json=[make_record(value_text="other"), make_record(submission_id="n")])  # fmt: skip
    assert answer.json()["summary"]["updated"] == 1


@pytest.mark.parametrize(
    "deed",
    [
        one_deleted, user_erased, user_erased_everywhere, undone, answer_withdrawn, gone_in_the_other_hub, came_under_another_id,
        came_with_old_times, came_and_went_and_came, replaced, purged,
    ],
)  # fmt: skip
async def test_every_way_to_change_a_record_is_told(
    client: httpx.AsyncClient, connection: Connection, pool: Pool, deed: Deed
) -> None:
    """A copy from before, one from in between and one from after are the same in the end."""
    await client.post(URL, json=make_record(user_id="u1"))
    await client.post(SURVEY_URL, json=response(1, nps=9, why="good"))
    await moved(connection, make_record(submission_id="moved"))
    copy = Copy(pool)
    await copy.follow()
    assert copy.records == await table(connection)
    assert len(copy.records) == 4
    between = Copy(pool)
    await between.read(2, 0.0)

    await deed(client, connection)
    await settled(connection)
    for each in (copy, between, Copy(pool)):
        await each.follow(size=2)
        assert each.records == await table(connection)


async def test_what_is_told_of_the_erased_are_ids_and_times(client: httpx.AsyncClient, connection: Connection) -> None:
    """Nothing else is kept of them."""
    await client.post(URL, json=make_record(user_id="u1"))
    (record_id,) = await table(connection)
    await client.delete(f"{URL}?user_id=u1")
    (row,) = await connection.fetch("select * from changes")
    assert dict(row) == {
        "tenant_id": TENANT,
        "changed_at": row["changed_at"],
        "record_id": record_id,
        "kind": "deleted",
    }


async def test_a_change_that_is_taken_back_is_not_told(connection: Connection, pool: Pool) -> None:
    await records.insert(pool, [new()])
    (record_id,) = await table(connection)
    copy = Copy(pool)
    await copy.follow()
    transaction = connection.transaction()
    await transaction.start()
    await connection.fetch(query("records/delete"), record_id, TENANT)
    await transaction.rollback()
    assert await copy.follow() == []


# Transactions that take their time.


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[Connection]:
    """A transaction that is open until the end of the block."""
    async with connect(dsn) as connection, connection.transaction():
        yield connection


async def test_nothing_is_told_that_something_older_may_still_come_before(dsn: str, connection: Connection, pool: Pool) -> None:  # fmt: skip
    """A reader of `created_at > watermark` would never see what was committed last."""
    copy = Copy(pool)
    async with writing(dsn) as slow:
        await records.insert_on(slow, [new(submission_id="slow")])
        await records.insert(pool, [new(submission_id="quick")])
        assert await copy.follow() == []
        assert copy.until < datetime.now(UTC)
    assert await copy.follow() == ["created", "created"]
    assert copy.records == await table(connection)


async def test_also_when_it_has_not_written_yet(dsn: str, connection: Connection, pool: Pool) -> None:
    """Its time is that of its beginning."""
    copy = Copy(pool)
    async with writing(dsn) as slow:
        await slow.fetchval("select now()")
        await records.insert(pool, [new(submission_id="quick")])
        assert await copy.follow() == []
        await records.insert_on(slow, [new(submission_id="slow")])
    assert await copy.follow() == ["created", "created"]


async def test_who_only_reads_holds_nothing_back(dsn: str, connection: Connection, pool: Pool) -> None:
    """An export, a dump, and a role that may not write: their transactions are long."""
    await connection.execute("create role reading_changes login password 'x'")
    try:
        options = [{"server_settings": {"application_name": name}} for name in ("feedback-hub export", "pg_dump")]
        for keywords in (*options, {"user": "reading_changes", "password": "x"}):
            other = await asyncpg.connect(dsn, **keywords)  # type: ignore[arg-type] # as they stand above
            try:
                async with other.transaction():
                    await other.fetchval("select now()")
                    await records.insert(pool, [new(submission_id=str(keywords))])
                    assert (await Copy(pool).follow()).count("created") == len(await table(connection))
            finally:
                await other.close()
    finally:
        await connection.execute("drop role reading_changes")


async def test_a_prepared_transaction_holds_everything_back(
    client: httpx.AsyncClient, connection: Connection, pool: Pool
) -> None:
    """Nobody knows when it began."""
    if await connection.fetchval("show max_prepared_transactions") == "0":
        pytest.skip(reason="this server has no prepared transactions")
    await connection.execute("begin; select now(); prepare transaction 'held'")
    try:
        answer = await client.get("/v1/changes?tenant_id=acme")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "x-changes-cursor" not in (await client.get(f"{URL}/export?tenant_id=acme")).headers
    finally:
        await connection.execute("rollback prepared 'held'")
    await settled(connection)
    assert await Copy(pool).follow() == []


async def test_a_later_change_may_bear_an_earlier_time(dsn: str, connection: Connection, pool: Pool) -> None:
    """Of two transactions that change a record the older may come second."""
    await records.insert(pool, [new()])
    (record_id,) = await table(connection)
    copy = Copy(pool)
    await copy.follow()
    async with writing(dsn) as older:
        await older.fetchval("select now()")
        await connection.fetchval(query("records/patch"), record_id, '{"value_text": "second"}', None)
        assert await copy.follow() == []
        await older.fetchval(query("records/patch"), record_id, '{"value_text": "third"}', None)
    await copy.follow()
    assert copy.records[record_id]["value_text"] == "third"
    assert copy.records == await table(connection)


# Anything at all, at once.

SETTLE = 0.2
KEYS = 8


class Writer:
    """Does things to records, a few in each transaction, and takes its time."""

    def __init__(self, dsn: str, pool: Pool, dice: random.Random) -> None:
        self._dsn = dsn
        self._pool = pool
        self._dice = dice
        self.done: dict[str, int] = {}

    async def run(self) -> None:
        """One transaction."""
        async with connect(self._dsn) as connection:
            transaction = connection.transaction()
            await transaction.start()
            with suppress(
                asyncpg.DeadlockDetectedError,
                asyncpg.UniqueViolationError,
                # What Citus says of a savepoint in which a deadlock was broken, and of what is tried again in it.
                asyncpg.InternalServerError,
                asyncpg.InFailedSQLTransactionError,
            ):
                await self._pause()
                for _ in range(self._dice.randint(1, 3)):
                    await self._deed(connection)
                    await self._pause()
                if self._dice.random() < 0.85:
                    await transaction.commit()
                    return
            await transaction.rollback()

    async def _pause(self) -> None:
        await asyncio.sleep(self._dice.choice([0, 0, 0.01, 0.05, 0.3]))

    async def _deed(self, connection: Connection) -> None:
        deed = self._dice.choice(
            [self._insert, self._insert, self._patch, self._patch, self._delete, self._erase, self._sync, self._move]
        )
        await deed(connection)
        self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1

    def _new(self) -> NewRecord:
        return new(
            submission_id=f"s{self._dice.randrange(KEYS)}",
            user_id=f"u{self._dice.randrange(3)}",
            value_text=str(self._dice.random()),
        )

    async def _any(self, connection: Connection) -> UUID:
        found = sorted(await table(connection))
        return self._dice.choice(found) if found else uuid4()

    async def _insert(self, connection: Connection) -> None:
        with suppress(TimeoutError):
            await records.insert_on(connection, [self._new() for _ in range(self._dice.randint(1, 3))])

    async def _patch(self, connection: Connection) -> None:
        changed = json.dumps({"value_text": str(self._dice.random())})
        await connection.fetchval(query("records/patch"), await self._any(connection), changed, TENANT)

    async def _delete(self, connection: Connection) -> None:
        await connection.fetch(query("records/delete"), await self._any(connection), TENANT)

    async def _erase(self, connection: Connection) -> None:
        await connection.fetch(query("records/erase_user"), f"u{self._dice.randrange(3)}", TENANT)

    async def _sync(self, connection: Connection) -> None:
        """A snapshot of which some answers are new, some changed and some gone."""
        fields = self._dice.sample(range(4), self._dice.randint(0, 3))
        rows = [
            (new_id(), new(submission_id="synced", field_id=f"f{n}", value_text=str(self._dice.random())))
            for n in fields
        ]
        await connection.fetch(query("submissions/sync"), TENANT, "synced", "survey", encoded(rows), "[]")

    async def _move(self, connection: Connection) -> None:
        known = await connection.fetch(
            "select id from feedback_records where tenant_id = $1 and batch_id = $2", TENANT, MOVE.id
        )
        page = [msgspec.to_builtins(self._new()) for _ in range(2)]
        distinct = {record["submission_id"]: record for record in page}
        gone = [row["id"] for row in known if self._dice.random() < 0.3]
        await moved(connection, *distinct.values(), gone=gone)


@pytest.mark.parametrize("seed", range(5))
async def test_a_copy_that_is_kept_by_the_feed_converges(dsn: str, pool: Pool, connection: Connection, markers: Markers, seed: int) -> None:  # fmt: skip
    """Whatever is committed, taken back or late: those who followed from the beginning, from the middle and afterwards agree."""
    dice = random.Random(seed)
    writer = Writer(dsn, pool, dice)
    busy = True
    copies = [Copy(pool), Copy(pool)]

    async def write() -> None:
        for _ in range(12):
            await writer.run()

    async def follow(copy: Copy) -> None:
        while busy:
            await copy.read(dice.randint(1, 5), SETTLE)
            await asyncio.sleep(dice.choice([0, 0.01, 0.1]))

    async def purge() -> None:
        """In the middle of it all."""
        await asyncio.sleep(1.5)
        assert await erasure.purge(pool, markers, TENANT, everything=False, wait_seconds=20) is not None

    async def join() -> None:
        """A copy that begins with all there is at a moment, as an export has it."""
        await asyncio.sleep(1)
        start = await changes.start(connection, settle_seconds=SETTLE)
        joined = Copy(pool, cursor=start)
        joined.records = await table(connection)
        copies.append(joined)
        await follow(joined)

    async with asyncio.TaskGroup() as tasks:
        for copy in copies:
            tasks.create_task(follow(copy))
        tasks.create_task(join())
        tasks.create_task(purge())
        writers = [tasks.create_task(write()) for _ in range(5)]
        await asyncio.wait(writers)
        busy = False
    told_meanwhile = [len(copy.told) for copy in copies]

    end = await connection.fetchval("select clock_timestamp()")
    wanted = await table(connection)
    for copy in (*copies, Copy(pool)):
        async with asyncio.timeout(20):
            while await copy.read(dice.randint(1, 50), SETTLE) or copy.until <= end:  # noqa: ASYNC110 - time passes
                await asyncio.sleep(0.01)
        assert copy.records == wanted
    assert min(told_meanwhile[:2]) > 20  # while others were writing
    assert len(writer.done) == 6


# Over HTTP.


async def test_the_feed_over_http(client: httpx.AsyncClient, connection: Connection) -> None:
    """A client that follows: always a cursor, and whether to come back at once."""
    stored = (await client.post(URL, json=make_record())).json()
    empty = (await client.get("/v1/changes?tenant_id=nobody")).json()
    assert (empty["data"], empty["more"], empty["limit"]) == ([], False, 100)
    assert datetime.fromisoformat(empty["until"]) <= datetime.now(UTC)

    found: list[Json] = []
    cursor = ""
    async with asyncio.timeout(20):
        while len(found) < 1:
            page = (await client.get("/v1/changes", params={"tenant_id": TENANT, "cursor": cursor, "limit": 1})).json()
            cursor = page["next_cursor"]
            found += page["data"]
    assert found == [{"change": "created", "at": stored["created_at"], "record": stored}]
    await client.delete(f"{URL}/{stored['id']}")
    async with asyncio.timeout(20):
        while len(found) < 2:
            page = (await client.get("/v1/changes", params={"tenant_id": TENANT, "cursor": cursor})).json()
            cursor = page["next_cursor"]
            found += page["data"]
    assert found[1] == {"change": "deleted", "at": found[1]["at"], "id": stored["id"]}


async def test_an_export_says_where_to_go_on(client: httpx.AsyncClient, connection: Connection, pool: Pool) -> None:
    await client.post(URL, json=make_record())
    export = await client.get(f"{URL}/export?tenant_id=acme&format=ndjson")
    copy = Copy(pool)
    copy.records = {UUID(record["id"]): record for record in map(json.loads, export.text.splitlines())}
    await client.post(URL, json=make_record(submission_id="later"))
    page = (await client.get("/v1/changes", params={"tenant_id": TENANT, "cursor": export.headers["x-changes-cursor"]})).json()  # fmt: skip
    copy.cursor = ChangesCursor(t=datetime.fromisoformat(page["until"]), i=UUID(int=0), b=datetime.now(UTC))
    await copy.follow()
    assert copy.records == await table(connection)


@pytest.mark.parametrize("cursor", ["x", "eyJ0IjoiMjAyNi0wMS0wMVQwMDowMDowMFoifQ=="])
async def test_a_cursor_of_something_else_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/v1/changes", params={"tenant_id": TENANT, "cursor": cursor})
    assert (answer.status_code, [fault["name"] for fault in answer.json()["invalid_params"]]) == (400, ["cursor"])


# What is kept for a time only.


async def test_an_old_cursor_is_refused(client: httpx.AsyncClient, pool: Pool) -> None:
    """What was deleted since is not known any more. Who begins is old nowhere, however old the records are."""
    now = datetime.now(UTC)
    for age, begun, known in ((31, 31, False), (29, 29, True), (31, 1, True)):
        cursor = ChangesCursor(t=now - timedelta(days=age), i=UUID(int=0), b=now - timedelta(days=begun))
        found = await changes.page(pool, TENANT, cursor, 10, 30)
        assert isinstance(found, Feed if known else Forgotten)


async def test_an_old_cursor_is_told_to_start_over(client: httpx.AsyncClient) -> None:
    then = datetime.now(UTC) - timedelta(days=31)
    cursor = cursors.encode(ChangesCursor(t=then, i=UUID(int=0), b=then))
    answer = await client.get("/v1/changes", params={"tenant_id": TENANT, "cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["invalid_params"] == [
        {"name": "cursor", "reason": "is older than what is kept of deletions; start from a full export"}
    ]


async def test_what_was_told_long_ago_is_forgotten(connection: Connection, pool: Pool) -> None:
    """A day later than cursors from then are refused, and in steps."""
    for days, count in ((10, 3), (30, 2), (32, 11_000)):
        await connection.execute(
            "insert into changes select 'acme', now() - make_interval(days => $1), md5($1::text || n)::uuid, 'deleted'"
            " from generate_series(1, $2) as n",
            days,
            count,
        )
    assert await changes.expire(pool, 30) == 11_000
    assert await connection.fetchval("select count(*) from changes") == 5


@pytest.mark.parametrize("name", ["changes_feed_key", "feedback_records_updated_idx"])
@pytest.mark.not_on_citus("plans are made by each node for its shards")
async def test_a_page_reads_no_more_than_it_tells(connection: Connection, name: str) -> None:
    """Of many changes, each part is found by its index, from the cursor on."""
    await connection.execute(
        "insert into feedback_records (id, collected_at, created_at, updated_at, source_type, field_id, field_type, tenant_id,"
        " submission_id) select md5(n::text)::uuid, now(), now() - make_interval(secs => n),"
        " now() - make_interval(secs => n - n % 2), 's', 'f', 'nps', 'acme', n::text from generate_series(1, 20000) as n"
    )
    await connection.execute(
        "insert into changes select case when n % 10 = 0 then 'acme' else 'other' end, now() - make_interval(secs => n),"
        " md5('x' || n)::uuid, 'deleted'"
        " from generate_series(1, 20000) as n"
    )
    await connection.execute("analyze feedback_records, changes")
    since = datetime.now(UTC) - timedelta(seconds=10_000)
    plan = await connection.fetchval(
        f"explain (analyze, format json) {query('changes/page')}",
        TENANT, since, UUID(int=0), datetime.now(UTC), 100, since,
    )  # fmt: skip
    assert name in plan
    assert "feedback_records_created_idx" in plan
    assert "Seq Scan" not in plan
    reads = [node for node in nodes(json.loads(plan)[0]["Plan"]) if "Index Name" in node]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in reads) <= 320


def nodes(plan: Json) -> list[Json]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
