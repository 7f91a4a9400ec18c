"""CSV rows as the JSON objects they stand for."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.problems import BadRequest, ValidationFailed
from hub.api.tables import Columns
from hub.model import TenantRecord

HEADER = b"tenant_id,submission_id,source_type,field_id,field_type"
GIVEN = b"acme,s1,survey,q1,text"


def read(extra_header: bytes, extra_row: bytes) -> dict[str, object]:
    """What the columns beyond the required ones become."""
    found = json.loads(Columns(HEADER + b"," + extra_header).json(GIVEN + b"," + extra_row))
    return {name: value for name, value in found.items() if name.encode() not in HEADER.split(b",")}


@pytest.mark.parametrize(
    ("header", "cell", "expected"),
    [
        (b"value_number", b"9.50", 9.5),
        (b"value_number", b"-1e3", -1000.0),
        (b"value_number", b"09", "09"),
        (b"value_number", b"9,5", None),
        (b"value_number", b"NaN", "NaN"),
        (b"value_number", b" 9", " 9"),
        (b"value_boolean", b"True", True),
        (b"value_boolean", b"FALSE", False),
        (b"value_boolean", b"yes", "yes"),
        (b"value_boolean", b"1", "1"),
        (b"value_text", b" 9 ", " 9 "),
        (b"value_text", b'"say ""hi"", ok"', 'say "hi", ok'),
        (b"value_text", '"ä\r\nb"'.encode(), "ä\r\nb"),
        (b"value_date", b"2026-01-01", "2026-01-01"),
        (b"metadata", b'"{""a"": [1, null]}"', {"a": [1, None]}),
        (b"metadata", b"{broken", "{broken"),
        (b"metadata", b"[1]", "[1]"),
        (b"metadata.a.b", b"1", {"a.b": "1"}),
    ],
)
def test_a_cell_becomes_what_its_column_takes(header: bytes, cell: bytes, expected: object) -> None:
    """A number, a boolean or an object where it is spelled as one; else its text, for the rules of records to refuse."""
    if expected is None:
        with pytest.raises(BadRequest, match="expected 6 cells, got 7"):
            read(header, cell)
    else:
        assert read(header, cell) == {header.decode().partition(".")[0]: expected}


def test_an_empty_cell_is_an_absent_member() -> None:
    """Quoted or not."""
    assert read(b"value_text,value_number,metadata,metadata.a", b',"",,') == {}


def test_metadata_are_merged() -> None:
    """The single column wins; numbers keep their spelling."""
    assert read(b"metadata,metadata.a,metadata.b", b'"{""a"": 1, ""c"": 2}",x,') == {"metadata": {"a": "x", "c": 2}}
    row = GIVEN + b',"{""n"": 1.50, ""n"": 1e2}"'
    assert b'{"n": 1.50, "n": 1e2}' in Columns(HEADER + b",metadata").json(row)


@pytest.mark.parametrize("row", [b"a,b", b"", GIVEN + b",x", b'"acme,s1,survey,q1,text', GIVEN[:-1] + b'"\xff"'])
def test_what_is_no_row_is_refused(row: bytes) -> None:
    with pytest.raises(BadRequest, match="Invalid CSV"):
        Columns(HEADER).json(row)


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        (HEADER.replace(b"tenant_id,", b""), {"tenant_id": "is required"}),
        (HEADER + b",Value_text", {"Value_text": "is not a recognized request field"}),
        (HEADER + b",id,x", dict.fromkeys(("id", "x"), "is not a recognized request field")),
        (HEADER + b",field_id", {"field_id": "appears more than once; each member may appear only once"}),
    ],
)
def test_a_wrong_header_is_named(header: bytes, faults: dict[str, str]) -> None:
    with pytest.raises(ValidationFailed) as caught:
        Columns(header)
    assert {fault.name: fault.reason for fault in caught.value.invalid_params} == faults


def test_a_key_of_one_tenant_needs_no_tenant_column() -> None:
    assert Columns(HEADER.replace(b"tenant_id,", b""), TenantRecord).names[0] == "submission_id"


def test_a_header_may_have_a_mark_blanks_and_quotes() -> None:
    first, *others = HEADER.split(b",")
    names = Columns(b"\xef\xbb\xbf" + b'"' + first + b'",' + b" , ".join(others)).names
    assert names == HEADER.decode().split(",")


@given(st.binary(max_size=200))
def test_no_row_is_a_surprise(row: bytes) -> None:
    """Whatever the bytes: an object, or a problem that says so."""
    columns = Columns(HEADER + b",value_number,metadata,metadata.a")
    with suppress(BadRequest):
        assert isinstance(json.loads(columns.json(row)), dict)
