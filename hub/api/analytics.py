"""`/v1/analytics`: metrics of a tenant's records, and the way from each number to the records behind it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, structs

from hub import metrics, periods
from hub.api import params
from hub.api.answers import Json
from hub.api.openapi import Operation
from hub.api.problems import InvalidParam, ValidationFailed
from hub.api.strict import StrictRequest
from hub.db import analytics, completion, fields, measures
from hub.db.analytics import COLUMNS, MAX_BUCKETS, Breakdown, MixedScales, TooManyBuckets
from hub.db.completion import SubmissionBreakdown
from hub.db.fields import Fields
from hub.db.measures import Metric
from hub.metrics import Bucket, Change, Completion, DropOff, Group, Measure, Report, Scale
from hub.model import RecordFilter, SubmissionFilter, shown

GROUPS = f"must be one of: {', '.join(COLUMNS)}, metadata.<path>, answer:<field_id>"
ZONE = "must be a time zone of the IANA database, such as Europe/Berlin"
PERIOD = "needs since: what a period is compared with is the one before it, of the same length"
QUESTION = (
    "is required, one of them unless group_by is field_group_id: ranks of different questions have nothing in common"
)
NO_PERIOD = "there is no period of this length before since"
FUTURE = "must not be in the future: a period that is compared and has no until ends now"
TOO_MANY = f"makes more than {MAX_BUCKETS} buckets; take a longer one, or a shorter period with since and until"

MAX_NAMED = 20

Filters = Annotated[Raw, Meta(description="What was asked for", extra_json_schema={"type": "object"})]
Records = Annotated[str | None, Meta(description="The query string that lists the records, null where no list can")]


def asked(query: bytes, metric: Metric[Any], tenant_id: str | None) -> tuple[RecordFilter, Breakdown]:
    """What a query string asks of a metric. Raises `ValidationFailed` with every fault.

    A period that is compared and has no end ends now.
    """

    def rules(given: Mapping[str, object]) -> Iterator[InvalidParam]:
        """Faults that only this metric, or only several parameters together, can have."""
        types = given.get("field_type") or ()
        assert isinstance(types, tuple)  # noqa: S101 - as read
        if metric.field_types and set(types) - set(metric.field_types):
            yield InvalidParam(
                "field_type", f"must be {' or '.join(metric.field_types)} for this metric, or be left out"
            )
        if metric is measures.RANKING and not _one_question(given):
            yield InvalidParam("field_group_id", QUESTION)
        if isinstance(group_by := given.get("group_by"), str) and analytics.dimension(group_by) is None:
            yield InvalidParam("group_by", GROUPS)
        yield from _time_faults(given, now)

    now = datetime.now(UTC)
    selection, breakdown = params.read(query, RecordFilter, Breakdown, tenant_id=tenant_id, closed=True, rules=rules)
    if breakdown.compare is not None and selection.until is None:
        selection = structs.replace(selection, until=now)
    return selection, breakdown


def _one_question(given: Mapping[str, object]) -> bool:
    """Whether ranks of one question are counted, or of each by itself."""
    questions = given.get("field_group_id") or ()
    assert isinstance(questions, tuple)  # noqa: S101 - as read
    return len(questions) == 1 or (bool(questions) and given.get("group_by") == "field_group_id")


def _time_faults(given: Mapping[str, object], now: datetime) -> Iterator[InvalidParam]:
    zone = periods.zone(str(given.get("tz", "UTC")))
    if zone is None:
        yield InvalidParam("tz", ZONE)
    if "compare" in given:
        since, until = given.get("since"), given.get("until", now)
        if not isinstance(since, datetime) or not isinstance(until, datetime):
            yield InvalidParam("compare", PERIOD)
        elif since > now and "until" not in given:
            yield InvalidParam("since", FUTURE)
        elif zone is not None and not periods.has_before(since, until, zone):
            yield InvalidParam("compare", NO_PERIOD)


def asked_completion(query: bytes, tenant_id: str | None) -> tuple[SubmissionFilter, SubmissionBreakdown]:
    """The same for completion, which is of submissions."""
    now = datetime.now(UTC)
    selection, breakdown = params.read(
        query, SubmissionFilter, SubmissionBreakdown, tenant_id=tenant_id, closed=True,
        rules=lambda given: _time_faults(given, now),
    )  # fmt: skip
    if breakdown.compare is not None and selection.until is None:
        selection = structs.replace(selection, until=now)
    return selection, breakdown


def _route(metric: Metric[Any], measure: type[Measure], summary: str) -> HTTPRouteHandler:
    """The route of one metric."""

    async def answer(request: StrictRequest) -> Json:
        selection, breakdown = asked(request.scope["query_string"], metric, request.principal.tenant_id)
        request.exchange.tenant_id = selection.tenant_id
        report = await analytics.report(request.pool, metric, selection, breakdown)
        if isinstance(report, TooManyBuckets):
            raise ValidationFailed([InvalidParam("interval", TOO_MANY)])
        if isinstance(report, MixedScales):
            raise ValidationFailed([InvalidParam("field_id", _mixed(report))])
        request.exchange.counts = {"records": report.total.count}
        return Json(msgspec.json.encode(_shown(metric.name, selection, breakdown, report)))

    answer.__name__ = f"measure_{metric.name}"
    answer.__doc__ = f"{summary}\n\n{_PARTS}"
    operation = Operation(
        scope="read", tag="analytics", query=(RecordFilter, Breakdown), answers={200: _described(metric.name, measure)},
        problems=(400,),
    )  # fmt: skip
    return get(f"/v1/analytics/{metric.name}", opt={"operation": operation})(answer)


def _mixed(found: MixedScales) -> str:
    fields = ", ".join(f"{name} ({_span(scale)})" for name, scale in found.fields[:MAX_NAMED])
    more = f" and {len(found.fields) - MAX_NAMED} more" if len(found.fields) > MAX_NAMED else ""
    return (
        "selects answers on several scales, which have no common mean; choose one, for example with metadata.scale.max, or "
        f"use group_by=field_id: {fields}{more}"
    )


def _span(scale: Scale | None) -> str:
    return "scale unknown" if scale is None else f"{scale[0]:g} to {scale[1]:g}"


_PARTS = """Of all records that the filter selects, over time with `interval`, by group with `group_by`, and against the period
before with `compare`. Unknown and repeated parameters are refused: a mistyped filter must not change a number unseen."""


def _shown(name: str, selection: Struct, breakdown: Struct, report: Report[Any]) -> dict[str, object]:
    """A report as it leaves: the members of a measure stand beside what it belongs to."""
    shown: dict[str, object] = {
        "metric": name,
        "filters": _filters(selection) | _filters(breakdown),
        "total": report.total,
        "records": report.records,
    }
    if report.series is not None:
        shown["series"] = [_bucket(bucket) for bucket in report.series]
    if report.groups is not None:
        shown |= {"groups": [_group(group) for group in report.groups], "groups_omitted": report.groups_omitted}
    if report.previous is not None:
        shown["previous"] = _flat(report.previous, report.previous_records)
    if report.change is not None:
        shown["change"] = report.change
    return shown


def _filters(asked: Struct) -> dict[str, object]:
    """What was asked for, without what was not."""
    given: dict[str, object] = {}
    for field in structs.fields(asked):
        value = getattr(asked, field.name)
        if field.name == "metadata":
            given |= {f"metadata.{wanted.path}": wanted.values for wanted in value}
        elif field.required or value != field.default:
            given[field.name] = shown(value) if isinstance(value, datetime) else value
    return given


def _bucket(bucket: Bucket[Any]) -> dict[str, object]:
    return _flat(bucket.measure, bucket.records, bucket=bucket.bucket)


def _group(group: Group[Any]) -> dict[str, object]:
    flat = _flat(group.measure, group.records, key=group.key, label=group.label, small=group.small)
    return flat if group.series is None else {**flat, "series": [_bucket(bucket) for bucket in group.series]}


def _flat(measure: Measure, records: str | None, **place: object) -> dict[str, object]:
    return {**place, **structs.asdict(measure), _link(type(measure)): records}


def _link(measure: type[Measure]) -> str:
    """What the way to the records is called beside the members of a measure: of volume, `records` is how many there are."""
    return "records_query" if "records" in measure.__struct_fields__ else "records"


class Comparison(Change, kw_only=True, frozen=True):
    """How a metric differs from the period before: the difference, and whether it is more than chance."""

    # The published name: a change of a record is another thing.


def _described(name: str, measure: type[Measure], **more: object) -> type[Struct]:
    """The type of the answer of a metric, for the description: what `_shown` makes."""
    title, link = name.title(), (_link(measure), Records)
    bucket = msgspec.defstruct(
        f"{title}Bucket", [("bucket", date), link], bases=(measure,), kw_only=True,
        namespace={"__doc__": "The metric of one day, week, month or quarter, named by its first day."},
    )  # fmt: skip
    group = msgspec.defstruct(
        f"{title}Group",
        [
            ("key", str | None),
            ("label", str | None),
            ("small", Annotated[bool, Meta(description=f"Fewer than {metrics.SMALL_GROUP} answers")]),
            link,
            ("series", list[bucket] | UnsetType, UNSET),  # type: ignore[valid-type] # made at run time
        ],
        bases=(measure,),
        kw_only=True,
        namespace={"__doc__": "The metric of one group; `key` is null for the records without one."},
    )
    previous = msgspec.defstruct(
        f"{title}Before", [link], bases=(measure,), kw_only=True,
        namespace={"__doc__": "The metric of the period before."},
    )  # fmt: skip
    return msgspec.defstruct(
        f"{title}Report",
        [
            ("metric", str),
            ("filters", Filters),
            ("total", measure),
            ("records", Records),
            ("series", list[bucket] | UnsetType, UNSET),  # type: ignore[valid-type] # made at run time
            ("groups", list[group] | UnsetType, UNSET),  # type: ignore[valid-type] # made at run time
            ("groups_omitted", int | UnsetType, UNSET),
            ("previous", previous | UnsetType, UNSET),
            ("change", Comparison | UnsetType, UNSET),
            *more.items(),
        ],
        kw_only=True,
        namespace={"__doc__": f"{measure.__doc__}"},
    )


@get(
    "/v1/analytics/completion",
    opt={
        "operation": Operation(
            scope="read", tag="analytics", query=(SubmissionFilter, SubmissionBreakdown),
            answers={200: _described("completion", Completion, fields=list[DropOff])}, problems=(400,),
        )
    },
)  # fmt: skip
async def measure_completion(request: StrictRequest) -> Json:
    """How submissions ended, and where they were broken off.

    Of submissions that came through sources, over time with `interval`, by `source` or `form_id` with `group_by`, and against
    the period before with `compare`. `records` lists submissions here.
    """
    selection, breakdown = asked_completion(request.scope["query_string"], request.principal.tenant_id)
    request.exchange.tenant_id = selection.tenant_id
    found = await completion.completion(request.pool, selection, breakdown)
    if isinstance(found, TooManyBuckets):
        raise ValidationFailed([InvalidParam("interval", TOO_MANY)])
    request.exchange.counts = {"submissions": found.report.total.count}
    shown = _shown("completion", selection, breakdown, found.report)
    return Json(msgspec.json.encode(shown | {"fields": found.fields}))


@get(
    "/v1/analytics/fields",
    opt={
        "operation": Operation(
            scope="read", tag="analytics", query=(RecordFilter,), answers={200: Fields}, problems=(400,)
        )
    },
)
async def list_fields(request: StrictRequest) -> Fields:
    """Which questions there are.

    What was asked, in which survey, how often and when it was answered, and which metric measures it.
    """
    selection = params.read(
        request.scope["query_string"], RecordFilter, tenant_id=request.principal.tenant_id, closed=True
    )
    request.exchange.tenant_id = selection.tenant_id
    found = await fields.fields(request.pool, selection)
    request.exchange.counts = {"fields": len(found.fields)}
    return found


ROUTES = (
    _route(measures.NPS, metrics.Nps, "Net Promoter Score."),
    _route(measures.CSAT, metrics.Csat, "Customer satisfaction."),
    _route(measures.CES, metrics.Ces, "Customer effort."),
    _route(measures.RATING, metrics.Rating, "How ratings are distributed."),
    _route(measures.NUMBER, metrics.Number, "How numbers are distributed."),
    _route(measures.BOOLEAN, metrics.Boolean, "How many said yes."),
    _route(measures.CATEGORICAL, metrics.Categorical, "Which options were chosen."),
    _route(measures.RANKING, metrics.Ranking, "How the items of a question were ranked."),
    _route(measures.VOLUME, metrics.Volume, "How many records, submissions and users there are."),
    measure_completion,
    list_fields,
)
