"""`/v1/submissions`: what came through sources, as a whole."""

from typing import Annotated
from urllib.parse import unquote

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hub import cursors
from hub.api import params
from hub.api.openapi import Operation
from hub.api.problems import NotFound
from hub.api.strict import StrictRequest
from hub.cursors import SubmissionPaging
from hub.db import submissions
from hub.db.submissions import SubmissionRow
from hub.model import Key, Name, Record, Status, SubmissionFilter, TenantId, Timestamp, shown


class Submission(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One person's answers to one form, as far as they are given."""

    tenant_id: TenantId
    submission_id: str
    source: Name
    form_id: Name | None = None
    user_id: Key | None = None
    status: Status
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    duration_seconds: float | None = None
    received_at: Annotated[Timestamp, Meta(description="When its latest snapshot came")]
    payload_kept: Annotated[bool, Meta(description="False once its retention has ended")]


class Whole(Submission, kw_only=True, frozen=True, omit_defaults=True):
    """A submission with its records and, when it is asked for and kept, its payload."""

    records: list[Record]
    payload: Annotated[
        Raw, Meta(description="The survey tool's own", extra_json_schema={"type": ["object", "array"]})
    ] = Raw()


class Submissions(Struct, frozen=True):
    """One page of a list. `next_cursor` is absent on the last one."""

    data: list[Submission]
    limit: int
    next_cursor: str | UnsetType = UNSET


class Wanted(Struct, kw_only=True, frozen=True):
    """Whose submission it is, and how much of it is wanted."""

    tenant_id: TenantId
    payload: bool = False


@get(
    "/v1/submissions",
    opt={
        "operation": Operation(
            scope="read", tag="submissions", query=(SubmissionFilter, SubmissionPaging), answers={200: Submissions},
            problems=(400,),
        )
    },
)  # fmt: skip
async def list_submissions(request: StrictRequest) -> Submissions:
    """List a tenant's submissions, latest first, page by page.

    A submission is as old as its answers: it stands where it was started, or if that is not known completed, or else received.
    `since` and `until` compare the same moment.
    """
    selection, paging = params.read(
        request.scope["query_string"], SubmissionFilter, SubmissionPaging, tenant_id=request.principal.tenant_id
    )
    request.exchange.tenant_id = selection.tenant_id
    rows, following = await submissions.page(request.pool, selection, paging)
    request.exchange.counts = {"submissions": len(rows)}
    return Submissions(
        [_shown(row) for row in rows], paging.size, UNSET if following is None else cursors.encode(following)
    )


@get(
    "/v1/submissions/{submission_id:str}",
    opt={
        "operation": Operation(
            scope="read", tag="submissions", query=(Wanted,), answers={200: Whole}, problems=(400, 404)
        )
    },
)
async def get_submission(request: StrictRequest, submission_id: FromPath[str]) -> Response[bytes]:
    """Read a submission with its records.

    Its payload comes along with `payload=true`: it may hold what was not made a record, personal data included.
    """
    wanted = params.read(request.scope["query_string"], Wanted, tenant_id=request.principal.tenant_id)
    request.exchange.tenant_id = wanted.tenant_id
    name = unquote(submission_id)
    found = None
    if "\0" not in name:
        found = await submissions.get(request.pool, wanted.tenant_id, name, payload=wanted.payload)
    if found is None:
        raise NotFound("submission not found", details={"resource_type": "submission"})
    row, records, payload = found
    request.exchange.counts = {"records": len(records)}
    head = msgspec.json.encode(_shown(row)).decode().removesuffix("}")
    tail = "" if payload is None else f',"payload":{payload}'
    return Response(f'{head},"records":[{",".join(records)}]{tail}}}'.encode(), media_type="application/json")


def _shown(row: SubmissionRow) -> Submission:
    return Submission(
        tenant_id=row.tenant_id,
        submission_id=row.submission_id,
        source=row.source,
        form_id=row.form_id,
        user_id=row.user_id,
        status=row.status,
        started_at=None if row.started_at is None else shown(row.started_at),
        completed_at=None if row.completed_at is None else shown(row.completed_at),
        duration_seconds=row.duration_seconds,
        received_at=shown(row.received_at),
        payload_kept=row.payload_kept,
    )


ROUTES = (list_submissions, get_submission)
