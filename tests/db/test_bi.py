"""The views count as the API does, and whoever reads them sees its tenants and nothing else."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from hub.db import Pool, bi, records
from hub.db.migrate import migrate
from hub.model import NewRecord
from tests.conftest import make_record
from tests.databases import connect
from tests.process import ROOT
from tests.test_docs import blocks

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

VIEWS = ("feedback", "nps_daily", "csat_daily", "ces_daily", "volume_daily", "choice_counts", "fields", "submissions")
NOT_ON_CITUS = pytest.mark.not_on_citus("a reader would need the tables on every node, where nothing fences it in")


async def store(pool: Pool, *answers: dict[str, object]) -> None:
    """Each with a submission of its own, unless it names one."""
    whole = [make_record(**{"submission_id": f"s{n}", "value_text": ..., **answer}) for n, answer in enumerate(answers)]
    await records.insert(pool, [msgspec.json.decode(msgspec.json.encode(record), type=NewRecord) for record in whole])


def nps(value: object, **members: object) -> dict[str, object]:
    return {"field_id": "nps", "field_type": "nps", "value_number": value, **members}


@asynccontextmanager
async def reading(owner: Connection, dsn: str, *tenants: str) -> AsyncIterator[Connection]:
    """A reader's own session."""
    name = f"reader_{token_hex(6)}"  # roles belong to the server, which other tests use as well
    password = await bi.create_reader(owner, name, tenants)
    try:
        host = urlsplit(dsn).netloc.rpartition("@")[2]
        async with connect(urlsplit(dsn)._replace(netloc=f"{name}:{password}@{host}").geturl()) as reader:
            yield reader
    finally:
        assert await bi.drop_reader(owner, name)


@pytest.fixture
async def reader(connection: Connection, dsn: str) -> AsyncIterator[Connection]:
    """One that sees acme."""
    async with reading(connection, dsn, "acme") as reader:
        yield reader


async def test_every_view_and_column_has_a_comment(connection: Connection) -> None:
    """BI tools show them."""
    rows = await connection.fetch(
        "select c.relname, a.attname, col_description(c.oid, coalesce(a.attnum, 0)) as said, obj_description(c.oid) as whole"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace = 'analytics'::regnamespace"
    )
    assert {row["relname"] for row in rows} == set(VIEWS)
    assert [(row["relname"], row["attname"]) for row in rows if not row["said"] or not row["whole"]] == []


async def test_every_view_keeps_conditions_behind_its_fence(connection: Connection) -> None:
    options = await connection.fetch(
        "select relname from pg_class where relnamespace = 'analytics'::regnamespace"
        " and 'security_barrier=true' = any(reloptions)"
    )
    assert {row["relname"] for row in options} == set(VIEWS)


@NOT_ON_CITUS
async def test_reader_sees_its_tenants_only(pool: Pool, connection: Connection, dsn: str) -> None:
    """In every view, whatever it asks; without a tenant nothing. The hub's own user is no reader."""
    for tenant in ("acme", "beta", "other"):
        await store(
            pool, *(nps(9, tenant_id=tenant), {"field_type": "csat", "value_number": 5, "tenant_id": tenant}),
            {"field_type": "ces", "value_number": 5, "tenant_id": tenant},
            {"field_type": "categorical", "value_text": "A", "tenant_id": tenant},
        )  # fmt: skip
    async with reading(connection, dsn, "acme", "beta") as reader:
        for view in VIEWS:
            rows = await reader.fetch(f"select distinct tenant_id from analytics.{view}")
            assert {row["tenant_id"] for row in rows} == {"acme", "beta"}, view
            assert await reader.fetchval(f"select count(*) from analytics.{view} where tenant_id = 'other'") == 0
            assert await connection.fetchval(f"select count(*) from analytics.{view}") == 0


@NOT_ON_CITUS
@pytest.mark.parametrize(
    "attempt",
    [
        "select * from public.feedback_records",
        "select * from public.submissions",
        "select * from public.api_keys",
        "select * from public.reader_tenants",
        "insert into public.reader_tenants values (session_user, 'other')",
        "select * from pg_authid",
        "set role postgres",
        "set session authorization postgres",
        "alter role current_user createrole",
        "create view analytics.mine as select 1",
        "create table public.mine (a int)",
        "create or replace view analytics.feedback as select 1",
        "copy analytics.feedback to program 'cat'",
        "delete from analytics.nps_daily",
        "update analytics.feedback set tenant_id = 'acme'",
    ],
)
async def test_reader_gets_nowhere_else(reader: Connection, attempt: str) -> None:
    """Base tables, other roles, new objects: refused also when it lifts its own settings."""
    await reader.execute("set default_transaction_read_only = off")
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await reader.execute(attempt)
    assert isinstance(
        refusal.value,
        asyncpg.InsufficientPrivilegeError
        | asyncpg.InvalidParameterValueError  # a role that does not exist here
        | asyncpg.ObjectNotInPrerequisiteStateError  # a view that nobody can write to
        | asyncpg.WrongObjectTypeError,
    ), refusal.value


@NOT_ON_CITUS
async def test_settings_of_a_session_open_nothing(pool: Pool, reader: Connection) -> None:
    """Who it is, is who signed in: no setting changes that."""
    await store(pool, nps(9), nps(3, tenant_id="other"))
    for setting in (
        "set search_path = public, analytics",
        "set row_security = off",
        "set statement_timeout = 0",
        "select set_config('hub.tenant_id', 'other', false)",
        "set application_name = 'feedback-hub'",
        "set role none",
    ):
        await reader.execute(setting)
    assert [row[0] for row in await reader.fetch("select tenant_id from analytics.feedback")] == ["acme"]


@NOT_ON_CITUS
async def test_function_of_a_reader_is_shown_its_rows_only(pool: Pool, reader: Connection) -> None:
    """A condition that is cheap, and tells what it is given, is not asked before the fence."""
    await store(pool, *(nps(9, value_text=f"{tenant} says") for tenant in ("acme",)), nps(3, tenant_id="other", value_text="secret"))  # fmt: skip
    said: list[str] = []
    reader.add_log_listener(lambda _, message: said.append(str(message)))
    # An index on the tenant would be a fence by chance.
    for name in ("indexscan", "indexonlyscan", "bitmapscan"):
        await reader.execute(f"set enable_{name} = off")
    await reader.execute("set default_transaction_read_only = off; set client_min_messages = notice")
    await reader.execute(
        "create function pg_temp.leak(a text) returns boolean language plpgsql cost 0.0000001"
        " as $$ begin raise notice 'leaked %', a; return true; end $$"
    )
    for view, column in (("feedback", "value_text"), ("fields", "tenant_id"), ("submissions", "tenant_id"), ("nps_daily", "tenant_id")):  # fmt: skip
        await reader.fetch(f"select * from analytics.{view} where pg_temp.leak({column})")
    assert any("acme says" in line for line in said)
    assert not [line for line in said if "secret" in line or "other" in line]


@NOT_ON_CITUS
async def test_reader_is_read_only_and_stopped_after_a_while(reader: Connection) -> None:
    assert await reader.fetchval("show default_transaction_read_only") == "on"
    assert await reader.fetchval("show statement_timeout") == "1min"
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await reader.execute("create temporary table mine (a int)")


@NOT_ON_CITUS
async def test_views_count_as_defined(pool: Pool, reader: Connection) -> None:
    """Half-open buckets, scales apart, what is invalid beside and not in them; days in UTC."""
    scored: list[object] = [0, 6.5, 7, 8.5, 9, 10, 11, -1, None]
    await store(
        pool,
        *(nps(value, submission_id=f"n{n}", collected_at="2026-03-01T23:30:00-02:00") for n, value in enumerate(scored)),
        *({"field_id": "csat", "field_type": "csat", "value_number": n, "submission_id": f"c{n}"} for n in range(1, 7)),
        *(
            {
                "field_id": "csat", "field_type": "csat", "value_number": n, "submission_id": f"d{n}",
                "metadata": {"scale": {"min": 1, "max": 7}},
            }
            for n in range(1, 8)
        ),
        *(
            {"field_id": "ces", "field_type": "ces", "value_number": n, "submission_id": f"e{n}", "metadata": {"scale": scale}}
            for n, scale in enumerate(({"min": 1, "max": 7}, {"min": 1, "max": 7}, None, "odd", {"min": 2, "max": 1}), 4)
        ),
    )  # fmt: skip
    (row,) = await reader.fetch("select * from nps_daily")
    assert {name: row[name] for name in ("count", "promoters", "passives", "detractors", "invalid_count")} == {
        "count": 6, "promoters": 2, "passives": 2, "detractors": 2, "invalid_count": 3,
    }  # fmt: skip
    assert str(row["day"]) == "2026-03-02"
    csat = {row["scale_max"]: row for row in await reader.fetch("select * from csat_daily")}
    counts = ("count", "satisfied", "neutral", "dissatisfied", "value_sum", "invalid_count")
    assert [csat[None][name] for name in counts] == [5, 2, 1, 2, 15, 1]
    assert [csat[7][name] for name in counts] == [7, 2, 3, 2, 28, 0]
    ces = {row["scale_max"]: row for row in await reader.fetch("select * from ces_daily")}
    assert [ces[7][name] for name in ("count", "easy", "value_sum", "invalid_count")] == [2, 1, 9, 0]
    assert [ces[None][name] for name in ("count", "easy", "value_sum", "invalid_count")] == [2, None, 13, 1]


@NOT_ON_CITUS
async def test_choices_are_counted_over_the_submissions_that_chose(pool: Pool, reader: Connection) -> None:
    """Of a multi-select, each option is a field; labels are the latest."""

    def chose(submission: str, option: str | None, label: str, minute: int) -> dict[str, object]:
        return {
            "submission_id": submission, "field_id": f"why__{option or label.strip().lower()}", "field_group_id": "why",
            "field_type": "categorical", "value_id": option, "value_text": label, "collected_at": f"2026-03-01T09:{minute:02}:00Z",
        }  # fmt: skip

    await store(
        pool, chose("s1", "a", "Old", 1), chose("s2", "a", "New", 2), chose("s1", "b", "B", 3), chose("s3", None, " Other ", 4)
    )  # fmt: skip
    rows = await reader.fetch("select option, label, count, submissions from choice_counts order by option")
    assert [tuple(row) for row in rows] == [("a", "New", 2, 3), ("b", "B", 1, 3), ("other", " Other ", 1, 3)]
    volume = await reader.fetchrow("select records, submissions, users from volume_daily")
    assert volume is not None
    assert tuple(volume) == (4, 3, 0)


@NOT_ON_CITUS
async def test_what_people_wrote_themselves_names_nobody_elses_answer(pool: Pool, reader: Connection) -> None:
    def wrote(submission: str, text: str, **member: object) -> dict[str, object]:
        return {"submission_id": submission, "field_id": "q", "field_type": "categorical", "value_text": text, **member}

    await store(
        pool, *(wrote(text, text, value_id="other") for text in ("Radio", "Bob")), wrote("tv", "TV", value_id="tv")
    )
    rows = await reader.fetch("select option, label, count from choice_counts order by option")
    assert [tuple(row) for row in rows] == [("other", "Other", 2), ("tv", "TV", 1)]


@NOT_ON_CITUS
async def test_submission_has_its_answers_side_by_side(pool: Pool, connection: Connection, reader: Connection) -> None:
    """Those without an answer are there, too, where the source tells."""
    await store(
        pool, nps(8.5, submission_id="s1"), {"submission_id": "s1", "field_id": "why", "value_text": "slow"},
        {"submission_id": "s1", "field_id": "again", "field_type": "boolean", "value_boolean": True},
    )  # fmt: skip
    await connection.execute(
        "insert into submissions (tenant_id, submission_id, source, status, snapshot_order, received_at)"
        " values ('acme', 's2', 'formbricks', 'started', '', now()), ('other', 's3', 'formbricks', 'started', '', now())"
    )
    first, second = await reader.fetch("select * from submissions order by submission_id")
    assert msgspec.json.decode(first["answers"]) == {"nps": 8.5, "why": "slow", "again": True}
    assert (first["nps"], first["nps_segment"], first["records"], first["status"]) == (8.5, "passive", 3, None)
    assert (second["submission_id"], second["status"], second["records"], second["answers"]) == (
        "s2",
        "started",
        0,
        "{}",
    )
    (field,) = await reader.fetch("select field_type, records from fields where field_id = 'why'")
    assert tuple(field) == ("text", 1)


@NOT_ON_CITUS
async def test_a_dropped_reader_leaves_nothing(connection: Connection, dsn: str) -> None:
    async with reading(connection, dsn, "acme", "acme"):
        ((name, tenants),) = await bi.readers(connection)
        assert tenants == ["acme"]
    assert await bi.readers(connection) == []
    assert not await bi.drop_reader(connection, name)
    assert not await bi.drop_reader(connection, "postgres")
    assert await connection.fetchval("select count(*) from pg_roles where rolname = $1", name) == 0


@NOT_ON_CITUS
async def test_an_owner_that_is_no_superuser_can_make_readers(empty_dsn: str) -> None:
    """It has to be allowed to create roles, and no more."""
    owner = f"owner_{token_hex(6)}"
    database = urlsplit(empty_dsn).path.removeprefix("/")
    async with connect(empty_dsn) as administrator:
        await administrator.execute(f"create role {owner} login createrole password 'x'")
        await administrator.execute(f"alter database {database} owner to {owner}")
        await administrator.execute(f"grant all on schema public to {owner}")
        try:
            host = urlsplit(empty_dsn).netloc.rpartition("@")[2]
            dsn = urlsplit(empty_dsn)._replace(netloc=f"{owner}:x@{host}").geturl()
            await migrate(dsn)
            async with connect(dsn) as connection, reading(connection, dsn, "acme") as reader:
                assert await reader.fetch("select * from feedback") == []
        finally:
            await administrator.execute(f"alter database {database} owner to current_user")
            await administrator.execute(f"reassign owned by {owner} to current_user")
            await administrator.execute(f"drop owned by {owner}")
            await administrator.execute(f"drop role {owner}")


@NOT_ON_CITUS
async def test_views_of_a_later_version_are_read_too(connection: Connection, reader: Connection) -> None:
    await connection.execute("create view analytics.later as select 1 as one")
    assert await reader.fetchval("select one from later") == 1


@pytest.mark.only_on_citus("elsewhere the rights of the view are enough")
async def test_on_citus_a_reader_is_refused_rather_than_let_in(pool: Pool, connection: Connection, dsn: str) -> None:
    """Each node asks for rights on the tables, and fences nobody in."""
    await store(pool, nps(9))
    async with reading(connection, dsn, "acme") as reader:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch("select * from analytics.nps_daily")


async def test_whoever_owns_the_tables_may_be_a_reader(pool: Pool, connection: Connection) -> None:
    """On Citus, too."""
    await store(pool, nps(9), nps(9, tenant_id="other"), {"field_type": "categorical", "value_text": "A"})
    await connection.execute("insert into reader_tenants (role, tenant_id) values (session_user, 'acme')")
    for view in VIEWS:
        rows = await connection.fetch(f"select distinct tenant_id from analytics.{view}")
        assert [row["tenant_id"] for row in rows] == ([] if view in {"csat_daily", "ces_daily"} else ["acme"]), view


BI = ROOT / "docs" / "bi"
# The SQL of the page on dbt are the models beside it.
PAGES = sorted(
    page.relative_to(BI).as_posix()
    for page in (*BI.glob("*.md"), *BI.glob("dbt/models/*.sql"))
    if page.name != "dbt.md"
)


@NOT_ON_CITUS
@pytest.mark.parametrize("page", PAGES)
async def test_sql_in_the_pages_runs_for_a_reader(pool: Pool, reader: Connection, page: str) -> None:
    """And returns something."""
    await store(
        pool,
        *(nps(n, submission_id=f"n{n}", metadata={"attributes": {"plan": "pro"}}) for n in range(11)),
        {"field_id": "why", "value_text": "slow", "submission_id": "n3"},
        {"field_id": "csat", "field_type": "csat", "value_number": 5, "metadata": {"scale": {"min": 1, "max": 5}}},
        {"field_id": "ces", "field_type": "ces", "value_number": 6, "metadata": {"scale": {"min": 1, "max": 7}}},
        {"field_id": "color", "field_type": "categorical", "value_id": "red", "value_text": "Red"},
    )
    path = BI / page
    statements = (
        [path.read_text()]
        if path.suffix == ".sql"
        else [block.text for block in blocks(path) if block.language == "sql"]
    )
    assert statements
    for statement in statements:
        # What dbt puts in, and Metabase's variables for what somebody chooses on a dashboard.
        text = re.sub(r"{{ source\('(\w+)', '(\w+)'\) }}", r"\1.\2", statement)
        text = re.sub(r"\[\[.*?\]\]", "", text).replace("{{tenant}}", "'acme'")
        assert await reader.fetch(text), statement
