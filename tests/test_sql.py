"""Every statement fits the schema, the structs fit the tables, and the hot statements use their index."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from msgspec import Struct

from hub.db import SQL, Connection, open_pool, query
from hub.db.measures import BOOLEAN, CATEGORICAL, CES, CSAT, NPS, NUMBER, RANKING, RATING, VOLUME
from hub.db.records import arguments
from hub.model import NewRecord, Record, RecordFilter, RecordPatch, SubmissionFilter
from hub.settings import Settings
from tests.databases import Databases

FILES = {path.relative_to(SQL / "queries").with_suffix("").as_posix(): path for path in SQL.glob("queries/**/*.sql")}
# A name that begins with _ is a fragment that others include.
STATEMENTS = [
    pytest.param(name, marks=[pytest.mark.only_on_citus("calls its functions")] if name.startswith("citus/") else [])
    for name in sorted(FILES)
    if "/_" not in name
]


@pytest.mark.parametrize("name", STATEMENTS)
async def test_every_statement_prepares_against_the_schema(connection: Connection, name: str) -> None:
    if name.startswith("batches/"):  # some use the table that a chunk lands in
        await connection.execute(query("batches/stage"))
    await connection.prepare(query(name))


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_first_line_says_why(name: str) -> None:
    assert re.match(r"-- \w.{15}", FILES[name].read_text())


def test_every_file_is_used() -> None:
    code = "".join(path.read_text() for path in (SQL.parent / "hub").rglob("*.py"))
    code += "".join(path.read_text() for path in FILES.values())
    assert [name for name in FILES if f'"{name}"' not in code and f"include {name} " not in code] == []


@pytest.mark.parametrize("name", sorted(FILES))
def test_whoever_changes_or_deletes_records_says_so_to_search(name: str) -> None:
    """Or words of what was erased would stay, and new ones not be found."""
    text = re.sub(r"--.*", "", query(name))
    changes = re.search(r"delete from feedback_records|update feedback_records", text)
    replaces = re.search(r"insert into feedback_records.*on conflict [^;]*do update", text, re.DOTALL)
    assert not (changes or replaces) or "search_texts" in text


async def test_the_columns_of_a_record_are_the_members_of_its_struct_in_the_order_of_the_wire(
    connection: Connection,
) -> None:
    rows = await connection.fetch(
        "select attname from pg_attribute where attrelid = 'feedback_records'::regclass"
        " and attnum > 0 and not attisdropped order by attnum"
    )
    # Which batch created it is the hub's own business.
    assert [row["attname"] for row in rows if row["attname"] != "batch_id"] == list(Record.__struct_fields__)


def test_what_is_inserted_are_the_members_of_a_new_record() -> None:
    text = re.sub(r"--.*", "", FILES["records/_columns"].read_text())
    columns = [name.strip() for name in text.split(",")]
    assert columns[:4] == ["id", "collected_at", "created_at", "updated_at"]
    assert set(columns[4:]) == set(NewRecord.__struct_fields__) - {"collected_at"}
    # The select list has them in the same order, or values would change places.
    selected = query("records/insert").partition(")\nselect ")[2].partition("\nfrom")[0]
    selected = re.sub(r"coalesce\((\w+), now\(\)\)", r"\1", selected)
    selected = selected.replace("now(), now()", "created_at, updated_at")
    assert [name.strip() for name in selected.split(",")] == columns


def test_a_patch_treats_every_member_that_may_change() -> None:
    text = query("records/patch")
    for name in RecordPatch.__struct_fields__:
        assert f"{name} = case when $2 ? '{name}' then p.{name} else r.{name} end" in text
        assert re.search(rf"\$2 \? '{name}' and p.{name} is distinct from r.{name}\n", text)


def test_the_filter_has_a_parameter_for_every_member_in_their_order() -> None:
    text = FILES["records/_filter"].read_text()
    assert sorted(set(map(int, re.findall(r"\$(\d+)", text)))) == list(
        range(1, len(arguments(RecordFilter(tenant_id="t"))) + 1)
    )


def test_the_list_of_submissions_has_a_parameter_for_every_member_of_its_filter() -> None:
    """And three for the page."""
    text = query("submissions/page")
    members = len(SubmissionFilter.__struct_fields__)
    assert sorted(set(map(int, re.findall(r"\$(\d+)", text)))) == list(range(1, members + 4))


async def test_a_record_leaves_with_every_member_in_order_and_valid(connection: Connection) -> None:
    """Each column has a value of its own, so that two cannot change places unseen."""
    full: dict[str, Any] = {
        **{name: name for name in Record.__struct_fields__},
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "collected_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-02T00:00:00.5Z",
        "updated_at": "2026-01-03T00:00:00.000001Z",
        "value_date": "2026-01-04T00:00:00Z",
        "field_type": "nps",
        "value_number": 9.5,
        "value_boolean": False,
        "language": "de",
        "sentiment": "mixed",
        "sentiment_score": -0.25,
        "emotions": ["joy", "fear"],
        "metadata": {"a": None},
    }
    await connection.execute(
        "insert into feedback_records select * from jsonb_populate_record(null::feedback_records, $1)", json.dumps(full)
    )
    text = await connection.fetchval(query("records/get"), UUID(full["id"]), None)
    assert list(json.loads(str(text))) == list(Record.__struct_fields__)
    assert json.loads(str(text)) == full
    msgspec.json.decode(text, type=Record)


# Plans. A seeded database: one tenant with most of the rows, twenty with some.

BIG = "big"
ROWS = 80_000
START = datetime(2026, 1, 1, tzinfo=UTC)
SEED = """
insert into feedback_records (
    id, collected_at, created_at, updated_at, source_type, source_id, field_id, field_type, value_number, value_text,
    user_id, tenant_id, submission_id
)
select
    md5(n::text)::uuid, $1::timestamptz + n * interval '1 minute', $1::timestamptz + (n * 7919 % $2) * interval '1 minute', $1,
    'survey', 'survey-' || n / 10 % 40, 'q' || n % 10, 'nps', n % 11,
    repeat('word ', 60), 'u' || n / 10 % 2000,
    case when n % 4 < 3 then 'big' else 'small-' || n % 20 end, 's' || n / 10
from generate_series(0, $2 - 1) as n
"""
SUBMISSIONS_SEED = """
insert into submissions (
    tenant_id, submission_id, source, form_id, user_id, status, started_at, snapshot_order, payload, received_at
)
select case when n % 4 < 3 then 'big' else 'small-' || n % 20 end, 's' || n, 'formbricks', 'survey-' || n % 40,
    'u' || n % 2000, 'completed', case when n % 10 > 0 then $1::timestamptz + n * interval '1 minute' end, '', '{}',
    $1::timestamptz + n * interval '1 minute'
from generate_series(0, $2 - 1) as n
"""
ERASURES_SEED = """
insert into erasures (tenant_id, kind, hash, erased_at)
select case when n % 4 < 3 then 'big' else '' end, 'user', sha256(n::text::bytea), $1 from generate_series(0, $2 - 1) as n
"""
MIDDLE = START + timedelta(minutes=ROWS // 2)


class Plan(Struct, frozen=True):
    indexes: set[str]
    kinds: set[str]
    scanned: int
    """Rows that scans looked at, those thrown away included."""
    text: str


@pytest.fixture(scope="module")
async def seeded(databases: Databases) -> AsyncIterator[Connection]:
    dsn = await databases.clone()
    pool = await open_pool(Settings(database_url=dsn))
    async with pool.acquire() as connection:
        await connection.execute(SEED, START, ROWS)
        await connection.execute(SUBMISSIONS_SEED, START, ROWS // 2)
        await connection.execute(ERASURES_SEED, START, ROWS)
        await connection.execute("vacuum analyze")
        yield connection
    await pool.close()
    await databases.give_back(dsn)


async def explain(connection: Connection, statement: str, *arguments: object) -> Plan:
    """What the statement did. It is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        text = await connection.fetchval(f"explain (analyze, format json) {statement}", *arguments)
    finally:
        await transaction.rollback()
    nodes = [
        node
        for node in _walk(json.loads(text)[0]["Plan"])
        # A subquery reads nothing itself; and nobody searches here, so that table is empty.
        if "Scan" in str(node["Node Type"]) and node["Node Type"] != "Subquery Scan"
        if node.get("Relation Name") != "search_tenants"
    ]
    return Plan(
        indexes={str(node["Index Name"]) for node in nodes if "Index Name" in node},
        kinds={str(node["Node Type"]) for node in nodes},
        scanned=sum(
            round(float(str(node["Actual Loops"])) * sum(float(str(node.get(key, 0))) for key in _SEEN))
            for node in nodes
            if node["Node Type"] != "Bitmap Index Scan"  # its heap scan sees the same rows
        ),
        text=text,
    )


_SEEN = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")


def _walk(node: dict[str, object]) -> Iterator[dict[str, object]]:
    yield node
    for child in cast("list[dict[str, object]]", node.get("Plans", [])):
        yield from _walk(child)


def page(cursor: datetime | None = None, limit: int = 101, **chosen: object) -> tuple[object, ...]:
    selection = RecordFilter(tenant_id=BIG, **chosen)  # type: ignore[arg-type] # each case names its own members
    return (*arguments(selection), cursor, UUID(int=0) if cursor else None, limit)


def listed(cursor: datetime | None = None, **chosen: object) -> tuple[object, ...]:
    selection = SubmissionFilter(tenant_id=BIG, **chosen)  # type: ignore[arg-type] # each case names its own members
    return (*msgspec.structs.astuple(selection), cursor, "" if cursor else None, 101)


EARLY = START + timedelta(minutes=ROWS // 4)
ID = UUID("cfcd208495d565ef66e7dff9f98764da")  # md5('0')
COLLECTED, CREATED = "feedback_records_collected_idx", "feedback_records_created_idx"
SOURCE, FIELD = "feedback_records_source_idx", "feedback_records_field_idx"
USER, SUBMISSION, PRIMARY = (
    "feedback_records_user_idx",
    "feedback_records_submission_field_key",
    "feedback_records_pkey",
)
KEPT_TIME, KEPT_FORM_TIME, KEPT_RECEIVED = (
    "submissions_time_idx",
    "submissions_form_time_idx",
    "submissions_received_idx",
)
ERASED, HASH = "erasures_pkey", hashlib.sha256(b"0").digest()
KEPT_USER, KEPT_PRIMARY, KEPT_FORM = "submissions_user_idx", "submissions_pkey", "submissions_form_idx"


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
@pytest.mark.parametrize(
    ("name", "values", "index", "most"),
    [
        pytest.param("records/page_collected_desc", page(), COLLECTED, 101, id="latest"),
        pytest.param("records/page_collected_desc", page(MIDDLE), COLLECTED, 101, id="latest, deep"),
        pytest.param("records/page_collected_asc", page(), COLLECTED, 110, id="earliest"),
        pytest.param("records/page_collected_asc", page(MIDDLE), COLLECTED, 110, id="earliest, deep"),
        pytest.param("records/page_created_desc", page(), CREATED, 101, id="last arrived"),
        pytest.param("records/page_created_desc", page(MIDDLE), CREATED, 101, id="last arrived, deep"),
        pytest.param("records/page_created_asc", page(), CREATED, 110, id="first arrived"),
        pytest.param("records/page_created_asc", page(MIDDLE), CREATED, 110, id="first arrived, deep"),
        pytest.param("records/page_collected_desc", page(source_id=("survey-7",)), SOURCE, 101, id="of a survey"),
        pytest.param(
            "records/page_collected_desc", page(MIDDLE, source_id=("survey-7",)), SOURCE, 101, id="of a survey, deep"
        ),
        pytest.param("records/page_of_tenant", (BIG, MIDDLE, ID, 101), COLLECTED, 110, id="of a tenant"),
        pytest.param("records/page_collected_desc", page(field_id=("q1",)), FIELD, 120, id="of a field"),
        pytest.param("records/page_collected_desc", page(MIDDLE, field_id=("q1",)), FIELD, 120, id="of a field, deep"),
        pytest.param("records/page_collected_desc", page(user_id=("u7",)), USER, 40, id="of a user"),
        pytest.param("records/page_collected_desc", page(submission_id=("s7",)), SUBMISSION, 10, id="of a submission"),
        pytest.param(
            "records/page_collected_desc", page(submission_id=("s7", "s8")), SUBMISSION, 20, id="of two submissions"
        ),
        pytest.param("records/page_collected_desc", page(until=MIDDLE), COLLECTED, 101, id="until a time"),
        pytest.param(
            "records/find_ids", ([BIG] * 2, ["s7", "s8"], ["q0", "q1"]), SUBMISSION, 10, id="ids of duplicates"
        ),
        pytest.param("records/get", (ID, None), PRIMARY, 1, id="one by id"),
        pytest.param("records/get", (ID, BIG), PRIMARY, 1, id="one by id within a tenant"),
        # What is changed or deleted is read once more, for search.
        pytest.param("records/patch", (ID, '{"value_number": 3}', None), PRIMARY, 5, id="patch"),
        pytest.param("records/patch", (ID, '{"value_number": 3}', BIG), PRIMARY, 5, id="patch within a tenant"),
        pytest.param("records/whose", (ID, None), PRIMARY, 1, id="whose"),
        pytest.param("records/whose", (ID, BIG), PRIMARY, 1, id="whose within a tenant"),
        pytest.param("records/delete", (ID, BIG), PRIMARY, 4, id="delete"),
        # What is deleted is read four times: to be deleted, to be told, to be counted, and for search.
        pytest.param("records/erase_user", ("u7", None), USER, 160, id="erase a user everywhere"),
        pytest.param("records/erase_user", ("u7", BIG), USER, 160, id="erase a user in one tenant"),
        # The hashes that are asked for count, too.
        pytest.param("erasures/find", (BIG, bytes(200 * 32)), ERASED, 200, id="nothing was erased"),
        pytest.param("erasures/find", (BIG, bytes(32) + HASH), ERASED, 3, id="something was erased"),
        pytest.param("submissions/erase_user", ("u6", None), KEPT_USER, 20, id="erase a user's payloads everywhere"),
        pytest.param("submissions/erase_user", ("u6", BIG), KEPT_USER, 20, id="erase a user's payloads in one tenant"),
        pytest.param("submissions/page", listed(), KEPT_TIME, 101, id="latest submissions"),
        pytest.param("submissions/page", listed(cursor=EARLY), KEPT_TIME, 102, id="latest submissions, deep"),
        pytest.param("submissions/page", listed(until=EARLY), KEPT_TIME, 101, id="submissions until a time"),
        pytest.param(
            "submissions/page", listed(form_id=("survey-6",)), KEPT_FORM_TIME, 101, id="submissions of a survey"
        ),
        pytest.param(
            "submissions/page",
            listed(cursor=EARLY, form_id=("survey-6",)),
            KEPT_FORM_TIME,
            102,
            id="submissions of a survey, deep",
        ),
        pytest.param("submissions/page", listed(user_id=("u6",)), KEPT_USER, 20, id="submissions of a user"),
        pytest.param("submissions/get", (BIG, "s6", True), KEPT_PRIMARY, 1, id="a submission to read"),
        pytest.param("submissions/records", (BIG, "s6"), SUBMISSION, 10, id="records of a submission"),
        pytest.param("submissions/lock", (BIG, "s6"), KEPT_PRIMARY, 1, id="a submission"),
        pytest.param(
            "submissions/page_of_form",
            (BIG, "formbricks", "survey-6", "s4", 100),
            KEPT_FORM,
            200,
            id="submissions of a form",
        ),
    ],
)
async def test_a_hot_statement_uses_its_index(
    seeded: Connection, name: str, values: tuple[object, ...], index: str, most: int
) -> None:
    plan = await explain(seeded, query(name), *values)
    assert plan.indexes == {index}, plan.text
    assert "Seq Scan" not in plan.kinds, plan.text
    assert 0 < plan.scanned <= most, plan.text


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
async def test_payloads_expire_in_the_order_of_their_receipt(seeded: Connection) -> None:
    """A step reads what it forgets, and not what stays."""
    days = (datetime.now(UTC) - START).days - 1
    plan = await explain(seeded, query("submissions/expire"), days, 100)
    assert plan.indexes == {KEPT_RECEIVED, KEPT_PRIMARY}, plan.text
    assert "Seq Scan" not in plan.kinds, plan.text
    assert 0 < plan.scanned <= 400, plan.text


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
async def test_submissions_are_found_by_the_user_of_their_records(seeded: Connection) -> None:
    """Erasing looks at the records of one user, and at their submissions."""
    plan = await explain(seeded, query("submissions/erase_partly"), "u7", None)
    assert plan.indexes == {USER, KEPT_PRIMARY}, plan.text
    assert "Seq Scan" not in plan.kinds, plan.text
    assert 0 < plan.scanned <= 120, plan.text


WEEK = (MIDDLE, MIDDLE + timedelta(days=7))
DAYS = [WEEK[0] + timedelta(days=day) for day in range(7)]


def measured(*kind: str) -> tuple[object, ...]:
    """What the statement of a metric takes."""
    selection = RecordFilter(tenant_id=BIG, field_id=("q1",), field_type=("nps",), since=WEEK[0], until=WEEK[1])
    return (*arguments(selection), list(kind), None, DAYS, 50)


def whole_question(*kind: str) -> tuple[object, ...]:
    """The same without a period."""
    selection = RecordFilter(tenant_id=BIG, field_id=("q1",), field_type=("nps",))
    return (*arguments(selection), list(kind), None, [], 50)


SCORE_BY_DAY = """
select date_trunc('day', collected_at), count(*) filter (where value_number >= 9) from feedback_records
where tenant_id = $1 and field_id = $2 and field_type = 'nps' and collected_at between $3 and $4 group by 1
"""


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
@pytest.mark.parametrize(
    ("statement", "values"),
    [
        pytest.param(
            query("records/count"),
            arguments(RecordFilter(tenant_id=BIG, field_id=("q1",), since=WEEK[0], until=WEEK[1])),
            id="count",
        ),
        pytest.param(SCORE_BY_DAY, (BIG, "q1", *WEEK), id="score by day"),
        pytest.param(NPS.statement, measured(), id="score by bucket"),
        pytest.param(NPS.statement, measured("field_id"), id="score by question"),
        pytest.param(query("analytics/span"), measured()[:-4], id="span"),
    ],
)
async def test_answers_to_one_field_are_counted_over_time_without_touching_the_table(
    seeded: Connection, statement: str, values: tuple[object, ...]
) -> None:
    plan = await explain(seeded, statement, *values)
    assert (plan.indexes, plan.kinds) == ({FIELD}, {"Index Only Scan"}), plan.text
    assert 0 < plan.scanned <= 7 * 24 * 60 / 10 + 1, plan.text


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
async def test_a_score_is_counted_in_parallel_where_that_pays(seeded: Connection) -> None:
    """Here it pays for everything."""
    whole = arguments(RecordFilter(tenant_id=BIG, field_id=("q1",), field_type=("nps",)))
    async with seeded.transaction():
        await seeded.execute(
            "set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; set local min_parallel_index_scan_size = 0"
        )
        text = await seeded.fetchval(f"explain (format json) {NPS.statement}", *whole, [], None, DAYS, 50)
    nodes = list(_walk(json.loads(text)[0]["Plan"]))
    assert any(node.get("Partial Mode") == "Partial" for node in nodes), text


QUESTIONS_OF_NINE_TYPES = """
insert into feedback_records (
    id, collected_at, created_at, updated_at, source_type, field_id, field_type, tenant_id, submission_id
)
select
    gen_random_uuid(), now(), now(), now(), 'survey', 'q' || n % 9,
    ('{nps,csat,ces,rating,number,boolean,categorical,text,date}'::text[])[1 + n % 9], 'acme', 's' || n / 9
from generate_series(1, 9000) as n
"""


@pytest.mark.not_on_citus("plans are made by each node for its shards")
async def test_a_question_of_its_type_is_known_to_be_the_question(connection: Connection) -> None:
    """A ninth of the records, not a ninth of a ninth."""
    await connection.execute(QUESTIONS_OF_NINE_TYPES)
    await connection.execute("analyze feedback_records")
    chosen = RecordFilter(tenant_id="acme", field_id=("q0",), field_type=("nps",))
    statement = f"explain (format json) select from feedback_records where {query('records/_filter')}"
    text = await connection.fetchval(statement, *arguments(chosen))
    assert json.loads(text)[0]["Plan"]["Plan Rows"] == pytest.approx(1000, rel=0.2), text


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
async def test_fields_are_counted_without_touching_the_table(seeded: Connection) -> None:
    """And of each the latest record is found by its time."""
    plan = await explain(seeded, query("analytics/fields"), *arguments(RecordFilter(tenant_id=BIG)), 500)
    assert (plan.indexes, plan.kinds) == ({FIELD, COLLECTED}, {"Index Only Scan", "Index Scan"}), plan.text
    assert plan.scanned < ROWS * 0.75 + 50, plan.text


# Every statement that groups records, with what it takes beside what all of them take.
GROUPING = [
    pytest.param(statement, more, id=f"{metric.name}{what}")
    for metric in (NPS, CSAT, CES, RATING, NUMBER, BOOLEAN, CATEGORICAL, RANKING, VOLUME)
    for what, statement, more in [
        ("", metric.statement, metric.bounds or ()),
        *([(", details", metric.details.statement, metric.details.arguments([]))] if metric.details else []),
    ]
]


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
@pytest.mark.parametrize(("statement", "more"), GROUPING)
async def test_groups_by_an_answer_are_joined_and_not_looked_up_record_by_record(
    seeded: Connection, statement: str, more: tuple[object, ...]
) -> None:
    plan = await explain(seeded, statement, *whole_question("answer", "q2"), *more)
    scans = [node for node in _walk(json.loads(plan.text)[0]["Plan"]) if "Relation Name" in node]
    assert [node["Actual Loops"] for node in scans] == [1, 1], plan.text
    assert plan.scanned < 2 * ROWS / 10, plan.text


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
@pytest.mark.parametrize(("statement", "more"), GROUPING)
@pytest.mark.parametrize("kind", [(), ("language",), ("metadata", "plan")], ids=lambda kind: ".".join(kind) or "whole")
async def test_who_does_not_group_by_an_answer_pays_for_no_other_one(
    seeded: Connection, statement: str, more: tuple[object, ...], kind: tuple[str, ...]
) -> None:
    plan = await explain(seeded, statement, *whole_question(*kind), *more)
    scans = [node for node in _walk(json.loads(plan.text)[0]["Plan"]) if "Relation Name" in node]
    assert len(scans) == 1, plan.text


@pytest.mark.not_on_citus("plans are made by each node for its shards")
@pytest.mark.xdist_group("seeded")
async def test_groups_by_an_answer_look_at_each_submission_once(seeded: Connection) -> None:
    plan = await explain(seeded, NPS.statement, *measured("answer", "q2"))
    assert plan.indexes == {FIELD, SUBMISSION}, plan.text
    assert "Seq Scan" not in plan.kinds, plan.text
    assert plan.scanned < 2 * 7 * 24 * 60 / 10 + 2, plan.text
