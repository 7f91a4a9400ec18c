"""The one ASGI wrapper around Litestar: what the contract wants before routing, and what Litestar's routing does not do.

Request ids, clean paths, 401 before 404, `Allow`, HEAD, `%2F` inside a segment, the body's time limit, and the log line.
"""

import asyncio
import html
import itertools
import posixpath
import re
import time
from collections.abc import Awaitable, Coroutine, Generator
from typing import Generic, TypeVar, cast
from urllib.parse import quote, unquote

import msgspec
import structlog
import uuid6
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send

from hub.api import openapi, problems
from hub.api.auth import Keyring, Principal
from hub.api.openapi import Failure, Operation
from hub.api.problems import BadRequest, MethodNotAllowed, NotFound, Problem, Unauthorized
from hub.settings import Settings

_NOSNIFF = {"x-content-type-options": "nosniff"}
CLIENT_CLOSED = 499
_HOOKS = "/hooks/"
NO_HOOK = "Nothing is delivered to this address: it is not known, or no more"

T = TypeVar("T")

_requests = itertools.count()
_PROCESS = str(uuid6.uuid7())[19:]


class Exchange:
    """One request on its way: what the log line and the problem documents say about it."""

    __slots__ = (
        "code", "counts", "failure", "headers", "instance", "key_id", "path", "pattern", "problem_base", "request_id", "status",
        "tenant_id", "without_body",
    )  # fmt: skip

    def __init__(self, request_id: str, path: str, headers: dict[bytes, bytes], problem_base: str) -> None:
        self.request_id = request_id
        self.headers = headers
        self.path = path
        self.instance = unquote(path, errors="replace")
        self.problem_base = problem_base
        self.failure: Failure | None = None
        self.pattern = ""
        self.status = CLIENT_CLOSED
        self.code: str | None = None
        self.key_id: str | None = None
        self.tenant_id: str | None = None
        self.counts: dict[str, int] = {}
        self.without_body = False
        """What is asked for with HEAD: an answer that is long to make may spare itself the trouble."""

    def render(self, error: Exception) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to a request that failed."""
        problem = problems.from_exception(error, self.request_id)
        self.code = problem.code
        if self.failure is not None:
            headers = {"content-type": "application/json", **problem.extra_headers}
            return problem.status, headers, msgspec.json.encode(self.failure(problem))
        document = problem.document(base=self.problem_base, instance=self.instance, request_id=self.request_id)
        return (
            problem.status,
            {"content-type": problems.MEDIA_TYPE, **problem.extra_headers},
            msgspec.json.encode(document),
        )


def exchange(scope: Scope) -> Exchange:
    """The exchange of the request that is being handled."""
    return cast("Exchange", scope["state"]["exchange"])


class Route:
    """A path pattern, and what each of its methods is."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.operations: dict[str, Operation] = {}


class Routes:
    """Which paths exist, and with which methods; literal segments win over parameters."""

    def __init__(self, app: Litestar) -> None:
        self._literal: dict[str, Route] = {}
        self._patterns: list[tuple[list[str], Route]] = []
        for path, method, handler in openapi.routes(app):
            pattern = re.sub(r"{(\w+):\w+}", r"{\1}", path)
            known = self._literal if "{" not in path else {route.pattern: route for _, route in self._patterns}
            route = known.get(pattern) or Route(pattern)
            route.operations[method] = openapi.operation(handler)
            if method == "GET":
                route.operations["HEAD"] = route.operations[method]
            if "{" not in path:
                self._literal[path] = route
            elif pattern not in known:
                self._patterns.append((pattern.split("/"), route))

    def find(self, path: str) -> Route | None:
        """The route a path belongs to."""
        if path in self._literal:
            return self._literal[path]
        segments = path.split("/")
        for parts, route in self._patterns:
            if len(parts) == len(segments) and all(map(_fits, parts, segments)):
                return route
        return None


def _fits(part: str, segment: str) -> bool:
    return part == segment or (part.startswith("{") and segment != "")


class Edge:
    """The application uvicorn runs."""

    def __init__(self, litestar: Litestar, settings: Settings) -> None:
        self.litestar = litestar
        self._settings = settings
        self._routes = Routes(litestar)
        # Bound once: the one of a module would be bound anew for each line.
        self._log = structlog.get_logger().bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.litestar(scope, receive, send)
            return
        begun = time.perf_counter()
        headers = dict(reversed(list(scope["headers"])))  # of a repeated header the first counts
        request_id = headers.get(b"x-request-id", b"").decode("latin-1") or _request_id()
        # The raw one: what the server puts into `path` is decoded already, and would be decoded twice.
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).split(b"?", 1)[0].decode("latin-1")
        this = Exchange(request_id, path, headers, self._settings.problem_base_url)
        scope.setdefault("state", {})["exchange"] = this
        this.without_body = scope["method"] == "HEAD"
        reply = _Reply(this, send)
        try:
            await self._answer(scope, this, receive, reply)
        except Exception as error:  # noqa: BLE001 - the renderer, and the only one
            if not reply.started:
                await reply.send(*this.render(error))
        finally:
            self._log.info(
                "request",
                method=scope["method"],
                route=this.pattern or None,
                status=this.status,
                code=this.code,
                ms=round((time.perf_counter() - begun) * 1000, 1),
                key=this.key_id,
                tenant=this.tenant_id,
                request_id=request_id,
                **this.counts,
            )

    async def _answer(self, scope: HTTPScope, this: Exchange, receive: Receive, reply: "_Reply") -> None:
        path = this.path
        if "//" in path or "/." in path:
            clean = posixpath.normpath("/" + path.lstrip("/")) + ("/" if path.endswith("/") and path.strip("/") else "")
            if clean != path:
                await reply.send(*_redirect(clean, scope["query_string"]))
                return
        if "%" in path:  # before anything is decided by it: `/%761/…` is `/v1/…`
            path = "/".join(_recoded(segment) for segment in path.split("/"))
        principal: Principal | None = None
        if path == "/v1" or path.startswith("/v1/"):
            keyring: Keyring = self.litestar.state.keyring
            principal = await keyring.principal(this.headers.get(b"authorization"))
            this.key_id, this.tenant_id = principal.key_id, principal.tenant_id
            scope["auth"] = principal
        if path.startswith(_HOOKS):
            this.instance = (
                "/hooks"  # what follows is a secret, and vendors show to many people what they were answered
            )
        found = self._routes.find(path)
        if found is None:
            raise _nothing_at(path)
        this.pattern = found.pattern
        if scope["method"] not in found.operations:
            raise MethodNotAllowed(headers={"allow": ", ".join(sorted(found.operations)), **_NOSNIFF})
        operation = found.operations[scope["method"]]
        this.failure = operation.failure
        if operation.scope is not None:
            if principal is None:
                raise Unauthorized
            principal.require(operation.scope)
        # A scope of its own: the server looks into the first one to know that HEAD has no body.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        inner = cast(
            "HTTPScope",
            {**scope, "method": method, "path": path, "app": self.litestar, "litestar_app": self.litestar},
        )
        # Past Litestar's own handler of exceptions, which costs each message of an answer a call: what fails is rendered above.
        await self.litestar.asgi_router(inner, self._in_time(receive, streamed=bool(operation.streams)), reply)

    def _in_time(self, receive: Receive, *, streamed: bool) -> Receive:
        """The body must arrive in time: a client that sends a byte a minute does not hold a connection for ever.

        A stream may take as long as it likes, if only each part of it arrives in time.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.request_timeout_seconds
        complete = False

        async def receive_in_time() -> HTTPReceiveMessage:
            nonlocal complete, deadline
            if complete:  # nothing more to come but the disconnect, which may take its time
                return cast("HTTPReceiveMessage", await receive())
            if streamed:  # from now on: the time the hub took to store the part before is not the client's
                deadline = clock() + self._settings.request_timeout_seconds
            try:
                message = await _by(deadline, receive())
            except TimeoutError:
                raise BadRequest("The request body did not arrive in time", headers={"connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise BadRequest("The client went away before its request was complete")
            complete = not message.get("more_body", False)
            return cast("HTTPReceiveMessage", message)

        return receive_in_time


async def _by(deadline: float, receiving: Awaitable[T]) -> T:
    """What is received, or `TimeoutError`. What is there already comes without a timer, which would take the time of the routing."""
    coroutine = cast("Coroutine[object, object, T]", receiving)  # what servers hand over are `async def`
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    async with asyncio.timeout_at(deadline):
        return await _Rest(coroutine, waits_for)


class _Rest(Generic[T]):
    """The rest of a coroutine whose first step is made."""

    def __init__(self, coroutine: Coroutine[object, object, T], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[object, object, T]:
        try:
            while True:
                try:
                    answer = yield self._waits_for
                except BaseException as error:  # noqa: BLE001 - handed to the coroutine, as `await` does
                    self._waits_for = self._coroutine.throw(error)
                else:
                    self._waits_for = self._coroutine.send(answer)
        except StopIteration as end:
            return cast("T", end.value)


def _request_id() -> str:
    """A UUIDv7: the time, a counter, and bits that are this process' own. Chance for each would take the time of the routing."""
    time_and_count = (time.time_ns() // 1_000_000) << 12 | next(_requests) & 0xFFF
    head = f"{time_and_count:015x}"
    return f"{head[:8]}-{head[8:12]}-7{head[12:]}-{_PROCESS}"


def _nothing_at(path: str) -> Problem:
    # Vendors take 404 for a reason never to deliver again.
    return Unauthorized(NO_HOOK) if path.startswith(_HOOKS) else NotFound(headers=_NOSNIFF)


def _recoded(segment: str) -> str:
    """One spelling of each segment, in which an escaped slash stays escaped: `a%2Fb` is one segment."""
    return quote(unquote(segment, errors="surrogateescape"), safe="", errors="surrogateescape")


def _redirect(path: str, query: bytes) -> tuple[int, dict[str, str], bytes]:
    location = path + (f"?{query.decode('latin-1')}" if query else "")
    body = f'<a href="{html.escape(location)}">Temporary Redirect</a>.\n'.encode()
    return 307, {"content-type": "text/html; charset=utf-8", "location": location}, body


class _Reply:
    """The way back: adds the request id, notes the status, leaves the body out of an answer to HEAD."""

    def __init__(self, this: Exchange, send: Send) -> None:
        self.started = False
        self._exchange = this
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._exchange.status = message["status"]
            request_id = self._exchange.request_id.encode("latin-1")
            message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
        elif message["type"] == "http.response.body" and self._exchange.without_body:
            message["body"] = b""
        await self._send(message)

    async def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        pairs = [(name.encode(), value.encode("latin-1", errors="replace")) for name, value in headers.items()]
        pairs.append((b"content-length", str(len(body)).encode()))
        await self({"type": "http.response.start", "status": status, "headers": pairs})
        await self({"type": "http.response.body", "body": body, "more_body": False})
