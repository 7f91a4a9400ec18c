"""`hub connect`."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import msgspec
from msgspec import Raw, structs

from hub.cli.connections import run_with
from hub.cli.pull import fetch
from hub.cli.terminal import fail, print_table
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.credentials import Credentials
    from hub.db.connections import ConnectionRow
    from hub.pull.interface import Listed, Vendor
    from hub.pulls import Tools

DEFAULT_MINUTES = 60


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every survey tool."""

    tenant_id: str
    name: str | None
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
@click.option("--api-key", envvar="FORMBRICKS_API_KEY", prompt="API key", hide_input=True, help="Better in FORMBRICKS_API_KEY, or typed in.")
@click.option("--base-url", help="Of a Formbricks of your own.")
@_common
def formbricks(settings: Settings, api_key: str, base_url: str | None, **wish: object) -> None:
    """Connect a Formbricks workspace. The key is made under its settings, with permission to manage."""
    from hub.credentials import Formbricks  # noqa: PLC0415

    _connect(settings, "formbricks", Formbricks(api_key=api_key), base_url, msgspec.convert(wish, Wish))


def _connect(
    settings: Settings, source: str, opened: "Credentials", base_url: str | None, wish: Wish
) -> None:
    async def work(tools: "Tools") -> None:
        from hub import pulls  # noqa: PLC0415

        async with pulls.vendor(settings, opened, base_url) as api:
            click.echo(f"The key opens {await api.check()}.")
            forms = _choose(await api.forms(), wish)
            delivered = not wish.pull_only and await _is_reachable(settings)
            row = await _keep(tools, source, opened, base_url, forms, wish)
            if delivered:
                await _register(tools, row, api)
        click.echo(f"Connected as {row.name}, id {row.id}.")
        if wish.history:
            await fetch(tools, row)

    run_with(settings, work)
