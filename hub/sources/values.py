"""Reading what may be anything. Each member of a payload by itself: a strange one must not cost the others."""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec import Raw

T = TypeVar("T")
ABSENT = Raw()
NULL = Raw(b"null")
# One way to read every text, or a long run of digits would be tried in all of them.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def gently(raw: Raw, kind: type[T]) -> T | None:
    """A member of a payload if it is what we expect, else nothing: one strange member must not cost the others."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError:
        return None


class Members(dict[str, Raw]):
    """The members of an object, each unread; what is not there is an empty Raw."""

    def __missing__(self, name: str) -> Raw:
        return ABSENT


def members_of(raw: Raw) -> Members:
    """The members of an object; none when it is something else."""
    return Members(gently(raw, dict[str, Raw]) or {})


def items_of(raw: Raw) -> list[Raw]:
    """The items of a list; none when it is something else."""
    return gently(raw, list[Raw]) or []


def text_of(raw: Raw) -> str | None:
    """The text of a member that holds one and is not blank."""
    text = gently(raw, str)
    return text if text and text.strip() else None


def instant_of(raw: Raw) -> datetime | None:
    """The instant of a member, UTC where it names no zone."""
    try:
        instant = datetime.fromisoformat(text_of(raw) or "")
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def blank(value: object) -> bool:
    """Whether an answer is there and says nothing: no text, or a list or map of none."""
    if isinstance(value, (list, dict)):
        parts = value.values() if isinstance(value, dict) else value
        return all(part is None or (isinstance(part, str) and not part.strip()) for part in parts)
    return isinstance(value, str) and not value.strip()


def as_text(value: object) -> str | None:
    """An answer in words; nothing for a list or a map."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, (bool, int, float)) else None


def as_lines(value: object) -> str | None:
    """An answer in words, a list of them a line each; nothing for what is neither."""
    lines = [as_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]
    return None if None in lines else "\n".join(line for line in lines if line)


def as_number(value: object) -> float | None:
    """An answer as a number, when it is one or spells one."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def encoded(value: object) -> Raw:
    """The value as JSON."""
    return Raw(msgspec.json.encode(value))


def joined(*parts: Mapping[str, Raw]) -> Raw:
    """One object of the members of several; of a name that comes twice the last counts."""
    return encoded({name: value for part in parts for name, value in part.items()})


def canonical(value: object) -> str:
    """The same text for every spelling of the same JSON."""
    return msgspec.json.encode(value, order="sorted").decode()


def digest(text: str) -> str:
    """A short name for a text that has no id of its own."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity(members: Mapping[str, Raw]) -> str:
    """The id of a submission that has none, from what identifies it."""
    text = canonical({name: msgspec.json.decode(value) for name, value in members.items()})
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def attributes(known: Mapping[str, Raw], names: Iterable[str]) -> dict[str, Raw]:
    """The named ones of what is known about a person or a submission, where they are texts or numbers."""
    asked = {name: gently(known.get(name, ABSENT), object) for name in sorted(set(names))}
    return {
        name: encoded(brief(value) if isinstance(value, str) else value)
        for name, value in asked.items()
        if isinstance(value, (str, int, float)) and value != ""
    }


def brief(text: str | None) -> str | None:
    """Every record of a submission carries these, so none may be huge."""
    return text[:1000] if text else None


def one_spelling(address: str) -> str:
    """An e-mail address as it is compared."""
    return address.strip().casefold()


def address_of(raw: Raw) -> str | None:
    """The address of a page, without its query and fragment, which carry hidden fields and tokens."""
    return re.split("[?#]", text_of(raw) or "", maxsplit=1)[0] or None
