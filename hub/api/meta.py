"""What is not about records: health, readiness, the description of the API, and routes that are not built yet."""

import html
from typing import Literal
from urllib.parse import unquote

import msgspec
from litestar import Litestar, Response, get, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from hub.api import openapi
from hub.api.auth import Scope
from hub.api.openapi import Operation
from hub.api.problems import KINDS, NotFound, Problem, ServiceUnavailable
from hub.api.strict import StrictRequest
from hub.db import migrate, queue

_DOCUMENT_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Ready(Struct, frozen=True, kw_only=True):
    """The hub can store and list."""

    status: Literal["ready"] = "ready"
    queue: Literal["attended", "unattended"]
    """Whether a worker does what is queued. Without one nothing is pulled and no form is fetched, but feedback is stored."""


@get(
    "/health",
    media_type="text/plain",
    opt={"operation": Operation(scope=None, tag="operation", answers={200: "text/plain"})},
)
async def health() -> str:
    """Tell that the process is up. It asks no database."""
    return "OK"


@get("/ready", opt={"operation": Operation(scope=None, tag="operation", answers={200: Ready}, problems=(503,))})
async def ready(request: StrictRequest) -> Ready:
    """Tell whether the database is reachable and migrated, and whether somebody works the queue."""
    async with request.pool.acquire() as connection:
        if missing := await migrate.pending_on(connection):
            raise ServiceUnavailable(f"Migrations are missing: {', '.join(missing)}. Run `hub migrate`")
        unattended = await queue.is_unattended(connection)
    return Ready(queue="unattended" if unattended else "attended")


@get("/openapi.json", opt={"operation": Operation(scope=None, tag="operation", answers={200: "application/json"})})
async def openapi_json(request: StrictRequest) -> Response[bytes]:
    """Describe the API as OpenAPI 3.1, in JSON."""
    body, _ = _documents(request.app)
    return Response(body, media_type="application/json; charset=utf-8", headers=_DOCUMENT_HEADERS)


@get("/openapi.yaml", opt={"operation": Operation(scope=None, tag="operation", answers={200: "application/yaml"})})
async def openapi_yaml(request: StrictRequest) -> Response[bytes]:
    """Describe the API as OpenAPI 3.1, in YAML."""
    _, body = _documents(request.app)
    return Response(body, media_type="application/yaml; charset=utf-8", headers=_DOCUMENT_HEADERS)


def _documents(app: Litestar) -> tuple[bytes, bytes]:
    """JSON and YAML, made once: a tenth of a second for whoever asks first, and nothing after that."""
    if "documents" not in app.state:
        document = described(app)
        text = msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2)
        app.state.documents = (text, msgspec.yaml.encode(document, order="sorted"))
    documents: tuple[bytes, bytes] = app.state.documents
    return documents


def described(app: Litestar) -> openapi.Json:
    """The OpenAPI document of the running app."""
    return openapi.document(described_routes(app), app.state.server)


def described_routes(app: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    """Path, method and handler of every route that is part of the API."""
    return [
        (path, method, handler)
        for path, method, handler in openapi.routes(app)
        if openapi.operation(handler).tag != "page"
    ]


@get("/docs", media_type="text/html", opt={"operation": Operation(scope=None, tag="page", answers={200: "text/html"})})
async def reference() -> Response[str]:
    """The API reference."""
    return Response(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Feedback Hub API</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="assets/swagger-ui.css">\n</head>\n<body>\n'
        '<div id="swagger-ui"></div>\n<script src="assets/swagger-ui-bundle.js"></script>\n'
        '<script src="assets/reference.js"></script>\n</body>\n</html>\n',
        media_type="text/html",
        headers={
            "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
        },
    )


_KINDS: dict[str, type[Problem]] = {kind.slug(): kind for kind in KINDS}


@get(
    "/problems",
    media_type="text/html",
    opt={"operation": Operation(scope=None, tag="page", answers={200: "text/html"})},
)
async def problem_index() -> Response[str]:
    """Every kind of problem."""
    rows = "".join(
        f'<li><a href="/problems/{slug}">{slug}</a> ({kind.status})</li>' for slug, kind in sorted(_KINDS.items())
    )
    return _page("Problems", f"<ul>{rows}</ul>")


@get(
    "/problems/{slug:str}",
    media_type="text/html",
    opt={"operation": Operation(scope=None, tag="page", answers={200: "text/html"}, problems=(404,))},
)
async def problem_page(slug: FromPath[str]) -> Response[str]:
    """What one kind of problem means and what to do about it."""
    kind = _KINDS.get(unquote(slug))
    if kind is None:
        raise NotFound
    text = " ".join((kind.__doc__ or "").split("\n", 1)[1].split())
    body = f"<p>{html.escape(text)}</p><p>Status <code>{kind.status}</code>, code <code>{kind.code}</code>.</p>"
    return _page(kind.title(), body)


def _page(title: str, body: str) -> Response[str]:
    return Response(
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="/assets/page.css"></head>\n<body><h1>{title}</h1>{body}</body>\n</html>\n',
        media_type="text/html",
        headers={"content-security-policy": "default-src 'self'; img-src data:"},
    )


# What the Formbricks Hub has and this one has not yet: (paths, methods, scope, what is missing).
_NOT_BUILT: tuple[tuple[list[str], list[str], Scope, str], ...] = (
    (["/v1/feedback-records/search/semantic"], ["POST"], "read", "Semantic search is not available: embeddings are not configured."),
    (["/v1/feedback-records/{id:str}/similar"], ["GET"], "read", "Similar records are not available: embeddings are not configured."),
    (["/v1/webhooks"], ["GET", "POST"], "admin", "Webhooks are not available."),
    (["/v1/webhooks/{id:str}"], ["GET", "PATCH", "DELETE"], "admin", "Webhooks are not available."),
    (["/v1/tenants/{tenant_id:str}/settings"], ["GET", "PUT", "PATCH"], "admin", "Tenant settings are not available."),
    (["/v1/tenants/{tenant_id:str}/enrichments/retry"], ["POST"], "admin", "Enrichment is not available."),
    (["/v1/enrichment-status"], ["GET"], "read", "Enrichment is not available."),
    (["/v1/taxonomy/fields", "/v1/taxonomy/runs/active/tree", "/v1/taxonomy/runs/{run_id:str}", "/v1/taxonomy/runs/{run_id:str}/tree",
      "/v1/taxonomy/runs/{run_id:str}/record-counts", "/v1/taxonomy/nodes/{node_id:str}/records"], ["GET"], "read", "Taxonomy is not available."),
    (["/v1/taxonomy/runs"], ["GET", "POST"], "admin", "Taxonomy is not available."),
    (["/v1/taxonomy/nodes/{node_id:str}"], ["PATCH", "DELETE"], "admin", "Taxonomy is not available."),
)  # fmt: skip


def _not_built(paths: list[str], methods: list[str], scope: Scope, detail: str) -> HTTPRouteHandler:
    @route(
        paths,
        http_method=methods,  # type: ignore[arg-type] # Litestar's literal of method names
        status_code=503,
        opt={"operation": Operation(scope=scope, tag="not built", answers={}, problems=(503,))},
    )
    async def not_built() -> None:
        # The official SDK repeats a 503 unless told otherwise, and this one will not go away.
        raise ServiceUnavailable(detail, headers={"x-should-retry": "false"})

    not_built.fn.__doc__ = detail
    return not_built


ROUTES = (
    health, ready, openapi_json, openapi_yaml, reference, problem_index, problem_page,
    *(_not_built(*line) for line in _NOT_BUILT),
)  # fmt: skip
