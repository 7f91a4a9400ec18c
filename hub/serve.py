"""`hub serve`: the database, then worker processes on one socket, kept alive until the hub is told to stop."""

import asyncio
import base64
import errno
import os
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hub import embedded
from hub.settings import SECRET_BYTES, InvalidSettingsError, Settings, read

MOST_WORKERS = 8
"""By default. Beyond it the database is the limit, and each worker brings a pool of connections."""
BACKLOG = 2048
SPARE_CONNECTIONS = 20
"""For BI tools, psql and the hub's own commands, beside the workers' pools."""

_TICK_SECONDS = 0.25
_RESTART_SECONDS = 1.0
_PORT_GRACE_SECONDS = 0.5
_KILL_GRACE_SECONDS = 5.0
_WORKER = (
    "import sys; sys.path[:] = sys.argv[4:]; from hub.worker import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))"
)
_QUEUE_WORKER = (
    "import sys; sys.path[:] = sys.argv[2:]; from hub.cli.worker import supervised; supervised(int(sys.argv[1]))"
)


class StartError(Exception):
    """The hub cannot start; the text says why."""


def serve(settings: Settings) -> None:
    """Runs the hub in the foreground until SIGTERM or SIGINT. Raises `StartError` or `EmbeddedError`."""
    with ExitStack() as stack:
        is_bundled, is_new = settings.database_url is None, not settings.data_dir.exists()
        # Before the port, which is busy too when this very hub runs already; but a busy port leaves no new folder.
        if is_bundled and not is_new:
            stack.enter_context(embedded.serving(settings.data_dir))
        listener = stack.enter_context(listen(settings))
        api_key = settings.api_key or stored_api_key(settings.data_dir)
        postgres: embedded.Postgres | None = None
        if is_bundled and is_new:
            stack.enter_context(embedded.serving(settings.data_dir))
        if is_bundled:
            postgres = stack.enter_context(embedded.running(settings.data_dir, connections=connections(settings)))
        dsn = settings.database_url or (postgres.dsn if postgres else "")
        _migrate(dsn, settings)
        secret_key = secret_of(settings)
        check_secret(dsn, secret_key)
        environment = {
            **os.environ,
            "DATABASE_URL": dsn,
            "API_KEY": api_key,
            "SECRET_KEY": secret_key,
            "DATA_DIR": str(settings.data_dir.absolute()),
        }
        Supervisor(settings, listener, environment, postgres).run(welcome(settings, api_key, postgres))


def connections(settings: Settings) -> int:
    """How many connections the bundled Postgres allows."""
    processes = workers(settings) + (settings.worker == "on")
    pooled = processes * max(2, settings.database_max_conns)
    exports = workers(settings) * settings.export_concurrency
    return max(100, pooled + exports + SPARE_CONNECTIONS)


def workers(settings: Settings) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.web_concurrency or min(cores, MOST_WORKERS)


def listen(settings: Settings) -> socket.socket:
    """The socket of all workers. It listens from now on, so that a second hub fails here and not halfway."""
    deadline = time.monotonic() + _PORT_GRACE_SECONDS  # the workers of a hub just killed are gone in a moment
    while True:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return socket.create_server(
                address,
                family=family,
                backlog=BACKLOG,
                dualstack_ipv6=settings.host == "::" and socket.has_dualstack_ipv6(),
            )
        except socket.gaierror as error:
            raise StartError(f"HOST: {settings.host} is no address of this machine ({error.strerror})") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            where = f"{settings.host}:{settings.port}"
            if error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"PORT: {where} is in use by another program. Stop it, or set PORT to another."
                ) from None
            if error.errno == errno.EADDRNOTAVAIL:
                raise StartError(f"HOST: {settings.host} is no address of this machine") from None
            raise StartError(f"PORT: cannot listen on {where} ({error.strerror})") from None


def stored_api_key(data_dir: Path) -> str:
    """The key under DATA_DIR, made on first start."""
    embedded.prepare(data_dir)
    path = data_dir / "api_key"
    if not path.exists():
        embedded.write_secret(path, secrets.token_urlsafe(32))
    if not (key := path.read_text().strip()):
        raise StartError(f"{path.absolute()} is empty: remove it, and a new key is made. Or set API_KEY.")
    return key


def secret_of(settings: Settings) -> str:
    """SECRET_KEY, or the one under DATA_DIR, made on first start: 32 bytes in base64, as Fernet wants them too."""
    if settings.secret_key is not None:
        return settings.secret_key
    embedded.prepare(settings.data_dir)
    path = settings.data_dir / "secret_key"
    if not path.exists():
        embedded.write_secret(path, base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode())
    try:
        found = read({"SECRET_KEY": path.read_text()}).secret_key
    except InvalidSettingsError:
        found = None
    if found is None:
        raise StartError(f"{path.absolute()} holds no key of 32 bytes in base64: restore it, or set SECRET_KEY.")
    return found


def welcome(settings: Settings, api_key: str, postgres: embedded.Postgres | None) -> str:
    """What a person needs next."""
    url = settings.url
    key = "$API_KEY" if settings.api_key else api_key
    command = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "hub" else f"{shlex.quote(sys.executable)} -m hub"
    if "DATA_DIR" in os.environ:
        command = f"DATA_DIR={shlex.quote(str(settings.data_dir.absolute()))} {command}"
    lines = [f"The Feedback Hub serves {url}", "", f"  page           {url}", f"  API reference  {url}/docs"]
    if settings.api_key:
        lines.append("  key            $API_KEY, as set in the environment")
    else:
        lines.append(f"  key            {api_key}   (kept in {settings.data_dir.absolute() / 'api_key'})")
    if postgres:
        lines.append(f"  database       {command} psql")
        lines.append(
            f"  other tools    host={embedded.HOST} port={postgres.port} dbname={embedded.DATABASE} user={embedded.USER}, "
            f"password in {postgres.data_dir / 'postgres.password'}"
        )
    else:
        lines.append(f"  database       {command} psql   (or psql with your DATABASE_URL)")
    lines += [
        "",
        "Try it:",
        "",
        f"""  curl -H "Authorization: Bearer {key}" "{url}/v1/feedback-records?tenant_id=acme" """.rstrip(),
        "",
    ]
    return "\n".join(lines)


def _migrate(dsn: str, settings: Settings) -> None:
    # Not needed to say that a port is busy, and slow to import.
    import asyncpg  # noqa: PLC0415

    from hub.db.migrate import MigrationError, migrate  # noqa: PLC0415

    deadline = time.monotonic() + settings.database_connect_timeout_seconds
    while True:
        try:
            report = asyncio.run(migrate(dsn))
        except (OSError, asyncpg.CannotConnectNowError) as error:
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise StartError(f"DATABASE_URL: the database cannot be reached ({error})") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StartError(f"DATABASE_URL: the database cannot be used ({error})") from None
        except MigrationError as error:
            raise StartError(f"The database cannot be migrated: {error}") from None
        for name in report.applied:
            _log("info", "migration applied", name=name)
        if report.newer:
            _log("warning", "the database was migrated by a newer hub", names=report.newer)
        if report.waiting:
            _log("warning", "tables wait for `hub migrate --distributed`", tables=report.waiting)
        return


def check_secret(dsn: str, secret_key: str) -> None:
    """Another secret would find none of the markers, and let everything come back that was erased."""
    import asyncpg  # noqa: PLC0415

    from hub.db import erasures  # noqa: PLC0415

    async def is_known() -> bool:
        connection = await asyncpg.connect(dsn)
        try:
            return await erasures.is_known(connection, erasures.Markers(secret_key))
        finally:
            await connection.close()

    if not asyncio.run(is_known()):
        raise StartError(
            "SECRET_KEY: this database is used with another one. Set SECRET_KEY to it, or put its file back into DATA_DIR. "
            "docs/erasure.md says what to do when it is lost."
        )


class Child:
    """A process and the line to it: a byte says that it serves, the end of the line that one of the two is gone."""

    def __init__(self, start: Callable[[int], subprocess.Popen[bytes]]) -> None:
        self.start = start
        self.line, other = socket.socketpair()
        self.started = time.monotonic()
        # Ctrl-C is the supervisor's: a worker that heard it too would stop answering before its time.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = start(other.fileno())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        other.close()

    def hear(self) -> bool:
        """Takes in what the process said. False when it is gone."""
        try:
            word = self.line.recv(1)
        except ConnectionError:
            word = b""
        if word:
            return True
        try:
            self.process.wait(_KILL_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.line.close()
        return False


class Supervisor:
    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        environment: dict[str, str],
        postgres: embedded.Postgres | None,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._environment = environment
        self._postgres = postgres
        self._children: list[Child] = []
        self._signals: list[int] = []

    def run(self, text: str) -> None:
        """Keeps the workers and the database alive until a signal comes, then lets the workers finish what they have begun."""
        with self._listening_to_signals() as woken:
            try:
                self._children = [Child(self._worker) for _ in range(workers(self._settings))]
                self._until_signal(woken, text)
            finally:
                self._stop(woken)

    def _worker(self, line: int) -> subprocess.Popen[bytes]:
        listening = self._listener.fileno()
        arguments = [str(listening), str(line), str(self._settings.shutdown_timeout_seconds)]
        return self._python(_WORKER, arguments, (listening, line))

    def _queue_worker(self, line: int) -> subprocess.Popen[bytes]:
        return self._python(_QUEUE_WORKER, [str(line)], (line,))

    def _python(self, program: str, arguments: list[str], inherited: tuple[int, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 # this very interpreter
            [sys.executable, "-P", "-c", program, *arguments, *sys.path], env=self._environment, pass_fds=inherited
        )

    def _until_signal(self, woken: socket.socket, text: str) -> None:
        served = False
        due: list[tuple[float, Child]] = []  # when workers that ended are started again
        database_due = 0.0
        while not self._signals:
            heard, _, _ = select.select([woken, *(child.line for child in self._children)], [], [], _TICK_SECONDS)
            for child in [child for child in self._children if child.line in heard]:
                if child.hear():
                    if not served:
                        served = True
                        _welcome(text)
                        if self._settings.worker == "on":  # nothing it does is waited for at the start
                            self._children.append(Child(self._queue_worker))
                    continue
                self._children.remove(child)
                if not served:
                    raise StartError("A worker did not start; the log above says why.")
                _log("error", "worker ended, starting another", pid=child.process.pid, status=child.process.returncode)
                due.append((child.started + _RESTART_SECONDS, child))
            now = time.monotonic()
            for moment, child in [one for one in due if one[0] <= now]:
                due.remove((moment, child))
                self._children.append(Child(child.start))
            if self._postgres and now >= database_due and not self._postgres.is_alive():
                database_due = now + _RESTART_SECONDS
                self._restart(self._postgres)

    def _restart(self, postgres: embedded.Postgres) -> None:
        _log("error", "postgres ended, starting it again")
        port = postgres.port
        try:
            postgres.start()
        except (embedded.EmbeddedError, OSError) as error:
            _log("error", "postgres does not start", error=str(error))
        else:
            _log("info", "postgres started", port=postgres.port)
            if postgres.port != port:  # somebody took it meanwhile; new workers look for it in the right place
                self._environment["DATABASE_URL"] = postgres.dsn
                for child in self._children:
                    child.process.terminate()

    def _stop(self, woken: socket.socket) -> None:
        self._listener.close()  # else new connections would queue up here, with nobody left to take them
        for child in self._children:
            with suppress(ProcessLookupError):
                child.process.terminate()
        deadline = time.monotonic() + self._settings.shutdown_timeout_seconds + _KILL_GRACE_SECONDS
        patient_until = time.monotonic() + _TICK_SECONDS  # a terminal and `make` both pass on one Ctrl-C
        self._signals.clear()
        while self._children and time.monotonic() < deadline:
            heard, _, _ = select.select([woken, *(child.line for child in self._children)], [], [], _TICK_SECONDS)
            if woken in heard:
                woken.recv(64)
                if signal.SIGINT in self._signals and time.monotonic() > patient_until:
                    break
                self._signals.clear()
            for child in [child for child in self._children if child.line in heard]:
                if not child.hear():
                    self._children.remove(child)
        for child in self._children:
            child.process.kill()
            child.process.wait()

    @contextmanager
    def _listening_to_signals(self) -> Iterator[socket.socket]:
        """A signal ends the wait at once; a second Ctrl-C does not wait for requests any more."""
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        kinds = (signal.SIGTERM, signal.SIGINT)
        before = [signal.signal(kind, lambda number, _: self._signals.append(number)) for kind in kinds]
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)
            for kind, handler in zip(kinds, before, strict=True):
                signal.signal(kind, handler)
            reader.close()
            writer.close()


def _welcome(text: str) -> None:
    """On stdout for a person. Where stdout takes the logs, one JSON value a line, on stderr."""
    print(text, file=sys.stdout if sys.stdout.isatty() else sys.stderr, flush=True)


def _log(level: str, event: str, **facts: object) -> None:
    if sys.stdout.isatty():
        print(level, event, *(f"{name}={value}" for name, value in facts.items()), flush=True)  # noqa: T201
    else:
        line = {"event": event, "level": level, "timestamp": datetime.now(UTC).isoformat(), **facts}
        print(msgspec.json.encode(line).decode(), flush=True)  # noqa: T201
