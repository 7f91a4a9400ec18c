"""Pulling: the answers of a connection, from its vendor into the database, page by page."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec
from msgspec import Raw, Struct, structs

from hub import credentials, intake
from hub.api.problems import Problem, Unprocessable, from_exception
from hub.credentials import Credentials, Vault
from hub.db import Pool, deliveries, forms, pulls, submissions, unavailable
from hub.db.connections import ConnectionRow
from hub.db.deliveries import Unread
from hub.db.erasures import Markers
from hub.pull import formbricks, satismeter, typeform
from hub.pull.http import Outgoing
from hub.pull.interface import AddressError, Listed, RefusedError, Vendor, VendorError
from hub.settings import Settings
from hub.sources import SOURCES
from hub.sources.drafts import fitting_id
from hub.sources.interface import Given, NotOfSourceError

# For a command that cannot do without an answer. A pull goes on for longer, and later.
_AWAITED_SECONDS, _AWAITED_ATTEMPTS = 20, 3


class NothingToPullError(Exception):
    """The connection has no credentials for its vendor's API: what it has comes as webhooks alone."""


class Tools(Struct, frozen=True, kw_only=True):
    """What a pull works with."""

    settings: Settings
    pool: Pool
    markers: Markers
    vault: Vault


class Step(Struct, frozen=True, kw_only=True):
    """How far the pull of a form is."""

    fetched: int
    total: int | None = None
    """As far as the vendor tells."""
    kept: int = 0
    """Of what was fetched now, what could not be stored, and waits among the rejects."""
    removed: int = 0
    """Of what was stored, what the vendor has deleted."""


def vendor(settings: Settings, opened: Credentials, base_url: str | None, *, is_awaited: bool = False) -> Vendor:
    """The API of an account at a vendor; with less patience when somebody waits for it. Raises `NothingToPullError` and `AddressError`."""
    outgoing = Outgoing(allow_private=settings.allow_private_addresses)
    if is_awaited:
        outgoing = structs.replace(outgoing, timeout_seconds=_AWAITED_SECONDS, attempts=_AWAITED_ATTEMPTS)
    match opened:
        case credentials.Formbricks(api_key=str(key)):
            return formbricks.Formbricks(formbricks.Credentials(api_key=key), base_url, outgoing)
        case credentials.Typeform(access_token=str(token)):
            return typeform.Typeform(typeform.Credentials(access_token=token), base_url, outgoing)
        case credentials.SatisMeter(api_key=str(key), project_id=str(project)):
            opened_project = satismeter.Credentials(api_key=key, project_id=project)
            return satismeter.SatisMeter(opened_project, base_url, outgoing)
    raise NothingToPullError


def vendor_of(tools: Tools, row: ConnectionRow, *, is_awaited: bool = False) -> Vendor:
    """The API of a connection's vendor."""
    opened = tools.vault.open(row.source, row.credentials).credentials
    return vendor(tools.settings, opened, row.base_url, is_awaited=is_awaited)


def in_our_words(error: VendorError) -> str:
    """What a connection tells of a failure: what the vendor said may quote an answer."""
    match error:
        case RefusedError(status=status):
            return f"The vendor refuses what it is asked for (status {status})"
        case AddressError():
            return "The vendor's address is none that the hub may ask"
    return "The vendor cannot be reached, or is busy"


async def fetch_form(tools: Tools, row: ConnectionRow, api: Vendor, form_id: str) -> None:
    """Stores the definition of a form as its vendor has it now; if it says something else than before, its submissions follow."""
    module = SOURCES[row.source]
    definition = await api.definition(form_id)
    if definition is None:
        return
    name = (row.tenant_id, row.source, fitting_id(form_id))
    try:
        form = module.form(definition)
    except NotOfSourceError:
        return  # the records say that there is no definition
    known = await forms.get(tools.pool, *name)
    # Not the text of them: SatisMeter's has counts in it that change with every answer.
    if known is None or module.form(known.definition) != form:
        await forms.fetched(tools.pool, *name, name=form.name, definition=definition, fields=form.fields)


async def chosen(row: ConnectionRow, api: Vendor) -> list[Listed]:
    """The forms of a connection. Raises `VendorError`."""
    return [form for form in await api.forms() if not row.forms or form.id in row.forms]


async def pull(  # noqa: PLR0913 - what is pulled from whom, and how
    tools: Tools, row: ConnectionRow, api: Vendor, form: Listed, since: datetime | None = None, *, compare: bool = False
) -> AsyncIterator[Step]:
    """Fetches what is new of a form, or what is newer than a time, and once a day, or if told to, removes what is gone.

    What was broken off goes on where it stopped. Raises `VendorError`.
    """
    await fetch_form(tools, row, api, form.id)
    begun = await pulls.begin(tools.pool, row.id, form.id, since, api.OVERLAP)
    is_whole = begun.since is None
    fetched, total = begun.fetched, form.responses if is_whole else None
    kept = 0
    async for page in api.pages(form.id, since=begun.since, checkpoint=begun.checkpoint):
        stored, unread = await _store(tools, row, form.id, page.payloads)
        await pulls.keep(tools.pool, begun, page.checkpoint, fetched=len(page.payloads), stored=stored)
        fetched, kept = fetched + len(page.payloads), kept + unread
        yield Step(fetched=fetched, kept=kept, total=total if page.remaining is None else fetched + page.remaining)
    await pulls.finish(tools.pool, begun)
    removed = 0
    if is_whole or compare or begun.comparison_due:
        # The first has just gone through all there is.
        removed = 0 if is_whole else await _remove_gone(tools, row, api, form.id)
        await pulls.compared(tools.pool, begun)
    yield Step(fetched=fetched, total=fetched, kept=kept, removed=removed)


async def _store(tools: Tools, row: ConnectionRow, form_id: str, payloads: Sequence[Raw]) -> tuple[int, int]:
    """Stores a page; what cannot be read of it waits among the rejects. How many submissions changed something, how many wait."""
    stored = kept = 0
    for payload in payloads:
        try:
            tally = await intake.take_for(tools.pool, tools.markers, row, payload, Given(form_id=form_id))
        except Exception as error:
            if unavailable(error):
                raise
            # Whatever it is, a mistake of ours included, must not cost the answers behind it: every later pull would meet it again.
            problem = Unprocessable(str(error)) if isinstance(error, NotOfSourceError) else from_exception(error, "")
            await _reject(tools, row, form_id, payload, problem)
            kept += 1
            continue
        stored += tally.submissions - tally.stale
        if tally.errors:
            problem = Unprocessable("; ".join(error.problem for error in tally.errors))
            await _reject(tools, row, form_id, payload, problem)
            kept += 1
    return stored, kept


async def _reject(tools: Tools, row: ConnectionRow, form_id: str, payload: Raw, problem: Problem) -> None:
    """Keeps a payload as a delivery that cannot be read is kept: once, though every pull may bring it again."""
    document = problem.document(base=tools.settings.problem_base_url, instance="", request_id="")
    unread = Unread(
        raw=bytes(payload).decode(),
        status=problem.status,
        problem=Raw(msgspec.json.encode(document)),
        error=f"A response is kept, because it could not be stored: {problem.detail}",
        form_id=form_id,
    )
    name = tools.vault.digest(b"pull " + bytes(payload))
    await deliveries.settle(tools.pool, row, name, stored=0, unread=unread, undefined=())


async def _remove_gone(tools: Tools, row: ConnectionRow, api: Vendor, form_id: str) -> int:
    """Removes the submissions that the vendor has deleted; how many there were."""
    known = await submissions.named_by_vendor(tools.pool, row.tenant_id, row.source, fitting_id(form_id))
    gone = await api.gone(form_id, known) if known else frozenset()
    source_type = SOURCES[row.source].ABOUT.source_type
    removed = 0
    for submission_id in sorted(gone):
        removed += await submissions.remove(tools.pool, tools.markers, row.tenant_id, submission_id, source_type)
    return removed
