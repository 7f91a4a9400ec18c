"""The query string to structs: every parameter strictly, every fault in one answer."""

import re
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import TypeAlias, TypeVar, overload
from urllib.parse import unquote_to_bytes

from msgspec import Struct, inspect

from hub import cursors
from hub.api.faults import BLANK, DATE, NUL, REQUIRED, bare, parse_instant
from hub.api.problems import Forbidden, InvalidParam, ValidationFailed
from hub.cursors import Cursor, Position
from hub.model import MAX_PATH, MAX_PATHS, MetadataIs, in_order

A = TypeVar("A", bound=Struct)
B = TypeVar("B", bound=Struct)

MAX_VALUES = 100

CURSOR = "omit it for the first page, or use the exact next_cursor value from the previous response"
FOREIGN_CURSOR = (
    "was issued for a different sort/order; restart pagination without a cursor, or keep sort and order unchanged"
)
NOT_ENCODED = "must be percent-encoded UTF-8"
UNKNOWN = "is not a recognized parameter"
REPEATED = "appears more than once; give it once"
PATH = "must be metadata and the names that lead to a member, joined with dots: metadata.plan"

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class Unreadable(Exception):  # noqa: N818 - carries a reason, not an error
    """The reason why a text is not the value its parameter wants."""


Rules: TypeAlias = Callable[[Mapping[str, object]], Iterator[InvalidParam]]
"""Faults that the types of the parameters cannot say, of those that could be read."""


@overload
def read(query: bytes, first: type[A], /, *, tenant_id: str | None, closed: bool = False) -> A: ...


@overload
def read(
    query: bytes, first: type[A], second: type[B], /, *, tenant_id: str | None, closed: bool = False,
    refused: Collection[str] = (), rules: Rules | None = None,
) -> tuple[A, B]: ...  # fmt: skip
def read(
    query: bytes, /, *kinds: type[Struct], tenant_id: str | None, closed: bool = False,
    refused: Collection[str] = (), rules: Rules | None = None,
) -> object:  # fmt: skip
    """The parameters as the given structs.

    `tenant_id` is the tenant the key is bound to: then the parameter may be left out, and another one is refused with
    `Forbidden`. Unknown parameters are ignored, unless `refused` names them; `closed` refuses all of them, and repeated ones
    that take one value. Raises `ValidationFailed` with every fault, those of `rules` included.
    """
    values, faults = _decoded(query)
    if tenant_id is not None and not any(values.get("tenant_id", [])):
        values["tenant_id"] = [tenant_id]
    faults += [InvalidParam(name, UNKNOWN) for name in values if name in refused]
    if closed:
        faults += _strangers(values, [field for kind in kinds for field in _fields(kind)])
    members = [_read_struct(kind, values, faults) for kind in kinds]
    if rules is not None:
        faults += rules(dict(ChainMap(*members)))
    if faults:
        raise ValidationFailed(_once(faults))
    for wanted in members:
        if tenant_id is not None and wanted.get("tenant_id", tenant_id) != tenant_id:
            raise Forbidden("This key is bound to another tenant")
    structs = [kind(**wanted) for kind, wanted in zip(kinds, members, strict=True)]
    return structs[0] if len(structs) == 1 else tuple(structs)


def _read_struct(kind: type[Struct], values: dict[str, list[str]], faults: list[InvalidParam]) -> dict[str, object]:
    members: dict[str, object] = {}
    for field in _fields(kind):
        if field.name == "metadata":
            members[field.name] = tuple(_paths(values, faults))
        elif field.required or field.encode_name in values:
            try:
                _read_field(field, values.get(field.encode_name, []), members)
            except Unreadable as reason:
                faults.append(InvalidParam(field.encode_name, str(reason)))
    faults += _crossed(members)
    return members


def _strangers(values: dict[str, list[str]], fields: list[inspect.Field]) -> Iterator[InvalidParam]:
    several = {field.encode_name: isinstance(bare(field.type), inspect.VarTupleType) for field in fields}
    for name, texts in values.items():
        if name not in several and not ("metadata" in several and name.startswith("metadata.")):
            yield InvalidParam(name, UNKNOWN)
        elif len(texts) > 1 and not several.get(name, True):
            yield InvalidParam(name, REPEATED)


def _paths(values: dict[str, list[str]], faults: list[InvalidParam]) -> Iterator[MetadataIs]:
    """`metadata.a.b=x`, however many of them: the one filter whose name is made by the client."""
    given = [(name, [text for text in texts if text]) for name, texts in values.items() if name.startswith("metadata.")]
    for number, (name, texts) in enumerate((name, texts) for name, texts in given if texts):
        path = name.removeprefix("metadata.")
        try:
            if not all(path.split(".")) or "\0" in path:
                raise Unreadable(PATH)  # noqa: TRY301 - one place makes faults of reasons
            if len(path) > MAX_PATH:
                raise Unreadable(f"must be at most {MAX_PATH} characters after metadata.")  # noqa: TRY301 - as above
            if number >= MAX_PATHS:
                raise Unreadable(f"at most {MAX_PATHS} members of metadata can be asked for")  # noqa: TRY301 - as above
            yield MetadataIs(path, tuple(str(value) for value in _several(_METADATA_VALUE, texts)))
        except Unreadable as reason:
            faults.append(InvalidParam(name[:MAX_PATH], str(reason)))


def pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values of a query string that was read, for another one like it."""
    return [(name, text) for name, texts in _decoded(query)[0].items() for text in texts]


def _decoded(query: bytes) -> tuple[dict[str, list[str]], list[InvalidParam]]:
    values: dict[str, list[str]] = {}
    faults: list[InvalidParam] = []
    for pair in query.decode("latin-1").split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        name, name_ok = _unescaped(name)
        text, value_ok = _unescaped(value)
        values.setdefault(name, []).append(text)
        if not (name_ok and value_ok):
            faults.append(InvalidParam(name[:64], NOT_ENCODED))
    return values, faults


def _unescaped(text: str) -> tuple[str, bool]:
    raw = unquote_to_bytes(text.replace("+", " ").encode("latin-1"))
    decoded = raw.decode(errors="replace")
    return decoded, _BAD_ESCAPE.search(text) is None and decoded.encode() == raw


@cache
def _fields(kind: type[Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - `kind` is a struct
    return info.fields


def _read_field(field: inspect.Field, texts: list[str], members: dict[str, object]) -> None:
    """Puts the value under the field's name. Raises `Unreadable` with the reason."""
    kind = bare(field.type)
    if isinstance(kind, inspect.VarTupleType):
        if texts := [text for text in texts if text]:
            members[field.name] = _several(kind.item_type, texts)
        return
    is_text = isinstance(kind, inspect.StrType)
    if not texts:
        if field.required:
            raise Unreadable(REQUIRED)
        return
    text = texts[0].strip() if isinstance(kind, inspect.StructType) else texts[0]  # a blank cursor is none
    if is_text and field.name in ("tenant_id", "user_id"):
        text = text.strip()
        if not texts[0] and field.required and field.name == "user_id":
            raise Unreadable(REQUIRED)
        if texts[0] and not text:
            raise Unreadable(f"{field.name} is required and cannot be empty" if field.name == "user_id" else BLANK)
    if text or is_text:
        members[field.name] = _value(kind, text)


def _several(kind: inspect.Type, texts: list[str]) -> tuple[object, ...]:
    kind = bare(kind)
    if isinstance(kind, inspect.LiteralType):
        # The official SDK joins arrays with commas; a value of a closed set has none.
        texts = [part for text in texts for part in text.split(",") if part]
    texts = list(dict.fromkeys(texts))
    if len(texts) > MAX_VALUES:
        raise Unreadable(f"must have at most {MAX_VALUES} values")
    return tuple(_value(kind, text) for text in texts)


def _value(kind: inspect.Type, text: str) -> object:
    return _READERS[type(kind)](kind, text)


def _text(kind: inspect.Type, text: str) -> str:
    assert isinstance(kind, inspect.StrType)  # noqa: S101 - chosen by this type
    if "\0" in text:
        raise Unreadable(NUL)
    if kind.min_length is not None and len(text) < kind.min_length:
        raise Unreadable(f"must be at least {kind.min_length}")
    if kind.max_length is not None and len(text) > kind.max_length:
        raise Unreadable(f"must be at most {kind.max_length}")
    return text


def _integer(kind: inspect.Type, text: str) -> int:
    assert isinstance(kind, inspect.IntType)  # noqa: S101 - chosen by this type
    if not _INTEGER.fullmatch(text):
        raise Unreadable("must be a valid integer")
    _check_bounds(int(text), kind.ge, kind.le)
    return int(text)


def _number(kind: inspect.Type, text: str) -> float:
    assert isinstance(kind, inspect.FloatType)  # noqa: S101 - chosen by this type
    if not _NUMBER.fullmatch(text) or float(text) in (float("inf"), float("-inf")):
        raise Unreadable("must be a valid number")
    _check_bounds(float(text), kind.ge, kind.le)
    return float(text)


def _check_bounds(value: float, least: float | None, most: float | None) -> None:
    if least is not None and value < least:
        # Only of the limit the least is 0, which stands for the default: nobody is told to ask for it.
        raise Unreadable(f"must be at least {least or 1:g}")
    if most is not None and value > most:
        raise Unreadable(f"must be at most {most:g}")


def _boolean(_: inspect.Type, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise Unreadable("must be a valid boolean")
    return _BOOLEANS[text.lower()]


def _instant(_: inspect.Type, text: str) -> object:
    instant = parse_instant(text)
    if instant is None:
        raise Unreadable(DATE)
    return instant


def _member(kind: inspect.Type, text: str) -> str:
    assert isinstance(kind, inspect.LiteralType)  # noqa: S101 - chosen by this type
    if text not in kind.values:
        raise Unreadable(f"must be one of: {', '.join(in_order(kind.values))}")
    return text


def _cursor(kind: inspect.Type, text: str) -> Position:
    assert isinstance(kind, inspect.StructType)  # noqa: S101 - chosen by this type
    assert issubclass(kind.cls, Position)  # noqa: S101 - no other struct is a parameter
    try:
        return cursors.decode(text, kind.cls)
    except cursors.InvalidCursorError:
        raise Unreadable(CURSOR) from None


_METADATA_VALUE = next(
    field.type.item_type for field in _fields(MetadataIs) if isinstance(field.type, inspect.VarTupleType)
)

_READERS: dict[type[inspect.Type], Callable[[inspect.Type, str], object]] = {
    inspect.StrType: _text,
    inspect.IntType: _integer,
    inspect.FloatType: _number,
    inspect.BoolType: _boolean,
    inspect.DateTimeType: _instant,
    inspect.LiteralType: _member,
    inspect.StructType: _cursor,
}


def _crossed(members: dict[str, object]) -> Iterator[InvalidParam]:
    """Faults between parameters: a range upside down, a cursor of another order."""
    for low, value in members.items():
        high = re.sub("since$", "until", re.sub("_min$", "_max", low))
        other = members.get(high)
        if high != low and value is not None and other is not None and value > other:  # type: ignore[operator] # one type
            yield InvalidParam(low, f"must not be greater than {high}")
    cursor = members.get("cursor")
    order = (members.get("sort", "collected_at"), members.get("order", "desc"))
    if isinstance(cursor, Cursor) and (cursor.s, cursor.o) != order:
        yield InvalidParam("cursor", FOREIGN_CURSOR)


def _once(faults: list[InvalidParam]) -> list[InvalidParam]:
    return list({fault.name: fault for fault in reversed(faults)}.values())[::-1]
