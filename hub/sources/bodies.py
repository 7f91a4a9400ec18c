"""A vendor's JSON, made fit to be read and kept."""

import json
import math
import re

import msgspec
from msgspec import Raw

from hub.model import MAX_DEPTH
from hub.sources.interface import UnreadableError
from hub.sources.values import encoded

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ODD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
REPLACEMENT = "\ufffd"


def legible(body: bytes) -> Raw:
    """A vendor's JSON in a form that msgspec reads and Postgres keeps, whatever its escapes. Raises `UnreadableError`."""
    try:
        document = _decode(body)
        _check_depth(document)
        return encoded(document)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else "not valid JSON"
        raise UnreadableError(f"The payload is {kind}") from None


def _decode(body: bytes) -> object:
    if not _ODD_ESCAPE.search(body):
        try:
            return msgspec.json.decode(body)
        except msgspec.ValidationError:
            pass  # a number beyond what it holds
    document = json.loads(body.decode(), parse_float=_float, parse_int=_int, parse_constant=_refuse)
    _check_depth(document)
    return _storable(document)


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _int(digits: str) -> int | str:
    return int(digits) if math.isfinite(float(digits)) else digits


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _check_depth(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        nested = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [item for items in nested for item in items]
        if not level:
            return
    raise RecursionError


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): _storable(item) for name, item in value.items()}
    return value


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which Postgres refuses, replaced by U+FFFD."""
    return _UNSTORABLE.sub(REPLACEMENT, text)
