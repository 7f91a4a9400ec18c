"""`/v1/connections`: accounts at survey tools that feed the hub by themselves."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import delete, get, patch, post
from litestar.params import FromPath
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hub.api import params, strict
from hub.api.faults import BLANK
from hub.api.openapi import Operation
from hub.api.problems import BadRequest, InvalidParam, NotFound, ValidationFailed
from hub.api.strict import StrictRequest, record_id
from hub.credentials import KINDS, Connectable, Credentials, Kept, Vault, hook_path, new_token
from hub.db import connections, new_id
from hub.db.connections import ConnectionRow, ConnectionStatus, InsertKeyTakenError
from hub.model import NOT_BLANK, Key, TenantId, Timestamp, shown
from hub.signing import key_of
from hub.sources.interface import Options
from hub.sources.values import ABSENT, gently

T = TypeVar("T")

# Names of surveys and of questions may be long, and there may be many.
MAX_BODY_BYTES = 4 * 1024 * 1024

Title = Annotated[str, Meta(min_length=1, max_length=255, extra_json_schema={"pattern": NOT_BLANK})]
_URL = r"^https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?$"
Url = Annotated[
    str,
    Meta(
        max_length=2000,
        description="Where the tool runs, if not at its vendor",
        extra_json_schema={"pattern": _URL.replace(r"\s", r"\s\u0000")},
    ),
]
FormIds = Annotated[tuple[Key, ...], Meta(max_length=200, description="The surveys that are wanted; none is all")]
Minutes = Annotated[int, Meta(ge=1, le=44640, description="How often to pull; null is never")]

_CREDENTIALS = Meta(
    description="Of Formbricks: api_key, webhook_secrets, accept_unsigned, insert_key; of Typeform: access_token, "
    "webhook_secrets; of SatisMeter: api_key, project_id, insert_key",
    extra_json_schema={"type": ["object", "null"]},
)
_NOTHING = Raw(b"{}")
_NULL = Raw(b"null")


class ConnectionOfTenant(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A new connection made with a key that is bound to one tenant, which may leave `tenant_id` out."""

    source: Connectable
    tenant_id: TenantId = ""
    name: Title
    base_url: Url | None = None
    credentials: Annotated[Raw, _CREDENTIALS] = _NOTHING
    forms: FormIds | None = None
    options: Options | None = None
    pull_minutes: Minutes | None = None


class NewConnection(ConnectionOfTenant, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A survey tool, whose feedback it is, and what opens it."""

    tenant_id: TenantId


class ConnectionPatch(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may change about a connection (RFC 7396): absent keeps, null clears; of the credentials each one by itself."""

    name: Title | UnsetType = UNSET
    base_url: Url | UnsetType | None = UNSET
    credentials: Annotated[Raw, _CREDENTIALS] | UnsetType = UNSET
    forms: FormIds | UnsetType | None = UNSET
    options: Options | UnsetType | None = UNSET
    status: ConnectionStatus | UnsetType = UNSET
    pull_minutes: Minutes | UnsetType | None = UNSET


class Connection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A connection as it is shown: of its credentials only the names."""

    id: UUID
    source: Connectable
    tenant_id: TenantId
    name: str
    base_url: str | None = None
    credentials: Annotated[list[str], Meta(description="Which there are; their values are never shown")]
    forms: list[str]
    options: Options
    status: ConnectionStatus
    pull_minutes: int | None = None
    created_at: Timestamp
    updated_at: Timestamp
    last_success_at: Timestamp | None = None
    last_error_at: Timestamp | None = None
    last_error: str | None = None
    received: Annotated[int, Meta(description="Deliveries, pages and inserted responses")]
    stored: Annotated[int, Meta(description="Submissions")]
    failed: Annotated[int, Meta(description="What waits, or waited, among the rejects")]
    duplicates: Annotated[int, Meta(description="Deliveries that had come before")]


class CreatedConnection(Connection, frozen=True, kw_only=True, omit_defaults=True):
    """A connection, and what is told this once."""

    hook_url: Annotated[str, Meta(description="Where the tool is to deliver to; it is a secret")]
    webhook_secret: Annotated[str, Meta(description="What Typeform has to sign with")] | UnsetType = UNSET


class HookUrl(Struct, frozen=True):
    """A new address for the tool to deliver to; it is a secret. The one before is not answered any more."""

    hook_url: str


class Connections(Struct, frozen=True):
    """Connections, the oldest first."""

    data: list[Connection]


class Selection(Struct, frozen=True, kw_only=True):
    """Whose connections, and to what."""

    tenant_id: TenantId | None = None
    source: Connectable | None = None


@post(
    "/v1/connections",
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope="admin", tag="connections", body=NewConnection, answers={201: CreatedConnection},
            problems=(400, 413, 415),
        )
    },
)  # fmt: skip
async def create_connection(request: StrictRequest) -> CreatedConnection:
    """Connect a survey tool.

    The answer alone has the address to which the tool delivers its webhooks. For Typeform a secret to sign them with is made if
    none is given.
    """
    principal = request.principal
    body = await _body(request)
    faults: list[InvalidParam] = []
    kind = NewConnection if principal.tenant_id is None else ConnectionOfTenant
    wanted = _read(lambda: strict.decode(body, kind), faults)
    parts = wanted or _parts(body)
    found = _read(lambda: _credentials(parts.credentials, parts.source), faults)
    faults += _unfit(parts)
    if wanted is None or found is None or faults:
        raise _invalid(faults)
    tenant_id = wanted.tenant_id.strip() or principal.tenant_id or ""
    principal.owns(tenant_id)
    request.exchange.tenant_id = tenant_id
    made: str | UnsetType = UNSET
    if wanted.source == "typeform" and not found.webhook_secrets:
        made = new_token()
        found = msgspec.structs.replace(found, webhook_secrets=(made,))
    kept = Kept(token=new_token(), credentials=found)
    sealed = request.vault.columns(kept)
    new = connections.NewConnection(
        id=new_id(),
        source=wanted.source,
        tenant_id=tenant_id,
        name=wanted.name.strip(),
        base_url=wanted.base_url,
        credentials=sealed.credentials,
        token_hash=sealed.token_hash,
        insert_key_hash=sealed.insert_key_hash,
        forms=list(wanted.forms or ()),
        options=Raw(msgspec.json.encode(wanted.options or Options())),
        status="active",
        pull_minutes=wanted.pull_minutes,
    )
    try:
        row = await connections.insert(request.pool, new)
    except InsertKeyTakenError:
        raise _taken() from None
    shown = msgspec.structs.asdict(_shown(request.vault, row))
    return CreatedConnection(**shown, hook_url=_hook_url(request, row, kept.token), webhook_secret=made)


@get(
    "/v1/connections",
    opt={
        "operation": Operation(
            scope="admin", tag="connections", query=(Selection,), answers={200: Connections}, problems=(400,)
        )
    },
)
async def list_connections(request: StrictRequest) -> Connections:
    """List connections, the oldest first, revoked ones too."""
    wanted = params.read(request.scope["query_string"], Selection, tenant_id=request.principal.tenant_id)
    request.exchange.tenant_id = wanted.tenant_id
    rows = await connections.listed(request.pool, wanted.tenant_id, wanted.source)
    request.exchange.counts = {"connections": len(rows)}
    return Connections([_shown(request.vault, row) for row in rows])


@get(
    "/v1/connections/{id:str}",
    opt={"operation": Operation(scope="admin", tag="connections", answers={200: Connection}, problems=(400, 404))},
)
async def get_connection(request: StrictRequest, id: FromPath[str]) -> Connection:  # noqa: A002 - its public name
    """Read a connection: what it is, and how it fares."""
    row = await connections.get(request.pool, record_id(id), request.principal.tenant_id)
    return _shown(request.vault, _found(request, row))


@patch(
    "/v1/connections/{id:str}",
    request_max_body_size=MAX_BODY_BYTES,
    opt={
        "operation": Operation(
            scope="admin", tag="connections", body=ConnectionPatch, answers={200: Connection},
            problems=(400, 404, 413, 415),
        )
    },
)  # fmt: skip
async def change_connection(request: StrictRequest, id: FromPath[str]) -> Connection:  # noqa: A002 - its public name
    """Change a connection, pause it, or revoke it for good.

    What is paused is not pulled, but deliveries are still stored. What is revoked takes nothing, and its credentials are gone.
    """
    connection_id, vault = record_id(id), request.vault
    body = await _body(request)
    faults: list[InvalidParam] = []
    wanted = _read(lambda: strict.decode(body, ConnectionPatch), faults)
    parts = wanted or _parts(body)
    faults += _unfit(parts)

    def changed(row: ConnectionRow) -> ConnectionRow:
        _check_open(row)
        kept = vault.open(row.source, row.credentials)
        found = _read(lambda: _merged(kept.credentials, parts.credentials, row.source), faults)
        if wanted is None or found is None or faults:
            raise _invalid(faults)
        if wanted.status == "revoked":
            found = KINDS[row.source]()
        sealed = vault.columns(msgspec.structs.replace(kept, credentials=found))
        return msgspec.structs.replace(
            row,
            name=row.name if wanted.name is UNSET else wanted.name.strip(),
            base_url=row.base_url if wanted.base_url is UNSET else wanted.base_url,
            forms=row.forms if wanted.forms is UNSET else list(wanted.forms or ()),
            options=row.options if wanted.options is UNSET else Raw(msgspec.json.encode(wanted.options or Options())),
            status=row.status if wanted.status is UNSET else wanted.status,
            pull_minutes=row.pull_minutes if wanted.pull_minutes is UNSET else wanted.pull_minutes,
            **msgspec.structs.asdict(sealed),
        )

    try:
        row = await connections.change(request.pool, connection_id, request.principal.tenant_id, changed)
    except InsertKeyTakenError:
        raise _taken() from None
    return _shown(vault, _found(request, row))


@post(
    "/v1/connections/{id:str}/hook",
    status_code=200,
    opt={"operation": Operation(scope="admin", tag="connections", answers={200: HookUrl}, problems=(400, 404))},
)
async def renew_hook(request: StrictRequest, id: FromPath[str]) -> HookUrl:  # noqa: A002 - its public name
    """Make a new address for the tool to deliver to, when the old one was lost or became known."""
    vault, token = request.vault, new_token()

    def changed(row: ConnectionRow) -> ConnectionRow:
        _check_open(row)
        kept = msgspec.structs.replace(vault.open(row.source, row.credentials), token=token)
        return msgspec.structs.replace(row, **msgspec.structs.asdict(vault.columns(kept)))

    row = await connections.change(request.pool, record_id(id), request.principal.tenant_id, changed)
    return HookUrl(_hook_url(request, _found(request, row), token))


@delete(
    "/v1/connections/{id:str}",
    opt={"operation": Operation(scope="admin", tag="connections", answers={204: None}, problems=(400, 404))},
)
async def delete_connection(request: StrictRequest, id: FromPath[str]) -> None:  # noqa: A002 - its public name
    """Delete a connection. What came through it stays; the webhook at the vendor is not removed."""
    if not await connections.delete(request.pool, record_id(id), request.principal.tenant_id):
        raise _not_found()


def _check_open(row: ConnectionRow) -> None:
    if row.status == "revoked":
        raise ValidationFailed([InvalidParam("status", "is revoked, which is for good; make a new connection")])


async def _body(request: StrictRequest) -> bytes:
    request.check_media_type()
    return await request.body()


def _read(read: Callable[[], T], faults: list[InvalidParam]) -> T | None:
    """What was read, or nothing and its faults."""
    try:
        return read()
    except ValidationFailed as failed:
        faults += failed.invalid_params
        return None


class _Parts(Struct, frozen=True):
    """The parts of a body that is wrong elsewhere, for their own faults."""

    source: str = ""
    tenant_id: str = ""
    name: str | UnsetType = UNSET
    base_url: str | UnsetType | None = UNSET
    credentials: Raw | UnsetType = UNSET


def _parts(body: bytes) -> _Parts:
    try:
        members = gently(Raw(body.decode(errors="replace").encode()), dict[str, Raw]) or {}
    except RecursionError:
        members = {}
    found = {
        field.name: gently(members.get(field.name, ABSENT), field.type) for field in msgspec.structs.fields(_Parts)
    }
    return _Parts(**{name: value for name, value in found.items() if value is not None})


def _credentials(given: Raw | UnsetType, source: str) -> Credentials:
    """Raises `ValidationFailed` with every fault."""
    if source not in KINDS or not given or given == _NULL:
        return KINDS.get(source, Credentials)()
    try:
        found = strict.decode(bytes(given), KINDS[source])
    except BadRequest:
        raise ValidationFailed([InvalidParam("credentials", "must be object")]) from None
    except ValidationFailed as failed:
        raise ValidationFailed(
            [InvalidParam(f"credentials.{fault.name}", fault.reason) for fault in failed.invalid_params]
        ) from None
    if source == "formbricks":
        _check_secrets(found)
    return found


def _check_secrets(found: Credentials) -> None:
    for index, secret in enumerate(found.webhook_secrets):
        try:
            key_of(secret)
        except ValueError as error:
            raise ValidationFailed([InvalidParam(f"credentials.webhook_secrets[{index}]", str(error))]) from None


def _merged(stored: Credentials, given: Raw | UnsetType, source: str) -> Credentials:
    """The credentials with those that are given, and without those that are null."""
    if not given:
        return stored
    try:
        patch = msgspec.json.decode(given, type=dict[str, Raw] | None)
    except msgspec.ValidationError:
        raise ValidationFailed([InvalidParam("credentials", "must be object")]) from None
    members = {} if patch is None else msgspec.json.decode(msgspec.json.encode(stored), type=dict[str, Raw]) | patch
    left = {name: value for name, value in members.items() if value != _NULL}
    return _credentials(Raw(msgspec.json.encode(left)), source)


def _unfit(parts: "NewConnection | ConnectionOfTenant | ConnectionPatch | _Parts") -> Iterator[InvalidParam]:
    """What a type cannot say."""
    if not isinstance(parts, ConnectionPatch) and parts.tenant_id and not parts.tenant_id.strip():
        yield InvalidParam("tenant_id", BLANK)
    if parts.name and not parts.name.strip():
        yield InvalidParam("name", "must not be blank")
    if isinstance(parts.base_url, str) and not (re.fullmatch(_URL, parts.base_url) and _has_host(parts.base_url)):
        yield InvalidParam("base_url", "must be an http or https URL without user, query and fragment")


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _invalid(faults: list[InvalidParam]) -> ValidationFailed:
    return ValidationFailed(list({fault.name: fault for fault in faults}.values()))


def _taken() -> ValidationFailed:
    return ValidationFailed([InvalidParam("credentials.insert_key", "belongs to another connection")])


def _found(request: StrictRequest, row: ConnectionRow | None) -> ConnectionRow:
    if row is None:
        raise _not_found()
    request.exchange.tenant_id = row.tenant_id
    return row


def _not_found() -> NotFound:
    return NotFound("connection not found", details={"resource_type": "connection"})


def _hook_url(request: StrictRequest, row: ConnectionRow, token: str) -> str:
    return f"{request.app.state.server}{hook_path(row.id, token)}"


def _shown(vault: Vault, row: ConnectionRow) -> Connection:
    known = msgspec.to_builtins(vault.open(row.source, row.credentials).credentials)
    return Connection(
        id=row.id,
        source=cast("Connectable", row.source),
        tenant_id=row.tenant_id,
        name=row.name,
        base_url=row.base_url,
        credentials=list(known),
        forms=row.forms,
        options=msgspec.json.decode(row.options, type=Options),
        status=row.status,
        pull_minutes=row.pull_minutes,
        created_at=shown(row.created_at),
        updated_at=shown(row.updated_at),
        last_success_at=None if row.last_success_at is None else shown(row.last_success_at),
        last_error_at=None if row.last_error_at is None else shown(row.last_error_at),
        last_error=row.last_error,
        received=row.received,
        stored=row.stored,
        failed=row.failed,
        duplicates=row.duplicates,
    )


ROUTES = (
    create_connection, list_connections, get_connection, change_connection, renew_hook, delete_connection,
)  # fmt: skip
