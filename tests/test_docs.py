"""What the documentation says is true: nothing is left out, links lead somewhere, and commands answer as printed."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import click
import httpx
import msgspec
import pytest
from msgspec import Struct

from hub import metrics
from hub.api import batch, connections, hooks, inserts, params, records
from hub.api.faults import MAX_DIGITS
from hub.api.problems import KINDS
from hub.cli import main
from hub.db import Connection
from hub.db.migrate import DISTRIBUTED, LOCAL, REPLICATED
from hub.model import MAX_DEPTH, BatchSummary, Record, RecordFilter, Reject
from hub.settings import Settings
from hub.sources.interface import Options
from hub.streams import MAX_ITEM_BYTES
from tests.process import ROOT, Served, serving

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
KEY = r"hub_[\w-]+"


class Block(Struct, frozen=True):
    """A fenced block of a page, with the comment on the line before it."""

    language: str
    text: str
    comment: str
    line: int


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    for match in re.finditer(
        r"(?:<!-- ([^\n]*?) -->\n+)?^```(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        line = page.read_text()[: match.start(2)].count("\n") + 1
        found.append(Block(match[2], match[3], match[1] or "", line))
    return found


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("variable", [field.encode_name for field in msgspec.structs.fields(Settings)])
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in read("operations.md")


# Those that differ from machine to machine, or from start to start, are told in words.
DEFAULTS = {
    field.encode_name: field.default
    for field in msgspec.structs.fields(Settings)
    if field.default is not None and field.default is not msgspec.NODEFAULT
}


@pytest.mark.parametrize("variable", sorted(DEFAULTS))
def test_defaults_are_those_of_the_code(variable: str) -> None:
    default = DEFAULTS[variable]
    told = str(default).lower() if isinstance(default, bool) else str(default)
    assert f"| `{variable}` | `{told}` |" in read("operations.md")


def size(number: int) -> str:
    """In the largest unit of which it is a whole number."""
    units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    return next(f"{number // unit} {name}" for name, unit in units if number % unit == 0)


SETTINGS = Settings()
LIMITS = {
    "body of a record or a patch": size(records.MAX_BODY_BYTES),
    "batch as JSON": f"{batch.MAX_RECORDS:,} records and {size(batch.MAX_JSON_BYTES)}",
    "batch as NDJSON or CSV": size(SETTINGS.batch_max_bytes),
    "a record in a batch": size(MAX_ITEM_BYTES),
    "batches at a time": f"{SETTINGS.batch_concurrency} in each",
    "exports at a time": f"{SETTINGS.export_concurrency} in each",
    "one export": f"{SETTINGS.export_timeout_seconds} s",
    "a delivery, or a response posted as to a survey tool": size(min(hooks.MAX_BODY_BYTES, inserts.MAX_BODY_BYTES)),
    "body of a connection": size(connections.MAX_BODY_BYTES),
    "payload or definition of a source": size(SETTINGS.source_payload_max_bytes),
    "time for a body to arrive": f"{SETTINGS.request_timeout_seconds} s",
    "one database statement": f"{SETTINGS.database_statement_timeout_seconds} s",
    "nesting of JSON": f"{MAX_DEPTH} levels",
    "numbers in `metadata`, written out": f"{MAX_DIGITS:,} digits",
    "values of one filter": str(params.MAX_VALUES),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_are_those_of_the_code(limit: str) -> None:
    assert f"| {limit} | {LIMITS[limit]}" in read("api.md")


def test_only_settings_that_exist_are_documented() -> None:
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    rows = re.findall(r"^\| `([A-Z_]+)`", read("operations.md"), re.MULTILINE)
    assert set(rows) <= known


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_is_documented(command: str) -> None:
    table = read("operations.md").partition("| Command |")[2].partition("\n\n")[0]
    named = re.findall(r"`(?:hub )?([\w-]+)[^`]*`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert command in named


def options(command: click.Command) -> Iterator[str]:
    """Those that `--help` shows, of the command and of those below it."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            # Of a switch the side that changes something.
            yield parameter.secondary_opts[0] if parameter.secondary_opts and parameter.default else parameter.opts[0]
    for part in command.commands.values() if isinstance(command, click.Group) else ():
        yield from options(part)


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_option_is_documented(command: str) -> None:
    pages = "\n".join(page.read_text() for page in PAGES)
    assert {name for name in options(main.commands[command]) if not re.search(rf"{name}\b", pages)} == set()


QUEUE = {name for name in LOCAL if name.startswith("pgqueuer")}


@pytest.mark.parametrize("table", sorted({*DISTRIBUTED, *REPLICATED, *LOCAL} - QUEUE))
async def test_every_table_and_its_indexes_are_documented(connection: Connection, table: str) -> None:
    """But for primary keys, which are what the page says there is one row per."""
    page = read("data-model.md")
    assert f"`{table}`" in page
    rows = await connection.fetch(
        "select indexrelid::regclass::text as name from pg_index where indrelid = $1::regclass and not indisprimary",
        table,
    )
    names = {row["name"].replace("feedback_records_", "…_") for row in rows}
    assert {name for name in names if f"`{name}`" not in page} == set()


async def test_only_indexes_that_exist_are_documented(connection: Connection) -> None:
    tables = re.findall(r"^\| Index .*?\n\n", read("data-model.md"), re.MULTILINE | re.DOTALL)
    named = [name for table in tables for name in re.findall(r"^\| `(.+?)`", table, re.MULTILINE)]
    rows = await connection.fetch("select relname from pg_class where relkind in ('i', 'I')")
    assert len(named) > 30
    assert {name.replace("…", "feedback_records") for name in named} <= {row["relname"] for row in rows}


def test_nothing_of_ours_is_looked_for_in_an_index() -> None:
    """The package of that name on PyPI is somebody else's: the hub is installed from its checkout."""
    for path in (*PAGES, ROOT / "Dockerfile", *(ROOT / "hub").rglob("*.py")):
        for asked in re.findall(r"pip install([^`\n]*)", path.read_text()):
            assert re.search(r" '?\.(\[\w+\])?'?$", asked), f"{path}: pip install{asked}"


async def test_every_route_is_documented(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    routes = {
        f"`{method.upper()} {path}`" for path, methods in paths.items() for method in methods if method != "parameters"
    }
    assert {route for route in routes if route not in read("api.md")} == set()


@pytest.mark.parametrize("slug", sorted(kind.slug() for kind in KINDS))
def test_every_problem_is_documented(slug: str) -> None:
    assert f"`{slug}`" in read("api.md")


MEMBERS = [
    ("data-model.md", Record),
    ("api.md", RecordFilter),
    ("api.md", batch.Batching),
    ("api.md", batch.BatchResult),
    ("api.md", BatchSummary),
    ("api.md", Reject),
    ("connections.md", connections.ConnectionPatch),
    ("sources/options.md", Options),
    *(("analytics.md", measure) for measure in metrics.Measure.__subclasses__()),
]


@pytest.mark.parametrize(("page", "struct"), MEMBERS, ids=lambda part: getattr(part, "__name__", part))
def test_every_member_is_documented(page: str, struct: type[Struct]) -> None:
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", read(page)))))
    assert {field.encode_name for field in msgspec.structs.fields(struct)} - named == set()


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for names in project.get("optional-dependencies", {}).values() for name in names]
    for requirement in (*project["dependencies"], *extras):
        name = re.match(r"[\w-]+", requirement)
        assert name
        assert re.search(rf"^[-|] *`{name[0]}`.{{10}}", read("architecture.md"), re.MULTILINE), name[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), target
        assert not anchor or anchor in anchors(goal), target


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    """`<!-- run -->` before a block has it run by the test below; `<!-- not run: why -->` is for the others."""
    for block in blocks(page):
        if block.language == "sh":
            assert re.fullmatch(r"run|not run: .{5,}", block.comment), f"line {block.line}"


RUN = [page for page in PAGES if any(block.comment == "run" for block in blocks(page))]


@pytest.mark.process
@pytest.mark.parametrize("pages", [RUN, RUN[::-1]], ids=["forward", "backward"])
def test_commands_answer_as_printed(pages: list[Path], tmp_path: Path) -> None:
    """Whichever pages were followed before on the same hub. The blocks of a page run in order, in one shell as it were."""
    with serving(tmp_path / "data") as served:
        for number, page in enumerate(pages):
            folder = tmp_path / str(number)  # of what it exports
            folder.mkdir()
            for block, answer in runs(page):
                said = shell(block, served, folder)
                where = f"{page.relative_to(ROOT)}, line {block.line}, said:\n{said}"
                if answer and answer.language == "json":
                    true = alike(json.loads(answer.text), json.loads(said))
                else:
                    true = answer is None or bool(re.fullmatch(pattern(answer.text), said.strip()))
                assert true, where


def runs(page: Path) -> Iterator[tuple[Block, Block | None]]:
    """Each block to run, with the block of output after it."""
    found = blocks(page)
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.comment == "run":
            yield block, following if following and following.language in {"json", "text"} else None


def shell(block: Block, served: Served, folder: Path) -> str:
    """Its standard output. What it exports is there in the next block too."""
    exports = folder / "exports"
    exports.touch()
    # The page has the default port and folder; this hub must not meet another one's.
    text = block.text.replace("http://127.0.0.1:8080", served.url).replace(".data/", f"{served.data_dir}/")
    text = text.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    done = subprocess.run(
        ["bash", "-euc", f"set -o pipefail; . {exports}\n{text}\nexport -p > {exports}"],
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(served.data_dir),
        },
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def alike(printed: object, said: object) -> bool:
    """Equal, but for ids, keys and the time it is now."""
    if isinstance(printed, dict) and isinstance(said, dict):
        return list(printed) == list(said) and all(alike(printed[name], said[name]) for name in printed)
    if isinstance(printed, list) and isinstance(said, list):
        return len(printed) == len(said) and all(map(alike, printed, said))
    if isinstance(printed, str) and isinstance(said, str) and printed != said:
        both = f"{printed}\n{said}"
        if re.fullmatch(f"{TIME}\n{TIME}", both):
            return abs(datetime.now(UTC) - datetime.fromisoformat(said)) < timedelta(minutes=10)
        # A problem's request id, an opaque cursor.
        return any(re.fullmatch(f"{kind}\n{kind}", both) for kind in (UUID, KEY, r"[\w-]{40,}=*"))
    # 9 and 9.0 are one number to JSON; true is none.
    return isinstance(printed, bool) is isinstance(said, bool) and printed == said


def pattern(printed: str) -> str:
    """Lines as printed, but for ids, times and keys, and blanks where columns are as wide as their content."""
    parts = re.split(rf"({UUID}|{TIME}|{KEY}|\d{{4}}-\d\d-\d\d \d\d:\d\d|\s+)", printed.strip())
    kinds = [UUID, TIME, KEY, r"\d{4}-\d\d-\d\d \d\d:\d\d", r"\s+"]
    return "".join(next((kind for kind in kinds if re.fullmatch(kind, part)), re.escape(part)) for part in parts)


def test_the_comparison_notices_what_matters() -> None:
    now, stale = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "2020-01-01T00:00:00Z"
    assert alike({"a": [1, stale]}, {"a": [1, now]})
    assert not alike({"a": now}, {"a": stale})
    assert not alike({"a": 1}, {"a": 1, "b": 2})
    assert not alike({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not alike([1], [True])
    assert not alike("nps", "csat")
    assert re.fullmatch(pattern("PREFIX  NAME\nhub_abc  bi"), "PREFIX      NAME\nhub_x-_1234 bi")
    assert not re.fullmatch(pattern("PREFIX  NAME"), "PREFIX  ID")
