"""`/v1/rejects`: what batches and connections could not store, to be looked at, corrected, stored after all, or thrown away."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from hub import cursors, intake
from hub.api import params
from hub.api.faults import unfit
from hub.api.openapi import Operation
from hub.api.problems import BadRequest, Conflict, Forbidden, NotFound, Unprocessable, ValidationFailed
from hub.api.records import MAX_BODY_BYTES, stored
from hub.api.sources import Ingested, ingested
from hub.api.strict import StrictRequest, record, record_id
from hub.cursors import DEFAULT_LIMIT, Cursor, Limit
from hub.db import connections, rejects
from hub.db.rejects import RejectFilter
from hub.model import Duplicate, Instant, NewRecord, Record, Reject, TenantId
from hub.sources.interface import FormNeededError, NotOfSourceError, UnreadableError

NDJSON = "application/x-ndjson"


class Selection(Struct, kw_only=True, frozen=True):
    """Which rejects, and in which shape."""

    batch_id: Annotated[str, Meta(extra_json_schema={"format": "uuid"})] | None = None
    connection_id: Annotated[str, Meta(extra_json_schema={"format": "uuid"})] | None = None
    tenant_id: TenantId | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None
    format: Annotated[
        Literal["json", "ndjson"],
        Meta(
            description="`ndjson`: all items themselves, one a line, to be corrected and sent to the batch endpoint again"
        ),
    ] = "json"


class RejectPage(Struct, frozen=True, kw_only=True):
    """One page of rejects, the oldest first. `next_cursor` is absent on the last one."""

    data: list[Reject]
    limit: int
    next_cursor: str | UnsetType = UNSET


class Retrying(Struct, kw_only=True, frozen=True):
    """How a reject is checked again."""

    strict: bool = False


@get(
    "/v1/rejects",
    opt={
        "operation": Operation(
            scope="read", tag="batches", query=(Selection,), answers={200: RejectPage}, streams_out=(NDJSON,),
            problems=(400,),
        )
    },
)  # fmt: skip
async def list_rejects(request: StrictRequest) -> RejectPage | Stream:
    """List what batches and connections could not store, the oldest first.

    As `format=ndjson` all of them, whatever `limit` says; an item that is no JSON is a line with its text as a JSON string.
    """
    wanted = params.read(request.scope["query_string"], Selection, tenant_id=request.principal.tenant_id)
    request.exchange.tenant_id = wanted.tenant_id
    selection = RejectFilter(
        batch_id=None if wanted.batch_id is None else record_id(wanted.batch_id, name="batch_id"),
        tenant_id=wanted.tenant_id,
        since=wanted.since,
        until=wanted.until,
        connection_id=None if wanted.connection_id is None else record_id(wanted.connection_id, name="connection_id"),
    )
    if wanted.format == "ndjson":
        return Stream(_lines(rejects.export(request.pool, selection, wanted.cursor)), headers={"content-type": NDJSON})
    size = wanted.limit or DEFAULT_LIMIT
    found, following = await rejects.page(request.pool, selection, wanted.cursor, size)
    request.exchange.counts = {"rejects": len(found)}
    return RejectPage(data=found, limit=size, next_cursor=UNSET if following is None else cursors.encode(following))


async def _lines(found: AsyncIterator[Reject]) -> AsyncIterator[bytes]:
    async for reject in found:
        yield line(reject.raw) + b"\n"


def line(raw: str) -> bytes:
    """An item as one line of NDJSON. What is no JSON becomes a JSON string, which the batch endpoint refuses again."""
    try:
        return msgspec.json.format(raw.encode(), indent=-1)
    except (msgspec.MsgspecError, RecursionError):
        return msgspec.json.encode(raw)


@post(
    "/v1/rejects/{id:str}/retry",
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope="write", tag="batches", query=(Retrying,), body=NewRecord, body_optional=True,
            body_description="The corrected record. Without it, the item is tried as it was.",
            answers={200: Ingested, 201: Record, 207: Ingested}, problems=(400, 404, 409, 413, 415, 422),
        )
    },
)  # fmt: skip
async def retry_reject(request: StrictRequest, id: FromPath[str]) -> Record | Response[Ingested]:  # noqa: A002 - its public name
    """Store a reject after all.

    As it was, or the corrected record in the body. The reject is gone then; as long as it cannot be stored, it stays. A payload
    that came through a connection answers 200 and what became of it, and may not be corrected: it is the survey tool's.
    """
    reject_id, principal = record_id(id), request.principal
    wanted = params.read(request.scope["query_string"], Retrying, tenant_id=None)
    body = await request.body()
    reject = await rejects.get(request.pool, reject_id, principal.tenant_id)
    if reject is None:
        raise _not_found()
    if reject.connection_id is not UNSET:
        return await _retry_payload(request, reject, reject.connection_id)
    if body:
        request.check_media_type()
    raw = body or reject.raw.encode()
    try:  # one that names no tenant is the one's under whom it waits
        data = record(raw, structs.replace(principal, tenant_id=reject.tenant_id or principal.tenant_id))
    except Forbidden:
        data = record(raw, principal)
    request.exchange.tenant_id = data.tenant_id
    if wanted.strict and (faults := list(unfit(data))):
        raise ValidationFailed(faults)
    outcome = await rejects.repair(request.pool, reject_id, principal.tenant_id, data)
    if outcome is None:  # somebody else was faster
        raise _not_found()
    if isinstance(outcome, Duplicate):
        raise Conflict(details={"id": str(outcome.id)})
    return stored(data, outcome)


async def _retry_payload(request: StrictRequest, reject: Reject, connection_id: UUID) -> Response[Ingested]:
    row = await connections.get(request.pool, connection_id, request.principal.tenant_id)
    if row is None:
        raise NotFound("its connection is gone", details={"resource_type": "connection"})
    request.exchange.tenant_id = row.tenant_id
    try:
        tally = await intake.retry(request.pool, request.markers, row, reject)
    except (NotOfSourceError, UnreadableError) as error:
        raise BadRequest(str(error)) from None
    except FormNeededError:
        raise Unprocessable("The payload does not name its form") from None
    return ingested(request, tally)


@delete(
    "/v1/rejects/{id:str}",
    opt={"operation": Operation(scope="write", tag="batches", answers={204: None}, problems=(400, 404))},
)
async def delete_reject(request: StrictRequest, id: FromPath[str]) -> None:  # noqa: A002 - its public name
    """Throw a reject away."""
    if not await rejects.delete(request.pool, record_id(id), request.principal.tenant_id):
        raise _not_found()


def _not_found() -> NotFound:
    return NotFound("reject not found", details={"resource_type": "reject"})


ROUTES = (list_rejects, retry_reject, delete_reject)
