"""`/`, `/records`, and signing in and out. Nothing but that is changed here, so nothing else has to be defended."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import TypeVar
from urllib.parse import parse_qs, quote

import msgspec
from litestar import Response, get, post

from hub.api import params
from hub.api.auth import Principal
from hub.api.export import Export, Exporting
from hub.api.openapi import Operation
from hub.api.problems import Forbidden, ProblemDocument, Unauthorized
from hub.api.strict import StrictRequest
from hub.cursors import Paging
from hub.dashboard import asked, listing
from hub.dashboard.overview import overview
from hub.dashboard.render import page, redirect
from hub.dashboard.session import DAYS, Sessions
from hub.db import records, tenants
from hub.model import Record, RecordFilter

_PAGE = Operation(scope=None, tag="page", answers={200: "text/html"})
_MAX_TENANTS = 200

A = TypeVar("A")


class SignInNeededError(Exception):
    """There is no session, or its key opens nothing any more."""


class NothingYetError(Exception):
    """No tenant has a record."""


def _shown(
    handler: Callable[[StrictRequest], Awaitable[A]],
) -> Callable[[StrictRequest], Awaitable[A | Response[str]]]:
    """What fails is shown as a page. The words, and what is logged, are those of the API."""

    @wraps(handler)
    async def shown(request: StrictRequest) -> A | Response[str]:
        try:
            return await handler(request)
        except SignInNeededError:
            return _to_sign_in(request)
        except NothingYetError:
            return page("empty.html", tenant=None, url=request.app.state.server)
        except Exception as error:  # noqa: BLE001 - it goes to the renderer
            status, _, body = request.exchange.render(error)
            return page("problem.html", status=status, problem=msgspec.json.decode(body, type=ProblemDocument))

    return shown


def _to_sign_in(request: StrictRequest) -> Response[str]:
    # A link from another site arrives without the cookie, which is Strict. Asked again from here it comes with it.
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return page("again.html")
    query = request.scope["query_string"].decode("latin-1")
    path = request.exchange.path.rpartition("/")[2] or "./"
    address = f"{path}?{query}" if query else path
    return redirect(f"sign-in?next={quote(address, safe='')}" if address != "./" else "sign-in")


async def principal(request: StrictRequest) -> Principal:
    """Who is signed in. Raises `SignInNeededError`, and `Forbidden` for a key that may not read."""
    sessions: Sessions = request.app.state.sessions
    key = sessions.key(request.headers.get("cookie", ""))
    if key is None:
        raise SignInNeededError
    try:
        found = await _owner(request, key)
    except Unauthorized:
        raise SignInNeededError from None
    request.exchange.key_id, request.exchange.tenant_id = found.key_id, found.tenant_id
    found.require("read")
    return found


async def _owner(request: StrictRequest, key: str) -> Principal:
    owner: Principal = await request.app.state.keyring.principal(b"Bearer " + key.encode(errors="surrogateescape"))
    return owner


@get("/sign-in", media_type="text/html", opt={"operation": _PAGE})
async def sign_in_page(request: StrictRequest) -> Response[str]:
    """Ask for a key."""
    return page("sign_in.html", days=DAYS, next=request.query_params.get("next", ""), fault=None)


@post("/sign-in", media_type="text/html", status_code=303, opt={"operation": _PAGE})
async def sign_in(request: StrictRequest) -> Response[str]:
    """Take a key, if it is a good one."""
    return await _sign_in(request)


@_shown
async def _sign_in(request: StrictRequest) -> Response[str]:
    _from_here(request)
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode(errors="replace")).items()}
    key, following = form.get("key", "").strip(), form.get("next", "")
    try:
        (await _owner(request, key)).require("read")
    except (Unauthorized, Forbidden) as error:
        fault = error.detail if isinstance(error, Forbidden) else "This key is not known here, or not any more."
        return page("sign_in.html", status=error.status, days=DAYS, next=following, fault=fault)
    sessions: Sessions = request.app.state.sessions
    return redirect(_local(following), {"set-cookie": sessions.begin(key)})


def _local(address: str) -> str:
    """Where to go on to: a page beside this one, never another site."""
    known = address.partition("?")[0] in ("./", "records")
    return address if known and address.isprintable() and address.isascii() else "./"


@post("/sign-out", media_type="text/html", status_code=303, opt={"operation": _PAGE})
async def sign_out(request: StrictRequest) -> Response[str]:
    """Forget the key."""
    return await _sign_out(request)


@_shown
async def _sign_out(request: StrictRequest) -> Response[str]:
    _from_here(request)
    sessions: Sessions = request.app.state.sessions
    return redirect("sign-in", {"set-cookie": sessions.end()})


def _from_here(request: StrictRequest) -> None:
    """Raises `Forbidden` for a form of another site. Browsers say where a form comes from; what is no browser has no cookie."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = (
        site != "same-origin"
        if site
        else origin is not None and origin.partition("://")[2] != request.headers.get("host")
    )
    if foreign:
        raise Forbidden("This form was sent from another site")


@get("/", media_type="text/html", opt={"operation": _PAGE})
async def front(request: StrictRequest) -> Response[str]:
    """Show the numbers."""
    return await _front(request)


@_shown
async def _front(request: StrictRequest) -> Response[str]:
    owner = await principal(request)
    query = await _query(request, owner)
    names = [owner.tenant_id] if owner.tenant_id else await tenants.listed(request.pool, _MAX_TENANTS)
    if not names:
        raise NothingYetError
    looked = asked.read(query, owner.tenant_id, datetime.now(UTC))
    request.exchange.tenant_id = looked.selection.tenant_id
    view = await overview(request.pool, request.index, looked, names, owner)
    return page("overview.html", view=view, tenant=view.tenant)


async def _query(request: StrictRequest, owner: Principal) -> bytes:
    """With the first tenant, where neither the address nor the key names one. Raises `NothingYetError` when there is none."""
    query: bytes = request.scope["query_string"]
    if owner.tenant_id is not None or "tenant_id" in dict(params.pairs(query)):
        return query
    names = await tenants.listed(request.pool, 1)
    if not names:
        raise NothingYetError
    return query + b"&tenant_id=" + quote(names[0]).encode()


@get("/records", media_type="text/html", opt={"operation": _PAGE})
async def records_page(request: StrictRequest) -> Response[str]:
    """Show the records behind a number."""
    return await _records(request)


@_shown
async def _records(request: StrictRequest) -> Response[str]:
    owner = await principal(request)
    query = await _query(request, owner)
    selection, paging = params.read(query, RecordFilter, Paging, tenant_id=owner.tenant_id, closed=True)
    request.exchange.tenant_id = selection.tenant_id
    texts, following = await records.page(request.pool, selection, paging)
    count = await records.count(request.pool, selection)
    request.exchange.counts = {"records": len(texts)}
    found = [msgspec.json.decode(text, type=Record) for text in texts]
    return page("records.html", view=listing.listed(selection, found, count, following), tenant=selection.tenant_id)


@get("/export", opt={"operation": Operation(scope=None, tag="page", answers={200: "text/csv"})})
async def export_records(request: StrictRequest) -> Export:
    """The records behind a number as a file."""
    return await _export(request)  # type: ignore[return-value] # Litestar sends a Response, whatever is announced


@_shown
async def _export(request: StrictRequest) -> Export:
    owner = await principal(request)
    query = await _query(request, owner)
    selection, wanted = params.read(query, RecordFilter, Exporting, tenant_id=owner.tenant_id, closed=True)
    request.exchange.tenant_id = selection.tenant_id
    return Export(request, selection, wanted)


ROUTES = (front, sign_in_page, sign_in, sign_out, records_page, export_records)
