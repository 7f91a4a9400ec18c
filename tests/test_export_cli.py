"""`hub export` against a running hub, and what only a real server can show."""

import csv
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.parquet
import pytest

from tests.conftest import make_record
from tests.process import Served, free_port, hub, serving

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

MANY = 20_000
TEXT = 'a "quoted"\nanswer, ' * 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data_dir = tmp_path_factory.mktemp("export") / "data"
    with serving(data_dir, WEB_CONCURRENCY="1", REQUEST_TIMEOUT_SECONDS="1", EXPORT_CONCURRENCY="1") as served:
        lines = "".join(json.dumps(make_record(submission_id=f"s{n}", value_text=TEXT)) + "\n" for n in range(MANY))
        answer = httpx.post(
            f"{served.url}/v1/feedback-records/batch", content=lines, headers={**key(served), "content-type": "application/x-ndjson"},
            timeout=60,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        yield served


def key(served: Served) -> dict[str, str]:
    return {"authorization": f"Bearer {(served.data_dir / 'api_key').read_text().strip()}"}


def export(served: Served, *arguments: str) -> tuple[int, str, str]:
    """Exit status, what it wrote and what it said."""
    done = hub(served.data_dir, "export", *arguments, "--url", served.url)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ["all.csv", "all.ndjson", "all.jsonl", "all.parquet"])
def test_a_file_has_the_format_of_its_name(served: Served, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert export(served, str(file), "--tenant", "acme") == (0, f"{MANY:,} records exported\n", "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "all.parquet":
        texts = pyarrow.parquet.read_table(file).column("value_text").to_pylist()
    elif name == "all.csv":
        with file.open(newline="") as lines:
            texts = [row["value_text"] for row in csv.DictReader(lines)]
    else:
        texts = [json.loads(line)["value_text"] for line in file.read_text().splitlines()]
    assert texts == [TEXT] * MANY


def test_standard_output_columns_and_filters(served: Served) -> None:
    """What was said about it goes to standard error."""
    selected = ("--filter", "submission_id=s7", "--filter", "submission_id=s8")
    status, out, said = export(
        served, "-", "--format", "csv", "--tenant", "acme", "--columns", "submission_id,field_id", *selected
    )
    assert (status, sorted(out.splitlines()), said) == (
        0, ["s7,q1", "s8,q1", "submission_id,field_id"], "2 records exported\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["-"], 2, "--format: - does not say which"),
        (["x.csv", "--filter", "user_id"], 2, "user_id: Expected NAME=VALUE"),
        (["x.csv"], 1, "tenant_id is required"),
        (["x.csv", "--tenant", "acme", "--columns", "nonsense"], 1, "columns must be one of"),
        (["nowhere/x.csv", "--tenant", "acme"], 1, "No such file or directory"),
    ],
)
def test_mistakes_are_told_and_leave_no_file(
    served: Served, tmp_path: Path, arguments: list[str], status: int, complaint: str
) -> None:
    name, *others = arguments
    left, _, said = export(served, name if name == "-" else str(tmp_path / name), *others)
    assert (left, complaint in said, "Traceback" in said) == (status, True, False), said
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_breaks_off_is_none(served: Served, tmp_path: Path) -> None:
    """Nobody takes half of the records for all of them."""
    with socket.create_server(("127.0.0.1", free_port())) as broken:
        url = f"http://127.0.0.1:{broken.getsockname()[1]}"

        def answer(text: bytes) -> None:
            connection, _ = broken.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(text)

        def serve() -> None:
            body = b'{"count":2}'
            answer(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nid\n\r\n")

        server = threading.Thread(target=serve)
        server.start()
        done = hub(served.data_dir, "export", str(tmp_path / "x.csv"), "--tenant", "acme", "--url", url)
        server.join()
    assert (done.returncode, done.stdout) == (1, "")
    assert "broke off" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_does_not_read_gives_its_place_up(served: Served) -> None:
    """The one place there is: the next export waits for it, and gets it."""
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lines = [
            f"GET /v1/feedback-records/export?tenant_id=acme HTTP/1.1\r\nhost: hub\r\nauthorization: {key(served)['authorization']}"
        ]
        idle.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert idle.recv(12) == b"HTTP/1.1 200"
        path = f"{served.url}/v1/feedback-records/export?tenant_id=acme&columns=id"
        assert httpx.get(path, headers=key(served)).status_code == 429
        deadline = time.monotonic() + 20
        while (answer := httpx.get(path, headers=key(served), timeout=20)).status_code == 429:
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)
        assert answer.text.count("\n") == MANY + 1
