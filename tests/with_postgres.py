"""A throw-away Postgres from a folder of binaries, and a command run against it.

python tests/with_postgres.py pytest tests/db
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click

DEBIAN = Path("/usr/lib/postgresql/15/bin")

# What a power cut would destroy is thrown away anyway, and memory is not to fill up with what has been written.
FLEETING = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}

NO_CITUS = """\
There is no Citus here, so nothing was tested on one. To point at one:
  CITUS_DATABASE_URL=postgres://…  its coordinator; the user may create databases there and on its workers
  CITUS_CLUSTER=…                  a script that starts one, when run by root\
"""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is enough of it: a new database is three hundred new files, and each test has one."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    with tempfile.TemporaryDirectory(prefix="hub-tests-", dir=memory if roomy else None) as folder:
        Path(folder).chmod(0o711)  # Postgres runs as another user when root runs the tests
        yield Path(folder)


@contextmanager
def postgres() -> Iterator[str]:
    if not DEBIAN.exists():
        sys.exit(f"There is no {DEBIAN}. On Debian 12: apt-get install postgresql-15")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with scratch() as folder:
        data, port = folder / "data", free_ports(1)
        data.mkdir()
        if user:
            shutil.chown(data, user)

        def run(*command: str | Path) -> None:
            with Path(os.devnull).open("r+b") as nothing:
                subprocess.run(command, check=True, user=user, cwd=data, stdin=nothing, stdout=nothing)

        run(
            DEBIAN / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        options = f"-h 127.0.0.1 -p {port} -k '' " + " ".join(f"-c {name}={value}" for name, value in FLEETING.items())
        run(DEBIAN / "pg_ctl", "-w", "-D", data, "-l", data / "log", "-o", options, "start")
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            run(DEBIAN / "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop")


@contextmanager
def citus() -> Iterator[str | None]:
    """None where there is none."""
    cluster = Path(os.environ.get("CITUS_CLUSTER", ""))
    if dsn := os.environ.get("CITUS_DATABASE_URL"):
        yield dsn
    elif not cluster.is_file() or os.geteuid() != 0:
        yield None
    else:
        with scratch() as folder:
            command: list[str | Path] = [sys.executable, cluster]
            start: list[str | Path] = [*command, "start", folder / "citus", "--port", str(free_ports(3))]
            dsn = subprocess.run(start, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            try:
                yield dsn
            finally:
                subprocess.run([*command, "stop", folder / "citus"], check=True)


def free_ports(count: int) -> int:
    """The first of so many in a row."""
    while True:
        with ExitStack() as stack, suppress(OSError):
            first = 0
            for offset in range(count):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", first and first + offset))
                first = first or probe.getsockname()[1]
            return first


def main() -> None:
    distributed = sys.argv[1] == "--citus"
    command = sys.argv[2 if distributed else 1 :]
    with citus() if distributed else postgres() as dsn:
        if dsn is None:
            click.echo(NO_CITUS)
            return
        environment = os.environ | {"TEST_DATABASE_URL": dsn}
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
