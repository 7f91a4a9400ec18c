"""A real HTTP server in the place of a vendor: what it holds can be edited, and it can be told to misbehave."""

import json
import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        document: Json = json.loads(self.body)
        return document

    @property
    def parts(self) -> list[str]:
        return [unquote(part) for part in self.path.strip("/").split("/")]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: object = None
    """Sent as JSON, unless it is bytes."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """The connection ends after so many bytes of the body."""
    silent: bool = False
    """Nothing is answered as long as the server runs."""
    trickles: bool = False
    """Blanks follow one another as long as the server runs."""

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Delivery:
    """A webhook as it was sent, and the status it was answered with; 0 for none."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


class _Six(ThreadingHTTPServer):
    address_family = socket.AF_INET6


Job = Callable[[], Delivery]
"""Sends one delivery; again, when called again."""


class Server(ABC):
    """Listens from `with` on; a subclass has the state of one vendor and answers by it."""

    precision = "milliseconds"
    """Of the times it writes."""

    def __init__(
        self, *, host: str = "127.0.0.1", now: Callable[[], float] | None = None, time: datetime | None = None
    ) -> None:
        self.requests: list[Request] = []
        self.deliveries: list[Delivery] = []
        self.now = now
        """The clock of its quotas; without one there are none."""
        self.time = time or datetime(2026, 8, 20, 9, 0, tzinfo=UTC)
        """When what is done next is done."""
        self._queued: list[Job] = []
        self._odd: deque[Answer] = deque()
        self._times: deque[float] = deque()
        # One request at a time sees the state, whoever edits it meanwhile.
        self.lock = threading.RLock()
        self._over = threading.Event()
        self._http = (_Six if ":" in host else ThreadingHTTPServer)((host, 0), self._handler())
        self._http.daemon_threads = False
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def misbehave(self, *answers: Answer) -> None:
        """The next requests get these instead of what they ask for."""
        self._odd.extend(answers)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """What the vendor answers, and what it does meanwhile."""

    def tick(self, seconds: float = 1) -> str:
        """Later, as the vendor writes it."""
        self.time += timedelta(seconds=seconds)
        return self.time.isoformat(timespec=self.precision).replace("+00:00", "Z")

    def over_quota(self, limit: int, seconds: float) -> bool:
        """Whether this request is one too many for so many in so many seconds."""
        if self.now is None:
            return False
        now = self.now()
        while self._times and self._times[0] <= now - seconds:
            self._times.popleft()
        if len(self._times) >= limit:
            return True
        self._times.append(now)
        return False

    def queued(self) -> list[Job]:
        """Takes the deliveries that wait, for a test to send in whatever order, as often as it likes."""
        with self.lock:
            waiting, self._queued = self._queued, []
            return waiting

    def flush(self) -> list[Delivery]:
        """Sends what waits, in the order in which it came about."""
        return [send() for send in self.queued()]

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout: float) -> Delivery:
        status = 0
        with suppress(httpx.TransportError), httpx.Client(timeout=timeout, trust_env=False) as client:
            status = client.post(url, content=body, headers=headers).status_code
        delivery = Delivery(url, headers, body, status)
        self.deliveries.append(delivery)
        return delivery

    def _respond(self, request: Request) -> Answer:
        with self.lock:
            self.requests.append(request)
            return self._odd.popleft() if self._odd else self.answer(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def _any(self) -> None:
                split = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                request = Request(
                    self.command, split.path, dict(parse_qsl(split.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length),
                )  # fmt: skip
                answer = server._respond(request)
                if answer.silent:
                    server._over.wait(30)
                    self.close_connection = True
                    return
                content = b"" if answer.status == 204 else answer.content
                self.send_response(answer.status)
                for name, value in ({"content-type": "application/json"} | dict(answer.headers)).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(1 << 30 if answer.trickles else len(content)))
                # A connection that is kept would keep its thread.
                self.send_header("connection", "close")
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(content[: answer.cut_after])
                    while answer.trickles and not server._over.wait(0.01):
                        self.wfile.write(b" ")
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the names http.server asks for

            def log_message(self, *_: object) -> None:
                """Says nothing: tests read `requests`."""

        return Handler
