"""The queue, and the process that works it."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pgqueuer.adapters.persistence.queries import Queries

from hub import jobs
from hub.db import Connection, queue
from hub.pulls import Tools
from tests.conftest import API_KEY, SECRET_KEY
from tests.databases import connect
from tests.process import PATIENCE, Served, await_true, environment, left, serving
from tests.test_pulls import connected
from tests.vendors.formbricks import FormbricksServer
from tests.vendors.server import Answer

FORM = queue.Flatten(tenant_id="acme", source="formbricks", form_id="sv")
WAITING = "select status::text from pgqueuer"
RECORDS = "select count(*) from feedback_records"

process = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


async def test_the_tables_are_those_that_the_library_works_with(connection: Connection) -> None:
    """A version of it that wants others needs a migration of ours."""
    plan = await Queries.from_asyncpg_connection(connection).plan_upgrade()  # type: ignore[arg-type] # a plain connection
    assert plan.statements == ()


async def test_a_job_waits_once_however_often_it_is_put(connection: Connection) -> None:
    """It is done at the earliest of the times asked for; once it began, the next is one of its own."""
    await queue.put(connection, FORM, after=timedelta(hours=1))
    await queue.put(connection, FORM, after=timedelta(hours=2))
    row = await connection.fetchrow("select id, execute_after - created as after from pgqueuer")
    assert row is not None
    assert row["after"] == timedelta(hours=1)
    await queue.put(connection, FORM)
    assert await connection.fetchval("select array_agg(execute_after <= now()) from pgqueuer") == [True]
    await queue.begin(connection, row["id"])
    await queue.put(connection, FORM)
    assert await connection.fetchval("select count(*) from pgqueuer") == 2


async def test_a_job_is_put_with_what_makes_it_necessary(connection: Connection) -> None:
    """Or not at all."""
    transaction = connection.transaction()
    await transaction.start()
    await queue.put(connection, FORM)
    await transaction.rollback()
    assert await connection.fetchval("select count(*) from pgqueuer") == 0


async def test_ready_tells_that_nobody_works_the_queue(client: httpx.AsyncClient, connection: Connection) -> None:
    """By a job that waits, before any worker came; later by what the worker does every minute."""

    async def answer() -> tuple[int, object]:
        ready = await client.get("/ready")
        return ready.status_code, ready.json()["queue"]

    assert await answer() == (200, "attended")
    await queue.put(connection, FORM)
    assert await answer() == (200, "attended")
    await connection.execute("update pgqueuer set execute_after = now() - interval '2 minutes'")
    assert await answer() == (200, "unattended")
    tick = "insert into pgqueuer_schedules (expression, entrypoint, next_run) values ('* * * * *', 'due', now())"
    await connection.execute(tick)
    assert await answer() == (200, "attended")
    await connection.execute("update pgqueuer_schedules set next_run = now() - interval '2 minutes'")
    assert await answer() == (200, "unattended")


async def test_how_jobs_ended_is_kept_for_a_week(connection: Connection) -> None:
    """Nobody asks later."""
    for days in (6, 8):
        await connection.execute(
            "insert into pgqueuer_log (job_id, status, priority, entrypoint, created)"
            " values ($1::int, 'successful', 0, 'flatten', now() - make_interval(days => $1))",
            days,
        )
    await queue.tidy(connection)
    assert [row["job_id"] for row in await connection.fetch("select job_id from pgqueuer_log")] == [6]


class TestProcess:
    """`hub serve` and `hub worker` from outside."""

    pytestmark = process

    async def test_a_job_runs_again_after_its_worker_was_killed(
        self, connection: Connection, dsn: str, tmp_path: Path
    ) -> None:
        """The supervisor starts another one, and that finds the job."""
        await _keep_a_response(connection)
        with _serving(dsn, tmp_path):
            async with _held_up(dsn) as blocker:
                await queue.put(connection, FORM)
                await until(connection, "select count(*) from pgqueuer where status = 'picked'", 1)
                (victim,) = _workers(tmp_path)
                os.kill(victim, signal.SIGKILL)
                await_true(lambda: victim not in _workers(tmp_path) and len(_workers(tmp_path)) == 1)
                assert await connection.fetchval(RECORDS) == 0
                await blocker.execute("rollback")
            await until(connection, "select count(*) from pgqueuer", 0)
            assert await connection.fetchval(RECORDS) == 1

    async def test_a_hub_without_a_worker_leaves_the_queue_to_others(
        self, connection: Connection, dsn: str, tmp_path: Path
    ) -> None:
        """`hub worker` is one: it does the job, and ends in order when it is told to."""
        await _keep_a_response(connection)
        await queue.put(connection, FORM)
        with _serving(dsn, tmp_path, worker="off") as served:
            assert served.answers("/ready")
            assert _workers(tmp_path) == []
            assert await connection.fetchval(WAITING) == "queued"
            with _working(dsn, tmp_path) as worker:
                await until(connection, "select count(*) from pgqueuer", 0)
                worker.terminate()
                assert worker.wait(PATIENCE) == 0
        assert await connection.fetchval(RECORDS) == 1

    async def test_a_job_under_way_is_left_to_the_next_worker(
        self, connection: Connection, dsn: str, tmp_path: Path
    ) -> None:
        """A hub that is told to stop does not wait for it, nor is it lost."""
        await _keep_a_response(connection)
        with _serving(dsn, tmp_path) as served:
            async with _held_up(dsn):
                await queue.put(connection, FORM)
                await until(connection, "select count(*) from pgqueuer where status = 'picked'", 1)
                status, _ = served.stop()
        assert status == 0
        assert await connection.fetchval(WAITING) == "queued"
        assert await connection.fetchval(RECORDS) == 0

    async def test_vendors_that_do_not_answer_hold_up_nothing_else(
        self, connection: Connection, tools: Tools, dsn: str, tmp_path: Path
    ) -> None:
        """However many of them there are. The log has no line of each request to them."""
        await _keep_a_response(connection)
        with FormbricksServer() as vendor, _working(dsn, tmp_path, ALLOW_PRIVATE_ADDRESSES="true") as worker:
            answered = await connected(tools, vendor, token="answered")
            await queue.put(connection, queue.Pull(connection_id=answered.id))
            await until(connection, "select count(*) from pgqueuer_log where status = 'successful'", 1)
            assert vendor.requests
            vendor.misbehave(*[Answer(silent=True)] * 20)
            for number in range(jobs.AT_A_TIME):
                row = await connected(tools, vendor, token=str(number))
                await queue.put(connection, queue.Pull(connection_id=row.id))
                await queue.put(connection, queue.FetchForm(connection_id=row.id, form_id="sv"))
            held_up = "select count(*) from pgqueuer where status = 'picked' and entrypoint in ('pull', 'fetchform')"
            await until(connection, held_up, jobs.PULLS + jobs.FETCHES)
            await queue.put(connection, FORM)
            await until(connection, RECORDS, 1)
            worker.terminate()
            output, _ = worker.communicate(timeout=PATIENCE)
        assert vendor.url not in output

    async def test_what_is_due_by_the_clock_is_done(self, connection: Connection, dsn: str, tmp_path: Path) -> None:
        """Also what was due while no worker was there: here, that payloads expire."""
        await _keep_a_response(connection)
        await connection.execute("update submissions set received_at = now() - interval '31 days'")
        await connection.execute(
            "insert into pgqueuer_schedules (expression, entrypoint, next_run)"
            " values ('17 * * * *', 'expire', now() - interval '1 hour')"
        )
        with _working(dsn, tmp_path, PAYLOAD_RETENTION_DAYS="30"):
            await until(connection, "select count(*) from submissions where payload is null", 1)
            await until(connection, "select count(*) from pgqueuer_schedules where next_run > now()", 2)

    async def test_a_worker_outlives_its_connection(self, connection: Connection, dsn: str, tmp_path: Path) -> None:
        """The same process is back when the database is."""
        await _keep_a_response(connection)
        with _working(dsn, tmp_path) as worker:
            await until(connection, "select count(*) from pgqueuer_schedules", 2)
            cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1"
            assert await connection.fetchval(f"{cut} and datname = current_database()", "feedback-hub worker") == 1
            await queue.put(connection, FORM)
            await until(connection, "select count(*) from pgqueuer", 0)
            assert worker.poll() is None
        assert await connection.fetchval(RECORDS) == 1

    async def test_a_job_that_fails_is_tried_again_later(
        self, connection: Connection, dsn: str, tmp_path: Path
    ) -> None:
        """Neither log nor queue has more of what went wrong than its type, for it may quote what was said."""
        await queue.put(connection, queue.Flatten(tenant_id="acme", source="hush", form_id="sv"))
        with _working(dsn, tmp_path) as worker:
            await until(connection, "select max(attempts) from pgqueuer", 1)
            worker.terminate()
            output, _ = worker.communicate(timeout=PATIENCE)
        row = await connection.fetchrow("select status::text, execute_after > now() as later from pgqueuer")
        assert dict(row or {}) == {"status": "queued", "later": True}
        assert '"error":"KeyError"' in output
        kept = "select traceback->>'exception_message' from pgqueuer_log where traceback is not null"
        assert await connection.fetchval(kept) == "KeyError"


@asynccontextmanager
async def _held_up(dsn: str) -> AsyncIterator[Connection]:
    """Whoever flattens the response waits."""
    async with connect(dsn) as blocker:
        await blocker.execute("begin")
        await blocker.execute("select from submissions where tenant_id = 'acme' and submission_id = 'r1' for update")
        yield blocker


async def _keep_a_response(connection: Connection) -> None:
    """As if it had come before its form."""
    await connection.execute(
        "insert into submissions (tenant_id, submission_id, source, form_id, status, snapshot_order, payload, received_at)"
        " values ('acme', 'r1', 'formbricks', 'sv', 'completed', '', $1, now())",
        '{"id": "r1", "surveyId": "sv", "data": {"q": 7}}',
    )


async def until(connection: Connection, statement: str, value: object) -> None:
    found: object = None
    for _ in range(round(PATIENCE * 20)):
        found = await connection.fetchval(f"select ({statement}) from pg_sleep(0.05)")
        if found == value:
            return
    raise AssertionError(f"{statement} is {found!r}")


def _workers(data_dir: Path) -> list[int]:
    return [pid for pid, title in left(data_dir).items() if "hub.cli.worker" in title]


def _serving(dsn: str, data_dir: Path, worker: str = "on") -> AbstractContextManager[Served]:
    return serving(data_dir, DATABASE_URL=dsn, API_KEY=API_KEY, SECRET_KEY=SECRET_KEY, WORKER=worker)


@contextmanager
def _working(dsn: str, data_dir: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "hub", "worker"],
        env=environment(data_dir, DATABASE_URL=dsn, API_KEY=API_KEY, SECRET_KEY=SECRET_KEY, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()
        if worker.stdout:
            worker.stdout.close()
