"""`hub bi`."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import click

from hub.cli.database import connect, migrated, run
from hub.cli.terminal import fail, print_table
from hub.settings import Settings

_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
# What of a DSN says who connects. In its query it would win over what stands before the host.
_OWN = ("user", "password", "passfile", "sslpassword")


@click.group()
def bi() -> None:
    """Roles for BI tools, which read the views of the schema analytics."""


class Role(click.ParamType[str]):
    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _NAME.fullmatch(str(value)):
            self.fail("Expected lower-case letters, digits and _, at most 63, not beginning with pg_", param, ctx)
        return str(value)


@bi.command("create-reader")
@click.argument("name", type=Role())
@click.option("--tenant", "tenants", multiple=True, required=True, help="Whose answers it sees. May be repeated.")
@click.pass_obj
def create_reader(settings: Settings, name: str, tenants: tuple[str, ...]) -> None:
    """Create a role that reads the views, for its tenants only, and show how to connect, this once."""
    import asyncpg  # noqa: PLC0415 - when it runs

    from hub.db import bi as stored  # noqa: PLC0415 - when it runs
    from hub.db.migrate import HAS_CITUS  # noqa: PLC0415 - when it runs

    wanted = [tenant.strip() for tenant in tenants]
    if not all(wanted):
        raise click.UsageError("--tenant may not be blank")

    async def make(dsn: str) -> str:
        async with connect(dsn) as connection:
            if await connection.fetchval(HAS_CITUS):
                fail("On Citus a reader would need the tables themselves, and see every tenant: nothing was made.")
            try:
                return await stored.create_reader(connection, name, wanted)
            except asyncpg.DuplicateObjectError:
                fail(f"There is a role {name} already: choose another name, or `hub bi drop-reader {name}` first.")
            except asyncpg.InsufficientPrivilegeError:
                fail(
                    "The hub's database user may not create roles. An administrator can let it: alter role … createrole"
                )

    with migrated(settings) as dsn:
        password = run(make(dsn))
    click.echo("How to connect, shown only now:", err=True)
    click.echo(address_of(dsn, name, password))


def address_of(dsn: str, name: str, password: str) -> str:
    """Where the database is, with a name and a password in the place of the hub's own, wherever those stand."""
    parts = urlsplit(dsn)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([pair for pair in pairs if pair[0] not in _OWN], safe="/:,")
    return urlunsplit((parts.scheme, f"{name}:{password}@{parts.netloc.rpartition('@')[2]}", parts.path, query, ""))


@bi.command("readers")
@click.pass_obj
def readers(settings: Settings) -> None:
    """List the readers and their tenants."""
    from hub.db import bi as stored  # noqa: PLC0415 - when it runs

    async def read(dsn: str) -> list[tuple[str, list[str]]]:
        async with connect(dsn) as connection:
            return await stored.readers(connection)

    with migrated(settings) as dsn:
        found = run(read(dsn))
    print_table([("NAME", "TENANTS"), *((name, ", ".join(tenants)) for name, tenants in found)])


@bi.command("drop-reader")
@click.argument("name", type=Role())
@click.pass_obj
def drop_reader(settings: Settings, name: str) -> None:
    """Drop a reader. Connections it has open see nothing any more."""
    import asyncpg  # noqa: PLC0415 - when it runs

    from hub.db import bi as stored  # noqa: PLC0415 - when it runs

    async def end(dsn: str) -> bool:
        async with connect(dsn) as connection:
            try:
                return await stored.drop_reader(connection, name)
            except asyncpg.DependentObjectsStillExistError:
                fail(f"{name} owns something in this database, or was granted more: drop or revoke that first.")

    with migrated(settings) as dsn:
        if not run(end(dsn)):
            fail(f"There is no reader {name}. `hub bi readers` shows them.")
    click.echo(f"Dropped {name}.")
