"""Every way a request can fail, on one screen (RFC 9457).

A kind is a class; its docstring is the title. `code` is the stable thing to branch on, `detail` is about this request, and
`invalid_params` lists every fault.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import structlog
from litestar.exceptions import HTTPException
from msgspec import Meta, Struct

from hub import db

MEDIA_TYPE = "application/problem+json"
MAX_INVALID_PARAMS = 100

Code = Literal[
    "validation", "bad_request", "unauthorized", "forbidden", "not_found", "method_not_allowed", "conflict",
    "tenant_write_conflict", "content_too_large", "unsupported_media_type", "unprocessable", "rate_limited",
    "internal_server_error", "service_unavailable",
]  # fmt: skip

log = structlog.get_logger()


class InvalidParam(Struct, frozen=True):
    """One fault: the member or parameter, and what is expected of it."""

    name: str
    reason: str


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A failure as the client sees it (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    code: Code
    request_id: str
    details: dict[str, str] = {}
    invalid_params: Annotated[list[InvalidParam], Meta(max_length=MAX_INVALID_PARAMS)] = []
    limit: int | None = None
    actual: int | None = None


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A failure with its HTTP meaning; raised anywhere in `hub.api`, rendered in one place."""

    status: ClassVar[int]
    code: ClassVar[Code]
    text: ClassVar[str] = ""
    headers: ClassVar[Mapping[str, str]] = MappingProxyType({})
    limit: int | None = None
    actual: int | None = None

    def __init__(
        self, detail: str = "", *, details: Mapping[str, str] | None = None, invalid_params: Sequence[InvalidParam] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.detail = detail or self.text
        self.details = dict(details or {})
        self.invalid_params = list(invalid_params)[:MAX_INVALID_PARAMS]
        self.extra_headers = {"cache-control": "no-store", **self.headers, **(headers or {})}
        super().__init__(self.detail)

    def document(self, *, base: str, instance: str, request_id: str) -> ProblemDocument:
        """The problem as the client sees it; `base` is what its type begins with."""
        return ProblemDocument(
            type=base + self.slug(),
            title=self.title(),
            status=self.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            request_id=request_id,
            details=self.details,
            limit=self.limit,
            actual=self.actual,
            invalid_params=self.invalid_params,
        )

    @classmethod
    def slug(cls) -> str:
        return cls.code.replace("_", "-")

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").split("\n", 1)[0].rstrip(".")


class ValidationFailed(Problem):
    """Validation Error.

    Members or parameters of the request are missing, unknown, repeated or out of bounds. `invalid_params` names all of them.
    """

    status, code, text = 400, "validation", "One or more request parameters are invalid"

    def __init__(self, invalid_params: Sequence[InvalidParam]) -> None:
        super().__init__(invalid_params=invalid_params)


class BadRequest(Problem):
    """Bad Request.

    The request could not be read: a body that is no JSON object, or one that did not arrive in time.
    """

    status, code, text = 400, "bad_request", "Invalid request body"


class Unauthorized(Problem):
    """Unauthorized.

    Send `Authorization: Bearer <key>` with the hub's API_KEY or a key made by `hub keys create` that is neither revoked nor
    expired.
    """

    status, code, text = 401, "unauthorized", "Missing Authorization header"
    headers = MappingProxyType({"www-authenticate": "Bearer"})


class Forbidden(Problem):
    """Forbidden.

    The key is known but lacks the scope, or it is bound to another tenant.
    """

    status, code = 403, "forbidden"


class NotFound(Problem):
    """Not Found.

    There is no such route, or no such record that this key may see.
    """

    status, code, text = 404, "not_found", "The requested resource was not found"


class MethodNotAllowed(Problem):
    """Method Not Allowed.

    The route exists; the `Allow` header lists its methods.
    """

    status, code, text = 405, "method_not_allowed", "The HTTP method is not allowed for this resource"


class Conflict(Problem):
    """Conflict.

    A record of the same tenant, submission and field is stored already; `details.id` is its id. Sending it again changes nothing.
    """

    status, code = 409, "conflict"
    text = "a feedback record with this tenant_id, submission_id, and field_id already exists"
    # The official SDK repeats a 409 unless told otherwise.
    headers = MappingProxyType({"x-should-retry": "false"})


class TenantWriteConflict(Problem):
    """Conflict.

    The tenant's data are being purged or rewritten at this moment. Try again after `Retry-After` seconds.
    """

    status, code, text = 409, "tenant_write_conflict", "tenant data purge in progress for this tenant; retry later"
    headers = MappingProxyType({"retry-after": "1"})


class ContentTooLarge(Problem):
    """Request Entity Too Large.

    The body is larger than this route takes.
    """

    status, code, text = 413, "content_too_large", "request body too large"

    def __init__(self, detail: str = "", *, limit: int | None = None, actual: int | None = None) -> None:
        super().__init__(detail)
        self.limit = limit
        self.actual = actual


class UnsupportedMediaType(Problem):
    """Unsupported Media Type.

    The body is of a type this route does not read; `detail` says what to send.
    """

    status, code = 415, "unsupported_media_type"


class Unprocessable(Problem):
    """Unprocessable Content.

    The request was understood, and nothing in it could be stored.
    """

    status, code = 422, "unprocessable"


class RateLimited(Problem):
    """Too Many Requests.

    Too many requests of this kind are running. Try again after `Retry-After` seconds.
    """

    status, code = 429, "rate_limited"
    headers = MappingProxyType({"retry-after": "1"})


class InternalServerError(Problem):
    """Internal Server Error.

    A fault of the hub. The log has the cause under the `request_id`.
    """

    status, code, text = 500, "internal_server_error", "An unexpected error occurred"


class ServiceUnavailable(Problem):
    """Service Unavailable.

    The database is away or busy, or the feature is not part of this hub. With `Retry-After`, try again.
    """

    status, code = 503, "service_unavailable"


KINDS: tuple[type[Problem], ...] = tuple(Problem.__subclasses__())
_BY_STATUS = {kind.status: kind for kind in KINDS if kind not in (ValidationFailed, TenantWriteConflict)}


def from_exception(error: Exception, request_id: str) -> Problem:
    """What a failure means over HTTP. Only the unknown ones are logged with their cause; that is the one place that may."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code, BadRequest if error.status_code < 500 else InternalServerError)  # noqa: PLR2004
        return kind()
    if db.unavailable(error):
        log.warning("database unavailable", error=type(error).__name__, request_id=request_id)
        return ServiceUnavailable("The database is not available at the moment", headers={"retry-after": "1"})
    if isinstance(error, db.UNSTORABLE):
        log.warning("refused by the database", error=type(error).__name__, request_id=request_id)
        return BadRequest("The database cannot hold a value of this request")
    # The message of an exception may quote the data; its type and the lines of code may not.
    log.error("unexpected error", error=type(error).__name__, traceback=_frames(error), request_id=request_id)
    return InternalServerError()


def _frames(error: BaseException) -> list[str]:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}")
        trace = trace.tb_next
    return frames[-8:]
