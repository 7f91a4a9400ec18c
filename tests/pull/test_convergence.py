"""What is pulled and what is delivered, in any order and often, comes to what the vendor says in the end."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from random import Random
from typing import Any

import httpx
import pytest
from msgspec import Raw

from hub.pull.formbricks import Credentials as FormbricksCredentials
from hub.pull.formbricks import Formbricks
from hub.pull.interface import Vendor
from hub.pull.satismeter import Credentials as SatisMeterCredentials
from hub.pull.satismeter import SatisMeter
from hub.pull.typeform import Credentials as TypeformCredentials
from hub.pull.typeform import Typeform
from tests.vendors.clock import Clock, outgoing
from tests.vendors.formbricks import FormbricksServer
from tests.vendors.satismeter import PROJECT, SatisMeterServer
from tests.vendors.server import Answer, Request, Server
from tests.vendors.stories import FormbricksStory, SatisMeterStory, Story, TypeformStory, scrambled
from tests.vendors.typeform import TypeformServer


class Receiver(Server):
    """Takes deliveries, for the test to hand them on."""

    def answer(self, request: Request) -> Answer:
        return Answer(200)


def formbricks(stack: ExitStack, chance: Random) -> tuple[Story, Vendor]:
    server = stack.enter_context(FormbricksServer())
    vendor = Formbricks(FormbricksCredentials(api_key="fbk_test"), server.url, outgoing(Clock()))
    return FormbricksStory(server, chance), vendor


def typeform(stack: ExitStack, chance: Random) -> tuple[Story, Vendor]:
    server = stack.enter_context(TypeformServer())
    vendor = Typeform(TypeformCredentials(access_token="tfp_test"), server.url, outgoing(Clock()))
    return TypeformStory(server, chance), vendor


def satismeter(stack: ExitStack, chance: Random) -> tuple[Story, Vendor]:
    server = stack.enter_context(SatisMeterServer())
    credentials = SatisMeterCredentials(api_key="sm_test", project_id=PROJECT)
    return SatisMeterStory(server, chance), SatisMeter(credentials, server.url, outgoing(Clock()))


class Hub:
    """A tenant's room at the hub."""

    def __init__(self, client: httpx.AsyncClient, source: str, form_id: str, tenant_id: str) -> None:
        self.client, self.url = client, f"/v1/sources/{source}"
        self.query = {"tenant_id": tenant_id, "form_id": form_id}
        self.form_id = form_id

    async def define(self, definition: bytes) -> None:
        answer = await self.client.put(f"{self.url}/forms/{self.form_id}", params=self.query, content=definition)
        assert answer.status_code == 200, answer.text

    async def take(self, payload: bytes | Raw) -> None:
        answer = await self.client.post(f"{self.url}/responses", params=self.query, content=bytes(payload))
        assert answer.status_code == 200, answer.text

    async def records(self) -> list[dict[str, Any]]:
        query: dict[str, str | int] = {"tenant_id": self.query["tenant_id"], "limit": 1000}
        answer = await self.client.get("/v1/feedback-records", params=query)
        found = answer.json()["data"]
        assert len(found) < 1000
        volatile = {"id", "tenant_id", "created_at", "updated_at"}
        records = [{name: record[name] for name in record.keys() - volatile} for record in found]
        return sorted(records, key=lambda record: (record["submission_id"], record["field_id"]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("connect", [formbricks, typeform, satismeter])
async def test_pulls_and_deliveries_converge(
    client: httpx.AsyncClient, connect: Callable[[ExitStack, Random], tuple[Story, Vendor]], seed: int
) -> None:
    chance = Random(seed)
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        story, vendor = connect(stack, chance)
        hub = Hub(client, connect.__name__, story.form_id, "acme")
        async with vendor:
            story.answer(8)
            definition = await vendor.definition(story.form_id)
            assert definition
            await hub.define(bytes(definition))
            await vendor.register(receiver.url, [story.form_id])
            if isinstance(story.server, SatisMeterServer):
                story.server.hooks.append(receiver.url)
            story.change(5)
            story.answer(4)
            since = datetime.fromisoformat(story.server.tick())
            first = [payload async for page in vendor.pages(story.form_id, since=None) for payload in page.payloads]
            story.change(5)
            story.answer(3)
            second = [
                payload
                async for page in vendor.pages(story.form_id, since=since - vendor.OVERLAP)
                for payload in page.payloads
            ]
            sent = scrambled(story.server.queued(), chance)
        assert all(delivery.accepted for delivery in sent)
        arrivals = [*first, *second, *(request.body for request in receiver.requests)]
        chance.shuffle(arrivals)
        for payload in arrivals:
            await hub.take(payload)
        truth = story.truth()
        plain = Hub(client, connect.__name__, story.form_id, "globex")
        await plain.define(json.dumps(truth.definition).encode())
        for final in truth.payloads:
            await plain.take(json.dumps(final).encode())
    assert await hub.records() == await plain.records() != []
