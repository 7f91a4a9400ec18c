"""Answers that are JSON text already."""

from litestar.types import Receive, Scope, Send


class Json:
    """JSON as it goes over the wire. Litestar's own response would cost a post a tenth of its time."""

    __slots__ = ("_body", "_status")

    def __init__(self, body: bytes, *, status: int = 200) -> None:
        self._body = body + b"\n"
        self._status = status

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})
