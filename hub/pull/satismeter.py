"""SatisMeter's v3 API. Webhooks it has, but none that a program could set up."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from hub.pull.http import Account, Api, Outgoing
from hub.pull.interface import Listed, Page, RefusedError, Registration, UnavailableError
from hub.sources.values import encoded, joined, members_of, text_of

LIMIT = 100
# Before SatisMeter was. Without a start, the API means the last 30 days, and does not say so.
BEGINNING = "2010-01-01T00:00:00.000Z"

_BAD_REQUEST, _MISSING, _OVER = 400, 404, 410


class Credentials(Struct, frozen=True, kw_only=True):
    """A key is of one project, and there is no list of projects."""

    api_key: str
    project_id: str


class _Campaign(Struct, frozen=True):
    id: str
    name: str | None = None
    type: str | None = None
    state: str | None = None


class _Cursor(Struct, frozen=True, rename="camel"):
    has_next_page: bool = False
    next_page_cursor: str | None = None


class _Campaigns(Struct, frozen=True):
    data: list[_Campaign]
    page: _Cursor = _Cursor()


class _Responses(Struct, frozen=True):
    data: list[Raw]
    page: _Cursor = _Cursor()


class _Place(Struct, frozen=True):
    """Which page is next; none when there is none."""

    cursor: str | None = None


class SatisMeter(Account):
    """One project."""

    BASE_URL = "https://app.satismeter.com"
    # A survey that was dismissed and is completed after all keeps its time, and a user who is deleted becomes
    # anonymous in responses of any age: those of the last days are read again.
    OVERLAP = timedelta(days=7)

    def __init__(self, credentials: Credentials, base_url: str | None, outgoing: Outgoing) -> None:
        headers = {"authorization": f"Bearer {credentials.api_key}"}
        self._project = f"/api/v3/projects/{quote(credentials.project_id, safe='')}"
        # There is no published limit; this is what other clients keep to.
        self._api = Api(base_url or self.BASE_URL, headers, outgoing, seconds_between=0.2)
        super().__init__(self._api)

    async def check(self) -> str:
        answer = members_of(await self._api.get(self._project, Raw))
        name = text_of((members_of(answer["data"]) or answer)["name"])
        return f"SatisMeter project {name}" if name else "SatisMeter project"

    async def forms(self) -> list[Listed]:
        return [
            Listed(id=campaign.id, name=campaign.name or campaign.id, state=campaign.state)
            for campaign in await self._campaigns()
        ]

    async def definition(self, form_id: str) -> Raw | None:
        """Only a campaign's statistics list its questions, and only the campaign has its name and type."""
        campaign = next((campaign for campaign in await self._campaigns() if campaign.id == form_id), None)
        if campaign is None:
            return None
        statistics = await self._api.get(f"{self._campaign(form_id)}/statistics", Raw, startDate=BEGINNING)
        told = {name: value for name, value in (("name", campaign.name), ("type", campaign.type)) if value}
        return joined(members_of(statistics), {name: encoded(value) for name, value in told.items()})

    async def pages(
        self, form_id: str, *, since: datetime | None, checkpoint: str | None = None
    ) -> AsyncIterator[Page]:
        start = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if since else BEGINNING
        cursor = msgspec.json.decode(checkpoint, type=_Place).cursor if checkpoint else None
        if checkpoint and cursor is None:
            return
        resumed = checkpoint is not None
        while True:
            try:
                answer = await self._responses(form_id, start, cursor)
            except RefusedError as error:
                if not resumed or error.status not in (_BAD_REQUEST, _MISSING, _OVER):
                    raise
                cursor, resumed = None, False  # a cursor that was kept for too long: from the start again
                continue
            resumed = False
            cursor = self._following(answer.page, cursor)
            yield Page(payloads=answer.data, checkpoint=msgspec.json.encode(_Place(cursor=cursor)).decode())
            if cursor is None:
                return

    async def gone(self, form_id: str, known: Collection[str]) -> frozenset[str]:  # noqa: ARG002
        """SatisMeter deletes no responses, only whose they are."""
        return frozenset()

    async def register(self, url: str, forms: Sequence[str]) -> Registration:  # noqa: ARG002
        return Registration(
            to_do="SatisMeter's API sets up no webhooks: add this address by hand under Settings, Integrations, Webhooks."
        )

    async def unregister(self, url: str, forms: Sequence[str]) -> str:  # noqa: ARG002
        return "SatisMeter's webhook was added by hand: remove it so, under Settings, Integrations, Webhooks."

    async def _campaigns(self) -> list[_Campaign]:
        campaigns: list[_Campaign] = []
        cursor: str | None = None
        while True:
            query = {"pageCursor": cursor} if cursor else {}
            answer = await self._api.get(f"{self._project}/campaigns", _Campaigns, **query)
            campaigns += answer.data
            cursor = self._following(answer.page, cursor)
            if cursor is None:
                return campaigns

    def _following(self, page: _Cursor, cursor: str | None) -> str | None:
        following = page.next_page_cursor if page.has_next_page else None
        if following is not None and following == cursor:
            raise UnavailableError(f"{self._api.url} gives the same page again")
        return following

    async def _responses(self, form_id: str, start: str, cursor: str | None) -> _Responses:
        query: dict[str, str | int] = {"startDate": start, "pageSize": LIMIT}
        return await self._api.get(
            f"{self._campaign(form_id)}/responses", _Responses, **query, **({"pageCursor": cursor} if cursor else {})
        )

    def _campaign(self, form_id: str) -> str:
        return f"{self._project}/campaigns/{quote(form_id, safe='')}"
