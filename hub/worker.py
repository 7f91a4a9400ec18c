"""One process that answers requests: uvicorn on the socket that the supervisor (`hub.serve`) listens on."""

import asyncio
import gc
import os
import socket
import sys
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub import lifeline, settings


class _Corked:
    """A transport that sends head and body of an answer in one write: a second one costs as much as routing the request."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._soon = loop.call_soon
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """Lets go of a client that does not read its answer: uvicorn would wait for ever, and keep what it has to say in memory."""

    patience_seconds = settings.read(os.environ).request_timeout_seconds
    _impatience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(cast("asyncio.Transport", _Corked(transport, self.loop)))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._impatience = self.loop.call_later(self.patience_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_patient()
        super().connection_lost(exc)

    def _be_patient(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None


class Worker(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, supervisor: socket.socket) -> None:
        super().__init__(config)
        self._supervisor = supervisor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.freeze()  # what is there now stays: no collection needs to look at it again
            self._supervisor.send(b"1")


def main(listener: int, supervisor: int, shutdown_timeout_seconds: float) -> None:
    line = lifeline.hold(supervisor)
    config = uvicorn.Config(
        "hub.app:worker",
        factory=True,
        http=Protocol,
        loop="auto" if sys.platform == "win32" else "uvloop",
        ws="none",
        lifespan="on",
        access_log=False,  # the app logs its requests
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=60,  # longer than load balancers keep theirs, so that it is they who close
        timeout_graceful_shutdown=max(1, round(shutdown_timeout_seconds)),
    )
    Worker(config, line).run([socket.socket(fileno=listener)])
