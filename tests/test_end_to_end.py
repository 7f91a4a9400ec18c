"""A survey tool feeds a real hub, by pulls and by webhooks at the same time, and both agree in the end."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from hub.db import Connection
from tests.conftest import API_KEY, SECRET_KEY
from tests.process import PATIENCE, environment, free_port, serving
from tests.test_jobs import until
from tests.test_pulls import ANSWERS, SATISMETER, SURVEY, TYPEFORM, stored
from tests.vendors.formbricks import FormbricksServer
from tests.vendors.satismeter import PROJECT, WEBHOOK_ONLY, SatisMeterServer
from tests.vendors.server import Delivery, Json
from tests.vendors.typeform import TypeformServer

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

HISTORY, LIVE = 40, 20
FORM = json.loads((TYPEFORM / "20_form_definition.json").read_text())
(ITEM,) = json.loads((TYPEFORM / "32_api_page_same_as_10.json").read_text())["items"]
CAMPAIGN = json.loads((SATISMETER / "23_v3_campaigns.json").read_text())["data"][0]
CATALOG = json.loads((SATISMETER / "24_v3_campaign_statistics_question_catalog.json").read_text())
EXPORTED = json.loads((SATISMETER / "20_export_v3_responses_page1.json").read_text())["data"]

Send = Callable[[], Delivery]


class Tool(Protocol):
    """A survey tool as this story needs it."""

    source: str
    arguments: list[str]
    variables: Mapping[str, str]

    def answer(self, name: str, chance: random.Random) -> None:
        """Somebody answers, or changes what they answered."""

    def names(self) -> list[str]:
        """Who answered."""

    def delete(self, name: str) -> None:
        """As a colleague does, where the tool then tells that it is gone."""

    def connected(self, said: str) -> None:
        """What a person does at the tool when they are connected."""

    def waiting(self) -> list[Send]:
        """The deliveries that are to be made."""

    def final(self) -> tuple[str, Json, Json]:
        """The form with its id, and what its API has of all responses."""

    def told_by_both(self, record: Json) -> Json:
        """The record without what only the API or only the webhooks tell."""


class FormbricksTool:
    source = "formbricks"
    variables: Mapping[str, str] = {"FORMBRICKS_API_KEY": "fbk_test"}

    def __init__(self, server: FormbricksServer) -> None:
        self.server = server
        server.largest_page = 7
        server.time = datetime.now(UTC) - timedelta(minutes=30)
        self.form_id = server.add_survey(SURVEY)
        self.arguments = ["--base-url", server.url]

    def answer(self, name: str, chance: random.Random) -> None:
        answers = dict(chance.sample(sorted(ANSWERS.items()), chance.randrange(len(ANSWERS))))
        contact = {"id": f"c-{name}", "userId": f"u-{name}"}
        self.server.users[contact["id"]] = contact["userId"]
        finished = chance.random() < 0.5 or bool(self.server.responses.get(name, {}).get("finished"))
        self.server.respond(self.form_id, name, data=answers, finished=finished, contact=contact)

    def names(self) -> list[str]:
        return sorted(self.server.responses)

    def delete(self, name: str) -> None:
        self.server.delete(name)

    def connected(self, said: str) -> None:
        assert len(self.server.webhooks) == 1, said

    def waiting(self) -> list[Send]:
        return [*self.server.queued()]

    def final(self) -> tuple[str, Json, Json]:
        return self.form_id, SURVEY, {"data": [*self.server.responses.values()]}

    def told_by_both(self, record: Json) -> Json:
        return record


class TypeformTool:
    source = "typeform"
    variables: Mapping[str, str] = {"TYPEFORM_ACCESS_TOKEN": "tfp_test"}

    def __init__(self, server: TypeformServer) -> None:
        self.server = server
        server.largest_page = 7
        server.time = datetime.now(UTC) - timedelta(minutes=30)
        self.form_id = server.add_form(FORM)
        self.arguments = ["--base-url", server.url]

    def answer(self, name: str, chance: random.Random) -> None:
        """A response that is complete does not change any more."""
        before = self.server.responses[self.form_id].get(name, {"response_type": "started", "answers": None})
        if before["response_type"] == "completed":
            return
        kind = chance.choice(
            ["started", "partial", "completed"] if before["response_type"] == "started" else ["partial", "completed"]
        )
        answers = (
            None if kind == "started" else chance.sample(ITEM["answers"], 1 + chance.randrange(len(ITEM["answers"])))
        )
        self.server.respond(self.form_id, name, kind=kind, answers=answers, hidden={"user_id": f"u-{name}"})

    def names(self) -> list[str]:
        return sorted(self.server.responses[self.form_id])

    def delete(self, name: str) -> None:
        """Typeform does not tell."""

    def connected(self, said: str) -> None:
        assert len(self.server.webhooks) == 1, said

    def waiting(self) -> list[Send]:
        return [*self.server.queued()]

    def final(self) -> tuple[str, Json, Json]:
        return self.form_id, FORM, {"items": [*self.server.responses[self.form_id].values()]}

    def told_by_both(self, record: Json) -> Json:
        """A webhook does not tell when a partial response was given."""
        is_partial = record["metadata"]["response_type"] == "partial"
        return {name: value for name, value in record.items() if name != "collected_at" or not is_partial}


class SatisMeterTool:
    source = "satismeter"
    variables: Mapping[str, str] = {"SATISMETER_API_KEY": "sm_test"}

    def __init__(self, server: SatisMeterServer) -> None:
        self.server = server
        server.time = datetime.now(UTC) - timedelta(minutes=30)
        self.form_id = server.add_campaign(CAMPAIGN, CATALOG)
        self.arguments = ["--base-url", server.url, "--project", PROJECT]

    def answer(self, name: str, chance: random.Random) -> None:
        """What is completed does not change any more."""
        if self.server.responses.get(name, {"dismissed": True})["dismissed"]:
            event = chance.choice(["dismissed", "completed", "completed"])
            answers = chance.choice(EXPORTED)["answers"] if event == "completed" else []
            self.server.respond(self.form_id, name, event=event, answers=answers)

    def names(self) -> list[str]:
        return sorted(self.server.responses)

    def delete(self, name: str) -> None:
        """SatisMeter deletes none."""

    def connected(self, said: str) -> None:
        self.server.hooks += [line for line in said.splitlines() if "/hooks/" in line]
        assert len(self.server.hooks) == 1, said

    def waiting(self) -> list[Send]:
        return [*self.server.queued()]

    def final(self) -> tuple[str, Json, Json]:
        shown = [
            {name: value for name, value in response.items() if name not in WEBHOOK_ONLY}
            for response in self.server.responses.values()
        ]
        named = {"name": CAMPAIGN["name"], "type": CAMPAIGN["type"]}
        return self.form_id, {"data": CATALOG["data"], **named}, {"data": shown}

    def told_by_both(self, record: Json) -> Json:
        """An export does not tell of events."""
        metadata = {name: value for name, value in record["metadata"].items() if name not in ("event", "dismissed")}
        return record | {"metadata": metadata}


@contextmanager
def formbricks() -> Iterator[Tool]:
    with FormbricksServer() as server:
        yield FormbricksTool(server)


@contextmanager
def typeform() -> Iterator[Tool]:
    with TypeformServer() as server:
        yield TypeformTool(server)


@contextmanager
def satismeter() -> Iterator[Tool]:
    with SatisMeterServer() as server:
        yield SatisMeterTool(server)


class Story:
    """One after the other what happens at a tool, and what it delivers: late, in any order, some of it twice."""

    def __init__(self, tool: Tool, chance: random.Random) -> None:
        self.tool, self.chance = tool, chance
        self.sent: list[Send] = []

    async def lives(self, steps: int) -> None:
        for _ in range(steps):
            is_new = self.chance.random() < 0.4
            name = f"live{self.chance.randrange(1000):03}" if is_new else self.chance.choice(self.tool.names())
            self.tool.answer(name, self.chance)
            self.sent += self.tool.waiting()
            if self.chance.random() < 0.3:
                await self.delivers(self.chance.sample(self.sent, len(self.sent) // 2))

    async def delivers(self, sent: list[Send]) -> None:
        self.chance.shuffle(sent)
        for send in sent:
            delivery = await asyncio.to_thread(send)
            assert delivery.accepted, delivery


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("opened", [formbricks, typeform, satismeter], ids=lambda opened: opened.__name__)
async def test_pulls_and_webhooks_end_where_the_survey_tool_does(
    opened: Callable[[], AbstractContextManager[Tool]], seed: int, dsn: str, connection: Connection, tmp_path: Path
) -> None:
    """Connect, pull the history while webhooks come, edit, delete, pull again: as if the final state had been sent once."""
    port = free_port()
    settings = {
        "DATABASE_URL": dsn, "API_KEY": API_KEY, "SECRET_KEY": SECRET_KEY, "ALLOW_PRIVATE_ADDRESSES": "true",
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    with opened() as tool, serving(tmp_path, port=port, command=None, user=None, **settings) as served:
        story = Story(tool, random.Random(seed))

        async def hub(*arguments: str) -> str:
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "hub", *arguments],
                env=environment(tmp_path, **settings, **tool.variables),
                capture_output=True, text=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return str(done.stdout)

        for number in range(HISTORY):
            tool.answer(f"r{number:03}", story.chance)
        wanted = ["--tenant", "acme", "--name", "tool", "--all", "--every", "0", "--no-history", *tool.arguments]
        tool.connected(await hub("connect", tool.source, *wanted))
        await asyncio.gather(hub("pull", "tool"), story.lives(LIVE))
        await story.lives(LIVE)
        for name in story.chance.sample(tool.names(), 5):
            tool.delete(name)
        await story.delivers([*story.sent, *story.chance.sample(story.sent, 5)])
        await hub("pull", "tool")
        await until(connection, "select count(*) from pgqueuer", 0)

        form_id, form, responses = tool.final()
        authorized = {"Authorization": f"Bearer {API_KEY}"}
        async with httpx.AsyncClient(base_url=f"{served.url}/v1/sources/{tool.source}", headers=authorized) as client:
            put = await client.put(f"/forms/{form_id}?tenant_id=once", json=form)
            assert put.status_code == 200
            post = await client.post(f"/responses?tenant_id=once&form_id={form_id}", json=responses)
            assert post.status_code == 200
        once = await stored(connection, "once")
        assert len({record["submission_id"] for record in once}) > HISTORY // 2
        found = await stored(connection)
        assert [_key(record) for record in found] == [_key(record) for record in once]
        assert [tool.told_by_both(record) for record in found] == [tool.told_by_both(record) for record in once]


def _key(record: Json) -> tuple[str, str]:
    return record["submission_id"], record["field_id"]
