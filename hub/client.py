"""Talks to a running hub, for the commands that send it something."""

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeAlias

import httpx2
import msgspec
from httpx2 import Response
from msgspec import Struct

from hub.settings import Settings

_ATTEMPTS = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_LONGEST_ORDERED_WAIT = 300.0
_TOO_MANY, _SERVERS_FAULT = 429, 500


Query: TypeAlias = Mapping[str, str | int | Sequence[str]]


class Fault(Struct, frozen=True):
    name: str = ""
    reason: str = ""


class Problem(Struct, frozen=True):
    """A failure as the hub describes it (RFC 9457), as far as a person needs it."""

    status: int
    title: str = ""
    detail: str = ""
    request_id: str = ""
    details: dict[str, str] = {}
    invalid_params: list[Fault] = []

    def __str__(self) -> str:
        faults = "; ".join(f"{fault.name} {fault.reason}" for fault in self.invalid_params)
        text = faults or self.detail or self.title
        return f"{self.status}: {text}" + (f" (request {self.request_id})" if self.request_id else "")


class RefusedError(Exception):
    """The hub refused the request, and would refuse it again."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class UnreachableError(Exception):
    """The hub did not answer, or only with failures of its own, however often it was asked."""


def api_key(settings: Settings) -> str | None:
    """The key of these settings: API_KEY, or the one that `hub serve` keeps under DATA_DIR."""
    path = settings.data_dir / "api_key"
    return settings.api_key or (path.read_text().strip() if path.is_file() else None)


class Client:
    """One hub. A busy, failing or unreachable one is asked again, later and later; any other failure is raised at once.

    Asking again is safe because storing is: what was stored already is found to be so.
    """

    def __init__(
        self, url: str, key: str, *, patience_seconds: float = 60, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.url = url
        self._tell = tell
        self._stopped = threading.Event()
        self._http = httpx2.Client(
            base_url=url,
            headers={b"authorization": b"Bearer " + key.encode()},
            timeout=httpx2.Timeout(patience_seconds, connect=10),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def stop(self) -> None:
        """Has requests that wait to be tried again give up, on whatever thread."""
        self._stopped.set()

    @contextmanager
    def download(self, path: str, *, query: Query) -> Iterator[Iterator[bytes]]:
        """The body of an answer as it arrives. One that breaks off is `UnreachableError`: from the middle nothing is tried again."""
        answer = self.request("GET", path, query=query, stream=True)
        try:
            yield self._pieces(answer)
        finally:
            answer.close()

    def _pieces(self, answer: Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_bytes()
        except httpx2.TransportError as error:
            raise UnreachableError(f"{self.url} broke off ({str(error) or type(error).__name__})") from None

    def request(  # noqa: PLR0913 - the parts of a request
        self, method: str, path: str, *, query: Query | None = None, body: bytes | None = None,
        headers: Mapping[str, str] | None = None, accept: frozenset[int] = frozenset(), stream: bool = False,
    ) -> Response:  # fmt: skip
        """The answer, if it is a success or its status one of `accept`. Raises `RefusedError` and `UnreachableError`."""
        wait: str | None
        for attempt in range(1, _ATTEMPTS + 1):
            request = self._http.build_request(method, path, params=query, content=body, headers=headers)
            try:
                answer = self._http.send(request, stream=stream)
                if stream and not answer.is_success:
                    answer.read()
            except httpx2.TransportError as error:
                reason, wait = f"{self.url} cannot be reached ({str(error) or type(error).__name__})", None
            else:
                if answer.is_success or answer.status_code in accept:
                    return answer
                busy = answer.status_code == _TOO_MANY or answer.status_code >= _SERVERS_FAULT
                if not busy or answer.headers.get("x-should-retry") == "false":
                    raise RefusedError(problem_of(answer))
                reason, wait = f"{self.url} answered {problem_of(answer)}", answer.headers.get("retry-after")
            if attempt < _ATTEMPTS:
                seconds = _wait(attempt, wait)
                self._tell(f"{reason}; trying again in {seconds:.1f} s")
                if self._stopped.wait(seconds):
                    break
        raise UnreachableError(f"{reason}, {attempt} times")


def problem_of(answer: Response) -> Problem:
    """What an answer says of its failure. A proxy in between may have written its own."""
    try:
        return msgspec.json.decode(answer.content, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Problem(status=answer.status_code, title=answer.reason_phrase)


def _wait(attempt: int, retry_after: str | None) -> float:
    """Twice as long each time, and never all clients at once; not before the time the hub named."""
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)  # noqa: S311 - not a secret
    ordered = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    return max(wait, min(ordered, _LONGEST_ORDERED_WAIT))
