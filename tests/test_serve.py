"""`hub serve` from outside: started, stopped, killed."""

import base64
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import pytest

from hub.serve import connections
from hub.settings import Settings
from tests.process import PATIENCE, ROOT, Served, await_true, environment, free_port, hub, left, postmaster, serving

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA_DIR with a migrated database, to be copied: `initdb` once is enough."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    assert hub(folder, "migrate").returncode == 0
    return folder


@pytest.fixture
def data_dir(prepared: Path, tmp_path: Path) -> Path:
    return _copied(prepared, tmp_path / "data")


def _copied(source: Path, target: Path) -> Path:
    subprocess.run(["cp", "-a", source, target], check=True)
    (target / "postgres.port").unlink()  # else all copies would want the same one
    return target


def test_first_start_makes_a_closed_data_dir_and_a_key(tmp_path: Path) -> None:
    """An empty folder becomes a hub whose secrets only its owner can read; what it prints leads on."""
    data_dir = tmp_path / "new" / "data"
    with serving(data_dir) as served:
        assert served.answers("/ready")
        status, output = served.stop()
    key = (data_dir / "api_key").read_text().strip()
    assert status == 0
    for expected in (served.url, f"{served.url}/docs", key, "hub psql", "curl -H"):
        assert expected in output
    modes = {
        name: stat.S_IMODE((data_dir / name).stat().st_mode)
        for name in ("", "api_key", "secret_key", "postgres", "postgres.password")
    }
    assert modes == {"": 0o700, "postgres": 0o700} | dict.fromkeys(
        ("api_key", "secret_key", "postgres.password"), 0o600
    )
    secret = (data_dir / "secret_key").read_text().strip()
    assert len(base64.urlsafe_b64decode(secret)) == 32
    assert secret not in output
    assert left(data_dir) == {}


def test_a_second_start_is_quick_and_keeps_key_and_database_port(data_dir: Path) -> None:
    """Other tools stay set up; the bound is generous, the usual time is well below a second."""
    with serving(data_dir):
        port, key = (data_dir / "postgres.port").read_text(), (data_dir / "api_key").read_text()
    started = time.monotonic()
    with serving(data_dir) as served:
        assert time.monotonic() - started < 5
        assert served.answers("/ready")
        assert ((data_dir / "postgres.port").read_text(), (data_dir / "api_key").read_text()) == (port, key)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_before_the_hub_ends(data_dir: Path, kind: signal.Signals) -> None:
    """The signal comes in the middle of a body: it is read, answered, and then nothing is left."""
    with (
        serving(data_dir) as served,
        socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))) as client,
    ):
        body = b'{"source_type":"survey","field_id":"q1","field_type":"text","tenant_id":"acme","submission_id":"s1"}'
        key = (data_dir / "api_key").read_text().strip()
        head = f"POST /v1/feedback-records HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        client.settimeout(PATIENCE)
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 100")  # so the request is begun
        client.sendall(body[:10])
        if kind == signal.SIGINT:
            os.killpg(served.process.pid, kind)  # a terminal sends it to everyone: workers and Postgres must not mind
        else:
            served.process.send_signal(kind)
        await_true(lambda: not _listens(served.url))
        client.sendall(body[10:])
        assert client.recv(10000).startswith(b"HTTP/1.1 201")
        assert served.process.wait(PATIENCE) == 0
        assert left(data_dir) == {}


@pytest.mark.parametrize("worker", ["on", "off"])
def test_the_bundled_postgres_has_room_for_all_connections(worker: Literal["on", "off"]) -> None:
    """Of requests, exports and the worker, at their most."""
    settings = Settings(web_concurrency=16, database_max_conns=20, export_concurrency=10, worker=worker)
    assert connections(settings) > 16 * (20 + 10) + (20 + 1 if worker == "on" else 0)


def test_a_signal_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    """Postgres is being made or started when it comes."""
    data_dir = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "serve"],
        env=environment(data_dir, PORT=str(free_port())),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    await_true((data_dir / "postgres.new").exists)
    process.terminate()
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    await_true(lambda: left(data_dir) == {})


def test_after_a_killed_hub_the_next_start_takes_over(data_dir: Path) -> None:
    """Its workers are gone with it, so the port is free; its Postgres is still there and is used."""
    port = free_port()
    with serving(data_dir, port=port) as killed:
        before = postmaster(data_dir)
        killed.kill()
        with serving(data_dir, port=port) as served:
            assert postmaster(data_dir) == before
            assert served.answers("/ready")
            served.stop()
        assert left(data_dir) == {}


def test_after_hub_and_postgres_were_killed_the_next_start_recovers(data_dir: Path) -> None:
    """A stale postmaster.pid does not stand in the way."""
    with serving(data_dir) as killed:
        os.kill(postmaster(data_dir), signal.SIGKILL)
        killed.kill()
        with serving(data_dir) as served:
            assert served.answers("/ready")


def test_a_postgres_that_dies_is_started_again(data_dir: Path) -> None:
    """On the same port, so the workers find it."""
    with serving(data_dir) as served:
        before = postmaster(data_dir)
        os.kill(before, signal.SIGKILL)
        await_true(lambda: served.answers("/ready") and postmaster(data_dir) != before)
        status, _ = served.stop()
        assert status == 0
    assert left(data_dir) == {}


def test_a_worker_that_dies_is_replaced(data_dir: Path) -> None:
    """There are as many as before, and the hub answers throughout."""
    with serving(data_dir) as served:
        await_true(lambda: len(_workers(data_dir)) == 2)
        victim = _workers(data_dir)[0]
        os.kill(victim, signal.SIGKILL)
        await_true(lambda: victim not in _workers(data_dir) and len(_workers(data_dir)) == 2)
        assert served.answers("/ready")


def test_two_hubs_run_side_by_side(prepared: Path, tmp_path: Path) -> None:
    """Each has its own database."""
    one, other = (_copied(prepared, tmp_path / name) for name in ("one", "other"))
    with serving(one) as first, serving(other) as second:
        assert first.answers("/ready")
        assert second.answers("/ready")
        assert (one / "postgres.port").read_text() != (other / "postgres.port").read_text()
        first.stop()
        assert left(one) == {}
        assert second.answers("/ready")


@pytest.mark.parametrize("same_port", [True, False])
def test_a_second_hub_on_the_same_data_dir_is_refused(data_dir: Path, same_port: bool) -> None:
    """In one line, which names the folder and not the port, and the first does not notice."""
    port = free_port()
    with serving(data_dir, port=port) as served:
        refused = hub(data_dir, "serve", PORT=str(port if same_port else free_port()))
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "used by another hub" in refused.stderr
        assert served.answers("/ready")


def test_commands_share_the_database_of_a_running_hub(data_dir: Path) -> None:
    """They neither start a second one nor stop the first."""
    with serving(data_dir) as served:
        before = postmaster(data_dir)
        assert hub(data_dir, "keys", "list").returncode == 0
        assert postmaster(data_dir) == before
        assert served.answers("/ready")


def test_a_busy_port_is_one_line(tmp_path: Path) -> None:
    """Nothing was started or written before that."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = hub(tmp_path / "data", "serve", PORT=port)
    assert refused.returncode == 1
    assert (
        refused.stderr
        == f"hub: PORT: 127.0.0.1:{port} is in use by another program. Stop it, or set PORT to another.\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "abc"), ("LOG_LEVEL", "loud"), ("DATABASE_URL", "mysql://db/hub")]
)
def test_a_wrong_setting_is_one_line_naming_it(tmp_path: Path, name: str, value: str) -> None:
    """The start stops there."""
    refused = hub(tmp_path / "data", "serve", **{name: value})
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"{name}: ")


def test_an_unusable_host_is_one_line_naming_it(tmp_path: Path) -> None:
    """It is checked by using it."""
    refused = hub(tmp_path / "data", "serve", HOST="203.0.113.7")
    assert refused.returncode == 1
    assert refused.stderr == "hub: HOST: 203.0.113.7 is no address of this machine\n"


def test_an_unreachable_database_is_one_line_without_its_password(tmp_path: Path) -> None:
    """The hub waits as long as DATABASE_CONNECT_TIMEOUT_SECONDS says."""
    url = f"postgresql://hub:hidden@127.0.0.1:{free_port()}/hub"
    variables = {
        "DATABASE_URL": url,
        "DATABASE_CONNECT_TIMEOUT_SECONDS": "0.1",
        "API_KEY": "k",
        "PORT": str(free_port()),
    }
    refused = hub(tmp_path / "data", "serve", **variables)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("hub: DATABASE_URL: the database cannot be reached")
    assert "hidden" not in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_database_of_another_postgres_version_is_explained(data_dir: Path) -> None:
    """And not touched."""
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    refused = hub(data_dir, "serve", PORT=str(free_port()))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "was made by Postgres 16" in refused.stderr
    assert "pg_dump" in refused.stderr


def test_the_operators_own_key_is_not_printed(data_dir: Path) -> None:
    """It opens the hub, and no key is made."""
    with serving(data_dir, API_KEY="of-the-operator") as served:
        assert not (data_dir / "api_key").exists()
        _, output = served.stop()
    assert "of-the-operator" not in output
    assert "Bearer $API_KEY" in output


def test_a_database_keeps_its_secret(data_dir: Path) -> None:
    """With another one the hub would not know what was erased, so it does not start; with its own it does."""
    with serving(data_dir):
        pass
    own = (data_dir / "secret_key").read_text().strip()
    (data_dir / "secret_key").write_text(f"{'A' * 43}=\n")
    for refused in (
        hub(data_dir, "serve", PORT=str(free_port())),
        hub(data_dir, "serve", PORT=str(free_port()), SECRET_KEY=f"{'B' * 42}A="),
        hub(data_dir, "reflatten"),
    ):
        assert refused.returncode == 1
        assert "hub: SECRET_KEY: this database is used with another one" in refused.stderr
    (data_dir / "secret_key").write_text("spoilt\n")
    refused = hub(data_dir, "serve", PORT=str(free_port()))
    assert f"{data_dir / 'secret_key'} holds no key" in refused.stderr
    (data_dir / "secret_key").unlink()
    with serving(data_dir, SECRET_KEY=own.rstrip("=")) as served:
        assert served.answers("/ready")
        assert not (data_dir / "secret_key").exists()


@pytest.fixture
def users_folder() -> Iterator[Path]:
    """A folder an ordinary user can reach, which pytest's own is not when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="hub-test-"))
    shutil.chown(folder, "nobody")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_can_run_it(users_folder: Path) -> None:
    """Everything belongs to that user; and root's commands leave nothing behind that this user could not open."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    pythons = [python for python in (sys.executable, f"/usr/bin/python{version}") if _open_to_all(Path(python))]
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    if not pythons or not all(_open_to_all(path) for path in [ROOT, *map(Path, libraries)]):
        pytest.skip("the interpreter, its libraries or the project are closed to other users")
    data_dir = users_folder / "data"

    def serving_as_nobody() -> AbstractContextManager[Served]:
        path = os.pathsep.join([str(ROOT), *libraries])
        return serving(data_dir, user="nobody", command=[pythons[0], "-m", "hub"], PYTHONPATH=path)

    with serving_as_nobody():
        assert data_dir.stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert hub(data_dir, "keys", "list").returncode == 0
    assert hub(data_dir, "keys", "list").returncode == 0  # starts it, as that user
    with serving_as_nobody() as served:
        assert served.answers("/ready")


def test_an_installed_wheel_works_from_any_folder(tmp_path: Path) -> None:
    """It carries the SQL and the web assets."""
    for name in ("hub", "sql", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tmp_path / "source" / name)
    # The dependencies are those of this environment: only our own package is what is tested.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python3*/site-packages"))
    uv = shutil.which("uv")
    install: list[str | Path] = (
        [uv, "pip", "install", "--quiet", "--python", python]
        if uv
        else [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    )
    subprocess.run([*install, "--no-deps", tmp_path / "source"], check=True, cwd=tmp_path)
    (site / "outer.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    command = tmp_path / "venv" / "bin" / "hub"
    with serving(tmp_path / "data", command=[str(command)], PYTHONPATH="") as served:
        assert served.answers("/ready")
        assert served.get("/docs").status_code == 200
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, cwd="/", env={})
    assert shown.stdout.startswith("hub 0.")


def _open_to_all(path: Path) -> bool:
    path = path.resolve()
    return path.exists() and all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _listens(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
    except ConnectionError:
        return False
    return True


def _workers(data_dir: Path) -> list[int]:
    return [pid for pid, title in left(data_dir).items() if "hub.worker" in title]
