"""`hub worker`."""

import asyncio
import os

import click
from msgspec import structs

from hub import settings as environment
from hub.cli.database import migrated, secret_of
from hub.settings import Settings


@click.command()
@click.pass_obj
def worker(settings: Settings) -> None:
    """Do what is queued, until Ctrl-C or SIGTERM: where `hub serve` runs with WORKER=off."""
    with migrated(settings) as dsn:
        secret_key = secret_of(settings, dsn)
        _work(structs.replace(settings, database_url=dsn, secret_key=secret_key))


def supervised(supervisor: int) -> None:
    """The same as a child of `hub serve`, which has prepared the environment."""
    from hub import lifeline  # noqa: PLC0415 - when it runs

    lifeline.hold(supervisor)
    _work(environment.read(os.environ))


def _work(settings: Settings) -> None:
    from hub import jobs  # noqa: PLC0415 - when it runs
    from hub.api import logs  # noqa: PLC0415 - when it runs

    logs.configure(settings.log_level)
    asyncio.run(jobs.work(settings))
