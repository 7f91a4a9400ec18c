"""`hub backfill`."""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import structs

from hub.cli.remote import at_a_hub, hub_client
from hub.cli.terminal import fail
from hub.settings import Settings

if TYPE_CHECKING:
    from hub import backfill as job
    from hub.model import OnConflict

_MOST_COMPLAINTS = 10
_COUNTS = (
    "received", "submissions", "records", "created", "updated", "unchanged", "skipped", "duplicate", "deleted", "stale", "rejected",
)  # fmt: skip


@click.command()
@click.argument("file", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--source", help="records, csv, or a source of GET /v1/sources. [default: csv for a name with .csv, else records]"
)
@click.option(
    "--map",
    "mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How to read a CSV file with columns of its own: see `hub map`.",
)
@click.option("--form", "form_id", help="The form of payloads that do not name theirs.")
@click.option("--tenant", "tenant_id", help="The tenant of records, which need not name it, or of payloads.")
@click.option(
    "--on-conflict",
    type=click.Choice(["skip", "update", "error"]),
    help="What to do with records that are there already. [default: skip]",
)
@click.option(
    "--dry-run", is_flag=True, help="Check everything, store nothing. With --map, print the records it would make."
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where to write what was rejected, to be corrected and sent again.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted backfill of this file ended.")
@at_a_hub
@click.pass_obj
def backfill(  # noqa: PLR0913, PLR0917 - what a command line gives
    settings: Settings, /, file: Path, source: str | None, mapping: Path | None, form_id: str | None, tenant_id: str | None,
    on_conflict: "OnConflict | None", dry_run: bool, rejects: Path | None, resume: bool, url: str | None, key: str | None,
) -> None:  # fmt: skip
    """Send a file of records or payloads to a running hub, in chunks.

    Plain, gzip or zstd. Sent again it changes nothing: what the hub has is skipped.
    """
    from hub import backfill as job  # noqa: PLC0415 - when it runs

    if resume and str(file) == "-":
        raise click.UsageError("--resume needs a file: a stream cannot be read again")
    if resume and dry_run:
        raise click.UsageError("--resume does not go with --dry-run, which stores nothing to go on from")
    if rejects is not None:
        _check_rejects(rejects, file, mapping)
    source = source or ("csv" if mapping or ".csv" in Path(file.name).suffixes else "records")
    _check_source(source, form_id, on_conflict, dry_run=dry_run, mapped=mapping is not None)
    plan = job.Plan(
        source=source, tenant_id=tenant_id, form_id=form_id, on_conflict=on_conflict or "skip", dry_run=dry_run
    )
    if mapping is not None:
        plan = _mapped(plan, mapping)
    if mapping is not None and dry_run:
        state = _try(file, plan, rejects)
    else:
        state = _send(settings, file, plan, url=url, key=key, resume=resume, rejects=rejects)
    if not state.items:
        click.echo(f"hub: {file} has nothing to send", err=True)
    # Where the records are printed, they alone are.
    for name, number in _in_order(state.counts):
        click.echo(f"{name:<24}{number:>12,}", err=mapping is not None and dry_run)
    if plan.dry_run:
        click.echo("Nothing was stored: this was a dry run.", err=mapping is not None)
    sys.exit(1 if job.lost(state.counts) else 0)


def _mapped(plan: "job.Plan", mapping: Path) -> "job.Plan":
    from hub import tables  # noqa: PLC0415 - when it runs

    text = mapping.read_bytes()
    try:
        form_id = tables.MappingFile(text, plan.form_id).form_id
    except tables.UnusableMappingError as error:
        raise click.BadParameter(f"{mapping}: {error}", param_hint="--map") from None
    return structs.replace(plan, form_id=form_id, mapping=text.decode())


def _send(  # noqa: PLR0913 - what a command line gives
    settings: Settings,
    file: Path,
    plan: "job.Plan",
    *,
    url: str | None,
    key: str | None,
    resume: bool,
    rejects: Path | None,
) -> "job.State":
    from hub import backfill as job  # noqa: PLC0415 - when it runs
    from hub import tables  # noqa: PLC0415 - when it runs

    with hub_client(settings, url, key) as client:
        # A key that may only write is enough for records.
        if plan.source not in job.OWN_SOURCES and plan.source not in (known := job.sources(client)):
            raise click.BadParameter(f"{plan.source} is none of {', '.join(known)}", param_hint="--source")
        ledger = None if str(file) == "-" or plan.dry_run else job.Ledger(_cache(), file, plan, client.url)
        start = ledger.load() if ledger and resume else job.State()
        if rejects is not None and not start.rejects_are_in(rejects):
            raise click.UsageError(
                f"What was rejected before it was broken off is not in {rejects}: "
                "go on with the --rejects it had, or repeat it without --resume"
            )
        if plan.mapping is None:
            upload = job.upload_for(client, plan)
        else:
            upload = tables.TableUpload(client, plan, tables.MappingFile(plan.mapping.encode(), plan.form_id))
            upload.prepare()
        state = _backfill(upload, file, plan, start=start, ledger=ledger, rejects=rejects)
    if ledger is not None:
        ledger.close()
    return state


def _try(file: Path, plan: "job.Plan", rejects: Path | None) -> "job.State":
    """A mapping is tried without a hub."""
    from hub import backfill as job  # noqa: PLC0415 - when it runs
    from hub import tables  # noqa: PLC0415 - when it runs

    assert plan.mapping is not None  # noqa: S101 - or there would be nothing to try
    upload = tables.Trial(
        plan,
        tables.MappingFile(plan.mapping.encode(), plan.form_id),
        lambda record: click.echo(msgspec.json.encode(record)),
    )
    return _backfill(upload, file, plan, start=job.State(), ledger=None, rejects=rejects)


def _check_source(source: str, form_id: str | None, on_conflict: str | None, *, dry_run: bool, mapped: bool) -> None:
    """What cannot be meant is a mistake to be told, not an option to be ignored."""
    from hub.backfill import OWN_SOURCES  # noqa: PLC0415 - when it runs

    if mapped and source != "csv":
        raise click.UsageError("--map is for CSV files")
    own = source in OWN_SOURCES and not mapped
    if own and form_id:
        raise click.UsageError("--form is for payloads of a survey tool; records name their field themselves")
    if not own and dry_run and not mapped:
        raise click.UsageError("--dry-run is for records and csv; payloads have none")
    if not own and on_conflict:
        raise click.UsageError("--on-conflict is for records and csv; a payload is a snapshot of its submission")


def _check_rejects(rejects: Path, file: Path, mapping: Path | None) -> None:
    """By whatever name: writing the rejects would empty what is read."""
    read = [os.fstat(sys.stdin.fileno()) if str(file) == "-" else file.stat()]
    if mapping is not None:
        read.append(mapping.stat())
    with suppress(FileNotFoundError):  # then it is none of them
        if any(os.path.samestat(each, rejects.stat()) for each in read):
            raise click.UsageError(f"--rejects {rejects} is what is read, and would be overwritten")


def _backfill(  # noqa: PLR0913 - the parts of a backfill
    upload: "job.Upload", file: Path, plan: "job.Plan", *,
    start: "job.State", ledger: "job.Ledger | None", rejects: Path | None,
) -> "job.State":  # fmt: skip
    from hub import backfill as job  # noqa: PLC0415 - when it runs
    from hub.client import RefusedError, UnreachableError  # noqa: PLC0415 - when it runs
    from hub.progress import Meter  # noqa: PLC0415 - when it runs

    piped = str(file) == "-"
    complaints = iter(range(_MOST_COMPLAINTS))
    state = start

    def complain(failure: job.Failure) -> None:
        if next(complaints, None) is not None:
            click.echo(f"rejected: {failure.item.line}: {failure.reason}", err=True)

    with (
        nullcontext(sys.stdin.buffer) if piped else file.open("rb") as stream,
        Meter(sys.stderr, "items", None if piped else file.stat().st_size) as meter,
    ):
        meter.begin(start.items)

        def advance(reached: job.State, position: int) -> None:
            nonlocal state
            state = reached
            if ledger is not None:
                _keep_state(ledger, reached)
            meter.advance(reached.items, position)

        try:
            kept = job.Rejects(rejects)
        except job.UnwritableFileError as error:
            fail(str(error))
        # Of a key that comes twice the last one has to arrive last; and what is shown is shown in order.
        in_flight = 1 if plan.on_conflict == "update" or (plan.mapping and plan.dry_run) else job.IN_FLIGHT
        again = "" if ledger is None else "; --resume goes on from there"
        try:
            return job.run(
                job.Input(stream), upload, start, kept, in_flight=in_flight, advance=advance, complain=complain
            )
        except (RefusedError, UnreachableError, KeyboardInterrupt, SystemExit):
            if state.items:
                click.echo(f"hub: broken off after {state.items:,} items{again}", err=True)
            raise
        except job.UnusableFileError as error:
            fail(f"{file}: {error}. {state.items:,} items before were sent{again}")
        except job.UnwritableFileError as error:
            fail(f"{error}. {state.items:,} items before were sent{again}")
        finally:
            kept.close()


def _keep_state(ledger: "job.Ledger", state: "job.State") -> None:
    # Where nothing can be written a backfill goes through all the same, only without --resume.
    with suppress(OSError):
        ledger.save(state)


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path("~/.cache").expanduser()) / "feedback-hub" / "backfill"


def _in_order(counts: dict[str, int]) -> Iterator[tuple[str, int]]:
    """What happened, the common things first; zeros only where they answer a question."""
    for name in [*_COUNTS, *sorted(counts.keys() - set(_COUNTS))]:
        if counts.get(name) or name == "rejected" or (name == "created" and "records" not in counts):
            yield name, counts.get(name, 0)
