"""`hub demo`."""

import asyncio
import secrets
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, cast

import click
import msgspec
from msgspec import Struct, structs

from hub.cli.database import migrated, run
from hub.cli.terminal import fail
from hub.model import EARLIEST, LATEST
from hub.settings import Settings

if TYPE_CHECKING:
    from litestar.types import HTTPReceiveMessage, HTTPScope, Message

    from hub.api.edge import Edge

_AT_ONCE = 6
_PAYLOAD = 40


@click.command()
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of the story. Yesterday without it.")
@click.pass_obj
def demo(settings: Settings, until: datetime | None) -> None:
    """Fill the tenant `demo` with eighteen months of feedback.

    Answers of three survey tools and a file of the helpdesk go through the API like anybody's. Run again it moves the story on.
    """
    from hub import serve as server  # noqa: PLC0415 - when it runs
    from hub.demo import story  # noqa: PLC0415 - when it runs

    last = until.date() if until else datetime.now(UTC).date() - timedelta(days=1)
    earliest, latest = EARLIEST.date() + timedelta(weeks=story.WEEKS), LATEST.date()
    if not earliest <= last <= latest:
        raise click.BadParameter(
            f"expected a day between {earliest} and {latest}, for records have no other times.", param_hint="--until"
        )
    with migrated(settings) as dsn:
        try:
            secret_key = server.secret_of(settings)
        except server.StartError as error:
            fail(str(error))
        inside = structs.replace(
            settings, database_url=dsn, secret_key=secret_key, api_key=secrets.token_urlsafe(), database_max_conns=2 * _AT_ONCE
        )  # fmt: skip
        try:
            told = run(_unwrapped(_tell(inside, last)))
        except RefusedError as error:
            fail(str(error))
    click.echo(
        f"The tenant demo has {told.records:,} records of {told.submissions:,} submissions, up to {last}; "
        f"{told.rejected} lines of the helpdesk's file were rejected."
    )


class RefusedError(Exception):
    """The application did not take what was sent; the text says why."""


class Told(Struct, frozen=True, kw_only=True):
    """What the tenant has now."""

    submissions: int
    records: int
    rejected: int


async def _unwrapped(work: Coroutine[object, object, Told]) -> Told:
    """The first thing that went wrong, by itself: tasks and Litestar's lifespan raise it in a group in a group."""
    try:
        return await work
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def _tell(settings: Settings, until: date) -> Told:
    """An application of its own in this process: what is stored went the way of every request, and no hub needs to run."""
    from hub.api import logs  # noqa: PLC0415 - when it runs
    from hub.app import create_app  # noqa: PLC0415 - when it runs
    from hub.db import query  # noqa: PLC0415 - when it runs
    from hub.demo import story, surveys  # noqa: PLC0415 - when it runs

    logs.configure("error")
    hub = Inside(create_app(settings), settings.api_key or "")
    sources = (
        ("formbricks", surveys.PULSE, surveys.PULSE_SURVEY, story.pulse(until)),
        ("typeform", surveys.ONBOARDING, surveys.ONBOARDING_FORM, story.onboarding(until)),
        ("satismeter", surveys.IN_APP, surveys.IN_APP_CAMPAIGN, story.in_app(until)),
    )
    async with hub.app.litestar.lifespan():
        for source, form, definition, _ in sources:
            await hub.send("PUT", f"/v1/sources/{source}/forms/{form}?tenant_id={story.TENANT}", definition)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def deliver(source: str, form: str, payload: list[surveys.Json]) -> None:
            wrapped = {"formbricks": {"data": payload}, "typeform": {"items": payload}, "satismeter": {"data": payload}}
            given = f"tenant_id={story.TENANT}&form_id={form}&attributes=plan"
            async with turns:
                await hub.send("POST", f"/v1/sources/{source}/responses?{given}", wrapped[source])

        async with asyncio.TaskGroup() as group:
            for source, form, _, responses in sources:
                for start in range(0, len(responses), _PAYLOAD):
                    group.create_task(deliver(source, form, responses[start : start + _PAYLOAD]))
        rows = story.helpdesk(until).replace("submission_id,", "tenant_id,submission_id,", 1)
        rows = rows.replace("\nticket-", f"\n{story.TENANT},ticket-")
        answer = await hub.send("POST", "/v1/feedback-records/batch?on_conflict=update", rows)
        counted = await hub.send("GET", f"/v1/feedback-records/count?tenant_id={story.TENANT}")
        async with hub.app.litestar.state.pool.acquire() as connection:
            await connection.execute(query("server/analyze"))
    batch, count = msgspec.json.decode(answer, type=_Batch), msgspec.json.decode(counted, type=_Count)
    return Told(
        submissions=sum(len(responses) for *_, responses in sources) + batch.summary.received - batch.summary.rejected,
        records=count.count,
        rejected=batch.summary.rejected,
    )


class _Summary(Struct):
    received: int
    rejected: int


class _Batch(Struct):
    summary: _Summary


class _Count(Struct):
    count: int


class _Refusal(Struct):
    detail: str = ""


class Inside:
    """Requests to an application in this process."""

    def __init__(self, app: "Edge", api_key: str) -> None:
        self.app = app
        self._authorization = f"Bearer {api_key}".encode()

    async def send(self, method: str, address: str, content: object = "") -> bytes:
        """The body of the answer, which is a good one. Text goes as CSV, anything else as JSON."""
        path, _, query = address.partition("?")
        kind = b"text/csv" if isinstance(content, str) else b"application/json"
        body = content.encode() if isinstance(content, str) else msgspec.json.encode(content)
        messages: list[Message] = []

        async def receive() -> "HTTPReceiveMessage":
            await asyncio.sleep(0)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: "Message") -> None:
            messages.append(message)

        scope: dict[str, object] = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(b"authorization", self._authorization), (b"content-type", kind)],
            "http_version": "1.1", "scheme": "http", "server": ("hub", 80), "client": None, "root_path": "", "state": {},
        }  # fmt: skip
        await self.app(cast("HTTPScope", scope), receive, send)
        said = b"".join(message["body"] for message in messages if message["type"] == "http.response.body")
        status = next(message["status"] for message in messages if message["type"] == "http.response.start")
        if status >= 400:  # noqa: PLR2004 - HTTP
            raise RefusedError(f"{method} {path} answered {status}: {msgspec.json.decode(said, type=_Refusal).detail}")
        return said
