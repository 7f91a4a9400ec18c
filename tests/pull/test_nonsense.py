"""Whatever a vendor answers, a pull ends with pages or with an error that says so."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.pull.formbricks import Credentials as FormbricksCredentials
from hub.pull.formbricks import Formbricks
from hub.pull.http import Outgoing
from hub.pull.interface import Vendor, VendorError
from hub.pull.satismeter import Credentials as SatisMeterCredentials
from hub.pull.satismeter import SatisMeter
from hub.pull.typeform import Credentials as TypeformCredentials
from hub.pull.typeform import Typeform
from tests.vendors.clock import Clock, outgoing
from tests.vendors.server import Answer, Request, Server

VENDORS: dict[str, Callable[[str, Outgoing], Vendor]] = {
    "formbricks": lambda url, how: Formbricks(FormbricksCredentials(api_key="k"), url, how),
    "typeform": lambda url, how: Typeform(TypeformCredentials(access_token="k"), url, how),
    "satismeter": lambda url, how: SatisMeter(SatisMeterCredentials(api_key="k", project_id="p"), url, how),
}
NAMES = [
    "data", "meta", "items", "id", "name", "total", "createdAt", "updatedAt", "contactId", "contactAttributes", "token",
    "page", "hasNextPage", "nextPageCursor", "page_count", "total_items", "workspace", "url", "secret", "error", "details",
    "message", "errors",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
# Near enough to what is expected to be read, and wrong inside.
ITEMS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), max_size=4)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "data": ITEMS,
        "items": ITEMS,
        "meta": st.dictionaries(st.sampled_from(["total", "nextCursor"]), VALUES),
        "page": st.dictionaries(st.sampled_from(["hasNextPage", "nextPageCursor"]), VALUES),
        "page_count": st.integers(-1, 3),
        "total_items": st.integers(-1, 3),
    },
)
ANSWERS = st.builds(
    Answer,
    status=st.sampled_from([200, 200, 200, 200, 204, 302, 400, 401, 403, 404, 422, 429, 500]),
    body=NEARLY | VALUES | st.binary(max_size=20),
    headers=st.just({})
    | st.fixed_dictionaries({"retry-after": st.text(st.characters(codec="ascii", categories=["L", "N"]))}),
)


class Nonsense(Server):
    """Answers with anything, and at last with nothing found."""

    def answer(self, request: Request) -> Answer:
        return Answer(404, {})


async def use(vendor: Vendor, since: datetime | None) -> None:
    async with vendor:
        for what in (
            vendor.check(), vendor.forms(), vendor.definition("f"), _all(vendor, since), vendor.gone("f", ["a"]),
            vendor.register("https://hub.example.com", []), vendor.unregister("https://hub.example.com", ["f"]),
        ):  # fmt: skip
            with suppress(VendorError):
                await what


async def _all(vendor: Vendor, since: datetime | None) -> None:
    async for page in vendor.pages("f", since=since):
        json.loads(page.checkpoint)
        assert all(json.loads(bytes(payload)) is not ... for payload in page.payloads)
        assert page.remaining is None or page.remaining >= 0


@pytest.mark.parametrize("name", VENDORS)
@settings(max_examples=40, deadline=None)
@given(answers=st.lists(ANSWERS, max_size=8), since=st.none() | st.just(datetime(2026, 1, 1, tzinfo=UTC)))
def test_nonsense_is_told_as_such(name: str, answers: list[Answer], since: datetime | None) -> None:
    with Nonsense() as server:
        server.misbehave(*answers)
        asyncio.run(use(VENDORS[name](server.url, outgoing(Clock(), attempts=2)), since))
