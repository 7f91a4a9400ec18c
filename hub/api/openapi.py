"""The OpenAPI document, made from the routes, the structs and the problems that the code uses; nothing is described twice.

Litestar's own generator is not used: it documents the lax conversion of parameters and the error bodies this API does not have.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, reduce
from http import HTTPStatus
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec import UNSET, Meta, Struct

from hub import __version__
from hub.api.auth import Scope
from hub.api.problems import KINDS, MEDIA_TYPE, Problem, ProblemDocument

Json = Mapping[str, object]
Failure: TypeAlias = Callable[[Problem], Struct]

_REF = "#/components/schemas/{name}"
# What is inside metadata (`hub.model.Metadata`): any JSON without NUL.
_JSON = {
    "anyOf": [
        {"type": ["number", "boolean", "null"]},
        {"type": "string", "pattern": "^[^\\u0000]*$"},
        {"type": "array", "items": {"$ref": _REF.format(name="Json")}},
        {
            "type": "object",
            "propertyNames": {"pattern": "^[^\\u0000]*$"},
            "additionalProperties": {"$ref": _REF.format(name="Json")},
        },
    ]
}
_TAGS = {
    "records": "Feedback records: one answered field each.",
    "changes": "What became of records, for copies that are kept of them.",
    "batches": "Many records at once, and what could not be stored of them.",
    "sources": "Payloads of survey tools, split into records.",
    "connections": "Survey tools that feed the hub by themselves.",
    "hooks": "Where survey tools deliver to. The address is a secret, and what is delivered is signed.",
    "inserts": "Where servers post responses as they would to the survey tool.",
    "submissions": "Submissions that came through sources, with their records.",
    "tenants": "Everything of a tenant, erased.",
    "analytics": "Metrics of records, by time and by group.",
    "operation": "Health, readiness and this description.",
    "not built": "Part of the Formbricks Hub's contract; answers 503 until it exists here.",
}


class AnyJson:
    """A body of a survey tool's own making: an object or a list."""


class Operation(Struct, frozen=True, kw_only=True):
    """What a route is, beside its handler: who may call it, what it takes and what it answers."""

    scope: Scope | None
    tag: str = "records"
    query: tuple[type[Struct], ...] = ()
    body: object = None
    body_description: str = ""
    answers: Mapping[int, object]
    """The type of the body by status; None for an empty one, a media type for what is no JSON."""
    problems: tuple[int, ...] = ()
    streams: tuple[str, ...] = ()
    """Media types in which the body may also come, line by line, as long as it takes."""
    body_optional: bool = False
    streams_out: tuple[str, ...] = ()
    """Media types in which the answer may also leave, line by line."""
    examples: Mapping[str, object] = {}
    failure: Failure | None = None
    """How a failure is told where a vendor's API is answered, whose clients know no problems."""


# Static files and the like: outside /v1, for everybody, not part of the API.
_LITESTARS_OWN = Operation(scope=None, tag="page", answers={})


def document(handlers: Iterable[tuple[str, str, HTTPRouteHandler]], server: str) -> Json:
    """The document for (path, method, handler) of every described route."""
    described = [(path, method, handler, operation(handler)) for path, method, handler in handlers]
    kinds: set[type] = {ProblemDocument}
    for *_, found in described:
        kinds |= {kind for kind in (*found.answers.values(), found.body) if isinstance(kind, type)}
    _, components = _schemas(*sorted(kinds, key=lambda kind: kind.__name__))
    paths: dict[str, dict[str, Json]] = {}
    for path, method, handler, found in described:
        clean = re.sub(r"{(\w+):\w+}", r"{\1}", path)
        paths.setdefault(clean, {})[method.lower()] = _described(clean, method, handler, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Feedback Hub",
            "version": __version__,
            "description": "Customer feedback in, one record per answered field. Compatible with the Formbricks Hub API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server, "description": "Current Hub instance"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Json": _JSON},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def routes(app: Litestar) -> Iterable[tuple[str, str, HTTPRouteHandler]]:
    """Path, method and handler of everything the app answers, but for the OPTIONS that Litestar adds."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    yield route.path, method, handler


def operation(handler: HTTPRouteHandler) -> Operation:
    """What a handler says of itself. A route that says nothing is a mistake found at start."""
    found = handler.opt.get("operation", _LITESTARS_OWN)
    assert isinstance(found, Operation)  # noqa: S101 - a mistake in the code, not in a request
    return found


def _described(path: str, method: str, handler: HTTPRouteHandler, found: Operation) -> Json:
    text = inspect.getdoc(handler.fn) or ""
    described: dict[str, object] = {
        # A handler of several routes cannot name them all.
        "operationId": re.sub(r"\W+", "_", f"{method}{path}".lower())
        if found.tag == "not built"
        else handler.fn.__name__,
        "summary": text.split("\n", 1)[0].rstrip("."),
        "description": text,
        "tags": [found.tag],
        "parameters": [*_path_parameters(path), *(p for kind in found.query for p in _query_parameters(kind))],
        "responses": dict(_responses(found)),
    }
    if found.scope is None:
        described["security"] = []
    if found.body is not None:
        content: dict[str, object] = {"schema": _schema(found.body)}
        if found.examples:
            content["examples"] = {name: {"value": value} for name, value in found.examples.items()}
        others: Json = {media_type: {"schema": {"type": "string"}} for media_type in found.streams}
        described["requestBody"] = {
            "required": not found.body_optional, "content": {"application/json": content, **others}, "description": found.body_description,
        }  # fmt: skip
    return described


def _schema(kind: object) -> Json:
    return _schemas(kind)[0][0]


def _schemas(*kinds: object) -> tuple[tuple[Json, ...], dict[str, Any]]:
    return msgspec.json.schema_components(
        [_describable(kind) for kind in kinds], ref_template=_REF, schema_hook=_any_json
    )


def _any_json(_: type) -> dict[str, Any]:
    return {"type": ["object", "array"]}


def _describable(kind: Any) -> Any:
    """The type with its structs replaced by twins of which every default can be printed: an empty Raw cannot."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _twin(kind)
    if get_origin(kind) is Literal:  # of texts, all of them; msgspec gives the values alone
        return Annotated[kind, Meta(extra_json_schema={"type": "string"})]
    arguments = tuple(_describable(argument) for argument in get_args(kind))
    if isinstance(kind, UnionType):
        return reduce(or_, arguments)
    return get_origin(kind)[arguments] if arguments else kind


@cache
def _twin(kind: type[Struct]) -> type[Struct]:
    required, optional = [], []
    for field in msgspec.structs.fields(kind):
        member = (field.encode_name, _describable(field.type))
        if field.required:
            required.append(member)
        else:
            optional.append((*member, field.default if isinstance(field.default, str | int | float) else UNSET))
    return msgspec.defstruct(
        kind.__name__, [*required, *optional], kw_only=True, namespace={"__doc__": inspect.getdoc(kind)},
        forbid_unknown_fields=kind.__struct_config__.forbid_unknown_fields,
    )  # fmt: skip


def _path_parameters(path: str) -> Iterable[Json]:
    for name in re.findall(r"{(\w+)}", path):
        schema: Json = {"type": "string", "minLength": 1}
        if name == "id":
            schema = {"type": "string", "format": "uuid"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(kind: type[Struct]) -> Iterable[Json]:
    components = _schemas(kind)[1]
    properties = components[kind.__name__]["properties"]
    for field in msgspec.structs.fields(kind):
        schema = dict(properties[field.encode_name])
        parameter: dict[str, object] = {"name": field.encode_name, "in": "query", "required": field.required}
        if field.name == "metadata":  # an object whose members are parameters of their own
            schema = {
                "type": "object",
                **{
                    key: schema[key]
                    for key in ("description", "propertyNames", "maxProperties", "additionalProperties")
                },
            }
            parameter |= {"style": "form", "explode": True}
        if "$ref" in str(schema):  # a cursor: a struct for the code, a text for everybody else
            schema = {"type": "string"}
        # "Absent" is the null of a query string.
        if "anyOf" in schema:
            (schema,) = (dict(option) for option in schema["anyOf"] if option != {"type": "null"})
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": True, "description": "Any of these, at most 100 different ones"}
        if description := schema.pop("description", None):
            parameter["description"] = description
        yield {**parameter, "schema": schema}


def _responses(found: Operation) -> Iterable[tuple[str, Json]]:
    request_id: Json = {
        "X-Request-ID": {"description": "The request's id, as sent or made here", "schema": {"type": "string"}}
    }
    for status, answer in found.answers.items():
        described: dict[str, object] = {"description": HTTPStatus(status).phrase, "headers": request_id}
        others: Json = {media_type: {"schema": {"type": "string"}} for media_type in found.streams_out}
        if isinstance(answer, str):
            text = answer.startswith("text/")
            described["content"] = {answer: {"schema": {"type": "string" if text else "object"}}, **others}
        elif answer is not None:
            described["content"] = {"application/json": {"schema": _schema(answer)}, **others}
        yield str(status), described
    problems = {*found.problems, *((401, 403) if found.scope else ()), 500, *((503,) if found.scope else ())}
    for status in sorted(problems - set(found.answers)):
        titles = sorted({kind.title() for kind in KINDS if kind.status == status})
        yield (
            str(status),
            {
                "description": " or ".join(titles),
                "headers": request_id,
                "content": {MEDIA_TYPE: {"schema": _schema(ProblemDocument)}},
            },
        )
