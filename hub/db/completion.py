"""How submissions ended: counted over them, not over their records."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal, TypeAlias

import asyncpg
from msgspec import Struct, structs

from hub import metrics, periods
from hub.db import Connection, Pool, query
from hub.db.analytics import MAX_BUCKETS, MAX_GROUPS, Division, TooManyBuckets
from hub.db.measures import MAX_OPTIONS
from hub.metrics import Bucket, Completion, DropOff, Group, Report
from hub.model import SubmissionFilter, query_string

_COMPLETION = query("analytics/completion")
_SPAN = query("analytics/completion_span")
_DROP_OFF = query("analytics/drop_off")
# What a row is, beside the counts.
_PLACE = {"key", "bucket", "size", "place", "groups"}

Row: TypeAlias = "asyncpg.Record"
Bounds: TypeAlias = Sequence[tuple[datetime, datetime]]


class SubmissionBreakdown(Division, kw_only=True, frozen=True):
    """How a selection of submissions is divided and what it is compared with."""

    group_by: Literal["source", "form_id"] | None = None


class CompletionReport(Struct, kw_only=True, frozen=True):
    """How submissions ended, and where those that were begun lost their way."""

    report: Report[Completion]
    fields: list[DropOff]
    of_forms: Mapping[str | None, list[DropOff]]
    """The same of each form, for what several of them ask."""


async def completion(
    pool: Pool, chosen: SubmissionFilter, breakdown: SubmissionBreakdown
) -> CompletionReport | TooManyBuckets:
    """All of it from one snapshot. `records` lists submissions here. A comparison needs `since` and `until`."""
    zone = periods.zone(breakdown.tz)
    assert zone is not None, "checked when it was read"  # noqa: S101
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        first, last, interval = chosen.since, chosen.until, breakdown.interval
        if interval is not None and (first is None or last is None):
            span = await connection.fetchrow(_SPAN, *structs.astuple(chosen))
            assert span is not None  # noqa: S101 - an aggregate has a row
            first, last = first or span["first"], last or span["last"]
        days = [] if interval is None or first is None or last is None else periods.days(first, last, interval, zone)
        if len(days) > MAX_BUCKETS:
            return TooManyBuckets()
        bounds = [] if interval is None else periods.bounds(days, interval, zone)

        async def dated(kind: str | None) -> list[Row]:
            return await _cells(connection, chosen, kind, bounds) if days else []

        def series(within: SubmissionFilter | None, cells: list[Row]) -> list[Bucket[Completion]] | None:
            found = {row["bucket"]: row for row in cells}
            return None if interval is None else [
                Bucket(bucket=day, measure=_measure(found.get(number)), records=_link(within, *ends))
                for number, (day, ends) in enumerate(zip(days, bounds, strict=True), start=1)
            ]  # fmt: skip

        total = _measure(next(iter(await _cells(connection, chosen, None)), None))
        groups, omitted = None, 0
        if breakdown.group_by is not None:
            rows, over_time = await _cells(connection, chosen, breakdown.group_by), await dated(breakdown.group_by)
            by_place = {place: list(cells) for place, cells in groupby(over_time, key=lambda row: int(row["place"]))}
            groups = []
            for row in rows:
                key = row["key"]
                within = structs.replace(chosen, **{breakdown.group_by: (key,)}) if key else None
                groups.append(
                    Group(
                        key=key,
                        label=None,
                        measure=_measure(row),
                        records=_link(within),
                        series=series(within, by_place.get(row["place"], [])),
                    )
                )
            omitted = max(rows[0]["groups"] - MAX_GROUPS, 0) if rows else 0
        earlier, previous, change = chosen, None, None
        if breakdown.compare is not None:
            assert chosen.since is not None and chosen.until is not None, "checked when they were read"  # noqa: S101, PT018
            since, until = periods.before(chosen.since, chosen.until, zone)
            earlier = structs.replace(chosen, since=since, until=until)
            previous = _measure(next(iter(await _cells(connection, earlier, None)), None))
            change = metrics.completion_change(total, previous)
        fields, of_forms = await _fields(connection, chosen)
        return CompletionReport(
            report=Report(
                total=total,
                records=_link(chosen),
                series=series(chosen, await dated(None)),
                groups=groups,
                groups_omitted=omitted,
                previous=previous,
                previous_records=None if previous is None else _link(earlier),
                change=change,
            ),
            fields=fields,
            of_forms=of_forms,
        )


async def _cells(connection: Connection, chosen: SubmissionFilter, kind: str | None, bounds: Bounds = ()) -> list[Row]:
    edges = [first for first, _ in bounds]
    return await connection.fetch(_COMPLETION, *structs.astuple(chosen), kind, edges, MAX_GROUPS)


def _measure(row: "asyncpg.Record | None") -> Completion:
    return metrics.completion(**{name: value for name, value in (row.items() if row else ()) if name not in _PLACE})


async def _fields(
    connection: Connection, chosen: SubmissionFilter
) -> tuple[list[DropOff], Mapping[str | None, list[DropOff]]]:
    fields: list[DropOff] = []
    of_forms: dict[str | None, list[DropOff]] = {}
    for row in await connection.fetch(_DROP_OFF, *structs.astuple(chosen), MAX_OPTIONS):
        lost = row["submissions"] - row["answered"]
        counted = {name: row[name] for name in ("field_id", "label", "answered", "submissions")}
        place = of_forms.setdefault(row["form_id"], []) if row["of_form"] else fields
        place.append(DropOff(**counted, drop_off=100 * lost / row["submissions"]))
    return fields, of_forms


def _link(chosen: SubmissionFilter | None, first: datetime | None = None, last: datetime | None = None) -> str | None:
    """The query string that lists these submissions, within a time if there is one."""
    if chosen is None:
        return None
    since = max((moment for moment in (chosen.since, first) if moment is not None), default=None)
    until = min((moment for moment in (chosen.until, last) if moment is not None), default=None)
    return query_string(structs.replace(chosen, since=since, until=until))
