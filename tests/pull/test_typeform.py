"""What the hub asks Typeform for, asked of a local server that behaves like it."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from hub.pull.interface import Page, RefusedError, UnavailableError
from hub.pull.typeform import Credentials, Typeform
from hub.sources import typeform as source
from tests.sources.examples import raw
from tests.vendors.clock import Clock, outgoing
from tests.vendors.server import Answer
from tests.vendors.typeform import TypeformServer, as_delivered

EXAMPLES = Path(__file__).parents[1] / "sources" / "typeform"
FORM = json.loads((EXAMPLES / "20_form_definition.json").read_text())
[ITEM] = json.loads((EXAMPLES / "32_api_page_same_as_10.json").read_text())["items"]
DELIVERY = json.loads((EXAMPLES / "10_webhook_form_response.json").read_text())
HOOK = "https://hub.example.com/hooks/c1/token"


@pytest.fixture
def vendor() -> Iterator[TypeformServer]:
    with TypeformServer() as server:
        yield server


def client(server: TypeformServer, *, clock: Clock | None = None, regions: tuple[str, ...] = ()) -> Typeform:
    credentials = Credentials(access_token="tfp_test")
    return Typeform(credentials, server.url, outgoing(clock or Clock()), regions=regions)


async def tokens_of(pages: AsyncIterator[Page]) -> list[str]:
    return [json.loads(bytes(payload))["token"] for page in [page async for page in pages] for payload in page.payloads]


def answered(server: TypeformServer, count: int) -> str:
    form = server.add_form(FORM)
    for number in range(count):
        server.respond(form, f"t{number:04}", answers=ITEM["answers"])
    return form


async def test_a_history_comes_whole_the_newest_first(vendor: TypeformServer) -> None:
    form = answered(vendor, 2300)
    async with client(vendor) as typeform:
        pages = [page async for page in typeform.pages(form, since=None)]
    tokens = [json.loads(bytes(payload))["token"] for page in pages for payload in page.payloads]
    assert tokens == [f"t{number:04}" for number in reversed(range(2300))]
    assert [page.remaining for page in pages] == [1300, 300, 0]


async def test_a_vendor_that_sends_shorter_pages_than_asked_is_read_to_the_end(vendor: TypeformServer) -> None:
    form = answered(vendor, 95)
    vendor.largest_page = 10
    async with client(vendor) as typeform:
        assert len(await tokens_of(typeform.pages(form, since=None))) == 95


async def test_partial_responses_and_visits_come_after_the_complete_ones(vendor: TypeformServer) -> None:
    """Each kind has a time of its own, by which it is filtered: one request for all would filter by the first visit."""
    form = answered(vendor, 1)
    vendor.respond(form, "visit", kind="started")
    vendor.respond(form, "half", kind="partial", answers=ITEM["answers"][:2])
    async with client(vendor) as typeform:
        assert await tokens_of(typeform.pages(form, since=None)) == ["t0000", "half", "visit"]


async def test_without_partial_responses_in_the_plan_the_others_come(vendor: TypeformServer) -> None:
    form = answered(vendor, 1)
    vendor.respond(form, "visit", kind="started")
    vendor.partial_responses = False
    async with client(vendor) as typeform:
        assert await tokens_of(typeform.pages(form, since=None)) == ["t0000", "visit"]


async def test_a_form_that_was_begun_before_and_sent_since_comes(vendor: TypeformServer) -> None:
    form = answered(vendor, 3)
    vendor.respond(form, "slow", kind="started")
    since = datetime.fromisoformat(vendor.tick())
    vendor.respond(form, "slow", answers=ITEM["answers"])
    async with client(vendor) as typeform:
        assert await tokens_of(typeform.pages(form, since=since)) == ["slow"]


async def test_what_shows_late_is_within_the_overlap(vendor: TypeformServer) -> None:
    """Typeform may take half an hour to show a response, with the time at which it was given."""
    form = answered(vendor, 1)
    vendor.late.add("t0000")
    async with client(vendor) as typeform:
        begun = datetime.fromisoformat(vendor.tick(30 * 60))
        assert await tokens_of(typeform.pages(form, since=None)) == []
        vendor.late.clear()
        assert await tokens_of(typeform.pages(form, since=begun - typeform.OVERLAP)) == ["t0000"]


async def test_a_pull_goes_on_after_the_checkpoint_of_a_page(vendor: TypeformServer) -> None:
    form = answered(vendor, 25)
    vendor.largest_page = 10
    async with client(vendor) as typeform:
        checkpoints = [page.checkpoint async for page in typeform.pages(form, since=None)]
        for pages, checkpoint in enumerate(checkpoints, 1):
            rest = await tokens_of(typeform.pages(form, since=None, checkpoint=checkpoint))
            assert rest == [f"t{number:04}" for number in reversed(range(max(0, 25 - 10 * pages)))]


async def test_a_response_that_is_deleted_while_pages_are_read_hides_nothing(vendor: TypeformServer) -> None:
    """The next page is asked for as what is behind the last response of this one."""
    form = answered(vendor, 40)
    vendor.largest_page = 10
    tokens: list[str] = []
    async with client(vendor) as typeform:
        async for page in typeform.pages(form, since=None):
            tokens += [json.loads(bytes(payload))["token"] for payload in page.payloads]
            if len(tokens) in (10, 30):
                vendor.delete(form, tokens[-1])
    assert set(tokens) == {f"t{number:04}" for number in range(40)}


async def test_a_vendor_that_gives_the_same_page_for_ever_is_not_asked_for_ever(vendor: TypeformServer) -> None:
    form = answered(vendor, 1)
    page = Answer(200, {"total_items": 5000, "page_count": 5, "items": [{"token": "same"}]})
    vendor.misbehave(page, page, page)
    async with client(vendor) as typeform:
        with pytest.raises(UnavailableError, match=r"the same page again$"):
            await tokens_of(typeform.pages(form, since=None))


async def test_forms_are_listed_and_fetched(vendor: TypeformServer) -> None:
    answered(vendor, 0)
    for number in range(220):
        vendor.add_form({"id": f"f{number}", "title": f"Form {number}", "fields": []})
    async with client(vendor) as typeform:
        listed = await typeform.forms()
        definition = await typeform.definition(FORM["id"])
        assert await typeform.definition("unknown") is None
    assert len({form.id for form in listed}) == len(listed) == 221
    assert listed[0].name == FORM["title"]
    assert definition
    assert source.form(definition).name == FORM["title"]


async def test_a_token_is_checked(vendor: TypeformServer) -> None:
    async with client(vendor) as typeform:
        assert await typeform.check() == "Typeform account without forms"
        answered(vendor, 1)
        assert await typeform.check() == "Typeform account"
        vendor.token = "another"
        with pytest.raises(RefusedError, match=r"answered 401: Authentication credentials not found"):
            await typeform.check()


async def test_the_wrong_data_center_is_noticed(vendor: TypeformServer) -> None:
    """It would list the forms and say of each that nobody answered."""
    form = vendor.add_form(FORM)
    with TypeformServer() as europe, TypeformServer(token="of its own") as third:
        europe.add_form(FORM)
        regions = (vendor.url, third.url, europe.url)
        async with client(vendor, regions=regions) as typeform:
            assert await typeform.check() == "Typeform account"
            europe.respond(form, "t1")
            with pytest.raises(RefusedError, match=f"not at {vendor.url}, but at {europe.url}$"):
                await typeform.check()
        async with client(europe, regions=regions) as typeform:
            assert await typeform.check() == "Typeform account"


async def test_two_requests_a_second_are_never_exceeded() -> None:
    clock = Clock()
    with TypeformServer(now=clock.now, largest_page=10) as server:
        form = answered(server, 200)
        async with client(server, clock=clock) as typeform:
            assert len(await tokens_of(typeform.pages(form, since=None))) == 200
        assert max(clock.waits) <= 0.5
        assert len(server.requests) == len(clock.waits) + 1


async def test_a_webhook_is_registered_at_each_form_and_once(vendor: TypeformServer) -> None:
    """The tag is made of the URL, so a second registration replaces the first, and its secret."""
    form = vendor.add_form(FORM)
    vendor.add_form({"id": "f2", "title": "Second", "fields": []})
    async with client(vendor) as typeform:
        await typeform.register(HOOK, [])
        registration = await typeform.register(HOOK, [])
        assert {hooked for hooked, _ in vendor.webhooks} == {form, "f2"}
        assert len(vendor.webhooks) == 2
        for webhook in vendor.webhooks.values():
            assert registration.secrets == (webhook["secret"],)
            assert (webhook["url"], webhook["enabled"]) == (HOOK, True)
            assert webhook["event_types"] == {"form_response": True, "form_response_partial": True}
        assert "Forms made from now on" in registration.to_do
        await typeform.unregister(HOOK, [])
        await typeform.unregister(HOOK, [])
        assert vendor.webhooks == {}


async def test_where_partial_responses_are_not_in_the_plan_the_complete_ones_are_delivered(
    vendor: TypeformServer,
) -> None:
    form = vendor.add_form(FORM)
    vendor.partial_responses = False
    async with client(vendor) as typeform:
        registration = await typeform.register(HOOK, [form])
    [webhook] = vendor.webhooks.values()
    assert webhook["event_types"] == {"form_response": True}
    assert registration.to_do == ""


async def test_a_registration_that_fails_halfway_leaves_nothing(vendor: TypeformServer) -> None:
    """Or a webhook would go on to deliver to a connection that is not there."""
    form = vendor.add_form(FORM)
    async with client(vendor) as typeform:
        with pytest.raises(RefusedError, match="Non existing form"):
            await typeform.register(HOOK, [form, "deleted"])
    assert vendor.webhooks == {}


async def test_an_address_without_tls_is_refused_by_the_vendor(vendor: TypeformServer) -> None:
    form = vendor.add_form(FORM)
    async with client(vendor) as typeform:
        with pytest.raises(RefusedError, match="answered 400: The webhook's URL must use https"):
            await typeform.register("http://hub.example.com/hooks/c1/token", [form])


def test_the_server_delivers_a_response_as_the_examples_have_it(vendor: TypeformServer) -> None:
    """Or tests against it would prove little: what differs between the channels differs here."""
    delivered, example = as_delivered(FORM, ITEM), DELIVERY["form_response"]
    answers = [{k: v for k, v in answer.items() if k != "answer_url"} for answer in example["answers"]]
    assert delivered["answers"] == answers
    asked = {question["id"]: question for question in delivered["definition"]["fields"]}
    assert {question["id"]: question for question in example["definition"]["fields"]}.items() <= asked.items()
    assert source.unpack(raw({"event_type": "form_response", "event_id": "1", "form_response": delivered}))
