"""The command `hub`, one module a topic. Each imports what it runs when it runs, so that `hub --version` is quick."""

import os
import signal
import sys

import click

import hub
from hub import settings as environment
from hub.cli import (
    backfill,
    bi,
    connect,
    connections,
    database,
    demo,
    doctor,
    export,
    import_hub,
    keys,
    map,  # noqa: A004 - a command
    pull,
    reflatten,
    rejects,
    serve,
    user_id,
    worker,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hub.__version__, prog_name="hub", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Customer feedback in, one record per answered field.

    Settings come from the environment: API_KEY, DATABASE_URL, HOST, PORT, DATA_DIR and others. Without DATABASE_URL the
    bundled Postgres in DATA_DIR is used, and started if it does not run.
    """
    # Even then the database that this command started has to be stopped again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        context.obj = environment.read(os.environ)
    except environment.InvalidSettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


for command in (
    serve.serve,
    database.migrate,
    database.psql,
    doctor.doctor,
    demo.demo,
    keys.keys,
    bi.bi,
    backfill.backfill,
    map.propose,
    export.export,
    import_hub.import_hub,
    reflatten.reflatten,
    rejects.rejects,
    worker.worker,
    connect.connect,
    connections.connections,
    pull.pull,
    user_id.user_id,
):
    main.add_command(command)
