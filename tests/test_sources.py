"""What every source must hold. A new one adds its examples to `tests/sources/<source>/` and is covered."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from hub import sources
from hub.model import Draft, FieldType, NewRecord
from hub.sources import SOURCES
from hub.sources.answers import Metadata
from hub.sources.bodies import legible
from hub.sources.drafts import accept, fitting_id
from hub.sources.interface import Given, Options, Skipped, UnreadableError
from hub.sources.values import as_number

EXAMPLES = Path(__file__).parent / "sources"
EXPECTED = sorted(EXAMPLES.glob("*/*.expected.json"))

WIDE = "\U00010000" * 255
DRAFT = Draft(source_type="survey", field_id="q", field_type="text", value_text="fine")


def draft(**changes: object) -> Draft:
    return msgspec.structs.replace(DRAFT, **changes)


def accepted(**changes: object) -> NewRecord:
    record = accept(draft(**changes), "acme", "s1")
    assert isinstance(record, NewRecord)
    return record


def skipped(changes: dict[str, object], tenant_id: str = "acme", submission_id: str = "s1") -> Skipped:
    skip = accept(draft(**changes), tenant_id, submission_id)
    assert isinstance(skip, Skipped)
    return skip


def repaired(record: NewRecord) -> list[str]:
    names: list[str] = json.loads(bytes(record.metadata) or b"{}").get("repaired", [])
    return names


def test_sources_are_the_modules_of_the_folder() -> None:
    """A source is found by its file alone, and its name is the name in the URL."""
    assert "formbricks" in SOURCES
    assert all(source.ABOUT.source_type and source.ABOUT.question_types for source in SOURCES.values())


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_shown(name: str) -> None:
    """By examples with what they become, by a history of one submission, and by a page."""
    assert any(path.parent.name == name for path in EXPECTED)
    assert (EXAMPLES / name / "history.json").exists()
    assert (EXAMPLES.parent.parent / "docs" / "sources" / f"{name}.md").exists()


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_payload_becomes_its_records(path: Path) -> None:
    """JSON in, JSON out: an example payload becomes exactly the submissions, records and skips written beside it."""
    case = json.loads(path.read_text())
    source = SOURCES[path.parent.name]
    definition = case["form"] and legible((path.parent / case["form"]).read_bytes())
    form = source.form(definition) if definition else None

    submissions = []
    for item in source.unpack(legible((path.parent / case["payload"]).read_bytes())):
        snapshot = source.snapshot(item, Given(form_id=case.get("form_id")))
        records, skips = sources.flatten(source, snapshot, form, Options(attributes=tuple(case["attributes"])), "acme")
        # The payload is in its own file; how old the form is does not stay.
        others = {"payload", "form_updated_at", "asked"}
        columns = {name: getattr(snapshot, name) for name in snapshot.__struct_fields__ if name not in others}
        submissions.append({"snapshot": columns, "records": records, "skipped": skips})

    assert case["submissions"] == json.loads(msgspec.json.encode(submissions))


def documented(name: str) -> dict[str, set[str]]:
    """The field types that a source's page says a question becomes, by the type of the question."""
    page = (
        (EXAMPLES.parent.parent / "docs" / "sources" / f"{name}.md").read_text().split("\n## What is not taken", 1)[0]
    )
    table: dict[str, set[str]] = {}
    types: set[str] = set()
    for question, record in re.findall(r"^\| `([\w-]+)` \| ([^|]*) \|", page, re.MULTILINE):
        if "as above" not in record:
            types = set(re.findall(r"\w+", record)) & set(get_args(FieldType))
        table[question] = types
    return table


@pytest.mark.parametrize("name", SOURCES)
def test_examples_become_what_the_page_says(name: str) -> None:
    """The mapping table names the field types that come out, whatever is wanted, for each type of question."""
    table = documented(name)
    everything = Options(personal_data=True, consent=True)
    for path in EXPECTED:
        case, source = json.loads(path.read_text()), SOURCES[path.parent.name]
        if path.parent.name != name or case["form"] is None:
            continue
        form = source.form(legible((path.parent / case["form"]).read_bytes()))
        for item in source.unpack(legible((path.parent / case["payload"]).read_bytes())):
            snapshot = source.snapshot(item, Given(form_id=case.get("form_id")))
            for record in sources.flatten(source, snapshot, form, everything, "acme")[0]:
                said = json.loads(bytes(record.metadata))
                question = said.get("metric", said.get("question_type"))
                # Whatever question it stands under, what is personal is no text; what is known by its name alone has no type.
                allowed = {"categorical"} if said.get("pii") else table.get(question)
                assert question is None or said.get("definition_missing") or record.field_type in (allowed or ()), (
                    path.name,
                    record.field_id,
                )


def test_fine_draft_is_only_given_its_keys() -> None:
    """A draft within all limits becomes a record without a trace of repair."""
    record = accepted()

    assert (record.tenant_id, record.submission_id, record.value_text) == ("acme", "s1", "fine")
    assert repaired(record) == []


@pytest.mark.parametrize("column", ["field_id", "field_group_id", "source_id", "value_id", "user_id"])
def test_long_ids_keep_a_prefix_and_stay_different(column: str) -> None:
    """An id beyond 255 characters is shortened with a hash, so that two of them do not become one."""
    one, two = (getattr(accepted(**{column: "x" * 300 + end}), column) for end in "ab")

    assert one != two
    assert len(one) == len(two) == 255
    assert one.startswith("x" * 200)
    assert repaired(accepted(**{column: "x" * 300})) == [column]


@pytest.mark.parametrize(("column", "limit"), [("value_text", 30000), ("field_label", 2048), ("source_name", 255)])
def test_long_texts_are_cut_by_code_points(column: str, limit: int) -> None:
    """A text is cut where our limit is, counted as the contract counts."""
    record = accepted(**{column: "😀" * (limit + 1)})

    assert "😀" * limit == getattr(record, column)
    assert repaired(record) == [column]


@pytest.mark.parametrize(
    ("language", "kept"),
    [
        ("ca-ES-valencia", "ca-ES"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("x" * 11, None),
        ("a-" * 1_000_000, "a-a-a-a-a"),
        ("de", "de"),
    ],
)
def test_language_is_shortened_to_a_subtag_that_fits(language: str, kept: str | None) -> None:
    """A language loses subtags from its end until it fits, or is left out; one of a million of them in no time."""
    assert kept == accepted(language=language).language


def test_what_postgres_refuses_is_replaced_and_noted() -> None:
    """NUL and lone surrogates become U+FFFD; metadata that was there stays."""
    record = accepted(value_text="a\x00b\ud800", metadata=Metadata(finished=True).raw())

    assert record.value_text == "a\ufffdb\ufffd"
    assert json.loads(bytes(record.metadata)) == {"finished": True, "repaired": ["value_text"]}


def test_keys_that_the_index_cannot_hold_are_too_long() -> None:
    """Three keys within 255 characters each can still be too many bytes."""
    skip = skipped({"field_id": WIDE}, tenant_id=WIDE, submission_id=WIDE)

    assert skip.reason == "too_long"


@pytest.mark.parametrize(
    "changes",
    [
        {"value_date": datetime(1969, 12, 31, tzinfo=UTC)},
        {"value_date": datetime(2081, 1, 1, tzinfo=UTC)},
        {"collected_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"value_number": 1.1e15},
        {"value_number": float("inf")},
        {"value_number": float("nan")},
    ],
)
def test_values_outside_the_contract_are_out_of_range(changes: dict[str, object]) -> None:
    """A date or number that a client could not send is not stored for a vendor either."""
    assert skipped(changes).reason == "out_of_range"


def test_field_without_id_is_unparseable() -> None:
    """An answer under an empty key cannot be addressed."""
    assert skipped({"field_id": ""}).reason == "unparseable"


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (rb'{"a": "\ud800x", "b\u0000": ["\u0000"]}', {"a": "\ufffdx", "b\ufffd": ["\ufffd"]}),
        (rb'"\ud83d\ude00"', "😀"),
        (b'{"n": 1e400, "m": 1e15}', {"n": "1e400", "m": 1e15}),
        (b"9" * 5000, "9" * 5000),
        (b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100)),
    ],
)
def test_odd_json_is_made_legible(body: bytes, read: object) -> None:
    """Escapes and numbers that msgspec or Postgres refuse do not cost the payload."""
    assert read == msgspec.json.decode(legible(body))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"[1] 2", b'"\xff"', b"[" * 100_000, b"[" * 200 + b"]" * 200, rb'"\ud800', b"\x00"]
)
def test_what_is_no_json_is_one_error(body: bytes) -> None:
    """A body that cannot be read is told apart from every other failure."""
    with pytest.raises(UnreadableError):
        legible(body)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body makes the reader fail in another way."""
    try:
        document = legible(body)
    except UnreadableError:
        return
    assert b"\\u0000" not in bytes(document)


@given(st.text(max_size=600))
def test_fitting_ids_fit(text: str) -> None:
    """Any text makes an id that fits, and one that fits is left alone."""
    once = fitting_id(text)

    assert len(once) <= 255
    assert once == fitting_id(once)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("25", 25.0), (" -4.5 ", -4.5), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), (7, 7.0), (10**400, float("inf")),
        ("nan", None), ("inf", None), ("1_000", None), ("2,5", None), ("0x1", None), ("٣", None), (True, None), ([1], None),
        ("1" * 1_000_000 + "x", None),
    ],
)  # fmt: skip
def test_numbers_are_read_from_what_spells_one(value: object, number: float | None) -> None:
    """As JSON or JavaScript would write it, nothing that only Python takes; and a long text in no time."""
    assert as_number(value) == number


class _Colliding:
    """A source whose answers all claim the same field."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts

    ABOUT = SOURCES["formbricks"].ABOUT
    unpack, snapshot, merge, form = (
        staticmethod(getattr(SOURCES["formbricks"], name)) for name in ("unpack", "snapshot", "merge", "form")
    )

    def flatten(self, payload: Raw, form: object, options: Options) -> Iterator[Draft | Skipped]:
        for text in self._texts:
            yield draft(value_text=text)


def test_field_ids_are_unique_within_a_submission() -> None:
    """Fields that claim one id get a suffix in the order they come: nothing overwrites anything."""
    snapshot = SOURCES["formbricks"].snapshot(Raw(b'{"id": "r", "surveyId": "s"}'), Given())

    records, _ = sources.flatten(_Colliding("one", "two", "three"), snapshot, None, Options(), "acme")

    assert {record.field_id: record.value_text for record in records} == {"q": "one", "q__2": "two", "q__3": "three"}


def test_many_answers_to_one_field_are_told_apart_in_no_time() -> None:
    """A payload may hold 16 MiB of them, and others wait meanwhile: each is not compared with all before it."""
    snapshot = SOURCES["formbricks"].snapshot(Raw(b'{"id": "r", "surveyId": "s"}'), Given())

    records, skipped = sources.flatten(_Colliding(*["again"] * 20_000), snapshot, None, Options(), "acme")

    assert (len(records), skipped, records[-1].field_id) == (20_000, [], "q__20000")
