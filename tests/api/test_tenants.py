"""Erasing a tenant: everything it has, nothing of anybody else, and its copies are told."""

import asyncio
import json
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from hub.app import create_app
from hub.db import Pool, query, records
from hub.db.migrate import DISTRIBUTED, REPLICATED
from hub.settings import Settings
from tests.api.test_connections import body
from tests.conftest import client_of, make_record
from tests.databases import connect
from tests.test_changes import Copy, moved, new, table

URL = "/v1/feedback-records"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json = dict[str, Any]

# What stays: markers of what was erased before, and that all of it is.
STAYS = {"erasures", "changes"}


def response(name: str) -> Json:
    return {
        "id": name, "surveyId": "sv", "createdAt": "2026-08-20T09:00:00Z", "finished": True, "data": {"nps": 9},
        "contactAttributes": {"userId": "ann"},
    }  # fmt: skip


async def fill(client: httpx.AsyncClient, connection: Connection, tenant: str) -> None:
    """Something of everything that a tenant can have."""
    query = {"tenant_id": tenant}
    for answer in (
        await client.post(URL, json=make_record(tenant_id=tenant, value_text="words to be found")),
        await client.put(
            "/v1/sources/formbricks/forms/sv", params=query, json={"id": "sv", "name": "S", "questions": []}
        ),
        await client.post("/v1/sources/formbricks/responses", params=query, json=response("r1")),
        await client.get(f"{URL}/search", params={**query, "q": "words"}),
    ):
        assert answer.is_success, answer.text
    bad = [make_record(tenant_id=tenant, field_type="x"), {"broken": tenant}, {"tenantId": tenant, "a": 1}]
    assert (await client.post(f"{URL}/batch", json=bad)).status_code == 422
    text = f'{{"tenant_id": "{tenant}", broken'
    headers = {"content-type": "application/x-ndjson"}
    assert (await client.post(f"{URL}/batch", content=text, headers=headers)).status_code == 422
    await moved(connection, make_record(tenant_id=tenant, submission_id="moved"), tenant_id=tenant)
    made = await client.post("/v1/connections", json=body(tenant_id=tenant))
    assert made.status_code == 201, made.text
    await connection.execute("insert into pulls (connection_id, form_id) values ($1, 'sv')", UUID(made.json()["id"]))
    await connection.execute("insert into deliveries values ($1, $2, 'x', now())", tenant, UUID(made.json()["id"]))


async def rows(connection: Connection, tenant: str) -> dict[str, list[str]]:
    """All that names a tenant, by table."""
    found = {
        name: [
            row[0]
            for row in await connection.fetch(f"select t::text from {name} as t where strpos(t::text, $1) > 0 order by 1", tenant)
        ]
        for name in (*DISTRIBUTED, *REPLICATED)
    }  # fmt: skip
    return {name: texts for name, texts in found.items() if texts}


async def test_everything_of_a_tenant_is_erased(client: httpx.AsyncClient, connection: Connection) -> None:
    """And nothing of the others."""
    for tenant in ("acme", "other"):
        await fill(client, connection, tenant)
    before, others = await rows(connection, "acme"), await rows(connection, "other")
    assert before.keys() >= {
        "feedback_records",
        "submissions",
        "forms",
        "rejects",
        "imports",
        "search_texts",
        "connections",
        "deliveries",
    }
    assert len(before["rejects"]) == 4

    answer = await client.delete("/v1/tenants/%20acme/data")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "tenant_id": "acme", "deleted_feedback_records": 3, "deleted_embeddings": 0, "deleted_webhooks": 0,
        "deleted_taxonomy_runs": 0, "deleted_taxonomy_clusters": 0, "deleted_taxonomy_cluster_memberships": 0,
        "deleted_taxonomy_nodes": 0, "deleted_taxonomy_active_runs": 0, "deleted_taxonomy_node_events": 0,
        "deleted_taxonomy_run_input_records": 0, "message": "Successfully deleted tenant data for acme",
    }  # fmt: skip
    left = await rows(connection, "acme")
    # That it searches is known, and of its texts where they were, without a word of them.
    assert left.keys() - STAYS <= {"search_tenants", "search_texts"}
    assert (
        await connection.fetchval("select count(*) from search_texts where tenant_id = 'acme' and words is not null")
        == 0
    )
    assert await connection.fetchval("select count(*) from pulls") == 1
    assert await rows(connection, "other") == others
    assert (await client.delete("/v1/tenants/acme/data")).json()["deleted_feedback_records"] == 0


async def test_only_the_records_may_be_erased(client: httpx.AsyncClient, connection: Connection) -> None:
    """Forms and connections stay, and what comes in is flattened with them."""
    await fill(client, connection, "acme")
    answer = await client.delete("/v1/tenants/acme/feedback-records")
    assert answer.status_code == 202
    assert answer.json() == {"tenant_id": "acme", "status": "accepted", "message": "Deleted 3 feedback records"}
    left = await rows(connection, "acme")
    assert left.keys() - STAYS - {"search_tenants", "search_texts"} == {"forms", "connections"}
    again = await client.post("/v1/sources/formbricks/responses?tenant_id=acme", json=response("r1"))
    assert again.json()["created"] == 1


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        ("%20", "tenant_id is required and cannot be empty"),
        ("a%00", "tenant_id must not contain NULL bytes"),
        ("x" * 256, "tenant_id must be at most 255 characters"),
    ],
)
async def test_a_name_that_is_none_is_refused(client: httpx.AsyncClient, segment: str, reason: str) -> None:
    for what in ("data", "feedback-records"):
        answer = await client.delete(f"/v1/tenants/{segment}/{what}")
        assert answer.status_code == 400
        assert answer.json()["invalid_params"] == [{"name": "tenant_id", "reason": reason}]


async def test_a_tenant_may_have_a_slash(client: httpx.AsyncClient) -> None:
    await client.post(URL, json=make_record(tenant_id="a/b"))
    assert (await client.delete("/v1/tenants/a%2Fb/data")).json()["deleted_feedback_records"] == 1


async def test_writes_that_began_before_are_waited_for(
    settings: Settings, dsn: str, connection: Connection, pool: Pool
) -> None:
    """Not for ever: then the client is told to try again, and nothing was erased."""
    app = create_app(msgspec.structs.replace(settings, tenant_purge_lock_timeout_seconds=1.5))
    async with client_of(app) as client:
        await client.post(URL, json=make_record())
        copy = Copy(pool)
        assert await copy.follow() == ["created"]
        async with connect(dsn) as other, other.transaction():
            await records.insert_on(other, [new(submission_id="old")])
            answer = await client.delete("/v1/tenants/acme/data")
            assert (answer.status_code, answer.json()["code"]) == (409, "tenant_write_conflict")
            assert answer.headers["retry-after"] == "1"
            assert len(await table(connection)) == 1
            purging = asyncio.create_task(client.delete("/v1/tenants/acme/data"))
            done, _ = await asyncio.wait([purging], timeout=0.3)
            assert not done
        assert (await purging).json()["deleted_feedback_records"] == 2
        assert await copy.follow() == ["purged"]


async def test_a_copy_is_told_once(client: httpx.AsyncClient, connection: Connection, pool: Pool) -> None:
    """Whoever has a copy empties it; what is stored afterwards is told as ever."""
    await client.post(f"{URL}/batch", json=[make_record(submission_id=f"s{n}") for n in range(50)])
    copy = Copy(pool)
    await copy.follow()
    await client.delete("/v1/tenants/acme/data")
    await client.post(URL, json=make_record(submission_id="s7"))
    assert await copy.follow() == ["purged", "created"]
    assert copy.records == await table(connection)
    page = json.loads((await client.get("/v1/changes?tenant_id=acme")).text)
    assert {change["change"] for change in page["data"]} <= {"purged", "created"}


async def test_a_long_purge_is_not_cut_off(client: httpx.AsyncClient, connection: Connection, dsn: str) -> None:
    """The time limit of statements is for requests."""
    limit = await connection.fetchval("show statement_timeout")
    async with connection.transaction():
        await connection.execute(query("server/take_your_time"))
        assert await connection.fetchval("show statement_timeout") == "0"
    assert await connection.fetchval("show statement_timeout") == limit
