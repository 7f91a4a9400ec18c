"""The management APIs of Formbricks: v2 for responses, v1 for surveys, contacts and webhooks, v3 where v1 is missing."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from hub.pull.http import Account, Api, Outgoing
from hub.pull.interface import Listed, Page, RefusedError, Registration, VendorError
from hub.sources.values import encoded, instant_of, items_of, joined, members_of, text_of

TRIGGERS = ("responseCreated", "responseUpdated", "responseFinished")
# v2 refuses more; always sent, because without it v1 answers with all there is, or with 25.
LIMIT = 250
SURVEYS = 100

# A page of v1 begins where the last one ended; this many again, lest a deletion meanwhile hide as many.
_MARGIN = 10
_UNAUTHORIZED, _FORBIDDEN, _MISSING = 401, 403, 404


class Credentials(Struct, frozen=True, kw_only=True):
    """What opens one Formbricks."""

    api_key: str


class _Meta(Struct, frozen=True):
    total: int | None = None


class _Answer(Struct, frozen=True):
    """What v1 and v2 answer with. `meta` is documented, and not sent by every version."""

    data: Raw
    meta: _Meta = _Meta()


class _Survey(Struct, frozen=True, rename="camel"):
    id: str
    name: str = ""
    status: str | None = None
    workspace_id: str | None = None
    environment_id: str | None = None
    response_count: int | None = None


class _Surveys(Struct, frozen=True):
    data: list[_Survey]


class _Cursor(Struct, frozen=True, rename="camel"):
    next_cursor: str | None = None


class _SurveysOfV3(Struct, frozen=True):
    data: list[_Survey]
    meta: _Cursor = _Cursor()


class _Webhook(Struct, frozen=True):
    id: str
    url: str = ""
    secret: str | None = None


class _Webhooks(Struct, frozen=True):
    data: list[_Webhook]


class _Created(Struct, frozen=True):
    data: _Webhook


class _Workspace(Struct, frozen=True):
    """What owns surveys; before v5 it was called environment."""

    id: str
    name: str | None = None
    member: str = "workspaceId"


class _Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk through responses is: the time it has come to, and what of that time it has seen."""

    at: str | None = None
    skip: int = 0
    seen: frozenset[str] = frozenset()
    v1: bool = False


class Formbricks(Account):
    """One Formbricks, in the cloud or anybody's own, as one API key sees it."""

    BASE_URL = "https://app.formbricks.com"
    # Clocks differ, and a long transaction shows its `updatedAt` late.
    OVERLAP = timedelta(hours=1)

    def __init__(self, credentials: Credentials, base_url: str | None, outgoing: Outgoing) -> None:
        # The cloud allows 100 requests a minute; most servers have no limit. So it is met by waiting when refused.
        self._api = Api(base_url or self.BASE_URL, {"x-api-key": credentials.api_key}, outgoing)
        super().__init__(self._api)
        self._users: Mapping[str, str] | None = None

    async def check(self) -> str:
        """Lists a survey, which every key may; what tells more of a key does not work for all of them."""
        try:
            await self._surveys_at(0, limit=1)
        except RefusedError as error:
            if error.status != _MISSING:
                raise
        names = [workspace.name for workspace in await self._workspaces() if workspace.name]
        return f"Formbricks workspace {', '.join(names)}" if names else "Formbricks"

    async def forms(self) -> list[Listed]:
        surveys = await self._surveys()
        counts = await self._counts(surveys)
        return [
            Listed(id=survey.id, name=survey.name, state=survey.status, responses=counts.get(survey.id))
            for survey in surveys
        ]

    async def definition(self, form_id: str) -> Raw | None:
        quoted = quote(form_id, safe="")
        for path in (f"/api/v1/management/surveys/{quoted}", f"/api/v3/surveys/{quoted}"):
            try:
                return (await self._api.get(path, _Answer)).data
            except RefusedError as error:
                # v3 says 403 of what is not there, lest it be found.
                if error.status not in (_MISSING, _FORBIDDEN):
                    raise
        return None

    async def pages(
        self, form_id: str, *, since: datetime | None, checkpoint: str | None = None
    ) -> AsyncIterator[Page]:
        """By time of creation, or of change if `since` is given; each page begins at the time the last one ended with.

        Counting rows instead, as the API offers, would miss some whenever others are deleted or changed meanwhile.
        """
        field = "createdAt" if since is None else "updatedAt"
        place = msgspec.json.decode(checkpoint, type=_Place) if checkpoint else _Place(at=_text(since))
        self._users = None  # there may be more than the last time
        while True:
            try:
                answer = await self._responses(form_id, field, place)
            except RefusedError as error:
                if error.status != _MISSING or place.v1 or place.at != _text(since):
                    raise
                place = _Place(v1=True)  # an older server
                continue
            found = items_of(answer.data)
            if not found:
                return
            fresh = [item for item in found if _id(item) not in place.seen]
            total = answer.meta.total
            remaining = None if total is None else max(0, total - place.skip - len(found))
            place = _after(place, found, field)
            if fresh:
                yield Page(
                    payloads=[await self._with_user(item) for item in fresh if _changed_since(item, since)],
                    checkpoint=msgspec.json.encode(place).decode(),
                    remaining=remaining,
                )

    async def gone(self, form_id: str, known: Collection[str]) -> frozenset[str]:
        """Goes through all responses there are, then asks for each that was not among them by its id.

        A list that is read while others write may lack one; to believe it would delete what is still there.
        """
        missing = set(known)
        async for page in self.pages(form_id, since=None):
            missing.difference_update(_id(payload) for payload in page.payloads)
        return frozenset([response_id for response_id in sorted(missing) if not await self._has(response_id)])

    async def register(self, url: str, forms: Sequence[str]) -> Registration:
        """One webhook for each workspace. Formbricks takes the same URL twice and delivers twice, so what is there goes first.

        It could not be kept: the secret is told once, to whoever creates the webhook.
        """
        await self.unregister(url, forms)
        surveys: dict[_Workspace, list[str]] = {}
        if forms:
            for survey in await self._surveys():
                if survey.id in forms and (workspace := _workspace_of(survey)):
                    surveys.setdefault(workspace, []).append(survey.id)
        else:
            surveys = {workspace: [] for workspace in await self._workspaces()}
        if not surveys:
            raise RefusedError(_MISSING, f"{self._api.url} has no survey that this key may have answers of delivered")
        try:
            secrets = [await self._create(workspace, url, chosen) for workspace, chosen in surveys.items()]
        except VendorError:
            with suppress(VendorError):
                await self.unregister(url, forms)
            raise
        # Versions before 2026 sign nothing.
        return Registration(secrets=tuple(secret for secret in secrets if secret))

    async def _create(self, workspace: _Workspace, url: str, surveys: list[str]) -> str | None:
        body = {
            workspace.member: workspace.id,
            "url": url,
            "triggers": TRIGGERS,
            "surveyIds": surveys,
            "name": "Feedback Hub",
            "source": "user",
        }
        return (await self._api.request("POST", "/api/v1/webhooks", _Created, body=body)).data.secret

    async def unregister(self, url: str, forms: Sequence[str]) -> str:  # noqa: ARG002 - a webhook is known by its URL
        for webhook in (await self._api.get("/api/v1/webhooks", _Webhooks)).data:
            if webhook.url == url:
                await self._delete(webhook.id)
        return ""

    async def _delete(self, webhook_id: str) -> None:
        try:
            await self._api.request("DELETE", f"/api/v1/webhooks/{quote(webhook_id, safe='')}", Raw)
        except RefusedError as error:
            if error.status != _MISSING:
                raise

    async def _surveys(self) -> list[_Survey]:
        """From v1, else, workspace for workspace, from v3."""
        try:
            return await self._surveys_of_v1()
        except RefusedError as error:
            if error.status != _MISSING:
                raise
        return [survey for workspace in await self._workspaces() for survey in await self._surveys_of(workspace)]

    async def _surveys_of_v1(self) -> list[_Survey]:
        surveys: dict[str, _Survey] = {}
        while fresh := [survey for survey in await self._surveys_at(len(surveys)) if survey.id not in surveys]:
            surveys |= {survey.id: survey for survey in fresh}
        return list(surveys.values())

    async def _counts(self, surveys: Sequence[_Survey]) -> Mapping[str, int]:
        """How many responses each has: v3 tells, where it is known and open to the key."""
        counts: dict[str, int] = {}
        try:
            for workspace in dict.fromkeys(filter(None, map(_workspace_of, surveys))):
                counted = await self._surveys_of(workspace)
                counts |= {survey.id: survey.response_count for survey in counted if survey.response_count is not None}
        except RefusedError:
            pass
        return counts

    async def _surveys_at(self, offset: int, *, limit: int = SURVEYS) -> list[_Survey]:
        path = "/api/v1/management/surveys"
        return (await self._api.get(path, _Surveys, limit=limit, offset=offset)).data

    async def _surveys_of(self, workspace: _Workspace) -> list[_Survey]:
        surveys: list[_Survey] = []
        query: dict[str, str | int] = {"workspaceId": workspace.id, "limit": SURVEYS}
        while True:
            answer = await self._api.get("/api/v3/surveys", _SurveysOfV3, **query)
            surveys += answer.data
            if not answer.data or answer.meta.next_cursor is None:
                return surveys
            query["cursor"] = answer.meta.next_cursor

    async def _workspaces(self) -> list[_Workspace]:
        """From the key; if what tells of it does not work for this one, from the surveys it sees."""
        with suppress(RefusedError):  # it opens several
            return [_own_workspace(await self._api.get("/api/v1/management/me", Raw))]
        try:
            me = members_of(await self._api.get("/api/v2/me", Raw))
        except RefusedError:  # it has no access to the organization
            return list(dict.fromkeys(filter(None, map(_workspace_of, await self._surveys_of_v1()))))
        inner = members_of(me["data"]) or me
        listed = items_of(inner["workspacePermissions"]) or items_of(inner["workspaces"])
        found = [
            _Workspace(text_of(m["workspaceId"]) or "", text_of(m["workspaceName"])) for m in map(members_of, listed)
        ]
        return [workspace for workspace in found if workspace.id]

    async def _responses(self, form_id: str, field: str, place: _Place) -> _Answer:
        query: dict[str, str | int] = {"surveyId": form_id, "limit": LIMIT, "skip": place.skip}
        if place.v1:
            return await self._api.get("/api/v1/management/responses", _Answer, **query)
        query |= {"sortBy": field, "order": "asc", "filterDateField": field}
        if place.at:
            query["startDate"] = place.at
        return await self._api.get("/api/v2/management/responses", _Answer, **query)

    async def _has(self, response_id: str) -> bool:
        try:
            await self._api.get(f"/api/v1/management/responses/{quote(response_id, safe='')}", Raw)
        except RefusedError as error:
            if error.status != _MISSING:
                raise
            return False
        return True

    async def _with_user(self, item: Raw) -> Raw:
        """v2 names the contact by an id that means nothing elsewhere; the user is found as v1 would."""
        response = members_of(item)
        contact_id = text_of(response["contactId"])
        if contact_id is None or text_of(members_of(response["contactAttributes"])["userId"]):
            return item
        if self._users is None:
            self._users = await self._users_of_contacts()
        user_id = self._users.get(contact_id)
        # What is not known here may have been known to a webhook, and is not contradicted.
        return joined(response, {"contact": encoded({"id": contact_id, "userId": user_id})}) if user_id else item

    async def _users_of_contacts(self) -> Mapping[str, str]:
        """Nothing where contacts are not part of the plan."""
        try:
            keys = await self._api.get("/api/v1/management/contact-attribute-keys", _Answer)
            attributes = await self._api.get("/api/v1/management/contact-attributes", _Answer)
        except RefusedError as error:
            if error.status not in (_UNAUTHORIZED, _FORBIDDEN, _MISSING):
                raise
            return {}
        ids = {text_of(key["id"]) for key in map(members_of, items_of(keys.data)) if text_of(key["key"]) == "userId"}
        users = {}
        for attribute in map(members_of, items_of(attributes.data)):
            contact_id, value = text_of(attribute["contactId"]), text_of(attribute["value"])
            if contact_id and value and text_of(attribute["attributeKeyId"]) in ids:
                users[contact_id] = value
        return users


def _after(place: _Place, found: list[Raw], field: str) -> _Place:
    ids = frozenset(map(_id, found))
    if place.v1:
        step = len(found) - _MARGIN if len(found) > _MARGIN else len(found)
        return _Place(skip=place.skip + step, seen=ids, v1=True)
    times = {_id(item): members_of(item)[field] for item in found}
    last, before = times[_id(found[-1])], encoded(place.at)
    moment, earlier = instant_of(last), instant_of(before)
    if moment and (earlier is None or moment > earlier):
        return _Place(at=text_of(last), seen=frozenset(i for i, time in times.items() if time == last))
    # More of one time than fit a page, or a server that does not sort.
    return _Place(at=place.at, skip=place.skip + len(found), seen=place.seen | ids)


def _id(item: Raw) -> str:
    return text_of(members_of(item)["id"]) or ""


def _changed_since(item: Raw, since: datetime | None) -> bool:
    """v1 knows no such filter."""
    moment = instant_of(members_of(item)["updatedAt"])
    return since is None or moment is None or moment >= since


def _text(since: datetime | None) -> str | None:
    return since.astimezone(UTC).isoformat(timespec="milliseconds") if since else None


def _own_workspace(me: Raw) -> _Workspace:
    key = members_of(me)
    workspace = members_of(key["workspace"])
    if workspace_id := text_of(workspace["id"]):
        return _Workspace(workspace_id, text_of(workspace["name"]))
    return _Workspace(text_of(key["id"]) or "", text_of(members_of(key["project"])["name"]), "environmentId")


def _workspace_of(survey: _Survey) -> _Workspace | None:
    if survey.workspace_id:
        return _Workspace(survey.workspace_id)
    return _Workspace(survey.environment_id, member="environmentId") if survey.environment_id else None
