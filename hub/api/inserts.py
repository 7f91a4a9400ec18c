"""`/api`: where servers post responses as they would to the survey tool, in its shapes; they change nothing but the address.

A key that the survey tool may know says which connection it is for. No bearer key of the hub opens anything here.
"""

from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from litestar import post
from msgspec import Meta, Raw, Struct

from hub import intake
from hub.api.openapi import AnyJson, Operation
from hub.api.problems import BadRequest, InvalidParam, NotFound, Problem, Unauthorized, Unprocessable
from hub.api.strict import StrictRequest
from hub.db import connections, deliveries
from hub.db.connections import ConnectionRow
from hub.intake import Tally
from hub.model import Timestamp, shown
from hub.sources import SOURCES
from hub.sources.bodies import legible
from hub.sources.interface import Given, Options, Snapshot, UnreadableError
from hub.sources.values import Members, joined, members_of, text_of

MAX_BODY_BYTES = 2 * 1024 * 1024

_NULL, _EMPTY = Raw(b"null"), Raw(b"{}")
Value = Annotated[Raw, Meta(extra_json_schema={})]
Map = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class _Response(Struct, frozen=True, kw_only=True, rename="camel"):
    """A response as Formbricks answers it, of any version."""

    id: str
    created_at: Timestamp
    updated_at: Timestamp
    survey_id: str
    finished: bool
    ending_id: Value = _NULL
    data: Map = _EMPTY
    variables: Map = _EMPTY
    ttc: Map = _EMPTY
    meta: Map = _EMPTY
    contact_attributes: Value = _NULL
    single_use_id: Value = _NULL
    language: Value = _NULL
    display_id: Value = _NULL


class ResponseV1(_Response, frozen=True, kw_only=True, rename="camel"):
    """A response as version 1 of Formbricks' API answers it."""

    contact: Value = _NULL
    tags: Value = Raw(b"[]")


class ResponseV2(_Response, frozen=True, kw_only=True, rename="camel"):
    """A response as version 2 of Formbricks' API answers it."""

    contact_id: Value = _NULL


R = TypeVar("R", ResponseV1, ResponseV2)


class InsertedV1(Struct, frozen=True):
    """The response as it was stored."""

    data: ResponseV1


class InsertedV2(Struct, frozen=True):
    """The response as it was stored."""

    data: ResponseV2


class FailureV1(Struct, frozen=True):
    """A failure as version 1 of Formbricks' API tells it."""

    code: str
    message: str
    details: dict[str, str]


class Issue(Struct, frozen=True):
    field: str
    issue: str


class ErrorV2(Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    details: list[Issue] = []


class FailureV2(Struct, frozen=True):
    """A failure as version 2 of Formbricks' API tells it."""

    error: ErrorV2


class SatisMeterInserted(Struct, frozen=True):
    """SatisMeter does not say what it answers; its clients look at the status alone."""


class SatisMeterFailure(Struct, frozen=True):
    """A failure as SatisMeter tells it."""

    error: str


_CODES_V1 = {400: "bad_request", 401: "not_authenticated", 404: "not_found", 429: "too_many_requests"}
_MESSAGES_V2 = {
    400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Content Too Large", 422: "Unprocessable Entity",
    429: "Too Many Requests", 503: "Service Unavailable",
}  # fmt: skip
_INSERTED = (
    "campaign", "method", "answers", "userId", "anonymousId", "traits", "forceSurvey", "rating", "feedback", "referrer", "language",
)  # fmt: skip
# By the names they have here.
_ECHOED = {
    "ending_id", "data", "variables", "ttc", "meta", "single_use_id", "language", "display_id",
}  # fmt: skip
_NO_KEY_V1 = {"x-Api-Key": "Header not provided or API Key invalid"}


def failure_v1(problem: Problem) -> FailureV1:
    details = {fault.name: fault.reason for fault in problem.invalid_params} | problem.details
    if problem.status == Unauthorized.status:
        return FailureV1("not_authenticated", "Not authenticated", _NO_KEY_V1)
    return FailureV1(_CODES_V1.get(problem.status, problem.code), problem.detail, details)


def failure_v2(problem: Problem) -> FailureV2:
    issues = [Issue(fault.name, fault.reason) for fault in problem.invalid_params]
    return FailureV2(ErrorV2(problem.status, _MESSAGES_V2.get(problem.status, "Internal Server Error"), issues))


def failure_of_satismeter(problem: Problem) -> SatisMeterFailure:
    return SatisMeterFailure(problem.detail)


def _failures(kind: type[Struct], *statuses: int) -> dict[int, object]:
    return dict.fromkeys((400, 401, 413, 500, 503, *statuses), kind)


@post(
    "/api/v1/management/responses",
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope=None, tag="inserts", body=AnyJson, body_description="A response as Formbricks documents it",
            answers={200: InsertedV1, **_failures(FailureV1, 404)}, failure=failure_v1,
        )
    },
)  # fmt: skip
async def insert_v1(request: StrictRequest) -> InsertedV1:
    """Create a response as with version 1 of Formbricks' management API.

    `x-api-key` is the `insert_key` of a connection. Sent again, the same body is the same response.
    """
    row = await _formbricks(request)
    try:
        snapshot, members = await _insert(request, row)
    except UnreadableError as error:
        raise BadRequest(f"Validation failed: {error}") from None
    if snapshot is None:
        survey_id = text_of(members["surveyId"]) or ""
        raise NotFound("Survey not found", details={"resource_id": survey_id, "resource_type": "Survey"})
    return InsertedV1(_answer(ResponseV1, snapshot, members))


@post(
    "/api/v2/management/responses",
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope=None, tag="inserts", body=AnyJson, body_description="A response as Formbricks documents it",
            answers={201: InsertedV2, **_failures(FailureV2, 404, 422)}, failure=failure_v2,
        )
    },
)  # fmt: skip
async def insert_v2(request: StrictRequest) -> InsertedV2:
    """Create a response as with version 2 of Formbricks' management API.

    `x-api-key` is the `insert_key` of a connection. Sent again, the same body is the same response.
    """
    row = await _formbricks(request)
    try:
        snapshot, members = await _insert(request, row)
    except UnreadableError as error:
        raise Unprocessable(str(error), invalid_params=[InvalidParam("body", str(error))]) from None
    if snapshot is None:
        raise NotFound(invalid_params=[InvalidParam("survey", "not found")])
    return InsertedV2(_answer(ResponseV2, snapshot, members))


@post(
    "/api/responses",
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope=None, tag="inserts", body=AnyJson, body_description="A response as SatisMeter documents it",
            answers={200: SatisMeterInserted, **_failures(SatisMeterFailure)}, failure=failure_of_satismeter,
        )
    },
)  # fmt: skip
async def insert_satismeter(request: StrictRequest) -> SatisMeterInserted:
    """Insert a response as with SatisMeter.

    `writeKey` in the body is the `insert_key` of a connection. A response that was inserted before is 400, as there.
    """
    try:
        payload = legible(await request.body())
    except UnreadableError as error:  # without its key
        raise Unauthorized(str(error)) from None
    row = await _row(request, "satismeter", text_of(members_of(payload)["writeKey"]))
    try:
        tally = await _take(request, row, _documented(payload), Given())
    except UnreadableError as error:
        raise BadRequest(str(error)) from None
    if tally.known and not _changed(tally):
        await deliveries.repeated(request.pool, row)
        raise BadRequest("Duplicate response")
    await _settle(request, row, tally)
    return SatisMeterInserted()


async def _formbricks(request: StrictRequest) -> ConnectionRow:
    return await _row(request, "formbricks", request.headers.get("x-api-key"))


async def _row(request: StrictRequest, source: str, key: str | None) -> ConnectionRow:
    row = None
    if key:
        row = await connections.find_by_insert_key(request.pool, source, request.vault.digest(key))
    if row is None:
        raise Unauthorized("The key is not known here")
    request.exchange.tenant_id = row.tenant_id
    return row


async def _insert(request: StrictRequest, row: ConnectionRow) -> tuple[Snapshot | None, Members]:
    """What was stored, if its survey is wanted, and how it was said. Raises `UnreadableError`."""
    members = members_of(legible(await request.body()))
    members.pop("id", None)
    payload = joined(members)
    given = Given(submission_id=request.headers.get("idempotency-key", "").strip() or None)
    snapshot: Snapshot = SOURCES[row.source].snapshot(payload, given)
    tally = await _take(request, row, payload, given)
    await _settle(request, row, tally)
    return None if tally.unwanted else snapshot, members


def _documented(payload: Raw) -> Raw:
    """What a body may say. The key is in many hands, and must not open what other responses are."""
    members = members_of(payload)
    return joined({name: members[name] for name in _INSERTED if name in members})


async def _take(request: StrictRequest, row: ConnectionRow, payload: Raw, given: Given) -> Tally:
    """Raises `UnreadableError`."""
    options = msgspec.json.decode(row.options, type=Options)
    tally = await intake.take(
        request.pool, request.markers, row.tenant_id, row.source, [payload], given=given, options=options, forms=row.forms
    )  # fmt: skip
    if tally.errors:
        raise UnreadableError(tally.errors[0].problem)
    return tally


def _changed(tally: Tally) -> bool:
    return bool(tally.changes.created or tally.changes.updated or tally.changes.deleted)


async def _settle(request: StrictRequest, row: ConnectionRow, tally: Tally) -> None:
    request.exchange.counts = {"submissions": tally.submissions, **msgspec.structs.asdict(tally.changes)}
    await deliveries.count(request.pool, row, stored=tally.submissions - tally.stale, undefined=tally.undefined)


def _answer(kind: type[R], snapshot: Snapshot, members: Members) -> R:
    """The response as it was sent, and what Formbricks adds."""
    created_at = text_of(members["createdAt"]) or shown(datetime.now(UTC))
    told = {
        field.name: members[field.encode_name]
        for field in msgspec.structs.fields(kind)
        if field.encode_name in members and field.name in _ECHOED
    }
    return kind(
        id=snapshot.submission_id,
        created_at=created_at,
        updated_at=text_of(members["updatedAt"]) or created_at,
        survey_id=snapshot.form_id or "",
        finished=snapshot.status == "completed",
        **told,
    )


ROUTES = (insert_v1, insert_v2, insert_satismeter)
