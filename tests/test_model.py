"""How moments are written, and that a closed set keeps its order."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model import Emotion, FieldType, Record, Sentiment, in_order, shown


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC), "2026-01-02T03:04:05.5Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC), "2026-01-02T03:04:05.123456Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 10, tzinfo=UTC), "2026-01-02T03:04:05.00001Z"),
        (datetime(2026, 1, 2, 3, 4, 10, tzinfo=UTC), "2026-01-02T03:04:10Z"),
        (datetime(2026, 1, 2, 3, 0, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-01-01T21:30:00Z"),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00Z"),
    ],
)
def test_moment_is_written_in_utc_without_trailing_zeros(moment: datetime, text: str) -> None:
    """Whatever zone a moment came in, it leaves in UTC with `Z`, and as short as it can be."""
    assert shown(moment) == text


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1970, 1, 2), datetime(2080, 12, 30), timezones=ZONES))  # noqa: DTZ001 - the strategy adds it
def test_written_moment_is_the_same_moment(moment: datetime) -> None:
    """Nothing of a moment is lost by writing it."""
    assert datetime.fromisoformat(shown(moment)) == moment


def test_closed_sets_are_listed_as_documented() -> None:
    """The values of a closed set are told in the order of the published document, which is not the alphabet's."""
    for literal in (FieldType, Sentiment, Emotion):
        documented = get_args(literal)
        assert in_order(sorted(documented)) == documented


def test_record_has_the_documented_members_in_their_order() -> None:
    """The members of a record on the wire, in the order clients know."""
    assert Record.__struct_fields__ == (
        "id", "collected_at", "created_at", "updated_at", "source_type", "source_id", "source_name", "field_id", "field_label",
        "field_type", "field_group_id", "field_group_label", "value_text", "value_id", "value_number", "value_boolean",
        "value_date", "metadata", "language", "user_id", "tenant_id", "submission_id", "value_text_translated",
        "translation_lang_key", "sentiment", "sentiment_score", "emotions",
    )  # fmt: skip
