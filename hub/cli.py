"""The command `hub`."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import click
from msgspec import structs

import hub
from hub import embedded
from hub import settings as environment
from hub.settings import Settings

if TYPE_CHECKING:
    import asyncpg

    from hub import backfill as job
    from hub import client, model
    from hub import import_hub as moving

T = TypeVar("T")

LEAST_FREE_BYTES = 1_000_000_000
MOST_SKEW = timedelta(seconds=2)
OLDEST_POSTGRES = 15

_MOST_COMPLAINTS = 10
_COUNTS = (
    "received", "submissions", "created", "updated", "unchanged", "skipped", "duplicate", "deleted", "stale", "rejected",
)  # fmt: skip


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


@main.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve in the foreground until Ctrl-C or SIGTERM."""
    from hub import serve as server  # noqa: PLC0415 # the other commands do without

    try:
        server.serve(settings)
    except (server.StartError, embedded.EmbeddedError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@main.command()
@click.option("--distributed", is_flag=True, help="Also distribute the tables by tenant_id. Needs the Citus extension.")
@click.pass_obj
def migrate(settings: Settings, distributed: bool) -> None:
    """Bring the database to this version's schema."""
    from hub.db.migrate import migrate as apply  # noqa: PLC0415 # so that `hub --version` is quick

    with _database(settings) as dsn:
        report = _run(apply(dsn, distributed=distributed))
    if distributed and not report.citus:
        _fail("This database has no Citus extension: nothing was changed. `hub migrate` alone migrates it.")
    if report.newer:
        _fail(f"A newer hub migrated this database ({', '.join(report.newer)}): nothing was changed.")
    for name in report.applied:
        click.echo(f"applied {name}")
    for table in report.distributed:
        click.echo(f"distributed {table}")
    for table in report.waiting:
        click.echo(f"{table} has rows and is not distributed: `hub migrate --distributed` does it")
    if not report.applied and not report.distributed:
        click.echo("Nothing to do.")


def at_a_hub(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that talks to a running hub."""
    url = click.option("--url", help="Where the hub answers. PUBLIC_BASE_URL without it, or http://HOST:PORT.")
    key = click.option("--key", help="API_KEY without it, or the one in DATA_DIR.")
    return url(key(command))


@contextmanager
def hub_client(settings: Settings, url: str | None, key: str | None) -> "Iterator[client.Client]":
    """A client of the hub that the options, or else the settings, name. That it refuses or is away is one line."""
    from hub import client  # noqa: PLC0415

    url = url or client.base_url(settings)
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url} is no http or https URL", param_hint="--url")
    key = key or client.api_key(settings)
    if not key:
        raise click.UsageError(f"No key: give --key, set API_KEY, or DATA_DIR (no api_key in {settings.data_dir})")
    try:
        with client.Client(url, key) as connected:
            yield connected
    except client.RefusedError as error:
        _fail(f"{url} refused: {error}")
    except client.UnreachableError as error:
        _fail(str(error))


@main.group()
def keys() -> None:
    """Create, list and revoke API keys."""


class Expiry(click.ParamType[datetime]):
    name = "90d|12h|2027-01-01"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        now = datetime.now(UTC)
        try:
            if match := re.fullmatch(r"(\d+)([dh])", str(value)):
                moment = now + int(match[1]) * (timedelta(days=1) if match[2] == "d" else timedelta(hours=1))
            else:
                moment = datetime.fromisoformat(str(value))
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a time from now (90d, 12h) nor a date (2027-01-01)", param, ctx)
        if moment <= now:
            self.fail(f"{value!r} is in the past", param, ctx)
        return moment


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "write", "admin"]),
    help="May be repeated.",
)
@click.option("--tenant", help="The only tenant this key works for. All tenants without it.")
@click.option("--expires", type=Expiry(), help="A time from now, or a date (in UTC). Never without it.")
@click.pass_obj
def create(
    settings: Settings, name: str, scopes: tuple[str, ...], tenant: str | None, expires: datetime | None
) -> None:
    """Create a key and show it, this once."""
    from hub.db import keys as stored  # noqa: PLC0415

    if not name.strip() or (tenant is not None and not tenant.strip()):
        raise click.UsageError("NAME and --tenant may not be blank")

    async def make(dsn: str) -> str:
        async with _connect(dsn) as connection:
            key, _ = await stored.create(
                connection,
                name=name.strip(),
                scopes=sorted(set(scopes)),
                tenant_id=tenant and tenant.strip(),
                expires_at=expires,
            )
            return key

    with _migrated(settings) as dsn:
        key = _run(make(dsn))
    click.echo("The key, shown only now:", err=True)
    click.echo(key)


@keys.command("list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the keys, without their text."""
    from hub.db import keys as stored  # noqa: PLC0415

    async def read(dsn: str) -> list[stored.KeyInfo]:
        async with _connect(dsn) as connection:
            return await stored.listed(connection)

    with _migrated(settings) as dsn:
        found = _run(read(dsn))
    rows: list[tuple[str, ...]] = [
        ("PREFIX", "NAME", "SCOPES", "TENANT", "CREATED", "EXPIRES", "REVOKED", "LAST USED", "ID")
    ]
    for key in found:
        times = [_minute(moment) for moment in (key.created_at, key.expires_at, key.revoked_at, key.last_used_at)]
        rows.append((key.prefix, key.name, ",".join(key.scopes), key.tenant_id or "-", *times, str(key.id)))
    _print_table(rows)


@keys.command()
@click.argument("key", metavar="ID|PREFIX")
@click.pass_obj
def revoke(settings: Settings, key: str) -> None:
    """Revoke a key. It stops working everywhere within seconds."""
    from hub.db import keys as stored  # noqa: PLC0415

    async def end(dsn: str) -> "stored.KeyInfo | None":
        async with _connect(dsn) as connection:
            return await stored.revoke(connection, key)

    with _migrated(settings) as dsn:
        revoked = _run(end(dsn))
    if revoked is None:
        _fail(f"No key in use has the id or prefix {key}. `hub keys list` shows them.")
    click.echo(f"Revoked {revoked.prefix} ({revoked.name}).")


@main.command()
@click.argument("source", required=False)
@click.option("--form", "form_id", help="Only the submissions of this form.")
@click.option("--tenant", "tenant_id", help="Only the submissions of this tenant.")
@click.pass_obj
def reflatten(settings: Settings, source: str | None, form_id: str | None, tenant_id: str | None) -> None:
    """Make the records of kept payloads anew, all or those of SOURCE.

    Not needed after a definition has come: that flattens by itself. A run that was broken off goes on where it stopped.
    """
    from hub import progress, snapshots  # noqa: PLC0415
    from hub import serve as server  # noqa: PLC0415
    from hub.db import erasures, open_pool, submissions  # noqa: PLC0415
    from hub.sources import SOURCES  # noqa: PLC0415

    if source is not None and source not in SOURCES:
        raise click.BadParameter(f"there is no source {source!r}; there are {', '.join(SOURCES)}", param_hint="SOURCE")
    selection = submissions.Selection(source=source, form_id=form_id, tenant_id=tenant_id)
    parsers = {name: snapshots.parser(module) for name, module in SOURCES.items()}

    def again(tenant: str, name: str) -> "submissions.Again[submissions.Flattened] | None":
        return snapshots.again(SOURCES[name], tenant, name, parsers[name]) if name in SOURCES else None

    async def work(dsn: str, secret_key: str) -> tuple[int, int] | None:
        markers = erasures.Markers(secret_key)
        pool = await open_pool(structs.replace(settings, database_url=dsn, database_max_conns=1))
        try:
            async with pool.acquire() as connection:
                if not await erasures.is_known(connection, markers):
                    return None
            extent = await submissions.extent(pool, selection)
            done: int | None = None
            with progress.Meter(sys.stderr, "submissions", extent.kept) as meter:
                async for reached in submissions.flatten_selected(pool, markers, selection, hub.__version__, again):
                    if done is None:  # what an earlier run did, which is not this one's pace
                        meter.begin(reached)
                    done = reached
                    meter.advance(done, done)
            return done or 0, extent.expired
        finally:
            await pool.close()

    with _migrated(settings) as dsn:
        try:
            secret_key = server.secret_of(settings)
        except server.StartError as error:
            _fail(str(error))
        counts = _run(work(dsn, secret_key))
    if counts is None:
        _fail(
            "SECRET_KEY: this database is used with another one, so what was erased cannot be told. Set it to that one."
        )
    click.echo(f"{counts[0]} submissions flattened again.")
    if counts[1]:
        click.echo(f"{counts[1]} submissions stay as they are: their payloads are gone (retention).")


@main.command()
@click.argument("file", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--source", default="records", show_default=True, help="records, csv, or a source of GET /v1/sources.")
@click.option("--form", "form_id", help="The form of payloads that do not name theirs.")
@click.option("--tenant", "tenant_id", help="The tenant of records that name none, or of payloads.")
@click.option(
    "--on-conflict",
    type=click.Choice(["skip", "update", "error"]),
    help="What to do with records that are there already. [default: skip]",
)
@click.option("--dry-run", is_flag=True, help="Check everything, store nothing.")
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where to write what was rejected, to be corrected and sent again.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted backfill of this file ended.")
@at_a_hub
@click.pass_obj
def backfill(settings: Settings, /, file: Path, url: str | None, key: str | None, **options: Any) -> None:
    """Send a file of records or payloads to a running hub, in chunks.

    Plain, gzip or zstd. Sent again it changes nothing: what the hub has is skipped.
    """
    from hub import backfill as job  # noqa: PLC0415

    rejects: Path | None = options.pop("rejects")
    resume: bool = options.pop("resume")
    _check_backfill(file, options, resume=resume)
    plan = job.Plan(**{name: value for name, value in options.items() if value is not None})
    with hub_client(settings, url, key) as client:
        # A key that may only write is enough for records.
        if plan.source not in job.OWN_SOURCES and plan.source not in (known := job.sources(client)):
            raise click.BadParameter(f"{plan.source} is none of {', '.join(known)}", param_hint="--source")
        ledger = None if str(file) == "-" or plan.dry_run else job.Ledger(_cache(), file, plan, client.url)
        start = ledger.load() if ledger and resume else job.State()
        state = _backfill(client, file, plan, start=start, ledger=ledger, rejects=rejects)
    if ledger is not None:
        ledger.close()
    for name, number in _in_order(state.counts):
        click.echo(f"{name:<24}{number:>12,}")
    if plan.dry_run:
        click.echo("Nothing was stored: this was a dry run.")
    sys.exit(1 if job.lost(state.counts) else 0)


def _check_backfill(file: Path, options: dict[str, Any], *, resume: bool) -> None:
    """What cannot be meant is a mistake to be told, not an option to be ignored."""
    own = options["source"] in ("records", "csv")
    if resume and str(file) == "-":
        raise click.UsageError("--resume needs a file: a stream cannot be read again")
    if resume and options["dry_run"]:
        raise click.UsageError("--resume does not go with --dry-run, which stores nothing to go on from")
    if own and options["form_id"]:
        raise click.UsageError("--form is for payloads of a survey tool; records name their field themselves")
    if not own and options["dry_run"]:
        raise click.UsageError("--dry-run is for records and csv; payloads have none")
    if not own and options["on_conflict"]:
        raise click.UsageError("--on-conflict is for records and csv; a payload is a snapshot of its submission")


def _backfill(  # noqa: PLR0913 - the parts of a backfill
    client: "client.Client", file: Path, plan: "job.Plan", *,
    start: "job.State", ledger: "job.Ledger | None", rejects: Path | None,
) -> "job.State":  # fmt: skip
    from hub import backfill as job  # noqa: PLC0415
    from hub.client import RefusedError, UnreachableError  # noqa: PLC0415
    from hub.progress import Meter  # noqa: PLC0415

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

        kept = job.Rejects(rejects, start.rejects_bytes)
        upload = job.upload_for(client, plan)
        # Of a key that comes twice the last one has to arrive last.
        in_flight = 1 if plan.on_conflict == "update" else job.IN_FLIGHT
        again = "" if ledger is None else "; --resume goes on from there"
        try:
            return job.run(
                job.Input(stream), upload, start, kept, in_flight=in_flight, advance=advance, complain=complain
            )
        except (RefusedError, UnreachableError, KeyboardInterrupt, SystemExit):
            click.echo(f"hub: broken off after {state.items:,} items{again}", err=True)
            raise
        except job.UnusableFileError as error:
            _fail(f"{file}: {error}. {state.items:,} items before were sent{again}")
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
        if counts.get(name) or name in ("created", "rejected"):
            yield name, counts.get(name, 0)


@main.command("import-hub")
@click.option("--from", "url", metavar="URL", help="Where the other hub answers.")
@click.option(
    "--key", envvar="FROM_API_KEY", help="Its key. Better in FROM_API_KEY, where no list of processes shows it."
)
@click.option("--database", metavar="DSN", envvar="FROM_DATABASE_URL", help="Instead of --from: its Postgres.")
@click.option("--tenant", "tenants", multiple=True, help="May be repeated. With --database all of them without it.")
@click.option("--restart", is_flag=True, help="Begin again, instead of where an interrupted run ended.")
@click.pass_obj
def import_hub(settings: Settings, /, **options: Any) -> None:
    """Move the records of a Formbricks Hub into this hub's database.

    They keep their ids and times. Run again it catches up: with what is new, changed or deleted there since.
    """
    if bool(options["url"]) == bool(options["database"]):
        raise click.UsageError("Say where from: --from URL with --key and --tenant, or --database DSN")
    if options["url"] and not (options["key"] and options["tenants"]):
        raise click.UsageError("--from needs --key, and --tenant at least once: no hub lists its tenants")
    with ExitStack() as stack:
        # Their key is asked for above: ours must not go there.
        other = stack.enter_context(hub_client(settings, options["url"], options["key"])) if options["url"] else None
        results = _run(_import(stack.enter_context(_migrated(settings)), other, options))
    rows: list[tuple[str, ...]] = [
        ("TENANT", "THERE", "READ", "REJECTED", "HERE", "CHECKSUM THERE", "CHECKSUM HERE", "")
    ]
    rows += [_import_row(result) for result in results]
    _print_table(rows)
    counts = sum((Counter(result.state.counts) for result in results), Counter[str]())
    click.echo(", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "Nothing to move.")
    if counts["rejected"]:
        click.echo("What was rejected is kept, with the reason: `hub rejects list` shows it.", err=True)
    if counts["kept"]:
        click.echo("Records changed here since they came are kept as they are, so the checksums differ.", err=True)
    sys.exit(0 if not counts["rejected"] and all(result.same for result in results) else 1)


async def _import(dsn: str, connected: "client.Client | None", options: dict[str, Any]) -> "list[moving.Moved]":
    from hub import import_hub as moving  # noqa: PLC0415
    from hub.db import imports  # noqa: PLC0415
    from hub.progress import Meter  # noqa: PLC0415

    results: list[moving.Moved] = []
    tenants = list(dict.fromkeys(tenant.strip() for tenant in options["tenants"]))
    hub_id = imports.identity(moving.address(options["url"] or options["database"]))
    async with AsyncExitStack() as stack:
        other: moving.OtherHub
        if connected is not None:
            other = await moving.OverHttp.open(connected, tenants[0])
        else:
            theirs = imports.TheirDatabase(await stack.enter_async_context(_their_database(options["database"])))
            other, tenants = theirs, tenants or await theirs.tenants()
        connection = await stack.enter_async_context(_connect(dsn, **imports.SESSION))
        for tenant in tenants:
            with Meter(sys.stderr, f"records of {tenant}", await other.count(tenant)) as meter:

                def advance(state: imports.State, meter: Meter = meter) -> None:
                    meter.advance(state.read, state.read)

                move = imports.Move(hub_id, tenant)
                results.append(await moving.run(connection, other, move, restart=options["restart"], advance=advance))
    return results


@asynccontextmanager
async def _their_database(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Another hub's, which nothing may change."""
    import asyncpg  # noqa: PLC0415

    from hub.db import imports  # noqa: PLC0415

    try:
        session = imports.SESSION | {"default_transaction_read_only": "on"}
        connection = await asyncpg.connect(dsn, server_settings=session)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _fail(f"--database: it cannot be reached ({error})")
    try:
        yield connection
    finally:
        await connection.close()


def _import_row(moved: "moving.Moved") -> tuple[str, ...]:
    state = moved.state
    numbers = (moved.there, state.read, state.counts.get("rejected", 0), moved.here.count)
    sums = (f"{state.checksum:016x}", f"{moved.here.checksum:016x}")
    return (moved.tenant_id, *(f"{number:,}" for number in numbers), *sums, "same" if moved.same else "DIFFERS")


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@main.group()
def rejects() -> None:
    """List, export and retry what batches could not store."""


def _which_rejects(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--until", help="Rejected until then (RFC 3339)."),
        click.option("--since", help="Rejected since then (RFC 3339)."),
        click.option("--tenant", "tenant_id", help="Of this tenant."),
        click.option("--batch", "batch_id", help="Of this batch."),
    ):
        command = option(command)
    return command


def _rejects(connected: "client.Client", **which: str | None) -> Iterator["model.Reject"]:
    """All of them, read page by page."""
    import msgspec  # noqa: PLC0415

    from hub.api.rejects import RejectPage  # noqa: PLC0415

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
    import msgspec  # noqa: PLC0415

    from hub.client import Problem  # noqa: PLC0415

    with hub_client(settings, url, key) as connected:
        rows: list[tuple[str, ...]] = [("ID", "BATCH", "AT", "TENANT", "WHEN", "WHY")]
        for reject in _rejects(connected, **which):
            why = msgspec.structs.replace(msgspec.json.decode(reject.problem, type=Problem), request_id="")
            tenant = reject.tenant_id or "-"
            rows.append((
                str(reject.id), str(reject.batch_id), str(reject.position), tenant, _minute(reject.created_at), str(why)
            ))  # fmt: skip
    _print_table(rows)


@rejects.command()
@_which_rejects
@at_a_hub
@click.pass_obj
def export(settings: Settings, /, url: str | None, key: str | None, **which: str | None) -> None:
    """Write the rejected items to standard output as NDJSON, to be corrected and sent again.

    An item that is no JSON is a line with its text as a JSON string.
    """
    from hub.api.rejects import line  # noqa: PLC0415

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
    from hub.client import RefusedError  # noqa: PLC0415

    selected = any(value is not None for value in which.values())
    if sum((bool(ids), selected, everything)) != 1:
        raise click.UsageError("Give IDs, or a selection (--batch, --tenant, --since, --until), or --all")
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


_GONE = 404
_RETRIED = {400: "still wrong", 409: "there already", _GONE: "gone"}


@main.command()
@click.pass_obj
def doctor(settings: Settings) -> None:
    """Check database, version, migrations, clock and disk, and say what to do."""
    healthy = _check_disk(settings)
    if settings.database_url is None and not embedded.exists(settings.data_dir):
        healthy = _report(
            False,
            "database",
            f"none in {settings.data_dir.absolute()} yet",
            "run `hub serve`, or set DATABASE_URL or DATA_DIR",
        )
    else:
        healthy = _check_database(settings) and healthy
    sys.exit(0 if healthy else 1)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, arguments: tuple[str, ...]) -> None:
    """Open psql on the database. Arguments are passed on: hub psql -c 'select 1'."""
    with _database(settings) as dsn:
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
def _open_database(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    from hub import serve as server  # noqa: PLC0415

    # With room for the workers: a `hub serve` that starts meanwhile takes this server over.
    with embedded.running(settings.data_dir, connections=server.connections(settings)) as postgres:
        yield postgres.dsn


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    try:
        with _open_database(settings) as dsn:
            yield dsn
    except embedded.EmbeddedError as error:
        _fail(str(error))


@contextmanager
def _migrated(settings: Settings) -> Iterator[str]:
    """The bundled database is brought up to date on the way; whoever runs their own decides when."""
    from hub.db import migrate as migrations  # noqa: PLC0415

    with _database(settings) as dsn:
        if settings.database_url is None:
            _run(migrations.migrate(dsn))
        elif missing := _run(migrations.pending(dsn)):
            _fail(f"The database lacks {', '.join(missing)}: run `hub migrate` first.")
        yield dsn


def _connect(dsn: str, **session: str) -> "AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]":
    import asyncpg  # noqa: PLC0415

    @asynccontextmanager
    async def connected() -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await asyncpg.connect(dsn, server_settings=session)
        try:
            yield connection
        finally:
            await connection.close()

    return connected()


def _run(work: Coroutine[object, object, T]) -> T:
    """What a command does with the database. That it cannot be reached is one line, not a traceback."""
    import asyncpg  # noqa: PLC0415

    from hub.db.migrate import MigrationError  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except OSError as error:
        _fail(f"DATABASE_URL: the database cannot be reached ({error})")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _fail(f"DATABASE_URL: the database cannot be used ({error})")
    except MigrationError as error:
        _fail(f"The database cannot be migrated: {error}")


def _check_disk(settings: Settings) -> bool:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    state = f"{free / 1e9:.1f} GB free at {folder}"
    return _report(free >= LEAST_FREE_BYTES, "disk", state, "make room: Postgres stops when the disk is full")


def _check_database(settings: Settings) -> bool:
    import asyncpg  # noqa: PLC0415

    from hub.db import server  # noqa: PLC0415

    async def look(dsn: str) -> server.Server:
        async with _connect(dsn) as connection:
            return await server.look(connection)

    where = "set DATABASE_URL" if settings.database_url else f"see {settings.data_dir.absolute() / 'postgres.log'}"
    try:
        with _open_database(settings) as dsn:
            found = asyncio.run(look(dsn))
    except embedded.EmbeddedError as error:
        return _report(False, "database", str(error), where)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _report(False, "database", str(error), f"check that it runs and takes connections, or {where}")
    skew = abs(found.skew)
    lacking = f"not applied: {', '.join(found.pending)}" if found.pending else "all applied"
    return all(
        [
            _report(True, "database", "reachable", ""),
            _report(
                found.major >= OLDEST_POSTGRES,
                "version",
                f"Postgres {found.version}",
                f"use Postgres {OLDEST_POSTGRES} or newer",
            ),
            _report(not found.pending, "migrations", lacking, "run `hub migrate`"),
            _report(
                skew <= MOST_SKEW,
                "clock",
                f"{skew.total_seconds():.3f} s between this machine and the database",
                "run NTP on both: records are stamped by both",
            ),
        ]
    )


def _report(healthy: bool, name: str, state: str, remedy: str) -> bool:
    click.echo(f"{'ok  ' if healthy else 'FAIL'}  {name:<10}  {state}")
    if not healthy:
        click.echo(f"{'':18}→ {remedy}")
    return healthy


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if moment else "-"


def _fail(text: str) -> NoReturn:
    click.echo(f"hub: {text}", err=True)
    sys.exit(1)
