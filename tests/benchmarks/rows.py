"""The records of the benchmark: the same for every contestant, each with a submission of its own."""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

import msgspec
import uuid6

Value: TypeAlias = str | int | dict[str, str]
Ids: TypeAlias = Callable[[str], Iterator[bytes]]

TENANTS = [f"tenant-{n}" for n in range(8)]
_KINDS = 500
_SUBMISSION = "@" * 24
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # odd, so that multiples of it differ
_TEXT = (
    "the export to our billing system takes far too long and support could not say when it will be fixed but the new "
    "dashboard is easy to read thank you for adding filters please also let me sort by date on my phone it works great"
)


def kinds() -> list[dict[str, Value]]:
    """Records that differ from each other as feedback does; always the same ones."""
    chance = random.Random(20)
    return [_kind(chance) for _ in range(_KINDS)]


def _kind(chance: random.Random) -> dict[str, Value]:
    vocabulary = _TEXT.split()
    survey, field = chance.randrange(20), chance.randrange(8)
    words = [chance.choice(vocabulary) for _ in range(chance.randint(10, 24))]
    return {
        "source_type": "survey",
        "source_id": f"survey-{survey:04}",
        "source_name": f"Product survey {survey}",
        "field_id": f"question-{field}",
        "field_label": f"What should we improve next in part {field}?",
        "field_type": "text",
        "value_text": " ".join(words),
        "metadata": {"plan": chance.choice(("free", "pro", "team")), "country": chance.choice(("DE", "FR", "US"))},
        "language": chance.choice(("en", "de", "fr")),
        "user_id": f"user-{chance.randrange(100_000)}",
        "tenant_id": chance.choice(TENANTS),
        "submission_id": _SUBMISSION,
    }


def bodies() -> list[tuple[bytes, bytes, int]]:
    """The records as JSON: the part before the submission id, the part after it, and the length of the whole."""
    texts = [msgspec.json.encode(kind) for kind in kinds()]
    parts = [text.partition(_SUBMISSION.encode()) for text in texts]
    return [(before, after, len(text)) for text, (before, _, after) in zip(texts, parts, strict=True)]


def submissions(name: str) -> Iterator[bytes]:
    """Ids that no other name gives."""
    number = 0
    prefix = name.encode().rjust(len(_SUBMISSION) - 9, b"s")
    while True:
        yield b"%b-%08d" % (prefix, number)
        number += 1


def scattered(name: str) -> Iterator[bytes]:
    """The same, in no order, as survey tools give them: each falls on another page of a large index."""
    number = 0
    suffix = name.encode().rjust(len(_SUBMISSION) - 16, b"s")
    while True:
        yield b"%016x%b" % (number * _GOLDEN & 0xFFFF_FFFF_FFFF_FFFF, suffix)
        number += 1


def lines(name: str, count: int, ids: Ids = submissions) -> Iterator[bytes]:
    """Records as lines of NDJSON, some at a time."""
    whole = [(before, after + b"\n") for before, after, _ in bodies()]
    fresh = ids(name)
    for done in range(0, count, _KINDS):
        yield b"".join(before + next(fresh) + after for before, after in whole[: count - done])


def arrays(name: str, count: int) -> Iterator[bytes]:
    """JSON arrays without end, each of so many records."""
    fresh = lines(name, 1 << 60)
    while True:
        texts = b"".join(islice(fresh, count // _KINDS)).removesuffix(b"\n")
        yield b"[%b]" % texts.replace(b"\n", b",")


COLUMNS = ("id", *kinds()[0])


def tuples(name: str, ids: Ids = submissions) -> Iterator[tuple[object, ...]]:
    """Rows without end, in the order of COLUMNS."""
    templates = [
        tuple(msgspec.json.encode(value).decode() if isinstance(value, dict) else value for value in kind.values())[:-1]
        for kind in kinds()
    ]
    fresh = ids(name)
    while True:
        for template in templates:
            yield (uuid6.uuid7(), *template, next(fresh).decode())
