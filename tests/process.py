"""Drives the real program: `hub` as a child process, seen from outside."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 90.0


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """Nothing of the caller's settings gets in."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "DATA_DIR": str(data_dir),
        "WEB_CONCURRENCY": "2",
        **variables,
    }


def hub(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of the hub to its end."""
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=environment(data_dir, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Served:
    """A `hub serve` that answers."""

    def __init__(self, process: subprocess.Popen[str], output: IO[str], url: str, data_dir: Path) -> None:
        self.process = process
        self._output = output
        self.url = url
        self.data_dir = data_dir

    @property
    def said(self) -> str:
        """All that it printed so far."""
        self._output.seek(0)
        return self._output.read()

    def get(self, path: str) -> httpx.Response:
        with httpx.Client(base_url=self.url, headers=self._authorization(), timeout=PATIENCE) as client:
            return client.get(path)

    def answers(self, path: str = "/health") -> bool:
        """Whether it does so now. `/ready` needs the database."""
        with suppress(httpx.TransportError):
            return self.get(path).is_success
        return False

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status and all it said."""
        self.process.send_signal(kind)
        return self.process.wait(timeout=PATIENCE), self.said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _authorization(self) -> dict[str, str]:
        path = self.data_dir / "api_key"
        return {"Authorization": f"Bearer {path.read_text().strip()}"} if path.exists() else {}


@contextmanager
def serving(
    data_dir: Path,
    *,
    port: int | None = None,
    command: list[str] | None = None,
    user: str | None = None,
    **variables: str,
) -> Iterator[Served]:
    """A hub that answers; at the end nothing of it is left, whatever the test did."""
    port = port or free_port()
    # Not a pipe: one that nobody reads is full after some hundred lines, and stops the hub.
    output = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed below
    process = subprocess.Popen(
        [*(command or [sys.executable, "-m", "hub"]), "serve"],
        env=environment(data_dir, PORT=str(port), **variables),
        cwd="/" if command else ROOT,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        user=user,
        group=None if user is None else "nogroup",
        extra_groups=None if user is None else [],
    )
    served = Served(process, output, f"http://127.0.0.1:{port}", data_dir)
    try:
        await_true(lambda: process.poll() is not None or served.answers())
        assert process.poll() is None, served.said
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                served.kill()
        for pid in left(data_dir):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        output.close()


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def left(data_dir: Path) -> dict[int, str]:
    """The processes that have to do with a DATA_DIR: by their arguments, environment or working directory."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = (entry / "cmdline").read_bytes()
            known = title + (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
            if str(data_dir).encode() in known and int(entry.name) != os.getpid():
                found[int(entry.name)] = title.replace(b"\0", b" ").decode()
    return found
