"""The one way out to vendors: patient, at their pace, and only to addresses that may be asked."""

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Struct

from hub.addresses import is_public
from hub.pull.interface import AddressError, RefusedError, UnavailableError
from hub.sources.bodies import legible
from hub.sources.interface import UnreadableError
from hub.sources.values import items_of, members_of, text_of

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
# A vendor that wants more time than this is asked again by the next pull.
_LONGEST_ORDERED_WAIT = 300.0
_LONGEST_TOLD_WAIT = 86_400.0
_LONGEST_COMPLAINT = 300
_LARGEST_ANSWER = 64 << 20
_UNAUTHORIZED = 401
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
# With these the request was not begun.
_UNTOUCHED = frozenset({429, 503})
_UNCONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout)
# Sent twice, these do no more than once.
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})

# What a resolver says of a name that does not exist; for a moment's trouble it has other words.
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Outgoing(Struct, frozen=True, kw_only=True):
    """How the hub goes out."""

    allow_private: bool = False
    timeout_seconds: float = 60
    attempts: int = 8
    resolve: Callable[[str, int], Awaitable[list[str]]] = _resolve
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


async def allowed_addresses(host: str, port: int, outgoing: Outgoing) -> list[str]:
    """The addresses of a host that may be asked. Raises `AddressError` if there are none, `OSError` if nobody could say."""
    try:
        found = await outgoing.resolve(host, port)
    except socket.gaierror as error:
        if error.errno not in _UNKNOWN:
            raise
        raise AddressError(f"There is no {host}") from None
    allowed = [address for address in found if outgoing.allow_private or is_public(address)]
    if not allowed:
        raise AddressError(f"{host} is not on the public internet; ALLOW_PRIVATE_ADDRESSES=true lets the hub ask it")
    return allowed


class _Answer(Struct, frozen=True):
    status: int
    headers: httpx2.Headers
    content: bytes


class Api:
    """The API of one vendor. A busy, failing or unreachable one is asked again, later and later."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str], outgoing: Outgoing, *, seconds_between: float = 0
    ) -> None:
        self.url = _checked(base_url)
        self._outgoing = outgoing
        self._seconds_between = seconds_between
        self._next = 0.0
        # An error of the client would quote a value that cannot be sent.
        self._sendable = all(value.isascii() and value.isprintable() for value in headers.values())
        # Redirects are not followed: what a key opens is asked where its owner said, nowhere else.
        self._http = httpx2.AsyncClient(
            base_url=self.url,
            headers={**(headers if self._sendable else {}), "accept": "application/json", "user-agent": "feedback-hub"},
            timeout=httpx2.Timeout(outgoing.timeout_seconds, connect=10),
            transport=_Guarded(outgoing),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, kind: type[T], **query: str | int) -> T:
        return await self.request("GET", path, kind, query=query)

    async def request(
        self, method: str, path: str, kind: type[T], *,
        query: Mapping[str, str | int] | None = None, body: object = None,
    ) -> T:  # fmt: skip
        """The answer to a request. Raises `RefusedError`, `UnavailableError` and `AddressError`."""
        if not self._sendable:
            raise RefusedError(_UNAUTHORIZED, "The key has characters that no key has")
        content = None if body is None else msgspec.json.encode(body)
        for attempt in range(1, self._outgoing.attempts + 1):
            ordered: float | None = None
            try:
                answer = await self._ask(method, path, query, content)
                if 200 <= answer.status < 300:  # noqa: PLR2004
                    return msgspec.json.decode(legible(answer.content or b"null"), type=kind)
                ordered = _ordered_wait(answer.headers.get("retry-after"))
                reason = f"{self.url} answered {answer.status}{_complaint(answer)}"
                if answer.status not in _BUSY:
                    raise RefusedError(answer.status, reason)
                again = method in _REPEATABLE or answer.status in _UNTOUCHED
            except (httpx2.TransportError, TimeoutError, OSError) as error:
                reason = f"{self.url} cannot be reached ({_why(error)})"
                again = method in _REPEATABLE or isinstance(error, _UNCONNECTED)
            except (UnreadableError, msgspec.MsgspecError, httpx2.DecodingError):
                reason, again = f"{self.url} answered something else than its API does", method in _REPEATABLE
            if not again or attempt == self._outgoing.attempts or (ordered or 0) > _LONGEST_ORDERED_WAIT:
                break
            await self._outgoing.sleep(_wait(attempt, ordered))
        raise UnavailableError(f"{reason}, {attempt} times" if attempt > 1 else reason, retry_after=ordered)

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str | int] | None, content: bytes | None
    ) -> _Answer:
        await self._turn()
        headers = {} if content is None else {"content-type": "application/json"}
        async with (
            asyncio.timeout(self._outgoing.timeout_seconds),  # also for an answer that trickles in
            self._http.stream(method, path, params=query, content=content, headers=headers) as answer,
        ):
            received = bytearray()
            async for part in answer.aiter_bytes():
                received += part
                if len(received) > _LARGEST_ANSWER:
                    raise UnreadableError("The answer is too large")
        return _Answer(answer.status_code, answer.headers, bytes(received))

    async def _turn(self) -> None:
        """Waits until the vendor's quota has room for one more request."""
        now = self._outgoing.now()
        turn = max(now, self._next)
        self._next = turn + self._seconds_between
        if turn > now:
            await self._outgoing.sleep(turn - now)


class Account:
    """What is asked through some APIs, and closed with them."""

    def __init__(self, *apis: Api) -> None:
        self._apis = apis

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for api in self._apis:
            await api.close()


class _Guarded(httpx2.AsyncBaseTransport):
    """Connects to the very address that was checked: a name that resolves to another one meanwhile gains nothing."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.raw_host.decode()
        port = request.url.port or {"http": 80}.get(request.url.scheme, 443)
        *others, last = await allowed_addresses(host, port, self._outgoing)
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in others:
            with suppress(*_UNCONNECTED):
                return await self._send(request, address)
        return await self._send(request, last)

    async def _send(self, request: httpx2.Request, address: str) -> httpx2.Response:
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _checked(base_url: str) -> str:
    """The URL as it is asked. Raises `AddressError`."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of a port, or of brackets
        usable = False
    if not usable or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise AddressError("Expected an address like https://app.example.com")
    return base_url.rstrip("/")


def _wait(attempt: int, ordered: float | None) -> float:
    """Twice as long each time, and never all at once; not before the time the vendor named."""
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)  # noqa: S311 - not a secret
    return max(wait, ordered or 0)


def _ordered_wait(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After, which may be a number or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        seconds = float(retry_after)
    else:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), _LONGEST_TOLD_WAIT)


def _complaint(answer: _Answer) -> str:
    """What a refusal says of itself, in whichever of the vendors' shapes."""
    if answer.status < 400:  # noqa: PLR2004
        return " and points elsewhere: give the address that answers itself"
    try:
        whole = members_of(legible(answer.content))
    except UnreadableError:
        return ""
    error = members_of(whole["error"]) or whole
    texts = [text_of(whole["error"])]
    texts += [text_of(error[name]) for name in ("message", "description", "detail", "title")]
    parts = [*items_of(error["details"]), *items_of(whole["errors"]), *items_of(whole["invalid_params"])]
    for part in map(members_of, parts):
        found = [text_of(part[name]) for name in ("field", "name", "issue", "reason", "description", "title")]
        texts.append(" ".join(text for text in found if text))
    said = "; ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text))
    return f": {said[:_LONGEST_COMPLAINT]}" if said else ""


def _why(error: Exception) -> str:
    return str(error) or {"TimeoutError": "no answer in time"}.get(type(error).__name__, type(error).__name__)
