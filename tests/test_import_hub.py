"""Another hub moves over: the real Formbricks Hub, and one made up here for what a real one does not do on demand."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from hub import client as hub_client
from hub.cursors import Sort
from hub.db import Connection, imports
from hub.db.imports import Move, State
from hub.embedded import running
from hub.import_hub import Moved, OverHttp, address, run
from tests.conftest import make_record
from tests.databases import connect
from tests.process import ROOT, await_true, environment, free_port, serving
from tests.with_postgres import scratch

FORMBRICKS_HUB = Path(os.environ.get("FORMBRICKS_HUB", ROOT.parent / "shared" / "peers" / "formbricks-hub"))
MOVE = Move(imports.identity("http://old.test"), "acme")
THEN = datetime(2026, 1, 1, tzinfo=UTC)

against_the_real_one = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="the Formbricks Hub at hand runs on Linux"),
    pytest.mark.skipif(
        not (FORMBRICKS_HUB / "run.py").is_file(),
        reason=f"there is no Formbricks Hub in {FORMBRICKS_HUB}; FORMBRICKS_HUB points at one",
    ),
]


class OldHub:
    """A hub made up: as many records as are put in, in pages as long as they are told to be."""

    sort: Sort = "collected_at"

    def __init__(self, size: int = 3) -> None:
        self.records: dict[UUID, dict[str, object]] = {}
        self.size = size
        self.pages = 0
        self.fails_after = 1_000_000

    def put(self, **members: object) -> UUID:
        record_id = members.get("id", uuid4())
        assert isinstance(record_id, UUID)
        times = dict.fromkeys(("collected_at", "created_at", "updated_at"), THEN)
        self.records[record_id] = make_record(**(times | members | {"id": record_id}))
        return record_id

    async def count(self, tenant_id: str) -> int:
        return len(self.records)

    async def page(self, tenant_id: str, cursor: str | None) -> tuple[list[bytes], str | None]:
        self.pages += 1
        if self.pages > self.fails_after:
            raise hub_client.UnreachableError("it is away")
        rows = sorted(self.records.values(), key=self._place)
        start = int(cursor or 0)
        following = start + self.size
        page = [msgspec.json.encode(record) for record in rows[start:following]]
        return page, str(following) if following < len(rows) else None

    async def gone(self, ids: Sequence[UUID]) -> list[UUID]:
        return [each for each in ids if each not in self.records]

    def _place(self, record: dict[str, object]) -> tuple[timedelta, object]:
        at = record.get(self.sort)
        at = at if isinstance(at, datetime) else THEN
        return (THEN - at if self.sort == "collected_at" else at - THEN), record["id"]


async def move(connection: Connection, other: OldHub, *, restart: bool = False) -> Moved:
    return await run(connection, other, MOVE, restart=restart, advance=lambda _: None)


async def stored(connection: Connection) -> dict[UUID, str]:
    rows = await connection.fetch("select id, value_text from feedback_records")
    return {row["id"]: row["value_text"] for row in rows}


@pytest.mark.parametrize("sort", ["collected_at", "created_at"])
@pytest.mark.parametrize("same_time", [True, False])
async def test_a_later_run_catches_up(connection: Connection, sort: Sort, same_time: bool) -> None:
    """With what is new, changed and deleted, in either order, and where many records have the same time."""
    other = OldHub()
    other.sort = sort
    ids = [
        other.put(submission_id=f"s{n}", **({} if same_time else dict.fromkeys(
            ("collected_at", "created_at", "updated_at"), THEN + timedelta(minutes=n % 5)
        )))
        for n in range(20)
    ]  # fmt: skip
    first = await move(connection, other)
    assert (first.same, first.state.counts, first.here.count) == (True, {"created": 20}, 20)
    second = await move(connection, other)
    assert (second.same, second.state.counts) == (True, {"unchanged": 20})
    for gone in (ids[0], ids[7], ids[19]):
        del other.records[gone]
    other.records[ids[3]] |= {"value_text": "changed", "updated_at": THEN + timedelta(days=1)}
    new = other.put(submission_id="new", collected_at=THEN + timedelta(hours=1), created_at=THEN + timedelta(hours=1))
    third = await move(connection, other)
    assert (third.same, third.state.counts) == (True, {"created": 1, "updated": 1, "deleted": 3, "unchanged": 16})
    rows = await stored(connection)
    assert rows.keys() == other.records.keys()
    assert (rows[ids[3]], new in rows) == ("changed", True)


async def test_all_deleted_there_is_all_deleted_here(connection: Connection) -> None:
    other = OldHub()
    for n in range(5):
        other.put(submission_id=f"s{n}")
    await move(connection, other)
    other.records.clear()
    moved = await move(connection, other)
    assert (moved.same, moved.state.counts, await stored(connection)) == (True, {"deleted": 5}, {})


async def test_a_run_that_was_broken_off_goes_on_where_it_ended(connection: Connection) -> None:
    """And counts as one."""
    other = OldHub()
    for n in range(20):
        other.put(submission_id=f"s{n}")
    other.fails_after = 4
    with pytest.raises(hub_client.UnreachableError):
        await move(connection, other)
    done = len(await stored(connection))
    assert 0 < done < 20
    other.fails_after, other.pages = 1_000, 0
    moved = await move(connection, other)
    assert (moved.same, moved.state.counts) == (True, {"created": 20})
    assert other.pages == 7 - done // 3
    assert (await move(connection, other, restart=True)).state.counts == {"unchanged": 20}


async def test_of_two_versions_the_one_changed_last_stands_under_the_old_id(connection: Connection) -> None:
    other = OldHub()
    changed_here, changed_there = other.put(submission_id="s1"), other.put(submission_id="s2")
    await move(connection, other)
    await connection.execute(
        "update feedback_records set value_text = 'here', updated_at = $1", THEN + timedelta(days=2)
    )
    other.records[changed_here] |= {"value_text": "there", "updated_at": THEN + timedelta(days=1)}
    other.records[changed_there] |= {"value_text": "there", "updated_at": THEN + timedelta(days=3)}
    moved = await move(connection, other)
    assert moved.state.counts == {"kept": 1, "updated": 1}
    assert not moved.same
    assert await stored(connection) == {changed_here: "here", changed_there: "there"}
    assert (await move(connection, other)).state.counts == {"kept": 1, "unchanged": 1}


async def test_what_clients_posted_to_both_hubs_becomes_the_old_record(connection: Connection) -> None:
    """One that was changed here since keeps its content, and gets the old id and time of arrival."""
    other = OldHub()
    plain, changed = other.put(submission_id="s1"), other.put(submission_id="s2")
    for submission, later in (("s1", 0), ("s2", 1)):
        await connection.execute(
            "insert into feedback_records (id, collected_at, created_at, updated_at, source_type, field_id, field_type,"
            " tenant_id, submission_id, value_text) values ($1, $2, $2, $3, 'survey', 'q1', 'text', 'acme', $4, 'here')",
            uuid4(), THEN + timedelta(days=1), THEN + timedelta(days=1 + later), submission,
        )  # fmt: skip
    moved = await move(connection, other)
    assert moved.state.counts == {"kept": 1, "updated": 1}
    assert await stored(connection) == {plain: "fine", changed: "here"}
    assert await connection.fetchval("select created_at from feedback_records where id = $1", changed) == THEN


async def test_a_record_deleted_and_posted_again_there_is_the_new_one_here(connection: Connection) -> None:
    other = OldHub()
    old = other.put()
    await move(connection, other)
    del other.records[old]
    new = other.put(value_text="again", updated_at=THEN + timedelta(days=1))
    moved = await move(connection, other)
    assert (moved.same, await stored(connection)) == (True, {new: "again"})


async def test_only_what_came_from_there_is_deleted(connection: Connection) -> None:
    """What clients posted here is nobody else's, and neither is another tenant's, or what another hub brought."""
    other, theirs = OldHub(), OldHub()
    other.put(submission_id="s1")
    await move(connection, other)
    mine = theirs.put(submission_id="mine")
    third = Move(imports.identity("http://third.test"), "acme")
    await run(connection, theirs, third, restart=False, advance=lambda _: None)
    other.records.clear()
    await move(connection, other)
    assert await stored(connection) == {mine: "fine"}


async def test_a_record_that_only_moved_in_the_order_is_not_deleted(connection: Connection) -> None:
    """It is asked for by its id before."""
    other = OldHub()
    ids = [other.put(submission_id=f"s{n}", collected_at=THEN + timedelta(minutes=n)) for n in range(9)]
    await move(connection, other)
    await connection.execute(
        "update feedback_records set collected_at = $1, updated_at = $2 where id = $3",
        THEN - timedelta(days=1), THEN + timedelta(days=1), ids[5],
    )  # fmt: skip
    await move(connection, other)
    assert (await stored(connection)).keys() == set(ids)


REFUSED: list[dict[str, object]] = [
    {"value_text": "a\0b"},
    {"metadata": {"a": "\0"}},
    {"value_date": "0000-01-01T00:00:00Z"},
    {"field_type": "emoji"},
    {"sentiment": "positive"},
    {"value_number": "many"},
    {"submission_id": "x" * 9000 + secrets.token_hex(4000)},
    {"tenant_id": "another"},
    {"collected_at": ...},
]


@pytest.mark.parametrize("odd", REFUSED, ids=lambda odd: next(iter(odd)))
async def test_what_cannot_be_a_record_here_is_kept_with_the_reason(
    connection: Connection, odd: dict[str, object]
) -> None:
    """Once, however often the import runs, and its neighbors come over."""
    other = OldHub(size=10)
    good = [other.put(submission_id=f"s{n}") for n in range(5)]
    bad = other.put(**({"submission_id": "odd", "user_id": "u1"} | odd))
    for _ in range(2):
        moved = await move(connection, other, restart=True)
        assert moved.state.counts["rejected"] == 1
        assert moved.same
    assert (await stored(connection)).keys() == set(good)
    rows = await connection.fetch("select tenant_id, batch_id, user_id, raw, problem from rejects")
    assert [(row["tenant_id"], row["batch_id"], row["user_id"]) for row in rows] == [("acme", MOVE.id, "u1")]
    assert str(bad) in rows[0]["raw"]
    assert json.loads(rows[0]["problem"])["detail"]


@pytest.mark.parametrize(
    "odd",
    [
        {"value_number": 1e300},
        {"value_number": -0.0},
        {"collected_at": "0001-01-01T00:00:00Z"},
        {"value_date": "9999-12-31T23:59:59.999999Z"},
        {"metadata": [1, {"a": 1e2}]},
        {"metadata": "text"},
        {"metadata": None},
        {"metadata": {"a": None, "n": 12345678901234567890123.10}},
        {"user_id": ""},
        {"value_text": "x" * 40_000},
        {"emotions": ["joy", "anger"]},
        {"sentiment": "mixed", "sentiment_score": -0.25, "value_text_translated": "gut", "translation_lang_key": "de"},
    ],
    ids=lambda odd: next(iter(odd)),
)
async def test_what_the_api_would_refuse_and_the_table_holds_comes_over_as_it_is(
    connection: Connection, odd: dict[str, object]
) -> None:
    other = OldHub()
    record_id = other.put(**odd)
    moved = await move(connection, other)
    assert (moved.same, moved.state.counts) == (True, {"created": 1})
    assert (await move(connection, other)).state.counts == {"unchanged": 1}
    assert (await stored(connection)).keys() == {record_id}


async def test_members_without_a_place_here_are_counted(connection: Connection) -> None:
    """A newer hub may have them; the rest of the record comes over."""
    other = OldHub()
    other.put(emotions_classified_at="2026-01-01T00:00:00Z")
    assert (await move(connection, other)).state.counts == {"created": 1, "without emotions_classified_at": 1}


def test_the_address_is_the_same_however_it_is_written() -> None:
    assert address("http://Old.test/") == address("http://old.test")
    assert address("postgres://u:p@db/hub?sslmode=disable") == address("postgres://db/hub")
    assert address("postgres://db/hub") != address("postgres://db/other")


class TheirHub:
    """The real Formbricks Hub, with its database."""

    def __init__(self, url: str, dsn: str) -> None:
        self.url = url
        self.dsn = dsn
        self.http = httpx.Client(base_url=url, headers={"Authorization": "Bearer key1"}, timeout=30)

    def post(self, **members: object) -> str:
        answer = self.http.post("/v1/feedback-records", json=make_record(**members))
        assert answer.status_code == 201, answer.text
        record_id: str = answer.json()["id"]
        return record_id

    def records(self, tenant: str) -> dict[str, object]:
        found: dict[str, object] = {}
        query = {"tenant_id": tenant, "limit": "1000"}
        while True:
            page = self.http.get("/v1/feedback-records", params=query).json()
            found |= {record["id"]: record for record in page["data"]}
            if "next_cursor" not in page:
                return found
            query["cursor"] = page["next_cursor"]


@pytest.fixture(scope="module")
def their_server() -> Iterator[TheirHub]:
    with scratch() as folder, running(folder / "theirs", connections=100) as postgres:
        dsn = f"{postgres.dsn.rpartition('/')[0]}/theirs"
        asyncio.run(_create(postgres.dsn))
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, FORMBRICKS_HUB / "run.py", "--database", dsn, "--port", str(port)],
                stdout=log, stderr=log, env=os.environ | {"TZ": "Etc/GMT-1"},
            )  # fmt: skip
            there = TheirHub(f"http://127.0.0.1:{port}", dsn)
            try:
                await_true(lambda: process.poll() is not None or _answers(there))
                assert process.poll() is None, (folder / "log").read_text()
                yield there
            finally:
                there.http.close()
                process.terminate()
                process.wait(30)


async def _create(dsn: str) -> None:
    async with connect(dsn) as connection:
        await connection.execute("create database theirs")


def _answers(there: TheirHub) -> bool:
    try:
        return there.http.get("/health").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
async def theirs(their_server: TheirHub) -> TheirHub:
    """Without a record."""
    async with connect(their_server.dsn) as connection:
        await connection.execute("truncate feedback_records cascade")
    return their_server


def import_hub(dsn: str, folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "import-hub", *arguments],
        env=environment(folder, DATABASE_URL=dsn, FROM_API_KEY="key1"), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def fill(theirs: TheirHub) -> None:
    """What a hub in use has, and what only that hub takes."""
    odd: list[dict[str, object]] = [
        {"value_number": 1e21, "field_type": "number"},
        {"value_date": "0001-01-01T00:00:00Z", "field_type": "date"},
        {"collected_at": "9999-12-31T20:59:59.999999Z"},
        {"collected_at": "1960-01-01T00:00:00.5+05:30"},
        {"metadata": [1, {"a": 1e2}]},
        {"metadata": None},
        {"metadata": {"b": 1.0, "a": {"n": None, "long": 12345678901234567890}}, "value_text": "<b>& ü 😀\u2028"},
        {"user_id": "", "language": "zz zz"},
        {"field_type": "boolean", "value_boolean": False, "value_text": ...},
        {
            "field_type": "nps",
            "value_number": 9,
            "user_id": "u1",
            "source_id": "x",
            "value_id": "v",
            "field_group_id": "g",
        },
    ]
    for number, members in enumerate(odd):
        theirs.post(submission_id=f"odd-{number}", **members)
    theirs.post(tenant_id="other", value_text="of another tenant")


async def fill_with_many(theirs: TheirHub, count: int) -> None:
    """As they are after its workers enriched them."""
    async with connect(theirs.dsn) as connection:
        await connection.execute(
            "insert into feedback_records (tenant_id, submission_id, source_type, field_id, field_type, value_text, sentiment,"
            " sentiment_score, emotions, value_text_translated, translation_lang_key, collected_at, metadata)"
            " select 'acme', 'many-' || n, 'survey', 'q1', 'text', 'fine', 'positive', 0.5, '{joy,anger}', 'gut', 'de',"
            " timestamptz '2026-01-01' + n % 7 * interval '1 day', '{\"n\": 1.50}' from generate_series(1, $1) as n",
            count,
        )


@pytest.mark.parametrize("way", ["http", "database"])
class TestTheRealOne:
    """By its API, and by its database."""

    pytestmark = against_the_real_one

    @pytest.fixture
    def arguments(self, way: str, theirs: TheirHub) -> list[str]:
        by_http = ["--from", theirs.url, "--tenant", "acme", "--tenant", "other"]
        return by_http if way == "http" else ["--database", theirs.dsn]

    async def test_every_record_answers_the_same_under_its_old_id(
        self, theirs: TheirHub, arguments: list[str], dsn: str, tmp_path: Path
    ) -> None:
        fill(theirs)
        await fill_with_many(theirs, 2_500)
        status, output = import_hub(dsn, tmp_path, *arguments)
        assert (status, output.count("same")) == (0, 2), output
        assert "2,511 created" in output
        with serving(tmp_path / "data", DATABASE_URL=dsn) as served:
            for tenant in ("acme", "other"):
                there = theirs.records(tenant)
                for record_id, record in there.items():
                    if "many" in str(record) and secrets.randbelow(100):
                        continue  # one in a hundred of those that are alike
                    ours = served.get(f"/v1/feedback-records/{record_id}").json()
                    assert ours == utc(record)
                assert served.get(f"/v1/feedback-records/count?tenant_id={tenant}").json() == {"count": len(there)}

    async def test_a_second_run_catches_up(
        self, theirs: TheirHub, arguments: list[str], dsn: str, tmp_path: Path, connection: Connection
    ) -> None:
        fill(theirs)
        await fill_with_many(theirs, 1_200)
        refused = theirs.post(submission_id="year 0", value_date="0000-01-01T00:00:00Z")
        status, output = import_hub(dsn, tmp_path, *arguments)
        assert status == 1
        assert "1,211 created, 1 rejected" in output
        assert refused in await connection.fetchval("select raw from rejects")
        there = theirs.records("acme")
        erased, patched = [key for key in there if key != refused][5:7]
        for record_id in (erased, refused):
            assert theirs.http.delete(f"/v1/feedback-records/{record_id}").status_code == 204
        assert theirs.http.patch(f"/v1/feedback-records/{patched}", json={"value_text": "patched"}).is_success
        new = theirs.post(submission_id="new")
        status, output = import_hub(dsn, tmp_path, *arguments)
        assert (status, output.count("same")) == (0, 2), output
        assert "1 created, 1 deleted, 1,209 unchanged, 1 updated" in output
        rows = await stored(connection)
        assert rows[UUID(patched)] == "patched"
        assert UUID(erased) not in rows
        assert UUID(new) in rows


def utc(record: object) -> object:
    """That hub shows times in the zone of its process."""
    assert isinstance(record, dict)
    times = {
        name: shown_(record[name])
        for name in ("collected_at", "created_at", "updated_at", "value_date")
        if name in record
    }
    return record | times


def shown_(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    shown = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{shown}.{moment.microsecond:06}".rstrip("0") + "Z" if moment.microsecond else f"{shown}Z"


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
async def test_a_hub_that_lists_in_order_of_arrival_is_read_in_it(connection: Connection, tmp_path: Path) -> None:
    """As this one does: it moves over to another of its kind."""
    with serving(tmp_path / "data") as served:
        key = (tmp_path / "data" / "api_key").read_text().strip()
        records = [make_record(submission_id=f"s{n}") for n in range(1_500)]
        body = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        with hub_client.Client(served.url, key) as client:
            client.request(
                "POST", "/v1/feedback-records/batch", body=body, headers={"content-type": "application/x-ndjson"}
            )
            other = await OverHttp.open(client, "acme")
            assert other.sort == "created_at"
            states: list[State] = []
            moved = await run(connection, other, MOVE, restart=False, advance=states.append)
            assert (moved.same, moved.state.counts, len(states)) == (True, {"created": 1_500}, 2)
            gone = next(iter(await stored(connection)))
            assert served.get(f"/v1/feedback-records/{gone}").is_success
            client.request("DELETE", f"/v1/feedback-records/{gone}")
            moved = await run(connection, other, MOVE, restart=False, advance=states.append)
            assert (moved.same, moved.state.counts) == (True, {"deleted": 1, "unchanged": 1_499})


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "--database"),
        (["--from", "http://x", "--database", "postgres://x"], "--database"),
        (["--from", "http://x", "--key", "k"], "--tenant"),
        (["--from", "ftp://x", "--key", "k", "--tenant", "t"], "http"),
    ],
)
def test_import_says_what_it_needs(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "import-hub", *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr


@pytest.mark.process
async def test_a_database_that_cannot_be_reached_is_one_line(dsn: str, tmp_path: Path) -> None:
    assert import_hub(dsn, tmp_path, "--database", f"postgres://u@127.0.0.1:{free_port()}/x")[0] == 1
