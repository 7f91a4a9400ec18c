"""What comes in: from which sources, through which connections, in which batches, and what could not be stored."""

from collections.abc import Sequence
from datetime import datetime

from hub.api.auth import Principal
from hub.dashboard.render import NOTHING, day, minute
from hub.dashboard.together import together
from hub.dashboard.view import Bar, Connected, Delivered, Health, Sent
from hub.db import Pool, batches, connections, rejects
from hub.db.batches import Latest
from hub.db.connections import ConnectionRow
from hub.db.fields import Field
from hub.metrics import Completion, Report, Volume

_BATCHES, _REASONS = 5, 5


async def health(pool: Pool, tenant_id: str, owner: Principal) -> Health:
    """But for the sources. Connections are for those who may manage them, as over HTTP."""
    connected, latest, reasons = await together(
        _connections(pool, tenant_id, owner),
        batches.latest(pool, tenant_id, owner.tenant_id, _BATCHES),
        rejects.reasons(pool, tenant_id, _REASONS),
    )
    return Health(
        connections=[_connected(row) for row in connected if row.status != "revoked"],
        batches=[_sent(batch) for batch in latest],
        rejects=[Bar(label=reason, count=count, width=0) for reason, count in reasons],
    )


async def _connections(pool: Pool, tenant_id: str, owner: Principal) -> list[ConnectionRow]:
    return await connections.listed(pool, tenant_id) if "admin" in owner.scopes else []


def delivered(sources: Report[Volume], ended: Report[Completion], fields: Sequence[Field]) -> list[Delivered]:
    """What came from each source: its volume, how its submissions ended, and when something was answered."""
    completed = {group.key: group.measure.completion_rate for group in ended.groups or []}
    last: dict[str | None, str] = {}
    for field in fields:
        last[field.source_id] = max(last.get(field.source_id, ""), field.last_seen)
    return [
        Delivered(
            label=group.label or group.key or "not said", records=group.measure.records,
            submissions=group.measure.submissions, completed=completed.get(group.key),
            last=_day(last.get(group.key)), href=f"records?{group.records}" if group.records else "",
        )
        for group in sources.groups or []
    ]  # fmt: skip


def _day(moment: str | None) -> str:
    return day(datetime.fromisoformat(moment)) if moment else NOTHING


def _connected(row: ConnectionRow) -> Connected:
    troubled = row.last_error_at is not None and (
        row.last_success_at is None or row.last_error_at > row.last_success_at
    )
    return Connected(
        label=row.name or row.source, status=f"{row.status}, {row.last_error}" if troubled else row.status, stored=row.stored,
        failed=row.failed, last=minute(row.last_success_at) if row.last_success_at else NOTHING,
    )  # fmt: skip


def _sent(batch: Latest) -> Sent:
    state = "undone" if batch.undone_at else "" if batch.finished_at else "not finished"
    return Sent(
        label=f"{minute(batch.started_at)}, {batch.format.upper()}", state=state, received=batch.received,
        stored=batch.stored, rejected=batch.rejected,
    )  # fmt: skip
