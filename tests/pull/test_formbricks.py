"""What the hub asks a Formbricks for, asked of a local server that behaves like one."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from hub.pull.formbricks import Credentials, Formbricks
from hub.pull.interface import Page, RefusedError
from hub.sources import formbricks as source
from hub.sources.interface import Given
from tests.vendors.clock import Clock, outgoing
from tests.vendors.formbricks import FormbricksServer, Profile, v1_error
from tests.vendors.server import Answer

EXAMPLES = Path(__file__).parents[1] / "sources" / "formbricks"
SURVEY = json.loads((EXAMPLES / "01_v1_survey_get_blocks_plus_derived_questions.json").read_text())["data"]
HOOK = "https://hub.example.com/hooks/c1/token"


@pytest.fixture(params=["actual", "documented"])
def vendor(request: pytest.FixtureRequest) -> Iterator[FormbricksServer]:
    with FormbricksServer(profile=request.param) as server:
        yield server


def client(server: FormbricksServer, clock: Clock | None = None, api_key: str = "fbk_test") -> Formbricks:
    return Formbricks(Credentials(api_key=api_key), server.url, outgoing(clock or Clock()))


def filled(server: FormbricksServer, count: int, **members: Any) -> str:
    survey_id = server.add_survey(SURVEY)
    for number in range(count):
        server.respond(survey_id, f"r{number:04}", data={"nps_main": number % 11}, finished=True, **members)
    return survey_id


def decoded(payload: Raw) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(bytes(payload))
    return response


async def ids_of(pages: AsyncIterator[Page]) -> list[str]:
    return [decoded(payload)["id"] for page in [page async for page in pages] for payload in page.payloads]


async def test_a_history_comes_whole_and_in_order(vendor: FormbricksServer) -> None:
    """Three pages, the last of which is empty for the server that clamps them."""
    survey = filled(vendor, 600)
    async with client(vendor) as formbricks:
        ids = await ids_of(formbricks.pages(survey, since=None))
    assert ids == [f"r{number:04}" for number in range(600)]
    asked = vendor.asked("/api/v2/management/responses")
    assert {request.query["limit"] for request in asked} == {"250"}


async def test_a_server_that_sends_shorter_pages_than_asked_is_read_to_the_end(vendor: FormbricksServer) -> None:
    """A short page is no end: only an empty one is."""
    survey = filled(vendor, 35)
    vendor.largest_page = 10
    async with client(vendor) as formbricks:
        assert await ids_of(formbricks.pages(survey, since=None)) == [f"r{number:04}" for number in range(35)]


async def test_responses_of_one_moment_that_fill_pages_all_come(vendor: FormbricksServer) -> None:
    """Imported answers may all carry the date of the import."""
    survey = filled(vendor, 3)
    for number in range(60):
        vendor.respond(survey, f"same{number:02}", createdAt="2026-08-20T10:00:00.000Z")
    vendor.respond(survey, "last", createdAt="2026-08-20T10:00:00.001Z")
    vendor.largest_page = 20
    async with client(vendor) as formbricks:
        ids = await ids_of(formbricks.pages(survey, since=None))
    assert sorted(ids) == sorted([*vendor.responses])
    assert len(ids) == len(set(ids))


async def test_deletions_while_pages_are_read_hide_nothing(vendor: FormbricksServer) -> None:
    """Rows counted from the start would shift under the reader."""
    survey = filled(vendor, 60)
    vendor.largest_page = 20
    found: list[str] = []
    async with client(vendor) as formbricks:
        async for page in formbricks.pages(survey, since=None):
            found += [decoded(payload)["id"] for payload in page.payloads]
            for gone in [*vendor.responses][:5]:
                vendor.delete(gone)
    assert set(vendor.responses) <= set(found)


async def test_a_pull_goes_on_after_the_checkpoint_of_a_page(vendor: FormbricksServer) -> None:
    survey = filled(vendor, 50)
    vendor.largest_page = 20
    async with client(vendor) as formbricks:
        first = await anext(formbricks.pages(survey, since=None))
    async with client(vendor) as another:
        rest = await ids_of(another.pages(survey, since=None, checkpoint=first.checkpoint))
    assert rest == [f"r{number:04}" for number in range(20, 50)]


async def test_what_was_edited_since_comes_again(vendor: FormbricksServer) -> None:
    survey = filled(vendor, 30)
    since = datetime.fromisoformat(vendor.tick())
    vendor.respond(survey, "r0003", data={"nps_main": 1})
    vendor.respond(survey, "new")
    async with client(vendor) as formbricks:
        assert await ids_of(formbricks.pages(survey, since=since)) == ["r0003", "new"]


async def test_pages_tell_how_many_remain_where_the_server_does() -> None:
    """What the vendor documents, its code does not send."""
    remaining = {}
    for profile in ("documented", "actual"):
        with FormbricksServer(profile=profile, largest_page=20) as server:
            survey = filled(server, 50)
            async with client(server) as formbricks:
                remaining[profile] = [page.remaining async for page in formbricks.pages(survey, since=None)]
    assert remaining == {"documented": [30, 11, 0], "actual": [None, None, None]}


@pytest.mark.parametrize("profile", ["actual", "documented"])
async def test_an_older_server_is_read_through_v1(profile: Profile) -> None:
    """v1 has neither a filter nor an order to choose, so what did not change is left out here."""
    with FormbricksServer(profile=profile, v2_responses=False) as server:
        survey = filled(server, 600, contact={"id": "c1", "userId": "usr_1"})
        async with client(server) as formbricks:
            first = await anext(formbricks.pages(survey, since=None))
            assert source.snapshot(first.payloads[0], Given()).user_id == "usr_1"
            assert set(await ids_of(formbricks.pages(survey, since=None))) == set(server.responses)
            since = datetime.fromisoformat(server.tick())
            server.respond(survey, "r0005", data={})
            assert await ids_of(formbricks.pages(survey, since=since)) == ["r0005"]


async def test_the_contact_of_a_v2_response_becomes_its_user(vendor: FormbricksServer) -> None:
    """v1, v2 and webhooks then agree on whose response it is."""
    survey = vendor.add_survey(SURVEY)
    vendor.users = {"c1": "usr_1", "c2": "usr_2"}
    vendor.respond(survey, "known", contact={"id": "c1"})
    vendor.respond(survey, "told", contact={"id": "c2"}, contactAttributes={"userId": "usr_2"})
    vendor.respond(survey, "nobody")
    async with client(vendor) as formbricks:
        [page] = [page async for page in formbricks.pages(survey, since=None)]
    users = [source.snapshot(payload, Given()).user_id for payload in page.payloads]
    assert users == ["usr_1", "usr_2", None]


async def test_a_contact_that_has_no_user_yet_is_not_said_to_have_none(vendor: FormbricksServer) -> None:
    """A webhook may have told whose response it is. The next pull looks again."""
    survey = filled(vendor, 1, contact={"id": "c1"})
    async with client(vendor) as formbricks:
        [page] = [page async for page in formbricks.pages(survey, since=None)]
        assert "contact" not in decoded(page.payloads[0])
        vendor.users["c1"] = "usr_1"
        [page] = [page async for page in formbricks.pages(survey, since=None)]
    assert decoded(page.payloads[0])["contact"] == {"id": "c1", "userId": "usr_1"}


async def test_without_a_license_for_contacts_a_pull_does_without_users() -> None:
    with FormbricksServer(contacts_licensed=False) as server:
        survey = filled(server, 1, contact={"id": "c1"})
        async with client(server) as formbricks:
            [page] = [page async for page in formbricks.pages(survey, since=None)]
    assert source.snapshot(page.payloads[0], Given()).user_id is None


async def test_what_was_deleted_is_found_by_its_absence(vendor: FormbricksServer) -> None:
    survey = filled(vendor, 30)
    known = [*vendor.responses]
    vendor.delete("r0007")
    vendor.delete("r0029")
    async with client(vendor) as formbricks:
        assert await formbricks.gone(survey, known) == {"r0007", "r0029"}


async def test_what_the_key_may_not_see_any_more_does_not_count_as_deleted(vendor: FormbricksServer) -> None:
    """v2 lists nothing of a workspace the key has lost, as if there were nothing."""
    survey = filled(vendor, 3)
    known = [*vendor.responses]
    vendor.misbehave(Answer(200, {"data": []}), v1_error(401, "unauthorized"))
    async with client(vendor) as formbricks:
        with pytest.raises(RefusedError):
            await formbricks.gone(survey, known)


@pytest.mark.parametrize(("profile", "v1_surveys"), [("actual", True), ("actual", False), ("documented", True)])
async def test_surveys_are_listed_and_fetched_whichever_api_has_them(profile: Profile, v1_surveys: bool) -> None:
    with FormbricksServer(profile=profile, v1_surveys=v1_surveys) as server:
        filled(server, 3)
        for number in range(120):
            server.add_survey({"id": f"s{number}", "name": f"Survey {number}", "status": "draft", "questions": []})
        async with client(server) as formbricks:
            listed = await formbricks.forms()
            definition = await formbricks.definition(SURVEY["id"])
            assert await formbricks.definition("unknown") is None
            assert await formbricks.check() == "Formbricks workspace Northwind"
    assert len({survey.id for survey in listed}) == len(listed) == 121
    [survey] = [survey for survey in listed if survey.id == SURVEY["id"]]
    assert (survey.name, survey.state, survey.responses) == ("Q3 Customer Pulse", "inProgress", 3)
    assert definition
    assert source.form(definition).fields == 20


async def test_a_key_is_checked_and_the_workspaces_it_opens_are_named(vendor: FormbricksServer) -> None:
    async with client(vendor) as formbricks:
        assert await formbricks.check() == "Formbricks workspace Northwind"
    vendor.workspaces.append("cm7second")
    async with client(vendor) as formbricks:
        assert await formbricks.check() == "Formbricks workspace Workspace 0, Workspace 1"
    async with client(vendor, api_key="wrong") as formbricks:
        with pytest.raises(RefusedError, match=r"answered 401: Not authenticated$"):
            await formbricks.check()


async def test_a_webhook_is_registered_once_and_its_secret_kept(vendor: FormbricksServer) -> None:
    """Formbricks would take the same URL twice, and deliver twice."""
    survey = vendor.add_survey(SURVEY)
    async with client(vendor) as formbricks:
        await formbricks.register(HOOK, [survey])
        registration = await formbricks.register(HOOK, [survey])
        [webhook] = vendor.webhooks.values()
        assert registration.secrets == (webhook["secret"],)
        assert (webhook["url"], webhook["surveyIds"]) == (HOOK, [survey])
        assert webhook["triggers"] == ["responseCreated", "responseUpdated", "responseFinished"]
        await formbricks.register("https://hub.example.com/hooks/c2/other", [])
        await formbricks.unregister(HOOK, [survey])
        assert [left["url"] for left in vendor.webhooks.values()] == ["https://hub.example.com/hooks/c2/other"]
        await formbricks.unregister(HOOK, [survey])


async def test_each_workspace_gets_a_webhook_of_its_own(vendor: FormbricksServer) -> None:
    vendor.workspaces.append("cm7second")
    first = vendor.add_survey(SURVEY)
    vendor.add_survey({"id": "s2", "name": "Second", "workspaceId": "cm7second"})
    async with client(vendor) as formbricks:
        for forms, covered in (([], [[], []]), ([first, "s2"], [[first], ["s2"]]), ([first], [[first]])):
            registration = await formbricks.register(HOOK, forms)
            assert sorted(webhook["surveyIds"] for webhook in vendor.webhooks.values()) == sorted(covered)
            assert len(registration.secrets) == len(covered)


async def test_a_registration_that_fails_halfway_leaves_nothing(vendor: FormbricksServer) -> None:
    """Or a webhook would go on to deliver to a connection that is not there."""
    vendor.workspaces.append("cm7second")
    first = vendor.add_survey(SURVEY)
    vendor.add_survey(
        {"id": "s2", "name": "Second", "workspaceId": "lost meanwhile", "updatedAt": "2020-01-01T00:00:00.000Z"}
    )
    async with client(vendor) as formbricks:
        with pytest.raises(RefusedError, match=r"answered 400: Validation failed$"):
            await formbricks.register(HOOK, [first, "s2"])
    assert [request.method for request in vendor.requests].count("POST") == 2
    assert vendor.webhooks == {}


async def test_a_key_that_may_only_read_cannot_register(vendor: FormbricksServer) -> None:
    vendor.permission = "read"
    vendor.add_survey(SURVEY)
    async with client(vendor) as formbricks:
        with pytest.raises(RefusedError, match="not authorized"):
            await formbricks.register(HOOK, [])


async def test_the_quota_of_a_key_is_waited_for() -> None:
    """Formbricks does not say for how long."""
    clock = Clock()
    with FormbricksServer(now=clock.now, largest_page=2) as server:
        survey = filled(server, 300)
        async with client(server, clock) as formbricks:
            assert len(await ids_of(formbricks.pages(survey, since=None))) == 300
    assert sum(clock.waits) >= 60
