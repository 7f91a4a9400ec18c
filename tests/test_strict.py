"""What a body may be and what it may not: every rule of the contract, at the one place that reads bodies."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Struct

from hub.api.faults import faults
from hub.api.problems import BadRequest, InvalidParam, Problem, UnsupportedMediaType, ValidationFailed
from hub.api.strict import check_media_type, decode, record_id
from hub.model import NO_METADATA, NewRecord, RecordPatch, TenantRecord
from tests.conftest import make_record

T = TypeVar("T", bound=Struct)

FIELD_TYPES = "text, categorical, nps, csat, ces, rating, number, boolean, date"
SURROGATE = "must be valid UTF-8, with no unpaired UTF-16 surrogates or U+FFFD characters"
DATE = "must be in RFC3339 (ISO 8601) format"
DATE_RANGE = "must be between 1970-01-01T00:00:00Z and 2080-12-31T23:59:59.999999Z"
REPEATED = "appears more than once; each member may appear only once"
UNKNOWN = "is not a recognized request field"
KEY_BYTES = "tenant_id, submission_id and field_id must be at most 2600 bytes of UTF-8 together"

REQUIRED = ("source_type", "field_id", "tenant_id", "submission_id")
LIMITS = {
    "source_type": 255,
    "source_id": 255,
    "source_name": 255,
    "field_id": 255,
    "field_label": 2048,
    "field_group_id": 255,
    "field_group_label": 2048,
    "value_text": 30000,
    "value_id": 255,
    "language": 10,
    "user_id": 255,
    "tenant_id": 255,
    "submission_id": 255,
}
DATES = ("collected_at", "value_date")
MEMBERS = (
    "collected_at", "source_type", "source_id", "source_name", "field_id", "field_label", "field_type", "field_group_id",
    "field_group_label", "value_text", "value_id", "value_number", "value_boolean", "value_date", "metadata", "language",
    "user_id", "tenant_id", "submission_id",
)  # fmt: skip


def body(*more: str, **members: str | None) -> bytes:
    """A good body in which these members have these JSON texts (None: left out), and then `more`, as it is."""
    texts = {name: json.dumps(value) for name, value in make_record(value_text=...).items()} | members
    pairs = [f'"{name}":{text}' for name, text in texts.items() if text is not None]
    return ("{" + ",".join([*pairs, *more]) + "}").encode(errors="surrogatepass")


def found(data: bytes, kind: type[Struct] = NewRecord) -> list[tuple[str, str]]:
    """The faults that a refused body is told."""
    with pytest.raises(ValidationFailed) as refused:
        decode(data, kind)
    return [(fault.name, fault.reason) for fault in refused.value.invalid_params]


def refusal(data: bytes, kind: type[Struct] = NewRecord) -> str:
    """The detail of a body that is no JSON object."""
    with pytest.raises(BadRequest) as refused:
        decode(data, kind)
    assert refused.value.invalid_params == []
    return refused.value.detail


# One member at a time.


def test_required_members_are_all_named_in_their_order() -> None:
    """An empty object is told everything it lacks, in the order of the published document."""
    names = ["source_type", "field_id", "field_type", "tenant_id", "submission_id"]

    assert found(b"{}") == [(name, "is required") for name in names]


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("text", ["null", '""'])
def test_empty_required_member_is_missing(name: str, text: str) -> None:
    """Null and the empty text are no answer to a required member."""
    assert found(body(**{name: text})) == [(name, "is required")]


@pytest.mark.parametrize("name", [n for n in REQUIRED if n != "tenant_id"])
def test_blank_required_text_is_kept_as_it_is(name: str) -> None:
    """Blanks are text for every required member but the tenant."""
    assert getattr(decode(body(**{name: '" \\t"'}), NewRecord), name) == " \t"


@pytest.mark.parametrize("blank", [" ", "\\t\\n", "\u00a0", "\u2003\u3000"])
def test_blank_tenant_is_refused(blank: str) -> None:
    """A tenant of nothing but Unicode spaces is none."""
    assert found(body(tenant_id=f'"{blank}"')) == [("tenant_id", "tenant_id is required and cannot be empty")]


@pytest.mark.parametrize("padded", [" acme ", "\\tacme\\n", "\u00a0acme\u3000"])
def test_tenant_is_trimmed(padded: str) -> None:
    """Unicode spaces around the tenant do not belong to it."""
    assert decode(body(tenant_id=f'"{padded}"'), NewRecord).tenant_id == "acme"


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_length_is_counted_in_code_points(name: str, limit: int) -> None:
    """A text of as many code points as allowed passes whatever it weighs in bytes or UTF-16; one more does not."""
    longest = "😀" * limit

    assert getattr(decode(body(**{name: f'"{longest}"'}), NewRecord), name) == longest
    assert found(body(**{name: f'"{longest}!"'})) == [(name, f"must be at most {limit}")]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5", "must be string"),
        ("1.5", "must be string"),
        ("true", "must be string"),
        ("[]", "must be string"),
        ('["a"]', "must be string"),
        ("{}", "must be string"),
        ('"a\\u0000b"', "must not contain NULL bytes"),
        ('"\\ud800"', SURROGATE),
        ('"a\\udfffb"', SURROGATE),
        ('"\\ude00\\ud83d"', SURROGATE),
        ('"\ud800"', SURROGATE),
    ],
)
def test_text_member_takes_storable_text_only(name: str, text: str, reason: str) -> None:
    """Another type, NUL or half of a surrogate pair is refused under the member's name."""
    assert found(body(**{name: text})) == [(name, reason)]


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_nul_is_told_before_length(name: str, limit: int) -> None:
    """Of a text with two faults the NUL is the one that is told."""
    assert found(body(**{name: f'"{"x" * limit}\\u0000"'})) == [(name, "must not contain NULL bytes")]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("bad", [b"\xff", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_no_utf8_are_refused_by_name(name: str, bad: bytes) -> None:
    """Invalid UTF-8 is refused, and the member it stands in is named."""
    data = body(**{name: '"@"'}).replace(b"@", bad)

    assert found(data) == [(name, SURROGATE)]


@pytest.mark.parametrize("name", [n for n in MEMBERS if n not in (*REQUIRED, "field_type")])
def test_null_is_absent(name: str) -> None:
    """On a new record null says as much as leaving the member out."""
    assert decode(body(**{name: "null"}), NewRecord) == decode(body(), NewRecord)


@pytest.mark.parametrize("name", [n for n in LIMITS if n not in REQUIRED])
def test_empty_optional_text_is_kept(name: str) -> None:
    """The empty text is a text."""
    assert getattr(decode(body(**{name: '""'}), NewRecord), name) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"textt"', '"textt"'),
        ('"Text"', '"Text"'),
        ('" text"', '" text"'),
        ('""', '""'),
        ("null", '""'),
        ('"a\\"b"', '"a\\"b"'),
        ('"ä"', '"ä"'),
    ],
)
def test_field_type_out_of_its_list_is_quoted(text: str, shown: str) -> None:
    """A field type is one of nine, in lower case, and the fault repeats what came."""
    reason = f"has invalid value {shown}; must be one of: {FIELD_TYPES}"

    assert found(body(field_type=text)) == [("field_type", reason)]


@pytest.mark.parametrize("text", ["5", "true", "[]", "{}"])
def test_field_type_of_another_type(text: str) -> None:
    """What is no text cannot be a field type."""
    assert found(body(field_type=text)) == [("field_type", "must be string")]


@pytest.mark.parametrize("name", FIELD_TYPES.split(", "))
def test_every_field_type_takes_every_value(name: str) -> None:
    """No relation between the type of a field and the value columns is enforced here."""
    record = decode(body(field_type=f'"{name}"', value_number="9999", value_boolean="false"), NewRecord)

    assert (record.field_type, record.value_number, record.value_boolean, record.value_text) == (
        name,
        9999,
        False,
        None,
    )


@pytest.mark.parametrize(
    "text", ["0", "-0", "1", "1.0", "1e3", "1E-3", "-0.5", "1e15", "-1e15", "5e-324", "1e-400", "0e999"]
)
def test_number_is_any_json_number_within_bounds(text: str) -> None:
    """Every spelling of a number in JSON is read as the nearest double."""
    assert decode(body(value_number=text), NewRecord).value_number == float(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('"9"', "must be float64"),
        ("true", "must be float64"),
        ("[9]", "must be float64"),
        ("{}", "must be float64"),
        ("1e400", "must be float64"),
        ("-1e400", "must be float64"),
        ("1" * 5000, "must be float64"),
        ("1000000000000001", "must be at most 1e+15"),
        ("1.1e15", "must be at most 1e+15"),
        ("1e300", "must be at most 1e+15"),
        ("-1000000000000001", "must be at least -1e+15"),
        ("-1e16", "must be at least -1e+15"),
    ],
)
def test_number_out_of_bounds_or_type(text: str, reason: str) -> None:
    """A text is not a number, and the documented bounds hold."""
    assert found(body(value_number=text)) == [("value_number", reason)]


@pytest.mark.parametrize("text", ['"true"', "0", "1", "1.0", '""', "[]", "{}"])
def test_boolean_is_true_or_false(text: str) -> None:
    """Nothing is taken for a boolean but true and false."""
    assert found(body(value_boolean=text)) == [("value_boolean", "must be bool")]


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T03:04:05.9999999Z", datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)),
        ("2026-01-02T03:04:05." + "9" * 40 + "Z", datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)),
        ("2026-01-02T03:04:05+01:00", datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-23:59", datetime(2026, 1, 3, 3, 3, 5, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1969-12-31T23:00:00-01:00", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2080-12-31T23:59:59.9999999Z", datetime(2080, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2081-01-01T00:00:00+01:00", datetime(2080, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_date_is_rfc_3339_with_an_offset(name: str, text: str, moment: datetime) -> None:
    """A moment is read with its offset; what is finer than a microsecond is cut off, not rounded."""
    assert getattr(decode(body(**{name: f'"{text}"'}), NewRecord), name) == moment


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize(
    "text",
    [
        "1700000000", "1700000000.5", "true", "[]", "{}", '""', '"2026-01-02"', '"2026-01-02T03:04:05"', '"2026-01-02T03:04Z"',
        '"2026-01-02 03:04:05Z"', '"2026-01-02t03:04:05Z"', '"2026-01-02T03:04:05z"', '"2026-01-02T03:04:05+0000"',
        '"2026-01-02T03:04:05+01"', '"2026-01-02T24:00:00Z"', '"2026-01-02T03:04:60Z"', '"2026-13-02T03:04:05Z"',
        '"2026-02-29T03:04:05Z"', '"2026-01-02T03:04:05.Z"', '"10000-01-02T03:04:05Z"', '"-2026-01-02T03:04:05Z"',
        '" 2026-01-02T03:04:05Z"', '"2026-01-02T03:04:05Z\\n"', '"20260102T030405Z"', '"2026-W01-1T03:04:05Z"',
        '"2026-01-02T03:04:05+24:00"', '"2026-01-02T03:04:05+01:60"', '"2026-01-02T03:04:05\u2212 01:00"', '"٢٠٢٦-01-02T03:04:05Z"',
        '"2026-01-02T03:04:05Z\\u0000"', '"\\ud800"', '"1700000000"', '"0000-01-01T00:00:00Z"',
    ],
)  # fmt: skip
def test_date_of_another_form(name: str, text: str) -> None:
    """A date without time or offset, with a blank, in lower case, or a Unix time is no date."""
    assert found(body(**{name: text})) == [(name, DATE)]


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize(
    "text",
    [
        "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+00:01", "2081-01-01T00:00:00Z", "2080-12-31T23:59:59.9-00:01",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    ],
)  # fmt: skip
def test_date_beyond_the_documented_years(name: str, text: str) -> None:
    """The years from 1970 to 2080 are the documented ones, counted in UTC."""
    assert found(body(**{name: f'"{text}"'})) == [(name, DATE_RANGE)]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_date_beyond_the_calendar(text: str) -> None:
    """A moment that has no year in UTC is refused by name like any other."""
    assert [name for name, _ in found(body(value_date=f'"{text}"'))] == ["value_date"]


# Metadata.


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"b": 1, "a": [1, 2.50, {"x": null}], "": ""}',
        '{"n": 1e2, "big": 123456789012345678901234567890.12345678901234567890, "max": 1e400}',
        '{"n": ' + "9" * 5000 + "}",
        '{"n": 1e+0000000000002, "m": 1e-0000000000002}',
        '{"emoji": "\\ud83d\\ude00", "escaped": "\\u00e9\\\\u0000", "raw": "é😀\u2028<&>"}',
        '{"a": {"a": {"a": 1}}, "b": {"a": 1}}',
    ],
)
def test_metadata_is_any_object_and_stays_as_it_came(text: str) -> None:
    """Metadata are kept as the very bytes that came: nothing is rounded on the way in."""
    assert bytes(decode(body(metadata=text), NewRecord).metadata) == text.encode()


@pytest.mark.parametrize("text", ["[]", "[{}]", '"x"', '"{}"', "5", "true", "false"])
def test_metadata_is_an_object(text: str) -> None:
    """Metadata that are no object are refused."""
    assert found(body(metadata=text)) == [("metadata", "must be object")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":1}', [("metadata.a", REPEATED)]),
        ('{"a":1,"\\u0061":2}', [("metadata.a", REPEATED)]),
        ('{"a":{"b":[0,{"c":1,"c":2,"c":3}]}}', [("metadata.a.b[1].c", REPEATED)]),
        ('{"a":"\\u0000"}', [("metadata.a", "must not contain NULL bytes")]),
        ('{"a":["x","\\u0000"]}', [("metadata.a[1]", "must not contain NULL bytes")]),
        ('{"a":"\\ud800"}', [("metadata.a", SURROGATE)]),
        ('{"a":"\ud800"}', [("metadata.a", SURROGATE)]),
        ('{"\\ud800":1}', [("metadata.\ufffd", SURROGATE)]),
        ('{"\\u0000":1}', [("metadata.\0", "must not contain NULL bytes")]),
        ('{"a":1e999999}', [("metadata.a", "must not contain a number outside the storable range")]),
        ('{"a":-1e-999999}', [("metadata.a", "must not contain a number outside the storable range")]),
        ('{"a":1e99999999999999999999}', [("metadata.a", "must not contain a number outside the storable range")]),
        (
            '{"a":"\\u0000","b":{"c":"\\udfff","d":1,"d":1e999999}}',
            [
                ("metadata.a", "must not contain NULL bytes"),
                ("metadata.b.d", REPEATED),
                ("metadata.b.c", SURROGATE),
                ("metadata.b.d", "must not contain a number outside the storable range"),
            ],
        ),
    ],
)
def test_fault_inside_metadata_is_named_by_its_path(text: str, expected: list[tuple[str, str]]) -> None:
    """Deep inside, a fault is found under the dotted path of the member, and a place in an array by its number."""
    assert found(body(metadata=text)) == expected


def test_invalid_utf8_inside_metadata_is_named() -> None:
    """Bytes that are no text are found in metadata too."""
    assert found(body(metadata='{"a":{"b":"@"}}').replace(b"@", b"\xff")) == [("metadata.a.b", SURROGATE)]


def test_storable_numbers_end_where_postgres_ends() -> None:
    """131,072 digits before the point and 16,383 after it are the last that Postgres keeps exactly."""
    fine = '{"a":1e131071,"b":1e-16383}'

    assert bytes(decode(body(metadata=fine), NewRecord).metadata) == fine.encode()
    assert len(found(body(metadata='{"a":1e131072,"b":1e-16384}'))) == 2


def test_metadata_stay_printable() -> None:
    """Numbers that Postgres prints with all their zeros may not fill more than a body together: a list has to be readable."""
    few, many = ('{"a":[' + ",".join(["1e131071"] * count) + "]}" for count in (4, 5))

    assert bytes(decode(body(metadata=few), NewRecord).metadata) == few.encode()
    assert found(body(metadata=many)) == [("metadata", "must not contain a number outside the storable range")]


# The object as a whole.


@pytest.mark.parametrize("name", MEMBERS)
def test_repeated_member_is_refused(name: str) -> None:
    """Each member may come once; that both say the same is no excuse."""
    good = {name: '"text"' if name == "field_type" else '"x"'} | dict.fromkeys(DATES, '"2026-01-02T03:04:05Z"')
    good |= {"metadata": "{}", "value_number": "1", "value_boolean": "true"}

    assert found(body(f'"{name}":{good[name]}', **{name: good[name]})) == [(name, REPEATED)]


def test_repetition_behind_an_escape_is_seen() -> None:
    """A member spelled with an escape is the same member."""
    assert found(body('"tenant\\u005fid":"other"')) == [("tenant_id", REPEATED)]


@pytest.mark.parametrize(
    "name", ["SOURCE_TYPE", "Source_type", "sourceType", "tenant_\u0131d", "id", "created_at", "sentiment", ""]
)
def test_unknown_member_is_refused(name: str) -> None:
    """Names are case-sensitive, and what is no member of a new record is refused by name, its id included."""
    assert found(body(f'"{name}":"x"')) == [(name, UNKNOWN)]


def test_unknown_name_is_cut() -> None:
    """Of an unknown member's name 64 code points come back."""
    assert found(body(f'"{"ü" * 65}":1')) == [("ü" * 64, UNKNOWN)]


def test_unknown_members_are_all_named_once_each() -> None:
    """However many members are not known, each is told, in the order they came."""
    assert found(body('"b":1', '"a":1', '"b":2', '"\\ud800":1')) == [
        ("b", UNKNOWN),
        ("a", UNKNOWN),
        ("\ufffd", UNKNOWN),
    ]


def test_all_faults_are_told_at_once() -> None:
    """One answer lists everything that is wrong: the members in their order, then the unknown ones."""
    data = body(
        '"extra":1',
        '"source_id":"again"',
        collected_at='"yesterday"',
        source_type=None,
        source_id='"once"',
        field_type='"textt"',
        value_text='"\\u0000"',
        value_number='"9"',
        value_boolean="1",
        value_date='"2081-01-01T00:00:00Z"',
        metadata="[]",
        language='"elevenchars"',
        tenant_id='" "',
    )

    assert found(data) == [
        ("collected_at", DATE),
        ("source_type", "is required"),
        ("source_id", REPEATED),
        ("field_type", f'has invalid value "textt"; must be one of: {FIELD_TYPES}'),
        ("value_text", "must not contain NULL bytes"),
        ("value_number", "must be float64"),
        ("value_boolean", "must be bool"),
        ("value_date", DATE_RANGE),
        ("metadata", "must be object"),
        ("language", "must be at most 10"),
        ("tenant_id", "tenant_id is required and cannot be empty"),
        ("extra", UNKNOWN),
    ]


def test_at_most_a_hundred_faults_are_told() -> None:
    """The schema of a problem has room for a hundred faults; the first hundred are told."""
    expected = [(f"x{number}", UNKNOWN) for number in range(100)]

    assert found(body(*(f'"x{number}":1' for number in range(150)))) == expected


def test_the_three_keys_share_a_limit_in_bytes() -> None:
    """The index holds 2,600 bytes of the three key members together, blanks around the tenant not counted."""
    third = "😀" * 216  # 864 bytes
    fits = {"tenant_id": f'" {third}{"x" * 8} "', "submission_id": f'"{third}"', "field_id": f'"{third}"'}

    decode(body(**fits), NewRecord)

    over = found(body(**fits | {"field_id": f'"{third}x"'}))
    assert over == [(name, KEY_BYTES) for name in ("tenant_id", "submission_id", "field_id")]


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "Invalid request body"),
        (b" \r\n\t", "Invalid request body"),
        (b"null", "Invalid request body: must be a JSON object"),
        (b"[]", "Invalid request body: must be a JSON object"),
        (b'[{"a":1}]', "Invalid request body: must be a JSON object"),
        (b'"x"', "Invalid request body: must be a JSON object"),
        (b"5", "Invalid request body: must be a JSON object"),
        (b"true", "Invalid request body: must be a JSON object"),
        (b"{", "Invalid JSON: unexpected end of input"),
        (b'{"a"', "Invalid JSON: unexpected end of input"),
        (b'{"a":', "Invalid JSON: unexpected end of input"),
        (b'{"a":"b', "Invalid JSON: unexpected end of input"),
        (b'{"a":1', "Invalid JSON: unexpected end of input"),
    ],
)
def test_what_is_no_object_is_a_bad_request(data: bytes, detail: str) -> None:
    """Without an object there are no members to name."""
    assert refusal(data) == detail
    assert refusal(data, RecordPatch) == detail


@pytest.mark.parametrize(
    "data",
    [
        b"{'a':1}", b'{"a":1,}', b'{"a":1}}', b'{"a":01}', b'{"a":.5}', b'{"a":5.}', b'{"a":+5}', b'{"a":NaN}', b'{"a":Infinity}',
        b'{"a":-Infinity}', b'{"a":0x10}', b'{"a":1_0}', b"{a:1}", b'{"a":1 "b":2}', b'{"a":tru}', b'{"a":"\\x"}', b'{"a":"\\u12"}',
        b'{"a":"\n"}', b'{"a":"\x00"}', b"{/* c */}", b"\xef\xbb\xbf{}", b"{}\x00", b"{}{}", b"{} []", b"{};", b"\xff", b"{}\xff",
        b"{\x0c}", b"\xa0{}", b"{\"a\":'b'}", b'{"a":\xd9\xa1}', b"form=data", b"-", b'{"a":-}', b'{"a":1e}',
    ],
)  # fmt: skip
def test_malformed_json_is_a_bad_request(data: bytes) -> None:
    """What the grammar of JSON does not allow is told with the place, and no more."""
    assert re.fullmatch(r"Invalid JSON: .+ at byte offset \d+|Invalid JSON: unexpected end of input", refusal(data))


def test_offset_of_a_fault_is_counted_in_bytes() -> None:
    """The place is given in bytes, whatever stands before it."""
    assert refusal('{"ä":1} x'.encode()).endswith("at byte offset 8")
    assert refusal('{"😀":@}'.encode()).endswith("at byte offset 8")


def test_a_good_record_with_trailing_data_is_refused() -> None:
    """Nothing may follow the object but blanks."""
    assert "unexpected data after the object" in refusal(body() + b"{}")
    assert decode(b" \r\n" + body() + b"\t ", NewRecord) == decode(body(), NewRecord)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_nesting_ends_at_128_levels() -> None:
    """The object itself is the first level; deeper than 128 the member is named and the rest not read."""
    decode(body(metadata=nested(127)), NewRecord)

    assert found(body(metadata=nested(128))) == [("metadata", "must not be nested deeper than 128 levels")]


def test_many_small_arrays_are_not_deep() -> None:
    """Only depth counts, not how often something is opened and closed, or written in a text."""
    text = '{"a":[' + ",".join(["[]"] * 500) + '],"b":"' + "[{" * 500 + '"}'

    assert bytes(decode(body(metadata=text), NewRecord).metadata) == text.encode()


@pytest.mark.parametrize("opener", ["[", '{"a":'])
def test_ten_thousand_levels_are_refused(opener: str) -> None:
    """A tower of brackets is refused, with the member where there is one, closed or not."""
    tower = opener * 10_000

    assert refusal(b"[" + tower.encode()) == "Invalid JSON: nested deeper than 128 levels"
    assert found(body(f'"metadata":{tower}')) == [("metadata", "must not be nested deeper than 128 levels")]
    assert found(body(f'"{"ü" * 100}":{tower}')) == [("ü" * 64, "must not be nested deeper than 128 levels")]


HOSTILE: dict[str, Callable[[int], str]] = {
    "quotes": lambda size: '{"a":"' + '\\"' * (size // 2),
    "quotes and brackets": lambda size: '{"a":"' + '\\"[' * (size // 3),
    "backslashes": lambda size: '{"a":"' + "\\" * size,
    "repeated names": lambda size: '{"metadata":{' + ",".join(f'"{n % 20_000}":1' for n in range(size // 9)) + "}}",
    "repeated members": lambda size: "{" + ",".join(['"a":1'] * (size // 6)) + "}",
    "unknown members": lambda size: "{" + ",".join(f'"{n}":1' for n in range(size // 9)) + "}",
    "a long name over many faults": lambda size: (
        '{"metadata":{"' + "x" * (size // 2) + '":{' + ",".join(f'"{n}":"\\u0000"' for n in range(size // 36)) + "}}}"
    ),
    "towers": lambda size: '{"metadata":' + (nested(120) + ",") * (size // 800),
    "one long number": lambda size: '{"value_number":' + "1" * size + "}",
    "one long exponent": lambda size: '{"value_number":1e' + "1" * size + "}",
    "one long fraction": lambda size: '{"collected_at":"2026-01-02T03:04:05.' + "1" * size + 'Z"}',
    "blanks": lambda size: " " * size,
    "a blank tenant": lambda size: '{"tenant_id":"' + " " * size + '"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_body_costs_little(name: str) -> None:
    """Half a megabyte made to be slow is refused in about the time its bytes take, and its answer stays small."""
    data = HOSTILE[name](512 * 1024 - 64).encode()
    begun = time.process_time()

    with pytest.raises(Problem) as refused:
        decode(data, NewRecord)

    assert time.process_time() - begun < 3
    assert len(msgspec.json.encode(refused.value.invalid_params)) < 200_000


# The other kinds of body.


def test_patch_tells_absent_from_null() -> None:
    """In a patch null clears and absence keeps."""
    patch = decode(b'{"value_text":null,"metadata":null,"value_number":5}', RecordPatch)

    assert (patch.value_text, patch.value_number, patch.user_id) == (None, 5, UNSET)
    assert msgspec.json.encode(patch) == b'{"value_text":null,"value_number":5.0,"metadata":null}'
    assert msgspec.json.encode(decode(b"{}", RecordPatch)) == b"{}"


@pytest.mark.parametrize("name", [*(n for n in MEMBERS if n not in RecordPatch.__struct_fields__), "id", "sentiment"])
def test_patch_refuses_what_cannot_change(name: str) -> None:
    """Identity, source and times are for ever, and even their repetition is refused."""
    assert found(f'{{"{name}":"x","value_text":"fine"}}'.encode(), RecordPatch) == [(name, UNKNOWN)]


def test_patch_has_the_rules_of_a_new_record() -> None:
    """The values of a patch are held to the same rules, all of them at once."""
    data = (
        b'{"value_text":"\\u0000","value_text":"","value_id":5,"value_number":"9","value_boolean":"true","value_date":1,'
        b'"metadata":[],"language":"elevenchars","user_id":"\\ud800"}'
    )

    assert found(data, RecordPatch) == [
        ("value_text", REPEATED),
        ("value_id", "must be string"),
        ("value_number", "must be float64"),
        ("value_boolean", "must be bool"),
        ("value_date", DATE),
        ("metadata", "must be object"),
        ("language", "must be at most 10"),
        ("user_id", SURROGATE),
    ]


def test_patch_cuts_a_date_at_the_microsecond() -> None:
    """A date in a patch is cut, not rounded, like any other."""
    patch = decode(b'{"value_date":"2026-01-02T03:04:05.9999999Z"}', RecordPatch)

    assert patch.value_date == datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)


def test_only_a_key_of_one_tenant_may_leave_the_tenant_out() -> None:
    """Without a tenant of its own a body must name one; what it names is checked either way."""
    assert found(body(tenant_id=None)) == [("tenant_id", "is required")]
    assert decode(body(tenant_id=None), TenantRecord).tenant_id == ""
    assert decode(body(tenant_id='" acme"'), TenantRecord).tenant_id == "acme"
    assert found(body(tenant_id='" "'), TenantRecord) == [("tenant_id", "tenant_id is required and cannot be empty")]
    assert found(body(tenant_id='""'), TenantRecord) == [("tenant_id", "is required")]
    assert found(body(tenant_id="null"), TenantRecord) == [("tenant_id", "is required")]


# Around the body.


@pytest.mark.parametrize(
    "content_type",
    [
        "", "application/json", "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json",
        "application/vnd.api+json;version=1", "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    ],
)  # fmt: skip
def test_json_is_read_from_what_clients_call_it(content_type: str) -> None:
    """JSON, anything ending in +json, plain text, what `curl -d` sends, and no type at all are read."""
    check_media_type(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/xml",
        "multipart/form-data; boundary=x",
        "text/csv",
        "application/jsonp",
        "application/octet-stream",
        "json",
        "x",
    ],
)
def test_another_media_type_is_told_what_to_send(content_type: str) -> None:
    """Anything else is refused with a hint."""
    with pytest.raises(UnsupportedMediaType, match="application/json"):
        check_media_type(content_type)


ID = UUID("018e1234-5678-7abc-8ef0-123456789abc")


@pytest.mark.parametrize(
    "text",
    [
        str(ID),
        str(ID).upper(),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f"URN:UUID:{ID}".upper(),
        ID.hex,
        f"%7B{ID}%7D",
        f"urn%3Auuid%3A{ID}",
    ],
)
def test_id_is_read_in_every_usual_spelling(text: str) -> None:
    """Upper case, braces, the URN form and no dashes are the same id."""
    assert record_id(text) == ID


@pytest.mark.parametrize(
    "text",
    ["", "xyz", str(ID)[:-1], f"{ID}0", f" {ID}", f"{{{ID}", f"{ID}}}", "%ff", str(ID).replace("-", "_"), f"{ID.hex[:8]}-{ID.hex[8:]}",
     "urn:" + str(ID), ID.hex.replace("0", "\u0660"), f"{{{{{ID}}}}}", str(ID) + "%00"],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str) -> None:
    """Whatever else stands where an id belongs is refused under the name of the path parameter."""
    with pytest.raises(ValidationFailed) as refused:
        record_id(text)
    assert refused.value.invalid_params == [InvalidParam("id", "must be a valid UUID")]


# Properties.

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def texts(least: int = 0, most: int = 10) -> st.SearchStrategy[str]:
    """JSON texts of texts, now escaped, now raw."""
    return st.builds(
        lambda text, ascii_only: json.dumps(text, ensure_ascii=ascii_only),
        st.text(LETTERS, min_size=least, max_size=most),
        st.booleans(),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(LETTERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(LETTERS), inner, max_size=4),
    max_leaves=8,
)
INSTANTS = st.datetimes(
    datetime(1970, 1, 2), datetime(2080, 12, 30), timezones=st.timezones(no_cache=False).map(lambda _: UTC)  # noqa: DTZ001 - the strategy adds it
).map(lambda moment: json.dumps(moment.isoformat()))  # fmt: skip

GOOD: dict[str, st.SearchStrategy[str]] = {
    **{name: texts(1) if name in REQUIRED else texts() | st.just("null") for name in LIMITS},
    **dict.fromkeys(DATES, INSTANTS | st.just("null")),
    "tenant_id": st.sampled_from(['"acme"', '" acme "', '"\\u00e4"', '"\\ud83d\\ude00"']),
    "field_type": st.sampled_from([f'"{name}"' for name in FIELD_TYPES.split(", ")]),
    "value_number": st.floats(-1e15, 1e15).map(repr) | st.integers(-(10**15), 10**15).map(str) | st.just("null"),
    "value_boolean": st.sampled_from(["true", "false", "null"]),
    "metadata": st.dictionaries(st.text(LETTERS), JSON, max_size=4).map(json.dumps) | st.just("null"),
}
BAD: dict[str, list[str]] = {
    **{
        name: ["5", "true", "[]", "{}", '"\\u0000"', '"\\ud800"', f'"{"x" * (most + 1)}"']
        for name, most in LIMITS.items()
    },
    **{
        name: ["5", '""', '"x"', '"2026-01-02 03:04:05Z"', '"2026-01-02T03:04:05+0000"', '"2090-01-01T00:00:00Z"']
        for name in DATES
    },
    "field_type": ['""', "null", '"Text"', "5", "{}"],
    "value_number": ['"9"', "true", "1e400", "2e15", "[]"],
    "value_boolean": ['"true"', "1", "[]"],
    "metadata": ["[]", "5", '"x"', '{"a":1,"a":2}', '{"a":"\\u0000"}', '{"a":["\\udc00"]}', '{"a":1e999999}'],
}


@st.composite
def bodies(draw: st.DrawFn, *, damaged: bool = True) -> tuple[bytes, set[str]]:
    """A body, and the members in which it is wrong."""
    pairs: list[tuple[str, str]] = []
    wrong: set[str] = set()
    for name in MEMBERS:
        required = name in (*REQUIRED, "field_type")
        fates = ["good"] * 12 + ([] if required else ["absent"] * 8)
        fate = draw(st.sampled_from([*fates, "absent", "bad", "repeated", "upper"] if damaged else fates))
        if fate == "bad":
            pairs.append((name, draw(st.sampled_from(BAD[name]))))
        elif fate == "good":
            pairs.append((name, draw(GOOD[name])))
        elif fate == "repeated":
            pairs += [(name, draw(GOOD[name])), (name, draw(GOOD[name]))]
        elif fate == "upper":
            pairs.append((name.upper(), draw(GOOD[name])))
            wrong.add(name.upper())
        if fate in ("bad", "repeated") or (required and fate in ("absent", "upper")):
            wrong.add(name)
    if damaged and draw(st.integers(0, 5)) == 0:
        unknown = draw(st.text(LETTERS, max_size=5).filter(lambda name: name not in MEMBERS))
        pairs.append((unknown, draw(JSON.map(json.dumps))))
        wrong.add(unknown)
    blank = draw(st.sampled_from(["", " ", "\n", " \t\r\n "]))
    text = ",".join(f"{blank}{json.dumps(name)}{blank}:{blank}{value}" for name, value in draw(st.permutations(pairs)))
    return f"{blank}{{{text}}}{blank}".encode(), wrong


@given(bodies() | bodies(damaged=False))
@settings(max_examples=200, deadline=None)
def test_exactly_the_wrong_members_are_named(case: tuple[bytes, set[str]]) -> None:
    """A body decodes when nothing in it is wrong; else every wrong member is named, and no other."""
    data, wrong = case

    if wrong:
        assert {re.sub(r"^metadata\W.*", "metadata", name, flags=re.DOTALL) for name, _ in found(data)} == wrong
    else:
        decode(data, NewRecord)


def walk(data: bytes, kind: type[Struct]) -> list[InvalidParam] | str:
    """What the thorough walk says: faults, or why there is nothing to walk."""
    try:
        return list(faults(data, kind))
    except BadRequest as refused:
        return refused.detail


def outcome(data: bytes, kind: type[Struct]) -> list[InvalidParam] | str:
    """What decoding says, in the same words; any exception but a problem fails the test."""
    try:
        decode(data, kind)
    except ValidationFailed as refused:
        return refused.invalid_params
    except BadRequest as refused:
        return refused.detail
    return []


@given(bodies(), st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_body_is_refused_for_a_reason(case: tuple[bytes, set[str]], data: st.DataObject) -> None:
    """Whatever bytes are put into a body, it decodes exactly when the walk finds no fault, and the fault is the walk's."""
    damaged = bytearray(case[0])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        length = data.draw(st.integers(0, 3))
        shard = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"\\u0000", b"\\ud800", b'"', b"\\", b"{", b"[" * 130, b"e9999", b"1"])
        )
        damaged[at : at + length] = shard

    for kind in (NewRecord, TenantRecord, RecordPatch):
        assert outcome(bytes(damaged), kind) == walk(bytes(damaged), kind)


@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass"))
    | JSON.map(lambda value: json.dumps(value).encode())
)
@example(b'{"a":1}')
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_problem_at_worst(data: bytes) -> None:
    """No bytes whatever raise anything but a problem."""
    with pytest.raises(Problem):
        decode(data, NewRecord)
    outcome(data, RecordPatch)


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,6})?", fullmatch=True)
ODD_DATES = st.from_regex(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{1,9})?([Zz]|[+-][0-2][0-9]:?[0-6][0-9])",
    fullmatch=True,
)


@given(NUMBERS, ODD_DATES, NUMBERS)
@settings(max_examples=400, deadline=None)
def test_odd_numbers_and_dates_are_explained(number: str, moment: str, deep: str) -> None:
    """Numbers and dates of every look are either taken or refused by name."""
    data = body(value_number=number, value_date=f'"{moment}"', metadata=f'{{"n":{deep}}}')
    told = outcome(data, NewRecord)

    assert told == walk(data, NewRecord)
    assert isinstance(told, list)
    assert {fault.name for fault in told} <= {"value_number", "value_date", "metadata.n"}


@given(bodies(damaged=False))
@settings(max_examples=200, deadline=None)
def test_decoding_what_was_encoded_gives_it_back(case: tuple[bytes, set[str]]) -> None:
    """A record written as JSON is the same record when it is read again."""
    record = decode(case[0], NewRecord)
    again = decode(msgspec.json.encode(record), NewRecord)

    assert bytes(again.metadata or b"{}") == bytes(record.metadata or b"{}")
    blank = {"metadata": NO_METADATA}
    assert msgspec.structs.replace(again, **blank) == msgspec.structs.replace(record, **blank)
