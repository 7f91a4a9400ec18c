"""`hub user-id`."""

import re

import click

from hub import embedded
from hub.cli.database import migrated, secret_of
from hub.cli.terminal import fail
from hub.settings import Settings


@click.command("user-id")
@click.argument("address")
@click.pass_obj
def user_id(settings: Settings, address: str) -> None:
    """Say which user an e-mail ADDRESS stands for, where nothing else names them: for whoever asks to be erased.

    It runs where the hub does, with its environment: with another SECRET_KEY nobody would be found, and nothing erased.
    """
    from hub.db.erasures import Markers  # noqa: PLC0415 - when it runs
    from hub.sources.values import one_spelling  # noqa: PLC0415 - when it runs

    spelled = one_spelling(address)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", spelled):
        raise click.BadParameter(f"{address!r} is no e-mail address.", param_hint="ADDRESS")
    folder = settings.data_dir.absolute()
    if settings.database_url is None and not embedded.exists(settings.data_dir):
        fail(f"No database whose key it could be: set DATABASE_URL, or DATA_DIR (none in {folder})")
    if settings.secret_key is None and not (settings.data_dir / "secret_key").exists():
        fail(f"No key: set SECRET_KEY, or DATA_DIR (no secret_key in {folder})")
    with migrated(settings) as dsn:
        secret_key = secret_of(settings, dsn)
    click.echo(Markers(secret_key).address(spelled))
