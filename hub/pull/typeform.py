"""Typeform's APIs: Responses for answers, Create for forms, Webhooks."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from hub.pull.http import Account, Api, Outgoing
from hub.pull.interface import Listed, Page, RefusedError, Registration, UnavailableError, VendorError
from hub.sources.values import members_of, text_of

# Where the answers of an account are; the first two take the same tokens and list the same forms.
REGIONS = ("https://api.typeform.com", "https://api.eu.typeform.com", "https://api.typeform.eu")
LIMIT = 1000
FORMS = 200
# Each kind is filtered and sorted by a time of its own, so a pull goes through one after the other.
KINDS = {"completed": "submitted_at", "partial": "staged_at", "started": "landed_at"}
# Enough to see whether there are answers at all.
_PROBED = 3

_BAD_REQUEST, _PAYMENT, _FORBIDDEN, _MISSING = 400, 402, 403, 404


class Credentials(Struct, frozen=True, kw_only=True):
    """A personal access token with the scopes forms:read, responses:read and webhooks:write."""

    access_token: str


class _Form(Struct, frozen=True):
    id: str
    title: str = ""


class _Forms(Struct, frozen=True):
    items: list[_Form]
    page_count: int | None = None


class _Responses(Struct, frozen=True):
    items: list[Raw]
    total_items: int | None = None
    page_count: int | None = None


class _Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk through responses is: at which kind, and behind which of them."""

    kind: int = 0
    before: str | None = None
    until: str | None = None
    """The time of that one."""
    more: bool = False
    """Whether there are some behind it."""


class Typeform(Account):
    """One account, as a token sees it."""

    BASE_URL = REGIONS[0]
    # A response may take half an hour to appear, with the time it was given.
    OVERLAP = timedelta(hours=2)

    def __init__(
        self, credentials: Credentials, base_url: str | None, outgoing: Outgoing, *, regions: Sequence[str] = REGIONS
    ) -> None:
        url, headers = (base_url or self.BASE_URL).rstrip("/"), {"authorization": f"Bearer {credentials.access_token}"}
        # Two requests a second for an account.
        self._api = Api(url, headers, outgoing, seconds_between=0.5)
        others = [other for other in regions if other != url] if url in regions else []
        self._elsewhere = [Api(other, headers, outgoing, seconds_between=0.5) for other in others]
        super().__init__(self._api, *self._elsewhere)

    async def check(self) -> str:
        """Lists forms, and looks whether their answers are in this data center: a wrong one says that there are none."""
        probed = (await self._forms_at(1, _PROBED)).items
        if not probed:
            return "Typeform account without forms"
        if not await _answered(self._api, probed):
            for api in self._elsewhere:
                if await _answered_there(api, probed):
                    raise RefusedError(
                        _MISSING, f"The answers of this account are not at {self._api.url}, but at {api.url}"
                    )
        return "Typeform account"

    async def forms(self) -> list[Listed]:
        return [Listed(id=form.id, name=form.title) for form in await self._forms()]

    async def definition(self, form_id: str) -> Raw | None:
        try:
            return await self._api.get(_path(form_id), Raw)
        except RefusedError as error:
            if error.status != _MISSING:
                raise
            return None

    async def pages(
        self, form_id: str, *, since: datetime | None, checkpoint: str | None = None
    ) -> AsyncIterator[Page]:
        """The newest first; visits without answers last, and neither these nor partial ones where the plan has none."""
        place = msgspec.json.decode(checkpoint, type=_Place) if checkpoint else _Place()
        while place.kind < len(KINDS):
            answer = await self._responses(form_id, since, place)
            if answer is None or not answer.items:
                # What is told to be there, and does not come: the response that was to be behind of was deleted.
                lost = place.before is not None and place.more and place.until is not None
                place = _Place(kind=place.kind, until=place.until) if lost else _Place(kind=place.kind + 1)
                continue
            place = self._after(place, answer)
            yield Page(
                payloads=answer.items,
                checkpoint=msgspec.json.encode(place).decode(),
                remaining=None if answer.total_items is None else max(0, answer.total_items - len(answer.items)),
            )

    def _after(self, place: _Place, answer: _Responses) -> _Place:
        # A short page is the last one, unless the vendor has come to send less than it is asked for.
        if len(answer.items) < LIMIT and answer.page_count is not None and answer.page_count <= 1:
            return _Place(kind=place.kind + 1)
        last = members_of(answer.items[-1])
        # In some responses the token, which is the cursor, differs from the id.
        before, until = text_of(last["token"]), text_of(last[[*KINDS.values()][place.kind]])
        if (
            before is None
            or before == place.before
            or (place.before is None and until is not None and until == place.until)
        ):
            raise UnavailableError(f"{self._api.url} gives the same page again")
        return _Place(kind=place.kind, before=before, until=until, more=(answer.page_count or 0) > 1)

    async def gone(self, form_id: str, known: Collection[str]) -> frozenset[str]:  # noqa: ARG002
        """Typeform does not tell: a deletion is asynchronous and leaves no trace."""
        return frozenset()

    async def register(self, url: str, forms: Sequence[str]) -> Registration:
        """A webhook at each form, under a tag made of the URL, so that a second one replaces the first."""
        secret = secrets.token_urlsafe(32)
        try:
            for form_id in forms or [form.id for form in await self._forms()]:
                await self._put(form_id, url, secret)
        except VendorError:
            with suppress(VendorError):
                await self.unregister(url, forms)
            raise
        to_do = "" if forms else "Forms made from now on have no webhook: connect again, or leave them to pulls."
        return Registration(secrets=(secret,), to_do=to_do)

    async def _put(self, form_id: str, url: str, secret: str) -> None:
        path = f"{_path(form_id)}/webhooks/{_tag(url)}"
        body = {"url": url, "enabled": True, "secret": secret}
        both = {"event_types": {"form_response": True, "form_response_partial": True}}
        try:
            await self._api.request("PUT", path, Raw, body=body | both)
        except RefusedError as error:
            if error.status not in (_BAD_REQUEST, _PAYMENT, _FORBIDDEN):
                raise
            # Partial responses are part of some plans only.
            await self._api.request("PUT", path, Raw, body=body)

    async def unregister(self, url: str, forms: Sequence[str]) -> str:
        for form_id in forms or [form.id for form in await self._forms()]:
            try:
                await self._api.request("DELETE", f"{_path(form_id)}/webhooks/{_tag(url)}", Raw)
            except RefusedError as error:
                if error.status != _MISSING:
                    raise
        return ""

    async def _forms(self) -> list[_Form]:
        forms: dict[str, _Form] = {}
        page = 1
        while True:
            answer = await self._forms_at(page, FORMS)
            forms |= {form.id: form for form in answer.items}
            if not answer.items or (answer.page_count is not None and page >= answer.page_count):
                return list(forms.values())
            page += 1

    async def _forms_at(self, page: int, limit: int) -> _Forms:
        return await self._api.get("/forms", _Forms, page=page, page_size=limit)

    async def _responses(self, form_id: str, since: datetime | None, place: _Place) -> _Responses | None:
        query: dict[str, str | int] = {"page_size": LIMIT, "response_type": [*KINDS][place.kind]}
        if since is not None:
            query["since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if place.before is not None:
            query["before"] = place.before
        elif place.until is not None:
            query["until"] = place.until.removesuffix("Z")
        try:
            return await self._api.get(f"{_path(form_id)}/responses", _Responses, **query)
        except RefusedError as error:
            if place.kind == 0 or error.status not in (_BAD_REQUEST, _PAYMENT, _FORBIDDEN):
                raise
            return None


async def _answered(api: Api, forms: Sequence[_Form]) -> bool:
    """Whether any of the forms has a response."""
    for form in forms:
        if (await api.get(f"{_path(form.id)}/responses", _Responses, page_size=1)).items:
            return True
    return False


async def _answered_there(api: Api, forms: Sequence[_Form]) -> bool:
    """The same of another data center, whose tokens need not be these."""
    try:
        return await _answered(api, forms)
    except (RefusedError, UnavailableError):
        return False


def _path(form_id: str) -> str:
    return f"/forms/{quote(form_id, safe='')}"


def _tag(url: str) -> str:
    return f"feedback-hub-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
