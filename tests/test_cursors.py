"""Cursors come back as they left, and nothing else passes for one."""

import base64
import json
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import cursors
from hub.cursors import Cursor, InvalidCursorError, Order, Sort

ID = "018e1234-5678-7abc-8ef0-123456789abc"
CURSORS = st.builds(
    Cursor,
    t=st.datetimes(timezones=st.just(UTC)),
    i=st.uuids(),
    s=st.sampled_from(get_args(Sort)),
    o=st.sampled_from(get_args(Order)),
)


def packed(payload: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()


@given(CURSORS, st.sampled_from(["", " ", "\t", " \n "]))
def test_cursor_comes_back_as_it_left(cursor: Cursor, blank: str) -> None:
    """Every cursor is read as it was written, with or without its padding or blanks around it."""
    text = cursors.encode(cursor)

    assert cursors.decode(f"{blank}{text}{blank}", Cursor) == cursor
    assert cursors.decode(text.rstrip("="), Cursor) == cursor


@given(CURSORS)
def test_cursor_goes_into_an_address_as_it_is(cursor: Cursor) -> None:
    """Base64url: a link can carry it without escaping anything but the padding."""
    assert set(cursors.encode(cursor)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


@pytest.mark.parametrize(
    "moment", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456Z", "2026-01-02T04:04:05.123456789+01:00"]
)
def test_cursor_of_two_members_is_of_the_default_order(moment: str) -> None:
    """The first Formbricks Hubs knew one order, and their cursors still work in it."""
    cursor = cursors.decode(packed({"t": moment, "i": ID}), Cursor)

    assert (cursor.i, cursor.s, cursor.o) == (UUID(ID), "collected_at", "desc")
    assert cursor.t.replace(microsecond=0) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "xyz!", "====", "ä", "\0", "\ud800", "e30=e30=", packed({}), packed([]), packed(None), packed("x"), packed({"i": ID}),
        packed({"t": "2026-01-02T03:04:05Z"}), packed({"t": 5, "i": ID}), packed({"t": "2026-01-02T03:04:05", "i": ID}),
        packed({"t": "2026-01-02", "i": ID}), packed({"t": "0001-01-01T00:00:00+01:00", "i": ID}), packed({"t": "2026-01-02T03:04:05Z", "i": "xyz"}), packed({"t": "2026-01-02T03:04:05Z", "i": None}),
        packed({"t": "2026-01-02T03:04:05Z", "i": ID, "s": "updated_at"}), packed({"t": "2026-01-02T03:04:05Z", "i": ID, "o": "DESC"}),
        packed({"t": "2026-01-02T03:04:05Z", "i": ID, "o": None}), packed({"d": 0.5, "i": ID}),
        base64.urlsafe_b64encode(b'{"x":' + b"[" * 100_000).decode(), base64.urlsafe_b64encode(b'{"t":"\xff"}').decode(),
        base64.b64encode(b'{"t":"???>>>","i":1}').decode(), packed({"t": "2026-01-02T03:04:05Z", "i": ID})[:-9],
    ],
)  # fmt: skip
def test_what_was_never_a_cursor_is_refused(text: str) -> None:
    """Nothing undecodable, incomplete, of another kind or hostile passes for a cursor."""
    with pytest.raises(InvalidCursorError):
        cursors.decode(text, Cursor)


@given(
    st.text()
    | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())
    | st.dictionaries(st.sampled_from("tiso"), st.text()).map(packed)
)
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """No text raises anything but the one error; what is taken for a cursor is one for good."""
    try:
        cursor = cursors.decode(text, Cursor)
    except InvalidCursorError:
        return
    assert cursors.decode(cursors.encode(cursor), Cursor) == cursor
