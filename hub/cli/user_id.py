"""`hub user-id`."""

import click

from hub.cli.terminal import fail
from hub.settings import Settings


@click.command("user-id")
@click.argument("address")
@click.pass_obj
def user_id(settings: Settings, address: str) -> None:
    """Say which user an e-mail ADDRESS stands for, where nothing else names them: for whoever asks to be erased."""
    from hub import serve as server  # noqa: PLC0415
    from hub.db.erasures import Markers  # noqa: PLC0415
    from hub.sources.values import one_spelling  # noqa: PLC0415

    if settings.secret_key is None and not (settings.data_dir / "secret_key").exists():
        fail(f"No key: set SECRET_KEY, or DATA_DIR (no secret_key in {settings.data_dir.absolute()})")
    try:
        secret_key = server.secret_of(settings)
    except server.StartError as error:
        fail(str(error))
    click.echo(Markers(secret_key).address(one_spelling(address)))
