"""`/v1/batches`: the account of a batch, and its undoing."""

from litestar import get, post
from litestar.params import FromPath
from msgspec import Struct

from hub.api import params
from hub.api.openapi import Operation
from hub.api.problems import NotFound
from hub.api.strict import StrictRequest, record_id
from hub.db import batches
from hub.model import StoredBatch, Undone


class Undoing(Struct, kw_only=True, frozen=True):
    """Whether a batch is undone, or only counted what that would delete."""

    dry_run: bool = False


@get(
    "/v1/batches/{id:str}",
    opt={"operation": Operation(scope="read", tag="batches", answers={200: StoredBatch}, problems=(400, 404))},
)
async def get_batch(request: StrictRequest, id: FromPath[str]) -> StoredBatch:  # noqa: A002 - its public name
    """Read the account of a batch.

    Without `finished_at` it runs still, or was broken off. A key bound to a tenant sees what came with such a key.
    """
    return await _found(request, id)


@post(
    "/v1/batches/{id:str}/undo",
    status_code=200,
    opt={
        "operation": Operation(
            scope="write", tag="batches", query=(Undoing,), answers={200: Undone}, problems=(400, 404)
        )
    },
)
async def undo_batch(request: StrictRequest, id: FromPath[str]) -> Undone:  # noqa: A002 - its public name
    """Delete the records that a batch created, but for those that were changed since.

    What it updated stays as it is. It may be repeated.
    """
    # Unknown parameters are refused: a mistyped `dry_run` must not delete.
    wanted = params.read(request.scope["query_string"], Undoing, tenant_id=None, closed=True)
    batch = await _found(request, id)
    number = await (batches.undoable if wanted.dry_run else batches.undo)(request.pool, batch)
    request.exchange.counts = {"deleted": 0 if wanted.dry_run else number}
    return Undone(batch_id=batch.id, dry_run=wanted.dry_run, deleted_count=number)


async def _found(request: StrictRequest, segment: str) -> StoredBatch:
    batch = await batches.get(request.pool, record_id(segment), request.principal.tenant_id)
    if batch is None:
        raise NotFound("batch not found", details={"resource_type": "batch"})
    return batch


ROUTES = (get_batch, undo_batch)
