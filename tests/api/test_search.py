"""Text answers are found by their words, in their language, by whoever may read them; and nothing that is gone is."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import asyncpg
import httpx
import pytest

from hub.api.edge import Edge
from hub.db import search
from hub.db.search import Index
from tests.conftest import make_record

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
URL = "/v1/feedback-records/search"
TERMS = "/v1/analytics/terms"
RECORDS = "/v1/feedback-records"
START = datetime(2026, 3, 1, tzinfo=UTC)


async def store(client: httpx.AsyncClient, *texts: str, **members: object) -> list[str]:
    """Texts of one submission each, a minute apart; their ids."""
    records = [
        make_record(
            **{
                "submission_id": f"{text[:40]}-{n}",
                "collected_at": (START + timedelta(minutes=n)).isoformat(),
                "value_text": text,
                **members,
            }
        )
        for n, text in enumerate(texts)
    ]
    answer = await client.post(f"{RECORDS}/batch", json=records)
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


async def get(client: httpx.AsyncClient, url: str, **parameters: str | int) -> Any:
    answer = await client.get(url, params={"tenant_id": "acme", **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def search_page(client: httpx.AsyncClient, q: str | None = None, **parameters: str | int) -> Any:
    return await get(client, URL, **({} if q is None else {"q": q}), **parameters)


async def found(client: httpx.AsyncClient, q: str | None = None, **parameters: str | int) -> list[str]:
    """The texts that are found."""
    page = await search_page(client, q, **parameters)
    assert page["complete"] is True
    return [record["value_text"] for record in page["data"]]


async def terms(client: httpx.AsyncClient, **parameters: str | int) -> Any:
    return await get(client, TERMS, **parameters)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("export", ["Exports fail on Fridays", "the export is slow"]),
        ("EXPORTING", ["Exports fail on Fridays", "the export is slow"]),
        ("export slow", ["the export is slow"]),
        ('"export is slow"', ["the export is slow"]),
        ('"slow export"', []),
        ("fridays or dashboards", ["Exports fail on Fridays", "a lovely dashboard"]),
        ("export -slow", ["Exports fail on Fridays"]),
        ("the", []),
        ("'!&|()", []),
        ("exp", []),
    ],
)
async def test_words_are_found_in_any_form(client: httpx.AsyncClient, q: str, expected: list[str]) -> None:
    """All words, a phrase, alternatives, exclusions; the latest first."""
    await store(client, "a lovely dashboard", "the export is slow", "Exports fail on Fridays")

    assert sorted(await found(client, q)) == sorted(expected)


async def test_a_mistyped_filter_is_told(client: httpx.AsyncClient) -> None:
    """Or it would show everybody's comments."""
    answer = await client.get("/v1/feedback-records/search?tenant_id=acme&q=x&segement=detractor")
    assert answer.json()["invalid_params"] == [{"name": "segement", "reason": "is not a recognized parameter"}]


async def test_each_text_is_read_in_its_language(client: httpx.AsyncClient) -> None:
    """A word finds its forms in the language it is in; in one that Postgres does not know, it finds itself."""
    await store(client, "Die Häuser sind schön", language="de-AT")
    await store(client, "les chevaux sont partis", language="fr")
    await store(client, "the horses have left", language="EN_us")
    await store(client, "talot ja hevoset", language="xx")

    assert await found(client, "Haus") == ["Die Häuser sind schön"]
    assert await found(client, "cheval") == ["les chevaux sont partis"]
    assert await found(client, "horse") == ["the horses have left"]
    assert await found(client, "hevonen") == []
    assert await found(client, "hevoset") == ["talot ja hevoset"]
    assert await found(client, "Haus or horse", language="de-AT") == ["Die Häuser sind schön"]


async def test_text_is_found_as_soon_as_it_is_stored_and_not_when_it_is_gone(client: httpx.AsyncClient) -> None:
    """Created, changed, replaced, made another type, deleted, erased: each is seen by the next search."""
    assert await found(client, "export") == []
    created = (await client.post(RECORDS, json=make_record(value_text="the export"))).json()["id"]
    assert await found(client, "export") == ["the export"]
    await client.patch(f"{RECORDS}/{created}", json={"value_text": "the import"})
    assert (await found(client, "export"), await found(client, "import")) == ([], ["the import"])
    await client.patch(f"{RECORDS}/{created}", json={"value_text": None})
    assert await found(client, "import") == []
    replaced = [make_record(value_text="replaced", user_id="u1")]
    await client.post(f"{RECORDS}/batch", params={"on_conflict": "update"}, json=replaced)
    assert await found(client, "replaced") == ["replaced"]
    await client.delete(f"{RECORDS}/{created}")
    assert await found(client, "replaced") == []
    await store(client, "mine", user_id="u1")
    assert await found(client, "mine") == ["mine"]
    await client.delete(RECORDS, params={"user_id": "u1"})
    assert await found(client, "mine") == []


async def test_nothing_stays_of_what_was_erased(client: httpx.AsyncClient, connection: Connection) -> None:
    """Its words go in the same statement, before anybody searches again."""
    await store(client, "export", user_id="u1")
    await store(client, "import", user_id="u2")
    await found(client, "export")
    await client.delete(RECORDS, params={"user_id": "u1"})

    words = await connection.fetch("select words::text from search_texts where words is not null")
    assert ["export" in str(row["words"]) for row in words] == [False]
    assert await found(client) == ["import"]
    assert await connection.fetchval("select count(*) from search_texts") == 1


async def test_tenant_finds_its_own_texts_only(client: httpx.AsyncClient, bound: httpx.AsyncClient) -> None:
    """Whatever is looked for, and whoever asks."""
    await store(client, "our export")
    await store(client, "their export", tenant_id="other")

    assert await found(client, "export") == ["our export"]
    assert await found(client, "-export") == []
    assert await found(client, "export", tenant_id="other") == ["their export"]
    assert [record["value_text"] for record in (await bound.get(URL, params={"q": "export"})).json()["data"]] == ["our export"]  # fmt: skip
    for url in (URL, TERMS):
        assert (await bound.get(url, params={"tenant_id": "other"})).status_code == 403


@pytest.mark.parametrize("tenant", ["o'neill", "a\\b 'c' & !d|(e):*", "Ä" * 255, "the"])
async def test_tenant_may_be_called_anything(client: httpx.AsyncClient, tenant: str) -> None:
    """Its name is part of what is looked for."""
    await store(client, "our export", tenant_id=tenant)

    assert await found(client, "export", tenant_id=tenant) == ["our export"]
    assert [term["label"] for term in (await terms(client, tenant_id=tenant))["terms"]] == ["export"]


async def test_filters_of_records_apply(client: httpx.AsyncClient) -> None:
    await store(client, "export one", source_id="a")
    await store(client, "export two", source_id="b")

    assert await found(client, "export", source_id="b") == ["export two"]
    assert await found(client, "export", until=(START - timedelta(days=1)).isoformat()) == []


@pytest.mark.parametrize(
    ("score", "segment"),
    [(0, "detractor"), (6.5, "detractor"), (7, "passive"), (8.5, "passive"), (9, "promoter"), (10, "promoter"), (11, None)],
)  # fmt: skip
async def test_segment_is_that_of_the_submissions_score(
    client: httpx.AsyncClient, score: float, segment: str | None
) -> None:
    """Half-open buckets; what is beyond the scale is in none, and shown as none."""
    await store(client, "export", submission_id="s")
    await store(client, "export without a score", submission_id="other")
    nps = make_record(submission_id="s", field_id="nps", field_type="nps", value_number=score, value_text=...)
    assert (await client.post(RECORDS, json=nps)).status_code == 201

    for each in ("detractor", "passive", "promoter"):
        assert await found(client, "export", segment=each) == (["export"] if each == segment else [])
        assert (await terms(client, segment=each))["texts"] == (1 if each == segment else 0)
    scores = {record["value_text"]: record.get("nps") for record in (await search_page(client))["data"]}
    assert scores == {"export": score if segment else None, "export without a score": None}


async def test_hits_are_marked_in_safe_html(client: httpx.AsyncClient) -> None:
    """What people write is escaped; only our marks are markup."""
    text = 'Exports <script>alert("x")</script> & <mark>export\x02'
    await store(client, text)
    (record,) = (await search_page(client, "export"))["data"]

    assert record["value_text"] == text
    highlight = record["highlight"]
    assert "<mark>Exports</mark> &lt;script&gt;" in highlight
    assert "&amp; &lt;mark&gt;<mark>export</mark>" in highlight
    assert "highlight" not in (await search_page(client))["data"][0]


async def test_of_long_texts_the_parts_with_hits_are_shown(client: httpx.AsyncClient) -> None:
    await store(client, f"{'lorem ' * 300}export{' ipsum' * 300}")
    (record,) = (await search_page(client, "export"))["data"]

    assert "<mark>export</mark>" in record["highlight"]
    assert len(record["highlight"]) < 600


async def test_text_of_any_length_costs_no_other_its_place(client: httpx.AsyncClient, connection: Connection) -> None:
    """One that was moved over may be longer than one that is posted, and have more words than Postgres can index."""
    await store(client, "the export", "endless")
    await connection.execute(
        """update feedback_records set value_text =
        (select string_agg(md5(n::text), ' ') from generate_series(1, 40000) as n) where value_text = 'endless'"""
    )
    assert await found(client, "export") == ["the export"]
    assert len(await found(client, hashlib.md5(b"1").hexdigest())) == 1
    assert (await terms(client))["texts"] == 2


@pytest.mark.parametrize("latest", [5000, 3])
async def test_pages_have_every_hit_once_the_latest_first(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, latest: int
) -> None:
    """However many of the latest texts are looked at before the index is asked; texts of one moment too."""
    monkeypatch.setattr(search, "_LATEST", latest)
    texts = [f"export {n}" if n % 3 else f"nothing {n}" for n in range(20)]
    await store(client, *texts)
    await store(client, *(f"export at once {n}" for n in range(7)), collected_at=START.isoformat())
    wanted = sorted(await found(client, "export"))
    assert len(wanted) == 20

    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await search_page(client, "export", limit=4, **cursor)
        pages.append([record["value_text"] for record in page["data"]])
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [len(page) for page in pages] == [4] * 5
    assert sorted(text for page in pages for text in page) == wanted
    times = [record["collected_at"] for record in (await search_page(client, "export"))["data"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("q=x", "tenant_id"),
        (f"tenant_id=acme&q={'x' * 1001}", "q"),
        ("tenant_id=acme&q=%00", "q"),
        ("tenant_id=acme&segment=fan", "segment"),
        ("tenant_id=acme&limit=1001", "limit"),
        ("tenant_id=acme&cursor=x", "cursor"),
    ],
)
async def test_bad_parameters_are_named(client: httpx.AsyncClient, query: str, name: str) -> None:
    answer = await client.get(f"{URL}?{query}")

    assert (answer.status_code, [fault["name"] for fault in answer.json()["invalid_params"]]) == (400, [name])


async def test_terms_are_the_words_of_most_texts(client: httpx.AsyncClient) -> None:
    """Each counts once a text in all its forms, is shown as most texts spell it, and leads to its texts."""
    await store(client, "Exports, exports and the export", "exports are slow", "the dashboards 42", language="en")
    said = await terms(client)

    assert (said["texts"], said["complete"]) == (3, True)
    first, *others = said["terms"]
    assert first == {
        "term": "export", "label": "exports", "count": 2, "share": pytest.approx(200 / 3),
        "records": "tenant_id=acme&q=%22exports%22",
    }  # fmt: skip
    assert [term["label"] for term in others] == ["dashboards", "slow"]
    assert len(await found(client, **dict(parse_qsl(first["records"])))) == 2
    assert len((await terms(client, limit=1))["terms"]) == 1
    await store(client, "42", "43", tenant_id="numbers")
    assert await terms(client, tenant_id="numbers") == {"texts": 2, "complete": True, "terms": []}
    nobodys = await terms(client, tenant_id="nobody")
    assert nobodys == {"texts": 0, "complete": True, "terms": []}


async def test_what_takes_longer_goes_on_behind_the_answer(app: Edge, client: httpx.AsyncClient) -> None:
    """A page that may lack texts says so, and a later one has them."""
    await store(client, "export")
    state = app.litestar.state
    state.index = Index(state.pool, patience=0)
    assert (await search_page(client, "export"))["complete"] is False

    assert await Index(state.pool, patience=20).catch_up("acme")
    assert len((await search_page(client, "export"))["data"]) == 1
    await state.index.close()
