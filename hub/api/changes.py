"""`/v1/changes`: what became of a tenant's records, for copies that are kept of them."""

from typing import Annotated

from litestar import get
from msgspec import UNSET, Meta, Struct, UnsetType

from hub import cursors
from hub.api import params
from hub.api.answers import Json
from hub.api.openapi import Operation
from hub.api.problems import InvalidParam, ServiceUnavailable, ValidationFailed
from hub.api.strict import StrictRequest
from hub.cursors import ChangesPaging
from hub.db import changes
from hub.db.changes import Forgotten, Kind, Unsettled
from hub.model import Record, TenantId, Timestamp, shown

FORGOTTEN = "is older than what is kept of deletions; start from a full export"


class Followed(Struct, kw_only=True, frozen=True):
    """Whose changes."""

    tenant_id: TenantId


class RecordChange(Struct, frozen=True, kw_only=True):
    """A record as it is now; or the id of one that is gone; or, `purged`, that everything before is gone."""

    change: Kind
    at: Timestamp
    id: Annotated[str, Meta(extra_json_schema={"format": "uuid"})] | UnsetType = UNSET
    record: Record | UnsetType = UNSET


class Changes(Struct, frozen=True, kw_only=True):
    """Changes, the oldest first. `next_cursor` is always there; `more` says whether to use it at once or later."""

    data: list[RecordChange]
    limit: int
    next_cursor: str
    more: bool
    until: Annotated[Timestamp, Meta(description="All that happened before is told, here or after `next_cursor`")]


@get(
    "/v1/changes",
    opt={
        "operation": Operation(
            scope="read", tag="changes", query=(Followed, ChangesPaging), answers={200: Changes}, problems=(400,)
        )
    },
)
async def list_changes(request: StrictRequest) -> Json:
    """Follow what becomes of a tenant's records: everything created, changed and deleted, for a copy that loses nothing.

    Without a cursor from the beginning; after an export, from its `X-Changes-Cursor`. A record is told as it is now, and may be told
    again. A 400 that names `cursor` means: start over.
    """
    followed, paging = params.read(
        request.scope["query_string"], Followed, ChangesPaging, tenant_id=request.principal.tenant_id
    )
    request.exchange.tenant_id = followed.tenant_id
    days = request.app.state.settings.changes_retention_days
    feed = await changes.page(request.pool, followed.tenant_id, paging.cursor, paging.size, days)
    if isinstance(feed, Unsettled):
        raise ServiceUnavailable(
            "A prepared transaction is open in the database: changes are told when it has ended",
            headers={"retry-after": "5"},
        )
    if isinstance(feed, Forgotten):
        raise ValidationFailed([InvalidParam("cursor", FORGOTTEN)])
    request.exchange.counts = {"changes": len(feed.changes)}
    data = ",".join(map(_told, feed.changes))
    return Json(
        f'{{"data":[{data}],"limit":{paging.size},"next_cursor":"{cursors.encode(feed.cursor)}",'
        f'"more":{str(feed.more).lower()},"until":"{shown(feed.until)}"}}'.encode()
    )


def _told(change: changes.Change) -> str:
    of = f',"record":{change.record}' if change.record else f',"id":"{change.id}"' if change.change == "deleted" else ""
    return f'{{"change":"{change.change}","at":"{shown(change.at)}"{of}}}'


ROUTES = (list_changes,)
