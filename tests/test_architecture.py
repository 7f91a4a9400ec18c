"""The house keeps its shape: who may import whom, who knows what, where SQL lives."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from hub.sources import SOURCES

HUB = Path(hub.__file__).parent
TESTS = Path(__file__).parent
DOCUMENT = (TESTS.parent / "docs" / "architecture.md").read_text()
ANYTHING = None

# What each module or package of the hub may import from the others.
IMPORTS: dict[str, set[str] | None] = {
    "model": set(),
    "settings": set(),
    "credentials": set(),
    "signing": set(),
    "cursors": set(),
    "metrics": set(),
    "periods": set(),
    "streams": set(),
    "embedded": set(),
    "client": {"settings"},
    "addresses": set(),
    "documents": {"streams"},
    "progress": set(),
    "parquet": set(),
    # The rules of a CSV file stand once, in the API.
    "import_hub": {"client", "cursors", "db"},
    "backfill": {"client", "documents", "model", "streams", "api"},
    "mapping": {"model", "sources"},
    "tables": {"api", "backfill", "client", "model", "sources", "streams"},
    "sources": {"model"},
    "pull": {"addresses", "sources"},
    "db": {"model", "settings", "cursors", "metrics", "periods"},
    "snapshots": {"model", "sources", "db"},
    "retention": {"settings", "db"},
    "intake": {"model", "sources", "snapshots", "db"},
    "api": {
        "model",
        "settings",
        "cursors",
        "metrics",
        "periods",
        "credentials",
        "signing",
        "sources",
        "streams",
        "snapshots",
        "intake",
        "parquet",
        "db",
    },
    "dashboard": {"model", "cursors", "metrics", "periods", "db", "api"},
    "app": {"settings", "credentials", "db", "api", "dashboard"},
    "lifeline": set(),
    "worker": {"settings", "lifeline"},
    "pulls": {"settings", "credentials", "sources", "pull", "intake", "db", "api"},
    "jobs": {"settings", "credentials", "sources", "snapshots", "intake", "pull", "pulls", "retention", "db"},
    "serve": {"settings", "embedded", "db"},
    "demo": set(),
    "cli": ANYTHING,
    "__main__": {"cli"},
}
PURE = {"model", "cursors", "metrics", "periods", "addresses", "signing", "streams", "sources", "documents", "mapping"}

# Who knows each library. msgspec is everywhere.
KNOWS = {
    "asyncpg": {
        "db",
        "serve",  # tells a database that cannot be reached from other failures of a start
        "cli",  # the same, and it connects once instead of opening a pool
        "jobs",  # a connection of its own to hear of new jobs
    },
    "pgqueuer": {"jobs"},
    "pydantic_settings": {"jobs"},  # pgqueuer's names are such settings
    "litestar": {
        "api",
        "app",
        "dashboard",
        "cli",  # `hub demo` asks an application in its own process, in the types of ASGI
    },
    "structlog": {"api", "app", "retention", "jobs"},
    "uuid6": {
        "db",  # ids of what is stored
        "api",  # ids of requests
    },
    "uvicorn": {"worker"},
    "backports": {"streams"},
    "compression": {"streams"},
    "cryptography": {"credentials", "dashboard"},
    "httpx2": {"client", "pull"},
    "rich": {"progress"},
    "jinja2": {"dashboard"},
    "pyarrow": {"parquet"},
    "click": {"cli"},
    "msgspec": set(IMPORTS),
}

# Clock, chance, network, files and environment: nothing pure may look there.
OUTSIDE = {"asyncio", "http", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}

SQL_TEXT = re.compile(
    r"\b(select\s[^.]*\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from|(create|alter|drop|truncate)\s+(table|index|database|system))\s",
    re.IGNORECASE,
)
SQL_ALLOWED = {"embedded": "a new cluster has no server yet that could run a file"}

MODULES = [
    pytest.param(path.relative_to(HUB).parts[0].removesuffix(".py"), path, id=path.relative_to(HUB).as_posix())
    for path in sorted(HUB.rglob("*.py"))
    if path != HUB / "__init__.py"
]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, inside functions too: `hub.db.Pool` for `from hub.db import Pool`."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_row_in_the_table() -> None:
    modules = {path.stem for path in HUB.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert modules - {"__init__"} <= set(IMPORTS)


def test_the_document_has_this_table() -> None:
    table = DOCUMENT.partition("| Part | May import")[2].partition("\n\n")[0]
    told: dict[str, set[str] | None] = {}
    for row in table.splitlines()[2:]:
        _, parts, allowed, *_ = row.split("|")
        for part in re.findall(r"`(\w+)`", parts):
            told[part] = ANYTHING if allowed.strip() == "anything" else set(re.findall(r"`(\w+)`", allowed))
    assert told == IMPORTS


def test_the_document_has_every_module_in_its_tree() -> None:
    """But for what is one of a kind: a source, a part of the demo."""
    tree = DOCUMENT.partition("## The tree")[2].split("```")[1]
    names = set(re.findall(r"\w+\.py", tree))
    modules = {
        path.name
        for path in HUB.rglob("*.py")
        if path.parent.name != "demo" and path.stem not in {"__init__", *SOURCES}
    }
    assert modules <= names
    assert names <= {path.name for path in HUB.rglob("*.py")}


@pytest.mark.parametrize(("owner", "path"), MODULES)
def test_imports_follow_the_table(owner: str, path: Path) -> None:
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("hub.")} - {"__version__", owner}
    allowed = IMPORTS[owner]
    assert allowed is ANYTHING or parts <= allowed


@pytest.mark.parametrize(("owner", "path"), MODULES)
def test_each_library_is_known_where_it_belongs(owner: str, path: Path) -> None:
    libraries = {name.split(".")[0] for name in imported(path)} - {"hub"} - sys.stdlib_module_names
    assert {library for library in libraries if owner not in KNOWS.get(library, set())} == set()


@pytest.mark.parametrize(("owner", "path"), [case for case in MODULES if case.values[0] in PURE])
def test_what_is_pure_awaits_nothing_and_looks_at_no_clock(owner: str, path: Path) -> None:
    assert {name.split(".")[0] for name in imported(path)} & OUTSIDE == set()
    for node in ast.walk(parse(path)):
        assert not isinstance(node, (ast.AsyncFunctionDef, ast.Await))
        assert not (isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "uuid4"})


def test_sources_do_not_know_each_other() -> None:
    for path in (HUB / "sources").glob("*.py"):
        others = {name.split(".")[2] for name in imported(path) if name.startswith("hub.sources.")}
        assert others & SOURCES.keys() == set(), path.name


@pytest.mark.parametrize(("owner", "path"), MODULES)
def test_sql_lives_in_sql_files(owner: str, path: Path) -> None:
    tree = parse(path)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
        if SQL_TEXT.search(f"{node.value} ")
    ]
    assert bool(found) == (owner in SQL_ALLOWED), found


def test_a_test_that_is_skipped_says_why() -> None:
    """-ra prints the reasons."""
    silent = []
    for path in TESTS.rglob("*.py"):
        tree = parse(path)
        called = {
            id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and (node.args or node.keywords)
        }
        silent += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "xfail", "importorskip"}
            if id(node) not in called
        ]
    assert silent == []
