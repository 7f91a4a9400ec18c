"""Hooks for Schemathesis: the rules of the API that no JSON schema can express, each with its reason.

Nothing else is let pass: valid data refused for another reason, or invalid data accepted elsewhere, is a failure.
"""

import re
from typing import Any

import msgspec
import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from hub.model import RecordFilter, SubmissionFilter

# Valid data may be refused: (route, parameter, what the answer says).
REFUSED = [
    # Two parameters are compared; a schema sees one.
    (
        r"GET .*/(feedback-records(/count|/export|/search)?|rejects|submissions|analytics/\w+)",
        r"\w*since|\w+_min",
        r"must not be greater than \w+",
    ),
    # What a period is compared with, how many buckets it has, which time zones there are, which records a metric is about.
    (r"GET /v1/analytics/.*", "compare", r"needs since: .*|there is no period .*"),
    (r"GET /v1/analytics/.*", "since", r"must not be in the future: .*"),
    (r"GET /v1/analytics/.*", "interval", r"makes more than .*"),
    (r"GET /v1/analytics/.*", "tz", r"must be a time zone .*"),
    (r"GET /v1/analytics/.*", "field_type", r"must be \w+ for this metric, .*"),
    (r"GET /v1/analytics/\w+", "field_id", r"selects answers on several scales, .*"),
    (r"GET /v1/analytics/ranking", "field_group_id", r"is required, one of them .*"),
    # `strict=true` holds a value to the type beside it.
    (
        r"POST .*/(batch|retry)",
        r"value_\w+",
        r"does not fit field_type \w+|is required for field_type \w+|must be between 0 and 10",
    ),
    # A parameter and what each record says are compared.
    (r"POST .*/batch", "", r"(atomic=true|first_line) needs a .*"),
    (r"POST .*/batch", "tenant_id", r"must be .* or absent, as the parameter tenant_id says"),
    # Its content was made by the server; a schema sees its letters.
    (r"GET .*/(feedback-records(/search)?|rejects|submissions|changes)", "cursor", r"omit it for the first page, .*"),
    # Each source has its own, some of them with a shape; one is unique.
    (r"(POST|PATCH) /v1/connections.*", r"credentials.*", r".*"),
    # A schema knows an URL by its looks, and a scale by its types.
    (r"(POST|PATCH) /v1/connections.*", r"base_url", r"must be an http or https URL .*"),
    (r"(POST|PATCH) /v1/connections.*", r"options.questions.*", r"min must be less than max"),
    # To a schema 4.0 is an integer.
    (r"(POST|PATCH) /v1/connections.*", r"pull_minutes|options.questions.*", r"Expected `int( \| null)?`, got `float`"),
    # What is revoked stays so.
    (r"(PATCH|POST) /v1/connections/.*", "status", "is revoked, .*"),
    # The survey tool decides what its payloads are, and may change them any day.
    (r"(POST|PUT) /v1/sources/.*", "", r"Expected .*"),
    (r"POST /v1/sources/.*", r"\[\d+\]", r".*"),
    (
        r"POST /v1/sources/.*",
        "form_id",
        r"is required, for (the payload does not name its form|a table does not name its mapping)|has no mapping yet.*",
    ),
]

LINES = {"application/x-ndjson", "text/csv"}
SEVERAL = {
    field.name
    for kind in (RecordFilter, SubmissionFilter)
    for field in msgspec.structs.fields(kind)
    if field.default == ()
}


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether the failure is one."""
    if failure.code == "ST202":
        # What a line of NDJSON or a row of CSV may be, no schema of the text can say.
        return case.media_type not in LINES and not _refused_by_rule(str(failure.operation), response)
    if failure.code == "ST201":
        return not _in_effect_valid(case)
    return True


def _refused_by_rule(route: str, response: Response) -> bool:
    answer = response.json()
    problems = (
        [result["error"] for result in answer["results"] if "error" in result] if "results" in answer else [answer]
    )
    return all(_is_rule(route, problem) for problem in problems)


def _is_rule(route: str, problem: dict[str, Any]) -> bool:
    faults = [(fault["name"], fault["reason"]) for fault in problem.get("invalid_params", [])]
    return all(
        any(
            re.fullmatch(rule, route) and re.fullmatch(parameter, name, re.DOTALL) and re.fullmatch(text, reason)
            for rule, parameter, text in REFUSED
        )
        for name, reason in faults or [("", problem["detail"])]
    )


def _in_effect_valid(case: Case[Any]) -> bool:
    """An empty parameter is one that was not given, as with the Formbricks Hub: `since=` is accepted, though it is no date.

    And what is wrong in JSON may be right in a query string: a single value is a list of one.
    """
    assert case.meta is not None
    data = case.meta.phase.data
    changed = {mutation.parameter for mutation in data.mutations} or {data.parameter}
    values = {name: case.query.get(name) for name in changed if name is not None}
    empty = {
        name for name, value in values.items() if value in ("", [""], {}, [])
    }  # an empty object is sent as nothing, too
    return bool(empty) and all(
        name in empty or (name in SEVERAL and not isinstance(values[name], list)) for name in values
    )
