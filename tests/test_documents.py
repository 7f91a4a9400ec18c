"""JSON files of every shape come apart into the same items, wherever the pieces are cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.documents import MAX_PAYLOAD_BYTES, ArraySplitter, PayloadSplitter, RecordSplitter
from hub.streams import Item, TooLargeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=3), max_size=5)


def fed(splitter: ArraySplitter | RecordSplitter | PayloadSplitter, data: bytes, size: int) -> list[Item]:
    items = [item for start in range(0, len(data), size) for item in splitter.feed(data[start : start + size])]
    return [*items, *splitter.finish()]


def values(items: list[Item]) -> list[object]:
    return [json.loads(item.raw) for item in items]


@given(st.lists(JSON, max_size=5), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_an_array_comes_apart_into_its_elements(
    elements: list[object], size: int, indent: int | None, ascii_: bool
) -> None:
    """Whatever is in them, and wherever the pieces end."""
    text = json.dumps(elements, indent=indent, ensure_ascii=ascii_).encode(errors="surrogatepass")
    items = fed(ArraySplitter(10_000), text, size)
    assert [json.loads(item.raw.decode(errors="surrogatepass")) for item in items] == elements
    assert [item.line for item in items] == list(range(1, len(elements) + 1))
    assert not any(b"\n" in item.raw for item in items)


@given(OBJECTS, st.integers(1, 40), st.sampled_from(["array", "lines", "indented"]))
def test_records_are_elements_or_lines(records: list[object], size: int, shape: str) -> None:
    lines = "\n".join(map(json.dumps, records))
    text = {"array": json.dumps(records), "indented": json.dumps(records, indent=2), "lines": lines}[shape]
    assert (
        values(fed(RecordSplitter(), b"\xef\xbb\xbf" + text.encode() if size > 3 else text.encode(), size)) == records
    )


@given(OBJECTS.filter(bool), st.integers(1, 40), st.booleans())
def test_payloads_are_elements_lines_or_one_document(payloads: list[object], size: int, indented: bool) -> None:
    """Only elements of a list may be sent as a list again: a line may be a page of its own."""
    indent = 1 if indented else None
    listed = PayloadSplitter()
    assert values(fed(listed, json.dumps(payloads, indent=indent).encode(), size)) == payloads
    by_line = PayloadSplitter()
    assert values(fed(by_line, "\n".join(map(json.dumps, payloads)).encode(), size)) == payloads
    alone = PayloadSplitter()
    page = {"meta": {}, "data": payloads}
    assert values(fed(alone, json.dumps(page, indent=indent).encode(), size)) == [page]
    assert (listed.listed, by_line.listed, alone.listed) == (True, False, False)


def test_a_page_too_long_for_one_request_is_divided() -> None:
    """What stands around its list is the page's, not the payloads'."""
    payloads = [{"id": str(n), "data": {"q": "x" * 1000, "nested": [{"data": [1]}]}} for n in range(10_000)]
    page = json.dumps({"meta": {"total": 3, "x": "}"}, "n": 1, "data": payloads, "links": []}).encode()
    assert len(page) > MAX_PAYLOAD_BYTES
    splitter = PayloadSplitter()
    assert values(fed(splitter, page, 256 * 1024)) == payloads
    assert splitter.listed


@pytest.mark.parametrize("start", [b'["', b'{"a": "', b'{"data": {"a": "'])
def test_an_item_without_end_is_given_up(start: bytes) -> None:
    """Memory is bounded."""
    splitter = PayloadSplitter()
    data = start + b"x" * 20 * 1024 * 1024
    with pytest.raises(TooLargeError):
        fed(splitter, data, 1024 * 1024)


def test_an_element_that_is_no_json_costs_itself() -> None:
    assert [item.raw for item in fed(RecordSplitter(), b'[{"a":1}, oops, {"b":2}]', 5)] == [
        b'{"a":1}',
        b"oops",
        b'{"b":2}',
    ]
