"""What is wrong with a body: every fault, in the contract's words, under the member's name.

Slow and thorough, for bodies that failed. The rules are read from the struct, so they stand in one place.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from inspect import get_annotations
from typing import NamedTuple

from msgspec import Struct, inspect

from hub.api.problems import BadRequest, InvalidParam
from hub.model import EARLIEST, LATEST, MAX_DEPTH, MAX_KEY_BYTES, FieldType, NewRecord, in_order

MAX_NAME = 64
# Postgres prints 1e131071 with all its zeros: of eight bytes 128 KiB, of a body full of them more than it can print at all.
MAX_DIGITS = 512 * 1024
LONG_NUMBER = 600

REQUIRED = "is required"
BLANK = "tenant_id is required and cannot be empty"
NUL = "must not contain NULL bytes"
SURROGATE = "must be valid UTF-8, with no unpaired UTF-16 surrogates or U+FFFD characters"
UNKNOWN = "is not a recognized request field"
REPEATED = "appears more than once; each member may appear only once"
DATE = "must be in RFC3339 (ISO 8601) format"
DATE_RANGE = "must be between 1970-01-01T00:00:00Z and 2080-12-31T23:59:59.999999Z"
TOO_DEEP = f"must not be nested deeper than {MAX_DEPTH} levels"
UNSTORABLE = "must not contain a number outside the storable range"
KEY_TOO_LONG = f"tenant_id, submission_id and field_id must be at most {MAX_KEY_BYTES} bytes of UTF-8 together"

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:[0-5]\d)", re.ASCII)
_SURROGATES = re.compile("[\ud800-\udfff]")
_KEY = ("tenant_id", "submission_id", "field_id")
# A text that never ends is one token too: looking for another quote behind each of its quotes would take the square of its length.
_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)', re.DOTALL)
_BRACKETS = re.compile(rb'"(?:[^"\\]+|\\.)*+"?|[\[\]{}:]', re.DOTALL)


def parse_instant(text: str) -> datetime | None:
    """RFC 3339 as published: `T` and `Z` upper case, an offset always; digits beyond the microsecond are cut, not rounded."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    seconds, fraction, offset = match.groups()
    try:
        instant = datetime.fromisoformat(f"{seconds}{(fraction or '')[:7].ljust(7, '0') if fraction else ''}{offset}")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the last evening of 9999 in New York is in the year 10000
        return None


class _Object(list[tuple[str, object]]):
    """The members of an object as they came, repeated ones included."""


class _Number(NamedTuple):
    """A number, whether Postgres could keep it, and how many digits it would print it with."""

    value: float
    storable: bool
    digits: int


def _number(text: str) -> _Number:
    digits = re.match(r"-?0*(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?", text)
    assert digits is not None  # noqa: S101 - JSON's grammar for numbers is narrower than this pattern
    whole, fraction, exponent = digits.groups()
    # Nine digits are far beyond any limit, and Python refuses to make an int of thousands.
    power = int(re.sub(r"^([+-]?)0+(?=\d)", r"\1", exponent)[:9]) if exponent else 0
    before, after = max(len(whole) + power, 1), max(len(fraction) - power, 0)
    return _Number(float(text), before <= 131072 and after <= 16383, before + after)  # noqa: PLR2004 - numeric's limits


def _no_constant(text: str) -> object:
    raise json.JSONDecodeError("Expecting value", text, 0)


_pairs = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=_number, parse_float=_number, parse_constant=_no_constant
)


def faults(body: bytes, kind: type[Struct]) -> Iterator[InvalidParam]:
    """Every fault of a body. Raises `BadRequest` when there is no object to find them in."""
    if not body.strip(b" \t\r\n"):
        raise BadRequest("Invalid request body")
    deep = _too_deep(body)
    if deep is not None:
        if deep:
            yield InvalidParam(deep, TOO_DEEP)
            return
        raise BadRequest(f"Invalid JSON: nested deeper than {MAX_DEPTH} levels")
    # Bytes that are no UTF-8 become lone surrogates, which are looked for anyway, and so the member can be named.
    text = body.decode(errors="surrogateescape")
    try:
        members, end = _pairs.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))
    except json.JSONDecodeError as error:
        raise BadRequest(_malformed(error, text)) from None
    if not isinstance(members, _Object):
        raise BadRequest("Invalid request body: must be a JSON object")
    if text[end:].strip(" \t\r\n"):
        offset = len(text[:end].encode(errors="surrogateescape"))
        raise BadRequest(f"Invalid JSON: unexpected data after the object at byte offset {offset}")
    yield from _member_faults(members, kind)


def _malformed(error: json.JSONDecodeError, text: str) -> str:
    # An unfinished string is reported at its opening quote, so the position alone does not tell.
    if (error.doc == text and error.pos >= len(text.rstrip())) or error.msg.startswith("Unterminated string"):
        return "Invalid JSON: unexpected end of input"
    # Python would take NaN and Infinity, and does not say where it met them.
    position = error.pos if error.doc == text else next(m.start(1) for m in _CONSTANTS.finditer(text) if m[1])
    offset = len(text[:position].encode(errors="surrogateescape"))
    what = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
    return f"Invalid JSON: {what} at byte offset {offset}"


def _too_deep(body: bytes) -> str | None:
    """The member that is nested too deep, `""` when no member is to blame, None when nothing is too deep.

    Read from the raw tokens: a recursive parser would be at its own limit here.
    """
    depth, last, member = 0, b"", b""
    for match in _BRACKETS.finditer(body):
        token = match[0]
        if token == b":":
            if depth == 1:
                member = last
        elif token in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                return member[1:-1].decode(errors="replace")[:MAX_NAME]
        elif token in (b"}", b"]"):
            depth -= 1
        else:
            last = token
    return None


def _member_faults(members: _Object, kind: type[Struct]) -> Iterator[InvalidParam]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - `kind` is a struct
    known = {field.encode_name: field for field in info.fields}
    names = [name for name, _ in members]
    values = dict(members)
    for name in _wire_order(kind):
        if names.count(name) > 1:
            yield InvalidParam(name, REPEATED)
        elif name in values:
            yield from _value_faults(known[name], values[name])
        elif known[name].required:
            yield InvalidParam(name, REQUIRED)
    for name in dict.fromkeys(names):
        if name not in known:
            yield InvalidParam(_printable(name)[:MAX_NAME], UNKNOWN)
    if issubclass(kind, NewRecord):
        yield from _key_faults([values.get(name) for name in _KEY])


def _value_faults(field: inspect.Field, value: object) -> Iterator[InvalidParam]:
    name = field.encode_name
    if isinstance(bare(field.type), inspect.RawType):
        if value is None or isinstance(value, _Object):
            yield from _tree_faults(name, value)
            if sum(_long_numbers(value)) > MAX_DIGITS:
                yield InvalidParam(name, UNSTORABLE)
        else:
            yield InvalidParam(name, "must be object")
        return
    kind = bare(field.type)
    if isinstance(kind, inspect.StructType | inspect.DictType | inspect.VarTupleType) and isinstance(value, list):
        yield from _inner_faults(kind, name, value)
        return
    reason = _reason(field.type, value, required=field.required or name == "tenant_id")
    if reason is None and name == "tenant_id" and not str(value).strip():
        reason = BLANK
    if reason is not None:
        yield InvalidParam(name, reason)


def _inner_faults(kind: inspect.Type, path: str, value: object) -> Iterator[InvalidParam]:
    """The faults of a value that may have parts, each under its path."""
    kind = bare(kind)
    if isinstance(kind, inspect.VarTupleType) and isinstance(value, list) and not isinstance(value, _Object):
        if kind.max_length is not None and len(value) > kind.max_length:
            yield InvalidParam(path, f"must have at most {kind.max_length} items")
        for index, item in enumerate(value):
            yield from _inner_faults(kind.item_type, f"{path}[{index}]", item)
    elif isinstance(kind, inspect.StructType) and isinstance(value, _Object):
        yield from (InvalidParam(f"{path}.{fault.name}", fault.reason) for fault in _member_faults(value, kind.cls))
    elif isinstance(kind, inspect.DictType) and isinstance(value, _Object):
        if kind.max_length is not None and len(value) > kind.max_length:
            yield InvalidParam(path, f"must have at most {kind.max_length} members")
        for name, item in value:
            if (reason := _reason(kind.key_type, name, required=True)) is not None:
                yield InvalidParam(_inside(path, name), f"the name {reason}")
            yield from _inner_faults(kind.value_type, _inside(path, name), item)
    elif (reason := _reason(kind, value, required=True)) is not None:
        yield InvalidParam(path, reason)


def _key_faults(parts: list[object]) -> Iterator[InvalidParam]:
    length = sum(len(part.strip().encode(errors="replace")) for part in parts if isinstance(part, str))
    if length > MAX_KEY_BYTES:
        yield from (InvalidParam(name, KEY_TOO_LONG) for name in _KEY)


def _wire_order(kind: type[Struct]) -> list[str]:
    # A subclass that makes a field required moves it to the front; people know the members in the order they were first given.
    names: list[str] = []
    for base in reversed(kind.__mro__):
        names += [n for n in get_annotations(base) if n not in names]
    return [n for n in names if n in kind.__struct_fields__]


def bare(kind: inspect.Type) -> inspect.Type:
    """The type itself, without its description and without "or null"."""
    if isinstance(kind, inspect.Metadata):
        return bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return bare(next(option for option in kind.types if not isinstance(option, inspect.NoneType)))
    return kind


def _reason(kind: inspect.Type, value: object, *, required: bool) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one line a rule
    """What is wrong with a value, in the contract's words."""
    if isinstance(kind, inspect.UnionType) and value is None:
        return None
    match bare(kind):
        case inspect.LiteralType(values=values):
            allowed = ", ".join(in_order(values))
            if value is None or isinstance(value, str):
                text = _printable(value or "")
                return (
                    None
                    if value in values
                    else f"has invalid value {json.dumps(text, ensure_ascii=False)}; must be one of: {allowed}"
                )
            return "must be string"
        case inspect.StrType(min_length=low, max_length=high):
            if value is None or (value == "" and low):
                return REQUIRED if required else None
            if not isinstance(value, str):
                return "must be string"
            if "\0" in value:
                return NUL
            if _SURROGATES.search(value):
                return SURROGATE
            return f"must be at most {high}" if high is not None and len(value) > high else None
        case inspect.FloatType(ge=least, le=most):
            if not isinstance(value, _Number) or value.value in (float("inf"), float("-inf")):
                return "must be float64"
            if least is not None and value.value < least:
                return f"must be at least {least:.0e}"
            return f"must be at most {most:.0e}" if most is not None and value.value > most else None
        case inspect.IntType(ge=least, le=most):
            if not isinstance(value, _Number) or not value.value.is_integer():
                return "must be integer"
            if least is not None and value.value < least:
                return f"must be at least {least}"
            return f"must be at most {most}" if most is not None and value.value > most else None
        case inspect.VarTupleType():
            return "must be array"
        case inspect.StructType() | inspect.DictType():
            return "must be object"
        case inspect.BoolType():
            return None if isinstance(value, bool) else "must be bool"
        case inspect.DateTimeType():
            instant = parse_instant(value) if isinstance(value, str) else None
            if instant is None:
                return DATE
            return None if EARLIEST <= instant <= LATEST else DATE_RANGE
    raise NotImplementedError(kind)


def _tree_faults(path: str, value: object) -> Iterator[InvalidParam]:
    """The faults inside metadata, each under its dotted path."""
    if isinstance(value, _Number):
        if not value.storable:
            yield InvalidParam(path, UNSTORABLE)
    elif isinstance(value, str):
        yield from _text_faults(path, value)
    elif isinstance(value, _Object):
        names = [key for key, _ in value]
        for key, count in Counter(names).items():
            if count > 1:
                yield InvalidParam(_inside(path, key), REPEATED)
        for key, member in value:
            inner = _inside(path, key)
            yield from _text_faults(inner, key)
            yield from _tree_faults(inner, member)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _tree_faults(f"{path}[{index}]", item)


def _long_numbers(value: object) -> Iterator[int]:
    """The digits of each number that Postgres prints much longer than it came."""
    if isinstance(value, _Number):
        if value.storable and value.digits > LONG_NUMBER:
            yield value.digits
    elif isinstance(value, _Object):
        for _, member in value:
            yield from _long_numbers(member)
    elif isinstance(value, list):
        for item in value:
            yield from _long_numbers(item)


def _text_faults(path: str, text: str) -> Iterator[InvalidParam]:
    if "\0" in text:
        yield InvalidParam(path, NUL)
    elif _SURROGATES.search(text):
        yield InvalidParam(path, SURROGATE)


def _inside(path: str, name: str) -> str:
    # Cut, because a long name would come back with every fault below it.
    return f"{path}.{_printable(name)[:MAX_NAME]}"


def _printable(text: str) -> str:
    """The text without what cannot be encoded, so that the problem can be sent at all."""
    return _SURROGATES.sub("�", text)


_VALUE_COLUMNS = ("value_text", "value_id", "value_number", "value_boolean", "value_date")
_FITTING: dict[FieldType, tuple[str, ...]] = {
    "text": ("value_text",),
    "categorical": ("value_text", "value_id"),
    "boolean": ("value_boolean",),
    "date": ("value_date",),
}
_HIGHEST_NPS = 10


def unfit(record: NewRecord) -> Iterator[InvalidParam]:
    """Where the value does not fit the field type: what the Formbricks Hub accepts, and `strict=true` refuses."""
    fitting = _FITTING.get(record.field_type, ("value_number",))
    for name in _VALUE_COLUMNS:
        if name not in fitting and getattr(record, name) is not None:
            yield InvalidParam(name, f"does not fit field_type {record.field_type}")
    if all(getattr(record, name) is None for name in fitting):
        yield InvalidParam(fitting[0], f"is required for field_type {record.field_type}")
    elif (
        record.field_type == "nps" and record.value_number is not None and not 0 <= record.value_number <= _HIGHEST_NPS
    ):
        yield InvalidParam("value_number", f"must be between 0 and {_HIGHEST_NPS}")
