"""What comes in: from which sources, in which batches, and what could not be stored."""

import asyncio
from typing import Any

from hub.dashboard.asked import Asked
from hub.dashboard.render import minute
from hub.dashboard.view import Bar, Delivered, Health, Sent
from hub.db import Pool, batches, rejects
from hub.db.batches import Latest
from hub.metrics import Report

_BATCHES, _REASONS = 5, 5


async def health(pool: Pool, asked: Asked, sources: Report[Any], key_tenant_id: str | None) -> Health:
    """`sources` is the volume by source, which the filters of the page need as well."""
    tenant_id = asked.selection.tenant_id
    latest, reasons = await asyncio.gather(
        batches.latest(pool, tenant_id, key_tenant_id, _BATCHES), rejects.reasons(pool, tenant_id, _REASONS)
    )
    return Health(
        sources=[
            Delivered(
                label=group.label or group.key or "not said", records=group.measure.records,
                submissions=group.measure.submissions, href=f"records?{group.records}" if group.records else "",
            )
            for group in sources.groups or []
        ],
        batches=[_sent(batch) for batch in latest],
        rejects=[Bar(label=reason, count=count, width=0) for reason, count in reasons],
    )  # fmt: skip


def _sent(batch: Latest) -> Sent:
    state = "undone" if batch.undone_at else "" if batch.finished_at else "not finished"
    return Sent(
        label=f"{minute(batch.started_at)}, {batch.format.upper()}", state=state, received=batch.received,
        stored=batch.stored, rejected=batch.rejected,
    )  # fmt: skip
