"""`hub export`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from hub.cli.remote import at_a_hub, hub_client
from hub.cli.terminal import fail
from hub.settings import Settings

if TYPE_CHECKING:
    from hub import client

_FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
_PATH = "/v1/feedback-records"


def _filters(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, list[str]]:
    filters: dict[str, list[str]] = {}
    for value in values:
        name, found, text = value.partition("=")
        if not found:
            raise click.BadParameter(f"{value}: Expected NAME=VALUE")
        filters.setdefault(name, []).append(text)
    return filters


@click.command()
@click.argument("file", metavar="FILE|-", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--tenant", "tenant_id", help="Whose records. Not needed with a key that is bound to a tenant.")
@click.option(
    "--format", "format_", type=click.Choice(["csv", "ndjson", "parquet"]), help="[default: by the name of the file]"
)
@click.option(
    "--columns", help="Members of a record, with commas; `writable` for what can be stored again. [default: all]"
)
@click.option("--filter", "filters", multiple=True, callback=_filters, help="NAME=VALUE, a parameter of the list.")
@click.option("--escape-formulas", is_flag=True, help="For spreadsheets: an apostrophe before what would be a formula.")
@at_a_hub
@click.pass_obj
def export(  # noqa: PLR0913, PLR0917 - what a command line gives
    settings: Settings, /, file: Path, tenant_id: str | None, format_: str | None, columns: str | None,
    filters: dict[str, list[str]], escape_formulas: bool, url: str | None, key: str | None,
) -> None:  # fmt: skip
    """Write a tenant's records to a file: CSV, NDJSON or Parquet, as they are at this moment."""
    from hub.progress import Meter  # noqa: PLC0415 - when it runs

    format_ = format_ or _FORMATS.get(file.suffix)
    if format_ is None:
        raise click.UsageError(f"--format: {file} does not say which")
    if tenant_id is not None:
        filters["tenant_id"] = [tenant_id]
    wanted: dict[str, str | list[str]] = {**filters, "format": format_}
    if columns is not None:
        wanted["columns"] = columns
    if escape_formulas:
        wanted["escape_formulas"] = "true"
    with hub_client(settings, url, key) as connected:
        total = _count(connected, filters)
        # Of Parquet nobody knows how much is still to come.
        counts = format_ != "parquet"
        meter = Meter(sys.stderr, "records" if counts else "bytes", total if counts else None)
        with _complete(file) as out, meter, connected.download(f"{_PATH}/export", query=wanted) as pieces:
            rows = _Rows(header=format_ == "csv")
            size = 0
            for piece in pieces:
                out.write(piece)
                size += len(piece)
                done = rows.count(piece) if counts else size
                meter.advance(done, done)
    click.echo(f"{rows.number if counts else total:,} records exported", err=str(file) == "-")


def _count(connected: "client.Client", filters: dict[str, list[str]]) -> int:
    import msgspec  # noqa: PLC0415 - when it runs

    from hub.model import Count  # noqa: PLC0415 - when it runs

    return msgspec.json.decode(connected.request("GET", f"{_PATH}/count", query=filters).content, type=Count).count


class _Rows:
    """Counts rows as they arrive: of CSV, a line end between quotes is none; NDJSON has no such quote in a row of its own."""

    def __init__(self, *, header: bool) -> None:
        self._csv = header
        self._quoted = False
        self.number = -1 if header else 0

    def count(self, piece: bytes) -> int:
        if self._csv:
            parts = piece.split(b'"')
            self.number += sum(part.count(b"\n") for part in parts[self._quoted :: 2])
            self._quoted ^= len(parts) % 2 == 0
        else:
            self.number += piece.count(b"\n")
        return self.number


@contextmanager
def _complete(file: Path) -> Iterator[IO[bytes]]:
    """The file, which takes its name when all of it is there."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(file)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    finally:
        part.unlink(missing_ok=True)
