"""What the tests of every source do with example payloads: flatten them, and replace parts of them by anything."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from hub import sources
from hub.model import NewRecord
from hub.sources.bodies import legible
from hub.sources.interface import (
    Form,
    FormNeededError,
    Given,
    NotOfSourceError,
    Options,
    Skipped,
    Snapshot,
    Source,
    UnreadableError,
)

Records = dict[str, NewRecord]
Skips = dict[str, str]

ANYTHING = ["", "q", "5", "2026-01-02", "clicked", "skipped"]


def raw(value: object) -> Raw:
    return legible(json.dumps(value).encode())


def metadata(record: NewRecord) -> dict[str, object]:
    members: dict[str, object] = json.loads(bytes(record.metadata))
    return members


def flattened(
    source: Source[Any], payload: Raw, form: Form | None, options: Options, form_id: str | None = None
) -> tuple[Records, Skips]:
    """Records and reasons of skips, by field."""
    snapshot = source.snapshot(payload, Given(form_id=form_id))
    records, skipped = sources.flatten(source, snapshot, form, options, "acme")
    return {record.field_id: record for record in records}, {skip.field_id: skip.reason for skip in skipped}


def attempt(
    source: Source[Any], document: object, form: Form | None, options: Options, form_id: str | None = None
) -> tuple[Snapshot, list[NewRecord], list[Skipped]] | None:
    """The first submission in a document, unless there is none, or it is refused in one of the ways there are."""
    try:
        items = source.unpack(legible(msgspec.json.encode(document)))
        if not items:
            return None
        item, *_ = items
        snapshot = source.snapshot(item, Given(form_id=form_id))
    except (NotOfSourceError, UnreadableError, FormNeededError):
        return None
    return snapshot, *sources.flatten(source, snapshot, form, options, "acme")


def json_values(words: list[str], names: list[str]) -> st.SearchStrategy[object]:
    """Any JSON, often with words and names of members that mean something."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20)
        | st.sampled_from([*words, *ANYTHING]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=10) | st.sampled_from([*names, "id", "label", "q"]), inner, max_size=4)
        ),
        max_leaves=8,
    )


@st.composite
def mutated(draw: st.DrawFn, original: object, values: st.SearchStrategy[object]) -> object:
    """The original with one to three of its values replaced by anything."""
    document = deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(paths(document)[1:]))
        place: object = document
        for key in parents:
            place = place[key]  # type: ignore[index]
        place[last] = draw(values)  # type: ignore[index]
    return document


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in paths(item, (*path, key)))]


def shuffled(value: object) -> object:
    """The same JSON with members in another order, as jsonb gives it back."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in sorted(value, key=lambda key: (len(key), key), reverse=True)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


Attempt = Callable[[object, Any], tuple[Snapshot, list[NewRecord], list[Skipped]] | None]


def check_flattening(attempt: Attempt, document: object, form: Form | None) -> None:
    """No exception, no field twice, and the same again from the kept payload."""
    result = attempt(document, form)
    if result is None:
        return
    kept, records, skips = result
    again = attempt(shuffled(msgspec.json.decode(kept.payload)), form)

    assert len(records) == len({record.field_id for record in records})
    assert again is not None
    assert (records, skips) == again[1:]


def check_definition(source: Source[Any], attempt: Attempt, definition: object, document: object) -> None:
    """It is refused as a definition, or flattens the document."""
    try:
        form = source.form(legible(msgspec.json.encode(definition)))
    except NotOfSourceError:
        return
    result = attempt(document, form)

    assert result is not None
    assert len(result[1]) == len({record.field_id for record in result[1]})


def check_merging(source: Source[Any], attempt: Attempt, one: object, two: object) -> None:
    """The merged payload is a payload like any other, and merging the same again gives the same."""
    first, second = attempt(one, None), attempt(two, None)
    if first is None or second is None:
        return
    merged = source.merge(first[0].payload, second[0].payload)

    assert merged == source.merge(merged, second[0].payload)
    assert source.snapshot(merged, Given(form_id=second[0].form_id)).order == second[0].order
