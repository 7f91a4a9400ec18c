"""`hub serve`."""

import signal
import sys

import click

from hub import embedded
from hub.cli.terminal import fail
from hub.settings import Settings


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve in the foreground until Ctrl-C or SIGTERM."""
    from hub import serve as server  # noqa: PLC0415 # the other commands do without

    try:
        server.serve(settings)
    except (server.StartError, embedded.EmbeddedError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
