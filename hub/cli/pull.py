"""`hub pull`."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hub.cli.connections import find, run_with
from hub.cli.terminal import counted, fail
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.db.connections import ConnectionRow
    from hub.pulls import Tools


class Since(click.ParamType[datetime]):
    name = "90d|12h|2026-01-31"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            if match := re.fullmatch(r"(\d+)([dh])", str(value)):
                # Whole days and hours, so that the same command goes on with what was broken off.
                now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
                if match[2] == "h":
                    return now - timedelta(hours=int(match[1]))
                return now.replace(hour=0) - timedelta(days=int(match[1]))
            moment = datetime.fromisoformat(str(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a time back from now (90d, 12h) nor a date (2026-01-31)", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.argument("connection", metavar="CONNECTION")
@click.option(
    "--since", type=Since(), help="From then on, a time back from now or a date (in UTC), instead of what is new."
)
@click.pass_obj
def pull(settings: Settings, connection: str, since: datetime | None) -> None:
    """Fetch the answers of CONNECTION, an id or a name, from its vendor: all at first, then what is new.

    A pull that was broken off goes on where it stopped.
    """

    async def work(tools: "Tools") -> None:
        row = await find(tools, connection)
        if row.status == "revoked":
            fail(f"{row.name} is disconnected.")
        await fetch(tools, row, since)

    run_with(settings, work)


async def fetch(tools: "Tools", row: "ConnectionRow", since: datetime | None = None) -> None:
    """Pulls a connection, and shows how far it is."""
    from hub import progress, pulls  # noqa: PLC0415 - when it runs
    from hub.db import pulls as stored  # noqa: PLC0415 - when it runs

    fetched = kept = removed = 0
    async with stored.alone(tools.pool, row.id) as is_alone:
        if not is_alone:
            fail(f"{row.name} is being pulled at this moment.")
        async with pulls.vendor_of(tools, row) as api:
            forms = await pulls.chosen(row, api)
            for form in forms:
                step = pulls.Step(fetched=0)
                with progress.Meter(sys.stderr, f"responses to {form.name or form.id}", None) as meter:
                    async for step in pulls.pull(tools, row, api, form, since, compare=True):
                        meter.expect(step.total)
                        meter.advance(step.fetched, step.fetched)
                fetched, kept, removed = fetched + step.fetched, kept + step.kept, removed + step.removed
    click.echo(f"{counted(fetched, 'response')} to {counted(len(forms), 'survey')} fetched.")
    if kept:
        click.echo(
            f"{counted(kept, 'response')} could not be stored: `hub rejects list --connection {row.id}` tells why."
        )
    if removed:
        click.echo(f"{counted(removed, 'response')} removed, which the vendor has deleted.")
