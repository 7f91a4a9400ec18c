"""`/v1/feedback-records`: handler, then database function."""

from operator import attrgetter

import msgspec
from litestar import delete, get, patch, post
from litestar.params import FromPath
from msgspec import Struct

from hub import cursors
from hub.api import params
from hub.api.answers import Json
from hub.api.openapi import Operation
from hub.api.problems import Conflict, NotFound
from hub.api.strict import StrictRequest, record_id
from hub.cursors import DEFAULT_LIMIT, Limit, Paging
from hub.db import erasure, records
from hub.model import (
    Count,
    Created,
    Duplicate,
    Erased,
    NewRecord,
    Page,
    Record,
    RecordFilter,
    RecordPatch,
    TenantId,
    UserId,
    shown,
)

MAX_BODY_BYTES = 512 * 1024

_EXAMPLE = {
    "source_type": "survey",
    "field_id": "nps",
    "field_label": "How likely are you to recommend us?",
    "field_type": "nps",
    "value_number": 9,
    "tenant_id": "acme",
    "submission_id": "response-1",
    "collected_at": "2026-11-21T09:30:00Z",
    "metadata": {"plan": "pro"},
}


class Counted(Struct, kw_only=True, frozen=True):
    """What a count takes beside the filter: `limit` is checked and otherwise ignored, as the Formbricks Hub does."""

    limit: Limit = DEFAULT_LIMIT


class Erasure(Struct, kw_only=True, frozen=True):
    """Whose records are erased, and where. Without a tenant: everywhere."""

    user_id: UserId
    tenant_id: TenantId | None = None


@post(
    "/v1/feedback-records",
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope="write",
            body=NewRecord,
            answers={201: Record},
            problems=(400, 409, 413, 415),
            examples={"nps": _EXAMPLE},
        )
    },
)
async def create_feedback_record(request: StrictRequest) -> Json:
    """Store a record.

    A second record of the same tenant, submission and field is a conflict, whatever it says: sending again is safe.
    """
    data = await request.record()
    request.exchange.tenant_id = data.tenant_id
    outcome = await request.writer.insert(data)
    if isinstance(outcome, Duplicate):
        raise Conflict(details={"id": str(outcome.id)})
    return Json(msgspec.json.encode(stored(data, outcome)), status=201)


_SHARED = tuple(
    name for name in NewRecord.__struct_fields__ if name not in ("collected_at", "value_number", "value_date")
)
_shared = attrgetter(*_SHARED)


def _whole(number: float | None) -> float | None:
    """`9` instead of `9.0`, as Postgres writes it when the record is read."""
    return int(number) if number is not None and number.is_integer() else number


def stored(data: NewRecord, created: Created) -> Record:
    """A record that was just stored, as it leaves."""
    now = shown(created.created_at)
    return Record(
        id=created.id,
        collected_at=shown(created.collected_at),
        created_at=now,
        updated_at=now,
        value_number=_whole(data.value_number),
        value_date=None if data.value_date is None else shown(data.value_date),
        **dict(zip(_SHARED, _shared(data), strict=True)),
    )


@get(
    "/v1/feedback-records",
    opt={"operation": Operation(scope="read", query=(RecordFilter, Paging), answers={200: Page}, problems=(400,))},
)
async def list_feedback_records(request: StrictRequest) -> Json:
    """List a tenant's records, page by page."""
    selection, paging = params.read(
        request.scope["query_string"], RecordFilter, Paging, tenant_id=request.principal.tenant_id
    )
    request.exchange.tenant_id = selection.tenant_id
    texts, following = await records.page(request.pool, selection, paging)
    request.exchange.counts = {"records": len(texts)}
    end = "" if following is None else f',"next_cursor":"{cursors.encode(following)}"'
    return Json(f'{{"data":[{",".join(texts)}],"limit":{paging.size}{end}}}'.encode())


@get(
    "/v1/feedback-records/count",
    opt={"operation": Operation(scope="read", query=(RecordFilter, Counted), answers={200: Count}, problems=(400,))},
)
async def count_feedback_records(request: StrictRequest) -> Count:
    """Count a tenant's records."""
    selection, _ = params.read(
        request.scope["query_string"], RecordFilter, Counted, tenant_id=request.principal.tenant_id,
        refused={"sort", "order"},
    )  # fmt: skip
    request.exchange.tenant_id = selection.tenant_id
    return Count(await records.count(request.pool, selection))


@delete(
    "/v1/feedback-records",
    status_code=200,
    opt={"operation": Operation(scope="write", query=(Erasure,), answers={200: Erased}, problems=(400, 409))},
)
async def erase_user(request: StrictRequest) -> Erased:
    """Erase everything a user said.

    Within one tenant, or everywhere when `tenant_id` is left out and the key is not bound to a tenant. Unknown and repeated
    parameters are refused: a mistyped `tenant_id` must not erase across tenants. Payloads of sources do not bring back what was
    collected before; records that are posted may.
    """
    wanted = params.read(request.scope["query_string"], Erasure, tenant_id=request.principal.tenant_id, closed=True)
    request.exchange.tenant_id = wanted.tenant_id
    deleted = await erasure.erase_user(request.pool, request.markers, wanted.user_id, wanted.tenant_id)
    request.exchange.counts = {"deleted": deleted}
    return Erased(deleted, f"Successfully deleted {deleted} feedback records")


@get(
    "/v1/feedback-records/{id:str}",
    opt={"operation": Operation(scope="read", answers={200: Record}, problems=(400, 404))},
)
async def get_feedback_record(request: StrictRequest, id: FromPath[str]) -> Json:  # noqa: A002 - its public name
    """Read a record."""
    text = await records.get(request.pool, record_id(id), request.principal.tenant_id)
    return _found(text)


@patch(
    "/v1/feedback-records/{id:str}",
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope="write", body=RecordPatch, answers={200: Record}, problems=(400, 404, 409, 413, 415),
            examples={"correct the answer": {"value_number": 8, "metadata": None}},
        )
    },
)  # fmt: skip
async def update_feedback_record(request: StrictRequest, id: FromPath[str]) -> Json:  # noqa: A002 - its public name
    """Change a record's values.

    A JSON merge patch (RFC 7396): absent keeps, null clears. A patch that changes nothing leaves `updated_at` alone.
    """
    key = record_id(id)  # a wrong path is told before a wrong body
    changes = await request.decoded(RecordPatch)
    text = await records.patch(request.pool, key, changes, request.principal.tenant_id)
    return _found(text)


@delete(
    "/v1/feedback-records/{id:str}",
    opt={"operation": Operation(scope="write", answers={204: None}, problems=(400, 404, 409))},
)
async def delete_feedback_record(request: StrictRequest, id: FromPath[str]) -> None:  # noqa: A002 - its public name
    """Delete a record.

    A payload of a source does not bring it back; a record that is posted may.
    """
    if not await records.delete(request.pool, request.markers, record_id(id), request.principal.tenant_id):
        raise _not_found()


def _found(text: str | None) -> Json:
    if text is None:
        raise _not_found()
    return Json(text.encode())


def _not_found() -> NotFound:
    return NotFound("feedback record not found", details={"resource_type": "feedback record"})


ROUTES = (
    create_feedback_record,
    list_feedback_records,
    count_feedback_records,
    erase_user,
    get_feedback_record,
    update_feedback_record,
    delete_feedback_record,
)
