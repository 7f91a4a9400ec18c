"""Bytes as they arrive to items, each with the line it starts on: decompressed and split in bounded memory.

Pure: nothing is awaited. Feed what came, take what is complete, and say when the end is reached.
"""

import re
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

Encoding = Literal["identity", "gzip", "deflate", "zstd"]

PIECE_BYTES = 256 * 1024
MAX_ITEM_BYTES = 512 * 1024
# What RFC 9659 allows over HTTP, 8 MiB: a larger window would be a larger buffer here, whatever the data are.
_ZSTD_OPTIONS: dict[int, int] = {DecompressionParameter.window_log_max: 23}


class TooLargeError(Exception):
    """More bytes than the limit, counted after decompression."""

    def __init__(self, limit: int, actual: int) -> None:
        self.limit = limit
        self.actual = actual
        super().__init__(f"more than {limit} bytes")


class BrokenStreamError(Exception):
    """The compressed data is damaged, or ends in the middle."""


class Item(Struct, frozen=True):
    """One line of NDJSON or one row of CSV: its physical line, from 1, and its bytes. Longer ones are cut and say so."""

    line: int
    raw: bytes
    too_long: bool = False


class Inflater:
    """Decompresses what is fed to it, piece by piece, and counts. gzip and zstd may be several members, one after another."""

    def __init__(self, encoding: Encoding, limit: int) -> None:
        self._encoding = encoding
        self._limit = limit
        self._count = 0
        self._zlib: zlib._Decompress | None = None
        self._zstd: ZstdDecompressor | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of at most `PIECE_BYTES`, or as they came when nothing compressed them. Raises `TooLargeError` and `BrokenStreamError`."""
        try:
            for piece in self._pieces(data):
                self._count += len(piece)
                if self._count > self._limit:
                    raise TooLargeError(self._limit, self._count)
                if piece:
                    yield piece
        except (zlib.error, ZstdError) as error:
            raise BrokenStreamError(f"The body is not valid {self._encoding} data ({error})") from error

    def finish(self) -> None:
        """Raises `BrokenStreamError` when the data ended in the middle."""
        engine = self._zlib or self._zstd
        if engine is not None and not engine.eof:
            raise BrokenStreamError(f"The {self._encoding} data ended in the middle")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._encoding == "identity":
            yield data
        elif self._encoding == "zstd":
            yield from self._unzstd(data)
        else:
            yield from self._unzip(data)

    def _unzip(self, data: bytes) -> Iterator[bytes]:
        piece = b""
        # A full piece may have left more of the output inside, even when all of the input was taken.
        while data or len(piece) == PIECE_BYTES:
            if self._zlib is None or (self._zlib.eof and data):
                self._zlib = zlib.decompressobj(wbits=self._window_bits(data))
            piece = self._zlib.decompress(data, PIECE_BYTES)
            yield piece
            data = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail

    def _window_bits(self, data: bytes) -> int:
        if self._encoding == "gzip":
            return 31
        # "deflate" is zlib's format by the standard, and the bare stream as some send it. zlib's header tells itself apart.
        return 15 if data[0] & 15 == zlib.DEFLATED and data[0] >> 4 < 8 else -15  # noqa: PLR2004 - the largest window

    def _unzstd(self, data: bytes) -> Iterator[bytes]:
        while data or (self._zstd is not None and not self._zstd.needs_input and not self._zstd.eof):
            if self._zstd is None or self._zstd.eof:
                self._zstd = ZstdDecompressor(options=_ZSTD_OPTIONS)
            yield self._zstd.decompress(data, PIECE_BYTES)
            data = self._zstd.unused_data if self._zstd.eof else b""


class NdjsonSplitter:
    """Lines of NDJSON. Blank ones are passed over, but counted as lines, of which the first is `line`."""

    def __init__(self, line: int = 1) -> None:
        self._rest = b""
        self._line = line
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Item]:
        """The lines that are complete now."""
        return (item for item in self.lines(data) if not _is_blank(item))

    def finish(self) -> Iterator[Item]:
        """The last line, if nothing ended it."""
        return (item for item in self._item(self._rest) if not _is_blank(item))

    def lines(self, data: bytes) -> Iterator[Item]:
        """The lines that are complete now, blank ones too."""
        *lines, rest = data.split(b"\n") if not self._rest else (self._rest + data).split(b"\n")
        for raw in lines:
            yield from self._item(raw)
            self._line += 1
        if self._skipping:
            rest = b""
        elif len(rest) > MAX_ITEM_BYTES + 1:  # even if a carriage return ends it
            yield Item(self._line, rest[:MAX_ITEM_BYTES], too_long=True)
            self._skipping, rest = True, b""
        self._rest = rest

    def _item(self, raw: bytes) -> Iterator[Item]:
        if self._skipping:
            self._skipping = False  # the end of a line that was reported when it grew too long
        elif len(raw) > MAX_ITEM_BYTES and len(raw.removesuffix(b"\r")) > MAX_ITEM_BYTES:
            yield Item(self._line, raw[:MAX_ITEM_BYTES], too_long=True)
        else:
            yield Item(self._line, raw)


def _is_blank(item: Item) -> bool:
    return not item.raw or (item.raw.isspace() and not item.too_long)


def delimiter_of(header: bytes) -> bytes:
    """What separates the cells of a CSV file: the most frequent candidate in its first line, outside quotes."""
    unquoted = re.sub(b'"[^"]*"', b"", header)
    return max((b",", b";", b"\t"), key=unquoted.count)


class CsvSplitter:
    """Rows of CSV, the first line, which is the header, being the first.

    A quoted cell may hold line ends. A quote that nothing closes properly costs its own line, not the rest of the file.
    """

    def __init__(self, line: int = 1) -> None:
        self._lines = NdjsonSplitter(line)
        self._quotes: _Quotes | None = None
        self._open: list[Item] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Item]:
        """The rows that are complete now."""
        return self._join(self._lines.lines(data))

    def finish(self) -> Iterator[Item]:
        """What is left at the end."""
        yield from self._join(self._lines.finish())
        while self._open:
            yield self._open[0]
            yield from self._join(self._reopened())

    def _join(self, items: Iterable[Item]) -> Iterator[Item]:
        coming = deque(items)
        while coming:
            item = coming.popleft()
            if not self._open and _is_blank(item):
                continue
            if self._quotes is None:
                self._quotes = _Quotes(delimiter_of(item.raw))
                yield item
                continue
            self._open.append(item)
            self._size += len(item.raw) + 1
            quotes = self._quotes.after(item.raw, inside=len(self._open) > 1)
            if item.too_long or self._size > MAX_ITEM_BYTES + 1 or (quotes == "broken" and len(self._open) > 1):
                yield self._open[0]
                coming.extendleft(reversed(self._reopened()))
            elif quotes != "open":
                line = self._open[0].line
                yield Item(line, b"\n".join(part.raw for part in self._open))
                self._close()

    def _reopened(self) -> list[Item]:
        """The open lines after the first, which is bad by itself: they are read again without it."""
        others = self._open[1:]
        self._close()
        return others

    def _close(self) -> None:
        self._open, self._size = [], 0


class _Quotes:
    """Whether a quoted cell is still open at the end of a line. Only a quote that begins a cell opens one."""

    def __init__(self, delimiter: bytes) -> None:
        d = re.escape(delimiter)
        inside = rb'(?:[^"]|"")*+'
        # Whole cells and what separates them, as many as there are.
        whole = rb'(?:"%b"%b|[^"%b][^%b]*+%b|%b)*+' % (inside, d, d, d, d, d)
        last = rb'(?:(?P<open>"%b\Z)|"%b"\r?\Z|(?!")[^%b]*+\Z)' % (inside, inside, d)
        self._outside = re.compile(whole + last, re.DOTALL)
        self._inside = re.compile(rb'%b(?:(?P<still>\Z)|"\r?\Z|"%b%b%b)' % (inside, d, whole, last), re.DOTALL)

    def after(self, line: bytes, *, inside: bool) -> Literal["closed", "open", "broken"]:
        """After another line. "broken" when a closing quote has something else behind it than the end of its cell."""
        if b'"' not in line:
            return "open" if inside else "closed"
        match = (self._inside if inside else self._outside).match(line)
        if match is None:
            return "broken"
        return "open" if match.lastgroup is not None else "closed"
