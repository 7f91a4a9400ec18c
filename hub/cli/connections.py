"""`hub connections`; how the commands about connections find one, and what they work with."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click
from msgspec import structs

from hub.cli.database import migrated, run, secret_of
from hub.cli.terminal import fail, minute, print_table
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.db.connections import ConnectionRow, ConnectionStatus
    from hub.pulls import Tools

T = TypeVar("T")


@click.group()
def connections() -> None:
    """List, pause, resume and disconnect connections to survey tools. `hub connect` makes them."""


@connections.command("list")
@click.option("--tenant", "tenant_id", help="Only those of this tenant.")
@click.pass_obj
def list_connections(settings: Settings, tenant_id: str | None) -> None:
    """List the connections, and how they fare."""
    from hub.db import connections as stored  # noqa: PLC0415 - when it runs

    async def read(tools: "Tools") -> "list[ConnectionRow]":
        return await stored.listed(tools.pool, tenant_id)

    rows: list[tuple[str, ...]] = [
        ("NAME", "SOURCE", "TENANT", "STATUS", "PULLED EVERY", "STORED", "FAILED", "LAST SUCCESS", "LAST ERROR", "ID")
    ]
    for row in run_with(settings, read):
        every = f"{row.pull_minutes} min" if row.pull_minutes else "-"
        error = f"{minute(row.last_error_at)} {row.last_error}" if row.last_error else "-"
        state = (row.name, row.source, row.tenant_id, row.status, every, str(row.stored), str(row.failed))
        rows.append((*state, minute(row.last_success_at), error, str(row.id)))
    print_table(rows)


@connections.command()
@click.argument("connection", metavar="CONNECTION")
@click.pass_obj
def pause(settings: Settings, connection: str) -> None:
    """Pull nothing through CONNECTION for a while. What its vendor delivers is stored all the same."""
    _set_status(settings, connection, "paused")


@connections.command()
@click.argument("connection", metavar="CONNECTION")
@click.pass_obj
def resume(settings: Settings, connection: str) -> None:
    """Pull through CONNECTION again."""
    _set_status(settings, connection, "active")


def _set_status(settings: Settings, name: str, status: "ConnectionStatus") -> None:
    from hub.db import connections as stored  # noqa: PLC0415 - when it runs

    async def work(tools: "Tools") -> None:
        found = await find(tools, name)
        if found.status == "revoked":
            fail(f"{found.name} is disconnected. `hub connect {found.source}` connects it anew.")
        await stored.change(tools.pool, found.id, None, lambda row: structs.replace(row, status=status))
        click.echo(f"{found.name} is {status}.")

    run_with(settings, work)


@connections.command()
@click.argument("connection", metavar="CONNECTION")
@click.option(
    "--force", is_flag=True, help="Also when the vendor cannot be told; then its webhook has to be removed there."
)
@click.pass_obj
def disconnect(settings: Settings, connection: str, force: bool) -> None:
    """End CONNECTION: remove its webhook at the vendor, forget its keys, take nothing from it any more.

    What came through it stays.
    """
    from hub import pulls  # noqa: PLC0415 - when it runs
    from hub.credentials import KINDS, Kept, hook_path  # noqa: PLC0415 - when it runs
    from hub.db import connections as stored  # noqa: PLC0415 - when it runs
    from hub.pull.interface import VendorError  # noqa: PLC0415 - when it runs

    async def work(tools: "Tools") -> None:
        row = await find(tools, connection)
        kept = tools.vault.open(row.source, row.credentials)
        to_do = ""
        try:
            async with pulls.vendor_of(tools, row, is_awaited=True) as api:
                to_do = await api.unregister(settings.url + hook_path(row.id, kept.token), row.forms)
        except pulls.NothingToPullError:
            to_do = "The hub has no key to remove a webhook with: if one delivers there, remove it at the tool."
        except VendorError as error:
            if not force:
                fail(
                    f"{error}\nNothing was changed. With --force the connection ends, and the webhook stays at the vendor."
                )
        forgotten = structs.asdict(tools.vault.columns(Kept(token=kept.token, credentials=KINDS[row.source]())))
        await stored.change(
            tools.pool,
            row.id,
            None,
            lambda found: structs.replace(found, status="revoked", pull_minutes=None, **forgotten),
        )
        click.echo(f"{row.name} is disconnected. What came through it stays.")
        if to_do:
            click.echo(to_do)

    run_with(settings, work)


async def find(tools: "Tools", text: str) -> "ConnectionRow":
    """The connection of an id or a name."""
    from hub.db import connections as stored  # noqa: PLC0415 - when it runs

    rows = await stored.listed(tools.pool)
    found = [row for row in rows if str(row.id) == text.lower()] or [
        row for row in rows if row.name == text and row.status != "revoked"
    ]
    if len(found) != 1:
        what = "Several connections have" if found else "No connection has"
        fail(f"{what} the name or id {text}. `hub connections list` shows them.")
    return found[0]


def run_with(settings: Settings, work: "Callable[[Tools], Awaitable[T]]") -> T:
    """What a command does with connections. What a vendor has to say against it is one line."""
    from hub import pulls  # noqa: PLC0415 - when it runs
    from hub.credentials import Vault  # noqa: PLC0415 - when it runs
    from hub.db import open_pool  # noqa: PLC0415 - when it runs
    from hub.db.erasures import Markers  # noqa: PLC0415 - when it runs
    from hub.pull.interface import VendorError  # noqa: PLC0415 - when it runs

    with migrated(settings) as dsn:
        secret_key = secret_of(settings, dsn)

        async def opened() -> T:
            pool = await open_pool(structs.replace(settings, database_url=dsn))
            try:
                return await work(
                    pulls.Tools(settings=settings, pool=pool, markers=Markers(secret_key), vault=Vault(secret_key))
                )
            except VendorError as error:
                fail(str(error))
            except pulls.NothingToPullError:
                fail("The connection has no key of its vendor's API.")
            finally:
                await pool.close()

        return run(opened())
