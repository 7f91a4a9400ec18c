"""`hub map`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from hub.cli.terminal import fail

if TYPE_CHECKING:
    from hub.mapping import Guess, LayoutName

_WIDEST = 40


@click.command("map")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--form", "form_id", help="What the mapping is stored as. [default: the name of the file]")
@click.option("--layout", type=click.Choice(["wide", "long"]), help="A row for each response, or for each answer.")
def propose(file: Path, form_id: str | None, layout: "LayoutName | None") -> None:
    """Propose a mapping for a CSV file, from its header and its first rows.

    The mapping goes to the standard output, the reasons for it to the terminal. Correct it, and see what it makes with
    `hub backfill FILE --source csv --map MAPPING --dry-run`.
    """
    from hub import mapping, tables  # noqa: PLC0415 - when it runs
    from hub.backfill import UnusableFileError  # noqa: PLC0415 - when it runs

    try:
        header, rows = tables.beginning(file, mapping.SAMPLE_ROWS)
    except UnusableFileError as error:
        fail(f"{file}: {error}")
    title = re.sub(r"(\.(csv|tsv|txt|gz|zst))+$", "", file.name, flags=re.IGNORECASE)
    proposal = mapping.propose(
        header,
        rows,
        form_id=form_id or re.sub(r"[^\w.-]+", "-", title.lower()).strip("-") or "csv",
        title=title,
        layout=layout,
    )
    _print_reasons(proposal.guesses)
    for doubt in proposal.doubts:
        click.echo(f"hub: {doubt}", err=True)
    click.echo(msgspec.json.format(msgspec.json.encode(proposal.layout), indent=2).decode())


def _print_reasons(guesses: "list[Guess]") -> None:
    rows = [("COLUMN", "AS", "WHY", "FOR EXAMPLE")]
    rows += [(_short(guess.name), guess.meaning.as_, _short(guess.why), _short(guess.sample)) for guess in guesses]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip(), err=True)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"
