"""`hub migrate` and `hub psql`; how every command opens the database."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import click

from hub import embedded
from hub.cli.terminal import fail
from hub.settings import Settings

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")


def secret_of(settings: Settings, dsn: str) -> str:
    """The SECRET_KEY of this database; ends the command where it is another's, or none."""
    from hub import serve as server  # noqa: PLC0415 - when it runs

    try:
        secret_key = server.secret_of(settings)
        server.check_secret(dsn, secret_key)
    except server.StartError as error:
        fail(str(error))
    return secret_key


@click.command()
@click.option("--distributed", is_flag=True, help="Also distribute the tables by tenant_id. Needs the Citus extension.")
@click.pass_obj
def migrate(settings: Settings, distributed: bool) -> None:
    """Bring the database to this version's schema."""
    from hub.db.migrate import migrate as apply  # noqa: PLC0415 # so that `hub --version` is quick

    with database(settings) as dsn:
        report = run(apply(dsn, distributed=distributed))
    if distributed and not report.citus:
        fail("This database has no Citus extension: nothing was changed. `hub migrate` alone migrates it.")
    if report.newer:
        fail(f"A newer hub migrated this database ({', '.join(report.newer)}): nothing was changed.")
    for name in report.applied:
        click.echo(f"applied {name}")
    for table in report.distributed:
        click.echo(f"distributed {table}")
    for table in report.waiting:
        click.echo(f"{table} has rows and is not distributed: `hub migrate --distributed` does it")
    if not report.applied and not report.distributed:
        click.echo("Nothing to do.")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, arguments: tuple[str, ...]) -> None:
    """Open psql on the database. Arguments are passed on: hub psql -c 'select 1'."""
    with database(settings) as dsn:
        visible, password = without_password(dsn)
        # The bundled one knows no TLS, which another server may ask for; the system's may be older than the bundled server.
        system = shutil.which("psql") if settings.database_url else None
        program = system or str(embedded.program("psql"))
        variables = {**os.environ, **({"PGPASSWORD": password} if password is not None else {})}
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C ends a query there, not this command
        done = subprocess.run([program, "-d", visible, *arguments], env=variables, check=False)  # noqa: S603 # the operator's
    sys.exit(done.returncode)


def without_password(dsn: str) -> tuple[str, str | None]:
    """A DSN that may be seen in a list of processes, and its password."""
    parts = urlsplit(dsn)
    user, at, hosts = parts.netloc.rpartition("@")
    user, colon, password = user.partition(":")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    found = unquote(password) if colon else next((value for name, value in pairs if name == "password"), None)
    query = urlencode([pair for pair in pairs if pair[0] != "password"], safe="/:,")
    return urlunsplit((parts.scheme, f"{user}{at}{hosts}", parts.path, query, "")), found


@contextmanager
def open_database(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    from hub import serve as server  # noqa: PLC0415 - when it runs

    if not embedded.exists(settings.data_dir):
        made = settings.data_dir.absolute()
        click.echo(f"hub: no database in {made} yet; making one there. DATA_DIR chooses another folder.", err=True)
    # With room for the workers: a `hub serve` that starts meanwhile takes this server over.
    with embedded.running(settings.data_dir, connections=server.connections(settings)) as postgres:
        yield postgres.dsn


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    try:
        with open_database(settings) as dsn:
            yield dsn
    except embedded.EmbeddedError as error:
        fail(str(error))


@contextmanager
def migrated(settings: Settings) -> Iterator[str]:
    """The bundled database is brought up to date on the way; whoever runs their own decides when."""
    from hub.db import migrate as migrations  # noqa: PLC0415 - when it runs

    with database(settings) as dsn:
        if settings.database_url is None:
            run(migrations.migrate(dsn))
        elif missing := run(migrations.pending(dsn)):
            fail(f"The database lacks {', '.join(missing)}: run `hub migrate` first.")
        yield dsn


@asynccontextmanager
async def connect(dsn: str, **session: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    import asyncpg  # noqa: PLC0415 - when it runs

    connection = await asyncpg.connect(dsn, server_settings=session)
    try:
        yield connection
    finally:
        await connection.close()


def run(work: Coroutine[object, object, T]) -> T:
    """What a command does with the database. That it cannot be reached is one line, not a traceback."""
    import asyncpg  # noqa: PLC0415 - when it runs

    from hub.db.migrate import MigrationError  # noqa: PLC0415 - when it runs

    try:
        return asyncio.run(work)
    except OSError as error:
        fail(f"DATABASE_URL: the database cannot be reached ({error})")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fail(f"DATABASE_URL: the database cannot be used ({error})")
    except MigrationError as error:
        fail(f"The database cannot be migrated: {error}")
