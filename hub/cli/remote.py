"""Commands that talk to a running hub."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hub.cli.terminal import fail
from hub.settings import Settings

if TYPE_CHECKING:
    from hub import client


def at_a_hub(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that talks to a running hub."""
    url = click.option("--url", help="Where the hub answers. PUBLIC_BASE_URL without it, or http://HOST:PORT.")
    key = click.option("--key", help="API_KEY without it, or the one in DATA_DIR.")
    return url(key(command))


@contextmanager
def hub_client(settings: Settings, url: str | None, key: str | None) -> "Iterator[client.Client]":
    """A client of the hub that the options, or else the settings, name. That it refuses or is away is one line."""
    from hub import client  # noqa: PLC0415 - when it runs

    url = url or settings.url
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url} is no http or https URL", param_hint="--url")
    key = key or client.api_key(settings)
    if not key:
        raise click.UsageError(f"No key: give --key, set API_KEY, or DATA_DIR (no api_key in {settings.data_dir})")
    try:
        with client.Client(url, key, tell=lambda text: click.echo(f"hub: {text}", err=True)) as connected:
            yield connected
    except client.RefusedError as error:
        fail(f"{url} refused: {error}")
    except client.UnreachableError as error:
        fail(str(error))
