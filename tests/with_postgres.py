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
from contextlib import contextmanager
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql/15/bin")

# What a power cut would destroy is thrown away anyway, and memory is not to fill up with what has been written.
FLEETING = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is enough of it: a new database is three hundred new files, and each test has one."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30
    with tempfile.TemporaryDirectory(prefix="hub-tests-", dir=memory if roomy else None) as folder:
        yield Path(folder)


@contextmanager
def postgres(binaries: Path = DEBIAN) -> Iterator[str]:
    """Its URL."""
    # Postgres refuses to run as root, and another user could not enter a folder of root's below the temporary one.
    user = "nobody" if os.geteuid() == 0 else None
    with scratch() as folder, socket.socket() as free:
        data = folder / "data"
        if user:
            shutil.chown(folder, user)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()

        def run(*command: str | Path) -> None:
            with Path(os.devnull).open("r+b") as nothing:
                subprocess.run(command, check=True, user=user, cwd=folder, stdin=nothing, stdout=nothing)

        auth = ("-U", "postgres", "-A", "trust")
        run(binaries / "initdb", "-D", data, *auth, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-h 127.0.0.1 -p {port} -k '' " + " ".join(f"-c {name}={value}" for name, value in FLEETING.items())
        run(binaries / "pg_ctl", "-w", "-D", data, "-l", data / "log", "-o", options, "start")
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            run(binaries / "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop")


def main() -> None:
    with postgres() as dsn:
        sys.exit(subprocess.run(sys.argv[1:], env=os.environ | {"TEST_DATABASE_URL": dsn}, check=False).returncode)


if __name__ == "__main__":
    main()
