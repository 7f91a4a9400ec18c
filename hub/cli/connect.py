"""`hub connect`."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import click
import msgspec
from msgspec import Raw, structs

from hub.cli.connections import run_with
from hub.cli.pull import fetch
from hub.cli.terminal import fail, print_table
from hub.model import TenantId
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.credentials import Credentials
    from hub.db.connections import ConnectionRow
    from hub.pull.interface import Listed, Vendor
    from hub.pulls import Tools

DEFAULT_MINUTES = 60


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every survey tool."""

    tenant_id: TenantId
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None
    forms: tuple[str, ...]
    all_forms: bool
    every: int
    pull_only: bool
    history: bool


@click.group()
def connect() -> None:
    """Connect a survey tool: its answers come in by themselves from then on."""


def _common(command: "Callable[..., None]") -> "Callable[..., None]":
    for option in (
        click.option("--tenant", "tenant_id", required=True, prompt="Tenant", help="The tenant whose feedback it is."),
        click.option("--name", help="What to call the connection; the tool's name without it."),
        click.option("--form", "forms", multiple=True, help="The id of a survey to take. May be repeated; asked for without it."),
        click.option("--all", "all_forms", is_flag=True, help="Take all surveys, those to come too."),
        click.option("--every", default=DEFAULT_MINUTES, show_default=True, type=click.IntRange(min=0), help="Minutes between pulls; 0 for none."),
        click.option("--pull-only", is_flag=True, help="Have nothing delivered, only pull."),
        click.option("--history/--no-history", default=True, help="Fetch what was answered so far, now."),
        click.pass_obj,
    ):  # fmt: skip
        command = option(command)
    return command


@connect.command("formbricks")
@click.option(
    "--api-key",
    envvar="FORMBRICKS_API_KEY",
    prompt="API key",
    hide_input=True,
    help="Better in FORMBRICKS_API_KEY, or typed in.",
)
@click.option("--base-url", help="Of a Formbricks of your own.")
@click.option(
    "--accept-unsigned", is_flag=True, help="Take deliveries without a signature, from a Formbricks before 2026."
)
@_common
def connect_formbricks(
    settings: Settings, api_key: str, base_url: str | None, accept_unsigned: bool, **wish: object
) -> None:
    """Connect a Formbricks workspace, with an API key that may manage it."""
    from hub.credentials import Formbricks  # noqa: PLC0415 - when it runs

    opened = Formbricks(api_key=api_key, accept_unsigned=accept_unsigned)
    _connect(settings, "formbricks", opened, base_url, _wish(wish))


@connect.command("typeform")
@click.option(
    "--access-token",
    envvar="TYPEFORM_ACCESS_TOKEN",
    prompt="Personal access token",
    hide_input=True,
    help="Better in TYPEFORM_ACCESS_TOKEN, or typed in.",
)
@click.option("--base-url", help="https://api.eu.typeform.com for responses kept in the EU.")
@_common
def connect_typeform(settings: Settings, access_token: str, base_url: str | None, **wish: object) -> None:
    """Connect a Typeform account, with a token that may read forms and responses and write webhooks."""
    from hub.credentials import Typeform  # noqa: PLC0415 - when it runs

    _connect(settings, "typeform", Typeform(access_token=access_token), base_url, _wish(wish))


@connect.command("satismeter")
@click.option(
    "--api-key",
    envvar="SATISMETER_API_KEY",
    prompt="API key",
    hide_input=True,
    help="Better in SATISMETER_API_KEY, or typed in.",
)
@click.option(
    "--project", "project_id", required=True, prompt="Project id", help="The id of the project, as in its address."
)
@click.option("--base-url", hidden=True, help="Of a server that behaves like SatisMeter.")
@_common
def connect_satismeter(settings: Settings, api_key: str, project_id: str, base_url: str | None, **wish: object) -> None:
    """Connect a SatisMeter project."""
    from hub.credentials import SatisMeter  # noqa: PLC0415 - when it runs

    opened = SatisMeter(api_key=api_key, project_id=project_id)
    _connect(settings, "satismeter", opened, base_url, _wish(wish))


def _wish(options: dict[str, object]) -> Wish:
    try:
        return msgspec.convert(options | {"tenant_id": str(options["tenant_id"]).strip()}, Wish)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from None


def _connect(settings: Settings, source: str, opened: "Credentials", base_url: str | None, wish: Wish) -> None:
    from hub import pulls  # noqa: PLC0415 - when it runs
    from hub.db import connections  # noqa: PLC0415 - when it runs
    from hub.sources import SOURCES  # noqa: PLC0415 - when it runs

    async def work(tools: "Tools") -> None:
        name = wish.name or SOURCES[source].ABOUT.title
        if any(row.name == name and row.status != "revoked" for row in await connections.listed(tools.pool)):
            fail(f"There is a connection {name} already. --name gives this one a name of its own.")
        async with pulls.vendor(settings, opened, base_url, is_awaited=True) as api:
            click.echo(f"The key opens {await api.check()}.")
            forms = _choose(await api.forms(), wish)
            delivers = await _delivers(settings, wish)
            row = await _keep(tools, source, opened, base_url, name, forms, wish)
            if delivers:
                await _register(tools, row, api)
        click.echo(f"Connected as {row.name}, id {row.id}.")
        if wish.history:
            await fetch(tools, row)

    run_with(settings, work)


def _choose(listed: "Sequence[Listed]", wish: Wish) -> list[str]:
    """The ids of the surveys to take; none for all."""
    if wish.all_forms:
        return []
    if wish.forms:
        known = {form.id for form in listed}
        if missing := [form_id for form_id in wish.forms if form_id not in known]:
            fail(f"The key opens no survey {', '.join(missing)}.")
        return list(dict.fromkeys(wish.forms))
    rows: list[tuple[str, ...]] = [("", "SURVEY", "STATE", "RESPONSES", "ID")]
    for number, form in enumerate(listed, 1):
        responses = "-" if form.responses is None else str(form.responses)
        rows.append((str(number), form.name, form.state or "-", responses, form.id))
    print_table(rows)
    numbers = click.prompt(
        "Which ones? Numbers with commas, or nothing for all, those to come too",
        default="",
        show_default=False,
        value_proc=lambda text: _numbers(text, len(listed)),
    )
    return [listed[number - 1].id for number in numbers]


def _numbers(text: str, most: int) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and 1 <= int(part) <= most for part in parts):
        raise click.UsageError(f"Expected numbers from 1 to {most}, like 1,3")
    return list(dict.fromkeys(map(int, parts)))


async def _delivers(settings: Settings, wish: Wish) -> bool:
    """Whether the vendor delivers. It cannot to an address that is not on the internet; then pulling remains."""
    if wish.pull_only:
        return False
    from hub.pull.http import Outgoing, allowed_addresses  # noqa: PLC0415 - when it runs
    from hub.pull.interface import AddressError  # noqa: PLC0415 - when it runs

    parts = urlsplit(settings.url)
    try:
        port = parts.port or {"http": 80}.get(parts.scheme, 443)
        outgoing = Outgoing(allow_private=settings.allow_private_addresses)
        await allowed_addresses(parts.hostname or "", port, outgoing)
    except (AddressError, OSError):
        click.echo(
            f"{settings.url} cannot be reached from the internet, so nothing can be delivered there. Set PUBLIC_BASE_URL to the "
            "address under which others reach this hub."
        )
        if not click.confirm("Go on without, and only pull?", default=False):
            fail("Nothing was changed.")
        return False
    return True


async def _keep(  # noqa: PLR0913, PLR0917 - the columns of a row
    tools: "Tools", source: str, opened: "Credentials", base_url: str | None, name: str, forms: list[str], wish: Wish
) -> "ConnectionRow":
    from hub.credentials import Kept, new_token  # noqa: PLC0415 - when it runs
    from hub.db import connections, new_id  # noqa: PLC0415 - when it runs

    sealed = tools.vault.columns(Kept(token=new_token(), credentials=opened))
    row = connections.NewConnection(
        id=new_id(),
        source=source,
        tenant_id=wish.tenant_id,
        name=name,
        base_url=base_url,
        credentials=sealed.credentials,
        token_hash=sealed.token_hash,
        insert_key_hash=sealed.insert_key_hash,
        forms=forms,
        options=Raw(b"{}"),
        status="active",
        pull_minutes=wish.every or None,
    )
    return await connections.insert(tools.pool, row)


async def _register(tools: "Tools", row: "ConnectionRow", api: "Vendor") -> None:
    """Has the vendor deliver, and keeps the secret that it tells this once. Without it there is no connection."""
    from hub.credentials import Formbricks, hook_path  # noqa: PLC0415 - when it runs
    from hub.db import connections  # noqa: PLC0415 - when it runs
    from hub.pull.interface import VendorError  # noqa: PLC0415 - when it runs

    kept = tools.vault.open(row.source, row.credentials)
    url = tools.settings.url + hook_path(row.id, kept.token)
    try:
        registration = await api.register(url, row.forms)
    except VendorError as error:
        await connections.delete(tools.pool, row.id, None)
        fail(f"{error}\nNothing was changed. --pull-only connects without webhooks.")
    if not registration.secrets and isinstance(kept.credentials, Formbricks) and not kept.credentials.accept_unsigned:
        await api.unregister(url, row.forms)
        await connections.delete(tools.pool, row.id, None)
        fail(
            "This Formbricks does not sign what it delivers. Nothing was changed. --accept-unsigned takes it all the same."
        )
    opened = structs.replace(kept.credentials, webhook_secrets=registration.secrets)
    sealed = tools.vault.columns(structs.replace(kept, credentials=opened)).credentials
    await connections.change(tools.pool, row.id, None, lambda found: structs.replace(found, credentials=sealed))
    if registration.to_do:
        click.echo(registration.to_do)
        # Whoever has to do it by hand needs it, this once: the vendor's signature would protect it, had it one.
        if not registration.secrets:
            click.echo(url)
