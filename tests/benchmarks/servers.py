"""The contestants as processes: our hub with its bundled Postgres, and the Go Hub on the same server."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
from msgspec import Struct

from hub import embedded
from tests.benchmarks.load import Target

ROOT = Path(__file__).resolve().parent.parent.parent
GO_HUB = Path(os.environ.get("FORMBRICKS_HUB", ROOT.parent / "shared" / "peers" / "formbricks-hub"))
_PATIENCE = 60.0


class Memory(Struct, frozen=True):
    """In MiB. Pages that processes share are counted once in `pss` and for each of them in `rss`."""

    rss: float
    pss: float


def memory(pid: int) -> Memory:
    """Of a process and its children, the database's aside."""
    rss = pss = 0
    for each in _family(pid):
        with suppress(OSError):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
            sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
            rss, pss = rss + sizes["Rss"], pss + sizes["Pss"]
    return Memory(rss / 1024, pss / 1024)


def _family(pid: int) -> list[int]:
    found = [pid]
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            _, _, rest = (entry / "stat").read_text().rpartition(")")
            if int(rest.split()[1]) == pid and (entry / "comm").read_text() != "postgres\n":
                found.append(int(entry.name))
    return found


class Server(Struct, frozen=True):
    """A contestant that answers."""

    pid: int
    target: Target
    started_in: float
    """Seconds from its start to its first answer."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on a disk: in memory, `fsync` would cost nothing."""
    disk = Path("/var/tmp")
    with tempfile.TemporaryDirectory(prefix="hub-bench-", dir=disk if disk.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def hub(data_dir: Path, **variables: str) -> Iterator[Server]:
    """`hub serve` as a person would start it, on a free port, its log in a file."""
    key, port = secrets.token_hex(16), _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "API_KEY": key,
        **variables,
    }
    with _serving([sys.executable, "-m", "hub", "serve"], environment, data_dir, Target(port, key)) as server:
        yield server


@contextmanager
def go_hub(dsn: str, folder: Path) -> Iterator[Server]:
    """The Formbricks Hub's own program, on a database of its own."""
    key, port = secrets.token_hex(16), _free_port()
    command = [sys.executable, str(GO_HUB / "run.py"), "--database", dsn, "--port", str(port), "--key", key]
    with _serving(command, dict(os.environ), folder, Target(port, key)) as server:
        yield server


@contextmanager
def _serving(command: list[str], environment: dict[str, str], folder: Path, target: Target) -> Iterator[Server]:
    folder.mkdir(exist_ok=True, mode=0o700)
    log = folder / "server.log"
    started = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=ROOT)
    try:
        while not _answers(target):
            if process.poll() is not None or time.perf_counter() - started > _PATIENCE:
                sys.exit(f"{' '.join(command)} does not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.005)
        yield Server(process.pid, target, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _answers(target: Target) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{target.port}/health", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def dsn_of(data_dir: Path, database: str = embedded.DATABASE) -> str:
    """How to reach the bundled Postgres of a hub that runs."""
    password = (data_dir / "postgres.password").read_text().strip()
    port = (data_dir / "postgres.port").read_text().strip()
    return f"postgresql://{embedded.USER}:{password}@{embedded.HOST}:{port}/{database}"


class Database:
    """One database, asked now and then."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def ask(self, statement: str) -> float:
        """The one number a statement returns."""

        async def fetch() -> float:
            connection = await asyncpg.connect(self.dsn)
            try:
                return float(await connection.fetchval(statement) or 0)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def run(self, statement: str) -> None:
        """A statement for its effect."""

        async def execute() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(execute())

    @property
    def wal(self) -> float:
        """Bytes of log this server has written so far."""
        return self.ask("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")

    @property
    def records(self) -> float:
        return self.ask("select count(*) from feedback_records")

    @property
    def size(self) -> float:
        """Bytes of the table with its indexes."""
        return self.ask("select pg_total_relation_size('feedback_records')")


def go_hub_is_here() -> bool:
    return (GO_HUB / "run.py").is_file()
