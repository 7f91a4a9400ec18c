"""`hub reflatten`."""

import sys
from typing import TYPE_CHECKING

import click
from msgspec import structs

import hub
from hub.cli.database import migrated, run
from hub.cli.terminal import fail
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.db import submissions


@click.command()
@click.argument("source", required=False)
@click.option("--form", "form_id", help="Only the submissions of this form.")
@click.option("--tenant", "tenant_id", help="Only the submissions of this tenant.")
@click.pass_obj
def reflatten(settings: Settings, source: str | None, form_id: str | None, tenant_id: str | None) -> None:
    """Make the records of kept payloads anew, all or those of SOURCE.

    Not needed after a definition has come: that flattens by itself. A run that was broken off goes on where it stopped.
    """
    from hub import progress, snapshots  # noqa: PLC0415 - when it runs
    from hub import serve as server  # noqa: PLC0415 - when it runs
    from hub.db import erasures, open_pool, submissions  # noqa: PLC0415 - when it runs
    from hub.sources import SOURCES  # noqa: PLC0415 - when it runs

    if source is not None and source not in SOURCES:
        raise click.BadParameter(f"there is no source {source!r}; there are {', '.join(SOURCES)}", param_hint="SOURCE")
    selection = submissions.Selection(source=source, form_id=form_id, tenant_id=tenant_id)

    def again(tenant: str, name: str) -> "submissions.Again[submissions.Flattened] | None":
        return snapshots.again(tenant, name) if name in SOURCES else None

    async def work(dsn: str, secret_key: str) -> tuple[int, int] | None:
        markers = erasures.Markers(secret_key)
        pool = await open_pool(structs.replace(settings, database_url=dsn, database_max_conns=1))
        try:
            async with pool.acquire() as connection:
                if not await erasures.is_known(connection, markers):
                    return None
            extent = await submissions.extent(pool, selection)
            done: int | None = None
            with progress.Meter(sys.stderr, "submissions", extent.kept) as meter:
                async for reached in submissions.flatten_selected(pool, markers, selection, hub.__version__, again):
                    if done is None:  # what an earlier run did, which is not this one's pace
                        meter.begin(reached)
                    done = reached
                    meter.advance(done, done)
            return done or 0, extent.expired
        finally:
            await pool.close()

    with migrated(settings) as dsn:
        try:
            secret_key = server.secret_of(settings)
        except server.StartError as error:
            fail(str(error))
        counts = run(work(dsn, secret_key))
    if counts is None:
        fail(
            "SECRET_KEY: this database is used with another one, so what was erased cannot be told. Set it to that one."
        )
    click.echo(f"{counts[0]} submissions flattened again.")
    if counts[1]:
        click.echo(f"{counts[1]} submissions stay as they are: their payloads are gone (retention).")
