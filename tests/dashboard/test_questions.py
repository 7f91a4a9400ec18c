"""How every question was answered, as the page has it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape

import httpx
import pytest
from msgspec import Struct

from tests.conftest import API_KEY, make_record


class Drawn(Struct, frozen=True):
    """A question: what it is called, what stands beside it, and of each row the label, the count and the link."""

    label: str
    note: str
    rows: list[tuple[str, str, str]]


@pytest.fixture
async def browser(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await client.post("/sign-in", data={"key": API_KEY})
    return client


async def stored(client: httpx.AsyncClient, *records: Mapping[str, object]) -> None:
    for number, record in enumerate(records):
        given = {"submission_id": f"s{number}", "collected_at": datetime.now(UTC).isoformat(), **record}
        assert (await client.post("/v1/feedback-records", json=make_record(**given))).status_code == 201


async def drawn(browser: httpx.AsyncClient, query: str = "") -> list[Drawn]:
    text = (await browser.get(f"/?tenant_id=acme&{query}")).text
    _, there, questions = text.partition('<h2 id="questions">')
    assert there
    return [
        Drawn(
            re.sub("<.*?>", "", article.partition("<h3>")[2].partition("</h3>")[0]),
            article.partition("<small>")[2].partition("</small>")[0],
            [
                (label, count, unescape(link))
                for link, label, count in re.findall(r'<li>.*?<a href="(.*?)">(.*?)</a>.*?<span class="n">(.*?)</span>', article)
            ],
        )
        for article in questions.partition("</section>")[0].split("<article")[1:]
    ]  # fmt: skip


async def test_a_question_of_two_types_is_two_the_most_answered_first(browser: httpx.AsyncClient) -> None:
    await stored(
        browser,
        *({"field_id": "q", "field_type": "nps", "value_number": 9, "value_text": ...} for _ in range(5)),
        {"field_id": "q", "field_type": "number", "value_number": 3, "value_text": ...},
    )
    for query in ("", "field_id=q"):
        assert [(question.label, question.note) for question in await drawn(browser, query)] == [
            ("q", "5 answers, NPS 100"),
            ("q", "1 answer, mean 3.0"),
        ]


async def test_a_question_in_parts_of_two_types_is_two(browser: httpx.AsyncClient) -> None:
    parts = {"field_group_id": "g", "value_text": ...}
    await stored(
        browser,
        *({**parts, "field_id": "g__a", "field_type": "categorical", "value_id": "a"} for _ in range(2)),
        {**parts, "field_id": "g__b", "field_type": "number", "value_number": 1, "metadata": {"total_items": 2}},
        {"field_id": "g", "field_type": "boolean", "value_boolean": True, "value_text": ...},
    )
    assert [(question.label, question.note) for question in await drawn(browser)] == [
        ("g", "2 answered"),
        ("g", "1 answer, Yes 100%"),
        ("g", "1 ranked these; mean rank"),
    ]


async def test_what_people_wrote_themselves_is_one_option(browser: httpx.AsyncClient) -> None:
    """Under no one's words; and whoever asks for its records gets all of them, also where all options have their words for ids."""
    chosen = {"field_id": "source", "field_type": "categorical"}
    await stored(
        browser,
        *({**chosen, "value_id": "other", "value_text": text} for text in ("Podcast", "My ex-husband Bob told me")),
        {**chosen, "value_id": "radio", "value_text": "Radio"},
        {**chosen, "field_id": "words", "value_text": "Other "},
    )
    source, words = await drawn(browser)
    assert [row[:2] for row in source.rows] == [("Other", "2"), ("Radio", "1")]
    assert [row[:2] for row in words.rows] == [("Other ", "1")]
    for _, count, link in (*source.rows, *words.rows):
        listed = await browser.get(f"/v1/feedback-records/count?{link.removeprefix('records?')}")
        assert str(listed.json()["count"]) == count


async def test_under_a_filter_an_answer_leads_to_what_was_counted(browser: httpx.AsyncClient) -> None:
    """Also where the filter and the answer say something of the same member."""
    await stored(
        browser,
        *({"field_id": "c", "field_type": "categorical", "value_id": key, "value_number": 3} for key in "aab"),
        *({"field_id": "r", "field_type": "rating", "value_number": mark, "value_text": ...} for mark in (2, 3)),
    )
    (chosen, *_) = await drawn(browser, "value_id=a&value_id=b")
    for _, count, link in chosen.rows:
        listed = await browser.get(f"/v1/feedback-records/count?{link.removeprefix('records?')}")
        assert str(listed.json()["count"]) == count
    text = (await browser.get("/?tenant_id=acme&value_number_min=2")).text
    marks = [link for link in re.findall(r'href="(records\?.*?)"', text) if "value_number_max" in link]
    assert marks
    for link in marks:
        assert (await browser.get(f"/{unescape(link)}")).status_code == 200
