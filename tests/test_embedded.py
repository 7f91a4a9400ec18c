"""The bundled Postgres of one DATA_DIR: shared, recovered, durable."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from hub.embedded import EmbeddedError, Postgres, running, serving, shared_buffers
from tests.process import await_true, left, postmaster

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "data"
    with running(folder):
        pass
    return folder


@pytest.fixture
def data_dir(prepared: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    subprocess.run(["cp", "-a", prepared, folder], check=True)
    (folder / "postgres.port").unlink()  # else all copies would want the same one
    yield folder
    for pid in left(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def _show(dsn: str, name: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        value: str = await connection.fetchval("select current_setting($1)", name)
    finally:
        await connection.close()
    return value


async def test_durability_is_never_weakened(data_dir: Path) -> None:
    """What was acknowledged survives a power cut; and the server keeps UTF-8 and room for the connections asked for."""
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "max_connections": "123",
        "listen_addresses": "127.0.0.1",
    }
    with running(data_dir, connections=123) as postgres:
        assert {name: await _show(postgres.dsn, name) for name in expected} == expected


async def test_its_memory_is_a_part_of_what_there_is(data_dir: Path, tmp_path: Path) -> None:
    """`shared_buffers` is an eighth of the machine's memory, or of the container's if that is less, within bounds."""
    limit, unlimited, missing = tmp_path / "limit", tmp_path / "unlimited", tmp_path / "missing"
    unlimited.write_text("max\n")
    assert shared_buffers((missing, unlimited)) == shared_buffers(())
    for bytes_, wanted in ((1 << 29, 64), (1 << 20, 64), (1 << 30, 128)):
        limit.write_text(f"{bytes_}\n")
        assert shared_buffers((limit,)) == wanted
    with running(data_dir) as postgres:
        units = {"MB": 1, "GB": 1024}
        shown = await _show(postgres.dsn, "shared_buffers")
        assert int(shown[:-2]) * units[shown[-2:]] == shared_buffers()


async def test_nobody_gets_in_without_the_password(data_dir: Path) -> None:
    """Not even from this machine."""
    with running(data_dir) as postgres:
        host = f"127.0.0.1:{postgres.port}/hub"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://hub:wrong@{host}")


async def test_its_log_quotes_no_values(data_dir: Path) -> None:
    """Feedback is personal data, and errors quote what they are about."""
    with running(data_dir) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        with pytest.raises(asyncpg.DataError):
            await connection.fetchval("select 'very private'::text::int")
        await connection.close()
    assert "private" not in (data_dir / "postgres.log").read_text()


def test_the_port_stays_unless_it_is_taken(data_dir: Path) -> None:
    """BI tools are set up with it."""
    with running(data_dir) as postgres:
        port = postgres.port
    with running(data_dir) as postgres:
        assert postgres.port == port
    with socket.create_server(("127.0.0.1", port)), running(data_dir) as postgres:
        assert postgres.port != port


def test_the_last_user_stops_it(data_dir: Path) -> None:
    """Whoever leaves before that leaves it running."""
    with running(data_dir) as one:
        with running(data_dir) as other:
            assert other.dsn == one.dsn
        assert one.is_alive()
    assert left(data_dir) == {}


def test_many_may_start_at_once(data_dir: Path) -> None:
    """One of them starts it, the others join, and it is gone after the last."""
    pids = []

    def use() -> None:
        with running(data_dir):
            pids.append(postmaster(data_dir))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    await_true(lambda: left(data_dir) == {})


def test_a_number_that_belongs_to_another_process_now_is_no_postmaster(data_dir: Path) -> None:
    """After a crash of the machine the number in postmaster.pid may be anybody's, and Postgres would not start."""
    with running(data_dir):
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (data_dir / "postgres" / "postmaster.pid").write_text("\n".join([str(innocent.pid), *lines[1:], ""]))
        with running(data_dir) as postgres:
            assert postgres.is_alive()
            assert innocent.poll() is None
        innocent.kill()


async def test_a_query_that_outlives_its_postmaster_is_ended(data_dir: Path) -> None:
    """A backend that computes does not notice, and keeps the shared memory a new postmaster needs."""
    with running(data_dir) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        pid = connection.get_server_pid()
        busy = threading.Thread(target=_compute, args=(data_dir, postgres.port), daemon=True)
        busy.start()
        await_true(lambda: any("SELECT" in title for title in left(data_dir).values()))
        os.kill(postmaster(data_dir), signal.SIGKILL)
        await_true(lambda: not postgres.is_alive())
        started = time.monotonic()
        postgres.start()
        assert time.monotonic() - started < 5
        assert pid not in left(data_dir)
        busy.join()
        connection.terminate()


def _compute(data_dir: Path, port: int) -> None:
    password = (data_dir / "postgres.password").read_text().strip()
    subprocess.run(
        [sys.executable, "-m", "hub", "psql", "-c", "select count(*) from generate_series(1, 1000000000)"],
        env={**os.environ, "DATABASE_URL": f"postgresql://hub:{password}@127.0.0.1:{port}/hub"},
        capture_output=True,
        check=False,
    )


def test_it_starts_again_on_the_same_port(data_dir: Path) -> None:
    """Those who are connected to it find it again."""
    with running(data_dir) as postgres:
        port, pid = postgres.port, postmaster(data_dir)
        os.kill(pid, signal.SIGKILL)
        await_true(lambda: not postgres.is_alive())
        postgres.start()
        assert postgres.port == port
        assert postmaster(data_dir) != pid


def test_a_folder_of_another_version_is_explained(data_dir: Path) -> None:
    """And what to do about it."""
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match=r"made by Postgres 16.*pg_dump"):
        Postgres(data_dir, connections=100).start()


def test_an_unfinished_first_start_is_begun_again(tmp_path: Path) -> None:
    """The cluster has another name until it is complete."""
    (tmp_path / "data" / "postgres.new" / "base").mkdir(parents=True)
    with running(tmp_path / "data") as postgres:
        assert postgres.is_alive()
    assert not (tmp_path / "data" / "postgres.new").exists()


def test_a_lost_password_is_explained(data_dir: Path) -> None:
    """A new one would not open the old database."""
    (data_dir / "postgres.password").unlink()
    with running(data_dir) as postgres, pytest.raises(EmbeddedError, match=r"postgres\.password is missing"):
        _ = postgres.dsn


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    """The end of its own log is in the error."""
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"), running(data_dir):
        pass


def test_a_long_path_is_no_obstacle(prepared: Path, tmp_path: Path) -> None:
    """Socket paths end at 107 bytes, so there is no socket."""
    folder = tmp_path / "a-folder-with-a-long-name" / ("deep" * 40)
    folder.parent.mkdir()
    subprocess.run(["cp", "-a", prepared, folder], check=True)
    with running(folder) as postgres:
        assert postgres.is_alive()


def test_a_data_dir_that_holds_other_things_keeps_its_mode(tmp_path: Path) -> None:
    """Somebody's home folder must not be closed to everyone by a wrong setting."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    (folder / "notes.txt").touch()
    with serving(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    shutil.rmtree(folder)


def test_a_data_dir_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """In one line that names it."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(EmbeddedError, match=f"DATA_DIR {tmp_path}/file/data cannot be used"),
        serving(tmp_path / "file" / "data"),
    ):
        pass
