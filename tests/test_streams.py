"""Bytes to items: the same ones however the bytes were cut, in bounded memory, and each with its line."""

import csv
import gzip
import io
import sys
import zlib
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.streams import (
    MAX_ITEM_BYTES,
    PIECE_BYTES,
    BrokenStreamError,
    CsvSplitter,
    Encoding,
    Inflater,
    Item,
    NdjsonSplitter,
    TooLargeError,
    delimiter_of,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1 << 30
ENCODINGS: list[Encoding] = ["identity", "gzip", "deflate", "zstd"]


def packed(data: bytes, encoding: Encoding) -> bytes:
    match encoding:
        case "gzip":
            return gzip.compress(data)
        case "deflate":
            return zlib.compress(data)
        case "zstd":
            return zstd.compress(data)
        case _:
            return data


def unpacked(pieces: list[bytes], encoding: Encoding, limit: int = LIMIT) -> bytes:
    inflater = Inflater(encoding, limit)
    data = b"".join(part for piece in pieces for part in inflater.feed(piece))
    inflater.finish()
    return data


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces, some of them empty."""
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


def items(splitter: NdjsonSplitter | CsvSplitter, pieces: list[bytes]) -> list[Item]:
    return [item for piece in pieces for item in splitter.feed(piece)] + list(splitter.finish())


PLACES = st.lists(st.integers(0, 1 << 20), max_size=8)
# Mostly what matters to a splitter.
TEXT = st.lists(
    st.sampled_from([b"\n", b"\r\n", b'"', b'""', b",", b";", b" ", b"a", b"{}", b"\xc3\xa4", b"\xff", b"\0"])
).map(b"".join)


# Decompression.


@given(st.binary(max_size=2000), PLACES, st.sampled_from(ENCODINGS))
def test_what_was_packed_comes_out_however_it_was_cut(data: bytes, places: list[int], encoding: Encoding) -> None:
    assert unpacked(cut(packed(data, encoding), places), encoding) == data


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_several_members_are_one_body(encoding: Encoding) -> None:
    """As `cat a.gz b.gz` makes them."""
    whole = b"".join(packed(part, encoding) for part in (b"one\n", b"", b"two\n"))
    assert unpacked([whole], encoding) == b"one\ntwo\n"
    assert unpacked([whole[n : n + 1] for n in range(len(whole))], encoding) == b"one\ntwo\n"


def test_deflate_may_lack_its_envelope() -> None:
    """As some clients send it."""
    bare = zlib.compressobj(wbits=-15)
    assert unpacked([bare.compress(b"hello") + bare.flush()], "deflate") == b"hello"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_data_that_end_in_the_middle_are_broken(encoding: Encoding) -> None:
    whole = packed(b"a long enough text " * 50, encoding)
    for end in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(BrokenStreamError, match="ended in the middle"):
            unpacked([whole[:end]], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_other_data_are_broken(encoding: Encoding) -> None:
    with pytest.raises(BrokenStreamError, match=f"not valid {encoding}"):
        unpacked([b"no such thing"], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_damaged_data_are_broken(encoding: Encoding) -> None:
    """Both have a checksum; zstd's is optional."""
    whole = packed(bytes(range(256)) * 20, encoding)
    with pytest.raises(BrokenStreamError):
        unpacked([whole[:20] + b"\0\0\0\0\0\0" + whole[26:]], encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_is_nothing(encoding: Encoding) -> None:
    """An empty body is no broken stream."""
    assert unpacked([], encoding) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_stops_at_the_limit(encoding: Encoding) -> None:
    """Nothing beyond one piece is ever held: a gigabyte never exists."""
    inflater = Inflater(encoding, 1 << 20)
    longest = 0
    with pytest.raises(TooLargeError) as caught:  # noqa: PT012 - what came before counts too
        for part in inflater.feed(packed(bytes(1 << 26), encoding)):
            longest = max(longest, len(part))
    assert longest <= PIECE_BYTES
    assert caught.value.limit == 1 << 20
    assert 1 << 20 < caught.value.actual <= (1 << 20) + PIECE_BYTES


def test_the_limit_itself_is_allowed() -> None:
    assert unpacked([b"12345"], "identity", limit=5) == b"12345"
    with pytest.raises(TooLargeError, match="more than 5 bytes"):
        unpacked([b"123", b"456"], "identity", limit=5)


def test_a_large_zstd_window_is_refused() -> None:
    """RFC 9659: a sender may not ask for more than 8 MiB."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    packer = zstd.ZstdCompressor(options=options)
    with pytest.raises(BrokenStreamError):
        unpacked([packer.compress(b"x" * 100) + packer.flush()], "zstd")


# Lines.


@given(TEXT, PLACES)
def test_lines_are_the_same_however_they_were_cut(data: bytes, places: list[int]) -> None:
    expected = [Item(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line and not line.isspace()]
    assert items(NdjsonSplitter(), cut(data, places)) == expected


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("extra", [0, 1, 2, 70_000])
@pytest.mark.parametrize("step", [1 << 30, 65536, MAX_ITEM_BYTES + 1])
def test_a_line_may_be_as_long_as_a_record_and_no_longer(end: bytes, extra: int, step: int) -> None:
    """A longer one is cut and says so, whatever the pieces; the next line is whole."""
    long = b"x" * (MAX_ITEM_BYTES + extra)
    data = b"first\n" + long + (end + b"next" if end else b"")
    first, middle, *rest = items(NdjsonSplitter(), [data[n : n + step] for n in range(0, len(data), step)])
    assert first == Item(1, b"first")
    assert middle.line == 2
    assert middle.too_long == (extra > 0)
    assert middle.raw == (long[:MAX_ITEM_BYTES] if extra else long + end.removesuffix(b"\n"))
    assert rest == ([Item(3, b"next")] if end else [])


@pytest.mark.parametrize("splitter", [NdjsonSplitter, CsvSplitter])
def test_a_line_without_end_is_not_gathered(splitter: type[NdjsonSplitter | CsvSplitter]) -> None:
    """Of 100 MB without a line end no more is held than a record may have."""
    splitting = splitter()
    found = [item for _ in range(1600) for item in splitting.feed(b"x" * 65536)]
    assert [(item.line, item.too_long, len(item.raw)) for item in found] == [(1, True, MAX_ITEM_BYTES)]
    assert list(splitting.finish()) == []


# Rows.


@given(TEXT, PLACES)
def test_rows_are_the_same_however_they_were_cut(data: bytes, places: list[int]) -> None:
    assert items(CsvSplitter(), cut(data, places)) == items(CsvSplitter(), [data])


@given(TEXT)
def test_no_row_is_lost(data: bytes) -> None:
    """Every line that is not blank is in exactly one row, and rows begin on the line they say."""
    lines = data.split(b"\n")
    covered: list[int] = []
    for item in items(CsvSplitter(), [data]):
        parts = item.raw.split(b"\n")
        assert lines[item.line - 1 : item.line - 1 + len(parts)] == parts
        covered += range(item.line, item.line + len(parts))
    assert covered == sorted(set(covered))
    assert {n for n, line in enumerate(lines, 1) if line and not line.isspace()} <= set(covered)


CELL = st.text("a\"',;\t\n ä", max_size=6)


@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=6)),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    PLACES,
)
def test_what_a_csv_writer_wrote_is_split_into_its_rows(
    rows: list[list[str]], delimiter: str, end: str, quoting: Literal[0, 1], places: list[int]
) -> None:
    """Whatever is inside the cells."""
    header = delimiter.join(f"c{n}" for n in range(5))
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    _, *found = items(CsvSplitter(), cut(f"{header}{end}{file.getvalue()}".encode(), places))
    # Rows of blanks alone, if nothing is quoted, look like blank lines.
    read = [next(csv.reader([item.raw.decode().removesuffix("\r")], delimiter=delimiter)) for item in found]
    assert read == [row for row in rows if row in read]
    assert len(read) >= sum(any(cell.strip() for cell in row) for row in rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a,b\n1,"x\ny"\n2,z', [(1, "a,b"), (2, '1,"x\ny"'), (4, "2,z")]),
        ('a,b\n\n1,"x\n\n\ny"\n\n2,z\n', [(1, "a,b"), (3, '1,"x\n\n\ny"'), (8, "2,z")]),
        ('a,b\n1,5" screen\n2,6" screen\n', [(1, "a,b"), (2, '1,5" screen'), (3, '2,6" screen')]),
        ('a,b\n1,"oops\n2,"fine"\n3,x\n', [(1, "a,b"), (2, '1,"oops'), (3, '2,"fine"'), (4, "3,x")]),
        ('a,b\n1,"oops\n2,x\n3,y\n', [(1, "a,b"), (2, '1,"oops'), (3, "2,x"), (4, "3,y")]),
        ('a,b\n"1"x,y\n2,z\n', [(1, "a,b"), (2, '"1"x,y'), (3, "2,z")]),
        ('a;b\n1;"x,\ny"\n2;z,"\n', [(1, "a;b"), (2, '1;"x,\ny"'), (4, '2;z,"')]),
        ('a,b\n"say ""hi""\n""",y\n', [(1, "a,b"), (2, '"say ""hi""\n""",y')]),
    ],
)
def test_a_bad_quote_costs_its_own_line(text: str, expected: list[tuple[int, str]]) -> None:
    """And a blank line inside a quoted cell belongs to it."""
    assert [(item.line, item.raw.decode()) for item in items(CsvSplitter(), [text.encode()])] == expected


def test_a_quote_that_is_never_closed_does_not_swallow_a_long_file() -> None:
    rows = b"".join(b"%d,x\n" % n for n in range(200_000))
    found = items(CsvSplitter(), [b'a,b\n0,"oops\n' + rows])
    assert [found[1].line, found[1].raw] == [2, b'0,"oops']
    assert len(found) == 200_002


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [(b"a", b","), (b"a,b;c,d", b","), (b"a;b", b";"), (b"a\tb", b"\t"), (b'"x,y,z";b;c', b";")],
)
def test_the_delimiter_is_found_in_the_header(header: bytes, delimiter: bytes) -> None:
    assert delimiter_of(header) == delimiter
