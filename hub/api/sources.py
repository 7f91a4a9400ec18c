"""`/v1/sources`: payloads and form definitions of survey tools."""

from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hub import intake, snapshots
from hub.api import params, tables
from hub.api.openapi import AnyJson, Operation
from hub.api.problems import BadRequest, InvalidParam, NotFound, Unprocessable, ValidationFailed
from hub.api.strict import StrictRequest
from hub.db import forms, submissions
from hub.intake import Tally, Unread
from hub.model import MAX_KEY_BYTES, Key, Name, TenantId, Timestamp, key_bytes, shown
from hub.sources import SOURCES
from hub.sources.bodies import legible
from hub.sources.drafts import fitting_id
from hub.sources.interface import (
    MAX_NAMES,
    FormNeededError,
    Given,
    NotOfSourceError,
    Options,
    Skipped,
    Source,
    UnreadableError,
)


class Understood(Struct, frozen=True, kw_only=True):
    """A source: what it takes, and what it makes of it."""

    source: str
    title: str
    source_type: str
    """The `source_type` of its records."""
    responses: list[str]
    forms: list[str]
    question_types: list[str]


class Sources(Struct, frozen=True):
    """Every source of this hub."""

    data: list[Understood]


class StoredForm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A form of which the hub has the definition, or submissions that wait for one."""

    tenant_id: str
    source: str
    form_id: str
    name: str | None = None
    fields: int
    defined: bool
    updated_at: Timestamp


class Forms(Struct, frozen=True):
    """The forms of a tenant at one source."""

    data: list[StoredForm]


class Defined(StoredForm, frozen=True, kw_only=True, omit_defaults=True):
    """A form with its definition, as it was stored."""

    definition: Annotated[
        Raw, Meta(description="The survey tool's own", extra_json_schema={"type": ["object", "array"]})
    ]


class FormTaken(Struct, frozen=True, kw_only=True):
    """A definition was stored, and the submissions of its form were flattened again."""

    tenant_id: str
    source: str
    form_id: str
    fields: int
    reflattened: int


class Ingested(Struct, frozen=True, kw_only=True):
    """What a payload did. `stale` counts submissions, `created` to `deleted` count records."""

    submissions: int
    created: int
    updated: int
    unchanged: int
    deleted: int
    stale: int
    skipped: list[Skipped]
    errors: list[Unread] | UnsetType = UNSET


class OfTenant(Struct, frozen=True, kw_only=True):
    tenant_id: TenantId


class Ingestion(Struct, frozen=True, kw_only=True):
    """Whose payload it is, and what it does not say itself."""

    tenant_id: TenantId
    form_id: Annotated[Key, Meta(description="For payloads that do not name their form")] | None = None
    submission_id: Annotated[Key, Meta(description="For a payload that is one submission without an id")] | None = None
    attributes: (
        Annotated[
            Name, Meta(description="Names of hidden fields and attributes to copy to metadata.attributes, with commas")
        ]
        | None
    ) = None


@get("/v1/sources", opt={"operation": Operation(scope="read", tag="sources", answers={200: Sources})})
async def list_sources() -> Sources:
    """List the survey tools whose payloads the hub understands."""
    return Sources(
        [
            Understood(
                source=name,
                title=source.ABOUT.title,
                source_type=source.ABOUT.source_type,
                responses=source.ABOUT.responses,
                forms=source.ABOUT.forms,
                question_types=source.ABOUT.question_types,
            )
            for name, source in SOURCES.items()
        ]
    )


@get(
    "/v1/sources/{source:str}/forms",
    opt={
        "operation": Operation(
            scope="read", tag="sources", query=(OfTenant,), answers={200: Forms}, problems=(400, 404)
        )
    },
)
async def list_forms(request: StrictRequest, source: FromPath[str]) -> Forms:
    """List a tenant's forms at a source."""
    name, _ = _source(source)
    tenant_id = _tenant(request)
    rows = await forms.listed(request.pool, tenant_id, name)
    return Forms(
        [
            StoredForm(
                tenant_id=tenant_id,
                source=name,
                form_id=row.form_id,
                name=row.name,
                fields=row.fields,
                defined=row.defined,
                updated_at=shown(row.updated_at),
            )
            for row in rows
        ]
    )


@get(
    "/v1/sources/{source:str}/forms/{form_id:str}",
    opt={
        "operation": Operation(
            scope="read", tag="sources", query=(OfTenant,), answers={200: Defined}, problems=(400, 404)
        )
    },
)
async def get_form(request: StrictRequest, source: FromPath[str], form_id: FromPath[str]) -> Defined:
    """Read a form definition."""
    name, _ = _source(source)
    tenant_id = _tenant(request)
    form_id = fitting_id(unquote(form_id))
    found = await forms.get(request.pool, tenant_id, name, form_id)
    if found is None:
        raise NotFound("form not found", details={"resource_type": "form"})
    return Defined(
        tenant_id=tenant_id,
        source=name,
        form_id=form_id,
        name=found.name,
        fields=found.fields,
        defined=True,
        updated_at=shown(found.updated_at),
        definition=found.definition,
    )


@put(
    "/v1/sources/{source:str}/forms/{form_id:str}",
    opt={
        "operation": Operation(
            scope="write", tag="sources", query=(OfTenant,), answers={200: FormTaken}, problems=(400, 404, 413, 415),
            body=AnyJson, body_description="The definition as the survey tool's API answers it",
        )
    },
)  # fmt: skip
async def put_form(request: StrictRequest, source: FromPath[str], form_id: FromPath[str]) -> FormTaken:
    """Store a form definition.

    The submissions of the form that are kept are flattened again with it: labels, types, scales and option ids follow.
    """
    name, module = _source(source)
    tenant_id = _tenant(request)
    definition = await _payload(request)
    form_id = fitting_id(unquote(form_id))
    try:
        form = module.form(definition)
    except NotOfSourceError as error:
        raise BadRequest(str(error)) from None
    if form.form_id is not None and fitting_id(form.form_id) != form_id:
        raise ValidationFailed([InvalidParam("form_id", "must be the id in the definition")])
    if key_bytes(tenant_id, form_id) > MAX_KEY_BYTES:
        raise ValidationFailed([InvalidParam("form_id", f"must be at most {MAX_KEY_BYTES} bytes with tenant_id")])
    await forms.put(request.pool, tenant_id, name, form_id, name=form.name, definition=definition, fields=form.fields)
    again = snapshots.again(tenant_id, name)
    count = await submissions.flatten_again(request.pool, request.markers, tenant_id, name, form_id, again)
    request.exchange.counts = {"reflattened": count}
    return FormTaken(tenant_id=tenant_id, source=name, form_id=form_id, fields=form.fields, reflattened=count)


@post(
    "/v1/sources/{source:str}/responses",
    status_code=200,
    opt={
        "operation": Operation(
            scope="write", tag="sources", query=(Ingestion,), answers={200: Ingested, 207: Ingested},
            problems=(400, 404, 413, 415, 422), body=AnyJson,
            body_description="One payload of any shape the source understands; CSV only for the source `csv`",
            streams=("text/csv",),
        )
    },
)  # fmt: skip
async def take_responses(request: StrictRequest, source: FromPath[str]) -> Response[Ingested]:
    """Store the answers of a survey tool's payload as records.

    A payload is a snapshot of its submissions: sent again it changes nothing, an answer that is gone is deleted, an older
    snapshot is stale, and what was erased is skipped. A payload that is one submission without an id takes `submission_id`, else the `Idempotency-Key`
    header, else a hash of its content. 207 when some of its submissions could not be read.
    """
    name, module = _source(source)
    wanted = params.read(request.scope["query_string"], Ingestion, tenant_id=request.principal.tenant_id)
    request.exchange.tenant_id = wanted.tenant_id
    options = Options(attributes=_names(wanted.attributes))
    payload = await (_table(request, name, wanted) if _is_table(request, module) else _payload(request))
    try:
        items = module.unpack(payload)
    except NotOfSourceError as error:
        raise BadRequest(str(error)) from None
    own_id = wanted.submission_id or request.headers.get("idempotency-key", "").strip() or None
    # One id cannot stand for several submissions.
    given = Given(form_id=wanted.form_id, submission_id=own_id if len(items) == 1 else None)
    try:
        tally = await intake.take(
            request.pool, request.markers, wanted.tenant_id, name, items, given=given, options=options
        )
    except FormNeededError:
        raise ValidationFailed(
            [InvalidParam("form_id", "is required, for the payload does not name its form")]
        ) from None
    return ingested(request, tally)


def _source(segment: str) -> tuple[str, Source[Any]]:
    name = unquote(segment)
    if name not in SOURCES:
        raise NotFound(f"there is no source of this name; there are {', '.join(SOURCES)}")
    return name, SOURCES[name]


def _tenant(request: StrictRequest) -> str:
    wanted = params.read(request.scope["query_string"], OfTenant, tenant_id=request.principal.tenant_id)
    request.exchange.tenant_id = wanted.tenant_id
    return wanted.tenant_id


async def _payload(request: StrictRequest) -> Raw:
    request.check_media_type()
    try:
        return legible(await request.body())
    except UnreadableError as error:
        raise BadRequest(str(error)) from None


def _is_table(request: StrictRequest, module: Source[Any]) -> bool:
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    return module.ABOUT.takes_csv and media_type == "text/csv"


async def _table(request: StrictRequest, name: str, wanted: Ingestion) -> Raw:
    """The rows of a CSV file together with the mapping that is stored for them."""
    if wanted.form_id is None:
        raise ValidationFailed([InvalidParam("form_id", "is required, for a table does not name its mapping")])
    form = await forms.get(request.pool, wanted.tenant_id, name, wanted.form_id)
    if form is None:
        raise ValidationFailed([InvalidParam("form_id", "has no mapping yet; PUT it as the definition of this form")])
    rows = list(tables.rows(await request.body()))
    return legible(msgspec.json.encode({"mapping": form.definition, "rows": rows}))


def _names(attributes: str | None) -> tuple[str, ...]:
    names = dict.fromkeys(name.strip() for name in (attributes or "").split(",") if name.strip())
    if len(names) > MAX_NAMES:
        raise ValidationFailed([InvalidParam("attributes", f"must have at most {MAX_NAMES} names")])
    return tuple(names)


def ingested(request: StrictRequest, tally: Tally) -> Response[Ingested]:
    """What a payload did; 207 when some of its submissions could not be read. Raises `Unprocessable` when none could."""
    counts = msgspec.structs.asdict(tally.changes)
    request.exchange.counts = {
        "submissions": tally.submissions, "stale": tally.stale, "skipped": len(tally.skipped),
        "erased": tally.erased, "errors": len(tally.errors), **counts,
    }  # fmt: skip
    if tally.errors and not tally.submissions:
        faults = [InvalidParam(f"[{error.index}]", error.problem) for error in tally.errors]
        raise Unprocessable("No submission of the payload could be read", invalid_params=faults)
    answer = Ingested(
        submissions=tally.submissions,
        **counts,
        stale=tally.stale,
        skipped=tally.skipped,
        errors=tally.errors or UNSET,
    )
    return Response(answer, status_code=207 if tally.errors else 200)


ROUTES = (list_sources, list_forms, get_form, put_form, take_responses)
