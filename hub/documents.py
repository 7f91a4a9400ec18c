"""JSON as people keep it in files, to items: an array, a page `{"data": [...]}`, a value a line, or one document.

Pure: feed what came, take what is complete. Memory holds one item and one piece, whatever the length of the file.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from hub.streams import MAX_ITEM_BYTES, Item, NdjsonSplitter, TooLargeError

MAX_PAYLOAD_BYTES = 8 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_FLAT = rb'\{(?:[^"{}\[\]]++|' + _TEXT + rb")*+\}"
# An object within an object at most is one token, which is what most records are; others are followed bracket by bracket.
# A quote alone is the beginning of a text that is not complete yet.
_TOKEN = re.compile(rb'\{(?:[^"{}\[\]]++|' + _TEXT + rb"|" + _FLAT + rb")*+\}|" + _TEXT + rb'|["\[\]{},]', re.DOTALL)
# Where the list of a page begins, when only simple members stand before it.
_PAGE = re.compile(
    rb"\s*\{(?:\s*" + _TEXT + rb"\s*:\s*(?:" + _TEXT + rb"|" + _FLAT + rb'|[^"{}\[\],\s]++)\s*,)*+\s*"data"\s*:\s*\[',
    re.DOTALL,
)


class ArraySplitter:
    """The elements of one JSON array. `line` is the number of the element, from 1."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._scanned = 0
        self._depth = 0
        self._count = 0
        self._opened = self._closed = False

    def feed(self, data: bytes) -> Iterator[Item]:
        """The elements that are complete now. Raises `TooLargeError` for one that no hub would take."""
        if self._closed:
            return
        buffer = self._rest + data
        start, scanned = 0, len(buffer)
        for token in _TOKEN.finditer(buffer, self._scanned):
            mark = token[0]
            if mark == b'"':
                scanned = token.start()
                break
            if not self._opened:
                self._opened, start = True, token.end()
            elif self._depth == 0 and mark in (b",", b"]"):
                yield from self._item(buffer[start : token.start()])
                start = token.end()
                if mark == b"]":
                    self._closed = True
                    return
            elif mark in (b"[", b"{"):
                self._depth += 1
            elif mark in (b"]", b"}"):
                self._depth -= 1
        self._rest, self._scanned = buffer[start:], scanned - start
        if len(self._rest) > self._limit:
            raise TooLargeError(self._limit, len(self._rest))

    def finish(self) -> Iterator[Item]:
        """What the file ended in the middle of, if it did."""
        if not self._closed:
            yield from self._item(self._rest)

    def _item(self, raw: bytes) -> Iterator[Item]:
        if raw := raw.strip():
            self._count += 1
            yield Item(self._count, raw.replace(b"\n", b" "), too_long=len(raw) > self._limit)


class RecordSplitter:
    """Records: the elements of an array, or one a line."""

    def __init__(self) -> None:
        self._inner: ArraySplitter | NdjsonSplitter | None = None

    def feed(self, data: bytes) -> Iterator[Item]:
        """The records that are complete now."""
        if self._inner is None:
            data = data.removeprefix(_BOM)
            if not (first := data.lstrip()[:1]):
                return
            self._inner = ArraySplitter(MAX_PAYLOAD_BYTES) if first == b"[" else NdjsonSplitter()
        for item in self._inner.feed(data):
            yield Item(item.line, item.raw, too_long=item.too_long or len(item.raw) > MAX_ITEM_BYTES)

    def finish(self) -> Iterator[Item]:
        """What is left at the end."""
        if self._inner is not None:
            yield from self._inner.finish()


class PayloadSplitter:
    """Payloads of a survey tool: elements of a list or of a page that is too long for one request, one a line, or the only one.

    `listed` says that items were elements of a list, and may be sent as one again. Others are payloads of their own.
    """

    def __init__(self) -> None:
        self.listed = False
        self._array: ArraySplitter | None = None
        self._rest = b""
        self._by_line: bool | None = None
        self._line = 1
        self._started = False

    def feed(self, data: bytes) -> Iterator[Item]:
        """The payloads that are complete now. Raises `TooLargeError` for one that cannot be divided."""
        if not self._started:
            data = (self._rest + data).removeprefix(_BOM).lstrip()
            self._rest, self._started = b"", bool(data)
        if self._array is None:
            self._rest += data
            if self._rest.startswith(b"["):
                yield from self._divide(self._rest)
            else:
                yield from self._lines()
        else:
            yield from self._array.feed(data)

    def finish(self) -> Iterator[Item]:
        """What is left at the end."""
        if self._array is not None:
            yield from self._array.finish()
        elif self._rest.strip():
            yield Item(self._line, self._rest.strip().replace(b"\n", b" "))

    def _lines(self) -> Iterator[Item]:
        if self._by_line is None and b"\n" in self._rest:
            self._by_line = _is_json(self._rest.partition(b"\n")[0])
        if self._by_line:
            *lines, self._rest = self._rest.split(b"\n")
            for raw in lines:
                if raw.strip():
                    yield Item(self._line, raw.strip(), too_long=len(raw) > MAX_PAYLOAD_BYTES)
                self._line += 1
        if len(self._rest) > MAX_PAYLOAD_BYTES:
            page = None if self._by_line else _PAGE.match(self._rest)
            if page is None:
                raise TooLargeError(MAX_PAYLOAD_BYTES, len(self._rest))
            yield from self._divide(self._rest[page.end() - 1 :])

    def _divide(self, data: bytes) -> Iterator[Item]:
        self.listed, self._array, self._rest = True, ArraySplitter(MAX_PAYLOAD_BYTES), b""
        yield from self._array.feed(data)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
