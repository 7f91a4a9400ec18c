"""`hub import-hub`."""

import sys
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

import click

from hub.cli.database import connect, migrated, run
from hub.cli.remote import hub_client
from hub.cli.terminal import fail, print_table
from hub.settings import Settings

if TYPE_CHECKING:
    import asyncpg

    from hub import client
    from hub import import_hub as moving


@click.command("import-hub")
@click.option("--from", "url", metavar="URL", help="Where the other hub answers.")
@click.option(
    "--key", envvar="FROM_API_KEY", help="Its key. Better in FROM_API_KEY, where no list of processes shows it."
)
@click.option("--database", metavar="DSN", envvar="FROM_DATABASE_URL", help="Instead of --from: its Postgres.")
@click.option("--tenant", "tenants", multiple=True, help="May be repeated. With --database all of them without it.")
@click.option("--restart", is_flag=True, help="Begin again, instead of where an interrupted run ended.")
@click.pass_obj
def import_hub(  # noqa: PLR0913, PLR0917 - what a command line gives
    settings: Settings,
    /,
    url: str | None,
    key: str | None,
    database: str | None,
    tenants: tuple[str, ...],
    restart: bool,
) -> None:
    """Move the records of a Formbricks Hub into this hub's database.

    They keep their ids and times. Run again it catches up: with what is new, changed or deleted there since.
    """
    if bool(url) == bool(database):
        raise click.UsageError("Say where from: --from URL with --key and --tenant, or --database DSN")
    if url and not (key and tenants):
        raise click.UsageError("--from needs --key, and --tenant at least once: no hub lists its tenants")
    with ExitStack() as stack:
        # Their key is asked for above: ours must not go there.
        there: client.Client | str = database or ""
        if url:
            there = stack.enter_context(hub_client(settings, url, key))
        dsn = stack.enter_context(migrated(settings))
        results = run(_import(dsn, there, list(dict.fromkeys(tenant.strip() for tenant in tenants)), restart=restart))
    rows: list[tuple[str, ...]] = [
        ("TENANT", "THERE", "READ", "REJECTED", "HERE", "CHECKSUM THERE", "CHECKSUM HERE", "")
    ]
    rows += [_import_row(result) for result in results]
    print_table(rows)
    counts = sum((Counter(result.state.counts) for result in results), Counter[str]())
    click.echo(", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "Nothing to move.")
    if counts["rejected"]:
        click.echo("What was rejected is kept, with the reason: `hub rejects list` shows it.", err=True)
    if counts["kept"]:
        click.echo("Records changed here since they came are kept as they are, so the checksums differ.", err=True)
    sys.exit(0 if not counts["rejected"] and all(result.same for result in results) else 1)


async def _import(dsn: str, there: "client.Client | str", tenants: list[str], *, restart: bool) -> "list[moving.Moved]":
    """`there` is a hub, or the DSN of its database."""
    from hub import import_hub as moving  # noqa: PLC0415 - when it runs
    from hub.db import imports  # noqa: PLC0415 - when it runs
    from hub.progress import Meter  # noqa: PLC0415 - when it runs

    results: list[moving.Moved] = []
    hub_id = imports.identity(moving.address(there if isinstance(there, str) else there.url))
    async with AsyncExitStack() as stack:
        other: moving.OtherHub
        if isinstance(there, str):
            theirs = imports.TheirDatabase(await _open_theirs(stack, there))
            other, tenants = theirs, tenants or await theirs.tenants()
        else:
            other = await moving.OverHttp.open(there, tenants[0])
        connection = await stack.enter_async_context(connect(dsn, **imports.SESSION))
        for tenant in tenants:
            with Meter(sys.stderr, f"records of {tenant}", await other.count(tenant)) as meter:

                def advance(state: imports.State, meter: Meter = meter) -> None:
                    meter.advance(state.read, state.read)

                move = imports.Move(hub_id, tenant)
                results.append(await moving.run(connection, other, move, restart=restart, advance=advance))
    return results


async def _open_theirs(stack: AsyncExitStack, dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Another hub's, which nothing may change."""
    import asyncpg  # noqa: PLC0415 - when it runs

    from hub.db import imports  # noqa: PLC0415 - when it runs

    try:
        return await stack.enter_async_context(connect(dsn, **imports.SESSION, default_transaction_read_only="on"))
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fail(f"--database: it cannot be reached ({error})")


def _import_row(moved: "moving.Moved") -> tuple[str, ...]:
    state = moved.state
    numbers = (moved.there, state.read, state.counts.get("rejected", 0), moved.here.count)
    sums = (f"{state.checksum:016x}", f"{moved.here.checksum:016x}")
    return (moved.tenant_id, *(f"{number:,}" for number in numbers), *sums, "same" if moved.same else "DIFFERS")
