"""`hub rejects`."""

import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

import click

from hub.cli.remote import at_a_hub, hub_client
from hub.cli.terminal import minute, print_table
from hub.settings import Settings

if TYPE_CHECKING:
    from hub import client, model

_GONE = 404
_RETRIED = {400: "still wrong", 422: "still wrong", 409: "there already", _GONE: "gone"}


@click.group()
def rejects() -> None:
    """List, export and retry what batches and connections could not store."""


def _which_rejects(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--until", help="Rejected until then (RFC 3339)."),
        click.option("--since", help="Rejected since then (RFC 3339)."),
        click.option("--tenant", "tenant_id", help="Of this tenant."),
        click.option("--connection", "connection_id", help="Of this connection."),
        click.option("--batch", "batch_id", help="Of this batch."),
    ):
        command = option(command)
    return command


def _rejects(connected: "client.Client", **which: str | None) -> Iterator["model.Reject"]:
    """All of them, read page by page."""
    import msgspec  # noqa: PLC0415 - when it runs

    from hub.api.rejects import RejectPage  # noqa: PLC0415 - when it runs

    query = {name: value for name, value in which.items() if value is not None}
    while True:
        answer = connected.request("GET", "/v1/rejects", query={**query, "limit": "1000"})
        page = msgspec.json.decode(answer.content, type=RejectPage)
        yield from page.data
        if not isinstance(page.next_cursor, str):
            return
        query["cursor"] = page.next_cursor


@rejects.command("list")
@_which_rejects
@at_a_hub
@click.pass_obj
def list_rejects(settings: Settings, /, url: str | None, key: str | None, **which: str | None) -> None:
    """List what was rejected and why, the oldest first."""
    import msgspec  # noqa: PLC0415 - when it runs

    from hub.client import Problem  # noqa: PLC0415 - when it runs

    with hub_client(settings, url, key) as connected:
        rows: list[tuple[str, ...]] = [("ID", "FROM", "AT", "TENANT", "WHEN", "WHY")]
        for reject in _rejects(connected, **which):
            why = msgspec.structs.replace(msgspec.json.decode(reject.problem, type=Problem), request_id="")
            tenant = reject.tenant_id or "-"
            rows.append((
                str(reject.id), str(reject.batch_id or reject.connection_id), str(reject.position), tenant, minute(reject.created_at), str(why)
            ))  # fmt: skip
    print_table(rows)


@rejects.command()
@_which_rejects
@at_a_hub
@click.pass_obj
def export(settings: Settings, /, url: str | None, key: str | None, **which: str | None) -> None:
    """Write the rejected items to standard output as NDJSON, to be corrected and sent again.

    An item that is no JSON is a line with its text as a JSON string.
    """
    from hub.api.rejects import line  # noqa: PLC0415 - when it runs

    with hub_client(settings, url, key) as connected:
        for reject in _rejects(connected, **which):
            click.echo(line(reject.raw))


@rejects.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--record", type=click.File("rb"), help="The corrected record, for one ID. - is standard input.")
@click.option("--all", "everything", is_flag=True, help="Every reject there is, without an ID or a selection.")
@_which_rejects
@at_a_hub
@click.pass_obj
def retry(  # noqa: PLR0913, PLR0917 - what a command line gives
    settings: Settings, /, url: str | None, key: str | None, ids: tuple[str, ...], record: IO[bytes] | None,
    everything: bool, **which: str | None,
) -> None:  # fmt: skip
    """Store rejects after all: as they were, or corrected.

    What is stored is no reject any more. What cannot be, or has a record of the same tenant, submission and field already, stays.
    """
    from hub.client import RefusedError  # noqa: PLC0415 - when it runs

    selected = any(value is not None for value in which.values())
    if sum((bool(ids), selected, everything)) != 1:
        raise click.UsageError("Give IDs, or a selection (--batch, --connection, --tenant, --since, --until), or --all")
    if record is not None and len(ids) != 1:
        raise click.UsageError("--record needs one ID")
    body = None if record is None else record.read()
    counts = {"stored": 0, "there already": 0, "gone": 0, "still wrong": 0}
    with hub_client(settings, url, key) as connected:
        # All are listed first: none is tried twice because it stayed.
        for reject_id in ids or [str(reject.id) for reject in _rejects(connected, **which)]:
            try:
                connected.request("POST", f"/v1/rejects/{reject_id}/retry", body=body)
                counts["stored"] += 1
            except RefusedError as error:
                if error.problem.status not in _RETRIED:
                    raise
                counts[_RETRIED[error.problem.status]] += 1
                if error.problem.status != _GONE:
                    click.echo(f"{reject_id}  {error}", err=True)
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items() if count) or "Nothing to do.")
    sys.exit(1 if counts["still wrong"] else 0)
