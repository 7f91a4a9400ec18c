"""`hub doctor`."""

import asyncio
import shutil
import sys
from datetime import timedelta

import click

from hub import embedded
from hub.cli.database import connect, open_database
from hub.settings import Settings

LEAST_FREE_BYTES = 1_000_000_000
MOST_SKEW = timedelta(seconds=2)
OLDEST_POSTGRES = 15


@click.command()
@click.pass_obj
def doctor(settings: Settings) -> None:
    """Check database, version, migrations, clock, queue and disk, and say what to do."""
    healthy = _check_disk(settings)
    if settings.database_url is None and not embedded.exists(settings.data_dir):
        healthy = _report(
            False,
            "database",
            f"none in {settings.data_dir.absolute()} yet",
            "run `hub serve`, or set DATABASE_URL or DATA_DIR",
        )
    else:
        healthy = _check_database(settings) and healthy
    sys.exit(0 if healthy else 1)


def _check_disk(settings: Settings) -> bool:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    state = f"{free / 1e9:.1f} GB free at {folder}"
    return _report(free >= LEAST_FREE_BYTES, "disk", state, "make room: Postgres stops when the disk is full")


def _check_database(settings: Settings) -> bool:
    import asyncpg  # noqa: PLC0415 - when it runs

    from hub.db import server  # noqa: PLC0415 - when it runs

    async def look(dsn: str) -> server.Server:
        async with connect(dsn) as connection:
            return await server.look(connection)

    where = "set DATABASE_URL" if settings.database_url else f"see {settings.data_dir.absolute() / 'postgres.log'}"
    try:
        with open_database(settings) as dsn:
            found = asyncio.run(look(dsn))
    except embedded.EmbeddedError as error:
        return _report(False, "database", str(error), where)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _report(False, "database", str(error), f"check that it runs and takes connections, or {where}")
    skew = abs(found.skew)
    lacking = f"not applied: {', '.join(found.pending)}" if found.pending else "all applied"
    return all(
        [
            _report(True, "database", "reachable", ""),
            _report(
                found.major >= OLDEST_POSTGRES,
                "version",
                f"Postgres {found.version}",
                f"use Postgres {OLDEST_POSTGRES} or newer",
            ),
            _report(not found.pending, "migrations", lacking, "run `hub migrate`"),
            _report(
                skew <= MOST_SKEW,
                "clock",
                f"{skew.total_seconds():.3f} s between this machine and the database",
                "run NTP on both: records are stamped by both",
            ),
            _report(
                not found.unattended,
                "queue",
                "nobody works it" if found.unattended else "nothing waits too long",
                "run `hub worker`, or `hub serve` without WORKER=off",
            ),
        ]
    )


def _report(healthy: bool, name: str, state: str, remedy: str) -> bool:
    click.echo(f"{'ok  ' if healthy else 'FAIL'}  {name:<10}  {state}")
    if not healthy:
        click.echo(f"{'':18}→ {remedy}")
    return healthy
