"""One line a request, and never a value of the feedback in it."""

import logging
import sys

import msgspec
import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class _Forward(logging.Handler):
    """Hands what libraries log through the standard library to structlog: one stream, one format."""

    def emit(self, record: logging.LogRecord) -> None:
        # asyncio goes on with the exception, and an exception of the database may quote what was said.
        structlog.get_logger(record.name).log(record.levelno, record.getMessage().split("\n", 1)[0])


def _encode(event: object, **_: object) -> bytes:
    return msgspec.json.encode(event)


def configure(level: str) -> None:
    """JSON lines on standard output, or readable ones at a terminal."""
    terminal = sys.stdout.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory() if terminal else structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=_LEVELS[level], force=True)
    # "Started server process", "HTTP Request: GET": the hub says what matters itself.
    for name in ("uvicorn", "uvicorn.error", "asyncio", "httpx2", "pgqueuer"):
        logging.getLogger(name).setLevel(logging.WARNING)
