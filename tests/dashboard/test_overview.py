"""What the page says beside its numbers."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape

import httpx
import pytest

from hub.dashboard.scores import SCORES
from hub.model import FieldType
from tests.conftest import API_KEY, make_record


async def page(client: httpx.AsyncClient, query: str, *records: Mapping[str, object]) -> str:
    """The words of the page of these records."""
    for record in records:
        given = make_record(**{"collected_at": datetime.now(UTC).isoformat(), "user_id": "ada", **record})
        assert (await client.post("/v1/feedback-records", json=given)).status_code == 201
    await client.post("/sign-in", data={"key": API_KEY})
    text = (await client.get(f"/?tenant_id=acme&{query}")).text
    return " ".join(unescape(re.sub("<[^>]*>", " ", text)).split())


def scored(kind: str, **members: object) -> dict[str, object]:
    return {"field_id": kind, "field_type": kind, "value_number": 4, "value_text": ..., **members}


async def test_one_of_anything_is_one(client: httpx.AsyncClient) -> None:
    text = await page(client, "interval=day", {"language": "en"})
    assert "1 record of 1 person" in text
    assert "In 1 comment " in text
    assert "1 record of 1 submission" in (await client.get("/?tenant_id=acme")).text
    text = await page(client, "", scored("nps", submission_id="s2"))
    assert "2 records of 1 person" in text
    assert " 1 answer " in text


async def test_a_comment_has_a_badge_when_its_submission_has_a_score(client: httpx.AsyncClient) -> None:
    comments = ({"submission_id": name, "value_text": f"I am {name}"} for name in ("alone", "together"))
    said = await page(client, "", *comments, scored("nps", submission_id="together"))
    assert "I am alone" in said
    assert "I am together" in said
    text = (await client.get("/?tenant_id=acme")).text
    assert re.findall(r'<span class="score.*?</span>', text) == [
        '<span class="score detractor" title="What the same submission scored">4</span>'
    ]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("score=csat", "The score csat has no answers here, so this is NPS."),
        ("score=rating", "The score rating needs one question to be chosen, so this is NPS."),
        ("score=nps", None),
        ("", None),
    ],
)
async def test_a_score_that_stands_for_another_says_so(
    client: httpx.AsyncClient, query: str, words: str | None
) -> None:
    text = await page(client, query, scored("nps"), scored("rating"))
    assert "NPS over time" in text
    assert (words in text) if words else ("The score" not in text)


@pytest.mark.parametrize("kind", ["number", "rating"])
async def test_answers_that_are_all_the_same_have_a_page(client: httpx.AsyncClient, kind: FieldType) -> None:
    text = await page(client, f"field_id={kind}", scored(kind), scored(kind, submission_id="s2"))
    assert f"{SCORES[kind].name} by language" in text
