"""`hub keys`."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hub.cli.database import connect, migrated, run
from hub.cli.terminal import fail, minute, print_table
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.db import keys as stored


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


class Expiry(click.ParamType[datetime]):
    name = "90d|12h|2027-01-01"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        now = datetime.now(UTC)
        try:
            if match := re.fullmatch(r"(\d+)([dh])", str(value)):
                moment = now + int(match[1]) * (timedelta(days=1) if match[2] == "d" else timedelta(hours=1))
            else:
                moment = datetime.fromisoformat(str(value))
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a time from now (90d, 12h) nor a date (2027-01-01)", param, ctx)
        if moment <= now:
            self.fail(f"{value!r} is in the past", param, ctx)
        return moment


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "write", "admin"]),
    help="May be repeated.",
)
@click.option("--tenant", help="The only tenant this key works for. All tenants without it.")
@click.option("--expires", type=Expiry(), help="A time from now, or a date (in UTC). Never without it.")
@click.pass_obj
def create(
    settings: Settings, name: str, scopes: tuple[str, ...], tenant: str | None, expires: datetime | None
) -> None:
    """Create a key and show it, this once."""
    from hub.db import keys as stored  # noqa: PLC0415 - when it runs

    if not name.strip() or (tenant is not None and not tenant.strip()):
        raise click.UsageError("NAME and --tenant may not be blank")

    async def make(dsn: str) -> str:
        async with connect(dsn) as connection:
            key, _ = await stored.create(
                connection,
                name=name.strip(),
                scopes=sorted(set(scopes)),
                tenant_id=tenant and tenant.strip(),
                expires_at=expires,
            )
            return key

    with migrated(settings) as dsn:
        key = run(make(dsn))
    click.echo("The key, shown only now:", err=True)
    click.echo(key)


@keys.command("list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the keys, without their text."""
    from hub.db import keys as stored  # noqa: PLC0415 - when it runs

    async def read(dsn: str) -> list[stored.KeyInfo]:
        async with connect(dsn) as connection:
            return await stored.listed(connection)

    with migrated(settings) as dsn:
        found = run(read(dsn))
    rows: list[tuple[str, ...]] = [
        ("PREFIX", "NAME", "SCOPES", "TENANT", "CREATED", "EXPIRES", "REVOKED", "LAST USED", "ID")
    ]
    for key in found:
        times = [minute(moment) for moment in (key.created_at, key.expires_at, key.revoked_at, key.last_used_at)]
        rows.append((key.prefix, key.name, ",".join(key.scopes), key.tenant_id or "-", *times, str(key.id)))
    print_table(rows)


@keys.command()
@click.argument("key", metavar="ID|PREFIX")
@click.pass_obj
def revoke(settings: Settings, key: str) -> None:
    """Revoke a key. It stops working everywhere within seconds."""
    from hub.db import keys as stored  # noqa: PLC0415 - when it runs

    async def end(dsn: str) -> "stored.KeyInfo | None":
        async with connect(dsn) as connection:
            return await stored.revoke(connection, key)

    with migrated(settings) as dsn:
        revoked = run(end(dsn))
    if revoked is None:
        fail(f"No key in use has the id or prefix {key}. `hub keys list` shows them.")
    click.echo(f"Revoked {revoked.prefix} ({revoked.name}).")
