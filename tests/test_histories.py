"""Submissions of every source converge, in whatever order and however often their snapshots and their form arrive.

A source takes part with a `history.json` among its examples: its form, and the snapshots of one submission from the oldest to the
newest, those that tell of the same moment by several channels together.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.app import create_app
from hub.settings import Settings
from tests.conftest import API_KEY, SECRET_KEY, client_of
from tests.databases import Databases

EXAMPLES = Path(__file__).parent / "sources"
HISTORIES = sorted(EXAMPLES.glob("*/history.json"))


def arrive(history: Path, name: str) -> Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]:
    """The request that brings a payload, or the form."""
    case, source = json.loads(history.read_text()), f"/v1/sources/{history.parent.name}"
    content, form_id = (history.parent / name).read_bytes(), case["form_id"]

    def send(client: httpx.AsyncClient, tenant_id: str) -> Awaitable[httpx.Response]:
        if name == case["form"]:
            return client.put(f"{source}/forms/{form_id}", params={"tenant_id": tenant_id}, content=content)
        return client.post(f"{source}/responses", params={"tenant_id": tenant_id, "form_id": form_id}, content=content)

    return send


async def stored(client: httpx.AsyncClient, tenant_id: str) -> list[dict[str, object]]:
    """What the hub says of a tenant, but for what differs from one tenant or moment to another."""
    answer = await client.get("/v1/feedback-records", params={"tenant_id": tenant_id, "limit": "1000"})
    assert answer.status_code == 200, answer.text
    volatile = {"id", "tenant_id", "created_at", "updated_at"}
    records = [{name: record[name] for name in record.keys() - volatile} for record in answer.json()["data"]]
    return sorted(records, key=lambda record: str(record["field_id"]))


@pytest.mark.not_on_citus("so many histories take too long there")
@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.parent.name)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_arrivals_converges(
    databases: Databases, tmp_path: Path, history: Path, data: st.DataObject
) -> None:
    """In the end stand the records of the newest snapshot, made with the form, as if nothing else had ever come."""
    case = json.loads(history.read_text())
    everything = [case["form"], *(name for moment in case["snapshots"] for name in moment)]
    again = data.draw(st.lists(st.sampled_from(everything), max_size=4))
    arrivals = data.draw(st.permutations([*everything, *again]))
    tenants = {"some": arrivals, "plain": [case["form"], *case["snapshots"][-1]]}
    requests = [(tenant_id, arrive(history, name)) for tenant_id, names in tenants.items() for name in names]

    async def run() -> None:
        dsn = await databases.clone()
        app = create_app(Settings(api_key=API_KEY, secret_key=SECRET_KEY, database_url=dsn, data_dir=tmp_path))
        async with client_of(app) as client:
            for tenant_id, send in requests:
                answer = await send(client, tenant_id)
                assert answer.status_code == 200, answer.text
            assert await stored(client, "some") == await stored(client, "plain") != []
        await databases.give_back(dsn)

    asyncio.run(run())
