"""What the hub asks SatisMeter for, asked of a local server that behaves like it."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.pull.interface import Page, RefusedError, UnavailableError
from hub.pull.satismeter import Credentials, SatisMeter
from hub.sources import satismeter as source
from hub.sources.interface import Given
from tests.vendors.clock import Clock, outgoing
from tests.vendors.satismeter import PROJECT, SatisMeterServer
from tests.vendors.server import Answer

EXAMPLES = Path(__file__).parents[1] / "sources" / "satismeter"
CAMPAIGNS = json.loads((EXAMPLES / "23_v3_campaigns.json").read_text())["data"]
CATALOG = json.loads((EXAMPLES / "24_v3_campaign_statistics_question_catalog.json").read_text())
[EXPORTED, *_] = json.loads((EXAMPLES / "20_export_v3_responses_page1.json").read_text())["data"]


@pytest.fixture
def vendor() -> Iterator[SatisMeterServer]:
    with SatisMeterServer() as server:
        for campaign in CAMPAIGNS:
            server.add_campaign(campaign, CATALOG)
        yield server


def client(server: SatisMeterServer, *, clock: Clock | None = None, project: str = PROJECT) -> SatisMeter:
    credentials = Credentials(api_key="sm_test", project_id=project)
    return SatisMeter(credentials, server.url, outgoing(clock or Clock()))


async def ids_of(pages: AsyncIterator[Page]) -> list[str]:
    return [json.loads(bytes(payload))["id"] for page in [page async for page in pages] for payload in page.payloads]


def answered(server: SatisMeterServer, count: int) -> str:
    campaign = str(CAMPAIGNS[0]["id"])
    for number in range(count):
        server.respond(campaign, f"r{number:04}", answers=EXPORTED["answers"])
    return campaign


async def test_a_history_is_more_than_the_last_thirty_days(vendor: SatisMeterServer) -> None:
    """That is what SatisMeter gives whoever does not ask for more, without a word."""
    vendor.time -= timedelta(days=1000)
    campaign = answered(vendor, 250)
    async with client(vendor) as satismeter:
        assert len(set(await ids_of(satismeter.pages(campaign, since=None)))) == 250
    sizes = [request.query["pageSize"] for request in vendor.requests]
    assert sizes == ["100", "100", "100"]


async def test_what_is_newer_than_a_time_comes(vendor: SatisMeterServer) -> None:
    campaign = answered(vendor, 20)
    since = datetime.fromisoformat(vendor.tick())
    vendor.respond(campaign, "new")
    async with client(vendor) as satismeter:
        assert await ids_of(satismeter.pages(campaign, since=since)) == ["new"]


async def test_a_pull_goes_on_after_the_checkpoint_of_a_page(vendor: SatisMeterServer) -> None:
    campaign = answered(vendor, 250)
    async with client(vendor) as satismeter:
        checkpoints = [page.checkpoint async for page in satismeter.pages(campaign, since=None)]
        lengths = [len(await ids_of(satismeter.pages(campaign, since=None, checkpoint=at))) for at in checkpoints]
    assert lengths == [150, 50, 0]


async def test_a_checkpoint_the_vendor_has_forgotten_starts_again(vendor: SatisMeterServer) -> None:
    campaign = answered(vendor, 150)
    async with client(vendor) as satismeter:
        first = await anext(satismeter.pages(campaign, since=None))
        del vendor.responses[json.loads(first.checkpoint)["cursor"]]
        assert len(await ids_of(satismeter.pages(campaign, since=None, checkpoint=first.checkpoint))) == 149


async def test_a_vendor_that_gives_the_same_page_for_ever_is_not_asked_for_ever(vendor: SatisMeterServer) -> None:
    page = Answer(200, {"data": [{"id": "r"}], "page": {"hasNextPage": True, "nextPageCursor": "same"}})
    vendor.misbehave(page, page, page)
    async with client(vendor) as satismeter:
        with pytest.raises(UnavailableError, match=r"the same page again$"):
            await ids_of(satismeter.pages(str(CAMPAIGNS[0]["id"]), since=None))


async def test_what_is_pulled_is_what_the_source_reads(vendor: SatisMeterServer) -> None:
    campaign = answered(vendor, 1)
    async with client(vendor) as satismeter:
        [page] = [page async for page in satismeter.pages(campaign, since=None)]
    snapshot = source.snapshot(page.payloads[0], Given())
    assert (snapshot.submission_id, snapshot.form_id, snapshot.user_id) == ("r0000", campaign, "u-r0000")


async def test_a_definition_has_the_questions_of_the_statistics_and_the_name_of_the_campaign(
    vendor: SatisMeterServer,
) -> None:
    async with client(vendor) as satismeter:
        definition = await satismeter.definition(CAMPAIGNS[0]["id"])
        assert await satismeter.definition("unknown") is None
    assert definition
    form = source.form(definition)
    assert (form.name, form.type, form.fields) == ("NPS Survey", "nps", len(CATALOG["data"]["questions"]))
    [asked] = [request for request in vendor.requests if request.path.endswith("/statistics")]
    assert asked.query["startDate"] < "2011"


async def test_campaigns_are_listed(vendor: SatisMeterServer) -> None:
    async with client(vendor) as satismeter:
        listed = [(form.id, form.name, form.state) for form in await satismeter.forms()]
    assert listed == [(campaign["id"], campaign["name"], campaign["state"]) for campaign in CAMPAIGNS]


async def test_a_list_of_campaigns_that_has_pages_is_read_to_the_end(vendor: SatisMeterServer) -> None:
    """Nobody says that it has; responses do."""
    first = {"data": CAMPAIGNS[:1], "page": {"hasNextPage": True, "nextPageCursor": "two"}}
    vendor.misbehave(Answer(200, first), Answer(200, {"data": CAMPAIGNS[1:], "page": {"hasNextPage": False}}))
    async with client(vendor) as satismeter:
        assert [form.id for form in await satismeter.forms()] == [campaign["id"] for campaign in CAMPAIGNS]
    assert vendor.requests[-1].query == {"pageCursor": "two"}


async def test_a_key_is_checked_with_its_project(vendor: SatisMeterServer) -> None:
    """There is no list of projects to choose from. Some say the project comes without an envelope."""
    async with client(vendor) as satismeter:
        assert await satismeter.check() == "SatisMeter project Acme Boards"
        vendor.misbehave(Answer(200, {"id": PROJECT, "name": "Bare"}))
        assert await satismeter.check() == "SatisMeter project Bare"
        vendor.api_key = "another"
        with pytest.raises(RefusedError, match=r"answered 401: Unauthorized$"):
            await satismeter.check()
    vendor.api_key = "sm_test"
    async with client(vendor, project="another/../../x") as satismeter:
        with pytest.raises(RefusedError, match=r"answered 404: Not found$"):
            await satismeter.check()
    assert vendor.requests[-1].path == "/api/v3/projects/another%2F..%2F..%2Fx"


async def test_a_webhook_is_left_to_a_person(vendor: SatisMeterServer) -> None:
    async with client(vendor) as satismeter:
        registration = await satismeter.register("https://hub.example.com/hooks/c1/token", [])
        await satismeter.unregister("https://hub.example.com/hooks/c1/token", [])
    assert registration.secrets == ()
    assert "by hand" in registration.to_do
    assert vendor.requests == []


async def test_five_requests_a_second_are_never_exceeded() -> None:
    clock = Clock()
    with SatisMeterServer(now=clock.now) as server:
        server.add_campaign(CAMPAIGNS[0], CATALOG)
        campaign = answered(server, 1500)
        async with client(server, clock=clock) as satismeter:
            assert len(await ids_of(satismeter.pages(campaign, since=None))) == 1500
        assert len(server.requests) == 15 == len(clock.waits) + 1
        assert max(clock.waits) <= 0.21
