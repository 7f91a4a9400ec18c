"""Streams that go wrong, on the real program: a clear answer where somebody hears it, bounded memory, and no half record.

Whatever happened: the same request once more, and every record is there once.
"""

import gzip
import json
import os
import signal
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import make_record
from tests.process import PATIENCE, Served, await_true, left, postmaster, serving

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.xdist_group("batch faults"),  # they share a hub, and measure its memory
]

URL = "/v1/feedback-records/batch"
NDJSON = {"content-type": "application/x-ndjson"}
KEY = "test-key"
MB = 1 << 20
MOST_MEMORY = 200 * MB
COUNT = 12_000


@contextmanager
def a_hub(folder: Path, request_timeout_seconds: int = 15) -> Iterator[Served]:
    with serving(
        folder, API_KEY=KEY, WEB_CONCURRENCY="1", LOG_LEVEL="error",
        REQUEST_TIMEOUT_SECONDS=str(request_timeout_seconds),
    ) as served:  # fmt: skip
        yield served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub that survives its tests."""
    with a_hub(tmp_path_factory.mktemp("faults") / "data", request_timeout_seconds=1) as served:
        yield served


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A hub to be hurt."""
    with a_hub(tmp_path / "data") as fresh:
        yield fresh


@contextmanager
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=served.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENCE * 2
    ) as connected:  # fmt: skip
        yield connected


def line(tenant: str, n: int) -> bytes:
    return json.dumps(make_record(tenant_id=tenant, submission_id=f"s{n}", field_id=f"q{n % 7}")).encode() + b"\n"


def lines(tenant: str, count: int = COUNT, meanwhile: Callable[[], object] | None = None) -> Iterator[bytes]:
    """A stream of so many records; in the middle something happens."""
    for start in range(0, count, 500):
        if meanwhile is not None and start == count // 2:
            meanwhile()
        yield b"".join(line(tenant, n) for n in range(start, min(count, start + 500)))


def stored(served: Served, tenant: str) -> int:
    with client(served) as connected:
        answer = connected.get("/v1/feedback-records/count", params={"tenant_id": tenant})
        count: int = answer.json()["count"]
        return count


def post(served: Served, body: Iterator[bytes] | bytes, **headers: str) -> httpx.Response:
    with client(served) as connected:
        return connected.post(URL, content=body, headers=NDJSON | headers, params={"on_conflict": "skip"})


def converges(served: Served, tenant: str, count: int = COUNT) -> dict[str, Any]:
    """The request once more: afterwards all records are there."""
    before = stored(served, tenant)
    answer = post(served, lines(tenant, count))
    assert answer.status_code == 200, answer.text
    summary: dict[str, Any] = answer.json()["summary"]
    # The last chunk of a stream that broke off may have come after the look at it.
    assert summary["received"] == summary["created"] + summary["skipped"] == count
    assert summary["skipped"] >= before
    assert stored(served, tenant) == count
    return summary


def worker(served: Served) -> int:
    """The process that answers."""
    (pid,) = [
        pid for pid, title in left(served.data_dir).items() if "hub.worker" in title and pid != served.process.pid
    ]
    return pid


@contextmanager
def watched(served: Served) -> Iterator[Callable[[], int]]:
    """How far the worker's memory rose over what it was, at most."""
    status = Path(f"/proc/{worker(served)}/status")

    def memory() -> int:
        return next(int(text.split()[1]) * 1024 for text in status.read_text().splitlines() if "VmRSS" in text)

    idle, most, over = memory(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.01):
            most = max(most, memory())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: most - idle
    finally:
        over.set()
        watching.join()


def test_a_service_that_is_killed_in_the_middle_of_a_stream_leaves_whole_chunks(own: Served) -> None:
    """The supervisor starts another; what was stored has its account."""

    def kill() -> None:
        await_true(lambda: stored(own, "acme") > 0)
        os.kill(worker(own), signal.SIGKILL)

    with pytest.raises(httpx.TransportError):
        post(own, lines("acme", meanwhile=kill))
    await_true(own.answers)
    kept = stored(own, "acme")
    assert 0 < kept < COUNT
    assert kept % 2000 == 0
    converges(own, "acme")


def test_a_postgres_that_is_killed_in_the_middle_of_a_stream_is_a_503(own: Served) -> None:
    def kill() -> None:
        await_true(lambda: stored(own, "acme") > 0)
        own.process.send_signal(
            signal.SIGSTOP
        )  # or the stream may outlive it: another Postgres is started after a second
        os.kill(postmaster(own.data_dir), signal.SIGKILL)
        await_true(lambda: not own.answers("/ready"))

    try:
        answer = post(own, lines("acme", meanwhile=kill))
    finally:
        own.process.send_signal(signal.SIGCONT)
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"]
    await_true(lambda: own.answers("/ready"))
    converges(own, "acme")


def test_a_client_that_goes_away_leaves_whole_chunks(served: Served) -> None:
    class Gone(Exception):  # noqa: N818 - not an error of ours
        pass

    def go() -> None:
        await_true(lambda: stored(served, "gone") > 0)
        raise Gone

    with pytest.raises(Gone):
        post(served, lines("gone", meanwhile=go))
    assert stored(served, "gone") < COUNT
    converges(served, "gone")


def test_a_truncated_gzip_is_a_400_and_its_chunks_stay(served: Served) -> None:
    whole = gzip.compress(b"".join(lines("cut")), compresslevel=1)
    answer = post(served, whole[: len(whole) // 2], **{"content-encoding": "gzip"})
    assert answer.status_code == 400
    assert "ended in the middle" in answer.json()["detail"]
    assert 0 < stored(served, "cut") < COUNT
    converges(served, "cut")


def test_a_bomb_costs_no_memory(served: Served) -> None:
    """A gigabyte of nothing in a megabyte: as JSON beyond the limit, as a stream one line that is too long."""
    packer, bomb = zlib.compressobj(wbits=31), bytearray()
    for _ in range(64):
        bomb += packer.compress(bytes(16 * MB))
    bomb += packer.flush()
    with watched(served) as risen:
        answer = post(served, bytes(bomb), **{"content-encoding": "gzip", "content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["actual"] > answer.json()["limit"]
        answer = post(served, bytes(bomb), **{"content-encoding": "gzip"})
        assert answer.status_code == 422
        assert [result["status"] for result in answer.json()["results"]] == [413]
    assert risen() < MOST_MEMORY


def test_a_line_of_100_mb_costs_itself_and_no_memory(served: Served) -> None:
    def body() -> Iterator[bytes]:
        yield line("long", 0) + b'{"value_text": "'
        for _ in range(100):
            yield b"x" * MB
        yield b'"}\n' + line("long", 1)

    with watched(served) as risen:
        answer = post(served, body())
    assert answer.status_code == 207
    assert [(result["line"], result["status"]) for result in answer.json()["results"]] == [(2, 413)]
    assert stored(served, "long") == 2
    assert risen() < MOST_MEMORY


def test_two_identical_streams_at_once_end_with_every_record_once(served: Served) -> None:
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: post(served, lines("twice")), range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum(answer.json()["summary"]["created"] for answer in answers) == COUNT
    assert stored(served, "twice") == COUNT


def test_hundreds_of_thousands_go_through_one_request_in_little_memory(served: Served) -> None:
    """Memory holds some chunks, whatever the length of the stream."""
    count = 300_000
    with watched(served) as risen:
        answer = post(served, lines("many", count))
    assert answer.json()["summary"]["created"] == count
    assert risen() < MOST_MEMORY


def test_as_many_rejects_cost_no_more_memory(served: Served) -> None:
    with watched(served) as risen:
        answer = post(served, (b'{"tenant_id": "bad", "n": 1}\n' * 1000 for _ in range(20)))
    assert answer.json()["summary"]["rejected"] == 20_000
    assert risen() < MOST_MEMORY


@contextmanager
def connection(served: Served) -> Iterator[socket.socket]:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connected:
        yield connected


def test_a_client_that_stops_sending_is_let_go(served: Served) -> None:
    """With an answer, within the time a request may take."""
    head = f"POST {URL} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n"
    with connection(served) as connected:
        connected.sendall(f"{head}Content-Type: application/x-ndjson\r\n\r\n".encode() + b"5\r\n12345\r\n")
        begun = time.monotonic()
        answer = b"".join(iter(lambda: connected.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"did not arrive in time" in answer
    assert time.monotonic() - begun < 5


def test_a_client_that_stops_reading_is_let_go(served: Served) -> None:
    """What it does not fetch is not kept for it."""
    with connection(served) as connected:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b"[" + b",".join([b'{"field_id": "x"}'] * 10_000) + b"]"
        head = f"POST {URL} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        connected.sendall(head.encode() + body)
        await_true(lambda: not established(connected))


def established(connected: socket.socket) -> bool:
    """Whether the hub still holds its end."""
    local, remote = (f"{port:04X}" for port in (connected.getsockname()[1], connected.getpeername()[1]))
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        row[1].endswith(f":{remote}") and row[2].endswith(f":{local}") and row[3] == "01" for row in rows
    )  # fmt: skip
