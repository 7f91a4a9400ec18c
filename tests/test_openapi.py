"""The published description is true: of every route, and for whoever believes it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
import yaml

from hub.api import openapi
from hub.api.edge import Edge
from hub.api.meta import described
from hub.api.problems import KINDS
from hub.app import create_app
from hub.settings import Settings
from tests.conftest import API_KEY
from tests.process import ROOT, serving

PAGES = {
    "GET /",
    "GET /records",
    "GET /export",
    "GET /sign-in",
    "POST /sign-in",
    "POST /sign-out",
    "GET /docs",
    "GET /problems",
    "GET /problems/{slug}",
    "GET /assets/{file_path}",
    "HEAD /assets/{file_path}",
}

# They answer 503 and nothing else, so there is nothing to try.
NOT_BUILT = {
    "DELETE /v1/taxonomy/nodes/{node_id}",
    "DELETE /v1/webhooks/{id}",
    "GET /v1/enrichment-status",
    "GET /v1/feedback-records/{id}/similar",
    "GET /v1/taxonomy/fields",
    "GET /v1/taxonomy/nodes/{node_id}/records",
    "GET /v1/taxonomy/runs",
    "GET /v1/taxonomy/runs/active/tree",
    "GET /v1/taxonomy/runs/{run_id}",
    "GET /v1/taxonomy/runs/{run_id}/record-counts",
    "GET /v1/taxonomy/runs/{run_id}/tree",
    "GET /v1/tenants/{tenant_id}/settings",
    "GET /v1/webhooks",
    "GET /v1/webhooks/{id}",
    "PATCH /v1/taxonomy/nodes/{node_id}",
    "PATCH /v1/tenants/{tenant_id}/settings",
    "PATCH /v1/webhooks/{id}",
    "POST /v1/feedback-records/search/semantic",
    "POST /v1/taxonomy/runs",
    "POST /v1/tenants/{tenant_id}/enrichments/retry",
    "POST /v1/webhooks",
    "PUT /v1/tenants/{tenant_id}/settings",
}

SECONDS = 30


@pytest.fixture
def app(tmp_path: Path) -> Edge:
    """Without a database: the document asks for none."""
    return create_app(Settings(api_key=API_KEY, data_dir=tmp_path, public_base_url="https://hub.example.com/feedback"))


@pytest.fixture
def document(app: Edge) -> Any:
    return json.loads(msgspec.json.encode(described(app.litestar)))


async def get(app: Edge, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # httpx writes the types of ASGI its own way
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        return await client.get(path)


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_is_described(app: Edge, document: Any) -> None:
    """All but the pages that people look at."""
    routes = {f"{method} {re.sub(':[a-z]+}', '}', path)}" for path, method, _ in openapi.routes(app.litestar)}
    assert {name for name, _ in operations(document)} == routes - PAGES
    assert routes >= PAGES


def test_what_is_not_built_says_so(document: Any) -> None:
    assert {name for name, operation in operations(document) if "not built" in operation["tags"]} == NOT_BUILT


def test_every_failure_is_a_problem(document: Any) -> None:
    """Each operation names its failures, all of one shape, and behind a key always the same five."""
    known = {str(kind.status) for kind in KINDS}
    for name, operation in operations(document):
        failures = {status for status in operation["responses"] if int(status) >= 400}
        assert failures <= known, name
        assert failures >= ({"500"} if operation.get("security") == [] else {"401", "403", "500", "503"}), name
        # A batch of which nothing could be stored is answered like any other, item by item.
        for status in failures - ({"422"} if name == "POST /v1/feedback-records/batch" else set()):
            # Where servers post as they would to a survey tool, they are answered as by that.
            shape = "application/json" if operation["tags"] == ["inserts"] else "application/problem+json"
            assert list(operation["responses"][status]["content"]) == [shape], name


def test_every_answer_names_the_request(document: Any) -> None:
    for name, operation in operations(document):
        for answer in operation["responses"].values():
            assert "X-Request-ID" in answer["headers"], name


def test_operation_ids_are_unique(document: Any) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_examples_are_valid(document: Any) -> None:
    seen = 0
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = {**content["schema"], "components": document["components"]}
            validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
            for example in content.get("examples", {}).values():
                seen += 1
                assert validator.is_valid(example["value"]), name
    assert seen >= 2


def test_examples_are_refused_when_wrong(document: Any) -> None:
    """The test above can fail."""
    schema = {"$ref": "#/components/schemas/NewRecord", "components": document["components"]}
    assert not jsonschema_rs.is_valid(schema, {"source_type": "survey"})


async def test_json_and_yaml_agree(app: Edge, document: Any) -> None:
    assert (await get(app, "/openapi.json")).json() == document
    assert yaml.safe_load((await get(app, "/openapi.yaml")).text) == document


@pytest.mark.parametrize("kind", ["json", "yaml"])
async def test_the_document_is_for_everybody_and_never_stale(app: Edge, kind: str) -> None:
    """No key is needed; members are sorted, so that two versions can be compared."""
    answer = await get(app, f"/openapi.{kind}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"application/{kind}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    members = list(yaml.safe_load(answer.text))
    assert members == sorted(members)


def test_the_one_server_is_named_as_clients_reach_it(document: Any, tmp_path: Path) -> None:
    """By PUBLIC_BASE_URL, else by where it listens."""
    assert document["servers"] == [{"url": "https://hub.example.com/feedback", "description": "Current Hub instance"}]
    assert described(create_app(Settings(data_dir=tmp_path, port=8090)).litestar)["servers"] == [
        {"url": "http://127.0.0.1:8090", "description": "Current Hub instance"}
    ]


@pytest.mark.process
async def test_the_running_hub_is_as_described(dsn: str, tmp_path: Path) -> None:
    """Schemathesis believes the document and tries it: data that fits is taken, data that does not is refused, answers fit.

    What no schema can express is in `tests/published_rules.py`.
    """
    with serving(tmp_path / "data", DATABASE_URL=dsn, API_KEY=API_KEY, LOG_LEVEL="error") as served:
        run = tried(served.url, tmp_path)
        document = served.get("/openapi.json").json()
    assert run.returncode == 0, run.stdout + run.stderr
    count = re.search(r"Tested: (\d+)", run.stdout)
    assert count, run.stdout
    # It does not try the address it has the document from.
    assert int(count[1]) == len(list(operations(document))) - len(NOT_BUILT) - 1


def tried(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """All checks. The seed is fixed: a red build is about a change, not about luck."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--no-color"),
            *("--header", f"Authorization: Bearer {API_KEY}", "--checks", "all", "--continue-on-failure"),
            *("--max-time", str(SECONDS), "--seed", "1", "--generation-database", "none"),
            *(part for name in sorted(NOT_BUILT) for part in ("--exclude-name", name)),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.published_rules"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
        check=False,
    )
