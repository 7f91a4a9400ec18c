"""How far people got, form by form, as the page has it."""

import re
from datetime import UTC, datetime

import httpx
import pytest

from hub.dashboard.render import lasted
from tests.api.test_records import Connection
from tests.conftest import API_KEY, make_record

NOW = datetime.now(UTC)
SUBMISSION = """
insert into submissions (
    tenant_id, submission_id, source, form_id, status, started_at, duration_seconds, snapshot_order, received_at
)
values ('acme', $1, 'formbricks', $2, $3, $4, 30, '', now())
"""


async def drawn(client: httpx.AsyncClient, query: str = "") -> dict[str, list[tuple[str, bool, str, str]]]:
    """The rows of each form: question, whether it is linked, how many answered, which share."""
    await client.post("/sign-in", data={"key": API_KEY})
    text = (await client.get(f"/?tenant_id=acme&{query}")).text
    _, there, completion = text.partition('<h2 id="completion">')
    articles = completion.partition("</section>")[0].split("<article")[1:] if there else []
    row = r'<li><span class="label" title="(.*?)">(<a )?.*?<span class="n">(.*?)</span><span class="share">(.*?)</span></li>'
    return {
        f"{re.sub('<.*?>', '', article.partition('<h3>')[2].partition('</h3>')[0])}: "
        f"{article.partition('<small>')[2].partition('</small>')[0]}": [
            (label, bool(link), count, share) for label, link, count, share in re.findall(row, article)
        ]
        for article in articles
    }


async def submitted(client: httpx.AsyncClient, connection: Connection, form: str, status: str, *questions: str) -> None:
    """A submission with an answer to each of the questions."""
    submission = f"{form}-{await connection.fetchval('select count(*) from submissions')}"
    await connection.execute(SUBMISSION, submission, form, status, NOW)
    for question in questions:
        record = make_record(
            submission_id=submission, field_id=question, field_label=question.upper(), source_id=form, source_name=f"Form {form}",
            collected_at=NOW.isoformat(),
        )  # fmt: skip
        assert (await client.post("/v1/feedback-records", json=record)).status_code == 201


async def test_a_question_of_two_forms_is_counted_in_each(client: httpx.AsyncClient, connection: Connection) -> None:
    """And has no list of its records, which would have those of the other form; with one of them chosen it has."""
    for status, questions in (("completed", "abc"), ("completed", "ab"), ("partial", "a"), ("started", "")):
        await submitted(client, connection, "one", status, *questions)
    for status, questions in (("completed", "ad"), ("partial", ""), ("dismissed", "")):
        await submitted(client, connection, "two", status, *questions)

    one = "Form one: 2 of 4 completed, 50% (15 to 85) · median 30\N{NO-BREAK SPACE}s"
    two = "Form two: 1 of 2 completed, 50% (9 to 91) · median 30\N{NO-BREAK SPACE}s · 1 dismissed"
    own = [("B", True, "2", "50%"), ("C", True, "1", "25%")]
    assert await drawn(client) == {
        one: [("A", False, "3", "75%"), *own],
        two: [("A", False, "1", "50%"), ("D", True, "1", "50%")],
    }
    assert await drawn(client, "source_id=one") == {one: [("A", True, "3", "75%"), *own]}


async def test_what_stands_beside_a_rate_is_what_it_is_of(client: httpx.AsyncClient, connection: Connection) -> None:
    """Of two sources with a form of this id only one tells of unfinished submissions."""
    for status in ("completed", "partial", "completed"):
        await submitted(client, connection, "one", status, "a")
    await connection.execute("update submissions set source = 'typeform' where submission_id = 'one-2'")
    assert [name.partition(",")[0] for name in await drawn(client)] == ["Form one: 1 of 2 completed"]


async def test_of_one_person(client: httpx.AsyncClient, connection: Connection) -> None:
    await submitted(client, connection, "one", "completed", "a")
    await submitted(client, connection, "one", "partial", "a")
    await connection.execute("update submissions set user_id = 'ada' where status = 'partial'")
    await connection.execute(
        "update feedback_records set user_id = 'ada' where submission_id in (select submission_id from submissions where user_id = 'ada')"
    )
    (note,) = await drawn(client, "user_id=ada")
    assert note.startswith("Form one: 0 of 1 completed, 0%")


async def test_a_form_that_everybody_dismissed(client: httpx.AsyncClient, connection: Connection) -> None:
    """Its source has told of unfinished submissions elsewhere: here there was none."""
    await submitted(client, connection, "one", "partial", "a")
    await submitted(client, connection, "two", "dismissed", "a")
    assert "Form two: 0 of 0 completed · 1 dismissed" in await drawn(client)


async def test_a_source_that_only_tells_of_completed_ones(client: httpx.AsyncClient, connection: Connection) -> None:
    await submitted(client, connection, "one", "completed", "a", "b")
    assert await drawn(client) == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (134, "2 min 14 s"),
        (7500, "2 h 5 min"),
        (90_000_061, "25,000 h 1 min"),
    ],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert lasted(seconds) == text.replace(" ", "\N{NO-BREAK SPACE}")
