"""Hooks for Schemathesis: the rules of the API that no JSON schema can express, each with its reason.

Nothing else is let pass: valid data refused for another reason, or invalid data accepted elsewhere, is a failure.
"""

import re
from typing import Any

import msgspec
import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from hub.model import RecordFilter

# Valid data may be refused: (route, parameter, what the answer says).
REFUSED = [
    # Two parameters are compared; a schema sees one.
    (r"GET .*/feedback-records(/count)?", r"\w*since|\w+_min", r"must not be greater than \w+"),
    # Its content was made by the server; a schema sees its letters.
    (r"GET .*/feedback-records", "cursor", r"omit it for the first page, .*"),
    # The survey tool decides what its payloads are, and may change them any day.
    (r"(POST|PUT) /v1/sources/.*", "", r"Expected .*"),
    (r"POST /v1/sources/.*", r"\[\d+\]", r".*"),
]

SEVERAL = {field.name for field in msgspec.structs.fields(RecordFilter) if field.default == ()}


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether the failure is one."""
    if failure.code == "ST202":
        return not _refused_by_rule(str(failure.operation), response)
    if failure.code == "ST201":
        return not _in_effect_valid(case)
    return True


def _refused_by_rule(route: str, response: Response) -> bool:
    problem = response.json()
    faults = [(fault["name"], fault["reason"]) for fault in problem.get("invalid_params", [])]
    return all(
        any(
            re.fullmatch(rule, route) and re.fullmatch(parameter, name) and re.fullmatch(text, reason)
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
    empty = {name for name, value in values.items() if value in ("", [""])}
    return bool(empty) and all(
        name in empty or (name in SEVERAL and not isinstance(values[name], list)) for name in values
    )
