"""Pulling: the answers of a connection, from its vendor into the database, page by page."""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from hub import credentials, snapshots
from hub.credentials import Vault
from hub.db import Pool, connections, forms, pulls, submissions
from hub.db.connections import ConnectionRow, Counts
from hub.db.erasures import Markers
from hub.db.submissions import Foreign, Stale
from hub.model import MAX_KEY_BYTES, key_bytes
from hub.pull import formbricks
from hub.pull.http import Outgoing
from hub.pull.interface import Listed, Vendor
from hub.settings import Settings
from hub.sources import SOURCES
from hub.sources.drafts import fitting_id
from hub.sources.interface import FormNeededError, Given, NotOfSourceError, Options, UnreadableError


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

    form: Listed
    fetched: int = 0
    total: int | None = None
    removed: int = 0
    """Of what was stored, what the vendor has deleted."""


def vendor(tools: Tools, row: ConnectionRow) -> Vendor:
    """The API of a connection's vendor. Raises `NothingToPullError`."""
    outgoing = Outgoing(allow_private=tools.settings.allow_private_addresses)
    match tools.vault.open(row.source, row.credentials).credentials:
        case credentials.Formbricks(api_key=str(key)):
            return formbricks.Formbricks(formbricks.Credentials(api_key=key), row.base_url, outgoing)
    raise NothingToPullError


async def fetch_form(tools: Tools, row: ConnectionRow, api: Vendor, form_id: str) -> None:
    """Stores the definition of a form as its vendor has it now; if it is another than before, its submissions follow."""
    module = SOURCES[row.source]
    definition = await api.definition(form_id)
    if definition is None:
        return
    form = module.form(definition)
    await forms.fetched(
        tools.pool,
        row.tenant_id,
        row.source,
        fitting_id(form_id),
        name=form.name,
        definition=definition,
        fields=form.fields,
    )


async def pull(tools: Tools, row: ConnectionRow, api: Vendor, since: datetime | None = None) -> AsyncIterator[Step]:
    """Fetches what is new of every form that was chosen, or what is newer than a time, and removes what is gone.

    What was broken off goes on where it stopped. Raises `VendorError`.
    """
    for form in await api.forms():
        if row.forms and form.id not in row.forms:
            continue
        async for step in _pull_form(tools, row, api, form, since):
            yield step


async def _pull_form(
    tools: Tools, row: ConnectionRow, api: Vendor, form: Listed, since: datetime | None
) -> AsyncIterator[Step]:
    await fetch_form(tools, row, api, form.id)
    begun = await pulls.begin(tools.pool, row.id, form.id, since, api.OVERLAP)
    fetched = begun.fetched
    async for page in api.pages(form.id, since=begun.since, checkpoint=begun.checkpoint):
        counts = await _store(tools, row, form.id, page.payloads)
        await pulls.keep(tools.pool, begun, page.checkpoint, counts)
        fetched += counts.received
        yield Step(form=form, fetched=fetched, total=None if page.remaining is None else fetched + page.remaining)
    await pulls.finish(tools.pool, begun)
    removed = await _remove_gone(tools, row, api, form.id) if since is not None or begun.comparison_due else 0
    await pulls.compared(tools.pool, begun)
    yield Step(form=form, fetched=fetched, total=fetched, removed=removed)
