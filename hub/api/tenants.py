"""`/v1/tenants/{tenant_id}`: everything of a tenant, erased."""

from typing import Literal
from urllib.parse import unquote

from litestar import delete
from litestar.params import FromPath
from msgspec import Struct

from hub.api.faults import NUL
from hub.api.openapi import Operation
from hub.api.problems import InvalidParam, TenantWriteConflict, ValidationFailed
from hub.api.strict import StrictRequest
from hub.db import erasure
from hub.model import TenantId, Total

MAX_LENGTH = 255


class TenantPurged(Struct, frozen=True, kw_only=True):
    """How much of a tenant was deleted; what this hub does not have is 0."""

    tenant_id: TenantId
    deleted_feedback_records: Total
    deleted_embeddings: Total = 0
    deleted_webhooks: Total = 0
    deleted_taxonomy_runs: Total = 0
    deleted_taxonomy_clusters: Total = 0
    deleted_taxonomy_cluster_memberships: Total = 0
    deleted_taxonomy_nodes: Total = 0
    deleted_taxonomy_active_runs: Total = 0
    deleted_taxonomy_node_events: Total = 0
    deleted_taxonomy_run_input_records: Total = 0
    message: str


class RecordsPurged(Struct, frozen=True, kw_only=True):
    """That the records of a tenant are deleted."""

    tenant_id: TenantId
    status: Literal["accepted"] = "accepted"
    message: str


@delete(
    "/v1/tenants/{tenant_id:str}/data",
    status_code=200,
    opt={"operation": Operation(scope="admin", tag="tenants", answers={200: TenantPurged}, problems=(400, 409))},
)
async def purge_tenant(request: StrictRequest, tenant_id: FromPath[str]) -> TenantPurged:
    """Erase everything of a tenant: records, submissions with their payloads, forms, rejects, and connections with their credentials.

    Disconnect those first that registered a webhook: nobody can take it back afterwards. What is posted meanwhile may stay. It may be repeated. 409 when older writes did not end in time: try again.
    """
    name = _tenant(request, tenant_id)
    deleted = await _purge(request, name, everything=True)
    return TenantPurged(
        tenant_id=name,
        deleted_feedback_records=deleted,
        message=f"Successfully deleted tenant data for {name}",
    )


@delete(
    "/v1/tenants/{tenant_id:str}/feedback-records",
    status_code=202,
    opt={"operation": Operation(scope="admin", tag="tenants", answers={202: RecordsPurged}, problems=(400, 409))},
)
async def purge_records(request: StrictRequest, tenant_id: FromPath[str]) -> RecordsPurged:
    """Erase all records of a tenant, with the submissions and rejects they came from; its forms and connections stay.

    The status is that of the Formbricks Hub, which does it later; here it is done when the answer comes.
    """
    name = _tenant(request, tenant_id)
    deleted = await _purge(request, name, everything=False)
    return RecordsPurged(tenant_id=name, message=f"Deleted {deleted} feedback records")


def _tenant(request: StrictRequest, segment: str) -> str:
    name = unquote(segment, errors="replace").strip()
    reason = (
        "tenant_id is required and cannot be empty" if not name
        else f"tenant_id {NUL}" if "\0" in name
        else f"tenant_id must be at most {MAX_LENGTH} characters" if len(name) > MAX_LENGTH
        else ""
    )  # fmt: skip
    if reason:
        raise ValidationFailed([InvalidParam("tenant_id", reason)])
    request.principal.owns(name)
    request.exchange.tenant_id = name
    return name


async def _purge(request: StrictRequest, tenant_id: str, *, everything: bool) -> int:
    seconds = request.app.state.settings.tenant_purge_lock_timeout_seconds
    deleted = await erasure.purge(request.pool, request.markers, tenant_id, everything=everything, wait_seconds=seconds)
    if deleted is None:
        raise TenantWriteConflict("tenant-owned writes in progress; retry purge later")
    request.exchange.counts = {"deleted": deleted}
    return deleted


ROUTES = (purge_tenant, purge_records)
